"""How long import (with its checks) and split take, and how much memory, at 1,000 to 100,000 images.

    python tests/benchmarks/dataset_scale.py                       # 1,000 and 10,000 images
    python tests/benchmarks/dataset_scale.py --images 100000       # the target: minutes, below 2 GB
    python tests/benchmarks/dataset_scale.py --format csv voc      # other formats of annotations

Each size has that many files of noise (64 × 48 pixels; JPEG and PNG in turn), ten boxes in each, five images
a slide. Every step runs as a study runs it: its rule's script in a process of its own, whose peak resident
memory is printed. "configuration" is what Snakemake does before the first job: the check of the study and
the digest of its files.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from podura.configuration.run import SCHEMAS  # noqa: E402

SIZE = (64, 48)
BOXES = 10
IMAGES_A_SLIDE = 5
CODES = ("CER-DEN", "ISO-MIN", "LEP-CYA", "MET-AFF", "PAR-NOT")
FRACTIONS = {"train": 0.4, "validation": 0.15, "calibration": 0.2, "test": 0.25}
_CHECK = """
import sys, yaml
from pathlib import Path
from podura.configuration.load import load_study
from podura.fingerprints import fingerprint
config = Path(sys.argv[1])
study = load_study(yaml.safe_load(config.read_text()), config_files=[config], schemas=sys.argv[2])
fingerprint([study.dataset.annotations.path, *(image.path for image in study.images)])
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--format", nargs="+", default=["coco"], choices=["coco", "csv", "voc"])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    print(f"{'images':>8} {'boxes':>9} {'format':>7}  {'step':<14} {'seconds':>8} {'peak MB':>8}")
    for count in arguments.images:
        with tempfile.TemporaryDirectory() as folder:
            apart(write_images, Path(folder), count)
            for kind in arguments.format:
                apart(WRITERS[kind], Path(folder))
                for step, seconds, memory in measured(Path(folder), kind, arguments.threads):
                    print(
                        f"{count:8d} {count * BOXES:9d} {kind:>7}  {step:<14} {seconds:8.1f} {memory:8.0f}",
                        flush=True,
                    )


def apart(write: Callable[..., None], *arguments: Any) -> None:
    """Write in another process: what a process holds counts for those that it starts."""
    process = multiprocessing.get_context("fork").Process(target=write, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit("the files could not be written")


def write_images(folder: Path, count: int) -> None:
    """Write images, their table, the species, and boxes: count × BOXES × 4 (x, y, width, height)."""
    generator = np.random.default_rng(20261124)
    (folder / "images").mkdir()
    rows = ["image\tslide\tsample\tsite\tum_per_pixel"]
    for number in range(count):
        slide = number // IMAGES_A_SLIDE
        name = f"images/slide-{slide:06d}_{number % IMAGES_A_SLIDE}.{'jpg' if number % 2 else 'png'}"
        pixels = generator.integers(0, 256, (SIZE[1] // 8, SIZE[0] // 8, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize(SIZE, Image.Resampling.NEAREST)
        image.save(folder / name, **({"compress_level": 1} if name.endswith("png") else {}))
        rows.append(f"{name}\tslide-{slide:06d}\tcore-{slide // 10}\tsite-{slide // 500}\t0.65")
    (folder / "images.tsv").write_text("\n".join(rows) + "\n")
    species = [f"{code}\tSpecies {code.lower()}" for code in CODES]
    (folder / "species.tsv").write_text("\n".join(["code\tname", *species]) + "\n")
    low = generator.uniform(0, 0.7, (count, BOXES, 2)) * SIZE
    extent = generator.uniform(0.08, 0.28, (count, BOXES, 2)) * SIZE
    np.save(folder / "boxes.npy", np.round(np.concatenate([low, extent], axis=2), 2))


def drawn(folder: Path) -> tuple[list[str], np.ndarray]:
    """The names of the images and their boxes."""
    names = [line.split("\t")[0] for line in (folder / "images.tsv").read_text().splitlines()[1:]]
    return names, np.load(folder / "boxes.npy")


def measured(folder: Path, kind: str, threads: int) -> list[tuple[str, float, float]]:
    """Name, seconds and peak memory (MB) of each step."""
    config: dict[str, Any] = {
        "study": "scale",
        "species": {"table": str(folder / "species.tsv"), "include": None},
        "dataset": {
            "images": str(folder / "images.tsv"),
            "annotations": {"format": kind, "path": str(folder / PATHS[kind])},
        },
        "models": {"table": str(ROOT / "config" / "models.yaml")},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    output = folder / f"results_{kind}" / "dataset"
    split = {"by": "slide", "fractions": FRACTIONS, "folds": None, "others_by": None}
    steps = {
        "configuration": ["-c", _CHECK, folder / "config.yaml", SCHEMAS],
        "import": [
            ROOT / "scripts" / "import_dataset.py",
            *("--config", folder / "config.yaml", "--painted-folder", folder / "none"),
            *("--output", output, "--threads", threads, "--log", folder / "import.log"),
        ],
        "split": [
            ROOT / "scripts" / "split.py",
            *("--annotations", output / "annotations.json", "--images", output / "images.csv"),
            *("--split", json.dumps(split), "--seed", 1, "--max-detections", 300),
            *("--output", output, "--log", folder / "split.log"),
        ],
    }
    return [(step, *run([sys.executable, *map(str, command)])) for step, command in steps.items()]


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident memory (MB) of a process; its words are shown only if it fails."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=words, stderr=words)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            words.seek(0)
            sys.exit(words.read().decode()[-3000:])
    # Linux tells kilobytes, macOS bytes.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return time.perf_counter() - start, usage.ru_maxrss / unit


def write_coco(folder: Path) -> None:
    from podura.tables import write_json_records

    names, boxes = drawn(folder)
    document = {
        "images": [
            {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
            for number, name in enumerate(names, start=1)
        ],
        "categories": [{"id": number, "name": code} for number, code in enumerate(CODES, start=1)],
        "annotations": [
            {
                "id": place * BOXES + number + 1,
                "image_id": place + 1,
                "category_id": (place // IMAGES_A_SLIDE + number) % len(CODES) + 1,
                "bbox": box.tolist(),
                "area": float(box[2] * box[3]),
                "iscrowd": 0,
            }
            for place in range(len(names))
            for number, box in enumerate(boxes[place])
        ],
    }
    write_json_records(document, folder / PATHS["coco"])


def write_csv(folder: Path) -> None:
    names, boxes = drawn(folder)
    with (folder / PATHS["csv"]).open("w") as handle:
        handle.write("image,species,x_min,y_min,width,height,image_width,image_height\n")
        for place, name in enumerate(names):
            for number, box in enumerate(boxes[place].tolist()):
                code = CODES[(place // IMAGES_A_SLIDE + number) % len(CODES)]
                handle.write(f"{name},{code},{','.join(map(str, box))},{SIZE[0]},{SIZE[1]}\n")


def write_voc(folder: Path) -> None:
    from builders import voc_text

    names, boxes = drawn(folder)
    for place, name in enumerate(names):
        objects = [
            (CODES[(place // IMAGES_A_SLIDE + number) % len(CODES)], (x, y, x + width, y + height))
            for number, (x, y, width, height) in enumerate(boxes[place].tolist())
        ]
        path = (folder / PATHS["voc"] / name).with_suffix(".xml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(voc_text(objects, size=SIZE, filename=Path(name).name))


PATHS = {"coco": "annotations.json", "csv": "boxes.csv", "voc": "voc"}
WRITERS: dict[str, Callable[[Path], None]] = {"coco": write_coco, "csv": write_csv, "voc": write_voc}


if __name__ == "__main__":
    main()
