"""Detections of overlapping tiles as detections of one image: every animal once, no two animals as one.

What two tiles both see they may both report. Detections of two tiles are paired one to one, a species at a
time, by how well they agree where both tiles see; a pair is one animal. Since a detector reports an animal
once in a tile, two detections of one tile are never taken for the same, however close they lie: greedy
suppression of overlaps over the whole image merges animals that touch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podura.slides.tiling import Tile

#: IoU, within the window that two tiles share, from which on two detections are one animal.
_SAME = 0.5


@dataclass(frozen=True)
class TileDetections:
    """Detections of one tile: boxes (k, 4) in pixels of the whole image, labels (k,), scores (k,)."""

    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class Merged:
    """Detections of the image, best first, and of each whether a tile's edge cuts it (``cut``)."""

    boxes: NDArray[np.float64]
    labels: NDArray[np.int64]
    scores: NDArray[np.float64]
    cut: NDArray[np.bool_]


def merge(tiles: Sequence[Tile], found: Sequence[TileDetections], *, edge: float) -> Merged:
    """Merge the detections of an image's tiles.

    A box that comes within ``edge`` pixels of a side beyond which there is another tile is cut: the animal
    may go on there. Of an animal that several tiles report that box is kept which is not cut, else that of
    the tile to which its centre belongs, else the one with the best score: preferring scores would give
    animals near a seam a second chance of a high one. Where all are cut, the animal is larger than the
    overlap, and its box bounds them all. A detection that only a tile reports to which it does not belong
    is dropped: the tile to which it does has seen the place and found nothing.
    """
    boxes = np.concatenate([one.boxes for one in found]).reshape(-1, 4)
    labels = np.concatenate([one.labels for one in found])
    scores = np.concatenate([one.scores for one in found])
    places = np.repeat(np.arange(len(found)), [len(one.boxes) for one in found])
    owned = np.zeros(len(boxes), dtype=bool)
    cut = np.zeros(len(boxes), dtype=bool)
    for number, tile in enumerate(tiles):
        here = places == number
        owned[here] = tile.owns((boxes[here, :2] + boxes[here, 2:]) / 2)
        cut[here] = _cut(boxes[here], tile, edge)
    kept = []
    for members in _animals(tiles, boxes, labels, places):
        if len(members) == 1 and not owned[members[0]]:
            continue
        best = min(members, key=lambda i: (cut[i], not owned[i], -scores[i], i))
        if cut[best]:
            boxes[best] = [*boxes[members, :2].min(axis=0), *boxes[members, 2:].max(axis=0)]
            scores[best] = scores[members].max()
        kept.append(best)
    kept.sort(key=lambda i: (-scores[i], i))
    order = np.array(kept, dtype=np.int64)
    return Merged(boxes[order], labels[order], scores[order], cut[order])


def _cut(boxes: NDArray[np.float64], tile: Tile, edge: float) -> NDArray[np.bool_]:
    room = np.stack(
        [
            boxes[:, 0] - tile.x,
            boxes[:, 1] - tile.y,
            tile.x + tile.width - boxes[:, 2],
            tile.y + tile.height - boxes[:, 3],
        ],
        axis=1,
    )
    return np.asarray(((room <= edge) & np.array(tile.inner)).any(axis=1))


def _animals(
    tiles: Sequence[Tile],
    boxes: NDArray[np.float64],
    labels: NDArray[np.int64],
    places: NDArray[np.int64],
) -> list[list[int]]:
    """Groups of detections that show one animal, at most one a tile; best agreement is paired first."""
    group = {i: [i] for i in range(len(boxes))}
    for _, first, second in sorted(_pairs(tiles, boxes, labels, places)):
        one, other = group[first], group[second]
        if one is other or {places[i] for i in one} & {places[i] for i in other}:
            continue
        one.extend(other)
        for i in other:
            group[i] = one
    unique = {id(members): members for members in group.values()}
    return list(unique.values())


def _pairs(
    tiles: Sequence[Tile],
    boxes: NDArray[np.float64],
    labels: NDArray[np.int64],
    places: NDArray[np.int64],
) -> list[tuple[float, int, int]]:
    """Pairs of detections of different tiles that may be one animal, as (-agreement, first, second).

    Whether two agree is judged where both tiles see. In a narrow window parts of different animals may look
    the same, so that of several that agree the pair counts whose whole boxes agree as well.
    """
    found = []
    of_tile = [np.flatnonzero(places == number) for number in range(len(tiles))]
    windows = np.array([tile.box for tile in tiles], dtype=np.float64).reshape(-1, 4)
    for first in range(len(tiles)):
        low = np.maximum(windows[first, :2], windows[first + 1 :, :2])
        high = np.minimum(windows[first, 2:], windows[first + 1 :, 2:])
        for second in first + 1 + np.flatnonzero((low < high).all(axis=1)):
            limits = np.concatenate([low[second - first - 1], high[second - first - 1]])
            ours, ours_clipped = _within(boxes, of_tile[first], limits)
            theirs, theirs_clipped = _within(boxes, of_tile[second], limits)
            shared = _iou(ours_clipped, theirs_clipped)
            whole = _iou(boxes[ours], boxes[theirs])
            same = (shared >= _SAME) & (labels[ours][:, None] == labels[theirs][None, :])
            found += [
                (-float(shared[i, j] + whole[i, j]), int(ours[i]), int(theirs[j]))
                for i, j in np.argwhere(same)
            ]
    return found


def _within(
    boxes: NDArray[np.float64], numbers: NDArray[np.int64], limits: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Those of the numbered boxes that reach into a window, and their parts in it."""
    clipped = np.concatenate(
        [np.maximum(boxes[numbers, :2], limits[:2]), np.minimum(boxes[numbers, 2:], limits[2:])], axis=1
    )
    there = (clipped[:, :2] < clipped[:, 2:]).all(axis=1)
    return numbers[there], clipped[there]


def _iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    return np.asarray(shared / np.maximum(areas[0][:, None] + areas[1][None, :] - shared, 1e-9))
