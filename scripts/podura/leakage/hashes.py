"""Perceptual hashes that know the eight orientations of an image.

The hash holds the signs of the lowest coefficients of the cosine transform of the reduced grey image
(Zauner 2010, "Implementation and benchmarking of perceptual image hash functions"). Signs in place of
comparisons with the median let the hash of a turned or mirrored image follow from the image's own:
mirroring changes the sign of the odd coefficients, transposing exchanges rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

Hash = NDArray[np.uint8]

_REDUCED = 64
_KEPT = 16
BITS = _KEPT * _KEPT
#: Hashes of unrelated images differ in about half of the bits, those of copies in fewer than this.
RADIUS = 40
_CHUNK = 2048

#: (mirrored left to right, quarter turns counter-clockwise after that): all eight orientations.
ORIENTATIONS = tuple((mirrored, turns) for mirrored in (False, True) for turns in range(4))


def perceptual_hash(grey: NDArray[np.uint8]) -> Hash:
    """The hash of a grey image (height, width): ``BITS`` bits packed into bytes."""
    small = cv2.resize(grey, (_REDUCED, _REDUCED), interpolation=cv2.INTER_AREA).astype(np.float64)
    return _packed(cv2.dct(small)[:_KEPT, :_KEPT] > 0)


def _packed(bits: NDArray[np.bool_]) -> Hash:
    flat = bits.copy()
    flat[0, 0] = False  # the mean brightness is always positive and says nothing
    return np.packbits(flat.reshape(-1))


def oriented(value: Hash, mirrored: bool, turns: int) -> Hash:
    """The hash that the image would have mirrored left to right and then turned counter-clockwise."""
    bits = np.unpackbits(value).reshape(_KEPT, _KEPT).astype(bool)
    odd = np.arange(_KEPT) % 2 == 1
    if mirrored:
        bits = bits ^ odd[np.newaxis, :]
    for _ in range(turns):
        # A quarter turn counter-clockwise is a transposition and then a reflection top to bottom.
        bits = bits.T ^ odd[:, np.newaxis]
    return _packed(bits)


def neighbours(hashes: NDArray[np.uint8], most: int) -> Iterator[tuple[int, int, bool, int]]:
    """Pairs of images with like hashes: (first, second, mirrored, turns), each pair once an orientation.

    ``hashes`` has the shape (images, BITS / 8). The second image, so mirrored and turned, is like the
    first. At most ``most`` neighbours are taken for an image and orientation. Hashes are found by
    shared substrings (multi-index hashing; Norouzi, Punjani & Fleet 2012), one flipped bit allowed in
    each, so time grows nearly in proportion to the images.
    """
    number = len(hashes)
    if number < 2:
        return
    index = faiss.IndexBinaryMultiHash(BITS, 16, 16)
    index.nflip = 1
    index.add(np.ascontiguousarray(hashes))
    for mirrored, turns in ORIENTATIONS:
        own = 1 if (mirrored, turns) == (False, 0) else 0
        for start in range(0, number, _CHUNK):
            chunk = np.stack([oriented(value, mirrored, turns) for value in hashes[start : start + _CHUNK]])
            distances, found = index.search(chunk, most + own)
            rows, columns = np.nonzero((found >= 0) & (distances <= RADIUS))
            for second, first in sorted(
                zip((rows + start).tolist(), found[rows, columns].tolist(), strict=True)
            ):
                if first < second:
                    yield first, second, mirrored, turns
