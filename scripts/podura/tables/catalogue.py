"""The columns, types and units of every table that Podura reads or writes."""

from __future__ import annotations

from podura.tables.benchmark import BENCHMARK_FOLDS, BENCHMARK_MODELS, BENCHMARK_SPECIES
from podura.tables.comparisons import BENCHMARK_COMPARISONS, BENCHMARK_RANKS
from podura.tables.costs import BENCHMARK_COSTS
from podura.tables.counts import PUBLIC_COUNT_TABLES
from podura.tables.diagnosis import BENCHMARK_SUSPECTS, DIAGNOSES
from podura.tables.pairs import LEAKAGE
from podura.tables.people import BENCHMARK_PEOPLE
from podura.tables.review import PUBLIC_REVIEW_TABLES
from podura.tables.studies import COMPARED_STUDIES
from podura.tables.survey import PUBLIC_SURVEY_TABLES
from podura.tables.table import Column, Table
from podura.tables.trials import TRIALS

BOX_COLUMNS = ("x_min", "y_min", "x_max", "y_max")
PARTS = ("train", "validation", "calibration", "test")
#: COCO's ten overlaps, as whole percents so that they can name columns.
IOU_PERCENTS = (50, 55, 60, 65, 70, 75, 80, 85, 90, 95)


def _boxes(what: str) -> tuple[Column, ...]:
    sides = {
        "x_min": "left",
        "y_min": "upper",
        "x_max": "right",
        "y_max": "lower",
    }
    return tuple(Column(name, "number", f"{side} edge of the {what}", "px") for name, side in sides.items())


IMAGES = Table(
    "images",
    "one row an image of the study",
    (
        Column("image", "string", "path of the image file, relative to this table"),
        Column("slide", "string", "name of the slide that the image shows"),
        Column("sample", "string", "name of the soil sample", optional=True),
        Column("site", "string", "name of the site", optional=True),
        Column("date", "string", "date of sampling, as YYYY-MM-DD", optional=True),
        Column("um_per_pixel", "number", "size of a pixel", "µm", optional=True),
        Column(
            "part",
            "string",
            "a fixed part: train, validation, calibration or test",
            optional=True,
        ),
    ),
)

SPECIES = Table(
    "species",
    "one row a species",
    (
        Column("code", "string", "short code used in tables and file names"),
        Column("name", "string", "scientific name"),
        Column("authority", "string", "author and year of the name", optional=True),
        Column("family", "string", "family", optional=True),
        Column(
            "aliases",
            "string",
            "other names found in annotations, separated by |",
            optional=True,
        ),
    ),
)

PROBLEMS = Table(
    "problems",
    "one row a fault found while importing",
    (
        Column("image", "string", "image concerned, as in images.tsv", optional=True),
        Column("row", "string", "where in the annotation file (row, object or id)", optional=True),
        Column("kind", "string", "kind of fault"),
        Column("severity", "string", "error, warning or note"),
        Column(
            "treatment",
            "string",
            "what was done: fixed, ignored, dropped or kept; refused if the run stopped",
        ),
        Column("value", "string", "the offending value", optional=True),
        Column("message", "string", "the fault in words"),
    ),
)

SPLIT = Table(
    "split",
    "one row an image (with folds, one a fold): the part that its slide plays",
    (
        Column("image", "string", "image, as in images.tsv"),
        Column("slide", "string", "slide"),
        Column("part", "string", "train, validation, calibration or test"),
        Column("fold", "integer", "fold, 0 where there are no folds"),
    ),
)

SPLIT_REPORT = Table(
    "split_report",
    "one row a fold × part × species: what the split gave to the part",
    (
        Column("fold", "integer", "fold, 0 where there are no folds"),
        Column("part", "string", "train, validation, calibration or test"),
        Column("species", "string", "species code"),
        Column("n_slides", "integer", "slides of the part with this species"),
        Column("n_images", "integer", "images of the part with this species"),
        Column("n_truth", "integer", "specimens (ignored ones aside)"),
        Column("share", "number", "share of the species' specimens; missing where the study has none"),
        Column("fraction", "number", "the share that was asked for"),
        Column("message", "string", "set where the species is absent from the part", optional=True),
    ),
)

SLIDE_COUNTS = Table(
    "slide_counts",
    "one row a slide × species, zeros included",
    (
        Column("slide", "string", "slide"),
        Column("sample", "string", "sample of the slide", optional=True),
        Column("site", "string", "site of the slide", optional=True),
        Column(
            "part",
            "string",
            "part that the slide plays; with folds one for each fold, separated by |",
            optional=True,
        ),
        Column("n_images_all", "integer", "images of the slide"),
        Column("species", "string", "species code"),
        Column("n_images", "integer", "images of the slide with this species"),
        Column("n_truth", "integer", "specimens (ignored ones aside)"),
        Column("n_ignored", "integer", "ignored specimens"),
    ),
)

SITE_COUNTS = Table(
    "site_counts",
    "one row a site × species, zeros included; no row where no site is told",
    (
        Column("site", "string", "site; empty for images without one", optional=True),
        Column("n_slides_all", "integer", "slides of the site"),
        Column("n_images_all", "integer", "images of the site"),
        Column("species", "string", "species code"),
        Column("n_slides", "integer", "slides of the site with this species"),
        Column("n_images", "integer", "images of the site with this species"),
        Column("n_truth", "integer", "specimens (ignored ones aside)"),
        Column("n_ignored", "integer", "ignored specimens"),
    ),
)

SIZES = Table(
    "sizes",
    "one row a species × measure × unit: how large the boxes are (ignored ones aside)",
    (
        Column("species", "string", "species code"),
        Column("measure", "string", "width, height or longer_side of the box"),
        Column(
            "unit",
            "string",
            "px, µm (where um_per_pixel is known), or share of the longer side of the image",
        ),
        Column("n", "integer", "specimens whose size is known in this unit"),
        Column("min", "number", "smallest; missing, as the following, where n is 0"),
        Column("q05", "number", "5 % are smaller"),
        Column("q25", "number", "a quarter is smaller"),
        Column("median", "number", "half are smaller"),
        Column("q75", "number", "three quarters are smaller"),
        Column("q95", "number", "95 % are smaller"),
        Column("max", "number", "largest"),
    ),
)

PICTURES = Table(
    "pictures",
    "one row an image of the study: the picture that shows its boxes",
    (
        Column("image", "string", "image, as in images.tsv"),
        Column("file", "string", "name of the picture, and of its thumbnail in the folder thumbnails"),
        Column("width", "integer", "width of the picture", "px"),
        Column("height", "integer", "height of the picture", "px"),
        Column("thumbnail_width", "integer", "width of the thumbnail", "px"),
        Column("thumbnail_height", "integer", "height of the thumbnail", "px"),
        Column("n_unlabelled", "integer", "boxes without a label, for want of room"),
        Column("fault", "string", "why the image could not be shown", optional=True),
    ),
)

PART_IMAGES = Table(
    "part_images",
    "the images of one part: all that a detection job is told",
    (
        Column("image", "string", "image, as in images.tsv"),
        Column("path", "string", "where the file lies"),
        Column("slide", "string", "slide"),
        Column("width", "integer", "width after EXIF orientation", "px"),
        Column("height", "integer", "height after EXIF orientation", "px"),
    ),
)

HISTORY = Table(
    "history",
    "one row an epoch of training",
    (
        Column("epoch", "integer", "epoch, from 1"),
        Column("step", "integer", "optimiser steps done"),
        Column("images_seen", "integer", "images that these steps counted, by which trainings are compared"),
        Column("loss", "number", "mean loss of the epoch", optional=True),
        Column("loss_parts", "string", "mean of each part of the loss, as name=value, separated by ;"),
        Column("learning_rate", "number", "learning rate at the end of the epoch"),
        Column("micro_batch", "integer", "images that passed at once; the gradients of a step are added up"),
        Column("validation_map50", "number", "mAP at IoU 0.5 on validation, averaged weights", optional=True),
        Column(
            "validation_map50_95",
            "number",
            "mAP at IoU 0.50:0.95 on validation, averaged weights",
            optional=True,
        ),
        Column("kept", "boolean", "whether this epoch's weights are the best so far"),
        Column("seconds", "number", "time of the epoch without validation", "s"),
        Column("validation_seconds", "number", "time of the validation", "s"),
        Column("images_per_second", "number", "training speed", "1/s"),
        Column("peak_memory_mb", "number", "peak resident memory so far, with the loader processes", "MB"),
        Column("peak_gpu_memory_mb", "number", "peak memory on the GPU so far", "MB", optional=True),
    ),
)

DETECTIONS = Table(
    "detections",
    "one row a detection, at or above the score floor",
    (
        Column("image", "string", "image, as in images.tsv"),
        Column("slide", "string", "slide"),
        Column("species", "string", "species code"),
        Column("score", "number", "confidence of the detector, 0 to 1"),
        *_boxes("box"),
    ),
)

MATCHES = Table(
    "matches",
    "detections and truths of one part after matching, one row each",
    (
        Column("kind", "string", "detection or truth"),
        Column("image", "string", "image, as in images.tsv"),
        Column("slide", "string", "slide"),
        Column("species", "string", "species code"),
        Column("score", "number", "score of a detection; missing for a truth"),
        *_boxes("box"),
        Column("truth", "integer", "annotation id of a truth; missing for a detection"),
        Column("ignore", "boolean", "a truth that is to be ignored (crowd, difficult, truncated)"),
        *(
            Column(
                f"match_{percent}",
                "integer",
                f"at IoU {percent / 100:.2f}: for a detection the id of the truth that it took, "
                "for a truth 1 if it was found; 0 if none",
            )
            for percent in IOU_PERCENTS
        ),
        *(
            Column(
                f"ignored_{percent}",
                "boolean",
                f"at IoU {percent / 100:.2f}: counts neither as right nor as wrong",
            )
            for percent in IOU_PERCENTS
        ),
    ),
)

#: The tables that people read and write: config/README.md documents each column (a test checks it).
PUBLIC_TABLES: tuple[Table, ...] = (
    IMAGES,
    SPECIES,
    PROBLEMS,
    SPLIT,
    SPLIT_REPORT,
    SLIDE_COUNTS,
    SITE_COUNTS,
    SIZES,
    LEAKAGE,
    TRIALS,
    HISTORY,
    BENCHMARK_SPECIES,
    BENCHMARK_FOLDS,
    BENCHMARK_MODELS,
    BENCHMARK_COMPARISONS,
    BENCHMARK_RANKS,
    BENCHMARK_COSTS,
    COMPARED_STUDIES,
    *DIAGNOSES.values(),
    BENCHMARK_SUSPECTS,
    BENCHMARK_PEOPLE,
    *PUBLIC_SURVEY_TABLES,
    *PUBLIC_COUNT_TABLES,
    *PUBLIC_REVIEW_TABLES,
)
