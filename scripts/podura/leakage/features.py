"""Local features of an image, and the visual words that make them comparable at once.

Features are SIFT (Lowe 2004). A word is the nearest of a fixed number of descriptors, drawn from the
study's own images (Sivic & Zisserman 2003). With every descriptor the vocabulary holds its mirror image,
so that the words of a mirrored image follow from the image's own. Descriptors of OpenCV are whole
numbers up to 255: their products are exact in single precision, whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

from podura.seeds import generator

Floats = NDArray[np.float32]
Words = NDArray[np.uint16]

#: Most words without their mirror images; word w and w ^ 1 mirror each other.
VOCABULARY = 8192
# Descriptors a word at least: with as many words as descriptors each would be a word of its own, and
# the same place of two images never have one in common.
_PER_WORD = 8
# Low, so that cleared animals on an even ground still give features.
_CONTRAST = 0.01


@dataclass(frozen=True, eq=False)
class Features:
    """The strongest features of an image.

    ``places`` has the shape (features, 4): x and y in pixels, size in pixels, angle in radians.
    ``descriptors`` has the shape (features, 128).
    """

    places: Floats
    descriptors: NDArray[np.uint8]


def local_features(grey: NDArray[np.uint8], most: int) -> Features:
    """At most ``most`` features of a grey image (height, width), the strongest first."""
    points, descriptors = cv2.SIFT.create(most, contrastThreshold=_CONTRAST).detectAndCompute(grey, None)  # type: ignore[call-overload]
    if descriptors is None or not len(points):
        return Features(np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8))
    places = np.array([(*p.pt, p.size, np.deg2rad(p.angle)) for p in points], np.float32)
    strength = np.array([p.response for p in points])
    order = np.lexsort((places[:, 3], places[:, 1], places[:, 0], -strength))[:most]
    return Features(places[order], descriptors[order].astype(np.uint8))


def mirrored_descriptors(descriptors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What the descriptors (features, 128) would be in the mirror image."""
    # 4 × 4 places, rows across the feature's direction, of 8 directions each.
    cells = descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    return np.ascontiguousarray(cells[..., -np.arange(8) % 8].reshape(-1, 128))


class Vocabulary:
    """Visual words of a study."""

    def __init__(self, descriptors: Sequence[NDArray[np.uint8]]) -> None:
        """Draw the words from the descriptors of a sample of images."""
        every = np.concatenate([np.zeros((0, 128), np.uint8), *descriptors])
        # The same for the same images: pairs must not depend on the study's seed.
        chosen = generator(0, "visual words").permutation(len(every))
        chosen = chosen[: min(VOCABULARY, len(every) // _PER_WORD)]
        drawn = every[np.sort(chosen)]
        both = np.stack([drawn, mirrored_descriptors(drawn)], axis=1).reshape(-1, 128)
        self.size = len(both)
        self._index = faiss.IndexFlatL2(128)
        self._index.add(both.astype(np.float32))

    def words(self, descriptors: NDArray[np.uint8]) -> Words:
        """The word of each descriptor."""
        if not len(descriptors) or not self.size:
            return np.zeros(0, np.uint16)
        return self._index.search(descriptors.astype(np.float32), 1)[1][:, 0].astype(np.uint16)


def mirrored_words(words: Words) -> Words:
    """The words of the mirror image."""
    return words ^ np.uint16(1)
