"""TIFF of every kind: the values that it must show, worked out by other means than the reader's."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from podura.slides.reading import UnreadableImageError, open_slide, read_image
from slide_builders import halved, scaled_to_8_bits, sixteen, smooth, texture, write_pyramid


def write(path, values, **options):
    tifffile.imwrite(path, values, **{"metadata": None, "photometric": "minisblack", **options})
    return path


def kinds(path):
    with open_slide(path) as slide:
        return {note.kind: note for note in slide.notes}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rowsperstrip": 7},
        {"rowsperstrip": 7, "compression": "lzw", "predictor": True},
        {"compression": "zlib"},
        {"compression": "lzma"},
        {"compression": "zstd", "tile": (16, 16)},
        {"compression": "packbits"},
        {"compression": "webp", "compressionargs": {"lossless": True}, "tile": (16, 32)},
        {"compression": "jpeg2000", "compressionargs": {"reversible": True}},
        {"compression": "png", "tile": (16, 16)},
        {"tile": (64, 80), "byteorder": ">"},
        {"bigtiff": True, "rowsperstrip": 3},
        {"bigtiff": True, "byteorder": ">", "tile": (16, 16), "compression": "deflate"},
    ],
    ids=str,
)
def test_8_bit_rgb_without_loss(tmp_path, options):
    path = write(tmp_path / "a.tif", texture(), photometric="rgb", **options)
    np.testing.assert_array_equal(read_image(path), texture())
    assert kinds(path) == {}


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_jpeg_tiles(tmp_path, subsampling):
    path = write(
        tmp_path / "a.tif",
        smooth(),
        photometric="rgb",
        tile=(16, 16),
        compression="jpeg",
        subsampling=subsampling,
    )
    assert np.abs(read_image(path).astype(int) - smooth()).mean() < 4


def test_planes_one_after_the_other(tmp_path):
    planes = np.moveaxis(texture(), 2, 0)
    for number, options in enumerate([{}, {"rowsperstrip": 8, "compression": "zlib"}, {"tile": (16, 16)}]):
        path = write(
            tmp_path / f"{number}.tif", planes, photometric="rgb", planarconfig="separate", **options
        )
        np.testing.assert_array_equal(read_image(path), texture())


def test_grey_and_white_is_zero(tmp_path):
    grey = texture()[..., 2]
    expected = np.dstack([grey] * 3)
    np.testing.assert_array_equal(read_image(write(tmp_path / "a.tif", grey)), expected)
    inverted = write(tmp_path / "b.tif", 255 - grey, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(inverted), expected)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits(tmp_path, bits, photometric):
    values = (texture()[..., 2] >> (8 - bits)).astype(np.uint8)
    path = write(
        tmp_path / "a.tif",
        values if bits > 1 else values.astype(bool),
        photometric=photometric,
        **({"bitspersample": bits} if bits > 1 else {}),
    )
    seen = read_image(path)[..., 0]
    expected = values.astype(int) * 255 // (2**bits - 1)
    np.testing.assert_array_equal(seen, expected if photometric == "minisblack" else 255 - expected)


@pytest.mark.parametrize("compression", ["group3", "group4", "packbits", "tiff_lzw", "tiff_deflate", None])
def test_bilevel_as_scanners_of_paper_write_it(tmp_path, compression):
    black = texture()[..., 2] > 120
    Image.fromarray(black).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 1], black * 255)


@pytest.mark.parametrize("scale", [257, 1])
def test_palette_of_16_and_of_8_bits(tmp_path, scale):
    colours = np.random.default_rng(0).integers(0, 256, (3, 256))
    indices = texture()[..., 2]
    # Some programs write 0..255 into the colour map, which by the standard holds 0..65535.
    path = write(
        tmp_path / "a.tif", indices, photometric="palette", colormap=(colours * scale).astype(np.uint16)
    )
    np.testing.assert_array_equal(read_image(path), colours.T[indices])


def test_cmyk_of_8_and_16_bits_is_that_of_pillow(tmp_path):
    inks = np.random.default_rng(0).integers(0, 256, (20, 30, 4), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    path = write(tmp_path / "a.tif", inks, photometric="separated")
    np.testing.assert_array_equal(read_image(path), expected)
    deep = write(tmp_path / "b.tif", inks.astype(np.uint16) * 257, photometric="separated", tile=(16, 16))
    np.testing.assert_array_equal(read_image(deep), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_alpha_lies_over_white(tmp_path, kind, dtype):
    full = np.iinfo(dtype).max
    colour = np.zeros((4, 6, 3), dtype=dtype)
    colour[0, 0] = full  # so that the range of 16 bits is the whole one
    alpha = np.full((4, 6, 1), full, dtype=dtype)
    alpha[1], alpha[2] = 0, full // 2
    path = write(tmp_path / "a.tif", np.dstack([colour, alpha]), photometric="rgb", extrasamples=[kind])
    seen = read_image(path).astype(int)
    assert (seen[0, 1:] == 0).all()
    assert (seen[1] == 255).all()
    assert (np.abs(seen[2] - 128) <= 1).all()
    grey = write(
        tmp_path / "b.tif", np.dstack([colour[..., :1], alpha]), extrasamples=[kind], planarconfig="contig"
    )
    np.testing.assert_array_equal(read_image(grey), seen)


def test_samples_that_are_no_alpha_are_left_aside(tmp_path):
    five = np.dstack([texture(), texture()[..., :2]])
    path = write(tmp_path / "a.tif", five, photometric="rgb", extrasamples=["unspecified"] * 2)
    np.testing.assert_array_equal(read_image(path), texture())


@pytest.mark.parametrize(
    "options", [{}, {"rowsperstrip": 5, "compression": "lzw"}, {"tile": (16, 16)}], ids=str
)
@pytest.mark.parametrize(
    ("dtype", "low", "high", "kind"),
    [
        (np.uint16, 300, 4095, "scaled_16_bit"),
        (np.uint16, 0, 65535, "scaled_16_bit"),
        (np.int16, -2000, 1500, "scaled_grey"),
        (np.uint32, 5, 4_000_000_000, "scaled_grey"),
        (np.float32, -0.25, 1.5, "scaled_grey"),
        (np.float64, 1e-9, 2e-9, "scaled_grey"),
    ],
)
def test_values_are_scaled_over_the_range_of_the_image(tmp_path, dtype, low, high, kind, options):
    share = scaled_to_8_bits(sixteen()) / 255
    values = (low + share * (high - low)).astype(dtype)
    path = write(tmp_path / "a.tif", values, **options)
    seen = read_image(path)
    assert (seen.min(), seen.max()) == (0, 255)
    assert np.abs(seen[..., 0] - scaled_to_8_bits(values)).max() <= 0.5 + 1e-6
    note = kinds(path)[kind]
    assert note.value == f"{values.min():g}..{values.max():g}"


def test_colours_share_one_range_which_keeps_their_balance(tmp_path):
    deep = smooth().astype(np.uint16) * 15 + 40
    path = write(tmp_path / "a.tif", deep, photometric="rgb", tile=(16, 16))
    assert np.abs(read_image(path) - scaled_to_8_bits(deep)).max() <= 0.5
    planar = write(tmp_path / "b.tif", np.moveaxis(deep, 2, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(planar), read_image(path))


def test_12_bits_in_a_png_of_16_bit_colour_keep_all_their_shades(tmp_path):
    import imagecodecs

    deep = smooth().astype(np.uint16) * 15 + 40
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep))
    seen = read_image(tmp_path / "a.png")
    assert np.abs(seen - scaled_to_8_bits(deep)).max() <= 0.5
    assert len(np.unique(seen)) > 100


def test_a_region_is_scaled_as_the_whole_image(tmp_path):
    values = sixteen(200, 150)
    path = write(tmp_path / "a.tif", values, tile=(16, 16))
    with open_slide(path) as slide:
        dark = slide.region(3, 3, 2, 2)
    np.testing.assert_array_equal(dark[..., 0], np.rint(scaled_to_8_bits(values))[3:5, 3:5])


def test_the_range_of_a_pyramid_comes_from_a_reduced_level_and_nothing_wraps(tmp_path):
    values = np.full((1200, 2400), 1000, dtype=np.uint16)
    values[::2, ::2] = np.linspace(500, 2000, 1200)[np.newaxis]
    values[1, 1] = 60_000  # seen in no reduced level
    path = write_pyramid(tmp_path / "a.tif", values, photometric="minisblack", compression="zlib", tile=256)
    with open_slide(path) as slide:
        assert {note.value for note in slide.notes} == {"500..2000"}
        assert slide.region(1, 1, 1, 1).max() == 255
        assert slide.region(0, 0, 1, 1).max() == 0
    whole = read_image(path)[..., 0]
    np.testing.assert_array_equal(whole, np.rint(np.clip((values - 500.0) / 1500, 0, 1) * 255))


def test_infinite_and_missing_values_are_refused_wherever_they_are(tmp_path):
    for value in (np.nan, np.inf):
        values = np.ones((40, 40), dtype=np.float32)
        values[37, 2] = value
        path = write(tmp_path / "a.tif", values, tile=(16, 16))
        with open_slide(path) as slide:
            with pytest.raises(UnreadableImageError, match="finite"):
                slide.check()
            with pytest.raises(UnreadableImageError, match="finite"):
                slide.region(0, 0, 4, 4)


def test_levels_of_every_way_to_write_a_pyramid(tmp_path):
    pixels = texture(161, 99)
    for number, options in enumerate([{}, {"flagged": False}, {"sub_ifds": True}]):
        path = write_pyramid(tmp_path / f"{number}.tif", pixels, levels=4, compression="zlib", **options)
        with open_slide(path) as slide:
            sizes = [(level.width, level.height) for level in slide.levels]
            assert sizes == [(161, 99), (80, 49), (40, 24), (20, 12)]
            assert slide.n_pages == 1
            assert slide.notes == ()
            for level, (width, height) in enumerate(sizes):
                seen = slide.region(0, 0, width, height, level)
                np.testing.assert_array_equal(seen, halved(pixels, level) if level else pixels)


def test_pages_that_are_no_copies_are_told_of(tmp_path):
    path = tmp_path / "a.tif"
    first = texture(64, 48)
    with tifffile.TiffWriter(path) as writer:
        options = {"photometric": "rgb", "metadata": None}
        writer.write(first[::4, ::4], subfiletype=1, **options)  # a preview stands first
        writer.write(first, **options)
        writer.write(texture(64, 48, seed=9), **options)
        writer.write(texture(32, 24, seed=9), **options)  # half the size, but neither marked nor tiled
    with open_slide(path) as slide:
        assert (slide.size, len(slide.levels), slide.n_pages) == ((64, 48), 1, 3)
        (note,) = slide.notes
        assert (note.kind, note.value) == ("several_pages", "3")
        np.testing.assert_array_equal(slide.read(), first)


def test_tiles_that_the_file_does_not_hold_are_told_of(tmp_path):
    path = tmp_path / "a.tif"
    full = [np.full((16, 16), 200, np.uint8).tobytes()]
    tifffile.imwrite(
        path,
        iter([*full, b"", *full, *full]),
        shape=(32, 32),
        dtype=np.uint8,
        tile=(16, 16),
        photometric="minisblack",
        metadata=None,
        compression=None,
    )
    if 0 not in tifffile.TiffFile(path).pages[0].databytecounts:
        pytest.skip("this tifffile fills missing tiles")
    assert kinds(path)["missing_tiles"].value == "1"
    assert read_image(path)[0, 20].max() == 0


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (np.ones((4, 4), np.complex64), {}, "complex"),
        (texture(), {"photometric": "cielab"}, "CIELAB"),
    ],
)
def test_what_is_not_read_is_said(tmp_path, values, options, words):
    path = write(tmp_path / "a.tif", values, **options)
    with pytest.raises(UnreadableImageError, match=words):
        read_image(path)
