"""Batches made ahead of time, by other processes if wanted: the same batches in the same order.

Every batch follows from its place alone (``TrainingSamples.batch``), so it does not matter who makes it.
Processes are started by a server that was begun afresh (forkserver) where there is Linux, else from
nothing (spawn): a process that has used torch's threads or a GPU cannot be copied (fork) safely. Batches
come through pipes, as bytes where they hold nothing finer, not through shared memory: /dev/shm is small in
many containers, and where it is full a process dies without a word.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from podura.detectors.contract import Batch
from podura.errors import UserError
from podura.training.memory import peak_memory_mb
from podura.training.samples import TrainingSamples

log = logging.getLogger(__name__)

#: Batches that each process is ahead of the training.
_AHEAD = 2


class LoaderEndedError(Exception):
    """A process that makes batches has ended by force."""


@dataclass(frozen=True)
class PackedBatch:
    """A batch as arrays, with what its making said and the peak memory (MB) of the process that made it."""

    images: NDArray[Any]
    boxes: tuple[NDArray[np.float32], ...]
    labels: tuple[NDArray[np.int64], ...]
    records: tuple[tuple[str, int, str], ...] = ()
    process: int = 0
    peak_memory_mb: float = 0.0

    @classmethod
    def of(cls, batch: Batch, records: Sequence[tuple[str, int, str]] = ()) -> PackedBatch:
        """Pack a batch: images go as bytes where that loses nothing."""
        short = (batch.images * 255).round_().to(torch.uint8)
        images = short if torch.equal(_long(short), batch.images) else batch.images
        return cls(
            images.numpy(),
            tuple(boxes.numpy() for boxes in batch.boxes),
            tuple(labels.numpy() for labels in batch.labels),
            tuple(records),
            os.getpid(),
            peak_memory_mb(),
        )

    def batch(self) -> Batch:
        images = torch.from_numpy(self.images)
        return Batch(
            _long(images) if images.dtype == torch.uint8 else images,
            tuple(map(torch.from_numpy, self.boxes)),
            tuple(map(torch.from_numpy, self.labels)),
        )


class BatchLoader:
    """The batches at ``places`` (epoch, number), in this order; a context manager that ends its processes.

    Iterating raises UserError where an image cannot be read, LoaderEndedError where a process was killed.
    """

    def __init__(self, samples: TrainingSamples, places: Iterable[tuple[int, int]], workers: int) -> None:
        self.samples, self.places, self.workers = samples, places, workers
        self._pool: ProcessPoolExecutor | None = None
        self._peaks: dict[int, float] = {}
        self._told: set[tuple[str, int, str]] = set()

    @property
    def peak_memory_mb(self) -> float:
        """Peak resident memory of all its processes together so far, in MB (10^6 bytes)."""
        return sum(self._peaks.values())

    def __enter__(self) -> Self:
        if self.workers:
            context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
            if sys.platform == "linux":
                context.set_forkserver_preload(["numpy", "pandas", "PIL.Image", "torch"])
            self._pool = ProcessPoolExecutor(
                self.workers, mp_context=context, initializer=_begin, initargs=(self.samples, self.workers)
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[Batch]:
        if self._pool is None:
            yield from (self.samples.batch(*place) for place in self.places)
            return
        waiting: deque[Future[PackedBatch]] = deque()
        try:
            for place in self.places:
                waiting.append(self._pool.submit(_make, *place))
                if len(waiting) > _AHEAD * self.workers:
                    yield self._unpacked(waiting.popleft().result())
            while waiting:
                yield self._unpacked(waiting.popleft().result())
        except BrokenProcessPool as error:
            raise LoaderEndedError(
                "a process that makes batches was killed, probably for want of memory. Write a smaller "
                "training.workers, or give the job more memory"
            ) from error

    def _unpacked(self, packed: PackedBatch) -> Batch:
        self._peaks[packed.process] = packed.peak_memory_mb
        # Each process tells of an image when it first meets it; the log is told once.
        for record in packed.records:
            if record not in self._told:
                self._told.add(record)
                name, level, message = record
                logging.getLogger(name).log(level, "%s", message)
        return packed.batch()


class _Records(logging.Handler):
    """Keeps what is logged, for the process that has the log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.kept: list[tuple[str, int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append((record.name, record.levelno, record.getMessage()))


# Of a process that makes batches.
_samples: TrainingSamples
_records: _Records


def _begin(samples: TrainingSamples, workers: int) -> None:
    global _samples, _records
    _samples, _records = samples, _Records()
    samples.source.divide_memory(workers)
    torch.set_num_threads(1)
    # Ctrl-C reaches all processes of a terminal: the training ends itself, and then its loaders.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, handlers=[_records], force=True)
    logging.captureWarnings(True)
    threading.Thread(target=_end_with_training, daemon=True).start()


def _end_with_training() -> None:
    training = multiprocessing.parent_process()
    if training is not None:
        training.join()
        os._exit(1)


def _make(epoch: int, number: int) -> PackedBatch:
    try:
        batch = _samples.batch(epoch, number)
    except UserError as error:
        # A subclass would not come through the pipe as it was.
        raise UserError(str(error)) from None
    records, _records.kept = _records.kept, []
    return PackedBatch.of(batch, records)


def _long(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 255
