"""Pictures of pairs: both images side by side, with what they share outlined."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from podura.leakage.thumbnails import Thumbnail

_SIDE = 480
_MARGIN, _LINE = 12, 20
_OUTLINE = (213, 94, 0)
_QUALITY = 85


def pair_picture(
    first: Thumbnail, second: Thumbnail, matrix: np.ndarray | None, row: Mapping[str, Any]
) -> bytes:
    """A JPEG of two images, labelled with name, slide and part of ``row`` (of ``tables.LEAKAGE``).

    ``matrix`` leads from pixels of the second image to the first; None draws no outline.
    """
    panels = [_panel(image) for image in (first, second)]
    if matrix is not None:
        for number, polygon in enumerate(_shared(first, second, matrix)):
            scale = panels[number].width / (first, second)[number].full_size[0]
            points = [(x * scale, y * scale) for x, y in polygon]
            if len(points) > 2:
                ImageDraw.Draw(panels[number]).line([*points, points[0]], fill=_OUTLINE, width=3)
    width = sum(panel.width for panel in panels) + 3 * _MARGIN
    top = _MARGIN + 3 * _LINE
    height = top + max(panel.height for panel in panels) + _LINE + 2 * _MARGIN
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(15)
    x = _MARGIN
    for number, panel in enumerate(panels, start=1):
        lines = (row[f"image_{number}"], f"slide {row[f'slide_{number}']}", f"part {row[f'part_{number}']}")
        for place, text in enumerate(lines):
            draw.text((x, _MARGIN + place * _LINE), _cut(draw, str(text), font, panel.width), "black", font)
        page.paste(panel, (x, top))
        x += panel.width + _MARGIN
    below = f"{str(row['kind']).replace('_', ' ')}: {row['message']}"
    draw.text(
        (_MARGIN, height - _LINE - _MARGIN // 2), _cut(draw, below, font, width - 2 * _MARGIN), "black", font
    )
    content = io.BytesIO()
    page.save(content, "JPEG", quality=_QUALITY)
    return content.getvalue()


def _panel(image: Thumbnail) -> Image.Image:
    # A small crop is enlarged, so that both can be compared by eye.
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.size[0] * scale)), max(1, round(image.size[1] * scale)))
    return Image.fromarray(image.pixels).resize(size, Image.Resampling.BILINEAR)


def _shared(first: Thumbnail, second: Thumbnail, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the shared place in full pixels of the first and of the second image."""
    frame, other = (
        np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32) for w, h in (first.full_size, second.full_size)
    )
    laid = cv2.perspectiveTransform(other[np.newaxis], matrix)[0].astype(np.float32)
    _, common = cv2.intersectConvexConvex(frame, laid)
    if common is None:
        return np.zeros((0, 2)), np.zeros((0, 2))
    back = cv2.perspectiveTransform(common.reshape(1, -1, 2), np.linalg.inv(matrix))[0]
    return common.reshape(-1, 2), back


def _cut(draw: ImageDraw.ImageDraw, text: str, font: Any, width: int) -> str:
    """The text, cut in its middle to fit: the ends of paths tell images apart."""
    if draw.textlength(text, font) <= width:
        return text
    kept = len(text)
    while kept > 4:
        kept -= 1
        half = kept // 2
        shorter = f"{text[:half]}…{text[-half:]}"
        if draw.textlength(shorter, font) <= width:
            return shorter
    return text[:4]
