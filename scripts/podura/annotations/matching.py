"""Which annotated image is which image of the study."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from podura.annotations.raw import AnnotatedImage
from podura.errors import UserErrors
from podura.slides.entries import ImageEntry
from podura.slides.formats import without_image_suffix


def _whole(name: str) -> str:
    if (
        name.isascii()
        and not any(mark in name for mark in ("\\", "//", "./"))
        and name[-1:] not in ("/", ".")
    ):
        return name  # as most names are
    return str(PurePosixPath(unicodedata.normalize("NFC", name).replace("\\", "/")))


def _without_suffix(name: str) -> str:
    return without_image_suffix(_whole(name))


def _base(name: str) -> str:
    return posixpath.basename(_whole(name))


def _stem(name: str) -> str:
    return posixpath.basename(_without_suffix(name))


#: Ways to compare an annotation's file name (left) with a study image's name (right), surest first.
_WAYS: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    (_whole, _whole),
    (_whole, _without_suffix),
    (_without_suffix, _without_suffix),
    (_base, _base),
    (_base, _stem),
    (_stem, _stem),
)


#: Which of the annotation's names fitted, and by which way; the lower the surer.
_Sureness = tuple[int, int]
_UNSURE: _Sureness = (99, 99)


@dataclass(frozen=True)
class Matching:
    """``of_image``: the annotations of each study image by name; ``unmatched``: those of none.

    ``again`` holds further annotations of an image that fit it equally well.
    """

    of_image: dict[str, AnnotatedImage]
    unmatched: list[AnnotatedImage]
    again: dict[str, list[AnnotatedImage]]


def match_images(entries: Sequence[ImageEntry], annotated: Sequence[AnnotatedImage]) -> Matching:
    """Match by relative path, else by path without suffix, else by base name with or without suffix.

    Of several annotated images that fit one study image the surest fit wins and the others fit none; of
    equally sure ones the first. Raises UserErrors where a name fits several images.
    """
    names = [entry.image for entry in entries]
    indices = [_index(names, of_image) for _, of_image in _WAYS]
    faults: list[str] = []
    candidates: dict[str, list[tuple[_Sureness, AnnotatedImage]]] = defaultdict(list)
    unmatched: list[AnnotatedImage] = []
    for image in annotated:
        sureness, found = _find(image, indices)
        if len(found) == 1:
            candidates[found[0]].append((sureness, image))
        elif found:
            faults.append(
                f"{image.where}: the name '{image.file_names[0]}' fits several images: "
                f"{', '.join(found[:4])}{', …' if len(found) > 4 else ''}. Write its folder too, as in "
                "the table of images."
            )
        else:
            unmatched.append(image)
    of_image: dict[str, AnnotatedImage] = {}
    again: dict[str, list[AnnotatedImage]] = {}
    for name, fits in candidates.items():
        surest = min(way for way, _ in fits)
        best = [image for way, image in fits if way == surest]
        if len(best) > 1:
            again[name] = best[1:]
        of_image[name] = best[0]
        unmatched += [image for way, image in fits if way != surest]
    if faults:
        raise UserErrors(faults)
    return Matching(of_image, unmatched, again)


def image_finder(names: Sequence[str]) -> Callable[[tuple[str, ...]], str | None]:
    """A function that finds the one study image that file names mean, by the rules of match_images."""
    indices = [_index(names, of_image) for _, of_image in _WAYS]

    def find(file_names: tuple[str, ...]) -> str | None:
        _, found = _find(AnnotatedImage(file_names, "", None, None, ()), indices)
        return found[0] if len(found) == 1 else None

    return find


def _index(names: Sequence[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    index: dict[str, list[str]] = defaultdict(list)
    for name in names:
        index[key(name)].append(name)
    return index


def _find(image: AnnotatedImage, indices: Sequence[dict[str, list[str]]]) -> tuple[_Sureness, list[str]]:
    """The study image that the first fitting name means; several where no name decides; or none."""
    several: list[str] = []
    for rank, name in enumerate(image.file_names):
        for way, (of_annotation, _) in enumerate(_WAYS):
            found = indices[way].get(of_annotation(name), [])
            if several:
                # A further name may only decide between those that the first one fits.
                found = [study_image for study_image in found if study_image in several]
            if len(found) == 1:
                return (rank, way), found
            if found:
                several = found
                break
    return _UNSURE, several
