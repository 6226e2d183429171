"""Which pairs lie in two parts of the split, and what to say of them."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from podura import tables

LEAK = "leak"
WITHIN_PART = "within part"

#: Kinds of pairs in the order of their weight.
KINDS = ("same_file", "same_pixels", "near_equal", "crop", "overlap", "same_slide", "slide_name")
# Two slides are taken for one if so many different pairs of their images show the same.
_PAIRS_OF_A_SLIDE = 2
_TOKENS = re.compile(r"[^\W\d_]+|\d+|[^\w\s-]")
_NAMED = 5


def find_leaks(similar: pd.DataFrame, split: pd.DataFrame) -> pd.DataFrame:
    """Join pairs with the split; returns ``tables.LEAKAGE``, leaks first, without pictures.

    ``similar`` is a frame of ``tables.SIMILAR_IMAGES``, ``split`` of ``tables.SPLIT``, which may have
    several rows an image, one a fold. A pair leaks in a fold if its parts differ in that fold. Pairs
    with an image that is not in the split are left out: nothing is trained or tested on it.
    """
    parts = _parts(split)
    slides = dict(zip(split["image"], split["slide"], strict=True))
    rows = []
    slide_pairs: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for pair in similar.to_dict("records"):
        first, second = str(pair["image_1"]), str(pair["image_2"])
        if first not in parts or second not in parts:
            continue
        overlap = max(pair["share_1"], pair["share_2"])
        row = {
            "kind": pair["kind"],
            **_sides(first, second, slides, parts),
            "score": pair["correlation"],
            "overlap": overlap,
            "message": _words(pair),
        }
        rows.append(row)
        if row["slide_1"] != row["slide_2"]:
            key = (min(row["slide_1"], row["slide_2"]), max(row["slide_1"], row["slide_2"]))
            slide_pairs.setdefault(key, []).append(row)
    rows += _same_slides(slide_pairs)
    rows += _like_names(split, slides, parts)
    frame = tables.LEAKAGE.frame(rows)
    order = frame.assign(
        within=frame["severity"] == WITHIN_PART, weight=frame["kind"].map({k: n for n, k in enumerate(KINDS)})
    ).sort_values(["within", "weight", "image_1", "image_2"], kind="stable")
    return frame.loc[order.index].reset_index(drop=True)


Parts = Mapping[str, Mapping[int, str]]


def _parts(split: pd.DataFrame) -> Parts:
    """For each image its part in each fold."""
    found: dict[str, dict[int, str]] = {}
    columns = (split[name].tolist() for name in ("image", "part", "fold"))
    for image, part, fold in zip(*columns, strict=True):
        found.setdefault(str(image), {})[int(fold)] = str(part)
    return found


def _sides(first: str, second: str, slides: Mapping[str, str], parts: Parts) -> dict[str, Any]:
    """Slides and parts of two images, the severity and the folds in which they leak."""
    common = sorted(parts[first].keys() & parts[second].keys())
    leaking = [fold for fold in common if parts[first][fold] != parts[second][fold]]
    shown = (leaking or common or [min(parts[first])])[0]
    return {
        "severity": LEAK if leaking else WITHIN_PART,
        "image_1": first,
        "slide_1": slides[first],
        "part_1": parts[first].get(shown),
        "image_2": second,
        "slide_2": slides[second],
        "part_2": parts[second].get(shown, parts[second][min(parts[second])]),
        "folds": " ".join(map(str, leaking)) or None,
    }


def _same_slides(pairs: Mapping[tuple[str, str], list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """One row for two slides in different parts of which several images show the same."""
    for (first, second), rows in pairs.items():
        leaking = [row for row in rows if row["severity"] == LEAK]
        images = {row[side] for row in leaking for side in ("image_1", "image_2")}
        if len(leaking) < _PAIRS_OF_A_SLIDE or len(images) < 2 * _PAIRS_OF_A_SLIDE - 1:
            continue
        yield {
            **leaking[0],
            "kind": "same_slide",
            "folds": " ".join(
                map(str, sorted({int(f) for row in leaking for f in str(row["folds"]).split()}))
            ),
            "score": max(row["score"] for row in leaking),
            "overlap": max(row["overlap"] for row in leaking),
            "message": f"the slides {first} and {second} share {len(leaking)} pairs of images that show the "
            "same; they are probably one slide",
        }


def _like_names(split: pd.DataFrame, slides: Mapping[str, str], parts: Parts) -> Iterator[dict[str, Any]]:
    """One row for two slides whose names differ in spelling only."""
    first_image: dict[str, str] = {}
    for image in sorted(slides):
        first_image.setdefault(str(slides[image]), image)
    spelled: dict[tuple[str, ...], list[str]] = {}
    for slide in sorted(first_image):
        spelled.setdefault(plain_name(slide), []).append(slide)
    for names in spelled.values():
        for first, second in itertools.combinations(names, 2):
            images = sorted((first_image[first], first_image[second]))
            yield {
                "kind": "slide_name",
                **_sides(images[0], images[1], slides, parts),
                "score": None,
                "overlap": None,
                "message": f"the names of the slides {first} and {second} differ only in capitals, spaces, "
                "_, - or leading zeros; are they one slide?",
            }


def plain_name(name: str) -> tuple[str, ...]:
    """What is left of a slide's name without capitals, spaces, ``_``, ``-`` and leading zeros.

    Letters and numbers stay apart: ``S_01`` is ``s1`` but ``S-1-1`` is not ``S-11``.
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    return tuple(token.lstrip("0") or "0" if token.isdigit() else token for token in _TOKENS.findall(text))


def _words(pair: Mapping[str, Any]) -> str:
    """What a pair is, in a sentence without its subject."""
    kind = pair["kind"]
    if kind == "same_file":
        return "the files are equal"
    if kind == "same_pixels":
        return "the files differ, but hold the same pixels"
    measured = f"correlation {pair['correlation']:.2f}"
    if not pd.isna(pair["inliers"]):
        measured += f", {int(pair['inliers'])} matching features"
    change = transformation_words(matrix_of(pair))
    if kind == "near_equal":
        return f"the same image{f', {change}' if change else ', changed in its pixels'} ({measured})"
    if kind == "crop":
        inner, outer = ("second", "first") if pair["share_2"] >= pair["share_1"] else ("first", "second")
        share = min(pair["share_1"], pair["share_2"])
        within = f"the {inner} image shows {share:.0%} of the {outer}"
        return f"{within}{f'; {change}' if change else ''} ({measured})"
    share = max(pair["share_1"], pair["share_2"])
    return f"overlapping fields, {share:.0%} in common{f'; {change}' if change else ''} ({measured})"


def matrix_of(pair: Mapping[str, Any]) -> np.ndarray:
    """The 3 × 3 matrix of a pair, from pixels of the second image to the first."""
    values = [float(pair[name]) for name in ("m11", "m12", "m13", "m21", "m22", "m23")]
    return np.array([*values, 0.0, 0.0, 1.0]).reshape(3, 3)


def transformation_words(matrix: np.ndarray) -> str:
    """How the first image was made from the second: ``mirrored, turned by 17°, scaled to 50 %``."""
    linear = matrix[:2, :2]
    words = []
    if np.linalg.det(linear) < 0:
        words.append("mirrored")
        linear = linear @ np.diag([-1.0, 1.0])
    angle = math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
    if abs(angle) >= 0.5:
        words.append(f"turned by {abs(angle):.0f}°")
    scale = math.sqrt(abs(float(np.linalg.det(linear))))
    if abs(math.log(scale)) > 0.01:
        words.append(f"scaled by {scale:.2f}")
    return ", ".join(words)


def shared_images(leakage: pd.DataFrame, split: pd.DataFrame) -> list[str]:
    """For each part how many of its images are shown in another part too, in words."""
    leaks = leakage[(leakage["severity"] == LEAK) & ~leakage["kind"].isin(["slide_name", "same_slide"])]
    found: dict[tuple[str, str], set[str]] = {}
    for row in leaks.to_dict("records"):
        for here, there in (("1", "2"), ("2", "1")):
            found.setdefault((row[f"part_{here}"], row[f"part_{there}"]), set()).add(row[f"image_{here}"])
    totals = split.drop_duplicates(["image", "part"]).groupby("part").size()
    order = {part: place for place, part in enumerate(tables.PARTS)}
    return [
        f"{len(images)} of {totals[here]} images of {here} show what {there} shows"
        for (here, there), images in sorted(
            found.items(), key=lambda item: tuple(order.get(p, len(order)) for p in item[0][::-1])
        )
        if order.get(here, 0) > order.get(there, 0)
    ]


def refusal(leakage: pd.DataFrame, split: pd.DataFrame, table: Path | str) -> str | None:
    """Why nothing may be trained on this split, and what to do; None where nothing leaks."""
    leaks = leakage[leakage["severity"] == LEAK]
    if leaks.empty:
        return None
    counts = leaks["kind"].value_counts()
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if kind in counts)
    return "\n".join(
        [
            f"{len(leaks)} pairs of images lie in different parts and show the same ({kinds}), so that "
            "results would flatter every model.",
            *(f"  {line}." for line in shared_images(leakage, split)),
            *_examples(leaks.head(_NAMED).to_dict("records")),
            f"All of them, with pictures, are in {table}.",
            "What to do: take copies out of the table of images; give images of one slide the same slide "
            "(or sample, with split.by: sample), so that they stay together; change a fixed part. If the "
            "pairs are no leaks, or you accept them, write dataset.leakage.action: report.",
        ]
    )


def _examples(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield (
            f"  {row['image_1']} ({row['part_1']}) and {row['image_2']} ({row['part_2']}): {row['message']}."
        )
