"""Tables of releases and surveys: what a released detector is known by, and what it found on new images."""

from __future__ import annotations

from podura.tables.table import Column, Table

_SIDES = {"x_min": "left", "y_min": "upper", "x_max": "right", "y_max": "lower"}
_BOX = tuple(Column(name, "number", f"{side} edge of the box", "px") for name, side in _SIDES.items())

_PLACE = (
    Column("site", "string", "name of the site", optional=True),
    Column("date", "string", "date of sampling, as YYYY-MM-DD", optional=True),
    Column("latitude", "number", "latitude of the site, WGS 84, north positive", "°", optional=True),
    Column("longitude", "number", "longitude of the site, WGS 84, east positive", "°", optional=True),
    Column("area_cm2", "number", "area of soil that the sample stands for", "cm²", optional=True),
    Column("volume_cm3", "number", "volume of soil of the sample", "cm³", optional=True),
    Column("mass_g", "number", "mass of soil of the sample", "g", optional=True),
)
#: What is known of a sample beside its images, as a user may tell it.
SAMPLE_FACTS = tuple(column.name for column in _PLACE)

SURVEY_IMAGES_GIVEN = Table(
    "survey_images_given",
    "one row an image of the survey",
    (
        Column("image", "string", "path of the image file, relative to this table"),
        Column("slide", "string", "name of the slide that the image shows", optional=True),
        Column("sample", "string", "name of the soil sample", optional=True),
        Column("um_per_pixel", "number", "size of a pixel", "µm", optional=True),
        *_PLACE,
    ),
)

SURVEY_SAMPLES_GIVEN = Table(
    "survey_samples_given",
    "one row a sample of the survey",
    (Column("sample", "string", "name of the soil sample"), *_PLACE),
)

SURVEY_SAMPLES = Table(
    "survey_samples",
    "one row a sample, those without any animal and without any image included",
    (
        Column("sample", "string", "name of the soil sample"),
        *_PLACE,
        Column("n_images", "integer", "images of the sample"),
        Column("n_failed", "integer", "images of it that could not be read; nothing is known of them"),
        Column("complete", "boolean", "whether it has images, all were read, and none reached the cap"),
    ),
)

SURVEY_IMAGES = Table(
    "survey_images",
    "one row an image of the survey, also of those that could not be read",
    (
        Column("image", "string", "image, as in the survey's table, or its path below the survey's folder"),
        Column("path", "string", "where the file lies"),
        Column("slide", "string", "slide"),
        Column("sample", "string", "sample"),
        Column("status", "string", "ok or failed"),
        Column(
            "reason",
            "string",
            "why the image could not be read; of one that is ok, which file it repeats",
            optional=True,
        ),
        Column("width", "integer", "width after EXIF orientation", "px", optional=True),
        Column("height", "integer", "height after EXIF orientation", "px", optional=True),
        Column("um_per_pixel", "number", "size of a pixel", "µm", optional=True),
        Column("n_detections", "integer", "detections at or above the floor; missing for a failed image"),
        Column("capped", "boolean", "whether the cap on detections was reached: animals may be missing"),
    ),
)

SURVEY_DETECTIONS = Table(
    "survey_detections",
    "one row a detection of the survey, at or above the score floor",
    (
        Column("detection", "string", "name of the detection: digest of its image, species and box"),
        Column("image", "string", "image, as in images.csv of the survey"),
        Column("slide", "string", "slide"),
        Column("sample", "string", "sample"),
        Column("species", "string", "species code"),
        Column("score", "number", "confidence of the detector, 0 to 1"),
        *_BOX,
        Column("threshold", "number", "certified threshold of the species", optional=True),
        Column("threshold_status", "string", "certified, needs_more or failed"),
        Column("accepted", "boolean", "whether the score reaches a certified threshold"),
    ),
)

SURVEY_DRIFT = Table(
    "survey_drift",
    "one row a sample × measure: is the sample like the calibration slides?",
    (
        Column("sample", "string", "sample; empty for the survey as a whole", optional=True),
        Column("measure", "string", "what was compared"),
        Column("value", "number", "its value for the sample; missing where nothing can be said"),
        Column("reference_low", "number", "least value that slides like the calibration slides have"),
        Column("reference_high", "number", "greatest such value"),
        Column("p_value", "number", "chance of a value so far out for a sample like the calibration slides"),
        Column("unlike", "boolean", "whether the sample is flagged for it"),
        Column("sentence", "string", "what that means, in words"),
    ),
)

RELEASE_THRESHOLDS = Table(
    "release_thresholds",
    "one row a species of a release: its threshold and the evidence for it",
    (
        Column("species", "string", "species code"),
        Column("threshold", "number", "certified threshold; missing where there is none"),
        Column("threshold_status", "string", "certified, needs_more or failed"),
        Column(
            "threshold_empirical",
            "number",
            "lowest score that keeps the target precision on calibration",
        ),
        Column("target_precision", "number", "precision that is aimed at"),
        Column("delta", "number", "allowed chance that a certified threshold does not keep it"),
        Column("calibration_n", "integer", "detections behind the certificate"),
        Column("calibration_errors", "integer", "wrong ones among them"),
        Column("calibration_slides", "integer", "slides that they are on"),
        Column("precision_lower", "number", "proven lower bound of the precision"),
        Column("design_effect", "number", "how much more slides differ than chance alone makes them"),
        Column("needed_detections", "integer", "about how many more would be needed"),
        Column("needed_slides", "integer", "about how many more calibration slides would be needed"),
    ),
)

_EVIDENCE = (
    Column("part", "string", "part of the split"),
    Column("image", "string", "image of the study"),
    Column("slide", "string", "slide"),
    Column("sample", "string", "sample", optional=True),
    Column("site", "string", "site", optional=True),
)

EVIDENCE_DETECTIONS = Table(
    "evidence_detections",
    "one row a detection on validation and calibration; not those on ignored animals",
    (
        *_EVIDENCE,
        Column("species", "string", "species that was detected"),
        Column("score", "number", "confidence of the detector, 0 to 1"),
        *_BOX,
        Column("truth_species", "string", "species of the animal that it takes; missing for background"),
    ),
)

EVIDENCE_TRUTHS = Table(
    "evidence_truths",
    "one row an annotated animal of validation and calibration, ignored ones aside",
    (
        *_EVIDENCE,
        Column("species", "string", "species of the animal"),
        Column("found_species", "string", "species of the detection that takes it; missing where none does"),
        Column("found_score", "number", "score of that detection"),
        *_BOX,
    ),
)

#: Of an image as a whole; the drift check compares them.
IMAGE_STATISTICS = (
    Column("brightness", "number", "median brightness, 0 to 1"),
    Column("contrast", "number", "spread of brightness: its 95th less its 5th percentile"),
    Column("red_green", "number", "mean of red less green, as a share of full scale"),
    Column("blue_green", "number", "mean of blue less green, as a share of full scale"),
    Column("sharpness", "number", "decadic logarithm of the variance of the Laplacian"),
    Column("noise", "number", "decadic logarithm of the noise (Immerkær 1996)"),
)

EVIDENCE_IMAGES = Table(
    "evidence_images",
    "one row an image of validation and calibration, with what the drift check compares",
    (
        *_EVIDENCE,
        Column("width", "integer", "width after EXIF orientation", "px"),
        Column("height", "integer", "height after EXIF orientation", "px"),
        Column("um_per_pixel", "number", "size of a pixel", "µm", optional=True),
        *IMAGE_STATISTICS,
    ),
)

#: Numbers by which an image is compared with others as a whole (detectors.embedding, projected).
EMBEDDING = tuple(f"embedding_{place:02d}" for place in range(64))

_LOOKS = (
    *IMAGE_STATISTICS,
    *(Column(name, "number", "the image as a network sees it", optional=True) for name in EMBEDDING),
)

EVIDENCE_LOOKS = Table(
    "evidence_looks",
    "one row an image of train, validation and calibration: what surveys look like in comparison",
    (*_EVIDENCE, *_LOOKS),
)

SURVEY_LOOKS = Table(
    "survey_looks",
    "one row an image of the survey that could be read",
    (
        Column("image", "string", "image, as in images.csv of the survey"),
        Column("slide", "string", "slide"),
        Column("sample", "string", "sample"),
        *_LOOKS,
    ),
)

PAINTED_TRUTH = Table(
    "painted_truth",
    "one row a sample × species of a painted survey, zeros included",
    (
        Column("sample", "string", "sample"),
        Column("species", "string", "species code"),
        Column("n_truth", "integer", "specimens that the images of the sample show"),
    ),
)

#: Of these tables those that people read or write.
PUBLIC_SURVEY_TABLES = (
    SURVEY_IMAGES_GIVEN,
    SURVEY_SAMPLES_GIVEN,
    RELEASE_THRESHOLDS,
    EVIDENCE_IMAGES,
    SURVEY_SAMPLES,
    SURVEY_IMAGES,
    SURVEY_DRIFT,
)
