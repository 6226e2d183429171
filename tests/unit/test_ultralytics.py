"""Ultralytics' families behind the contract: losses, weights, and no side effect of the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch
from podura.detectors.ultralytics_adapter import ARCHITECTURES
from podura.training.seeds import seed_torch

SPECIES = ["CER-DEN", "ISO-MIN", "LEP-CYA"]
FAMILIES = ["yolov5n", "yolov5n6", "yolov8n", "yolo11n", "yolo12n", "yolo26n", "yolo26n-p2", "rtdetr-l"]


def built(architecture, species=SPECIES, seed=1):
    seed_torch(seed)
    return build_detector("ultralytics", architecture, species)


def batch_of_rectangles(boxes_of_first=1, side=96):
    images = torch.full((2, 3, side, side + 32), 0.8)
    images[0, 0, 30:70, 40:90] = 0.1
    boxes = torch.tensor([[40.0, 30.0, 90.0, 70.0]]).repeat(boxes_of_first, 1)
    labels = torch.ones(boxes_of_first, dtype=torch.long)
    return Batch(images, (boxes, torch.zeros((0, 4))), (labels, torch.zeros(0, dtype=torch.long)))


def two_steps(architecture, seed):
    detector = built(architecture, seed=seed).train()
    optimiser = torch.optim.AdamW(detector.parameters(), lr=1e-3)
    for step in range(2):
        seed_torch(seed, "step", step)
        optimiser.zero_grad()
        torch.stack(list(detector.loss(batch_of_rectangles()).values())).sum().backward()
        optimiser.step()
    return detector


def test_all_families_in_all_sizes_are_there():
    yolo = {
        f"{family}{size}{kind}"
        for family, kind in [
            ("yolov5", ""),
            ("yolov5", "6"),
            ("yolov8", ""),
            ("yolo11", ""),
            ("yolo12", ""),
            ("yolo26", ""),
            ("yolo26", "-p2"),
        ]
        for size in "nsmlx"
    }
    assert set(ARCHITECTURES) == yolo | {"rtdetr-l", "rtdetr-x"}


@pytest.mark.parametrize("architecture", FAMILIES)
class TestFamilies:
    def test_the_same_seed_gives_the_same_bytes_and_steps_lower_the_loss(self, architecture):
        first, again, other = (two_steps(architecture, seed) for seed in (1, 1, 2))
        states = [detector.state_dict() for detector in (first, again, other)]
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
        assert any(not torch.equal(tensor, states[2][name]) for name, tensor in states[0].items())
        fresh = built(architecture).train()
        seed_torch(9)
        before = sum(fresh.loss(batch_of_rectangles()).values())
        seed_torch(9)
        after = sum(first.loss(batch_of_rectangles()).values())
        assert after < before

    def test_parts_of_the_loss_have_gradients_and_an_empty_batch_is_learnt_from(self, architecture):
        detector = built(architecture).train()
        parts = detector.loss(batch_of_rectangles())
        assert len(parts) >= 3
        assert all(part.ndim == 0 and part.requires_grad and part > 0 for part in parts.values())
        batch = batch_of_rectangles()
        nothing = detector.loss(Batch(batch.images[1:], batch.boxes[1:], batch.labels[1:]))
        total = sum(nothing.values())
        assert torch.isfinite(total)
        total.backward()

    def test_another_order_of_memory_gives_the_same_loss(self, architecture):
        """Training lays images out channels last, where a view of a framework's could fail."""
        detector = built(architecture).train()
        batch = batch_of_rectangles()
        parts = []
        for layout in (torch.contiguous_format, torch.channels_last):
            seed_torch(5)
            detector.to(memory_format=layout)
            images = batch.images.contiguous(memory_format=layout)
            parts.append(detector.loss(Batch(images, batch.boxes, batch.labels)))
            sum(parts[-1].values()).backward()
        for name, part in parts[0].items():
            assert part.item() == pytest.approx(parts[1][name].item(), rel=0.02)

    def test_one_detects_then_trains_then_detects(self, architecture):
        detector = built(architecture)
        image = torch.rand(1, 3, 96, 128)
        terms = {"score_floor": 0.0, "max_detections": 9}
        with torch.inference_mode():
            (before,) = detector.eval().detect(image, [(80, 120)], **terms)
        assert torch.isfinite(sum(detector.train().loss(batch_of_rectangles()).values()))
        assert len(before.scores) == 9
        assert (before.boxes[:, 2:] <= torch.tensor([120.0, 80.0])).all()
        with torch.inference_mode():
            (after,) = detector.eval().detect(image, [(80, 120)], **terms)
        assert len(after.scores) == 9

    def test_weights_for_coco_classes_fill_all_but_what_names_species(self, architecture):
        giver = built(architecture, [str(number) for number in range(80)], seed=2)
        # The names that Ultralytics gives: those of its own model.
        published = {name: tensor.clone() for name, tensor in giver.model.state_dict().items()}
        taker = built(architecture)
        taken = taker.take_pretrained("coco", published)
        own = taker.model.state_dict()
        missed = [name for name, tensor in own.items() if tensor.shape != published[name].shape]
        assert taken == len(own) - len(missed)
        assert all(torch.equal(own[name], published[name]) for name in own if name not in missed)
        assert missed
        assert all(own[name].shape[0] in (len(SPECIES), len(SPECIES) + 1) for name in missed)
        # What was made from them is built anew by name and species alone.
        again = built(architecture, seed=3)
        again.load_state_dict(taker.state_dict())
        image = torch.rand(1, 3, 64, 64)
        terms = {"score_floor": 0.0, "max_detections": 5}
        with torch.inference_mode():
            (one,), (two,) = (d.eval().detect(image, [(64, 64)], **terms) for d in (taker, again))
        assert torch.equal(one.boxes, two.boxes)
        assert torch.equal(one.scores, two.scores)

    def test_the_backbone_is_what_comes_before_the_first_upsampling_and_attention(self, architecture):
        detector = built(architecture)
        backbone = {id(parameter) for parameter in detector.backbone_parameters()}
        inside = [id(parameter) in backbone for parameter in detector.parameters()]
        assert 0 < sum(inside) < len(inside)
        assert inside == sorted(inside, reverse=True)
        layers = detector.model.model
        kinds = [type(layer).__name__ for layer in layers]
        first = kinds.index("Upsample")
        assert not any(id(parameter) in backbone for parameter in layers[first:].parameters())
        assert not any(name in kinds[: len(detector.model.yaml["backbone"])] for name in ("AIFI", "Upsample"))

    def test_there_are_no_imagenet_weights(self, architecture):
        with pytest.raises(LookupError, match="imagenet"):
            built(architecture).take_pretrained("imagenet", {})


def test_coco_weights_of_another_size_take_little_and_break_nothing():
    giver, taker = built("yolov5s", [str(number) for number in range(80)]), built("yolov5n")
    before = {name: tensor.clone() for name, tensor in taker.state_dict().items()}
    taken = taker.take_pretrained("coco", giver.model.state_dict())
    after = taker.state_dict()
    assert taken < 0.5 * len(before)
    assert {name: tensor.shape for name, tensor in after.items()} == {n: t.shape for n, t in before.items()}


def test_parts_of_a_yolo_do_not_depend_on_how_often_an_image_is_in_the_batch():
    detector = built("yolov8n").train()
    for module in detector.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    batch = batch_of_rectangles()
    one = Batch(batch.images[:1], batch.boxes[:1], batch.labels[:1])
    three = Batch(batch.images[:1].repeat(3, 1, 1, 1), batch.boxes[:1] * 3, batch.labels[:1] * 3)
    for name, part in detector.loss(three).items():
        assert part.item() == pytest.approx(detector.loss(one)[name].item(), rel=1e-4)


def test_an_untrained_rtdetr_believes_nothing_for_any_number_of_species():
    for species in (SPECIES, [str(number) for number in range(40)]):
        head = built("rtdetr-l", species).model.model[-1]
        for layer in (head.enc_score_head, *head.dec_score_head):
            assert torch.allclose(layer.bias.sigmoid(), torch.tensor(0.01))


def test_every_box_of_a_crowded_image_has_a_query_in_training():
    detector = built("rtdetr-l").train()
    seen = []
    matcher = detector.model.criterion.matcher
    matcher.register_forward_hook(lambda _module, _given, matches: seen.append(matches))
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(400, 2, generator=generator) * 200
    boxes = torch.cat([corners, corners + 8], dim=1)
    labels = torch.zeros(400, dtype=torch.long)
    parts = detector.loss(Batch(torch.rand(1, 3, 224, 224), (boxes,), (labels,)))
    assert torch.isfinite(sum(parts.values()))
    assert {len(truths) for matches in seen for _, truths in matches} == {400}
    detector.loss(batch_of_rectangles())
    assert detector.model.model[-1].num_queries == 300


_SIDE_EFFECTS = """
import json, os, sys, tempfile, warnings
import cv2, numpy, PIL.Image, scipy.optimize, torch, torchvision
tempfile.gettempdir()
cv2.setNumThreads(3)
threads = []
torch.set_num_threads = lambda *arguments: threads.append(arguments)
def state():
    return [
        dict(os.environ), [repr(f) for f in warnings.filters], str(numpy.get_printoptions()),
        repr(torch.linspace(0, 1, 40)), list(threads),
        cv2.getNumThreads(), repr(PIL.Image.open), repr(torch.save), repr(cv2.imread), os.getcwd(),
        torch.are_deterministic_algorithms_enabled(),
    ]
before, seen = state(), []
def hook(event, arguments):
    kind = event.split(".")[0]
    writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writing or kind in ("socket", "subprocess") or event in ("os.mkdir", "os.system", "os.exec"):
        if "podura-ultralytics-" not in str(arguments[0]):
            seen.append((event, repr(arguments)))
sys.addaudithook(hook)
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch
for architecture in sys.argv[1:]:
    detector = build_detector("ultralytics", architecture, ["A", "B"]).train()
    batch = Batch(torch.rand(1, 3, 64, 64), (torch.tensor([[4.0, 4, 40, 40]]),), (torch.tensor([1]),))
    sum(detector.loss(batch).values()).backward()
    with torch.inference_mode():
        detector.eval().detect(batch.images, [(64, 64)], score_floor=0.0, max_detections=5)
    detector.take_pretrained("coco", {})
changed = [(one, two) for one, two in zip(before, state()) if one != two]
print(json.dumps({"seen": seen, "changed": [repr(pair) for pair in changed]}))
"""


def test_building_learning_and_detecting_touch_neither_files_nor_network_nor_the_process(tmp_path):
    """In a fresh process under an audit hook, which Python calls before it opens, connects or starts."""
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    scripts = Path(__file__).resolve().parents[2] / "scripts"
    environment = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": str(scripts),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    for name in ("XDG_CONFIG_HOME", "YOLO_CONFIG_DIR", "YOLO_OFFLINE", "YOLO_AUTOINSTALL"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", _SIDE_EFFECTS, "yolov5n", "yolo26n", "rtdetr-l"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"seen": [], "changed": []}
    assert done.stderr == ""
    assert [path for path in tmp_path.rglob("*") if path != home] == []


def test_that_hook_sees_what_the_package_does_on_a_plain_import(tmp_path):
    """The test above can fail: without the guard there are files and connections to be seen."""
    code = _SIDE_EFFECTS.split("from podura")[0] + (
        "import socket\nsocket.getaddrinfo = lambda *a, **k: seen.append(('socket', a)) or []\n"
        "import ultralytics.nn.tasks\nprint(json.dumps([seen, before != state()], default=repr))"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("YOLO_CONFIG_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    seen, changed = json.loads(done.stdout.splitlines()[-1])
    assert {event.split(".")[0] for event, _ in seen} >= {"open", "socket"}
    assert changed
