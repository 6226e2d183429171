"""Any region of any kind of file is that place of the whole image."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from builders import write_image
from podura.slides.reading import image_size, open_slide, read_image
from slide_builders import EVERY_KIND, WITHOUT_ORIENTATION, smooth, texture, write_pyramid, write_svs


@functools.cache
def written(kind: str, orientation: int) -> Path:
    return EVERY_KIND[kind](Path(tempfile.mkdtemp(dir=FOLDER.name)), orientation)


FOLDER = tempfile.TemporaryDirectory(prefix="podura-test-")


@functools.cache
def whole(kind: str, orientation: int, level: int) -> np.ndarray:
    with open_slide(written(kind, orientation)) as slide:
        size = slide.levels[level]
        return slide.region(0, 0, size.width, size.height, level)


@pytest.mark.parametrize("kind", EVERY_KIND)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_region_equals_the_crop_of_the_whole(kind, data):
    orientation = 1 if kind in WITHOUT_ORIENTATION else data.draw(st.integers(1, 8), "orientation")
    with open_slide(written(kind, orientation)) as slide:
        level = data.draw(st.integers(0, len(slide.levels) - 1), "level")
        here = slide.levels[level]
        x, y = data.draw(st.integers(0, here.width - 1)), data.draw(st.integers(0, here.height - 1))
        width = data.draw(st.integers(1, here.width - x), "width")
        height = data.draw(st.integers(1, here.height - y), "height")
        region = slide.region(x, y, width, height, level)
    assert region.dtype == np.uint8
    assert region.flags.writeable
    expected = whole(kind, orientation, level)[y : y + height, x : x + width]
    np.testing.assert_array_equal(region, expected)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_whole_header_and_levels_agree(kind):
    path = written(kind, 1)
    pixels = read_image(path)
    assert image_size(path) == pixels.shape[1::-1]
    np.testing.assert_array_equal(pixels, whole(kind, 1, 0))
    with open_slide(path) as slide:
        slide.check()
        assert slide.size == slide.stored_size == pixels.shape[1::-1]
        assert slide.levels[0].downsample == 1
        for level in slide.levels[1:]:
            assert level.downsample == pytest.approx(slide.size[0] / level.width, rel=0.06)


@pytest.mark.parametrize("kind", [kind for kind in EVERY_KIND if kind not in WITHOUT_ORIENTATION])
def test_every_kind_is_turned_once(kind):
    upright = whole(kind, 1, 0)
    for orientation, turned in {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, -1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, 1),
    }.items():
        np.testing.assert_array_equal(whole(kind, orientation, 0), turned)


def test_a_region_outside_is_a_mistake_of_the_caller(tmp_path):
    with open_slide(write_image(tmp_path / "a.png")) as slide:
        for region in [(-1, 0, 5, 5), (0, 0, 41, 5), (0, 20, 5, 5), (3, 3, 0, 5)]:
            with pytest.raises(ValueError, match="not inside"):
                slide.region(*region)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_thumbnail_shows_the_whole_image(kind):
    pixels = whole(kind, 1, 0)
    with open_slide(written(kind, 1)) as slide:
        small = slide.thumbnail(20)
        assert max(small.shape[:2]) == 20
        assert small.shape[1] / small.shape[0] == pytest.approx(pixels.shape[1] / pixels.shape[0], rel=0.08)
        # Levels may be made of every second pixel, so only the mean is sure.
        np.testing.assert_allclose(small.mean(axis=(0, 1)), pixels.mean(axis=(0, 1)), atol=14)
        assert slide.thumbnail(10_000).shape == pixels.shape


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("side", [7, 33, 64])
def test_thumbnail_is_like_that_of_pillow(tmp_path, orientation, side):
    write_image(tmp_path / "a.tif", pixels=smooth(200, 120), orientation=orientation)
    write_image(tmp_path / "a.jpg", pixels=smooth(200, 120), orientation=orientation)
    expected = Image.fromarray(read_image(tmp_path / "a.tif"))
    expected.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=None)
    for name in ("a.tif", "a.jpg"):
        with open_slide(tmp_path / name) as slide:
            small = slide.thumbnail(side)
        assert small.shape == np.asarray(expected).shape
        assert np.abs(small.astype(int) - np.asarray(expected)).mean() < 3


def test_thumbnail_is_made_of_the_smallest_level_that_suffices(tmp_path):
    levels = {}
    for name in ("full", "half", "quarter"):
        levels[name] = np.full((64, 96, 3), len(levels) * 100, dtype=np.uint8)
    path = tmp_path / "a.tif"
    import tifffile

    with tifffile.TiffWriter(path) as writer:
        for i, pixels in enumerate(levels.values()):
            writer.write(
                pixels[:: 2**i, :: 2**i],
                tile=(16, 16),
                photometric="rgb",
                metadata=None,
                subfiletype=min(i, 1),
            )
    with open_slide(path) as slide:
        assert slide.thumbnail(90).max() == 0
        assert slide.thumbnail(40).min() == 100
        assert slide.thumbnail(24).min() == 200


NAMES = ["with space", "été ≥ Ω", "弹尾目", "Ногохвостки", "%20#?&", "e\u0301te\u0301", "-o", "🦠"]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_through_every_reader(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    for path in (
        write_image(folder / f"{name}.png"),
        write_image(folder / f"{name}.tif"),
        write_pyramid(folder / f"{name}.tiff", texture()),
        write_svs(folder / f"{name}.svs", texture()),
    ):
        assert read_image(path).shape[1::-1] == image_size(path)


def test_very_long_paths_through_every_reader(tmp_path):
    folder = tmp_path
    for _ in range(6):
        folder /= "Ungewöhnlich tiefe Ordner " * 7
    folder.mkdir(parents=True)
    assert len(str(folder)) > 1000
    for path in (
        write_image(folder / "a.png"),
        write_image(folder / "a.tif"),
        write_svs(folder / "a.svs", texture()),
    ):
        assert read_image(path).shape[1::-1] == image_size(path)
