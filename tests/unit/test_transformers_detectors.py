"""Detection transformers: losses, detections, determinism and pre-trained weights, on small networks."""

from __future__ import annotations

import copy
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torchvision.ops import box_convert, box_iou
from transformers import (
    DFineForObjectDetection,
    LwDetrForObjectDetection,
    RfDetrForObjectDetection,
    RTDetrV2ForObjectDetection,
)

from podura.detectors import transformers_configurations as configurations
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch
from podura.detectors.inference import detect_files
from podura.detectors.transformers_adapter import ARCHITECTURES
from podura.training.seeds import be_deterministic
from transformers_data import TINY

SPECIES = ["DARK", "LIGHT", "THIRD"]
ROOT = Path(__file__).resolve().parents[2]
EVERY = pytest.mark.parametrize("family", list(TINY))
SELECTED = pytest.mark.parametrize("family", ["dfine", "rtdetrv2"])
LEARNED = pytest.mark.parametrize("family", ["lwdetr", "rfdetr"])

BOXES = torch.tensor([[10.0, 10, 50, 40], [70, 40, 120, 90], [60, 5, 110, 35]])
LABELS = torch.tensor([0, 1, 0])


@pytest.fixture(autouse=True)
def _deterministic():
    be_deterministic(torch.device("cpu"), 1)
    yield
    torch.use_deterministic_algorithms(False)


def built(family, species=SPECIES, seed=0, **values):
    torch.manual_seed(seed)
    return TINY[family](species, **values)


def painted(height=96, width=128):
    """Grey images, the second empty, with a dark or light rectangle for each box."""
    images = torch.full((2, 3, height, width), 0.6)
    for (left, top, right, bottom), label in zip(BOXES.int().tolist(), LABELS.tolist(), strict=True):
        images[0, :, top:bottom, left:right] = (0.1, 0.95)[label]
    return Batch(images, (BOXES, torch.zeros(0, 4)), (LABELS, torch.zeros(0, dtype=torch.long)))


def steps(detector, batch, count=2, *, seed=7, rate=1e-3):
    optimiser = torch.optim.AdamW([p for p in detector.parameters() if p.requires_grad], lr=rate)
    losses = []
    for step in range(count):
        torch.manual_seed(1000 * seed + step)
        loss = sum(detector.train().loss(batch).values())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 1.0)
        optimiser.step()
        losses.append(loss.item())
    return losses


def detected(detector, images, sizes, floor=0.01, cap=1000):
    with torch.inference_mode():
        return detector.eval().detect(images, sizes, score_floor=floor, max_detections=cap)


# --- losses ----------------------------------------------------------------------------------------


@EVERY
def test_named_parts_of_the_loss_add_up_to_what_the_library_minimises(family):
    detector, batch = built(family).train(), painted()
    torch.manual_seed(3)
    parts = detector.loss(batch)
    names = {"class", "box", "overlap"} | ({"distribution", "distillation"} if family == "dfine" else set())
    assert set(parts) == names
    assert all(part.shape == () for part in parts.values())
    images = detector.prepare(batch.images)
    size = torch.tensor([images.shape[3], images.shape[2]] * 2)
    targets = [
        {"class_labels": labels, "boxes": box_convert(boxes, "xyxy", "cxcywh") / size}
        for boxes, labels in zip(batch.boxes, batch.labels, strict=True)
    ]
    torch.manual_seed(3)
    library = detector.model(images, labels=targets).loss
    assert sum(parts.values()).item() == pytest.approx(library.item(), rel=1e-5)


@EVERY
@pytest.mark.parametrize("size", [(32, 96), (64, 64), (160, 32), (96, 224)])
def test_any_size_that_is_a_multiple_of_32_and_images_without_animals(family, size):
    height, width = size
    detector = built(family).train()
    box = torch.tensor([[2.0, 3.0, 20.0, 25.0]])
    empty, none = torch.zeros(0, 4), torch.zeros(0, dtype=torch.long)
    images = torch.rand(2, 3, height, width)
    for boxes, labels in (((empty, box), (none, LABELS[:1])), ((empty, empty), (none, none))):
        loss = sum(detector.loss(Batch(images, boxes, labels)).values())
        loss.backward()
        assert torch.isfinite(loss)
    true_sizes = [(height - 10, width), (height, width - 20)]
    for found, (true_height, true_width) in zip(
        detected(detector, images, true_sizes, floor=0.0), true_sizes, strict=True
    ):
        assert len(found.boxes) > 0
        assert found.boxes.min() >= 0
        assert found.boxes[:, 2].max() <= true_width
        assert found.boxes[:, 3].max() <= true_height


@EVERY
def test_mixed_precision_gives_nearly_the_same_loss_and_full_precision_detections(family):
    detector, batch = built(family).train(), painted()
    torch.manual_seed(3)
    full = sum(detector.loss(batch).values()).item()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.manual_seed(3)
        mixed = sum(detector.loss(batch).values())
        found, _ = detected(detector, batch.images, [(96, 128)] * 2)
    assert mixed.item() == pytest.approx(full, rel=0.02)
    assert found.scores.dtype == found.boxes.dtype == torch.float32


@EVERY
def test_a_network_that_has_diverged_is_told_by_its_loss(family):
    detector = built(family).train()
    with torch.no_grad():
        for parameter in detector.parameters():
            parameter.mul_(torch.nan)
    assert not torch.isfinite(sum(detector.loss(painted()).values()))


@SELECTED
def test_an_image_with_more_animals_than_queries_gets_more_queries_and_no_denoising(family):
    # 12 × 12 boxes of which no two are alike, in a network of 100 queries.
    detector = built(family, num_queries=100).train()
    corners = torch.cartesian_prod(torch.arange(12.0), torch.arange(12.0)) * 20 + 2
    batch = Batch(
        torch.rand(1, 3, 256, 256), (torch.cat([corners, corners + 12], dim=1),), (torch.zeros(144).long(),)
    )
    assert torch.isfinite(sum(detector.loss(batch).values()))
    assert detector.model.config.num_queries == 144
    assert detector.model.config.num_denoising == 0
    detector.loss(painted())
    assert detector.model.config.num_denoising == 100


@EVERY
def test_animals_that_cannot_be_learnt_from_are_told_of(family, caplog):
    detector = built(family).train()
    corners = torch.cartesian_prod(torch.arange(14.0), torch.arange(14.0)) * 4
    boxes = (torch.cat([corners, corners + 4], dim=1), torch.zeros(0, 4))
    labels = (torch.zeros(196).long(), torch.zeros(0).long())
    with caplog.at_level(logging.WARNING):
        loss = sum(detector.loss(Batch(torch.rand(2, 3, 64, 64), boxes, labels)).values())
    assert torch.isfinite(loss)
    assert "196 animals" in caplog.text
    assert "not learnt from" in caplog.text


# --- it learns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "count", "rate"),
    [
        ("dfine", 100, 0.004),
        pytest.param("rtdetrv2", 300, 0.002, marks=pytest.mark.slow),
        pytest.param("lwdetr", 200, 0.002, marks=pytest.mark.slow),
        pytest.param("rfdetr", 400, 0.002, marks=pytest.mark.slow),
    ],
)
def test_it_learns_the_animals_of_one_image(family, count, rate):
    few = {"num_denoising": 12} if family in ("dfine", "rtdetrv2") else {}  # for speed
    detector, batch = built(family, SPECIES[:2], **few), painted()
    losses = steps(detector, batch, count, rate=rate)
    assert losses[-1] < 0.7 * losses[0]
    found, empty = detected(detector, batch.images, [(96, 128)] * 2, floor=0.5)
    overlaps = box_iou(BOXES, found.boxes)
    assert overlaps.max(dim=1).values.min() > 0.6
    assert torch.equal(found.labels[overlaps.argmax(dim=1)], LABELS)
    assert len(empty.boxes) == 0


# --- determinism -----------------------------------------------------------------------------------


@EVERY
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(family):
    def trained(seed):
        detector = built(family, seed=seed)
        steps(detector, painted(), seed=seed)
        return detector.state_dict()

    first, again, other = trained(1), trained(1), trained(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    weights = [name for name, tensor in first.items() if tensor.is_floating_point() and tensor.ndim > 1]
    assert sum(not torch.equal(first[name], other[name]) for name in weights) > 0.8 * len(weights)


@EVERY
def test_validating_a_copy_between_steps_changes_nothing(family):
    plain, watched, batch = built(family), built(family), painted()
    steps(plain, batch, 1)
    detected(copy.deepcopy(watched), batch.images, [(96, 128)] * 2, cap=50)
    steps(watched, batch, 1)
    detected(watched, batch.images, [(96, 128)] * 2, cap=50)
    assert steps(plain, batch, 2) == steps(watched, batch, 2)
    assert all(torch.equal(t, watched.state_dict()[name]) for name, t in plain.state_dict().items())


# --- detections ------------------------------------------------------------------------------------


@EVERY
def test_floor_and_cap_are_the_callers_and_scores_descend(family):
    detector = built(family)
    images, sizes = torch.rand(1, 3, 96, 128), [(96, 128)]
    (everything,) = detected(detector, images, sizes, floor=0.0, cap=100_000)
    floor = everything.scores[len(everything.scores) // 2].item()
    (upper,) = detected(detector, images, sizes, floor=floor)
    assert 0 < len(upper.scores) < len(everything.scores)
    assert upper.scores.min() >= floor
    (few,) = detected(detector, images, sizes, floor=0.0, cap=7)
    assert torch.equal(few.scores, everything.scores[:7])
    assert (everything.scores.diff() <= 0).all()
    assert everything.labels.unique().tolist() == [0, 1, 2]


def encode(output, boxes, scores):
    """Put boxes and scores in place of what the first queries of a decoder found."""
    logits, places = output.intermediate_logits, output.intermediate_reference_points
    assert logits.shape[2] >= len(boxes)
    logits[:], places[:] = -20.0, 0.5
    logits[:, -1, : len(boxes), 1] = torch.logit(scores)
    places[:, -1, : len(boxes)] = box_convert(boxes, "xyxy", "cxcywh") / 512
    return output


@SELECTED
def test_500_animals_come_back_and_at_a_cap_of_300_the_300_best(family):
    detector = built(family)
    corners = torch.cartesian_prod(torch.arange(25.0), torch.arange(20.0)) * 20 + 3
    boxes = torch.cat([corners, corners + 12], dim=1)
    scores = torch.linspace(0.02, 0.98, 500)[torch.randperm(500)]
    decoder = detector.model.model.decoder
    decoder.register_forward_hook(lambda module, given, output: encode(output, boxes, scores))
    images, sizes = torch.rand(1, 3, 512, 512), [(512, 512)]
    (all_of_them,) = detected(detector, images, sizes, floor=0.01, cap=1000)
    assert len(all_of_them.boxes) == 500
    assert set(all_of_them.labels.tolist()) == {1}
    order = scores.argsort(descending=True)
    assert torch.allclose(all_of_them.scores, scores[order], atol=1e-5)
    assert torch.allclose(all_of_them.boxes, boxes[order], atol=1e-3)
    (best,) = detected(detector, images, sizes, floor=0.01, cap=500)
    assert len(best.boxes) == 500
    # Published networks have 300 queries, and never fewer are asked here.
    decoder._forward_hooks.clear()
    decoder.register_forward_hook(lambda module, given, output: encode(output, boxes[:300], scores[:300]))
    (capped,) = detected(detector, images, sizes, floor=0.01, cap=300)
    assert torch.allclose(capped.boxes, boxes[:300][scores[:300].argsort(descending=True)], atol=1e-3)
    (fewer,) = detected(detector, images, sizes, floor=0.01, cap=200)
    assert torch.equal(fewer.boxes, capped.boxes[:200])


@LEARNED
def test_learned_queries_are_a_limit_that_is_told(family, tmp_path, caplog):
    from PIL import Image

    detector = built(family)
    assert detector.most_detections == 30
    assert build_detector("transformers", "dfine_n", SPECIES).most_detections is None
    (found,) = detected(detector, torch.rand(1, 3, 96, 128), [(96, 128)], floor=0.0)
    assert len(found.boxes) == 30
    Image.new("RGB", (128, 96), (200, 180, 170)).save(tmp_path / "a.png")
    with caplog.at_level(logging.WARNING):
        run = detect_files(
            detector,
            [("a", tmp_path / "a.png", "s")],
            image_size=128,
            score_floor=0.0,
            max_detections=1000,
            device=torch.device("cpu"),
        )
    assert run.capped == ["a"]
    assert "all 30 places" in caplog.text


# --- published networks ----------------------------------------------------------------------------

#: Millions of parameters as published, with 80 classes of COCO (91 for LW-DETR and RF-DETR).
PUBLISHED = {
    "dfine_n": 3.8,
    "dfine_s": 10.2,
    "dfine_m": 19.2,
    "dfine_l": 31,
    "dfine_x": 62,
    "rtdetrv2_r18": 20,
    "rtdetrv2_r34": 31,
    "rtdetrv2_r50": 42,
    "rtdetrv2_r101": 76,
    "lwdetr_tiny": 12.1,
    "lwdetr_small": 14.6,
    "lwdetr_medium": 28.2,
    "lwdetr_large": 46.8,
    "lwdetr_xlarge": 118,
    "rfdetr_nano": 30.5,
    "rfdetr_small": 32.1,
    "rfdetr_medium": 33.7,
    "rfdetr_large": 33.9,
}


def test_networks_are_as_large_as_published():
    assert set(PUBLISHED) == set(ARCHITECTURES)
    for name, millions in PUBLISHED.items():
        classes = 91 if name.startswith(("lwdetr", "rfdetr")) else 80
        with torch.device("meta"):
            detector = ARCHITECTURES[name]([str(number) for number in range(classes)])
        assert detector.parameter_count / 1e6 == pytest.approx(millions, rel=0.03), name


@pytest.mark.parametrize(
    ("architecture", "size"), [("dfine_n", 15278996), ("dfine_s", 41497620), ("rtdetrv2_r18", 80904640)]
)
def test_published_files_are_as_large_as_these_networks(architecture, size):
    """Each tensor once and a header of about a hundred bytes for each: nothing is tied or left out."""
    with torch.device("meta"):
        tensors = ARCHITECTURES[architecture]([str(number) for number in range(80)]).model.state_dict()
    # Published backbones have frozen normalisation, which counts no batches.
    stored = [t for n, t in tensors.items() if not (n.endswith("tracked") and ".backbone." in n)]
    header = size - sum(tensor.numel() * tensor.element_size() for tensor in stored)
    assert 80 * len(stored) < header < 160 * len(stored)


@pytest.mark.parametrize(
    ("architecture", "published", "classes"),
    [
        ("dfine_n", DFineForObjectDetection, 80),
        ("rtdetrv2_r18", RTDetrV2ForObjectDetection, 80),
        ("lwdetr_tiny", LwDetrForObjectDetection, 91),
        ("rfdetr_nano", RfDetrForObjectDetection, 91),
    ],
)
@pytest.mark.parametrize("names", ["present", "original"])
def test_published_weights_fit_but_for_the_classes(architecture, published, classes, names, tmp_path):
    family, size = architecture.split("_")
    configuration = getattr(configurations, family)(size, classes)
    torch.manual_seed(1)
    source = published(configuration)
    with torch.no_grad():
        for number, tensor in enumerate(source.parameters()):
            tensor.add_(0.01 * (number + 1))
    tensors = {name: tensor.clone() for name, tensor in source.state_dict().items()}
    if names == "original":
        source.save_pretrained(tmp_path)  # under the names of the files on the hub
        tensors = load_file(tmp_path / "model.safetensors")
    torch.manual_seed(2)
    detector = build_detector("transformers", architecture, SPECIES)
    before = {name: tensor.clone() for name, tensor in detector.model.state_dict().items()}
    generator = torch.get_rng_state()
    count = detector.take_pretrained("coco", tensors)
    assert torch.equal(generator, torch.get_rng_state())
    after, expected = detector.model.state_dict(), source.state_dict()
    kept = {name for name, tensor in after.items() if tensor.shape != expected[name].shape}
    assert kept
    assert all("class" in name or "enc_score_head" in name for name in kept)
    counted = {name for name in after if name not in kept and not name.endswith("num_batches_tracked")}
    assert count == len(counted)
    for name in counted:
        assert torch.equal(after[name], expected[name]), name
    assert all(torch.equal(after[name], before[name]) for name in kept)


def test_old_names_of_the_hub_fit_too():
    source = RTDetrV2ForObjectDetection(configurations.rtdetrv2("r18", 80))
    renamed = {}
    for name, tensor in source.state_dict().items():
        if name.startswith(("class_embed", "bbox_embed")):
            continue  # older files hold the heads once, under the decoder's name
        for new, old in (("o_proj", "out_proj"), (".mlp.fc", ".fc"), ("encoder.aifi", "encoder.encoder")):
            name = name.replace(new, old)
        renamed[name] = tensor
    present, older = (build_detector("transformers", "rtdetrv2_r18", SPECIES) for _ in range(2))
    assert older.take_pretrained("coco", renamed) == present.take_pretrained("coco", source.state_dict())


def test_heads_of_the_decoders_layers_stay_apart():
    source = DFineForObjectDetection(configurations.dfine("n", 80))
    heads = source.model.decoder.bbox_embed
    with torch.no_grad():
        for number, head in enumerate(heads):
            head.layers[0].weight.fill_(number)
    detector = build_detector("transformers", "dfine_n", SPECIES)
    detector.take_pretrained("coco", source.state_dict())
    firsts = [head.layers[0].weight[0, 0].item() for head in detector.model.model.decoder.bbox_embed]
    assert firsts == [0.0, 1.0, 2.0]


def test_other_kinds_of_weights_are_none_of_these_models():
    with pytest.raises(LookupError, match="COCO"):
        built("dfine").take_pretrained("imagenet", {})


def test_norms_of_the_backbone_are_fixed_with_published_weights_only():
    detector, batch = built("rtdetrv2"), painted()
    norms = [m for m in detector.model.model.backbone.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    steps(detector, batch, 1)
    assert all(norm.num_batches_tracked == 1 for norm in norms)
    detector.take_pretrained("coco", detector.model.state_dict())
    steps(detector, batch, 1)
    assert all(norm.num_batches_tracked == 1 for norm in norms)
    assert not any(parameter.requires_grad for norm in norms for parameter in norm.parameters())
    assert detector.training


# --- alone in the process --------------------------------------------------------------------------


def test_nothing_is_written_at_home_nor_asked_of_a_network_nor_imported_of_others(tmp_path):
    code = """
import json, os, socket, sys
asked = []
def refuse(*given, **named):
    asked.append(repr(given))
    raise OSError("no network in this test")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
import torch
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch
for name in ("dfine_n", "lwdetr_tiny"):
    detector = build_detector("transformers", name, ["A", "B"])
    assert detector.take_pretrained("coco", detector.model.state_dict()) > 100
    box, label = torch.tensor([[5.0, 5, 40, 50]]), torch.tensor([1])
    if name == "dfine_n":
        detector.train().loss(Batch(torch.rand(1, 3, 64, 64), (box,), (label,)))
        detector.eval().detect(torch.rand(1, 3, 64, 64), [(64, 64)], score_floor=0.1, max_detections=10)
others = [module for module in ("timm", "ultralytics") if module in sys.modules]
print(json.dumps([asked, others, {n: os.environ.get(n) for n in ("HF_HUB_OFFLINE", "HF_HOME")}]))
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "TRANSFORMERS", "XDG_", "TORCH"))
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "HOME": str(home), "PYTHONPATH": str(ROOT / "scripts")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    asked, others, left = json.loads(done.stdout.splitlines()[-1])
    assert asked == []
    assert others == []
    assert left == {"HF_HUB_OFFLINE": None, "HF_HOME": None}
    assert [path.name for path in tmp_path.rglob("*") if path != home] == []
    assert done.stderr == ""
