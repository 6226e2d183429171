"""What Snakemake itself costs: planning, nothing to do and one changed model, at 20 to 10,000 jobs.

    python tests/benchmarks/orchestration_scale.py                  # studies of about 20, 100 and 1,000 jobs
    python tests/benchmarks/orchestration_scale.py --sizes 3 4      # 3,400 jobs and 10,000
    python tests/benchmarks/orchestration_scale.py --share          # the whole demo, in a folder of its own

Wanted for 20 models × 10 seeds × 5 folds × 50 species: each under 30 seconds and 2 GB on two cores. Outputs
of a finished run are made as empty files and noted by "snakemake --touch". Printed are CPU seconds (user and
system), seconds by the clock, and the peak of the resident memory.

``--share`` runs the demo from scratch, as "make demo" does, and tells which part of its CPU seconds is that
of Snakemake's own process: reading the workflow, planning, scheduling, noting what is done.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SHARED = ("Snakefile", "config", "workflow", "scripts", "envs", "resources")
STUDY = "scale.yaml"
IMAGES, BOXES = 100, 5


@dataclass(frozen=True)
class Size:
    """A study's models, seeds, folds (0: none) and species."""

    models: int
    seeds: int
    folds: int
    species: int


SIZES = (Size(1, 1, 0, 2), Size(4, 3, 2, 10), Size(10, 6, 5, 20), Size(20, 10, 5, 50), Size(60, 10, 5, 50))


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    cpu: float
    clock: float
    peak_mb: float
    printed: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[0, 1, 2], choices=range(len(SIZES)))
    parser.add_argument("--share", action="store_true")
    arguments = parser.parse_args()
    if arguments.share:
        with tempfile.TemporaryDirectory() as folder:
            return print(share(Path(folder)))
    print("models seeds folds species   jobs  run          CPU s  clock s  peak MB")
    for number in arguments.sizes:
        size = SIZES[number]
        with tempfile.TemporaryDirectory() as folder:
            for name, jobs, cost in measured(Path(folder), size):
                print(
                    f"{size.models:6d} {size.seeds:5d} {size.folds:5d} {size.species:7d} {jobs:6d}  "
                    f"{name:<12}{cost.cpu:6.1f} {cost.clock:8.1f} {cost.peak_mb:8.0f}",
                    flush=True,
                )
    return None


def measured(folder: Path, size: Size) -> Iterator[tuple[str, int, Cost]]:
    """Yield the name of a run, the number of its jobs, and what it took."""
    write_study(folder, size)
    first = snakemake(folder, "--dry-run", "--quiet", "rules")
    jobs = planned(first.printed)
    yield "planning", jobs, first
    finish(folder)
    again = snakemake(folder)
    if "Nothing to be done" not in again.printed:
        sys.exit(f"a finished study has something to do:\n{again.printed[-2000:]}")
    yield "nothing", 0, again
    models = yaml.safe_load((folder / "models.yaml").read_text())
    models["model_00"]["epochs"] += 1
    (folder / "models.yaml").write_text(yaml.safe_dump(models))
    changed = snakemake(folder, "--dry-run", "--quiet", "rules")
    yield "one model", planned(changed.printed), changed


def snakemake(folder: Path, *words: str) -> Cost:
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", STUDY, *words],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read()
    if process.returncode:
        sys.exit(f"snakemake {' '.join(words)} failed:\n{printed[-3000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(cpu, time.monotonic() - started, usage.ru_maxrss / 1024, printed)


def planned(printed: str) -> int:
    """The total of a dry run's table of jobs."""
    totals = [line.split()[1] for line in printed.splitlines() if line.startswith("total ")]
    return int(totals[-1]) if totals else 0


def finish(folder: Path) -> None:
    """Make every output as an empty file (those without a suffix as folders) and have Snakemake note them."""
    table = snakemake(folder, "--summary").printed.splitlines()
    start = next(number for number, line in enumerate(table) if line.startswith("output_file"))
    for line in table[start + 1 :]:
        path = folder / line.split("\t")[0]
        if path.suffix or path.name == "Snakefile":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        else:
            path.mkdir(parents=True, exist_ok=True)
    # Read by every run, before anything else: the digest of the empty table of the split.
    sealed = {"split_sha256": hashlib.sha256(b"").hexdigest()}
    (folder / "results/scale/dataset/split.json").write_text(json.dumps(sealed))
    snakemake(folder, "--touch", "--quiet", "rules")


def write_study(folder: Path, size: Size) -> None:
    for name in SHARED:
        (folder / name).symlink_to(ROOT / name)
    entry = yaml.safe_load((ROOT / "config/models.yaml").read_text())["retinanet_lite0"]
    names = [f"model_{number:02d}" for number in range(size.models)]
    models = {name: {**entry, "label": name, "weights": "none"} for name in names}
    (folder / "models.yaml").write_text(yaml.safe_dump(models))
    codes = [f"SPE-{chr(65 + n // 26)}{chr(65 + n % 26)}X" for n in range(size.species)]
    species = "".join(f"{code}\tSpecies {code.lower()}\t\t\t\n" for code in codes)
    (folder / "species.tsv").write_text(f"code\tname\tauthority\tfamily\taliases\n{species}")
    write_images(folder, codes)
    study: dict[str, Any] = {
        "study": "scale",
        "seeds": list(range(1, size.seeds + 1)),
        "species": {"table": "species.tsv", "include": codes},
        "dataset": {"images": "images.tsv", "annotations": {"format": "coco", "path": "annotations.json"}},
        "models": {"table": "models.yaml", "include": names},
    }
    if size.folds:
        study["split"] = {"folds": size.folds}
    (folder / STUDY).write_text(yaml.safe_dump(study))


def write_images(folder: Path, codes: list[str]) -> None:
    (folder / "images").mkdir()
    names = [f"slide_{number:03d}" for number in range(IMAGES)]
    for number, name in enumerate(names):
        Image.new("RGB", (64, 48), (number, number, number)).save(folder / "images" / f"{name}.png")
    rows = "".join(f"images/{name}.png\t{name}\n" for name in names)
    (folder / "images.tsv").write_text(f"image\tslide\n{rows}")
    boxes = [
        {
            "id": number + 1,
            "image_id": number // BOXES + 1,
            "category_id": number % len(codes) + 1,
            "bbox": [5, 5, 10, 10],
            "area": 100,
            "iscrowd": 0,
        }
        for number in range(IMAGES * BOXES)
    ]
    document = {
        "images": [
            {"id": n + 1, "file_name": f"{name}.png", "width": 64, "height": 48}
            for n, name in enumerate(names)
        ],
        "annotations": boxes,
        "categories": [{"id": n + 1, "name": code} for n, code in enumerate(codes)],
    }
    (folder / "annotations.json").write_text(json.dumps(document))


#: Snakemake in a process that says what it took itself, and what its jobs took.
WATCHED = """
import json, resource, sys
from snakemake.cli import main
try:
    main(sys.argv[2:])
finally:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with open(sys.argv[1], "w") as file:
        json.dump([one.ru_utime + one.ru_stime for one in used], file)
"""


def share(folder: Path) -> str:
    """Which part of the demo's compute is Snakemake's own."""
    for name in SHARED:
        if name != "resources":
            (folder / name).symlink_to(ROOT / name)
    # Nothing is written where the repository is: weights are noted beside themselves.
    shutil.copytree(ROOT / "resources", folder / "resources")
    shutil.copy(ROOT / "CITATION.cff", folder)
    words = ["--cores", "2", "--workflow-profile", "workflow/profiles/local", "--quiet", "all"]
    subprocess.run([sys.executable, "-c", WATCHED, "used.json", *words], cwd=folder, check=True)
    own, jobs = json.loads((folder / "used.json").read_text())
    count = sum(len(path.read_text().splitlines()) for path in (folder / "benchmarks").rglob("*.jsonl"))
    return (
        f"{count} jobs took {jobs:.0f} CPU seconds, Snakemake itself {own:.1f}: "
        f"orchestration is {100 * own / (own + jobs):.1f} % of the demo's compute"
    )


if __name__ == "__main__":
    main()
