"""The picture of one image with the boxes of its annotations, and its thumbnail.

A box has the colour and line of its species, and its code (in a crowd a number) where there is room;
boxes that are to be ignored are dashed. A strip beneath the image says what is drawn, and what was found
wrong with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from podura.report.pens import BoxStyle, draw_box, draw_label, font, label_size
from podura.report.results import name_parts
from podura.report.style import INK, MUTED, PAPER
from podura.tables import BOX_COLUMNS

#: Longer side of a picture and of a thumbnail in pixels. Smaller images are enlarged by a whole factor.
LONGEST, THUMBNAIL = 1600, 320
_ENLARGED = 1200
_NARROWEST = 320  # a strip of less cannot be read
_SMALL_BOX = 24  # pixels; smaller boxes have a thinner line
#: With more boxes than this none is labelled, since nothing could be read.
MOST_LABELS = 1000
# A label may lie over this share of another one before it is left out.
_OVERLAP = 0.15
# Labels give numbers in place of codes where they would cover more than this share of the picture.
_COVERED = 0.06
_FAULT_LINES = 4
# A text, whether it is in italics, and the style of the box to draw before it.
_Word = tuple[str, bool, BoxStyle | None]


@dataclass(frozen=True)
class Drawn:
    """A picture, its thumbnail, and how many boxes have no label for want of room."""

    picture: Image.Image
    thumbnail: Image.Image
    n_unlabelled: int


@dataclass(frozen=True)
class Legend:
    """The style and the name of each species by code; ``aside`` is what boxes to be ignored are called."""

    styles: Mapping[str, BoxStyle]
    names: Mapping[str, str]
    aside: str = "ignored"


def draw_specimens(
    pixels: NDArray[np.uint8],
    boxes: pd.DataFrame,
    title: str,
    faults: Sequence[str],
    legend: Legend,
    *,
    size: tuple[int, int] | None = None,
) -> Drawn:
    """Draw boxes (columns ``species, ignore`` and tables.BOX_COLUMNS, in pixels of the image) on an image.

    ``pixels`` are height × width × 3; ``size`` is width and height of the image itself, where ``pixels`` are
    a smaller copy of it; ``faults`` are sentences on what is wrong with the image.
    """
    whole = Image.fromarray(pixels)
    picture = _scaled(whole, _factor(whole.size))
    width, height = size or whole.size
    scale = np.array([picture.width / width, picture.height / height] * 2)
    corners = boxes[list(BOX_COLUMNS)].to_numpy(dtype=np.float64) * scale
    codes, ignored = boxes["species"].tolist(), boxes["ignore"].tolist()
    small = picture.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    _draw_boxes(small, corners * (small.width / picture.width), codes, ignored, legend, width=2)
    _draw_boxes(picture, corners, codes, ignored, legend, width=3 if max(picture.size) > 1000 else 2)
    letters = 12 if len(codes) > 40 else max(12, min(18, max(picture.size) // 75))
    texts, numbered = _label_texts(picture, codes, ignored, legend, letters)
    labelled = _draw_labels(picture, corners, codes, texts, legend, letters)
    words = _counted(codes, ignored, legend, numbered)
    if labelled < len(codes):
        words.append((_unlabelled(len(codes) - labelled, len(codes)), False, None))
    return Drawn(_with_strip(picture, title, words, faults), small, len(codes) - labelled)


def draw_placeholder(title: str, reason: str) -> Drawn:
    """A grey picture that says why the image itself cannot be shown."""
    picture = Image.new("RGB", (640, 360), "#d9d9d9")
    pen = ImageDraw.Draw(picture)
    pen.line([0, 0, 640, 360], fill="#c2c2c2", width=3)
    pen.line([0, 360, 640, 0], fill="#c2c2c2", width=3)
    small = picture.resize((THUMBNAIL, THUMBNAIL * 360 // 640))
    for drawn, size in ((picture, 22), (small, 15)):
        middle = (drawn.width / 2, drawn.height / 2)
        words = "This image cannot be shown"
        ImageDraw.Draw(drawn).text(middle, words, fill=INK, font=font(size), anchor="mm")
    return Drawn(_with_strip(picture, title, [], [reason]), small, 0)


def _factor(size: tuple[int, int]) -> float:
    longer = max(size)
    return LONGEST / longer if longer > LONGEST else float(max(1, min(8, _ENLARGED // longer)))


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    if factor == 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    if factor > 1:
        return image.resize(size, Image.Resampling.BICUBIC)
    # Halved crudely first: a tenth of the time on a plate of 100 megapixels, and no difference to see.
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _draw_boxes(
    picture: Image.Image,
    corners: NDArray[np.float64],
    codes: Sequence[str],
    ignored: Sequence[bool],
    legend: Legend,
    width: int,
) -> None:
    pen = ImageDraw.Draw(picture)
    # Large ones first, so that none hides another that lies within it.
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    for place in np.argsort(-areas, kind="stable"):
        box = corners[place]
        is_small = min(box[2] - box[0], box[3] - box[1]) < _SMALL_BOX
        draw_box(pen, box, legend.styles[codes[place]], 1 if is_small else width, ignored[place])


def _label_texts(
    picture: Image.Image, codes: Sequence[str], ignored: Sequence[bool], legend: Legend, letters: int
) -> tuple[list[str], bool]:
    """What the labels say, and whether that is numbers: where codes would cover too much of the picture."""
    texts = [f"{code} ({legend.aside})" if skip else code for code, skip in zip(codes, ignored, strict=True)]
    covered = sum(math.prod(label_size(text, letters)) for text in texts)
    if covered <= _COVERED * picture.width * picture.height:
        return texts, False
    numbers = {code: str(number) for number, code in enumerate(legend.styles, start=1)}
    return [numbers[code] for code in codes], True


def _draw_labels(
    picture: Image.Image,
    corners: NDArray[np.float64],
    codes: Sequence[str],
    texts: Sequence[str],
    legend: Legend,
    letters: int,
) -> int:
    """Label as many boxes as there is room for; returns their number."""
    if len(codes) > MOST_LABELS:
        return 0
    pen = ImageDraw.Draw(picture)
    taken = np.empty((0, 4))
    labelled = 0
    # From the top to the bottom: a label above its box then lies over what is labelled already.
    for place in np.lexsort((corners[:, 0], corners[:, 1])):
        size = label_size(texts[place], letters)
        others = np.delete(corners, place, axis=0)
        spot = _best_spot(corners[place], size, picture.size, taken, others)
        if spot is None:
            continue
        draw_label(pen, spot[:2].tolist(), texts[place], legend.styles[codes[place]].colour, letters)
        taken = np.vstack([taken, spot])
        labelled += 1
    return labelled


def _best_spot(
    box: NDArray[np.float64],
    size: tuple[int, int],
    canvas: tuple[int, int],
    taken: NDArray[np.float64],
    others: NDArray[np.float64],
) -> NDArray[np.float64] | None:
    """Where a label hides least: around its box, else within it; None where it would hide other labels."""
    (width, height), (left, top, right, bottom) = size, box
    gap = 3
    middle = (top + bottom - height) / 2
    corners = np.array(
        [
            (left - gap, top - height - gap),
            (right - width + gap, top - height - gap),
            (left - gap, bottom + gap),
            (right - width + gap, bottom + gap),
            (right + gap, top),
            (left - width - gap, top),
            (right + gap, middle),
            (left - width - gap, middle),
            (left, top),
            (right - width, bottom - height),
        ]
    ).round()
    spots = np.hstack([corners, corners + np.array(size)])
    inside = (spots[:, :2] >= 0).all(axis=1) & (spots[:, 2:] <= canvas).all(axis=1)
    if not inside.any():
        # An image smaller than its label, or a box as large as the image.
        shift = np.clip(spots[-2, :2], 0, np.maximum(0, np.array(canvas) - size))
        spots, inside = np.hstack([shift, shift + np.array(size)])[np.newaxis], np.array([True])
    spots = spots[inside]
    area = width * height
    over_labels = _shared(spots, taken) / area
    hidden = _shared(spots, others) / area + 0.7 * _shared(spots, box[np.newaxis]) / area
    free = over_labels <= _OVERLAP
    if not free.any():
        return None
    cost = np.where(free, hidden + 4 * over_labels, np.inf)
    # Of equally good spots the first: labels stand above their boxes unless there is a reason.
    return spots[int(np.argmin(cost > cost.min() + 0.05))]


def _shared(spots: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area in pixels that each of n spots shares with m boxes together, as n."""
    low = np.maximum(spots[:, None, :2], boxes[None, :, :2])
    high = np.minimum(spots[:, None, 2:], boxes[None, :, 2:])
    return np.clip(high - low, 0, None).prod(axis=2).sum(axis=1)


def _unlabelled(missing: int, all_boxes: int) -> str:
    if missing == all_boxes:
        return f"No box is labelled: {all_boxes:,} are too many."
    return f"{missing:,} of {all_boxes:,} boxes have no label, for want of room."


def _counted(codes: Sequence[str], ignored: Sequence[bool], legend: Legend, numbered: bool) -> list[_Word]:
    words: list[_Word] = []
    for number_of_species, (code, style) in enumerate(legend.styles.items(), start=1):
        boxes = sum(one == code for one in codes)
        if boxes:
            apart = sum(one == code and skip for one, skip in zip(codes, ignored, strict=True))
            note = f" {boxes:,}" + (f" ({apart:,} {legend.aside}: dashed)" if apart else "")
            parts = name_parts(legend.names.get(code, code))
            if numbered:
                parts = [(f"{number_of_species}: ", False), *parts]
            words += [
                (text, italic, style if place == 0 else None) for place, (text, italic) in enumerate(parts)
            ]
            words.append((note + "   ", False, None))
    return words or [("No boxes.", False, None)]


def _with_strip(
    picture: Image.Image, title: str, words: Sequence[_Word], faults: Sequence[str]
) -> Image.Image:
    """The picture above a white strip with its title, its legend and its faults."""
    width = max(picture.width, _NARROWEST)
    size = 13 if width < 1000 else 18
    line, margin = round(size * 1.5), size // 2
    room = width - 2 * margin
    titles = _lines(title, size, room, most=2)
    legend = _flow(words, size, room)
    told = [text for fault in faults for text in _lines(fault, size, room, most=2)]
    if len(told) > _FAULT_LINES:
        told = [*told[: _FAULT_LINES - 1], "… and more"]
    height = line * (len(titles) + len(told) + (1 + legend[-1][1] if legend else 0)) + margin
    canvas = Image.new("RGB", (width, picture.height + height), PAPER)
    canvas.paste(picture, (0, 0))
    pen = ImageDraw.Draw(canvas)
    y = picture.height + line
    for text in titles:
        pen.text((margin, y), text, fill=INK, font=font(size), anchor="ls")
        y += line
    for x, row, (text, italic, style) in legend:
        base = y + row * line
        if style is not None:
            place = (margin + x + 6, base - size + 5, margin + x + 2 * size - 4, base - 4)
            draw_box(pen, place, style, 2)
            x += 2 * size + 8
        pen.text((margin + x, base), text, fill=INK, font=font(size, italic), anchor="ls")
    y += line * (1 + legend[-1][1]) if legend else 0
    for text in told:
        pen.text((margin, y), text, fill=MUTED, font=font(size), anchor="ls")
        y += line
    return canvas


def _flow(words: Iterable[_Word], size: int, room: int) -> list[tuple[float, int, _Word]]:
    """Where words stand: from the left in pixels, and on which line."""
    placed: list[tuple[float, int, _Word]] = []
    x, row = 0.0, 0
    for word in words:
        text, italic, style = word
        length = font(size, italic).getlength(text) + (2 * size + 8 if style is not None else 0)
        if x and x + length > room and style is not None:
            x, row = 0.0, row + 1
        placed.append((x, row, word))
        x += length
    return placed


def _lines(text: str, size: int, room: int, most: int) -> list[str]:
    """A text broken to the width of the strip, within words where they are longer; cut with an ellipsis."""
    measure: Callable[[str], float] = font(size).getlength
    lines: list[str] = []
    rest = " ".join(text.split())
    while rest and len(lines) < most:
        end = len(rest)
        while end > 1 and measure(rest[:end]) > room:
            end = max(1, min(end - 1, int(end * room / measure(rest[:end])) + 1))
        if end < len(rest) and " " in rest[:end]:
            end = rest.rindex(" ", 0, end) + 1
        lines.append(rest[:end].rstrip())
        rest = rest[end:]
    if rest:
        lines[-1] = f"{lines[-1][:-2].rstrip()} …"
    return lines
