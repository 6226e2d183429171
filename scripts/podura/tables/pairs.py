"""Tables of images that show the same."""

from __future__ import annotations

from podura.tables.table import Column, Table

SIMILAR_IMAGES = Table(
    "similar_images",
    "one row a pair of images that show the same, image_1 before image_2 by name",
    (
        Column("image_1", "string", "first image, as in images.tsv"),
        Column("image_2", "string", "second image"),
        Column(
            "kind",
            "string",
            "same_file (equal bytes), same_pixels (equal once read), near_equal (the whole image: turned, "
            "mirrored, rescaled, compressed again, brighter), crop (one lies within the other) or overlap",
        ),
        Column("correlation", "number", "mean normalised correlation where both show the same"),
        Column("share_1", "number", "share of the first image that the second shows"),
        Column("share_2", "number", "share of the second image that the first shows"),
        Column("inliers", "integer", "matching features; missing where none were needed"),
        *(
            Column(f"m{row}{column}", "number", "affine map from the second image to the first", "px")
            for row in (1, 2)
            for column in (1, 2, 3)
        ),
    ),
)

EXAMINED_IMAGES = Table(
    "examined_images",
    "one row an image that was compared with all others",
    (
        Column("image", "string", "image, as in images.tsv"),
        Column("sha256", "string", "digest of the file; missing where it cannot be read"),
        Column("message", "string", "why the image could not be compared", optional=True),
    ),
)

LEAKAGE = Table(
    "leakage",
    "one row a pair of images, or of slides, that show the same",
    (
        Column("severity", "string", "leak (two parts share what is shown) or within part"),
        Column(
            "kind",
            "string",
            "same_file, same_pixels, near_equal, crop, overlap, slide_name or same_slide",
        ),
        Column("image_1", "string", "first image, as in images.tsv; of slides their first image"),
        Column("slide_1", "string", "its slide"),
        Column("part_1", "string", "its part; where folds differ, that of the first fold in which it leaks"),
        Column("image_2", "string", "second image"),
        Column("slide_2", "string", "its slide"),
        Column("part_2", "string", "its part, in the same fold"),
        Column("folds", "string", "folds in which the pair leaks, separated by spaces", optional=True),
        Column(
            "score", "number", "how well the shared place agrees: correlation, 1 for equal", optional=True
        ),
        Column("overlap", "number", "share of the smaller image that the other one shows", optional=True),
        Column("message", "string", "what was found, in words"),
        Column("picture", "string", "picture of the pair, relative to the folder dataset", optional=True),
    ),
)
