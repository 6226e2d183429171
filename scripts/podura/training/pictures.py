"""Pictures of what a detector is shown in training, for people to look at before it takes hours."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from podura.training.geometry import Sample

_GAP = 6
_FONT_SIZE = 14


def contact_sheet(
    samples: Sequence[Sample], species: Sequence[str], *, columns: int, cell: int
) -> Image.Image:
    """Samples side by side with their boxes, each species in a colour of its own.

    Each sample is at most ``cell`` pixels wide and high; none is enlarged.
    """
    rows = -(-len(samples) // columns)
    sheet = Image.new("RGB", [_GAP + (cell + _GAP) * n for n in (columns, rows)], "white")
    for place, sample in enumerate(samples):
        row, column = divmod(place, columns)
        corner = [_GAP + (cell + _GAP) * n for n in (column, row)]
        sheet.paste(_drawn(sample, species, cell), (corner[0], corner[1]))
    return sheet


def _drawn(sample: Sample, species: Sequence[str], cell: int) -> Image.Image:
    picture = Image.fromarray(sample.pixels.copy())
    picture.thumbnail((cell, cell))
    scale = picture.width / sample.size[0]
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(_FONT_SIZE)
    for box, label in zip((sample.boxes * scale).tolist(), sample.labels.tolist(), strict=True):
        hue = label / len(species)
        colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 1.0, 0.75))
        pen.rectangle(box, outline=colour, width=2)
        corner = (box[0] + 3, max(0.0, box[1] - _FONT_SIZE - 3))
        pen.text(corner, species[label], fill=colour, font=font, stroke_width=2, stroke_fill="white")
    return picture
