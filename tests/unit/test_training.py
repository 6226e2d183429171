"""The loop: the same seed gives the same bytes, another seed another run, and a broken run continues."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from podura.configuration.study import AugmentationSettings, OptimiserSettings
from podura.detectors.catalogue import build_detector
from podura.training.averaging import WeightAverage
from podura.training.loop import LoopSettings, Training, TrainingStopped
from podura.training.samples import LabelledImage, TrainingSamples
from podura.training.schedule import learning_rate, make_optimiser
from podura.training.seeds import be_deterministic, seed_torch

SPECIES = ["DARK", "LIGHT"]
OPTIMISER = OptimiserSettings("adamw", 1e-3, 5e-4, 0.1)
AUGMENTATION = AugmentationSettings(flips=True, quarter_turns=True, brightness=0.2, colour=0.1)
DETECTORS = [("ultralytics", "yolov5n"), ("torchvision", "fasterrcnn_lite0")]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Six images with one dark or light rectangle each."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    made = []
    for number in range(6):
        pixels = np.full((96, 128, 3), 150, dtype=np.uint8)
        left, top = random.integers(5, 60, 2)
        label = number % 2
        pixels[top : top + 30, left : left + 40] = (30, 240)[label]
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        box = np.array([[left, top, left + 40, top + 30]], dtype=float)
        made.append(LabelledImage(path.name, path, box, np.array([label])))
    return made


def training(labelled, folder, *, detector=DETECTORS[0], seed=1, epochs=2, **options):
    device = torch.device("cpu")
    be_deterministic(device, 1)
    seed_torch(seed, "weights")
    model = build_detector(*detector, SPECIES)
    samples = TrainingSamples(labelled, image_size=128, batch_size=2, augmentation=AUGMENTATION, seed=seed)
    return Training(
        model,
        samples,
        options.pop("validate", lambda detector: (0.5, 0.5)),
        LoopSettings(epochs, OPTIMISER, 0.9, seed, device, options.pop("checkpoint_seconds", 1e9)),
        checkpoint=folder / "state.safetensors",
        identity=options.pop("identity", "same"),
        **options,
    )


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


@pytest.mark.parametrize("detector", DETECTORS)
def test_same_seed_same_weights_and_another_seed_others(labelled, tmp_path, detector):
    first = training(labelled, tmp_path, detector=detector).run()
    again = training(labelled, tmp_path, detector=detector).run()
    other = training(labelled, tmp_path, detector=detector, seed=2).run()
    assert equal(first.state, again.state)
    differing = [
        n for n, t in first.state.items() if t.is_floating_point() and not equal({0: t}, {0: other.state[n]})
    ]
    assert len(differing) > 0.5 * len(first.state)
    untimed = ("epoch", "step", "loss", "loss_parts", "learning_rate", "kept")
    for one, two in zip(first.history, again.history, strict=True):
        assert [one[key] for key in untimed] == [two[key] for key in untimed]


def test_another_seed_shows_the_images_in_another_order(labelled):
    def orders(seed):
        samples = TrainingSamples(labelled, image_size=64, batch_size=2, augmentation=AUGMENTATION, seed=seed)
        return [samples.order(epoch) for epoch in (1, 2, 3)]

    assert orders(1) == orders(1)
    assert orders(1) != orders(2)
    assert len({str(order) for order in orders(1)}) > 1
    for order in orders(1):
        assert sorted(index for batch in order for index in batch) == list(range(6))


def test_a_batch_follows_from_its_epoch_and_number_in_any_process(labelled):
    samples = TrainingSamples(labelled, image_size=64, batch_size=2, augmentation=AUGMENTATION, seed=1)
    in_order = [batch for epoch in (1, 2) for batch in samples.batches(epoch)]
    copied = pickle.loads(pickle.dumps(samples))
    backwards = [copied.batch(epoch, number) for epoch in (2, 1) for number in (2, 1, 0)][::-1]
    for one, two in zip(in_order, backwards, strict=True):
        assert torch.equal(one.images, two.images)
        assert all(torch.equal(*pair) for pair in zip(one.boxes, two.boxes, strict=True))
        assert all(torch.equal(*pair) for pair in zip(one.labels, two.labels, strict=True))
    with pytest.raises(IndexError):
        samples.batch(1, 3)
    assert len(pickle.dumps(samples)) < 10_000, "images that it keeps stay behind"


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("stop_after", [1, 3, 4])
def test_a_training_stopped_at_any_step_ends_with_the_same_bytes(labelled, tmp_path, detector, stop_after):
    unbroken = training(labelled, tmp_path / "unbroken", detector=detector).run()
    calls = iter(range(1, 100))
    broken = training(labelled, tmp_path, detector=detector, should_stop=lambda: next(calls) >= stop_after)
    with pytest.raises(TrainingStopped):
        broken.run()
    continued = training(labelled, tmp_path, detector=detector)
    result = continued.run()
    assert equal(unbroken.state, result.state)
    assert [row["loss"] for row in result.history] == [row["loss"] for row in unbroken.history]


def test_a_checkpoint_of_another_training_or_a_broken_one_is_not_continued(labelled, tmp_path, caplog):
    calls = iter(range(1, 100))
    stopped = training(labelled, tmp_path, should_stop=lambda: next(calls) >= 2)
    with pytest.raises(TrainingStopped):
        stopped.run()
    other = training(labelled, tmp_path, identity="other data")
    other._resume()
    assert other.progress.step == 0
    file = tmp_path / "state.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    same = training(labelled, tmp_path)
    same._resume()
    assert same.progress.step == 0
    assert "afresh" in caplog.text


def test_checkpoints_are_written_while_training(labelled, tmp_path):
    training(labelled, tmp_path, checkpoint_seconds=0).run()
    assert (tmp_path / "state.safetensors").is_file()


def test_the_best_epoch_on_validation_is_kept(labelled, tmp_path):
    scores = iter([(0.2, 0.1), (0.6, 0.5), (0.4, 0.3)])
    seen = []

    def validate(detector):
        assert not detector.training
        seen.append({n: t.clone() for n, t in detector.state_dict().items()})
        return next(scores)

    trained = training(labelled, tmp_path, epochs=3, validate=validate).run()
    assert trained.best_epoch == 2
    assert [row["kept"] for row in trained.history] == [True, True, False]
    assert equal(trained.state, seen[1])


def test_without_validation_truth_the_last_weights_are_kept(labelled, tmp_path):
    trained = training(labelled, tmp_path, validate=lambda detector: (math.nan, math.nan)).run()
    assert trained.best_epoch == 2


def test_it_learns(labelled, tmp_path):
    trained = training(labelled, tmp_path, epochs=12).run()
    assert trained.history[-1]["loss"] < 0.8 * trained.history[0]["loss"]


def test_learning_rate_rises_then_falls_to_two_percent():
    rates = [learning_rate(step, 100, OPTIMISER) for step in range(100)]
    assert rates[9] == pytest.approx(OPTIMISER.learning_rate)
    assert all(np.diff(rates[:10]) > 0)
    assert all(np.diff(rates[10:]) <= 0)
    assert rates[-1] == pytest.approx(0.02 * OPTIMISER.learning_rate, rel=0.05)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_norms_and_biases_are_not_decayed(name):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimiser = make_optimiser(model, OptimiserSettings(name, 1e-3, 0.01, 0.1))
    decayed, plain = optimiser.param_groups
    assert [p.ndim for p in decayed["params"]] == [4]
    assert decayed["weight_decay"] == 0.01
    assert plain["weight_decay"] == 0


def test_the_average_follows_the_weights_with_its_decay():
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
        average = WeightAverage(model, decay=0.5)
        model.weight.fill_(1.0)
        average.update(step=1000)
    assert average.state["weight"].item() == pytest.approx(0.5)
