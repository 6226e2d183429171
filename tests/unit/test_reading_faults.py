"""Files that cannot be read: which kind of fault, in words for their owner, never a traceback."""

import os
import re

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from builders import write_image
from podura.errors import UserError
from podura.slides import faults
from podura.slides.reading import (
    UnreadableImageError,
    check_pixels,
    examine,
    image_size,
    open_slide,
    read_image,
)
from slide_builders import EVERY_KIND, sixteen, texture, write_pyramid, write_svs

WAYS = (image_size, read_image, check_pixels, examine)


def message(way, path):
    """What a way of reading says of a fault; anything but a UserError is let through."""
    try:
        way(path)
    except UserError as error:
        return str(error)
    return None


def fault(path, ways=WAYS):
    """The one kind that all ways of reading give."""
    kinds = set()
    for way in ways:
        with pytest.raises(UnreadableImageError, match=re.escape(str(path))) as error:
            way(path)
        kinds.add(error.value.kind)
    assert len(kinds) == 1
    return kinds.pop()


def test_missing_empty_and_no_file(tmp_path):
    assert fault(tmp_path / "none.tif") == "missing_image"
    assert fault(tmp_path / "none.svs") == "missing_image"
    for suffix in (".jpg", ".tif", ".svs", ".mrxs", ".ndpi"):
        (tmp_path / f"empty{suffix}").touch()
        assert fault(tmp_path / f"empty{suffix}") == "empty_file"
    assert fault(tmp_path) == "unreadable_image"
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    assert fault(tmp_path / "link.png") == "missing_image"
    assert fault(tmp_path / ("n" * 300 + ".png")) == "unreadable_image"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.tif")
    assert fault(tmp_path / "a.tif") == "unreadable_image"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".svs", ".ndpi", ".webp", ".bmp"])
@pytest.mark.parametrize(
    "content",
    [
        b"no image at all",
        b"%PDF-1.7 ...",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8\xff" + b"\x11" * 300,
    ],
)
def test_what_is_no_image(tmp_path, suffix, content):
    (tmp_path / f"a{suffix}").write_bytes(content)
    kind = fault(tmp_path / f"a{suffix}")
    assert kind == (
        "truncated_image" if content.startswith(b"\xff\xd8") and suffix != ".mrxs" else "unreadable_image"
    )


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.97])
@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_file_that_is_cut_off_is_never_read_in_part(tmp_path, kind, keep):
    path = EVERY_KIND[kind](tmp_path, 1)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * keep)])
    with pytest.raises(UnreadableImageError) as error:
        check_pixels(path)
    assert error.value.kind == "truncated_image"
    assert "cut off" in str(error.value)
    assert fault(path, [examine]) == "truncated_image"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(EVERY_KIND)), data=st.data())
def test_no_damage_gives_anything_but_a_fault_with_a_sentence(tmp_path, kind, data):
    path = EVERY_KIND[kind](tmp_path, 1)
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        # Most of the structure of these files lies in their first or last bytes.
        place = data.draw(st.one_of(st.integers(0, min(400, len(raw) - 1)), st.integers(0, len(raw) - 1)))
        raw[place] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    for way in (image_size, check_pixels):
        told = message(way, path)
        assert told is None or (str(path) in told and "\n" not in told and len(told) < len(str(path)) + 450)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_damaged_pixels_are_found(tmp_path, suffix):
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    if suffix == "png":
        Image.fromarray(noise).save(path)
    else:
        tifffile.imwrite(path, noise, photometric="rgb", tile=(64, 64), compression="zlib", metadata=None)
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 40] = bytes(40)
    path.write_bytes(raw)
    assert fault(path, [check_pixels, examine]) == "unreadable_image"


def test_a_png_whose_pixels_do_not_suffice_is_cut_off_even_with_an_end(tmp_path):
    path = write_image(tmp_path / "a.png")
    import struct
    import zlib

    raw = path.read_bytes()
    header = raw[8:33]
    taller = bytearray(header)
    taller[12:16] = struct.pack(">I", 500)
    taller[21:25] = struct.pack(">I", zlib.crc32(bytes(taller[4:21])))
    path.write_bytes(raw[:8] + bytes(taller) + raw[33:])
    assert fault(path, [check_pixels]) == "truncated_image"


def test_the_size_of_a_tiff_that_is_cut_off_is_known_but_no_pixel_is_read(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", texture(), photometric="rgb", metadata=None, rowsperstrip=5)
    raw = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(raw[:-10])
    assert image_size(tmp_path / "a.tif") == (70, 50)
    with open_slide(tmp_path / "a.tif") as slide, pytest.raises(UnreadableImageError) as error:
        slide.region(0, 0, 4, 4)
    assert error.value.kind == "truncated_image"


def test_missing_levels_and_pages_at_the_end_are_found(tmp_path):
    whole = write_pyramid(tmp_path / "a.tif", texture(), compression="zlib")
    with tifffile.TiffFile(whole) as tif:
        last = tif.pages[2].offset
    whole.write_bytes(whole.read_bytes()[: last + 4])
    assert fault(whole, [check_pixels, examine]) == "truncated_image"


def test_a_file_that_changes_while_it_is_open_is_told(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", sixteen(400, 400), photometric="minisblack", metadata=None)
    with open_slide(tmp_path / "a.tif") as slide:
        slide.region(0, 0, 1, 1)
        os.truncate(tmp_path / "a.tif", 5000)
        with pytest.raises(UnreadableImageError):
            slide.region(0, 300, 400, 100)


def test_too_many_pixels_matter_only_for_reading_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "MAX_PIXELS", 70 * 50 - 1)
    paths = [
        write_pyramid(tmp_path / "a.tif", texture(), compression="zlib"),
        write_svs(tmp_path / "a.svs", texture()),
    ]
    for path in paths:
        assert image_size(path) == (70, 50)
        with open_slide(path) as slide:
            np.testing.assert_array_equal(slide.region(9, 8, 30, 20), texture()[8:28, 9:39])
        with pytest.raises(UserError, match="gigapixels") as error:
            read_image(path)
        assert not isinstance(error.value, UnreadableImageError)
    Image.fromarray(texture()).save(tmp_path / "a.jpg")
    with pytest.raises(UserError, match="gigapixels"):
        image_size(tmp_path / "a.jpg")
