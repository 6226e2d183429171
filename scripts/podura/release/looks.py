"""What an image looks like as a whole, by which a survey is compared with the slides of the study."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podura.detectors.embedding import lite0_embedding
from podura.errors import UserError
from podura.seeds import generator
from podura.slides.reading import open_slide
from podura.slides.statistics import STATISTICS_SIDE, image_statistics
from podura.tables import EMBEDDING

log = logging.getLogger(__name__)


class Looks:
    """Statistics and embedding of images, read at ``STATISTICS_SIDE`` pixels.

    The embedding is that of ``lite0_embedding``, which the search for leakage may use as well, scaled to
    length 1 and projected to 64 numbers by a fixed random matrix: distances stay the same to about a tenth
    (Johnson & Lindenstrauss 1984). Without the network's weights there is none.
    """

    def __init__(self) -> None:
        self._embed: Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float32]] | None = None
        try:
            self._embed = lite0_embedding()
        except UserError as error:
            log.warning(
                "Images are compared without an embedding (%s).", str(error).split(":", 1)[-1].strip()
            )

    def of_file(self, path: Any) -> dict[str, float | None]:
        """The columns of an image that describe its looks. Raises UserError for one that cannot be read."""
        with open_slide(path) as slide:
            pixels = slide.thumbnail(STATISTICS_SIDE)
        return {**image_statistics(pixels), **dict(zip(EMBEDDING, self._embedding(pixels), strict=True))}

    def _embedding(self, pixels: NDArray[np.uint8]) -> list[float | None]:
        if self._embed is None:
            return [None] * len(EMBEDDING)
        vector = self._embed([pixels])[0].astype(np.float64)
        projected = vector / max(float(np.linalg.norm(vector)), 1e-12) @ _projection(len(vector))
        return [round(float(value), 6) for value in projected]


def _projection(size: int) -> NDArray[np.float64]:
    drawn = generator(0, "projection of embeddings", size).standard_normal((size, len(EMBEDDING)))
    return drawn / math.sqrt(len(EMBEDDING))
