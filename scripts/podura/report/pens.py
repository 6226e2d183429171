"""What pictures of slides are drawn with: fonts, lines and labels that stand out on any ground."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
from PIL import ImageColor, ImageDraw, ImageFont

from podura.report.style import HUES, INK, PAPER

Pattern = Literal["single", "double", "bold"]
Box = Sequence[float]

_PATTERNS: tuple[Pattern, ...] = ("single", "double", "bold")
# FreeType's faces must not be used by two threads at a time.
_fonts = threading.local()


@dataclass(frozen=True)
class BoxStyle:
    """Colour and line of a species' boxes; the label tells the rest apart."""

    colour: str
    pattern: Pattern


def box_style(place: int) -> BoxStyle:
    """The style of the species at a place of the study's list.

    Colours are those of Okabe and Ito, apart for any colour vision; neighbours differ in their line as
    well, which grey print keeps. After eighteen species styles repeat.
    """
    return BoxStyle(HUES[place % len(HUES)], _PATTERNS[(place + place // len(HUES)) % len(_PATTERNS)])


def font(size: int, italic: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib: the same everywhere, with accents, Greek and Cyrillic."""
    if not hasattr(_fonts, "known"):
        _fonts.known = {}
    known: dict[tuple[int, bool], ImageFont.FreeTypeFont] = _fonts.known
    if (size, italic) not in known:
        name = "DejaVuSans-Oblique.ttf" if italic else "DejaVuSans.ttf"
        path = Path(mpl.get_data_path(), "fonts", "ttf", name)
        known[size, italic] = ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    return known[size, italic]


def ink_on(colour: str) -> str:
    """Dark or white, whichever has more contrast on a colour (WCAG 2, relative luminance)."""
    channels = np.array(ImageColor.getrgb(colour)[:3]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    light = float(linear @ (0.2126, 0.7152, 0.0722))
    return PAPER if 1.05 / (light + 0.05) > (light + 0.05) / 0.06 else INK


def draw_box(pen: ImageDraw.ImageDraw, box: Box, style: BoxStyle, width: int, dashed: bool = False) -> None:
    """Draw the edge of a box around it, so that the animal stays free, on a thin white casing.

    ``width`` is that of a single line in pixels.
    """
    bold = 2 * width if style.pattern == "bold" else width
    if dashed:
        _edge(pen, box, 1, width + 2, PAPER)
        dashed_box(pen, _grown(pen, box, 1 + width // 2), style.colour, width, dash=4 + 2 * width)
        return
    _edge(pen, box, 0, bold + 2, PAPER)
    _edge(pen, box, 1, bold, style.colour)
    if style.pattern == "double":
        _edge(pen, box, bold + 2, 2, PAPER)
        _edge(pen, box, bold + 3, 1, style.colour)


def _edge(pen: ImageDraw.ImageDraw, box: Box, away: int, width: int, colour: str) -> None:
    """A rectangle whose line begins ``away`` pixels outside of a box and is ``width`` wide."""
    pen.rectangle(_grown(pen, box, away + width), outline=colour, width=width)


def _grown(pen: ImageDraw.ImageDraw, box: Box, by: int) -> list[int]:
    """A box in whole pixels, grown by some, but never over the edge of the picture."""
    right, bottom = pen.im.size[0] - 1, pen.im.size[1] - 1  # type: ignore[union-attr]
    x_min, y_min = max(0, round(box[0]) - by), max(0, round(box[1]) - by)
    return [
        min(x_min, right),
        min(y_min, bottom),
        max(min(x_min, right), min(round(box[2]) + by, right)),
        max(min(y_min, bottom), min(round(box[3]) + by, bottom)),
    ]


def dashed_box(pen: ImageDraw.ImageDraw, box: Box, colour: str, width: int = 2, dash: float = 7) -> None:
    """Draw a box of dashes of ``dash`` pixels, with gaps as long."""
    left, top, right, bottom = box
    for start, end in (
        ((left, top), (right, top)),
        ((right, top), (right, bottom)),
        ((right, bottom), (left, bottom)),
        ((left, bottom), (left, top)),
    ):
        a, b = np.array(start, dtype=np.float64), np.array(end, dtype=np.float64)
        length = float(np.hypot(*(b - a))) or 1.0
        for at in np.arange(0, length, 2 * dash):
            first, last = a + (b - a) * at / length, a + (b - a) * min(at + dash, length) / length
            pen.line([*first, *last], fill=colour, width=width)


def draw_label(
    pen: ImageDraw.ImageDraw, corner: Sequence[float], text: str, colour: str, size: int = 13
) -> None:
    """Write a text on a strip of a colour; ``corner`` is the strip's upper left one."""
    width, height = label_size(text, size)
    x, y = round(corner[0]), round(corner[1])
    pen.rectangle([x, y, x + width - 1, y + height - 1], fill=colour)
    pen.text((x + 3, y + height - 4), text, fill=ink_on(colour), font=font(size), anchor="ls")


def label_size(text: str, size: int) -> tuple[int, int]:
    """Width and height in pixels of what ``draw_label`` draws."""
    return round(font(size).getlength(text)) + 6, size + 4
