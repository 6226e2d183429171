"""Time and memory of Podura's reader beside Pillow, tifffile and OpenSlide.

    PYTHONPATH=scripts:tests python tests/benchmarks/reading_speed.py [--regions 20] [--small]

Regions of 1024 × 1024 pixels at random places: milliseconds a region, with the file opened once, and what
the resident set of a fresh process grows by. tifffile's imread and Pillow decode the whole file once, which
is counted. Whole: milliseconds to read a file as RGB, median of five, opened anew each time.
A dash: the library does not read that file.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import openslide
import tifffile
from PIL import Image

from peak_memory import peak_mb
from podura.slides.reading import check_pixels, open_slide, read_image
from slide_builders import write_pyramid

REGION = 1024
Region = Callable[[int, int], object]


def micrograph(side: int) -> np.ndarray:
    """A bright field with noise and darker blots, which compresses as a real one does."""
    rng = np.random.default_rng(1)
    blots = np.asarray(
        Image.fromarray(rng.integers(90, 255, (side // 64, side // 64), dtype=np.uint8)).resize((side, side))
    )
    return np.clip(blots[..., np.newaxis] + rng.integers(-6, 6, (side, side, 3)), 0, 255).astype(np.uint8)


def written(folder: Path, side: int) -> Iterator[tuple[str, Path]]:
    pixels = micrograph(side)
    Image.fromarray(pixels[:2048, :3072]).save(folder / "field.jpg", quality=90)
    yield "JPEG 3072 × 2048", folder / "field.jpg"
    Image.fromarray(pixels[:4096, :4096]).save(folder / "field.png", compress_level=2)
    yield "PNG 4096 × 4096", folder / "field.png"
    name = f"{side:,} × {side:,}"
    for compression in ("jpeg", "zlib"):
        path = folder / f"{compression}.tif"
        yield (
            f"pyramid {compression} {name}",
            write_pyramid(path, pixels, levels=4, tile=256, compression=compression),
        )
    description = f"Aperio Image Library v11\r\n{side}x{side}|AppMag = 20|MPP = 0.5"
    path = folder / "slide.svs"
    yield (
        f"SVS jpeg {name}",
        write_pyramid(path, pixels, levels=3, tile=256, compression="jpeg", description=description),
    )
    grey = pixels[..., 0].astype(np.uint16) * 12
    options = {"photometric": "minisblack", "metadata": None}
    tifffile.imwrite(folder / "deep.tif", grey, rowsperstrip=64, compression="lzw", **options)
    yield f"16 bit lzw strips {name}", folder / "deep.tif"
    tifffile.imwrite(folder / "plain.tif", grey, **options)
    yield f"16 bit uncompressed {name}", folder / "plain.tif"


def podura_regions(path: Path) -> Region:
    slide = open_slide(path)
    return lambda x, y: slide.region(x, y, REGION, REGION)


def pillow_regions(path: Path) -> Region:
    image = Image.open(path)
    return lambda x, y: np.array(image.crop((x, y, x + REGION, y + REGION)).convert("RGB"))


def tifffile_regions(path: Path) -> Region:
    pixels = tifffile.imread(path, key=0)
    return lambda x, y: pixels[y : y + REGION, x : x + REGION].copy()


def openslide_regions(path: Path) -> Region:
    slide = openslide.OpenSlide(str(path))
    return lambda x, y: np.array(slide.read_region((x, y), 0, (REGION, REGION)).convert("RGB"))


ENGINES = {
    "podura": podura_regions,
    "Pillow": pillow_regions,
    "tifffile": tifffile_regions,
    "OpenSlide": openslide_regions,
}


def measured(engine: str, path: Path, size: tuple[int, int], regions: int) -> tuple[float, float] | None:
    """Milliseconds a region and MB of growth; None where the library does not read the file."""
    Image.MAX_IMAGE_PIXELS = None
    rng = np.random.default_rng(2)
    places = [
        (int(rng.integers(size[0] - REGION)), int(rng.integers(size[1] - REGION))) for _ in range(regions)
    ]
    before = peak_mb()
    start = time.perf_counter()
    try:
        region = ENGINES[engine](path)
        for place in places:
            region(*place)
    except Exception:
        return None
    seconds = time.perf_counter() - start
    return 1000 * seconds / regions, peak_mb() - before


def whole_by_pillow(path: Path) -> object:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def milliseconds(action: Callable[[Path], object], path: Path) -> float:
    def once() -> float:
        start = time.perf_counter()
        action(path)
        return 1000 * (time.perf_counter() - start)

    once()
    return statistics.median(once() for _ in range(5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--regions", type=int, default=20)
    parser.add_argument("--small", action="store_true", help="5,000 instead of 12,000 pixels a side")
    arguments = parser.parse_args()
    print(
        f"Python {platform.python_version()}, Pillow {Image.__version__}, tifffile {tifffile.__version__}, "
        f"OpenSlide {openslide.__library_version__}, {sys.platform}"
    )
    print(f"{'regions':40}" + "".join(f"{name + ' ms':>13}{'MB':>7}" for name in ENGINES))
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        files = dict(written(Path(folder), 5_000 if arguments.small else 12_000))
        for name, path in files.items():
            with open_slide(path) as slide:
                size = slide.size
            print(f"{name:40}", end="", flush=True)
            for engine in ENGINES:
                with context.Pool(1) as fresh_process:
                    result = fresh_process.apply(measured, (engine, path, size, arguments.regions))
                cells = ("–", "–") if result is None else (f"{result[0]:.1f}", f"{result[1]:.0f}")
                print(f"{cells[0]:>13}{cells[1]:>7}", end="", flush=True)
            print()
        print(f"\n{'whole':40}{'podura ms':>13}{'Pillow ms':>13}{'check ms':>13}")
        for name, path in list(files.items())[:2]:
            times = [milliseconds(action, path) for action in (read_image, whole_by_pillow, check_pixels)]
            print(f"{name:40}" + "".join(f"{value:>13.1f}" for value in times))


if __name__ == "__main__":
    main()
