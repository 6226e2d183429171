"""The list of published weights agrees with the frameworks' own facts and with the architectures."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from podura.configuration.pretrained import (
    KINDS,
    WEIGHT_SOURCES,
    impossible_pretrained,
    read_weight_sources,
)
from podura.configuration.sources import read_yaml
from podura.configuration.structure import load_schema
from podura.errors import UserErrors

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "workflow" / "schemas"
SCHEMA = load_schema(SCHEMAS, "weights")
SOURCES = read_weight_sources(WEIGHT_SOURCES, SCHEMA)
BY_FORMAT = {
    wanted: [file for file in SOURCES.files.values() if file.format == wanted]
    for wanted in ("torchvision", "ultralytics", "safetensors")
}


def architectures() -> set[tuple[str, str]]:
    """Adapter and architecture of every detector that models.yaml may name."""
    found = set()
    for rule in load_schema(SCHEMAS, "model")["allOf"]:
        adapter = rule["if"]["properties"].get("adapter", {}).get("const")
        if adapter:
            found |= {(adapter, name) for name in rule["then"]["properties"]["architecture"]["enum"]}
    return found


def test_every_architecture_says_which_weights_it_can_start_from() -> None:
    assert architectures() == set(SOURCES.choices)


def test_shipped_models_start_from_weights_that_there_are() -> None:
    named = set()
    for path in [*(ROOT / "config").rglob("*models.yaml"), *(ROOT / "tests").rglob("*models.yaml")]:
        table = read_yaml(path)
        assert impossible_pretrained(table, SOURCES) == [], path
        named |= {entry.get("weights") for entry in table.values.values()}  # fused models have none
    assert {"imagenet", "coco"} <= named


def test_every_file_is_the_start_of_an_architecture_and_has_a_name_of_its_own() -> None:
    used = {name for of in SOURCES.choices.values() for name in of.values()} - {None, "package"}
    assert set(SOURCES.files) == used
    names = [file.published_name.casefold() for file in SOURCES.files.values()]
    assert len(set(names)) == len(names)
    urls = [file.url for file in SOURCES.files.values()]
    assert len(set(urls)) == len(urls)


def test_the_published_name_is_that_of_the_address() -> None:
    for file in SOURCES.files.values():
        last = file.url.rsplit("/", 1)[1]
        if file.format == "safetensors":  # on the hub the repository has the name
            assert last == "model.safetensors"
            assert f"/{file.name}/resolve/" in file.url
        else:
            assert last == file.published_name


def test_digests_begin_as_the_names_of_torchvision_say() -> None:
    assert len(BY_FORMAT["torchvision"]) >= 12
    for file in BY_FORMAT["torchvision"]:
        start = re.search(r"-([0-9a-f]{8})\.pth$", file.url)
        assert start is not None
        assert file.sha256_start == start[1]
        assert file.sha256 is None or file.sha256.startswith(start[1])


def test_addresses_and_sizes_of_torchvision_are_its_own() -> None:
    models = pytest.importorskip("torchvision.models")
    entries = [
        entry
        for name in models.list_models()
        for entry in models.get_model_weights(name)
        if "quantized" not in entry.url
    ]
    megabytes = {entry.url: entry.meta["_file_size"] for entry in entries}
    for file in BY_FORMAT["torchvision"]:
        assert file.url in megabytes
        if file.size is not None:
            assert file.size / 2**20 == pytest.approx(megabytes[file.url], abs=0.001)
    for (adapter, architecture), choices in SOURCES.choices.items():
        if adapter == "torchvision" and choices["coco"] is not None:
            own = [entry.url for entry in models.get_model_weights(architecture)]
            assert own == [SOURCES.files[choices["coco"]].url]


def test_addresses_of_ultralytics_are_its_own() -> None:
    pytest.importorskip("podura.detectors.ultralytics_adapter")
    from ultralytics.utils import downloads

    release = inspect.signature(downloads.attempt_download_asset).parameters["release"].default
    repository = downloads.GITHUB_ASSETS_REPO
    assert len(BY_FORMAT["ultralytics"]) >= 27
    for file in BY_FORMAT["ultralytics"]:
        assert (
            file.url == f"https://github.com/{repository}/releases/download/{release}/{file.published_name}"
        )
        assert file.published_name in downloads.GITHUB_ASSETS_NAMES


def test_weights_of_a_package_need_no_file() -> None:
    for architecture in ("fasterrcnn_lite0", "retinanet_lite0"):
        assert SOURCES.kinds("torchvision", architecture) == ("imagenet",)
        assert SOURCES.file("torchvision", architecture, "imagenet") is None


def test_kinds_are_those_that_an_architecture_has() -> None:
    assert SOURCES.kinds("torchvision", "fasterrcnn_resnet50_fpn") == KINDS
    assert SOURCES.kinds("ultralytics", "yolov5n") == ("coco",)
    assert SOURCES.kinds("ultralytics", "fasterrcnn_resnet50_fpn") == ()


def yolo(values: Any) -> Any:
    return values["architectures"]["ultralytics"]["yolov5n"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda v: v["files"]["yolov5nu"].update(digest="x"), "there is no such key"),
        (lambda v: v["files"]["yolov5nu"].pop("licence"), "the key 'licence' is missing"),
        (lambda v: v["files"]["yolov5nu"].update(url="http://x.org/y.pt"), "does not fit"),
        (lambda v: v["files"]["yolov5nu"].update(sha256="abc"), "does not fit"),
        (
            lambda v: v["architectures"]["ultralytics"]["yolov5n"].update(coco="yolov5"),
            "files has no 'yolov5'",
        ),
        (lambda v: v["architectures"]["ultralytics"]["yolov5n"].pop("coco"), "the key 'coco' is missing"),
    ],
)
def test_a_list_with_a_fault_is_refused(tmp_path: Path, change: Any, told: str) -> None:
    values = yaml.safe_load(WEIGHT_SOURCES.read_text(encoding="utf-8"))
    change(values)
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(UserErrors, match=re.escape(told)):
        read_weight_sources(path, SCHEMA)
