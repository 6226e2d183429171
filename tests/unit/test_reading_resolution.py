"""Micrometres a pixel: what files tell of it, and when they are believed."""

import math

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from podura.slides import resolution
from podura.slides.reading import open_slide
from slide_builders import oriented, texture, write_svs


def um(path):
    with open_slide(path) as slide:
        return slide.um_per_pixel


def tiff(path, **options):
    tifffile.imwrite(path, texture(), **{"photometric": "rgb", "metadata": None, **options})
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "bmp"])
@pytest.mark.parametrize("dpi", [1, 72, 96, 150, 300, 600])
def test_densities_of_screens_and_printers_mean_nothing(tmp_path, suffix, dpi):
    Image.fromarray(texture()).save(tmp_path / f"a.{suffix}", dpi=(dpi, dpi))
    assert um(tmp_path / f"a.{suffix}") is None


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "bmp"])
@pytest.mark.parametrize("dpi", [1200, 2400, 4800, 25_400])
def test_densities_of_scanners_and_microscopes_are_believed(tmp_path, suffix, dpi):
    Image.fromarray(texture()).save(tmp_path / f"a.{suffix}", dpi=(dpi, dpi))
    assert um(tmp_path / f"a.{suffix}") == pytest.approx(25_400 / dpi, rel=1e-3)


def test_no_density_at_all(tmp_path):
    for suffix in ("jpg", "png", "webp", "bmp"):
        Image.fromarray(texture()).save(tmp_path / f"a.{suffix}")
        assert um(tmp_path / f"a.{suffix}") is None
    assert um(tiff(tmp_path / "a.tif")) is None


@pytest.mark.parametrize(
    ("density", "unit", "expected"),
    [
        ((20_000, 20_000), "CENTIMETER", 0.5),
        ((28.35, 28.35), "CENTIMETER", None),  # 72 dpi
        ((50_800, 50_800), "INCH", 0.5),
        ((20_000, 20_000), "NONE", None),
        ((0, 0), "CENTIMETER", None),
        ((20_000, 10_000), "CENTIMETER", None),  # not square
        ((20_000, 20_400), "CENTIMETER", 0.495074),  # nearly
    ],
)
def test_tags_of_tiff(tmp_path, density, unit, expected):
    value = um(tiff(tmp_path / "a.tif", resolution=density, resolutionunit=unit))
    assert value == (None if expected is None else pytest.approx(expected, rel=1e-5))


def test_sides_are_exchanged_with_the_orientation(tmp_path):
    for orientation, expected in ((1, (0.5, 1.0)), (6, (1.0, 0.5))):
        path = tiff(
            tmp_path / "a.tif",
            resolution=(20_000, 10_000),
            resolutionunit="CENTIMETER",
            **oriented(orientation),
        )
        with open_slide(path) as slide:
            assert slide.um_per_pixel_xy == expected
            assert slide.um_per_pixel is None


@pytest.mark.parametrize(
    ("size", "unit", "expected"),
    [
        (0.65, None, 0.65),
        (0.65, "µm", 0.65),
        (650.0, "nm", 0.65),
        (0.00065, "mm", 0.65),
        (85.0, "µm", 85.0),  # told in micrometres, so believed although coarse
        (1.0, "pixel", None),
        (1.0, "reference frame", None),
        (0.0, "µm", None),
        (-1.0, "µm", None),
        (float("nan"), "µm", None),
    ],
)
def test_ome(tmp_path, size, unit, expected):
    metadata = {"axes": "YX", "PhysicalSizeX": size, "PhysicalSizeY": size}
    if unit:
        metadata |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    tifffile.imwrite(tmp_path / "a.ome.tif", texture()[..., 0], metadata=metadata)
    assert um(tmp_path / "a.ome.tif") == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("um", 0.25), ("micron", 0.25), ("\\u00B5m", 0.25), ("nm", 0.00025), ("pixel", None)],
)
def test_imagej(tmp_path, unit, expected):
    metadata = {"axes": "YX", "unit": unit}
    tifffile.imwrite(tmp_path / "a.tif", texture()[..., 0], imagej=True, resolution=(4, 4), metadata=metadata)
    assert um(tmp_path / "a.tif") == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("told", "expected"), [("0.2500", 0.25), ("nonsense", None), ("0", None), ("-1", None)]
)
def test_aperio(tmp_path, told, expected):
    assert um(write_svs(tmp_path / "a.svs", texture(), mpp=told)) == expected


@given(st.floats(1e-3, 25.0), st.floats(0.96, 1.04))
def test_a_single_size_lies_between_both(x, ratio):
    y = x * ratio
    size = resolution.single(resolution.told(x, y))
    assert size == pytest.approx(math.sqrt(x * y), rel=1e-4)
    sizes = resolution.of_density(1 / x, 1 / y, 1.0)
    assert sizes is None or max(sizes) <= resolution.COARSEST_DENSITY
