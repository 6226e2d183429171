"""All pairs of images of a study that show the same: what, how surely, and how one lies on the other."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from podura import tables
from podura.leakage.candidates import Hints, candidate_pairs
from podura.leakage.features import Features, local_features
from podura.leakage.geometry import Agreement, agreement, enough_blocks, matched, whole_frame
from podura.leakage.parallel import Progress, in_order
from podura.leakage.signatures import Embed, NamedImage, Signature, digests, signatures
from podura.leakage.thumbnails import Thumbnail, read_thumbnail
from podura.slides.reading import read_image

#: An image of which this share is shown by another lies within it.
WITHIN = 0.95
# Features of an image in the closer look.
_FEATURES = 500
# Up to so many images with equal files, all their pairs are told; of more, the first with each other.
_ALL_PAIRS = 40
# Images of more pixels are not compared pixel by pixel.
_PIXELS_COMPARED = 100_000_000
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class SearchSettings:
    """When two images show the same.

    ``correlation`` is the least agreement of the overlap, ``overlap`` the least share of the smaller
    image that the other one shows, ``candidates`` the number of others that are looked at for an image.
    """

    correlation: float
    overlap: float
    candidates: int


def similar_images(
    images: Sequence[NamedImage],
    settings: SearchSettings,
    *,
    embed: Embed | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the pairs of images that show the same.

    Returns ``tables.SIMILAR_IMAGES``, one row a pair (the kinds are described there), and
    ``tables.EXAMINED_IMAGES``, one row an image, with a message for those that could not be read. Both
    depend on the files and the settings only, not on the order of images or the number of threads.
    """
    images = sorted(images, key=lambda one: one.image)
    files = digests(images, threads, progress)
    groups: dict[str, list[int]] = {}
    for number, digest in enumerate(files):
        # A file that cannot be read is equal to no other.
        groups.setdefault(digest or f"{number}", []).append(number)
    members = list(groups.values())
    distinct = [images[group[0]] for group in members]
    found = signatures(distinct, embed=embed, threads=threads, progress=progress)
    good = [number for number, one in enumerate(found) if isinstance(one, Signature)]
    pairs = candidate_pairs([one for one in found if isinstance(one, Signature)], settings.candidates)
    rows = [row for group in members for row in _equal_files([images[n].image for n in group])]
    look = _CloserLook([distinct[number] for number in good], settings)
    verified = in_order(look, list(pairs.items()), threads, "pairs", progress)
    for (first, second), row in zip(pairs, verified, strict=True):
        if row is not None:
            names = [[images[n].image for n in members[good[place]]] for place in (first, second)]
            rows += _among_copies(row, *names)
    messages = {images[n].image: one for one, group in zip(found, members, strict=True) for n in group}
    examined = [
        {
            "image": image.image,
            "sha256": digest,
            "message": messages[image.image] if isinstance(messages[image.image], str) else None,
        }
        for image, digest in zip(images, files, strict=True)
    ]
    frame = tables.SIMILAR_IMAGES.frame(rows)
    frame = frame.sort_values(["image_1", "image_2"], ignore_index=True)
    return frame, tables.EXAMINED_IMAGES.frame(examined)


def _row(kind: str, matrix: Sequence[float] = _IDENTITY, **found: Any) -> dict[str, Any]:
    names = ("m11", "m12", "m13", "m21", "m22", "m23")
    exact = {"correlation": 1.0, "share_1": 1.0, "share_2": 1.0, "inliers": None}
    return {"kind": kind, **exact, **dict(zip(names, map(float, matrix), strict=True)), **found}


def _equal_files(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for first, second in _told(names):
        yield {"image_1": first, "image_2": second, **_row("same_file")}


def _told(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Pairs of equals. If they lie in two parts, some pair that is told does: the first is in all."""
    if len(names) <= _ALL_PAIRS:
        return itertools.combinations(names, 2)
    return ((names[0], other) for other in names[1:])


def _among_copies(
    row: dict[str, Any], first: Sequence[str], second: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The row for every copy of either image; for very many copies, of the first of each."""
    if len(first) * len(second) > _ALL_PAIRS**2:
        first, second = first[:1], second[:1]
    for a, b in itertools.product(first, second):
        yield {"image_1": a, "image_2": b, **row} if a < b else {"image_1": b, "image_2": a, **_turned(row)}


def _turned(row: dict[str, Any]) -> dict[str, Any]:
    """The row with the two images exchanged."""
    values = [row[name] for name in ("m11", "m12", "m13", "m21", "m22", "m23")]
    inverse = np.linalg.inv(np.array([*values, 0.0, 0.0, 1.0]).reshape(3, 3))[:2].reshape(-1)
    shares = {"share_1": row["share_2"], "share_2": row["share_1"]}
    return {**row, **_row(row["kind"], inverse.tolist()), **shares, **_measured(row)}


def _measured(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("correlation", "inliers")}


class _CloserLook:
    """Reads both images of a pair again and says whether they show the same."""

    def __init__(self, images: Sequence[NamedImage], settings: SearchSettings) -> None:
        self.images = images
        self.settings = settings
        # Pairs come in order, so that the first image stays the same for a while.
        self._thumbnail = functools.lru_cache(maxsize=256)(self._read)
        self._features = functools.lru_cache(maxsize=256)(self._described)

    def __call__(self, pair: tuple[tuple[int, int], Hints]) -> dict[str, Any] | None:
        """The row of a pair, without names; None where it does not hold."""
        (first, second), hints = pair
        a, b = self._thumbnail(first), self._thumbnail(second)
        best: Agreement | None = None
        for mirrored, turns in sorted(hints):
            found = agreement(a, b, whole_frame(a, b, mirrored, turns), 0)
            best = _better(best, found)
        if best is None or not self._holds(best):
            laid = matched(self._features(first), self._features(second), b.size[0])
            if laid is not None:
                best = _better(best, agreement(a, b, *laid))
        if best is None or not self._holds(best):
            return None
        kind = self._kind(first, second, best)
        return _row(
            kind,
            best.matrix[:2].reshape(-1).tolist(),
            correlation=best.correlation,
            share_1=best.shares[0],
            share_2=best.shares[1],
            inliers=best.inliers or None,
        )

    def _holds(self, found: Agreement) -> bool:
        return (
            found.correlation >= self.settings.correlation
            and max(found.shares) >= self.settings.overlap
            and enough_blocks(found)
        )

    def _kind(self, first: int, second: int, found: Agreement) -> str:
        if min(found.shares) >= WITHIN:
            return "same_pixels" if self._equal_pixels(first, second, found) else "near_equal"
        return "crop" if max(found.shares) >= WITHIN else "overlap"

    def _equal_pixels(self, first: int, second: int, found: Agreement) -> bool:
        sizes = {self._thumbnail(number).full_size for number in (first, second)}
        if len(sizes) != 1 or not np.allclose(found.matrix, np.eye(3), atol=0.5):
            return False
        if np.prod(sizes.pop()) > _PIXELS_COMPARED:
            return False
        return np.array_equal(read_image(self.images[first].path), read_image(self.images[second].path))

    def _read(self, number: int) -> Thumbnail:
        return read_thumbnail(self.images[number].path)

    def _described(self, number: int) -> Features:
        return local_features(self._thumbnail(number).grey, _FEATURES)


def _better(one: Agreement | None, other: Agreement | None) -> Agreement | None:
    if one is None or (other is not None and other.correlation > one.correlation):
        return other
    return one
