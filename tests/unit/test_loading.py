"""Batches made by other processes: the same bytes, in order, and no process or word is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from podura.detectors.contract import Batch
from podura.errors import UserError
from podura.training import loading, sources
from podura.training.loading import BatchLoader, LoaderEndedError, PackedBatch
from podura.training.loop import TrainingStopped
from training_data import YOLO, equal, labelled_images, samples_of, training

PLACES = [(1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0)]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return labelled_images(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_make_the_same_batches_in_order(images, workers):
    samples = samples_of(images)
    with BatchLoader(samples, PLACES, workers) as loader:
        made = list(loader)
        assert loader.peak_memory_mb > 10 * workers
    for batch, place in zip(made, PLACES, strict=True):
        expected = samples.batch(*place)
        assert torch.equal(batch.images, expected.images)
        assert batch.images.dtype == torch.float32
        for ours, theirs in zip((batch.boxes, batch.labels), (expected.boxes, expected.labels), strict=True):
            assert all(map(torch.equal, ours, theirs))
            assert [tensor.dtype for tensor in ours] == [tensor.dtype for tensor in theirs]


def test_any_number_of_workers_gives_the_same_weights_also_when_broken_in_the_middle(images, tmp_path):
    def judge(averaged):
        return 0.5, 0.5

    def run(folder, **options):
        return training(images, tmp_path / folder, detector=YOLO, epochs=2, validate=judge, **options)

    alone = run("alone").run()
    for workers in (1, 2):
        assert equal(run(f"with {workers}", workers=workers).run().state, alone.state)
    calls = iter(range(1, 100))
    with pytest.raises(TrainingStopped):
        run("broken", workers=2, should_stop=lambda: next(calls) >= 2).run()
    continued = run("broken", workers=1)
    assert equal(continued.run().state, alone.state)


def test_workers_together_keep_no_more_images_than_one_process_would(images, monkeypatch):
    one = samples_of(images).source.sample(1, 0).pixels.nbytes
    monkeypatch.setattr(sources, "_KEPT_BYTES", 4 * one)
    for workers, kept in ((1, 4), (2, 2), (4, 1)):
        samples = samples_of(images)
        samples.source.divide_memory(workers)
        for index in range(6):
            samples.source.sample(1, index)
        assert len(samples.source._kept) == kept


@pytest.mark.parametrize("fine", [False, True])
def test_packing_loses_nothing(fine):
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(0, 256, (2, 3, 32, 64), dtype=np.uint8)).float() / 255
    images = pixels * 0.999 if fine else pixels
    boxes = (torch.rand(3, 4), torch.zeros(0, 4))
    packed = PackedBatch.of(Batch(images, boxes, (torch.tensor([1, 0, 1]), torch.zeros(0, dtype=torch.long))))
    assert packed.images.dtype == (np.float32 if fine else np.uint8)
    batch = packed.batch()
    assert torch.equal(batch.images, images)
    assert all(map(torch.equal, batch.boxes, boxes))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_is_named(tmp_path, workers):
    images = labelled_images(tmp_path)
    images[4].path.write_bytes(images[4].path.read_bytes()[:60])
    with pytest.raises(UserError, match=r"4\.png") as caught:
        training(images, tmp_path / "run", workers=workers).run()
    assert "Traceback" not in str(caught.value)


def test_what_a_worker_has_to_say_is_in_the_log_once(tmp_path, caplog):
    images = labelled_images(tmp_path, count=2)
    images[0].boxes[0, 2] = images[0].boxes[0, 0] + 0.1
    with BatchLoader(samples_of(images), [(epoch, 0) for epoch in range(1, 7)], 2) as loader:
        assert len(list(loader)) == 6
    assert caplog.text.count("0.png: 1 of 1 boxes are thinner than a pixel") == 1


def test_a_worker_that_is_killed_is_told_of_and_the_others_end(images):
    before = set(psutil.Process().children(recursive=True))
    with BatchLoader(samples_of(images), [(epoch, 0) for epoch in range(1, 200)], 2) as loader:
        batches = iter(loader)
        next(batches)
        os.kill(next(iter(loader._peaks)), signal.SIGKILL)
        with pytest.raises(LoaderEndedError, match=r"training\.workers"):
            list(batches)
    assert not alive_soon([p for p in psutil.Process().children(recursive=True) if p not in before])


def test_workers_killed_together_with_the_training_are_no_error(images, tmp_path, monkeypatch):
    """A signal to a whole job may reach its workers first: the training then saves and stops."""
    monkeypatch.setattr(loading.ProcessPoolExecutor, "submit", broken)
    asked = iter([False, False, True])
    stopped = training(images, tmp_path, workers=1, should_stop=lambda: next(asked, True))
    with pytest.raises(TrainingStopped):
        stopped.run()
    assert (tmp_path / "state.safetensors").is_file()
    alone = training(images, tmp_path, workers=1)
    with pytest.raises(UserError, match="killed, probably for want of memory"):
        alone.run()


def broken(*_given):
    raise loading.BrokenProcessPool("a process was terminated abruptly")


def alive_soon(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run after some seconds, the server that starts workers aside."""
    _, alive = psutil.wait_procs(processes, timeout=10)
    return [p for p in alive if p.is_running() and not {"forkserver", "resource_tracker"} & words(p)]


def words(process: psutil.Process) -> set[str]:
    try:
        text = " ".join(process.cmdline())
    except psutil.Error:
        return set()
    return {word for word in ("forkserver", "resource_tracker") if f"multiprocessing.{word}" in text}


SCRIPT = """
    import json, sys
    from pathlib import Path
    from training_data import YOLO, labelled_images, training
    from podura import jobs
    from podura.training.loop import TrainingStopped

    if __name__ == "__main__":
        folder = Path(sys.argv[1])
        images = labelled_images(folder)
        run = training(
            images, folder, detector=YOLO, epochs=1000, workers=2, should_stop=jobs.stop_request(),
            validate=lambda averaged: (0.5, 0.5),
        )
        step = run.stepper.step
        def told(*given):
            print("step", flush=True)
            return step(*given)
        run.stepper.step = told
        try:
            run.run()
        except TrainingStopped as stopped:
            print(stopped, flush=True)
"""


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        (signal.SIGTERM, True),
        pytest.param(signal.SIGKILL, False, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, True, marks=pytest.mark.slow),
    ],
)
def test_workers_end_with_the_training_whatever_ends_it(tmp_path, number, whole_group):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    root = Path(__file__).parents[2]
    job = subprocess.Popen(
        [sys.executable, script, tmp_path],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": f"{root / 'scripts'}:{root / 'tests'}"},
    )
    for _ in range(3):
        assert job.stdout.readline() == "step\n"
    processes = psutil.Process(job.pid).children(recursive=True)
    assert len(processes) >= 4  # two workers, and what starts and tracks them
    if whole_group:
        os.killpg(job.pid, number)
    else:
        os.kill(job.pid, number)
    printed = job.communicate(timeout=60)[0]
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert not alive
    assert ("stopped after step" in printed) == whole_group
    assert (tmp_path / "state.safetensors").is_file() == whole_group
