"""torchvision's detectors: its own weights fit, its own maths hold, its own limits do not."""

from __future__ import annotations

import copy
import functools
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import detection
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.backbone_utils import _mobilenet_extractor, _resnet_fpn_extractor
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign

from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Batch
from podura.detectors.torchvision_families import TWO_STAGE
from podura.detectors.torchvision_matching import overlaps
from podura.detectors.torchvision_pooling import GatheringRoIAlign
from podura.detectors.torchvision_single_shot import single_shot_loss
from podura.detectors.weights import load_model, save_model
from podura.training.seeds import seed_torch

SPECIES = ["CER-DEN", "ISO-MIN", "LEP-CYA"]
#: Architectures with COCO weights, and how many tensors tell classes, which are not taken.
COCO = {
    "fasterrcnn_resnet50_fpn": 4,
    "fasterrcnn_resnet50_fpn_v2": 4,
    "fasterrcnn_mobilenet_v3_large_320_fpn": 4,
    "retinanet_resnet50_fpn": 2,
    "retinanet_resnet50_fpn_v2": 2,
    "fcos_resnet50_fpn": 2,
    "ssd300_vgg16": 12,
    "ssdlite320_mobilenet_v3_large": 6 * 8,
}
SSDS = ["ssd300_vgg16", "ssdlite320_mobilenet_v3_large"]


def detector_of(architecture: str, species: list[str] | None = None) -> Any:
    return build_detector("torchvision", architecture, species or SPECIES)


@functools.cache
def shared(architecture: str) -> Any:
    """A detector that no test changes."""
    seed_torch(1)
    return detector_of(architecture)


def published(architecture: str) -> nn.Module:
    """torchvision's detector of 91 classes, with statistics and scales as training leaves them."""
    model = getattr(detection, architecture)(weights=None, weights_backbone=None, num_classes=91)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.0)
    return model.eval()


def batch_of(boxes: list[Tensor], size: tuple[int, int] = (128, 160)) -> Batch:
    images = torch.rand(len(boxes), 3, *size, generator=torch.Generator().manual_seed(1))
    labels = tuple(torch.arange(len(some)) % len(SPECIES) for some in boxes)
    return Batch(images, tuple(boxes), labels)


class TestPretrained:
    @pytest.mark.parametrize("architecture", COCO)
    def test_coco_weights_are_taken_but_for_the_classes(self, architecture: str) -> None:
        seed_torch(1)
        theirs, ours = published(architecture), detector_of(architecture)
        before = {name: tensor.clone() for name, tensor in ours.model.state_dict().items()}
        given = theirs.state_dict()
        taken = ours.take_pretrained("coco", given)
        assert taken == len(before) - COCO[architecture]
        after = ours.model.state_dict()
        classes = {name for name in after if name.startswith(ours.class_layers)}
        assert {name for name in after if after[name].shape != given[name].shape} <= classes
        assert all(torch.equal(before[name], after[name]) for name in classes)
        assert all(torch.allclose(after[n], given[n], atol=2e-5) for n in set(after) - classes)

    @pytest.mark.parametrize(
        "architecture", ["fasterrcnn_mobilenet_v3_large_320_fpn", "retinanet_resnet50_fpn"]
    )
    def test_with_as_many_species_as_coco_has_classes_its_class_head_still_stays_out(
        self, architecture: str
    ) -> None:
        ours = detector_of(architecture, [f"S{number}" for number in range(90)])
        given = detector_of(architecture, [f"S{number}" for number in range(90)]).model.state_dict()
        layers = [name for name in given if name.startswith(ours.class_layers)]
        before = {name: ours.model.state_dict()[name].clone() for name in layers}
        assert ours.take_pretrained("coco", given) == len(given) - len(layers)
        assert all(torch.equal(before[name], ours.model.state_dict()[name]) for name in layers)

    @pytest.mark.parametrize("architecture", ["fasterrcnn_resnet50_fpn", "retinanet_resnet50_fpn"])
    def test_coco_features_are_those_of_torchvision_whose_epsilon_was_zero(self, architecture: str) -> None:
        seed_torch(2)
        theirs, ours = published(architecture), detector_of(architecture).eval()
        ours.take_pretrained("coco", theirs.state_dict())
        for module in theirs.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0  # what torchvision's overwrite_eps does to its frozen norms
        images = torch.rand(1, 3, 64, 96)
        with torch.inference_mode():
            mine, other = (m.backbone(images) for m in (ours.model, theirs))
        assert all(torch.allclose(mine[key], other[key], rtol=1e-3, atol=1e-4) for key in other)

    @pytest.mark.parametrize(
        ("architecture", "renamed"),
        [
            ("fasterrcnn_mobilenet_v3_large_320_fpn", {"rpn.head.conv.0.0.": "rpn.head.conv."}),
            (
                "retinanet_resnet50_fpn",
                {
                    f"head.{head}_head.conv.{number}.0.": f"head.{head}_head.conv.{2 * number}."
                    for head in ("classification", "regression")
                    for number in range(4)
                },
            ),
        ],
    )
    def test_names_of_old_checkpoints_are_known(self, architecture: str, renamed: dict[str, str]) -> None:
        given = detector_of(architecture).model.state_dict()
        for new, old in renamed.items():
            for kind in ("weight", "bias"):
                given[old + kind] = given.pop(new + kind)
        ours = detector_of(architecture)
        classes = sum(name.startswith(ours.class_layers) for name in ours.model.state_dict())
        assert ours.take_pretrained("coco", given) == len(given) - classes

    @pytest.mark.parametrize(
        ("architecture", "classifier", "lost"),
        [
            ("fasterrcnn_resnet50_fpn", "resnet50", 2),
            ("fcos_resnet50_fpn", "resnet50", 2),
            ("fasterrcnn_mobilenet_v3_large_320_fpn", "mobilenet_v3_large", 4),
            ("ssd300_vgg16", "vgg16", 6),
        ],
    )
    def test_a_classifier_of_imagenet_fills_the_backbone(
        self, architecture: str, classifier: str, lost: int
    ) -> None:
        given = classifier_weights(classifier)
        ours = detector_of(architecture).eval()
        assert ours.take_pretrained("imagenet", given) == len(given) - lost, "all but its last layers"
        state = ours.model.state_dict()
        held = {tensor.double().sum().item() for tensor in given.values()}
        body = [name for name in state if name.startswith(("backbone.body.", "backbone.features."))]
        assert body
        missing = [name for name in body if state[name].double().sum().item() not in held]
        assert missing == []

    def test_the_features_of_ssdlite_are_those_of_the_classifier_up_to_its_reduced_tail(self) -> None:
        """COCO's SSDlite has half the channels in the last blocks, so they alone stay random."""
        seed_torch(3)
        given = classifier_weights("mobilenet_v3_large")
        theirs = torchvision.models.mobilenet_v3_large(norm_layer=lambda c: nn.BatchNorm2d(c, eps=0.001))
        theirs.load_state_dict(given, strict=False)
        ours = detector_of("ssdlite320_mobilenet_v3_large").eval()
        taken = ours.take_pretrained("imagenet", given)
        wanted = sum(name.startswith(tuple(f"features.{n}." for n in range(13))) for name in given)
        assert taken >= wanted
        images = torch.rand(1, 3, 96, 96)
        with torch.inference_mode():
            mine = ours.model.backbone.features[0](images)
            features = theirs.eval().features
            other = features[13].block[0](features[:13](images))
        assert torch.allclose(mine, other, atol=1e-5)

    @pytest.mark.parametrize("kind", ["coco", "imagenet"])
    def test_lite0_has_no_weights_of_torchvision(self, kind: str) -> None:
        with pytest.raises(LookupError, match=kind):
            detector_of("fasterrcnn_lite0").take_pretrained(kind, {})


def classifier_weights(name: str) -> dict[str, Tensor]:
    """Weights of one of torchvision's classifiers without their long last layers being made."""
    generator = torch.Generator().manual_seed(5)
    with torch.device("meta"):
        shapes = getattr(torchvision.models, name)(weights=None).state_dict()
    return {
        key: torch.ones(())
        if not tensor.is_floating_point()
        else torch.zeros(1)
        if tensor.numel() > 2e7
        else 0.5 + torch.rand(tensor.shape, generator=generator) / 10
        if key.endswith("running_var")
        else torch.randn(tensor.shape, generator=generator) / 10
        for key, tensor in shapes.items()
    }


class TestHolding:
    def test_from_random_weights_everything_is_trained(self) -> None:
        detector = detector_of("fasterrcnn_mobilenet_v3_large_320_fpn").train()
        assert all(parameter.requires_grad for parameter in detector.parameters())
        assert all(norm.training for norm in detector._norms())

    @pytest.mark.parametrize(
        ("architecture", "reference"),
        [
            ("retinanet_resnet50_fpn", lambda: _resnet_fpn_extractor(torchvision.models.resnet50(), 3)),
            (
                "fasterrcnn_mobilenet_v3_large_320_fpn",
                lambda: _mobilenet_extractor(torchvision.models.mobilenet_v3_large(), True, 3),
            ),
        ],
    )
    def test_pretrained_layers_are_held_as_in_torchvisions_reference(
        self, architecture: str, reference: Any, tmp_path: Any
    ) -> None:
        detector = detector_of(architecture)
        detector.take_pretrained("coco", detector_of(architecture).model.state_dict())
        held = {n for n, p in detector.model.backbone.named_parameters() if not p.requires_grad}
        norms = {id(p) for norm in detector._norms() for p in norm.parameters()}
        frozen = {n for n, p in detector.model.backbone.named_parameters() if id(p) in norms}
        assert frozen <= held
        assert held - frozen == {n for n, p in reference().named_parameters() if not p.requires_grad} - frozen
        assert not any(norm.training for norm in detector.train()._norms())
        before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
        parts = detector.loss(batch_of([torch.tensor([[10.0, 10, 60, 60]])] * 2))
        torch.stack(list(parts.values())).sum().backward()
        torch.optim.SGD([p for p in detector.parameters() if p.requires_grad], 0.01).step()
        after = detector.state_dict()
        body = [name for name in before if name.startswith("model.backbone.body.")]
        changed = {name for name in body if not torch.equal(before[name], after[name])}
        assert changed
        assert not changed & {f"model.backbone.{name}" for name in held}
        assert not any("running_" in name for name in changed)
        facts = {"adapter": "torchvision", "architecture": architecture, "species": SPECIES}
        save_model(detector.state_dict(), facts, tmp_path)
        loaded: Any = load_model(tmp_path)[0]
        assert {n for n, p in loaded.model.backbone.named_parameters() if not p.requires_grad} == held
        assert not any(norm.training for norm in loaded.train()._norms())


class TestLosses:
    @pytest.mark.parametrize("architecture", SSDS)
    def test_ssd_has_the_loss_of_torchvision_where_every_image_has_an_animal(self, architecture: str) -> None:
        detector = shared(architecture).eval()  # batch norms must not move between the two
        model = detector.model
        boxes = [torch.tensor([[10.0, 10, 90, 80], [70, 30, 100, 60]]), torch.tensor([[5.0, 5, 40, 50]])]
        batch = batch_of(boxes)
        targets = [
            {"boxes": some, "labels": labels + 1} for some, labels in zip(boxes, batch.labels, strict=True)
        ]
        ours = single_shot_loss(model, batch.images, targets)
        model.training = True  # of SSD itself, not of its layers
        theirs = model(batch.images, targets)
        model.training = False
        assert set(ours) == set(theirs)
        for name, value in theirs.items():
            assert torch.allclose(ours[name], value, rtol=1e-5), name

    @pytest.mark.parametrize("architecture", SSDS)
    def test_an_image_without_animals_teaches_ssd_too(self, architecture: str) -> None:
        detector = shared(architecture).train()
        parts = detector.loss(batch_of([torch.zeros(0, 4)] * 2))
        assert parts["classification"] > 0.1
        torch.stack(list(parts.values())).sum().backward()
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in detector.parameters())

    @pytest.mark.parametrize(
        "architecture", ["fasterrcnn_lite0", "retinanet_lite0", "fcos_resnet50_fpn", SSDS[1]]
    )
    def test_boxes_without_an_area_are_left_out(self, architecture: str) -> None:
        good = torch.tensor([[10.0, 10, 60, 60]])
        bad = torch.tensor([[20.0, 20, 20, 50], [30, 30, 80, 30]])
        losses = []
        for boxes in (good, torch.cat([good, bad])):
            seed_torch(6)
            detector = detector_of(architecture).train()
            seed_torch(7)
            batch = Batch(batch_of([good]).images, (boxes,), (torch.zeros(len(boxes), dtype=torch.long),))
            losses.append({name: part.item() for name, part in detector.loss(batch).items()})
        assert losses[0] == losses[1]

    @pytest.mark.parametrize("architecture", ["fasterrcnn_lite0", "retinanet_lite0", SSDS[1]])
    def test_anchors_and_losses_stay_precise_where_the_network_runs_in_shorter_numbers(
        self, architecture: str
    ) -> None:
        detector, seen = detector_of(architecture).eval(), []
        model = detector.model
        generator = model.rpn.anchor_generator if hasattr(model, "rpn") else model.anchor_generator
        generator.register_forward_hook(lambda _module, _inputs, anchors: seen.append(anchors[0]))
        batch = batch_of([torch.tensor([[410.0, 21, 460, 60]])], (64, 480))
        for module in detector.modules():
            module.training = not isinstance(module, nn.BatchNorm2d)
        losses = []
        for enabled in (False, True):
            seed_torch(1)
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                losses.append(detector.loss(batch))
        assert torch.equal(*seen)
        assert all(part.dtype == torch.float32 for part in losses[1].values())
        for name, part in losses[0].items():
            assert torch.allclose(part, losses[1][name], rtol=0.1, atol=0.02), name

    @pytest.mark.parametrize("architecture", ["fasterrcnn_lite0", "retinanet_lite0", SSDS[1]])
    def test_an_image_of_1500_boxes_is_learnt_from(self, architecture: str) -> None:
        corner = torch.rand(1500, 2, generator=torch.Generator().manual_seed(2)) * 300
        boxes = torch.cat([corner, corner + 12], dim=1)
        parts = detector_of(architecture).train().loss(batch_of([boxes], (320, 320)))
        assert all(torch.isfinite(part) for part in parts.values())


def test_overlaps_of_many_animals_are_those_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    corner = torch.rand(150, 2, generator=torch.Generator().manual_seed(3)) * 50
    boxes, anchors = torch.cat([corner, corner + 20], dim=1), torch.cat([corner, corner + 9], dim=1)
    whole = torchvision.ops.box_iou(boxes, anchors)
    assert torch.equal(overlaps(boxes, anchors), whole)
    sizes: list[int] = []
    monkeypatch.setattr(
        "podura.detectors.torchvision_matching.box_iou",
        lambda some, all_: sizes.append(len(some)) or torchvision.ops.box_iou(some, all_),
    )
    overlaps(boxes, anchors)
    assert sizes == [64, 64, 22]


@pytest.mark.parametrize("changed", [False, True])
def test_retinanet_has_the_loss_of_torchvision_in_copies_too(changed: bool) -> None:
    """Validation copies the detector: the copy must use its own weights."""
    detector = copy.deepcopy(shared("retinanet_lite0").train())
    if changed:
        with torch.no_grad():
            detector.model.head.classification_head.cls_logits.bias.add_(1.0)
    batch = batch_of([torch.tensor([[10.0, 10, 60, 60]]), torch.zeros(0, 4)])
    ours = detector.loss(batch)
    del detector.model.compute_loss
    theirs = detector.loss(batch)
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("channels", [4, 7])
def test_gathering_gives_the_values_and_gradients_of_roi_align(channels: int) -> None:
    generator = torch.Generator().manual_seed(8)
    maps = {
        str(level): torch.randn(
            2, channels, 32 >> level, 24 >> level, generator=generator, requires_grad=True
        )
        for level in range(3)
    }
    maps["pool"] = torch.zeros(2, channels, 2, 2)
    corner = torch.rand(2, 40, 2, generator=generator) * 200 - 10  # some stand out of the image
    side = torch.rand(2, 40, 2, generator=generator) * torch.tensor([250.0, 30.0])
    boxes = list(torch.cat([corner, corner + side], dim=2))
    boxes[0][0] = torch.tensor([50.0, 50.0, 50.0, 50.0])
    boxes.append(torch.zeros(0, 4))
    maps = {key: torch.cat([values, values[:1]]).detach().requires_grad_() for key, values in maps.items()}
    results = []
    for kind in (MultiScaleRoIAlign, GatheringRoIAlign):
        pool = kind(["0", "1", "2"], (3, 5), 2)
        pooled = pool(maps, boxes, [(256, 192)] * 3)
        weights = torch.randn(pooled.shape, generator=torch.Generator().manual_seed(9))
        gradients = torch.autograd.grad((pooled * weights).sum(), [maps[key] for key in "012"])
        results.append((pooled, gradients))
    (theirs, their_gradients), (ours, our_gradients) = results
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(our_gradients, their_gradients, strict=True))


class TestAnySize:
    @pytest.mark.parametrize("architecture", SSDS)
    def test_default_boxes_keep_their_pixels_in_large_and_shrink_in_small_images(
        self, architecture: str
    ) -> None:
        generator = shared(architecture).model.anchor_generator

        def sides(height: int, width: int) -> Tensor:
            images, maps = torch.zeros(1, 3, height, width), [torch.zeros(1, 1, 2, 3)] * 6
            (boxes,) = generator(ImageList(images, [(height, width)]), maps)
            return torch.unique((boxes[:, 2:] - boxes[:, :2]).round(decimals=1), dim=0)

        square = sides(320, 320)
        assert torch.equal(square, sides(640, 640))
        assert torch.equal(square, sides(320, 640)), "an oblong image distorts nothing"
        assert torch.allclose(sides(160, 160).max(), torch.tensor(160.0), atol=1)

    def test_default_boxes_are_the_published_ones_at_the_published_size(self) -> None:
        ours = shared("ssdlite320_mobilenet_v3_large").eval().model
        theirs = detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None)
        images = ImageList(torch.zeros(1, 3, 320, 320), [(320, 320)])
        with torch.inference_mode():
            features = list(ours.backbone(images.tensors).values())
        mine, other = (model.anchor_generator(images, features)[0] for model in (ours, theirs))
        assert torch.equal(mine, other)

    def test_ssd300_differs_from_the_published_boxes_by_rounded_steps_only(self) -> None:
        """The paper's steps of 8, 16, 32, 64, 100 and 300 px are 300 / 38, 300 / 19, … in truth."""
        theirs = DefaultBoxGenerator(
            [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
            scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
            steps=[8, 16, 32, 64, 100, 300],
        )
        images = ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)])
        maps = [torch.zeros(1, 1, side, side) for side in (38, 19, 10, 5, 3, 1)]
        mine, other = (g(images, maps)[0] for g in (shared("ssd300_vgg16").model.anchor_generator, theirs))
        assert torch.allclose(mine[:, 2:] - mine[:, :2], other[:, 2:] - other[:, :2], atol=1e-3)
        assert (mine - other).abs().max() < 20

    @pytest.mark.parametrize("architecture", SSDS)
    @pytest.mark.parametrize("size", [(32, 32), (320, 32)])
    def test_ssd_takes_images_of_any_size(self, architecture: str, size: tuple[int, int]) -> None:
        detector = shared(architecture).train()
        parts = detector.loss(batch_of([torch.tensor([[2.0, 3.0, 20.0, 25.0]])], size))
        assert all(torch.isfinite(part) for part in parts.values())
        with torch.inference_mode():
            (found,) = detector.eval().detect(
                torch.rand(1, 3, *size), [size], score_floor=0.0, max_detections=5
            )
        assert len(found.scores) == 5


def test_no_architecture_drops_proposals_by_a_floor_of_its_own() -> None:
    for name in TWO_STAGE:
        if "resnet" not in name:
            assert detector_of(name).model.rpn.score_thresh == 0.0
