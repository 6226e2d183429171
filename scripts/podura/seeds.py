"""Random generators that follow from a seed and the place of use, never from order or time."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.random import Generator


def generator(seed: int, *place: int | str) -> Generator:
    """Return a generator for one place of use, such as ``generator(seed, "order", epoch)``.

    The same seed and place give the same numbers on every machine, in whatever order places are used.
    """
    # Python's own hash of a text changes from run to run; parts are kept apart by their lengths.
    text = "".join(f"{len(str(part))}:{part}" for part in place)
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "big")])
