"""Whole slides: through OpenSlide those of scanners; pyramids compared with OpenSlide's own view."""

import numpy as np
import openslide
import pytest

from podura.slides import faults
from podura.slides.readers import openslide_reader
from podura.slides.reading import UnreadableImageError, check_pixels, open_slide, read_image
from slide_builders import halved, smooth, texture, write_ndpi, write_pyramid, write_svs


def test_svs_has_its_levels_and_resolution(tmp_path):
    pixels = texture(131, 97)
    with open_slide(write_svs(tmp_path / "a.svs", pixels)) as slide:
        assert slide.format == "SVS"
        assert [(level.width, level.height) for level in slide.levels] == [(131, 97), (65, 48)]
        assert slide.levels[1].downsample == pytest.approx(2, rel=0.02)
        assert slide.um_per_pixel == 0.499
        assert (slide.n_pages, slide.notes) == (1, ())
        np.testing.assert_array_equal(slide.read(), pixels)
        np.testing.assert_array_equal(slide.region(40, 30, 20, 10), pixels[30:40, 40:60])
        # Level 1 is read from its own origin, so it is what the file holds.
        np.testing.assert_array_equal(slide.region(0, 0, 65, 48, 1), halved(pixels, 1))


def test_svs_is_known_by_its_content_not_its_name(tmp_path):
    pixels = texture(64, 64)
    path = write_svs(tmp_path / "a.tif", pixels)
    with open_slide(path) as slide:
        assert slide.format == "SVS"
    renamed = write_pyramid(tmp_path / "b.svs", pixels, compression="zlib")
    with open_slide(renamed) as slide:
        assert slide.format == "TIFF"
        np.testing.assert_array_equal(slide.read(), pixels)


def test_regions_of_reduced_levels_do_not_depend_on_where_they_begin(tmp_path, monkeypatch):
    # 131 / 65 is not 2: OpenSlide would shift and blur each region by another fraction of a pixel.
    monkeypatch.setattr(openslide_reader, "BLOCK", 16)
    with open_slide(write_svs(tmp_path / "a.svs", texture(131, 97))) as slide:
        whole = slide.region(0, 0, 65, 48, 1)
        for x in range(0, 60, 7):
            np.testing.assert_array_equal(
                slide.region(x, x // 2, 5, 9, 1), whole[x // 2 : x // 2 + 9, x : x + 5]
            )


def test_ndpi(tmp_path):
    pixels = smooth(256, 192)
    with open_slide(write_ndpi(tmp_path / "a.ndpi", pixels)) as slide:
        assert slide.format == "NDPI"
        assert slide.size == (256, 192)
        assert [(level.width, level.height) for level in slide.levels][:2] == [(256, 192), (128, 96)]
        assert slide.um_per_pixel == pytest.approx(10_000 / 22_000, rel=1e-4)
        assert np.abs(slide.read().astype(int) - pixels).mean() < 4
        slide.check()


@pytest.mark.parametrize("compression", ["zlib", "lzw", "jpeg", "zstd"])
def test_a_pyramid_looks_as_openslide_shows_it(tmp_path, compression):
    path = write_pyramid(tmp_path / "a.tif", texture(160, 96), tile=32, compression=compression)
    other = openslide.OpenSlide(str(path))
    with open_slide(path) as slide:
        assert [(level.width, level.height) for level in slide.levels] == list(other.level_dimensions)
        for level, (width, height) in enumerate(other.level_dimensions):
            seen = other.read_region((0, 0), level, (width, height)).convert("RGB")
            np.testing.assert_array_equal(slide.region(0, 0, width, height, level), np.asarray(seen))
    other.close()


@pytest.mark.parametrize("content", ["thumbnail", "text"])
def test_mrxs_without_its_folder_says_so(tmp_path, content):
    # The file itself is a small JPEG, which must not be taken for the slide.
    from PIL import Image

    path = tmp_path / "slide 7.mrxs"
    Image.fromarray(texture()).save(path, format="JPEG")
    if content == "text":
        path.write_text("nothing")
    with pytest.raises(UnreadableImageError, match="folder 'slide 7'") as error:
        read_image(path)
    assert error.value.kind == "unreadable_image"


def test_a_damaged_tile_of_a_slide_is_found(tmp_path):
    import tifffile

    path = write_svs(tmp_path / "a.svs", texture(131, 97))
    with tifffile.TiffFile(path) as tif:
        offset, count = tif.pages[0].dataoffsets[11], tif.pages[0].databytecounts[11]
    raw = bytearray(path.read_bytes())
    raw[offset : offset + count] = bytes(count)
    path.write_bytes(raw)
    with pytest.raises(UnreadableImageError):
        check_pixels(path)
    with open_slide(path) as slide, pytest.raises(UnreadableImageError, match=r"a\.svs"):
        slide.region(0, 0, 131, 97)


def test_only_small_levels_of_an_enormous_slide_are_decoded_when_checking(tmp_path, monkeypatch):
    path = write_svs(tmp_path / "a.svs", texture(131, 97))
    monkeypatch.setattr(faults, "MAX_PIXELS", 131 * 97)
    seen = []
    read = openslide_reader.OpenSlideReader._read
    monkeypatch.setattr(
        openslide_reader.OpenSlideReader,
        "_read",
        lambda self, level, *place: seen.append(level) or read(self, level, *place),
    )
    check_pixels(path)
    assert set(seen) == {1}
    monkeypatch.setattr(faults, "MAX_PIXELS", 2 * 131 * 97)
    check_pixels(path)
    assert set(seen) == {0, 1}
