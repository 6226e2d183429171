"""All adapters behind the one contract: they build, learn, save, load and detect, and pickle nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch, clip_and_cap
from podura.detectors.devices import choose_device
from podura.detectors.inference import detect_files, detect_pixels
from podura.detectors.preprocessing import resize, to_tensor
from podura.detectors.weights import initialise, load_model, save_model
from podura.errors import UserError
from podura.training.seeds import seed_torch

SPECIES = ["CER-DEN", "ISO-MIN", "LEP-CYA"]
DETECTORS = [
    ("torchvision", "fasterrcnn_lite0"),
    ("torchvision", "retinanet_lite0"),
    ("torchvision", "ssdlite320_mobilenet_v3_large"),
    ("ultralytics", "yolov5n"),
]


def batch_of_squares() -> Batch:
    """Two images, the second empty: training must bear an image without animals."""
    images = torch.full((2, 3, 128, 160), 0.8)
    images[0, 0, 30:70, 40:90] = 0.1
    return Batch(
        images,
        (torch.tensor([[40.0, 30.0, 90.0, 70.0]]), torch.zeros((0, 4))),
        (torch.tensor([1]), torch.zeros(0, dtype=torch.long)),
    )


@pytest.mark.parametrize(("adapter", "architecture"), DETECTORS)
class TestContract:
    def test_loss_parts_are_finite_and_give_gradients(self, adapter, architecture):
        seed_torch(1)
        detector = build_detector(adapter, architecture, SPECIES).train()
        parts = detector.loss(batch_of_squares())
        assert len(parts) >= 2
        total = torch.stack(list(parts.values())).sum()
        assert torch.isfinite(total)
        total.backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in detector.parameters())

    def test_a_batch_without_any_animal_can_be_learnt_from(self, adapter, architecture):
        detector = build_detector(adapter, architecture, SPECIES).train()
        batch = batch_of_squares()
        empty = Batch(batch.images[1:], batch.boxes[1:], batch.labels[1:])
        assert torch.isfinite(torch.stack(list(detector.loss(empty).values())).sum())

    def test_floor_and_cap_hold_and_boxes_stay_in_the_image(self, adapter, architecture):
        seed_torch(2)
        detector = build_detector(adapter, architecture, SPECIES).eval()
        with torch.inference_mode():
            (found,) = detector.detect(
                torch.rand(1, 3, 128, 160), [(100, 150)], score_floor=0.0001, max_detections=7
            )
            (none,) = detector.detect(
                torch.rand(1, 3, 128, 160), [(100, 150)], score_floor=0.999, max_detections=7
            )
        assert 0 < len(found.scores) <= 7
        assert (found.scores.diff() <= 0).all()
        assert (found.boxes >= 0).all()
        assert (found.boxes[:, 2] <= 150).all()
        assert (found.boxes[:, 3] <= 100).all()
        assert set(found.labels.tolist()) <= {0, 1, 2}
        assert len(none.scores) == 0

    def test_a_saved_model_detects_the_same_and_a_changed_one_is_refused(
        self, adapter, architecture, tmp_path
    ):
        seed_torch(3)
        detector = build_detector(adapter, architecture, SPECIES).eval()
        facts = {"adapter": adapter, "architecture": architecture, "species": SPECIES, "image_size": 160}
        save_model(detector.state_dict(), facts, tmp_path)
        loaded, read = load_model(tmp_path)
        assert read["species"] == SPECIES
        pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
        terms = {"image_size": 160, "score_floor": 1e-4, "max_detections": 20, "device": torch.device("cpu")}
        assert detect_pixels(loaded, [pixels], **terms) == detect_pixels(detector, [pixels], **terms)
        weights = tmp_path / "weights.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
        with pytest.raises(UserError, match="SHA-256"):
            load_model(tmp_path)

    def test_starting_weights_take_what_fits_and_refuse_another_architecture(
        self, adapter, architecture, tmp_path
    ):
        seed_torch(4)
        giver = build_detector(adapter, architecture, ["A", "B"])
        file = tmp_path / "start.safetensors"
        save_file({n: t.half() for n, t in giver.state_dict().items() if t.is_floating_point()}, file)
        taker = build_detector(adapter, architecture, SPECIES)
        before = {name: tensor.clone() for name, tensor in taker.state_dict().items()}
        said = initialise(taker, str(file))
        assert "start.safetensors" in said
        after, given = taker.state_dict(), giver.state_dict()
        taken = [n for n, t in after.items() if t.is_floating_point() and t.shape == given[n].shape]
        assert all(torch.equal(after[n], given[n].half().float()) for n in taken)
        # The last layers differ in the number of species: they keep their random start.
        kept = [n for n, t in after.items() if t.shape != given[n].shape]
        assert kept
        assert all(torch.equal(after[n], before[n]) for n in kept)
        save_file({"something.else": torch.zeros(3)}, file)
        with pytest.raises(UserError, match="another architecture"):
            initialise(taker, str(file))


def test_imagenet_weights_come_from_the_package_and_fit_every_tensor():
    seed_torch(5)
    detector = build_detector("torchvision", "fasterrcnn_lite0", SPECIES)
    before = {n: t.clone() for n, t in detector.model.backbone.body.state_dict().items()}
    initialise(detector, "imagenet")
    after = detector.model.backbone.body.state_dict()
    weights = [name for name, tensor in after.items() if tensor.is_floating_point()]
    assert [name for name in weights if torch.equal(before[name], after[name])] == []
    # Trained batch norms have seen many images; their variances are no longer one.
    assert not torch.allclose(after["bn1.running_var"], torch.ones_like(after["bn1.running_var"]))


def test_a_pickle_is_never_opened(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(marker),))

    file = tmp_path / "weights.safetensors"
    torch.save(Evil(), file)
    with pytest.raises(UserError, match="safetensors"):
        initialise(build_detector("ultralytics", "yolov5n", SPECIES), str(file))
    assert not marker.exists()


def test_yolo_has_no_imagenet_weights_and_says_what_to_write():
    with pytest.raises(UserError, match=r"weights: none.*safetensors"):
        initialise(build_detector("ultralytics", "yolov5n", SPECIES), "imagenet")


@pytest.mark.parametrize(("adapter", "architecture"), [("keras", "x"), ("torchvision", "fasterrcnn_r900")])
def test_unknown_adapters_and_architectures_are_refused(adapter, architecture):
    with pytest.raises(UserError):
        build_detector(adapter, architecture, SPECIES)


def test_adapters_do_not_import_each_other():
    code = (
        "import sys\nfrom podura.detectors.catalogue import build_detector\n"
        "build_detector('torchvision', 'fasterrcnn_lite0', ['A'])\nprint('ultralytics' in sys.modules)"
    )
    scripts = Path(__file__).resolve().parents[2] / "scripts"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(scripts)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False"]


def test_resizing_keeps_the_aspect_and_padding_is_only_at_the_right_and_bottom():
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    resized, x_factor, y_factor = resize(pixels, 200)
    assert resized.shape == (150, 200, 3)
    assert (x_factor, y_factor) == (0.5, 0.5)
    tensor = to_tensor([resized])
    assert tensor.shape == (1, 3, 160, 224)
    shown = (tensor[0, :, :150, :200] * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(shown, resized)
    assert (tensor[0, :, 150:] == 114 / 255).all()


def test_boxes_come_back_in_the_pixels_of_the_full_image():
    class Fixed(torch.nn.Module):
        species = ("A",)

        def detect(self, images, sizes, *, score_floor, max_detections):
            boxes = torch.tensor([[10.0, 20.0, 50.0, 60.0]])
            return [
                clip_and_cap(
                    boxes, torch.tensor([0]), torch.tensor([0.5]), sizes[0], score_floor=0.0, max_detections=5
                )
            ]

    pixels = np.zeros((300, 400, 3), dtype=np.uint8)
    ((row,),) = detect_pixels(
        Fixed(),
        [pixels],
        image_size=200,
        score_floor=0.0,
        max_detections=5,
        device=torch.device("cpu"),
    )
    assert (row["x_min"], row["y_min"], row["x_max"], row["y_max"]) == (20.0, 40.0, 100.0, 120.0)


def test_an_unreadable_image_is_told_of_and_the_others_are_done(tmp_path):
    from PIL import Image

    good, bad = tmp_path / "good é.png", tmp_path / "bad.png"
    Image.new("RGB", (64, 48), (200, 200, 200)).save(good)
    bad.write_bytes(good.read_bytes()[:40])
    seed_torch(6)
    detector = build_detector("ultralytics", "yolov5n", SPECIES)
    run = detect_files(
        detector,
        [("bad", bad, "s1"), ("good", good, "s2")],
        image_size=64,
        score_floor=0.0,
        max_detections=3,
        device=torch.device("cpu"),
    )
    assert list(run.failed) == ["bad"]
    assert {row["image"] for row in run.rows} == {"good"}
    assert run.capped == ["good"]


def test_a_device_that_is_not_there_is_refused():
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="cuda"):
        choose_device("cuda")
    assert choose_device("auto").type in {"cpu", "mps"}
