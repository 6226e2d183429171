"""Regions of large files decode little and hold little."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from podura.slides.readers import tiff_planes
from podura.slides.reading import open_slide
from slide_builders import texture, write_pyramid

TESTS = Path(__file__).parents[1]
SCRIPTS = TESTS.parent / "scripts"
SIDE = 20_000
TILE = 512

# What actions add to the peak of a process that has read an image of that kind before, in MB.
MEASURE = """
import sys
sys.path[:0] = sys.argv[1:3]
from peak_memory import peak_mb
from podura.slides.reading import open_slide
with open_slide(sys.argv[3]) as slide:
    slide.region(0, 0, 8, 8)
before = peak_mb()
with open_slide(sys.argv[4]) as slide:
    for action in sys.argv[5:]:
        if action == "region":
            assert slide.region(9_111, 7_003, 1024, 1024).shape == (1024, 1024, 3)
        elif action == "thumbnail":
            assert max(slide.thumbnail(512).shape) == 512
        elif action == "whole":
            assert slide.read().shape[:2] == slide.size[::-1]
        else:
            slide.check()
print(peak_mb() - before)
"""


def grown_mb(small, path, *actions):
    command = [sys.executable, "-c", MEASURE, str(SCRIPTS), str(TESTS), str(small), str(path), *actions]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)


def tiles(side, dtype=np.uint8, samples=3):
    """The same few tiles over and over, so that a file of gigabytes of pixels is written in no time."""
    rng = np.random.default_rng(5)
    shape = (TILE, TILE, samples) if samples > 1 else (TILE, TILE)
    some = [np.full(shape, value, dtype=dtype) for value in rng.integers(0, 200, 3)]
    for number in range((-(-side // TILE)) ** 2):
        yield some[number % 3]


@pytest.fixture(scope="module")
def large_pyramid(tmp_path_factory):
    """20,000 × 20,000 RGB (1.2 GB of pixels) with levels of a half, a quarter, an eighth."""
    path = tmp_path_factory.mktemp("large") / "a.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for level in range(4):
            side = SIDE >> level
            writer.write(
                tiles(side),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="zlib",
                subfiletype=int(level > 0),
                metadata=None,
            )
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "a.tif"
    return write_pyramid(path, texture(), compression="zlib")


def test_a_region_of_a_large_pyramid_holds_a_small_part_of_it(small, large_pyramid):
    assert grown_mb(small, large_pyramid, "region") < 60
    assert grown_mb(small, large_pyramid, "thumbnail") < 120


def test_the_measure_sees_a_whole_image(small, tmp_path):
    path = write_pyramid(
        tmp_path / "a.tif", np.zeros((6000, 6000, 3), np.uint8), tile=512, compression="zlib"
    )
    assert grown_mb(small, path, "whole") > 100


def test_checking_a_large_file_holds_a_small_part_of_it(small, tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        tiles(10_240, np.uint16, 1),
        shape=(10_240, 10_240),
        dtype=np.uint16,
        tile=(TILE, TILE),
        photometric="minisblack",
        compression="zlib",
        metadata=None,
    )  # 200 MB of values
    assert grown_mb(small, path, "check", "region") < 60


def test_checking_a_large_png_holds_a_small_part_of_it(small, tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (9_000, 9_000), (10, 200, 30)).save(path, compress_level=1)  # 243 MB of pixels
    Image.new("RGB", (9, 9)).save(tmp_path / "small.png")
    assert grown_mb(tmp_path / "small.png", path, "check") < 40


def test_only_tiles_that_a_region_touches_are_decoded_once(large_pyramid, monkeypatch):
    decoded = []
    original = tiff_planes.Plane._decoded
    monkeypatch.setattr(
        tiff_planes.Plane, "_decoded", lambda self, index: decoded.append(index) or original(self, index)
    )
    with open_slide(large_pyramid) as slide:
        slide.region(TILE - 1, 2 * TILE, 2, TILE)
        assert decoded == [2 * 40, 2 * 40 + 1]
        slide.region(TILE - 5, 2 * TILE + 9, 8, 8)
        assert len(decoded) == 2, "both tiles were kept"
        for x in range(0, SIDE - TILE, 1024):
            slide.region(x, 9000, TILE, TILE)
        kept = slide._reader._levels[0][0]._cache
        assert kept._bytes <= tiff_planes.KEPT_BYTES
        assert kept._bytes == sum(segment.nbytes for segment in kept._kept.values())


def test_rows_of_an_uncompressed_file_are_read_where_the_region_lies(tmp_path, monkeypatch):
    values = np.arange(3000 * 2000, dtype=np.uint32).reshape(2000, 3000)
    tifffile.imwrite(
        tmp_path / "a.tif", (values % 251).astype(np.uint8), metadata=None, photometric="minisblack"
    )
    read = []
    original = tiff_planes.Plane._bytes
    monkeypatch.setattr(
        tiff_planes.Plane,
        "_bytes",
        lambda self, offset, count: read.append(count) or original(self, offset, count),
    )
    with open_slide(tmp_path / "a.tif") as slide:
        region = slide.region(100, 1500, 40, 30)
    np.testing.assert_array_equal(region[..., 0], values[1500:1530, 100:140] % 251)
    assert sum(read) == 40 * 30
