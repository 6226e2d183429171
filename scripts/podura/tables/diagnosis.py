"""Columns of the tables that tell what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping

from podura.tables.table import Column, Table

_RUN = (
    Column("model", "string", "model, as in models.yaml, or a control"),
    Column("seed", "integer", "seed of the run; 0 where it fuses the runs of all seeds"),
)
_RUN_OR_ALL = (
    _RUN[0],
    Column(
        "seed",
        "integer",
        "seed of the run; 0 where it fuses the runs of all seeds; missing for all runs of the model together",
    ),
)
_LEVEL = Column(
    "level",
    "string",
    "threshold (detections at or above the threshold of their species) or floor (all detections)",
)
_SUBSET_SCORES = (
    Column("n_truth", "integer", "test specimens in the range (ignored ones aside)"),
    Column("ap50", "number", "average precision at IoU 0.5 in the range; missing without specimens"),
    Column("recall", "number", "share of them that any detection above the floor finds"),
    Column(
        "threshold_recall",
        "number",
        "share of them found at the threshold of the species (certified, else empirical)",
    ),
)

BENCHMARK_BY_SIZE = Table(
    "benchmark_by_size",
    "one row a model × seed × species × third of its specimens by size",
    (
        *_RUN,
        Column("species", "string", "species code"),
        Column("range", "string", "small, medium or large: thirds of the species' test specimens"),
        Column("unit", "string", "µm where um_per_pixel is known for all test images, else px"),
        Column(
            "size_low",
            "number",
            "square root of the box's area above which the range begins; missing for small",
            "as in unit",
        ),
        Column("size_high", "number", "where it ends, included; missing for large", "as in unit"),
        *_SUBSET_SCORES,
    ),
)

BENCHMARK_BY_EDGE = Table(
    "benchmark_by_edge",
    "one row a model × seed × species × distance to the edge of the image",
    (
        *_RUN,
        Column("species", "string", "species code"),
        Column(
            "range",
            "string",
            "touching (the box ends within 2 % of its longer side from the edge), near (within its longer "
            "side) or inside",
        ),
        *_SUBSET_SCORES,
    ),
)

BENCHMARK_ERRORS = Table(
    "benchmark_errors",
    "one row a model × seed × species × level × kind of error",
    (
        *_RUN_OR_ALL,
        Column("species", "string", "species code: that of the detection, for missed that of the specimen"),
        _LEVEL,
        Column(
            "threshold",
            "string",
            "which threshold the species has: certified, empirical, mixed (runs or folds differ), or none, "
            "by which nothing is accepted",
        ),
        Column("n_truth", "integer", "test specimens (ignored ones aside); for all runs their sum"),
        Column("n_right", "integer", "detections that are right; for all runs their sum"),
        Column("ap", "number", "AP at the stated IoU of the detections of the level; for all runs the mean"),
        Column(
            "kind", "string", "wrong_species, poor_box, both, duplicate, background or missed, as told below"
        ),
        Column("n", "integer", "errors of this kind; for all runs their sum"),
        Column(
            "d_ap",
            "number",
            "what ap would gain if this kind were mended; for all runs the mean; missing without specimens",
        ),
    ),
)

BENCHMARK_CONFUSION = Table(
    "benchmark_confusion",
    "one row a model × seed × level × true species × found species, zeros left out",
    (
        *_RUN,
        _LEVEL,
        Column("true_species", "string", "species of the specimen; background where there is none"),
        Column("found_species", "string", "species of the detection; missed where there is none"),
        Column("n", "integer", "how often"),
    ),
)

BENCHMARK_RELIABILITY = Table(
    "benchmark_reliability",
    "one row a model × seed × species × bin of scores",
    (
        *_RUN_OR_ALL,
        Column("species", "string", "species code; missing for all species together"),
        Column("bin", "integer", "bin, from 1, lowest scores first; empty ones are left out"),
        Column("n", "integer", "its detections: about equally many in each bin, equal scores together"),
        Column("score_low", "number", "lowest score in the bin"),
        Column("score_high", "number", "highest score in the bin"),
        Column("score_mean", "number", "mean score"),
        Column("precision", "number", "share of them that is right at the stated IoU"),
        Column("precision_low", "number", "lower end of its interval over slides"),
        Column("precision_high", "number", "upper end of its interval over slides"),
        Column(
            "calibration_error",
            "number",
            "expected calibration error over all bins: mean difference of precision and score_mean, "
            "weighed by n; the same in each bin",
        ),
    ),
)

BENCHMARK_SUSPECTS = Table(
    "benchmark_suspects",
    "one row a place where the truth itself may be wrong",
    (
        Column(
            "kind",
            "string",
            "unlabelled (accepted detections where no specimen is annotated) or not_found (a specimen that "
            "no run finds)",
        ),
        Column("image", "string", "image, as in images.tsv"),
        Column("slide", "string", "slide"),
        Column("species", "string", "species of the surest detection; for not_found that of the annotation"),
        Column("x_min", "number", "left edge of the box of the surest detection or of the annotation", "px"),
        Column("y_min", "number", "upper edge of the box", "px"),
        Column("x_max", "number", "right edge of the box", "px"),
        Column("y_max", "number", "lower edge of the box", "px"),
        Column(
            "n_models", "integer", "models that accept a detection there; for not_found of another species"
        ),
        Column("n_runs", "integer", "their runs"),
        Column("of_runs", "integer", "runs of all models"),
        Column("score", "number", "score of the surest of these detections; missing without any"),
        Column("model", "string", "its model"),
        Column("seed", "integer", "its seed"),
        Column("found_species", "string", "for not_found: its species"),
        Column("truth", "integer", "for not_found: id of the annotation in dataset/annotations.json"),
    ),
)

BENCHMARK_EXAMPLES = Table(
    "benchmark_examples",
    "one row an error that is worth a look, of all runs of a model together, at the thresholds",
    (
        _RUN[0],
        Column("kind", "string", "kind of error, as in errors.csv"),
        Column(
            "rank",
            "integer",
            "place among those of its model and kind that are listed: the surest errors, or the animals that "
            "most runs miss, first",
        ),
        Column("image", "string", "image, as in images.tsv"),
        Column("slide", "string", "slide"),
        Column("fold", "integer", "fold in which the image is tested, 0 where there are no folds"),
        Column("species", "string", "species of the detection, for missed that of the specimen"),
        Column(
            "score",
            "number",
            "score of the detection; for missed that of the surest detection of any species there, which "
            "may be below its threshold; missing without any",
        ),
        Column("seed", "integer", "seed of the run that made this detection; 0 where all seeds are fused"),
        Column("x_min", "number", "left edge of the box of the detection or of the missed specimen", "px"),
        Column("y_min", "number", "upper edge of the box", "px"),
        Column("x_max", "number", "right edge of the box", "px"),
        Column("y_max", "number", "lower edge of the box", "px"),
        Column("n_runs", "integer", "runs of the model that make this error"),
        Column("of_runs", "integer", "runs of the model"),
        Column("true_species", "string", "species of the specimen that is concerned; missing for background"),
        Column("found_species", "string", "for missed: species of the surest detection there"),
        Column("true_x_min", "number", "left edge of the box of the specimen", "px"),
        Column("true_y_min", "number", "upper edge of that box", "px"),
        Column("true_x_max", "number", "right edge of that box", "px"),
        Column("true_y_max", "number", "lower edge of that box", "px"),
    ),
)

TRUE_BOX_COLUMNS = ("true_x_min", "true_y_min", "true_x_max", "true_y_max")

CROPS = Table(
    "crops",
    "one row an example of which a picture was made",
    (
        *BENCHMARK_EXAMPLES.columns,
        Column("file", "string", "name of the picture beside this table; missing where it could not be made"),
        Column("width", "integer", "width of the picture", "px"),
        Column("height", "integer", "height of the picture", "px"),
        Column("fault", "string", "why there is no picture", optional=True),
    ),
)

#: The tables that are made for one model at a time, by the names of their files below benchmark/.
DIAGNOSES: Mapping[str, Table] = {
    "by_size": BENCHMARK_BY_SIZE,
    "by_edge": BENCHMARK_BY_EDGE,
    "errors": BENCHMARK_ERRORS,
    "confusion": BENCHMARK_CONFUSION,
    "reliability": BENCHMARK_RELIABILITY,
    "examples": BENCHMARK_EXAMPLES,
}
