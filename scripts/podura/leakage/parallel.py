"""Work on many values in threads, with results in order and few of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import cv2

S = TypeVar("S")
T = TypeVar("T")
#: Is told of what how many of how many are done.
Progress = Callable[[str, int, int], None]

#: Values in work at a time, whatever the number of threads.
CHUNK = 32


def in_order(
    work: Callable[[S], T], values: Sequence[S], threads: int, what: str, progress: Progress | None
) -> Iterator[T]:
    """Yield what ``work`` makes of each value, in the order of the values."""
    # One value a thread: OpenCV's own threads would only get into each other's way.
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for start in range(0, len(values), CHUNK):
            yield from pool.map(work, values[start : start + CHUNK])
            if progress is not None:
                progress(what, min(start + CHUNK, len(values)), len(values))
