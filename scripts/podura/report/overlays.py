"""Pictures of slides with what a detector found, missed and got wrong."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from podura.report.pens import dashed_box, draw_label, label_size
from podura.tables import BOX_COLUMNS

#: Okabe-Ito colours, apart for colour-blind eyes; line styles differ as well.
RIGHT, WRONG, MISSED = "#0072B2", "#D55E00", "#009E73"
#: Where a species has no threshold, detections are shown from this score on.
PLAIN_SCORE = 0.5
_WIDTH = 760  # pixels of the page's column
_LABEL = 13  # pixels of a label's letters


def choose_images(matches: pd.DataFrame, count: int) -> list[str]:
    """Name the images with the most specimens, one a slide as far as there are slides."""
    truths = matches[(matches["kind"] == "truth") & ~matches["ignore"]]
    ranked = truths.groupby(["slide", "image"]).size().reset_index(name="specimens")
    ranked = ranked.sort_values(["specimens", "image"], ascending=[False, True])
    first = ranked.drop_duplicates("slide")
    rest = ranked.drop(first.index)
    return pd.concat([first, rest])["image"].head(count).tolist()


def shown_rows(
    matches: pd.DataFrame, thresholds: Mapping[str, float | None], iou_percent: int
) -> pd.DataFrame:
    """Rows of one image to draw, with a column ``state``: right, wrong or missed.

    ``thresholds`` gives the score of each species from which on a detection is shown; a specimen is
    missed where no shown detection took it. What is to be ignored is left out.
    """
    matched, ignored = f"match_{iou_percent}", f"ignored_{iou_percent}"
    counted = matches[~matches[ignored].astype(bool)]
    is_detection = counted["kind"] == "detection"
    floor = counted["species"].map(lambda code: _floor(thresholds.get(code)))
    detections = counted[is_detection & (counted["score"] >= floor)]
    right = detections[detections[matched] > 0].assign(state="right")
    wrong = detections[detections[matched] == 0].assign(state="wrong")
    truths = counted[~is_detection]
    missed = truths[~truths["truth"].isin(right[matched])].assign(state="missed")
    return pd.concat([missed, right, wrong], ignore_index=True)


def _floor(threshold: float | None) -> float:
    return PLAIN_SCORE if threshold is None or np.isnan(threshold) else float(threshold)


def draw_overlay(pixels: NDArray[np.uint8], rows: pd.DataFrame) -> bytes:
    """Draw rows of ``shown_rows`` on an image (height, width, 3) and return a JPEG.

    Right detections have a whole blue line, wrong ones a double orange one, missed specimens a dashed
    green one; each carries its species, detections their score.
    """
    scale = min(1.0, _WIDTH / pixels.shape[1])
    picture = Image.fromarray(pixels)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    pen = ImageDraw.Draw(picture)
    for row in rows.to_dict("records"):
        box = [float(row[name]) * scale for name in BOX_COLUMNS]
        if row["state"] == "missed":
            dashed_box(pen, box, MISSED)
            _label(pen, box, f"{row['species']} missed", MISSED)
        else:
            colour = RIGHT if row["state"] == "right" else WRONG
            pen.rectangle(box, outline=colour, width=2)
            if row["state"] == "wrong":
                inner = [box[0] + 4, box[1] + 4, box[2] - 4, box[3] - 4]
                if inner[0] < inner[2] and inner[1] < inner[3]:
                    pen.rectangle(inner, outline=colour, width=1)
            _label(pen, box, f"{row['species']} {row['score']:.2f}", colour)
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=85)
    return buffer.getvalue()


def _label(pen: ImageDraw.ImageDraw, box: Sequence[float], text: str, colour: str) -> None:
    width, height = label_size(text, _LABEL)
    right, bottom = pen.im.size  # type: ignore[union-attr]
    x = max(0.0, min(box[0], right - width))
    y = box[1] - height if box[1] >= height else min(box[3], bottom - height)
    draw_label(pen, (x, y), text, colour, _LABEL)
