"""The sizes of the study's images, for formats whose coordinates are shares of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from podura.annotations.matching import image_finder
from podura.annotations.raw import SizeOf
from podura.slides.entries import ImageEntry
from podura.slides.reading import TooLargeError, UnreadableImageError, image_size


def sizes_of_images(entries: Sequence[ImageEntry]) -> SizeOf:
    """A function from the file names of an annotated image to its width and height in pixels.

    Images are found by the rules by which they are matched later. None for a name that fits no image
    of the study or several, and for an image that cannot be read: both are told of when matching and
    importing. Each image is opened once at most.
    """
    paths = {entry.image: entry.path for entry in entries}

    @cache
    def finder() -> Callable[[tuple[str, ...]], str | None]:
        return image_finder(list(paths))

    @cache
    def size(image: str) -> tuple[int, int] | None:
        try:
            return image_size(paths[image])
        except (UnreadableImageError, TooLargeError):
            return None

    def size_of(file_names: tuple[str, ...]) -> tuple[int, int] | None:
        image = finder()(file_names)
        return None if image is None else size(image)

    return size_of
