"""Which files are images: the one list of suffixes, and names without them."""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath

#: Suffixes of the files that are taken from a folder of images. All of them are read; what a file
#: really is, its first bytes tell, not its suffix (MRXS apart, which looks like a JPEG from within).
IMAGE_SUFFIXES = (
    ".jpg",
    ".jpeg",
    ".jpe",
    ".png",
    ".bmp",
    ".webp",
    ".tif",
    ".tiff",
    ".tf8",
    ".btf",
    ".svs",
    ".ndpi",
    ".mrxs",
)
#: Suffixes that an annotation may name its image by, although the study has it in another format.
NAMED_SUFFIXES = (*IMAGE_SUFFIXES, ".gif", ".jp2")
#: Endings of the names of painted images.
PAINTED_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")

_INNER_SUFFIX = ".ome"


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken from a folder of images."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def without_image_suffix(name: str) -> str:
    """A name or path with / without the suffix of an image, or of OME-TIFF both: a.ome.tif is a."""
    # Only known suffixes: "slide.01" is a whole name.
    for suffixes in (NAMED_SUFFIXES, (_INNER_SUFFIX,)):
        root, suffix = posixpath.splitext(name)
        name = root if suffix.lower() in suffixes else name
    return name
