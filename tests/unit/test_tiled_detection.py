"""Detection in tiles of files: every animal once, whatever the batch, in little memory, after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
from PIL import Image

from podura.configuration.study import TilingSettings
from podura.detectors import inference
from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Detector, clip_and_cap
from podura.detectors.inference import detect_files, detect_pixels
from podura.detectors.journal import Journal
from podura.detectors.weights import save_model
from podura.tables import BOX_COLUMNS, DETECTIONS, PART_IMAGES
from podura.training.seeds import seed_torch
from slide_builders import write_pyramid

TESTS = Path(__file__).parents[1]
SCRIPTS = TESTS.parent / "scripts"
CPU = torch.device("cpu")
TILING = TilingSettings(size=128, overlap=0.25, empty_share=0.2)


class SeesSquares(Detector):
    """Finds squares of one colour each on black, exactly, in whatever it is shown: what a detector should."""

    def __init__(self, most: int | None = None) -> None:
        super().__init__(["A"])
        self.most = most
        self.shapes: list[tuple[int, ...]] = []

    @property
    def most_detections(self) -> int | None:
        return self.most

    def loss(self, batch):
        raise NotImplementedError

    def detect(self, images, sizes, *, score_floor, max_detections):
        self.shapes.append(tuple(images.shape))
        cap = max_detections if self.most_detections is None else min(max_detections, self.most_detections)
        found = []
        for image, size in zip(images, sizes, strict=True):
            codes = (image[:, : size[0], : size[1]] * 255).round().long()
            numbers = codes[0] * 65536 + codes[1] * 256 + codes[2]
            boxes = []
            for number in numbers.unique().tolist():
                if number:
                    rows, columns = torch.nonzero(numbers == number, as_tuple=True)
                    boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
            scores = torch.linspace(0.9, 0.5, len(boxes))
            labels = torch.zeros(len(boxes), dtype=torch.long)
            found.append(
                clip_and_cap(boxes, labels, scores, size, score_floor=score_floor, max_detections=cap)
            )
        return found


class SeesWhite(SeesSquares):
    """The same for what is white, where resizing mixes colours."""

    def detect(self, images, sizes, **terms):
        return super().detect((images > 0.5).float(), sizes, **terms)


def crowded(width: int, height: int, side: int = 16) -> tuple[np.ndarray, list[list[int]]]:
    """Squares side by side over the whole picture, each touching its neighbours, each of its own colour."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    boxes = []
    for y in range(3, height - side, side):
        for x in range(5, width - side, side):
            number = len(boxes) + 1
            pixels[y : y + side, x : x + side] = (number >> 16, number >> 8 & 255, number & 255)
            boxes.append([x, y, x + side, y + side])
    return pixels, boxes


def written(folder: Path, name: str, pixels: np.ndarray) -> Path:
    path = folder / name
    if path.suffix == ".tif":
        return write_pyramid(path, pixels, levels=1, tile=64, compression="zlib")
    Image.fromarray(pixels).save(path)
    return path


def detected(detector, path, **changes):
    terms = {
        "image_size": 128,
        "score_floor": 0.01,
        "max_detections": 5000,
        "device": CPU,
        "tiling": TILING,
        **changes,
    }
    return detect_files(detector, [("a", path, "s")], **terms)


def boxes_of(run) -> list[list[float]]:
    return sorted([row[column] for column in BOX_COLUMNS] for row in run.rows)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("size", [(420, 300), (100, 90), (128, 500)])
def test_every_animal_of_a_crowd_is_found_once_over_all_seams(tmp_path, name, size):
    pixels, boxes = crowded(*size)
    run = detected(SeesSquares(), written(tmp_path, name, pixels))
    assert boxes_of(run) == sorted(boxes)
    assert run.capped == []
    assert run.cut == {}
    assert run.tiles >= 1


def test_tiles_are_seen_at_one_scale_and_boxes_come_back_in_pixels_of_the_image(tmp_path):
    pixels = np.zeros((300, 420, 3), dtype=np.uint8)
    pixels[90:120, 200:225] = 255
    detector = SeesWhite()
    run = detected(detector, written(tmp_path, "a.png", pixels), image_size=256)
    (box,) = boxes_of(run)
    assert box == pytest.approx([200, 90, 225, 120], abs=1)
    small = SeesWhite()
    detected(small, written(tmp_path, "b.png", pixels[:50, :90]), image_size=256)
    assert set(detector.shapes) == {(2, 3, 256, 256)} | {detector.shapes[-1]}
    assert small.shapes == [(1, 3, 128, 192)], "a small image is not blown up to the size of a tile"


def test_the_image_has_the_cap_and_a_tile_that_reaches_it_is_told_of(tmp_path):
    pixels, _ = crowded(420, 300)
    path = written(tmp_path, "a.png", pixels)
    few = detected(SeesSquares(), path, max_detections=100)
    assert len(few.rows) == 100
    assert few.capped == ["a"]
    assert few.capped_tiles == {}
    assert [row["score"] for row in few.rows] == sorted((row["score"] for row in few.rows), reverse=True)
    assert detected(SeesSquares(), path, max_detections=20).capped_tiles == {"a": few.tiles}
    queries = detected(SeesSquares(most=30), path)
    assert queries.capped == ["a"]
    assert queries.capped_tiles == {"a": few.tiles}


def test_an_architecture_with_a_limit_of_its_own_caps_whole_images_too(tmp_path):
    pixels, boxes = crowded(128, 128)
    path = written(tmp_path, "a.png", pixels)
    assert detected(SeesSquares(), path, tiling=None).capped == []
    run = detected(SeesSquares(most=len(boxes)), path, tiling=None)
    assert run.capped == ["a"]
    assert run.capped_tiles == {}


def test_animals_larger_than_the_overlap_are_told_of(tmp_path):
    pixels = np.zeros((300, 420, 3), dtype=np.uint8)
    pixels[50:150, 40:300] = 9
    pixels[200:216, 100:116] = 7
    run = detected(SeesSquares(), written(tmp_path, "a.png", pixels))
    assert boxes_of(run) == [[40, 50, 300, 150], [100, 200, 116, 216]]
    assert run.cut == {"a": 1}


@pytest.mark.parametrize(
    ("adapter", "architecture"), [("torchvision", "fasterrcnn_lite0"), ("ultralytics", "yolov5n")]
)
def test_detections_do_not_depend_on_how_many_tiles_go_at_a_time(
    adapter, architecture, tmp_path, monkeypatch
):
    seed_torch(1)
    detector = build_detector(adapter, architecture, ["A", "B"]).eval()
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    path = written(tmp_path, "a.png", pixels)
    found = []
    for number in (1, 3, 4):
        monkeypatch.setattr(inference, "CPU_TILES", number)
        run = detected(detector, path, max_detections=20, score_floor=1e-4)
        found.append(pd.DataFrame(run.rows))
    for other in found[1:]:
        numbers = ["score", *BOX_COLUMNS]
        assert other[numbers].to_numpy() == pytest.approx(found[0][numbers].to_numpy(), rel=1e-3, abs=1e-3)
        assert (other["species"] == found[0]["species"]).all()


def test_detections_in_an_image_do_not_depend_on_the_images_beside_it():
    seed_torch(1)
    detector = build_detector("ultralytics", "yolov5n", ["A", "B"]).eval()
    rng = np.random.default_rng(0)
    small, large = (rng.integers(0, 255, (*shape, 3), dtype=np.uint8) for shape in ((64, 96), (96, 90)))
    terms = {"image_size": 96, "score_floor": 1e-4, "max_detections": 20, "device": CPU}
    together = detect_pixels(detector, [small, large], **terms)
    apart = [detect_pixels(detector, [one], **terms)[0] for one in (small, large)]
    assert together == apart


# After a kill


def test_a_journal_gives_back_what_was_done_to_the_last_digit(tmp_path):
    pixels, _ = crowded(420, 300)
    path = written(tmp_path, "a.png", pixels)
    first = detected(SeesSquares(), path, journal=Journal(tmp_path / "j", "x"))
    blind = SeesSquares()
    again = detected(blind, path, journal=Journal(tmp_path / "j", "x"))
    assert again == first
    assert blind.shapes == []


def test_a_journal_of_another_detection_or_of_another_image_is_not_believed(tmp_path):
    pixels, _ = crowded(420, 300)
    path = written(tmp_path, "a.png", pixels)
    detected(SeesSquares(), path, journal=Journal(tmp_path / "j", "x"))
    other = SeesSquares()
    detected(other, path, journal=Journal(tmp_path / "j", "y"))
    assert other.shapes
    written(tmp_path, "a.png", pixels[:200])
    changed = SeesSquares()
    detected(changed, path, journal=Journal(tmp_path / "j", "y"))
    assert changed.shapes


def test_a_line_that_a_kill_cut_off_is_done_again_and_a_failed_image_too(tmp_path):
    journal = Journal(tmp_path / "j", "x")
    for name in ("a", "b"):
        (tmp_path / name).touch()
        journal.add(name, tmp_path / name, {"seconds": 1.0, "failed": None})
    journal.add("c", tmp_path / "c", {"failed": "there is no such file"})
    text = (tmp_path / "j").read_text()
    (tmp_path / "j").write_text(text[:-20])
    found = Journal(tmp_path / "j", "x")
    assert found.get("a", tmp_path / "a") == {"seconds": 1.0, "failed": None}
    assert found.get("b", tmp_path / "b") is None
    found.add("b", tmp_path / "b", {"seconds": 2.0, "failed": None})
    assert Journal(tmp_path / "j", "x").get("b", tmp_path / "b") == {"seconds": 2.0, "failed": None}
    found.remove()
    assert not (tmp_path / "j").exists()


@pytest.fixture(scope="module")
def detection(tmp_path_factory):
    """A saved model, and a part of six images, for the script."""
    folder = tmp_path_factory.mktemp("detection")
    seed_torch(3)
    detector = build_detector("ultralytics", "yolov5n", ["A", "B"])
    facts = {"adapter": "ultralytics", "architecture": "yolov5n", "species": ["A", "B"], "image_size": 128}
    facts["tiling"] = {"size": 128, "overlap": 0.25, "empty_share": 0.2}
    save_model(detector.state_dict(), facts, folder / "model")
    rng = np.random.default_rng(0)
    rows = []
    for number in range(6):
        path = written(folder, f"{number}.png", rng.integers(0, 255, (600, 700, 3), dtype=np.uint8))
        rows.append({"image": path.name, "path": str(path), "slide": "s", "width": 700, "height": 600})
    PART_IMAGES.write_csv(pd.DataFrame(rows), folder / "parts" / "test" / "images.csv")
    return folder


def command(folder: Path, output: Path) -> list[str]:
    terms = json.dumps({"score_floor": 0.001, "max_detections": 50})
    return [
        *(sys.executable, str(SCRIPTS / "detect.py"), "--model", str(folder / "model")),
        *("--images", str(folder / "parts/test/images.csv"), "--evaluation", terms, "--device", "cpu"),
        *("--output", str(output), "--log", str(output / "log.txt")),
    ]


def test_a_killed_detection_continues_and_ends_with_the_same_bytes(detection, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    subprocess.run(command(detection, tmp_path / "whole"), env=environment, check=True, capture_output=True)
    killed = subprocess.Popen(
        command(detection, tmp_path / "killed"),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    journal = tmp_path / "killed" / ".journal.jsonl"
    deadline = time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "killed" / "test.parquet").exists()
    again = subprocess.run(
        command(detection, tmp_path / "killed"), env=environment, check=True, capture_output=True, text=True
    )
    assert "Continuing after" in again.stderr
    first, second = ((tmp_path / name / "test.parquet").read_bytes() for name in ("whole", "killed"))
    assert first == second
    assert not journal.exists()
    assert len(DETECTIONS.read_parquet(tmp_path / "killed" / "test.parquet")) > 0
    facts = json.loads((tmp_path / "killed" / "run.json").read_text())["test"]
    assert facts["images"] == 6
    assert facts["tiles"] == 6 * 7 * 6
    assert set(facts) >= {"seconds", "capped", "capped_tiles", "cut", "failed"}


# Memory

MEASURE = """
import sys
sys.path[:0] = sys.argv[1:3]
from pathlib import Path
import torch
from peak_memory import peak_mb
from podura.configuration.study import TilingSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.inference import detect_files
torch.set_num_threads(1)
detector = build_detector("ultralytics", "yolov5n", ["A", "B"])
def detect(path, size):
    run = detect_files(detector, [("a", Path(path), "s")], image_size=64, score_floor=0.001,
                       max_detections=300, device=torch.device("cpu"), tiling=TilingSettings(size, 0.1, 0))
    assert not run.failed
    return run.tiles
detect(sys.argv[3], 1024)
before = peak_mb()
assert detect(sys.argv[4], 1024) >= 160
print(peak_mb() - before)
"""


def test_a_plate_of_half_a_gigabyte_is_detected_in_little_memory(tmp_path):
    side, tile = 12_000, 512

    def blocks():
        rng = np.random.default_rng(0)
        some = [np.full((tile, tile, 3), value, dtype=np.uint8) for value in rng.integers(0, 200, 3)]
        for number in range((-(-side // tile)) ** 2):
            yield some[number % 3]

    path = tmp_path / "plate.tif"
    tifffile.imwrite(
        path,
        blocks(),
        shape=(side, side, 3),
        dtype=np.uint8,
        tile=(tile, tile),
        photometric="rgb",
        compression="zlib",
        metadata=None,
    )
    small = written(tmp_path, "small.tif", np.zeros((1500, 1500, 3), dtype=np.uint8))
    grown = subprocess.run(
        [sys.executable, "-c", MEASURE, str(SCRIPTS), str(TESTS), str(small), str(path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert float(grown.stdout) < 150
