"""What tiles are worth on a plate: AP, time and memory of a model on tiles and on the image made smaller.

    PYTHONPATH=scripts:tests python tests/benchmarks/tiling.py [--side 4000] [--animals 200] [--plates 1]

Painted plates of 10 µm a pixel, tiled TIFF, are searched with the starter weights of yolov5n, which were
trained on fields of 640 pixels seen as 320, and are not trained further. Tiles of 640 pixels show animals as
in training. The whole plate is seen at several image sizes; the last has the scale of the tiles, so that
what remains is only what it costs to hold a plate in memory at once. Each row runs in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch

from peak_memory import peak_mb
from podura.annotations.dataset import truth_frame
from podura.configuration.study import TilingSettings
from podura.detectors.catalogue import build_detector
from podura.detectors.inference import detect_files
from podura.detectors.weights import initialise
from podura.evaluation.validation import validation_score
from podura.slides.painting import ImageRow, PaintSettings, load_traits, paint_study
from podura.tables import DETECTIONS

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "resources" / "weights" / "yolov5n_painted_starter.safetensors"
FIELD, SEEN_AS = 640, 320


def painted(folder: Path, side: int, animals: int, plates: int) -> pd.DataFrame:
    """Paint the plates; return their truth."""
    traits = load_traits(ROOT / "resources" / "springtail_traits.tsv")
    coco = paint_study(
        rows=[ImageRow(f"plate-{n}.tif", f"plate-{n}", f"site-{n}", 10.0) for n in range(plates)],
        folder=folder,
        species=list(traits),
        species_names={},
        settings=PaintSettings(side, side, 10.0, animals, animals / 5, empty_share=0.0, touching=0.2),
        traits=traits,
        seed=11,
    )
    for annotation in coco["annotations"]:
        annotation["ignore"] = False
    return truth_frame(coco)


def searched(
    folder: Path, truth: pd.DataFrame, image_size: int, tiling: TilingSettings | None
) -> dict[str, float]:
    """Detect on all plates; mAP, seconds and what the process grew by."""
    torch.set_num_threads(1)
    slides = dict(zip(truth["image"], truth["slide"], strict=True))
    species = sorted(truth["species"].unique())
    traits = load_traits(ROOT / "resources" / "springtail_traits.tsv")
    detector = build_detector("ultralytics", "yolov5n", list(traits))
    initialise(detector, str(STARTER))
    before, start = peak_mb(), time.perf_counter()
    run = detect_files(
        detector,
        [(image, folder / image, slide) for image, slide in slides.items()],
        image_size=image_size,
        score_floor=0.01,
        max_detections=2000,
        device=torch.device("cpu"),
        tiling=tiling,
    )
    seconds = time.perf_counter() - start
    map50, map50_95 = validation_score(truth, DETECTIONS.frame(run.rows), images=slides, species=species)
    return {"map50": map50, "map50_95": map50_95, "seconds": seconds, "mb": peak_mb() - before}


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--side", type=int, default=4000)
    parser.add_argument("--animals", type=int, default=200)
    parser.add_argument("--plates", type=int, default=1)
    arguments = parser.parse_args()
    whole = sorted({SEEN_AS, 2 * SEEN_AS, 4 * SEEN_AS, -(-arguments.side * SEEN_AS // FIELD // 32) * 32})
    runs = [(f"whole, {size} px", size, None) for size in whole]
    runs += [
        (f"tiles of {FIELD} px as {SEEN_AS}, overlap {overlap}", SEEN_AS, TilingSettings(FIELD, overlap, 0.0))
        for overlap in (0.0, 0.2, 0.3)
    ]
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = painted(folder, arguments.side, arguments.animals, arguments.plates)
        sides = (truth[["x_max", "y_max"]].to_numpy() - truth[["x_min", "y_min"]].to_numpy()).max(axis=1)
        print(
            f"{arguments.plates} plates of {arguments.side} px, {len(truth)} animals, longer side "
            f"{pd.Series(sides).median():.0f} px (median), {sides.max():.0f} px (largest)"
        )
        print(f"{'':44}{'AP50':>8}{'AP50:95':>9}{'s':>8}{'MB':>7}")
        for title, image_size, tiling in runs:
            with context.Pool(1) as fresh_process:
                result = fresh_process.apply(searched, (folder, truth, image_size, tiling))
            print(
                f"{title:44}{result['map50']:8.3f}{result['map50_95']:9.3f}{result['seconds']:8.1f}"
                f"{result['mb']:7.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
