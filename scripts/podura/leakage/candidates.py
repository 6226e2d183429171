"""Which of all pairs of images are worth a look: from their signatures, without reading them again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import faiss
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from podura.leakage.features import Words, mirrored_words
from podura.leakage.geometry import word_inliers
from podura.leakage.hashes import neighbours
from podura.leakage.signatures import Signature
from podura.leakage.thumbnails import SIDE

#: Orientations in which a whole image may equal another: (mirrored, quarter turns).
Hints = set[tuple[bool, int]]

#: Common words that one transformation must explain before the images are read again.
FEWEST_INLIERS = 5
# In studies this small all pairs are worth a look, and words too few to choose among them.
_ALL_PAIRS = 20
# How exactly place, size and angle of one feature tell where the others lie, in pixels.
_TOLERANCE = 0.04 * SIDE
_ROWS = 64
# A word in more images than this, or than this share of them, says little and costs much.
_COMMON, _COMMON_SHARE = 2000, 0.05
# Of an image the rarest words are looked up, until they have led to so many images. From about 25,000
# images on the common ones are left out thereby, and the search stays linear in the number of images.
_LOOKED_UP = 100_000


def candidate_pairs(found: Sequence[Signature], most: int) -> dict[tuple[int, int], Hints]:
    """Pairs (first < second) that may show the same, with the orientations that hashes suggest.

    Sources are perceptual hashes, common visual words in a consistent arrangement and, where the
    signatures hold them, embeddings. Each gives an image at most ``most`` others.
    """
    pairs: dict[tuple[int, int], Hints] = {}
    if len(found) < 2:
        return pairs
    for first, second, mirrored, turns in neighbours(np.stack([one.hash for one in found]), most):
        pairs.setdefault((first, second), set()).add((mirrored, turns))
    if len(found) <= _ALL_PAIRS:
        for first, second in itertools.combinations(range(len(found)), 2):
            pairs.setdefault((first, second), set())
        return dict(sorted(pairs.items()))
    for first, second in _by_words(found, most):
        pairs.setdefault((first, second), set())
    for first, second in _by_embedding(found, most):
        if any(_consistent(found[first], found[second], mirrored) for mirrored in (False, True)):
            pairs.setdefault((first, second), set())
    return dict(sorted(pairs.items()))


def _by_words(found: Sequence[Signature], most: int) -> Iterator[tuple[int, int]]:
    """Pairs with common words, as they are or mirrored, that one transformation explains."""
    plain = _incidence([one.words for one in found])
    per_image = np.bincount(plain.indices, minlength=plain.shape[1])
    weights = np.log1p(len(found) / np.maximum(per_image, 1)) * (
        per_image <= max(_COMMON, _COMMON_SHARE * len(found))
    )
    columns = plain.T.tocsr()
    for mirrored in (False, True):
        rows = _incidence([mirrored_words(one.words) for one in found]) if mirrored else plain
        for start in range(0, len(found), _ROWS):
            part = _rarest(rows[start : start + _ROWS], per_image)
            score = (part.multiply(weights[np.newaxis, :]).tocsr() @ columns).tocsr()
            for row in range(part.shape[0]):
                second = start + row
                for first in _best(score, row, second, most):
                    if _consistent(found[first], found[second], mirrored):
                        yield min(first, second), max(first, second)


def _incidence(words: Sequence[Words]) -> scipy.sparse.csr_matrix:
    """Which image (row) has which word (column)."""
    ends = np.cumsum([0, *(len(one) for one in words)])
    indices = np.concatenate(words).astype(np.int32)
    data = np.ones(len(indices), np.float32)
    return scipy.sparse.csr_matrix((data, indices, ends), shape=(len(words), 1 << 16))


def _rarest(part: scipy.sparse.csr_matrix, per_image: NDArray[np.int64]) -> scipy.sparse.csr_matrix:
    """Of each row the rarest words, as many as lead to ``_LOOKED_UP`` images."""
    counts = per_image[part.indices].astype(np.int64)
    row = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
    order = np.lexsort((part.indices, counts, row))
    led_to = np.concatenate([[0], np.cumsum(counts[order])])
    kept = np.zeros(len(counts), dtype=bool)
    kept[order] = led_to[1:] - led_to[part.indptr[row]] <= _LOOKED_UP
    part.data *= kept
    part.eliminate_zeros()
    return part


def _best(score: scipy.sparse.csr_matrix, row: int, own: int, most: int) -> list[int]:
    """The images with most weight in common with this one, itself aside."""
    span = slice(score.indptr[row], score.indptr[row + 1])
    kept = score.indices[span] != own
    others, values = score.indices[span][kept], score.data[span][kept]
    if len(values) > most:
        # In a large study nearly every image has some word in common: only the best are put in order.
        near = values >= np.partition(values, -most)[-most]
        others, values = others[near], values[near]
    order = np.lexsort((others, -values))[:most]
    return [int(other) for other in others[order]]


def _consistent(first: Signature, second: Signature, mirrored: bool) -> bool:
    other = mirrored_words(second.words) if mirrored else second.words
    _, at_first, at_second = np.intersect1d(first.words, other, assume_unique=True, return_indices=True)
    if len(at_first) < FEWEST_INLIERS:
        return False
    a = first.places[at_first].astype(np.float32)
    b = second.places[at_second].astype(np.float32)
    return word_inliers(a, b, mirrored, _TOLERANCE) >= FEWEST_INLIERS


def _by_embedding(found: Sequence[Signature], most: int) -> Iterator[tuple[int, int]]:
    """Pairs that a network finds alike, in the study's own spread; the most alike of each image."""
    if not len(found[0].embedding):
        return
    vectors = np.stack([one.embedding for one in found]).astype(np.float32)
    # Whole numbers again, of length 1000: sums stay below 2^24 and thus exact, whatever the threads.
    vectors -= np.rint(vectors.mean(axis=0, dtype=np.float64)).astype(np.float32)
    lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True, dtype=np.float64))
    vectors = np.rint(1000 * vectors / np.maximum(lengths, 1)).astype(np.float32)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    _, nearest = index.search(vectors, min(most + 1, len(found)))
    for first, row in enumerate(nearest.tolist()):
        for second in row:
            if second >= 0 and second != first:
                yield min(first, second), max(first, second)
