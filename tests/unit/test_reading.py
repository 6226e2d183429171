"""Reading images: orientation once, one look for every kind of file, plain words for broken ones."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from builders import ORIENTATION, quadrants, write_image
from podura.errors import UserError
from podura.slides import faults, reading
from podura.slides.reading import (
    UnreadableImageError,
    check_pixels,
    image_size,
    read_header,
    read_image,
)

# What the eight values of EXIF orientation mean (EXIF 2.32, tag 0x0112), written with numpy alone.
TURNED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, 1),
}


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp"])
@pytest.mark.parametrize("orientation", TURNED)
def test_orientation_is_applied_once(tmp_path, suffix, orientation):
    path = write_image(tmp_path / f"a.{suffix}", orientation=orientation)
    expected = TURNED[orientation](quadrants())
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape == expected.shape
    assert image_size(path) == (expected.shape[1], expected.shape[0])
    assert read_header(path).stored_size == (40, 24)
    # JPEG and WebP are lossy, most of all along the borders of the quarters.
    assert np.median(np.abs(pixels.astype(int) - expected)) <= 6
    if suffix in ("png", "tif"):
        np.testing.assert_array_equal(pixels, expected)


def test_orientation_behind_the_pixels_of_a_png(tmp_path):
    path = write_image(tmp_path / "a.png")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    raw = path.read_bytes()
    path.write_bytes(raw[:-12] + chunk + raw[-12:])
    assert image_size(path) == (24, 40)
    assert read_image(path).shape == (40, 24, 3)


def test_size_is_read_without_the_pixels(tmp_path):
    path = write_image(tmp_path / "a.jpg", (400, 300), orientation=6)
    path.write_bytes(path.read_bytes()[:1000])
    assert image_size(path) == (300, 400)
    with pytest.raises(UnreadableImageError, match=r"a\.jpg"):
        read_image(path)
    with pytest.raises(UnreadableImageError, match=r"a\.jpg"):
        check_pixels(path)


def test_nonsense_orientation_means_as_stored(tmp_path):
    assert image_size(write_image(tmp_path / "a.jpg", orientation=42)) == (40, 24)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_over_its_own_range(tmp_path, suffix):
    # Twelve bits in a 16-bit file: wrapping around or cutting to 8 bits would not be monotonic.
    grey = np.linspace(300, 4095, 40 * 24).round().astype(np.uint16).reshape(24, 40)
    pixels = read_image(write_image(tmp_path / f"a.{suffix}", pixels=grey))
    assert (pixels[..., 0] == pixels[..., 2]).all()
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (np.diff(pixels[..., 0].ravel().astype(int)) >= 0).all()
    expected = (grey - 300.0) * 255 / 3795
    assert np.abs(pixels[..., 0] - expected).max() <= 0.5


def test_16_bit_grey_of_one_value(tmp_path):
    grey = np.full((4, 5), 40_000, dtype=np.uint16)
    assert (read_image(write_image(tmp_path / "a.png", pixels=grey)) == 0).all()


def test_float_image_with_nan_is_refused(tmp_path):
    values = np.zeros((4, 5), dtype=np.float32)
    values[1, 1] = np.nan
    with pytest.raises(UnreadableImageError, match="finite"):
        read_image(write_image(tmp_path / "a.tif", pixels=values))


def test_grey_palette_and_bilevel_keep_their_look(tmp_path):
    expected = quadrants()
    image = Image.fromarray(expected)
    image.quantize(8).save(tmp_path / "palette.png")
    assert np.abs(read_image(tmp_path / "palette.png").astype(int) - expected).max() <= 8
    grey = expected[..., 0]
    np.testing.assert_array_equal(
        read_image(write_image(tmp_path / "grey.png", pixels=grey)), np.dstack([grey] * 3)
    )
    Image.fromarray(grey > 100).save(tmp_path / "bilevel.png")
    assert set(np.unique(read_image(tmp_path / "bilevel.png"))) == {0, 255}


def test_transparent_pixels_lie_over_white(tmp_path):
    pixels = np.zeros((2, 3, 4), dtype=np.uint8)
    pixels[0, :, 3] = 255  # an opaque black row; the other row is transparent
    pixels[1, 2, 3] = 128
    seen = read_image(write_image(tmp_path / "a.png", pixels=pixels))
    assert (seen[0] == 0).all()
    assert (seen[1, :2] == 255).all()
    assert (np.abs(seen[1, 2].astype(int) - 127) <= 1).all()


@pytest.mark.parametrize("name", ["with space.png", "été/Ω ≥ 1.png", "弹尾目.jpg", "%20.png"])
def test_any_file_name(tmp_path, name):
    path = write_image(tmp_path / name)
    assert image_size(path) == (40, 24)
    assert read_image(path).shape == (24, 40, 3)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_image_is_named(tmp_path, content):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    for read in (image_size, read_image, check_pixels):
        with pytest.raises(UnreadableImageError, match=r"broken\.png"):
            read(path)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(UnreadableImageError, match="no such file"):
        image_size(tmp_path / "none.png")
    with pytest.raises(UnreadableImageError, match="cannot be read"):
        read_image(tmp_path)


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_cut_off_files_are_never_read_in_part(tmp_path, suffix, keep):
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = write_image(tmp_path / f"a.{suffix}", pixels=noise)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * keep)])
    with pytest.raises(UnreadableImageError):
        check_pixels(path)


def test_slides_of_hundreds_of_megapixels_are_allowed_and_larger_ones_refused(tmp_path, monkeypatch):
    assert Image.MAX_IMAGE_PIXELS == reading.MAX_PIXELS == 2_000_000_000
    path = write_image(tmp_path / "a.png")
    monkeypatch.setattr(faults, "MAX_PIXELS", 40 * 24 - 1)
    with pytest.raises(UserError, match="gigapixels") as error:
        image_size(path)
    assert not isinstance(error.value, UnreadableImageError)
