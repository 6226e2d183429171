"""What tiles cost to read in training: an epoch's order beside tiles of all slides in random order.

    PYTHONPATH=scripts:tests python tests/benchmarks/tile_reading.py [--slides 6] [--side 5000]

Slides as tiled TIFF, JPEG and PNG; tiles of 1024 pixels with an overlap of a fifth, seen as 640. "order": the
order of an epoch, which goes from a few slides to the next; "random": any tile of any slide next, with as
many slides kept open. Milliseconds a tile, and how often a file was opened; "MB": what the process grew by.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from peak_memory import peak_mb
from podura.configuration.study import TilingSettings
from podura.seeds import generator
from podura.slides import kept_open
from podura.training.samples import LabelledImage
from podura.training.tiles import TileSource
from slide_builders import write_pyramid

Image.MAX_IMAGE_PIXELS = None


def written(folder: Path, ending: str, slides: int, side: int) -> list[LabelledImage]:
    rng = np.random.default_rng(1)
    small = Image.fromarray(rng.integers(90, 255, (side // 64, side // 64), dtype=np.uint8))
    pixels = np.asarray(small.resize((side, side)))[..., None] + rng.integers(-6, 6, (side, side, 3))
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    images = []
    for number in range(slides):
        path = folder / f"{number}.{ending}"
        if ending == "tif":
            write_pyramid(path, pixels, levels=1, tile=256, compression="jpeg")
        else:
            Image.fromarray(pixels).save(path, compress_level=1, quality=90)
        corners = rng.uniform(0, side - 100, (200, 2))
        boxes = np.concatenate([corners, corners + 100], axis=1)
        images.append(LabelledImage(path.name, path, boxes, np.zeros(200, dtype=np.int64)))
    return images


def measured(images: list[LabelledImage], ordered: bool) -> tuple[float, int, float]:
    """Milliseconds a tile, files opened, and MB of growth over an epoch."""
    source = TileSource(images, 640, TilingSettings(1024, 0.2, 0.2), seed=1)
    order = source.order(1)
    if not ordered:
        order = generator(1, "benchmark").permutation(order).tolist()[:60]
    opened, original = [], kept_open.open_slide
    kept_open.open_slide = lambda path: opened.append(path) or original(path)
    before, start = peak_mb(), time.perf_counter()
    for index in order:
        source.sample(1, index)
    return 1000 * (time.perf_counter() - start) / len(order), len(opened), peak_mb() - before


def main() -> None:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--slides", type=int, default=6)
    parser.add_argument("--side", type=int, default=5000)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{'':12}{'order ms':>10}{'opened':>8}{'MB':>6}{'random ms':>12}{'opened':>8}{'MB':>6}")
    for ending in ("tif", "jpg", "png"):
        with tempfile.TemporaryDirectory() as folder:
            images = written(Path(folder), ending, arguments.slides, arguments.side)
            print(f"{ending:12}", end="")
            for ordered, width in ((True, 10), (False, 12)):
                with context.Pool(1) as fresh_process:
                    milliseconds, opened, mb = fresh_process.apply(measured, (images, ordered))
                print(f"{milliseconds:{width}.1f}{opened:8}{mb:6.0f}", end="", flush=True)
            print()


if __name__ == "__main__":
    main()
