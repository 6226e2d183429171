"""Detections of several models, or of one model trained with several seeds, fused into one.

Weighted boxes fusion (Solovyev, Wang & Gabruseva 2021, doi:10.1016/j.imavis.2021.104117), for each image and
species by itself. Boxes are taken by falling score. A box joins the fused box that it overlaps most, if by
more than the stated IoU, else it begins a fused box of its own. A fused box is the mean of its boxes weighted
by their scores. Its score is the mean of their scores, times the share of the models that found it: with
``t`` boxes of ``n`` models, ``min(t, n) / n``, so that what few models find is lowered.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.tables import BOX_COLUMNS, DETECTIONS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

#: Boxes that are worked on side by side; what belongs to them stays in a processor's cache.
_BOXES_AT_ONCE = 50_000


@dataclass(frozen=True)
class Fused:
    """Rows of the table detections, and the images in which the cap on detections was reached."""

    detections: pd.DataFrame
    capped: list[str]


def fuse(
    members: Sequence[pd.DataFrame],
    images: Mapping[str, str],
    species: Sequence[str],
    *,
    iou: float,
    score_floor: float,
    max_detections: int,
) -> Fused:
    """Fuse the detections of each member, which are tables DETECTIONS of the same images.

    images: the slide of each image, in the order of the rows to be; in an image rows stand by falling
    score, of equal ones by species and place. The order of members and of their rows is of no importance.
    A fused box below ``score_floor`` is left out, and so is what lies beyond the ``max_detections`` best
    of an image. Raises ValueError for an image or a species that is not listed.
    """
    names = list(images)
    found = pd.concat([member[["image", "species", "score", *BOX_COLUMNS]] for member in members])
    image, code = _codes(found["image"], names, "image"), _codes(found["species"], species, "species")
    groups = image * len(species) + code
    boxes, scores = found[list(BOX_COLUMNS)].to_numpy(np.float64), found["score"].to_numpy(np.float64)
    # Image by image, so that a million boxes are sorted in many small turns.
    order = np.argsort(image, kind="stable")
    edges = _edges(image[order])
    fused = [
        fuse_boxes(groups[rows], boxes[rows], scores[rows], models=len(members), iou=iou)
        for rows in (order[start:end] for start, end in itertools.pairwise(edges))
    ]
    groups, boxes, scores = (np.concatenate(arrays) for arrays in zip(*fused, strict=True))
    kept = scores >= score_floor
    groups, boxes, scores = groups[kept], boxes[kept], scores[kept]
    image, code = groups // max(len(species), 1), groups % max(len(species), 1)
    order = np.lexsort((*boxes.T[::-1], code, -scores, image))
    image, code, boxes, scores = image[order], code[order], boxes[order], scores[order]
    starts = np.searchsorted(image, np.arange(len(names)))
    counts = np.diff(np.append(starts, len(image)))
    best = np.arange(len(image)) - starts[image] < max_detections
    rows = pd.DataFrame(
        {
            "image": np.array(names, object)[image[best]],
            "slide": np.array(list(images.values()), object)[image[best]],
            "species": np.array(species, object)[code[best]],
            "score": scores[best],
            **dict(zip(BOX_COLUMNS, boxes[best].T, strict=True)),
        }
    )
    return Fused(
        DETECTIONS.frame(rows),
        [name for name, count in zip(names, counts, strict=True) if count >= max_detections],
    )


def fuse_boxes(
    groups: Integers, boxes: Floats, scores: Floats, *, models: int, iou: float
) -> tuple[Integers, Floats, Floats]:
    """Weighted boxes fusion within each group, of boxes (n, 4) with scores (n,) from 0 to 1.

    groups (n,): a number for each image and species. Returns the same three of the fused boxes, in no
    order that means anything. Boxes of equal score are taken by their coordinates. ``models`` is how many
    models were asked, also where some found nothing.
    """
    order = np.lexsort((*boxes.T[::-1], -scores, groups))
    groups, boxes, scores = groups[order], boxes[order], scores[order]
    numbers, starts, sizes = np.unique(groups, return_index=True, return_counts=True)
    # Large groups first: those that are through then lie at the end and are passed over.
    by_size = np.argsort(-sizes, kind="stable")
    parts: list[tuple[Integers, Floats, Floats]] = []
    at = 0
    while at < len(by_size):
        largest = int(sizes[by_size[at]])
        chunk = by_size[at : at + max(1, _BOXES_AT_ONCE // largest)]
        clusters = _Clusters(len(chunk), largest)
        for turn in range(largest):
            active = int(np.searchsorted(-sizes[chunk], -turn, side="left"))
            rows = starts[chunk[:active]] + turn
            clusters.take(boxes[rows], scores[rows], iou)
        place, fused, means, found = clusters.all()
        share = np.minimum(found, models) / models
        parts.append((numbers[chunk[place]], fused, means * share))
        at += len(chunk)
    if not parts:
        return groups, boxes, scores
    return (
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
    )


class _Clusters:
    """The fused boxes of many groups, which each take one box at a time, all side by side.

    Arrays are (groups, clusters); that of coordinates (4, groups, clusters).
    """

    def __init__(self, groups: int, most: int) -> None:
        self.most = most
        self.used = np.zeros(groups, np.int64)
        self.fused = np.zeros((4, groups, min(16, most)))
        self.area = np.zeros(self.fused.shape[1:])
        self.scores = np.zeros_like(self.area)
        self.found = np.zeros(self.area.shape, np.int64)

    def take(self, boxes: Floats, scores: Floats, iou: float) -> None:
        """Give one box (of four coordinates) to each of the first ``len(boxes)`` groups."""
        active, width = len(boxes), int(self.used.max())
        row = np.arange(active)
        own_area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        place = self.used[:active].copy()
        # Few pairs touch at all: what is not apart in x alone is worth a look.
        near = self.fused[2, :active, :width] > boxes[:, 0, None]
        near &= self.fused[0, :active, :width] < boxes[:, 2, None]
        group, cluster = np.nonzero(near)
        x_min, y_min, x_max, y_max = self.fused[:, group, cluster]
        own = boxes[group].T
        shared = np.minimum(x_max, own[2]) - np.maximum(x_min, own[0])
        shared *= np.maximum(np.minimum(y_max, own[3]) - np.maximum(y_min, own[1]), 0)
        union = self.area[group, cluster] + own_area[group] - shared
        overlaps = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
        joins = overlaps > iou
        group, cluster, overlaps = group[joins], cluster[joins], overlaps[joins]
        # Of each group the largest overlap, of equal ones the first, stands last and so counts.
        order = np.lexsort((-cluster, overlaps, group))
        place[group[order]] = cluster[order]
        self.used[:active] += place == self.used[:active]
        if place.max() >= self.area.shape[1]:
            self._widen()
        self.found[row, place] += 1
        self.scores[row, place] += scores
        total = self.scores[row, place]
        # Where no score is above 0 nothing weighs: the first box stands.
        share = np.divide(scores, total, out=np.zeros_like(scores), where=total > 0)
        share[self.found[row, place] == 1] = 1
        # The mean moves towards the new box, so that equal boxes give that very box.
        self.fused[:, row, place] += (boxes.T - self.fused[:, row, place]) * share
        sides = self.fused[:, row, place]
        self.area[row, place] = (sides[2] - sides[0]) * (sides[3] - sides[1])

    def _widen(self) -> None:
        more = min(2 * self.area.shape[1], self.most) - self.area.shape[1]
        for name in ("fused", "area", "scores", "found"):
            held = getattr(self, name)
            room = np.zeros((*held.shape[:-1], more), held.dtype)
            setattr(self, name, np.concatenate([held, room], axis=-1))

    def all(self) -> tuple[Integers, Floats, Floats, Integers]:
        """Group, box (n, 4), mean score and number of boxes of every fused box."""
        group, place = np.nonzero(self.found)
        found = self.found[group, place]
        return group, self.fused[:, group, place].T, self.scores[group, place] / found, found


def _edges(images: Integers) -> list[int]:
    """Where to cut a rising list of images into pieces of about equal size: never within one."""
    edges = [0]
    for step in range(_BOXES_AT_ONCE, len(images), _BOXES_AT_ONCE):
        edges.append(max(edges[-1], int(np.searchsorted(images, images[step]))))
    return [*edges, len(images)]


def _codes(values: pd.Series, listed: Sequence[str], what: str) -> Integers:
    codes = pd.Index(listed).get_indexer(pd.Index(values))
    if (codes < 0).any():
        raise ValueError(f"{what} {values[codes < 0].iloc[0]!r} is not among those of the part")
    return codes.astype(np.int64)
