"""Tables of the review of a survey: what is to be checked, and what people decided."""

from __future__ import annotations

from podura.tables.table import Column, Table

REVIEW_QUEUE = Table(
    "review_queue",
    "one row a detection or a whole image to be checked, what a check is worth most first",
    (
        Column("position", "integer", "place in the queue, from 1"),
        Column("kind", "string", "detection, or image for a whole image that is searched for missed animals"),
        Column("detection", "string", "detection, as in detections.csv; none for an image", optional=True),
        Column("image", "string", "image"),
        Column("sample", "string", "sample of the image", optional=True),
        Column("species", "string", "species that the detector gave", optional=True),
        Column("score", "number", "score of the detection", optional=True),
        Column(
            "reason",
            "string",
            "why it is here: random (detections drawn at random), image (images drawn at random), uncertain "
            "or rare",
        ),
        Column(
            "probability",
            "number",
            "chance with which it came into the random part; none for uncertain and rare ones",
            optional=True,
        ),
    ),
)

REVIEW_DECISIONS = Table(
    "review_decisions",
    "one row a decision of a person on a detection, an added animal or a whole image",
    (
        Column("detection", "string", "detection; none for an added animal and for an image", optional=True),
        Column("image", "string", "image"),
        Column("sample", "string", "sample of the image", optional=True),
        Column(
            "action",
            "string",
            "accept (the species is right), species (it is another one), reject (no animal of the list), add "
            "(an animal that was missed), unsure, or image_done (the whole image was searched)",
        ),
        Column("species", "string", "species after the decision, where it has one", optional=True),
        Column("x_min", "number", "left edge of the box", "px", optional=True),
        Column("y_min", "number", "upper edge of the box", "px", optional=True),
        Column("x_max", "number", "right edge of the box", "px", optional=True),
        Column("y_max", "number", "lower edge of the box", "px", optional=True),
        Column("reviewer", "string", "who decided"),
        Column("decided_at", "string", "when, in UTC as YYYY-MM-DDThh:mm:ssZ", optional=True),
        Column(
            "drawn",
            "string",
            "random: the detection or image belongs to the random part of the queue; targeted: it does not",
        ),
        Column("superseded", "boolean", "whether a later decision takes its place"),
        Column("source", "string", "file that the decision comes from"),
    ),
)

REVIEW_PROBLEMS = Table(
    "review_problems",
    "one row a decision that could not be used, or that contradicts another one",
    (
        Column("source", "string", "file that the decision comes from"),
        Column(
            "kind",
            "string",
            "conflict (people decided differently; the later one counts), gone (there is no such detection "
            "any more, or the image was searched beside boxes that are not there any more), no_image (the "
            "survey has no such image), unknown_species, bad_box or not_finished (the image was not marked "
            "as done, so nothing follows from what is absent)",
        ),
        Column("image", "string", "image", optional=True),
        Column("detection", "string", "detection", optional=True),
        Column("message", "string", "what is the matter, in words"),
    ),
)

REVIEW_PICTURES = Table(
    "review_pictures",
    "one row a picture of the review page",
    (
        Column("image", "string", "image that it shows"),
        Column("detection", "string", "detection that it shows; none for a view of an image", optional=True),
        Column("view", "integer", "number of the view of the image, from 0"),
        Column("file", "string", "file, relative to the folder of pictures"),
        Column("x", "integer", "left edge in the image", "px"),
        Column("y", "integer", "upper edge in the image", "px"),
        Column("width", "integer", "width in the image", "px"),
        Column("height", "integer", "height in the image", "px"),
        Column("fault", "string", "why it could not be made", optional=True),
    ),
)

TRAINING_LEFT_OUT = Table(
    "training_left_out",
    "one row an image of the survey that is not among the training data",
    (
        Column("image", "string", "image, as in images.csv of the survey"),
        Column("reason", "string", "why it is left out, in words"),
    ),
)

PUBLIC_REVIEW_TABLES = (REVIEW_QUEUE, REVIEW_DECISIONS, REVIEW_PROBLEMS)

#: Actions of ``REVIEW_DECISIONS``; those of the first line concern a detection.
DETECTION_ACTIONS = ("accept", "species", "reject", "unsure")
ACTIONS = (*DETECTION_ACTIONS, "add", "image_done")
