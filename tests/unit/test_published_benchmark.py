"""The overlay of the published benchmark is what is known of the publication, and takes a lab's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from configuration_data import merge
from podura.configuration import load_study
from podura.configuration.study import Study
from podura.detectors.catalogue import build_detector

ROOT = Path(__file__).parents[2]
OVERLAY = ROOT / "config/studies/published_benchmark.yaml"
NAMED = {"CER-DEN", "CER-GIB", "HEM-THE", "HYP-MAN", "LEP-CYA", "LEP-LAN", "MET-AFF", "ISO-MIN", "PAR-NOT"}


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def load(overlay: dict[str, Any], folder: Path) -> Study:
    (folder / "overlay.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    return load_study(
        merge(read(ROOT / "config/config.yaml"), overlay),
        config_files=[ROOT / "config/config.yaml", folder / "overlay.yaml"],
        schemas=ROOT / "workflow/schemas",
        folder=ROOT,
        painted_folder=folder / "painted",
    )


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return load(read(OVERLAY), tmp_path)


def test_it_has_the_named_species_and_the_known_protocol(study: Study) -> None:
    assert {species.code for species in study.species} == NAMED
    assert study.evaluation.target_precision == 0.95
    assert len(study.seeds) >= 3
    assert study.folds
    kinds = {(model.architecture.rstrip("nsmlx"), model.image_size) for model in study.models}
    assert kinds == {(name, size) for name in ("yolov5", "fasterrcnn_resnet50_fp") for size in (640, 1280)}


def test_sizes_differ_in_nothing_else_and_all_models_make_as_many_steps(study: Study) -> None:
    for small, large in ((study.models[0], study.models[1]), (study.models[2], study.models[3])):
        for field in ("architecture", "weights", "optimiser", "average_decay", "parameters"):
            assert getattr(small, field) == getattr(large, field)
    assert len({(model.epochs, model.batch_size) for model in study.models}) == 1


def test_faster_rcnn_is_that_of_41_million_parameters_from_imagenet(study: Study) -> None:
    for model in study.models[2:]:
        assert model.weights == "imagenet"
        assert study.pretrained[model.name].name == "resnet50-0676ba61"
    ten = [f"species {number}" for number in range(10)]
    for model in study.models[::2]:
        built = build_detector(model.adapter, model.architecture, ten)
        assert built.parameter_count == model.parameters
    assert model.parameters // 10**6 == 41


def test_two_keys_and_the_tenth_species_make_it_a_study_of_ones_own(tmp_path: Path) -> None:
    table = (ROOT / "config/studies/published_benchmark_species.tsv").read_text(encoding="utf-8")
    assert table.count("\n#GEN-SPE\t") == 1
    (tmp_path / "species.tsv").write_text(table.replace("\n#GEN-SPE", "\nGEN-SPE"), encoding="utf-8")
    (tmp_path / "boxes.json").write_text("{}", encoding="utf-8")
    (tmp_path / "a.jpg").touch()
    (tmp_path / "images.tsv").write_text("image\tslide\na.jpg\tA\n", encoding="utf-8")
    overlay = read(OVERLAY)
    overlay["species"]["table"] = str(tmp_path / "species.tsv")
    overlay["dataset"] = {
        "images": str(tmp_path / "images.tsv"),
        "annotations": {"format": "coco", "path": str(tmp_path / "boxes.json")},
    }
    overlay["split"]["folds"] = None
    study = load(overlay, tmp_path)
    assert len(study.species) == 10
    assert study.dataset.annotations.format == "coco"
