"""Where a detector's weights start, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from podura.detectors.contract import Batch, Detector, ImageDetections
from podura.detectors.weights import facts_file, initialise
from podura.errors import UserError
from podura.fingerprints import file_digest
from podura.tables import write_json


class Small(Detector):
    """Two layers; published COCO weights call the first one "trunk" and have another second one."""

    def __init__(self, species: Sequence[str]) -> None:
        super().__init__(species)
        self.body = nn.Linear(4, 3)
        self.classes = nn.Linear(3, len(self.species))

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError

    def detect(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]],
        *,
        score_floor: float,
        max_detections: int,
    ) -> list[ImageDetections]:
        raise NotImplementedError

    def take_pretrained(self, kind: str, tensors: Mapping[str, Tensor]) -> int:
        if kind != "coco":
            return super().take_pretrained(kind, tensors)
        named = {name.replace("trunk.", "body."): tensor for name, tensor in tensors.items()}
        own = self.state_dict()
        fitting = {n: t for n, t in named.items() if n in own and own[n].shape == t.shape}
        self.load_state_dict({**own, **fitting})
        return len(fitting)


COCO = {
    "trunk.weight": torch.full((3, 4), 2.0),
    "trunk.bias": torch.full((3,), 3.0),
    "classes.weight": torch.zeros(91, 3),
    "classes.bias": torch.zeros(91),
}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "small_coco.safetensors"
    save_file(COCO, path)
    write_json({"weights_sha256": file_digest(path)}, facts_file(path))
    return path


def test_published_weights_are_taken_as_the_adapter_names_them_and_the_rest_is_told(published: Path) -> None:
    torch.manual_seed(1)
    detector = Small(["A", "B"])
    random = detector.classes.weight.clone()
    said = initialise(detector, "coco", published)
    assert said == "COCO weights: 2 of 4 tensors from small_coco.safetensors; random: classes"
    assert torch.equal(detector.body.weight, COCO["trunk.weight"])
    assert torch.equal(detector.classes.weight, random)
    # With as many species as classes all of it fits, and nothing is said to stay random.
    assert initialise(Small([str(n) for n in range(91)]), "coco", published) == (
        "COCO weights: 4 of 4 tensors from small_coco.safetensors"
    )


def test_layers_that_an_adapter_makes_wider_or_that_start_alike_are_told_rightly(tmp_path: Path) -> None:
    class Wide(Small):
        """As some adapters do: hidden layers get the width of the file, the layers behind them start anew."""

        def __init__(self) -> None:
            super().__init__(["A", "B"])
            self.bins = nn.Linear(5, 1, bias=False)
            self.branches = nn.ModuleList(nn.Linear(3, 2) for _ in range(3))
            nn.init.constant_(self.bins.weight, 7)

        def take_pretrained(self, kind: str, tensors: Mapping[str, Tensor]) -> int:
            self.body = nn.Linear(*reversed(tensors["trunk.weight"].shape))
            self.classes = nn.Linear(len(tensors["trunk.bias"]), 2)
            return super().take_pretrained(kind, tensors)

    file = tmp_path / "wide.safetensors"
    save_file(
        {
            "trunk.weight": torch.full((6, 4), 2.0).half(),
            "trunk.bias": torch.zeros(6).half(),
            "bins.weight": torch.full((1, 5), 7.0),
        },
        file,
    )
    detector = Wide()
    said = initialise(detector, "coco", file)
    assert torch.equal(detector.body.weight, torch.full((6, 4), 2.0))
    # The bins hold in the file what they hold anyway; the three branches are in no file.
    assert said == "COCO weights: 3 of 11 tensors from wide.safetensors; random: classes, branches.*"


def test_of_a_file_of_ones_own_the_layers_that_stay_random_are_told(tmp_path: Path) -> None:
    giver, file = Small(["A", "B", "C"]), tmp_path / "mine.safetensors"
    save_file(giver.state_dict(), file)
    said = initialise(Small(["A", "B"]), str(file))
    assert said == "2 of 4 tensors from mine.safetensors; random: classes"
    assert initialise(Small(["A", "B", "D"]), str(file)) == "4 of 4 tensors from mine.safetensors"


def test_published_weights_that_were_changed_are_refused(published: Path) -> None:
    save_file({**COCO, "trunk.bias": torch.zeros(3)}, published)
    detector = Small(["A"])
    before = detector.body.weight.clone()
    with pytest.raises(UserError, match=r"small_coco\.json beside it describes"):
        initialise(detector, "coco", published)
    assert torch.equal(detector.body.weight, before)


def test_published_weights_of_which_nothing_fits_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"something.else": torch.zeros(3)}, file)
    with pytest.raises(UserError, match="nothing of it fits"):
        initialise(Small(["A"]), "coco", file)


def test_a_missing_file_of_published_weights_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such weights file"):
        initialise(Small(["A"]), "coco", tmp_path / "absent.safetensors")


@pytest.mark.parametrize("given", [True, False])
def test_a_kind_that_an_architecture_does_not_have_is_refused(published: Path, given: bool) -> None:
    with pytest.raises(UserError, match=r"weights: imagenet: Small has no .*Write 'weights: none'"):
        initialise(Small(["A"]), "imagenet", published if given else None)
    with pytest.raises(UserError, match="weights: coco: Small has no coco weights"):
        initialise(Small(["A"]), "coco")


def test_taking_weights_does_not_move_the_seed_of_the_training(published: Path) -> None:
    detector = Small(["A"])
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    initialise(detector, "coco", published)
    assert torch.equal(torch.rand(3), wanted)
