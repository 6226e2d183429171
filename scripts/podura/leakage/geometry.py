"""Whether two images show the same place: a transformation that fits, and whether pixels then agree.

Like images are not enough: slides of one species and stain look alike. A pair counts only if a similarity
transformation lays one image over the other and the structure in the overlap then correlates.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from podura.leakage.features import Features, mirrored_descriptors
from podura.leakage.thumbnails import Thumbnail

Matrix = NDArray[np.floating]

# Lowe's ratio, relaxed: RANSAC and the correlation weed out what is wrong.
_RATIO = 0.85
_RANSAC_PIXELS = 3.0
_FEWEST_INLIERS = 8
# Structure coarser than noise and finer than an animal, as standard deviations in pixels and as a share
# of the longer side. Outlines of two animals of one species can be laid over each other; what is fine
# in them, and what lies beside them, then does not agree.
_FINE, _COARSE = 1.2, 1 / 50
# Blocks along the longer side.
_BLOCKS, _SMALLEST_BLOCK = 20, 8
# A block counts if this share of it lies in the overlap, and agrees at this correlation.
_BLOCK_FILLED, _BLOCK_AGREES = 0.5, 0.5
_FEWEST_BLOCKS = 20
_LARGEST_SCALE = 4.0


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well a transformation lays the second image over the first.

    ``matrix`` (3 × 3) leads from pixels of the second to the first, full sizes. ``correlation`` is the
    mean normalised correlation of blocks, weighted by their contrast, from -1 to 1. ``shares`` tells how
    much of the first and of the second image the other one shows. ``blocks`` is the number of blocks
    that agree, ``inliers`` that of matching features (0 where none were needed).
    """

    matrix: Matrix
    correlation: float
    shares: tuple[float, float]
    blocks: int
    inliers: int


def word_inliers(
    first: NDArray[np.float32], second: NDArray[np.float32], mirrored: bool, tolerance: float
) -> int:
    """Most features of a common word that one similarity transformation explains.

    ``first`` and ``second`` (matches, 4) are places of features with the same word. Each match gives a
    transformation by its place, size and angle; those are counted that it carries over to within
    ``tolerance`` pixels.
    """
    if len(first) < 2:
        return len(first)
    z1 = first[:, 0] + 1j * first[:, 1]
    z2 = second[:, 0] + 1j * second[:, 1]
    angle2 = second[:, 3]
    if mirrored:
        z2, angle2 = z2.conj(), -angle2
    factor = first[:, 2] / second[:, 2] * np.exp(1j * (first[:, 3] - angle2))
    offset = z1 - factor * z2
    carried = factor[:, np.newaxis] * z2[np.newaxis, :] + offset[:, np.newaxis]
    near = np.abs(carried - z1[np.newaxis, :]) < tolerance
    # Sizes and angles of the others must say the same.
    ratio = factor[np.newaxis, :] / factor[:, np.newaxis]
    alike = (np.abs(np.log2(np.abs(ratio))) < 0.6) & (np.abs(np.angle(ratio)) < 0.4)
    return int((near & alike).sum(axis=1).max())


def matched(first: Features, second: Features, second_width: int) -> tuple[Matrix, int] | None:
    """The similarity, mirrored or not, that most features agree on, and how many do; None if too few.

    The matrix (3 × 3) leads from pixels of the second image to the first.
    """
    best: tuple[Matrix, int] | None = None
    for mirrored in (False, True):
        places = second.places[:, :2].astype(np.float64)
        descriptors = second.descriptors
        flip = np.eye(3)
        if mirrored:
            descriptors = mirrored_descriptors(descriptors)
            flip = np.array([[-1.0, 0, second_width - 1], [0, 1, 0], [0, 0, 1]])
            places = places * (-1, 1) + (second_width - 1, 0)
        pairs = _matches(first.descriptors, descriptors)
        if len(pairs) < _FEWEST_INLIERS:
            continue
        found, inside = cv2.estimateAffinePartial2D(
            places[pairs[:, 1]],
            first.places[pairs[:, 0], :2].astype(np.float64),
            method=cv2.RANSAC,
            ransacReprojThreshold=_RANSAC_PIXELS,
            maxIters=2000,
            confidence=0.995,
        )
        if found is None:
            continue
        inliers = int(inside.sum())
        scale = float(np.hypot(found[0, 0], found[1, 0]))
        if inliers < _FEWEST_INLIERS or not 1 / _LARGEST_SCALE <= scale <= _LARGEST_SCALE:
            continue
        if best is None or inliers > best[1]:
            best = np.vstack([found, [0, 0, 1]]) @ flip, inliers
    return best


def _matches(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Index pairs of descriptors that choose each other and clearly beat the next best."""
    if len(first) < 2 or len(second) < 2:
        return np.zeros((0, 2), np.int64)
    a, b = first.astype(np.float32), second.astype(np.float32)
    # Whole numbers below 2^24: exact, so the same on every machine and number of threads.
    distance = (a * a).sum(1)[:, np.newaxis] + (b * b).sum(1)[np.newaxis, :] - 2 * (a @ b.T)
    nearest = distance.argmin(axis=1)
    two = np.sqrt(np.maximum(np.partition(distance, 1, axis=1)[:, :2], 0))
    mutual = distance.argmin(axis=0)[nearest] == np.arange(len(a))
    kept = np.flatnonzero(mutual & (two[:, 0] <= _RATIO * two[:, 1]))
    return np.stack([kept, nearest[kept]], axis=1)


def whole_frame(first: Thumbnail, second: Thumbnail, mirrored: bool, turns: int) -> Matrix:
    """The matrix that lays the second image, mirrored and turned, over the whole of the first."""
    width, height = second.size
    flip = np.array([[-1.0, 0, width], [0, 1, 0], [0, 0, 1]]) if mirrored else np.eye(3)
    matrix = flip
    for _ in range(turns):
        # A quarter turn counter-clockwise of an image `width` wide: (x, y) to (y, width - x).
        matrix = np.array([[0.0, 1, 0], [-1, 0, width], [0, 0, 1]]) @ matrix
        width, height = height, width
    stretch = np.diag([first.size[0] / width, first.size[1] / height, 1.0])
    half = np.array([[1.0, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    return np.linalg.inv(half) @ stretch @ matrix @ half


def agreement(first: Thumbnail, second: Thumbnail, matrix: Matrix, inliers: int) -> Agreement | None:
    """How well the second thumbnail, laid over the first by the matrix, agrees; None where they miss."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if scale > 1:
        # Compare at the coarser of the two resolutions: what the other lacks must not count against it.
        turned = agreement(second, first, np.linalg.inv(matrix), inliers)
        if turned is None:
            return None
        a, b = turned.shares
        return Agreement(
            np.linalg.inv(turned.matrix), turned.correlation, (b, a), turned.blocks, turned.inliers
        )
    width, height = first.size
    grey = second.grey
    if scale < 0.8:
        # Warping samples points; without smoothing it would alias.
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.45 / scale), dtype=np.uint8)
    laid = np.asarray(
        cv2.warpAffine(grey, matrix[:2], (width, height), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8
    )
    inside = np.asarray(cv2.warpAffine(np.full_like(grey, 255), matrix[:2], (width, height))) > 127
    share_first = float(inside.mean())
    share_second = min(1.0, share_first * width * height / (scale**2 * second.size[0] * second.size[1]))
    if not inside.any():
        return None
    correlation, blocks = _correlation(_structure(first.grey), _structure(laid), inside)
    full = first.to_full @ matrix @ np.linalg.inv(second.to_full)
    return Agreement(full, correlation, (share_first, share_second), blocks, inliers)


def _structure(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = grey.astype(np.float32)
    coarse = max(2 * _FINE, _COARSE * max(grey.shape))
    return np.asarray(
        cv2.GaussianBlur(values, (0, 0), _FINE) - cv2.GaussianBlur(values, (0, 0), coarse), dtype=np.float32
    )


def _correlation(
    first: NDArray[np.float32], second: NDArray[np.float32], inside: NDArray[np.bool_]
) -> tuple[float, int]:
    """Mean correlation of blocks, weighted by their contrast, and the number of blocks that agree.

    Weighting by contrast lets animals and debris count and even ground hardly; taking it block by block
    keeps one dark thing, such as a scale bar, from speaking for the whole image.
    """
    mask = inside.astype(np.float32)
    side = max(_SMALLEST_BLOCK, max(inside.shape) // _BLOCKS)
    n = _sums(mask, side)
    kept = n >= _BLOCK_FILLED * side * side
    if not kept.any():
        return 0.0, 0
    n = n[kept]
    a, b = first * mask, second * mask
    mean_a, mean_b = _sums(a, side)[kept] / n, _sums(b, side)[kept] / n
    variance_a = np.maximum(_sums(a * first, side)[kept] / n - mean_a**2, 0)
    variance_b = np.maximum(_sums(b * second, side)[kept] / n - mean_b**2, 0)
    covariance = _sums(a * second, side)[kept] / n - mean_a * mean_b
    correlation = covariance / np.maximum(np.sqrt(variance_a * variance_b), 1e-6)
    # A change of contrast between the images must not make one of them count for more.
    spread_a, spread_b = np.sqrt(variance_a), np.sqrt(variance_b)
    weight = np.maximum(spread_a / max(spread_a.mean(), 1e-6), spread_b / max(spread_b.mean(), 1e-6))
    if weight.sum() <= 0:
        return 0.0, 0
    return float((weight * correlation).sum() / weight.sum()), int((correlation >= _BLOCK_AGREES).sum())


def _sums(values: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Sums over blocks of side × side pixels; the last ones are filled up with zeros."""
    height, width = values.shape
    padded = np.pad(values.astype(np.float64), ((0, -height % side), (0, -width % side)))
    rows, columns = padded.shape[0] // side, padded.shape[1] // side
    return padded.reshape(rows, side, columns, side).sum(axis=(1, 3))


def enough_blocks(found: Agreement) -> bool:
    """Whether so much of the overlap agrees that a single thing cannot account for it."""
    return found.blocks >= _FEWEST_BLOCKS
