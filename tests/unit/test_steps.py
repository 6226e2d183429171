"""One step: the same whatever memory and precision there is for it, and refused where it would do harm."""

from __future__ import annotations

import functools
import logging
import math
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from podura.configuration.study import OptimiserSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch
from podura.errors import UserError
from podura.training import memory
from podura.training.memory import fitting_images, is_out_of_memory, usable_memory
from podura.training.precision import choose_precision
from podura.training.schedule import make_optimiser, set_rate
from podura.training.seeds import be_deterministic, noting_nondeterminism, seed_torch
from podura.training.stepping import NonFiniteLossError, Passes, Stepper, portions
from training_data import (
    CPU,
    FASTER_RCNN,
    OPTIMISER,
    SPECIES,
    YOLO,
    SmallDetector,
    equal,
    labelled_images,
    samples_of,
    training,
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return labelled_images(tmp_path_factory.mktemp("images"), count=8)


class Plain(SmallDetector):
    """Without batch statistics and chance, so that parts of a batch add up to it."""

    def __init__(self) -> None:
        super().__init__()
        self.body[1] = nn.Identity()

    def loss(self, batch):
        self.eval()
        return super().loss(batch)


def stepper(detector, *, images=1000, precision="float32", optimiser=OPTIMISER):
    made = Stepper(detector, optimiser, seed=1, device=CPU, precision=precision)
    made.passes.images = images
    return made


@pytest.mark.parametrize("at_once", [1, 3, 4, 7])
def test_a_step_in_parts_is_the_step_of_the_whole_batch(images, at_once):
    batch = samples_of(images, batch=8).batch(1, 0)
    made = []
    for number in (8, at_once):
        seed_torch(1, "weights")
        one = stepper(Plain(), images=number)
        parts = one.step(batch, 0, 1e-3)
        made.append((parts, [parameter.grad.clone() for parameter in one.detector.parameters()]))
    (whole, whole_gradients), (parts, gradients) = made
    assert parts == pytest.approx(whole, rel=1e-5)
    for one, two in zip(gradients, whole_gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("count", range(1, 20))
@pytest.mark.parametrize("most", [1, 2, 3, 5, 16])
def test_portions_are_few_even_and_complete(count, most):
    made = list(portions(count, most))
    sizes = [stop - start for start, stop in made]
    assert [place for start, stop in made for place in range(start, stop)] == list(range(count))
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == math.ceil(count / most)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 5.00 GB, other allocations: 1.00 GB)"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "mps", "cudnn", "numpy"],
)
def test_out_of_memory_halves_what_passes_at_once_and_leaves_no_trace(images, tmp_path, caplog, error):
    detector = functools.partial(SmallDetector, holds=2, error=error)
    trained = training(images, tmp_path, detector=detector, batch=8).run()
    passes = trained.progress.passes
    assert passes.halvings == [{"step": 1, "from": 8, "to": 4}, {"step": 1, "from": 4, "to": 2}]
    assert [row["micro_batch"] for row in trained.history] == [2, 2, 2]
    assert trained.progress.images_seen == 3 * 8
    assert "in step 1 with 8 images at once: from here on 4" in caplog.text
    # What failed moved neither weights nor batch statistics: all is as if two had been tried at once.
    plain = training(images, tmp_path / "two", batch=8)
    plain.progress.passes.images = 2
    assert equal(plain.run().state, trained.state)


def test_a_real_allocator_is_understood():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_memory_for_not_even_one_image_is_refused_with_a_way_out(images, tmp_path):
    with pytest.raises(UserError, match="smaller image_size"):
        training(images, tmp_path, detector=functools.partial(SmallDetector, holds=0), batch=8).run()


def test_other_errors_are_not_taken_for_want_of_memory(images, tmp_path):
    detector = functools.partial(SmallDetector, holds=0, error=RuntimeError("a fault of the framework"))
    with pytest.raises(RuntimeError, match="a fault of the framework"):
        training(images, tmp_path, detector=detector).run()


def test_the_batch_that_fits_is_found_by_trying_and_nothing_moves(images):
    batch = samples_of(images, batch=8).batch(1, 0)
    detector = SmallDetector(holds=3)
    assert memory._halved(8, lambda count: memory._runs(detector, batch, count, "float32", CPU)) == 2
    assert detector.sizes == [8, 4, 2]
    detector.zero_grad()
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    assert fitting_images(detector, batch, "float32", CPU, usable=10**12) == 8
    assert equal(dict(detector.state_dict()), before)
    assert all(parameter.grad is None for parameter in detector.parameters())


@pytest.mark.parametrize("choice", [YOLO, FASTER_RCNN], ids=str)
def test_without_a_gpu_the_batch_is_reckoned_from_what_an_image_keeps(images, choice):
    detector, batch = build_detector(*choice, SPECIES), samples_of(images, batch=8).batch(1, 0)
    found = [fitting_images(detector, batch, "float32", CPU, usable=usable) for usable in (10**6, 10**12)]
    assert found == [1, 8]
    kept = memory._kept_bytes(detector, memory.part(memory._square(batch), 0, 1, CPU), "float32", CPU)
    assert fitting_images(detector, batch, "float32", CPU, usable=int(kept * 2 * 4 * 5)) in {2, 4}
    assert 10**6 < kept < 10**9
    assert 10**8 < usable_memory() < 10**14


def test_an_automatic_batch_counts_the_same_images_with_little_memory(images, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "usable_memory", lambda: 10**5)
    trained = training(images, tmp_path, batch=8, fit_memory=True).run()
    assert trained.progress.passes == Passes(images=1)
    assert trained.progress.images_seen == 3 * 8


@pytest.mark.parametrize("choice", [YOLO, FASTER_RCNN], ids=str)
def test_bfloat16_learns_and_saves_float32(images, tmp_path, choice):
    trained = training(
        images,
        tmp_path,
        detector=choice,
        size=96,
        batch=4,
        epochs=10,
        optimiser=OptimiserSettings("adamw", 3e-3, 5e-4, 0.1),
        precision="bfloat16",
        validate=lambda averaged: (0.5, 0.5),
    ).run()
    assert trained.history[-1]["loss"] < 0.9 * trained.history[0]["loss"]
    assert {tensor.dtype for tensor in trained.state.values()} <= {torch.float32, torch.int64}
    assert all(tensor.isfinite().all() for tensor in trained.state.values())


def test_precision_follows_the_device(monkeypatch):
    assert choose_precision("auto", CPU) == "float32"
    assert choose_precision("auto", torch.device("mps")) == "float32"
    assert choose_precision("bfloat16", CPU) == "bfloat16"
    for supported, expected in ((True, "bfloat16"), (False, "float16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda supported=supported, **_: supported)
        assert choose_precision("auto", torch.device("cuda", 0)) == expected


class Overflowing(SmallDetector):
    """Its loss overflows where ``overflows`` says so of the pass (from 1)."""

    def __init__(self, overflows) -> None:
        super().__init__()
        self.overflows = overflows

    def loss(self, batch):
        parts = super().loss(batch)
        factor = float("inf") if self.overflows(len(self.sizes)) else 1.0
        return {name: value * factor for name, value in parts.items()}


def test_in_float16_a_step_that_overflows_is_left_out_and_counted(images, tmp_path):
    detector = functools.partial(Overflowing, lambda number: number in {2, 3})
    broken = training(images, tmp_path, detector=detector, precision="float16", epochs=2)
    before, left_out = {}, []
    step = broken.stepper.step

    def compared(batch, number, rate):
        before.update({n: t.clone() for n, t in broken.detector.state_dict().items()})
        parts = step(batch, number, rate)
        if number in {1, 2}:
            assert parts is None
        if parts is None:
            left_out.append(number)
            assert equal(before, dict(broken.detector.state_dict()))
        return parts

    broken.stepper.step = compared
    trained = broken.run()
    # The search for the scale that gradients bear begins too high, and may leave out steps of its own.
    assert trained.progress.passes.skipped == len(left_out) < 5
    assert trained.progress.passes.scaler["scale"] == 2.0 ** (16 - len(left_out))
    assert trained.progress.step == 8
    assert math.isfinite(trained.history[0]["loss"])


def test_in_float16_endless_overflow_stops(images, tmp_path):
    detector = functools.partial(Overflowing, lambda number: number > 4)
    with pytest.raises(UserError, match="not finite at step 35"):
        training(images, tmp_path, detector=detector, precision="float16", epochs=20).run()


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_stops_with_step_images_and_sound_weights(images, tmp_path, where):
    class Broken(SmallDetector):
        def loss(self, batch):
            parts = super().loss(batch)
            if len(self.sizes) == 6:
                root = torch.sqrt(self.head.weight * 0).sum()  # 0, of infinite slope
                parts["root"] = root if where == "gradient" else root / 0
            return parts

    broken = training(images, tmp_path, detector=Broken)
    names = broken.samples.names(2, 1)
    with pytest.raises(UserError, match=rf"step 6 of 12 .*{names[0]}, {names[1]}.*learning_rate") as caught:
        broken.run()
    assert "root" in str(caught.value)
    kept = load_file(tmp_path / "state.safetensors")
    assert all(tensor.isfinite().all() for tensor in kept.values())
    unbroken = training(images, tmp_path / "unbroken", detector=SmallDetector, should_stop=after(5))
    with pytest.raises(Exception, match="step 5"):
        unbroken.run()
    assert equal(kept, load_file(tmp_path / "unbroken" / "state.safetensors"))


def after(steps):
    calls = iter(range(1, 1000))
    # One call more at the end of each epoch, of four steps here.
    return lambda: next(calls) >= steps + (steps - 1) // 4


def test_a_step_refused_leaves_the_average_out(images):
    detector = Overflowing(lambda number: True)
    with pytest.raises(NonFiniteLossError, match="inf"):
        stepper(detector).step(samples_of(images).batch(1, 0), 0, 1e-3)


@pytest.mark.parametrize("choice", [YOLO, FASTER_RCNN], ids=str)
def test_an_image_with_1500_boxes_is_learnt_from(choice):
    be_deterministic(CPU, 1)
    random = np.random.default_rng(0)
    corners = random.uniform(0, 300, (1500, 2))
    boxes = torch.from_numpy(np.hstack([corners, corners + random.uniform(6, 20, (1500, 2))])).float()
    labels = torch.from_numpy(random.integers(0, 2, 1500))
    images = torch.from_numpy(random.random((2, 3, 320, 320), dtype=np.float32))
    batch = Batch(images, (boxes, boxes[:3]), (labels, labels[:3]))
    seed_torch(1, "weights")
    one = stepper(build_detector(*choice, SPECIES).train())
    parts = one.step(batch, 0, 1e-4)
    assert parts is not None
    assert all(map(math.isfinite, parts.values()))
    assert memory.peak_memory_mb() < 6000


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_the_optimiser_in_one_pass_does_what_the_plain_one_does(name, images):
    settings = OptimiserSettings(name, 1e-2, 0.05, 0.1)
    batch = samples_of(images).batch(1, 0)
    batch = Batch(batch.images.double(), batch.boxes, batch.labels)
    made = []
    for fused in (True, False):
        seed_torch(1, "weights")
        detector = SmallDetector().double().to(memory_format=torch.channels_last)
        optimiser = make_optimiser(detector, settings)
        if not fused:
            groups = [{k: group[k] for k in ("params", "weight_decay")} for group in optimiser.param_groups]
            more = {"momentum": 0.9, "nesterov": True} if name == "sgd" else {}
            kind = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[name]
            optimiser = kind(groups, lr=1e-2, foreach=False, **more)
        for number in range(5):
            seed_torch(1, "step", number)
            optimiser.zero_grad()
            sum(detector.loss(batch).values()).backward()
            for group in optimiser.param_groups:
                group["lr"] = 1e-2
            optimiser.step()
        made.append({n: t.detach().clone() for n, t in detector.state_dict().items()})
    for key, tensor in made[0].items():
        torch.testing.assert_close(tensor, made[1][key], rtol=1e-6, atol=1e-9)


def test_taking_memory_moves_nothing():
    for name in ("adamw", "sgd"):
        seed_torch(1, "weights")
        detector = SmallDetector()
        before = {n: t.clone() for n, t in detector.state_dict().items()}
        optimiser = make_optimiser(detector, OptimiserSettings(name, 1e-2, 0.05, 0.1))
        assert equal(before, dict(detector.state_dict()))
        values = [value for state in optimiser.state.values() for value in state.values()]
        assert len(values) >= len(list(detector.parameters()))
        assert all((value == 0).all() for value in values)


def test_the_backbone_learns_at_its_share_of_the_rate():
    settings = OptimiserSettings("sgd", 1e-2, 0.05, 0.1, backbone_share=0.1)
    detector = SmallDetector()
    optimiser = make_optimiser(detector, settings, detector.body.parameters())
    set_rate(optimiser, 0.5)
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    for name, parameter in detector.named_parameters():
        assert rates[id(parameter)] == pytest.approx(0.05 if name.startswith("body") else 0.5)
    assert len(rates) == len(list(detector.parameters()))
    before = {n: p.detach().clone() for n, p in detector.named_parameters()}
    for parameter in detector.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    moved = {n: (before[n] - p).abs().mean().item() for n, p in detector.named_parameters()}
    assert moved["body.0.bias"] == pytest.approx(0.1 * moved["head.bias"], rel=1e-3)


def test_faster_rcnn_knows_its_backbone():
    detector = build_detector(*FASTER_RCNN, SPECIES)
    backbone = {id(p) for p in detector.backbone_parameters()}
    inside = {id(p) for p in detector.model.backbone.body.parameters()}
    assert backbone == inside
    assert 0 < len(backbone) < len(list(detector.parameters()))


@pytest.mark.parametrize(("clip", "length"), [(1e9, None), (1e-3, 1e-3)])
def test_a_long_gradient_is_shortened(images, clip, length):
    one = stepper(SmallDetector(), optimiser=OptimiserSettings("sgd", 1e-3, 0.0, 0.1, clip=clip))
    one.step(samples_of(images).batch(1, 0), 0, 1e-3)
    norm = torch.cat([p.grad.flatten() for p in one.detector.parameters()]).norm().item()
    assert norm > 1e-2 if length is None else norm == pytest.approx(length, rel=1e-3)


def test_operations_without_a_deterministic_form_are_noted_once(caplog):
    caplog.set_level(logging.INFO)
    noted: list[str] = []
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings(record=True) as others, noting_nondeterminism(noted):
            for _ in range(3):
                torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]), accumulate=False)
                warnings.warn("something else", UserWarning, stacklevel=1)
    finally:
        torch.use_deterministic_algorithms(True)
    assert noted == ["put_"]
    assert caplog.text.count("put_ has no deterministic form") == 1
    assert [str(warning.message) for warning in others] == ["something else"]


@pytest.mark.parametrize("every", [2, 3])
def test_validation_may_be_rarer_than_epochs_but_not_left_out_at_the_end(images, tmp_path, every):
    trained = training(images, tmp_path, epochs=5, validate_every=every).run()
    judged = [row["epoch"] for row in trained.history if row["validation_map50"] is not None]
    assert judged == {2: [2, 4, 5], 3: [3, 5]}[every]
    assert all(row["validation_seconds"] > 0 for row in trained.history if row["epoch"] in judged)
    assert all(row["validation_seconds"] == 0 for row in trained.history if row["epoch"] not in judged)
    assert trained.best_epoch in judged


@pytest.mark.parametrize("batch", [1, 16])
def test_a_part_of_one_image_and_a_batch_larger_than_the_part(tmp_path, batch):
    images = labelled_images(tmp_path, count=1)
    for choice in (YOLO, FASTER_RCNN):
        trained = training(
            images, tmp_path / choice[1], detector=choice, batch=batch, validate=lambda _: (0.5, 0.5)
        ).run()
        assert (trained.progress.step, trained.progress.images_seen) == (3, 3)
        assert all(tensor.isfinite().all() for tensor in trained.state.values())
