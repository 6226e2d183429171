"""What several people who annotated the same images agree on: an animal where more than half of them saw one.

The rule, image by image:

1. Boxes of different people that overlap by more than the stated IoU are put together, the closest pair
   first, as long as every box of the one group overlaps every box of the other by so much and nobody has two
   boxes in a group (agglomeration with complete linkage). Species do not count here.
2. A group with boxes of more than half of those who looked at the image is an animal. Its box has the medians
   of the four edges; its species is that with most votes.
3. Where species have equally many votes nobody can say which one it is: the animal is to be ignored under
   each of them, so that it counts neither for nor against whoever names one.

Equal overlaps go by the edges of the boxes, so the result does not depend on the order of rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

import pandas as pd

from podura.annotations.overlaps import close_pairs
from podura.tables import BOX_COLUMNS

_COLUMNS = ("id", "image", "slide", "species", *BOX_COLUMNS, "ignore")


def consensus(
    boxes: pd.DataFrame, images: pd.DataFrame, *, iou: float, species: Sequence[str]
) -> pd.DataFrame:
    """The consensus as truths: id (from 1), image, slide, species, x_min, y_min, x_max, y_max, ignore.

    boxes: expert, image, species, x_min, y_min, x_max, y_max (pixels). images: expert, image, slide: what
    each looked at, also where nothing was found. species: the codes of the study, by which rows of one
    animal are ordered.
    """
    voters = images.groupby("image")["expert"].nunique()
    slides = dict(zip(images["image"], images["slide"], strict=True))
    rows: list[tuple[Any, ...]] = []
    for image, of_image in boxes.groupby("image", sort=True):
        for group in _groups(of_image, iou):
            if 2 * len(group) <= voters[image]:
                continue
            box = [median(edges) for edges in zip(*(corners for corners, _, _ in group), strict=True)]
            votes = Counter(code for _, code, _ in group)
            most = max(votes.values())
            named = [code for code in species if votes[code] == most]
            rows += [
                (len(rows) + place, image, slides[image], code, *box, len(named) > 1)
                for place, code in enumerate(named, start=1)
            ]
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype({"id": "int64", "ignore": "bool"})


_Drawn = tuple[tuple[float, float, float, float], str, str]


def _groups(boxes: pd.DataFrame, iou: float) -> list[list[_Drawn]]:
    """Boxes (edges, species, expert) of one image that are taken for one animal, by their first box."""
    edges = boxes[list(BOX_COLUMNS)].to_numpy(float).tolist()
    drawn: list[_Drawn] = sorted(
        (tuple(box), str(code), str(expert))
        for box, code, expert in zip(edges, boxes["species"], boxes["expert"], strict=True)
    )
    pairs = close_pairs([box for box, _, _ in drawn], iou)
    close = {(one, other) for one, other, _ in pairs}
    group_of = {place: [place] for place in range(len(drawn))}
    for one, other, _ in sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1])):
        first, second = group_of[one], group_of[other]
        if first is second or {drawn[a][2] for a in first} & {drawn[b][2] for b in second}:
            continue
        if all((min(a, b), max(a, b)) in close for a in first for b in second):
            merged = sorted([*first, *second])
            group_of.update(dict.fromkeys(merged, merged))
    groups = {group[0]: group for group in group_of.values()}
    return [[drawn[place] for place in groups[first]] for first in sorted(groups)]
