"""Tables of people who annotated the same images, and of detectors beside them."""

from __future__ import annotations

from podura.tables.table import Column, Table

#: In the column species of ``BENCHMARK_PEOPLE``: boxes of all species counted together.
ALL_SPECIES = "all species"

_WHO = (
    Column("expert", "string", "name of the expert, as in the file of the experts"),
    Column("round", "string", "round in which the expert annotated; empty where there are no rounds"),
    Column("image", "string", "image, as in images.tsv"),
    Column("slide", "string", "slide of the image"),
)

EXPERT_IMAGES = Table("expert_images", "one row an image that an expert looked at in a round", _WHO)

EXPERT_BOXES = Table(
    "expert_boxes",
    "one row a box of an expert",
    (
        *_WHO,
        Column("species", "string", "species code"),
        Column("x_min", "number", "left edge of the box", "px"),
        Column("y_min", "number", "upper edge of the box", "px"),
        Column("x_max", "number", "right edge of the box", "px"),
        Column("y_max", "number", "lower edge of the box", "px"),
    ),
)

BENCHMARK_PEOPLE = Table(
    "benchmark_people",
    "one row a reference × expert × round, or detector × seed × threshold, × species",
    (
        Column("kind", "string", "expert, experts (all of a round together) or detector"),
        Column("who", "string", "name of the expert, or model as in models.yaml; experts for all of them"),
        Column("label", "string", "name for figures and tables"),
        Column(
            "reference",
            "string",
            "what it is compared with: given (the truth of the study), others (what the other experts agree "
            "on; for a detector all of them) or earlier (the same expert's own round before)",
        ),
        Column("round", "string", "round of the expert, or of the experts of the reference", optional=True),
        Column("seed", "integer", "of a detector: seed of the run; 0 where it fuses the runs of all seeds"),
        Column("threshold", "string", "of a detector: certified or empirical", optional=True),
        Column("species", "string", "species code, or all species"),
        Column("n_images", "integer", "test images that both looked at"),
        Column("n_slides", "integer", "slides of these images"),
        Column(
            "n_boxes", "integer", "boxes of the expert, or accepted ones of the detector (ignored ones aside)"
        ),
        Column("n_truth", "integer", "boxes of the reference (ignored ones aside)"),
        Column("n_right", "integer", "boxes that agree with one of the reference at the stated IoU"),
        *(
            Column(f"{name}{end}", "number", meaning)
            for name, whole in (
                ("precision", "share of the boxes that are right"),
                ("recall", "share of the boxes of the reference that were found"),
                ("f1", "harmonic mean of precision and recall"),
            )
            for end, meaning in (
                ("", whole),
                ("_low", "lower end of its interval over slides"),
                ("_high", "upper end of its interval over slides"),
            )
        ),
    ),
)

PEOPLE_CURVES = Table(
    "people_curves",
    "precision-recall curves of detectors on the images of the experts, one row a point",
    (
        Column("model", "string", "model, as in models.yaml"),
        Column("seed", "integer", "seed of the run; 0 where it fuses the runs of all seeds"),
        Column("round", "string", "round of the experts of the reference", optional=True),
        Column("species", "string", "species code"),
        Column("recall", "number", "recall of the detections at or above the score"),
        Column("precision", "number", "their precision"),
        Column("score", "number", "score"),
    ),
)
