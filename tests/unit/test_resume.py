"""A training that is killed anywhere goes on from its checkpoint to the bytes of an unbroken one."""

from __future__ import annotations

import functools
import json

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from podura.training import checkpoint
from podura.training.checkpoint import load_checkpoint, previous, save_checkpoint
from podura.training.loop import TrainingStopped
from training_data import (
    FASTER_RCNN,
    YOLO,
    SmallDetector,
    equal,
    kill_this_process,
    killed,
    labelled_images,
    training,
)

#: Of a SmallDetector: three epochs of three steps, in two parts each, in float16, with a checkpoint a step.
HARD = {
    "detector": functools.partial(SmallDetector, holds=1),
    "checkpoint_seconds": 0,
    "precision": "float16",
    "validate_every": 2,
}
UNTIMED = ("epoch", "step", "images_seen", "loss", "learning_rate", "micro_batch", "kept")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return labelled_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def unbroken(images, tmp_path_factory):
    return training(images, tmp_path_factory.mktemp("unbroken"), **HARD).run()


def scored(averaged):
    return 0.5, averaged.state_dict()["head.bias"].abs().item() % 1


def killed_at(images, folder, place, **options):
    """Run a training that kills itself: at a step, in a validation, or while or after it writes."""
    kind, number = place
    count = 0

    def reached(at):
        nonlocal count
        count += at == kind
        if at == kind and count == number:
            kill_this_process()

    def validate(averaged):
        reached("validation")
        return scored(averaged)

    def save_half(tensors, file, facts):
        save_file(tensors, file, facts)
        if kind == "writing" and count + 1 == number:
            content = file.read_bytes()
            file.write_bytes(content[: len(content) // 2])
        reached("writing")

    def run():
        nonlocal validate
        broken = training(images, folder, validate=validate, **options)
        step = broken.stepper.step
        broken.stepper.step = lambda *given: (reached("step"), step(*given))[1]
        checkpoint.save_file = save_half
        broken.run()

    save_file = checkpoint.save_file
    return killed(run)


PLACES = st.one_of(
    st.tuples(st.just("step"), st.integers(1, 9)),
    st.tuples(st.just("validation"), st.integers(1, 2)),
    st.tuples(st.just("writing"), st.integers(1, 12)),
)


@given(places=st.lists(PLACES, min_size=1, max_size=3), seconds=st.sampled_from([0, 0.02, 1e9]))
@settings(max_examples=12, phases=[Phase.explicit, Phase.generate])
def test_killed_anywhere_any_number_of_times_it_ends_with_the_same_bytes(
    images, unbroken, tmp_path_factory, places, seconds
):
    folder = tmp_path_factory.mktemp("broken")
    options = {**HARD, "checkpoint_seconds": seconds}
    for place in places:
        killed_at(images, folder, place, **options)
    result = training(images, folder, **options).run()
    assert equal(result.state, unbroken.state)
    assert result.progress.passes == unbroken.progress.passes
    for one, two in zip(result.history, unbroken.history, strict=True):
        assert [one[key] for key in UNTIMED] == [two[key] for key in UNTIMED]


def test_the_hard_case_is_one(unbroken):
    """The property above says something only where there were halvings, a scaler, a choice, several steps."""
    passes = unbroken.progress.passes
    assert passes.halvings == [{"step": 1, "from": 2, "to": 1}]
    assert passes.scaler["scale"] > 1
    assert [row["validation_map50"] is not None for row in unbroken.history] == [False, True, True]
    assert unbroken.progress.step == 9


@pytest.mark.parametrize("place", [("step", 2), ("writing", 3), ("validation", 1)])
def test_a_kill_is_a_kill(images, tmp_path, place):
    assert killed_at(images, tmp_path, place, **HARD)


@pytest.mark.parametrize("detector", [YOLO, FASTER_RCNN], ids=str)
def test_real_detectors_go_on_after_a_kill(images, tmp_path, detector):
    def judge(averaged):
        return 0.5, 0.5

    options = {
        "detector": detector,
        "epochs": 2,
        "batch": 3,
        "precision": "bfloat16",
        "checkpoint_seconds": 0,
    }
    whole = training(images, tmp_path / "unbroken", validate=judge, **options).run()

    def run():
        broken = training(images, tmp_path, validate=judge, **options)
        step = broken.stepper.step
        broken.stepper.step = lambda batch, number, rate: (
            kill_this_process() if number == 2 else step(batch, number, rate)
        )
        broken.run()

    assert killed(run)
    continued = training(images, tmp_path, validate=judge, **options)
    result = continued.run()
    assert equal(result.state, whole.state)
    assert result.progress.step == 4


def test_with_a_damaged_checkpoint_it_goes_on_from_the_one_before(images, unbroken, tmp_path, caplog):
    assert killed_at(images, tmp_path, ("step", 6), **HARD)
    file = tmp_path / "state.safetensors"
    content = bytearray(file.read_bytes())
    content[-100] ^= 1  # a single bit, which safetensors itself does not notice
    file.write_bytes(content)
    broken = training(images, tmp_path, **HARD)
    broken._resume()
    assert broken.progress.step == 4
    assert "damaged" in caplog.text
    result = training(images, tmp_path, **HARD).run()
    assert equal(result.state, unbroken.state)


def test_what_a_killed_job_was_writing_is_removed(tmp_path):
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, {"model": {"weight": torch.ones(3)}}, {"step": 1}, "same")
    save_checkpoint(path, {"model": {"weight": torch.zeros(3)}}, {"step": 2}, "same")
    (tmp_path / ".state.safetensors.abcd.safetensors").write_bytes(b"half")
    found = load_checkpoint(path, "same")
    assert found.progress == {"step": 2}
    assert sorted(file.name for file in tmp_path.iterdir()) == [previous(path).name, path.name]


def test_a_checkpoint_holds_plain_tensors_even_where_some_share_memory(tmp_path):
    path, weight = tmp_path / "state.safetensors", torch.arange(6.0).reshape(2, 3)
    shared = {"whole": weight, "again": weight, "row": weight[0], "turned": weight.T, "none": torch.zeros(0)}
    save_checkpoint(path, {"model": shared}, {}, "same")
    read = load_checkpoint(path, "same").section("model")
    assert equal(read, {name: tensor.contiguous() for name, tensor in shared.items()})


def test_asked_to_stop_in_validation_it_saves_and_validates_again(images, tmp_path):
    def interrupted(averaged):
        raise TrainingStopped("stopped in validation")

    whole = training(images, tmp_path / "unbroken", validate=scored).run()
    with pytest.raises(TrainingStopped, match="after step 3 of 9"):
        training(images, tmp_path, validate=interrupted).run()
    with safe_open(tmp_path / "state.safetensors", framework="pt") as handle:
        assert json.loads(handle.metadata()["progress"])["step"] == 3
    assert equal(training(images, tmp_path, validate=scored).run().state, whole.state)
