"""How time and memory of the search for images that show the same grow, and how much it finds.

    python tests/benchmarks/leakage_scale.py                 # 1,000 and 10,000 small images
    python tests/benchmarks/leakage_scale.py --sizes 100000
    python tests/benchmarks/leakage_scale.py --recall        # each change on painted slides and BCCD

Images are generated and written to a temporary folder, one in fifty of them a copy of another: equal,
compressed again, turned by 90 degrees or a crop. Each size runs in a process of its own, whose peak
resident set is printed. Core seconds are those of all cores together, ms/image is of them; "others" are
pairs that were found and not planted. --network adds the ImageNet network.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

from builders import bccd_folder  # noqa: E402
from leakage_data import CHANGES, SETTINGS, crop, painted, planted, save  # noqa: E402
from podura.leakage.search import similar_images  # noqa: E402
from podura.leakage.signatures import NamedImage  # noqa: E402
from podura.seeds import generator  # noqa: E402
from podura.slides.reading import read_image  # noqa: E402

EVERY = 50
PLANTED = ("same_file", "JPEG", "turned by 90°", "crop")


def small_image(number: int) -> np.ndarray:
    """A field of 192 × 144 px of overlapping discs on a ground common to all."""
    rng = generator(3, "field", number)
    image = np.full((144, 192, 3), (225, 222, 215), np.uint8)
    for _ in range(rng.integers(12, 30)):
        centre = (int(rng.integers(0, 192)), int(rng.integers(0, 144)))
        axes = (int(rng.integers(4, 16)), int(rng.integers(3, 9)))
        colour = tuple(int(value) for value in rng.integers(60, 210, 3))
        cv2.ellipse(image, centre, axes, int(rng.integers(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    noise = rng.normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def write_images(folder: Path, number: int) -> tuple[list[NamedImage], dict[tuple[str, str], str]]:
    """The images, and the planted pairs with what they are."""
    named, truth = [], {}
    for index in range(number):
        name = f"{index // 1000:03d}/{index:06d}.jpg"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if index % EVERY == EVERY - 1:
            kind = PLANTED[index // EVERY % len(PLANTED)]
            source = index - EVERY // 2
            original = folder / f"{source // 1000:03d}/{source:06d}.jpg"
            truth[(f"{source // 1000:03d}/{source:06d}.jpg", name)] = kind
            if kind == "same_file":
                path.write_bytes(original.read_bytes())
            else:
                pixels = read_image(original)
                pixels = {"JPEG": pixels, "turned by 90°": np.rot90(pixels), "crop": crop(pixels, 0.6)}[kind]
                Image.fromarray(np.ascontiguousarray(pixels)).save(path, quality=60 if kind == "JPEG" else 92)
        else:
            Image.fromarray(small_image(index)).save(path, quality=92)
        named.append(NamedImage(name, path))
    return named, truth


def measured(
    named: list[NamedImage], threads: int, network: bool
) -> tuple[float, float, float, pd.DataFrame]:
    """Seconds, seconds of all cores together, peak resident set in MB, and the pairs found."""
    embed = None
    if network:
        from podura.detectors.embedding import lite0_embedding

        embed = lite0_embedding()
    start, busy = time.perf_counter(), time.process_time()
    found, _ = similar_images(named, SETTINGS, embed=embed, threads=threads)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return time.perf_counter() - start, time.process_time() - busy, memory, found


def scale(sizes: list[int], threads: int, network: bool) -> None:
    print(f"{'images':>8}{'s':>9}{'core s':>9}{'ms/image':>10}{'MB':>7}{'others':>8}  found of planted")
    context = multiprocessing.get_context("spawn")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            named, truth = write_images(Path(folder), size)
            with context.Pool(1) as fresh_process:
                seconds, busy, memory, found = fresh_process.apply(measured, (named, threads, network))
        pairs = set(zip(found["image_1"], found["image_2"], strict=True))
        recall = []
        for kind in PLANTED:
            of_kind = {pair for pair, what in truth.items() if what == kind}
            recall.append(f"{kind} {len(of_kind & pairs)}/{len(of_kind)}")
        line = f"{size:>8}{seconds:>9.1f}{busy:>9.1f}{1000 * busy / size:>10.2f}{memory:>7.0f}"
        print(f"{line}{len(pairs - truth.keys()):>8}  {', '.join(recall)}", flush=True)


def recall(number: int, threads: int, network: bool) -> None:
    """Share of planted pairs found by change, and pairs found that were not planted."""
    sets = {"painted": painted(number, size=(640, 480))}
    if (folder := bccd_folder()) is not None:
        files = sorted((folder / "JPEGImages").glob("*.jpg"))
        # None of the first hundred but a few neighbours overlap, as many of the later ones do.
        sets["bccd"] = [read_image(file) for file in files[45 : 45 + number]]
    for name, images in sets.items():
        print(f"{name}: {number} pairs each\n{'':42}{'found':>7}{'others':>8}{'core s':>8}")
        for change, function in CHANGES.items():
            with tempfile.TemporaryDirectory() as temporary:
                named = save(Path(temporary), planted(images, function))
                _, busy, _, found = measured(named, threads, network)
            pairs = set(zip(found["image_1"], found["image_2"], strict=True))
            wanted = {(f"a-{index:03d}.png", f"b-{index:03d}.png") for index in range(len(images))}
            share = len(wanted & pairs) / len(wanted)
            print(f"{change:42}{share:>7.0%}{len(pairs - wanted):>8}{busy:>8.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--network", action="store_true", help="with the ImageNet network")
    parser.add_argument("--recall", action="store_true", help="recall of each change instead of scale")
    parser.add_argument("--images", type=int, default=40, help="pairs of each change (recall)")
    arguments = parser.parse_args()
    if arguments.recall:
        recall(arguments.images, arguments.threads, arguments.network)
    else:
        scale(arguments.sizes, arguments.threads, arguments.network)


if __name__ == "__main__":
    main()
