"""OME-TIFF, ImageJ and animations: which plane, which channels, and what is told of the rest."""

import logging

import numpy as np
import pytest
import tifffile
from PIL import Image

from podura.slides.reading import open_slide, read_image
from slide_builders import halved, scaled_to_8_bits, sixteen, texture


def plane(number, dtype=np.uint16):
    return (np.roll(sixteen(40, 30), number, axis=1) + 100 * number).astype(dtype)


def stack(*sizes):
    """Planes that all differ, in the order of the axes."""
    return np.stack([plane(i) for i in range(int(np.prod(sizes)))]).reshape(*sizes, 30, 40)


def notes(path):
    with open_slide(path) as slide:
        return {note.kind: note for note in slide.notes}


@pytest.mark.parametrize("suffix", [".ome.tif", ".ome.tiff", ".ome.btf"])
def test_ome_of_one_grey_plane(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    tifffile.imwrite(
        path,
        plane(0),
        metadata={"axes": "YX", "PhysicalSizeX": 0.65, "PhysicalSizeY": 0.65},
        ome=True,
        bigtiff=suffix.endswith("btf"),
    )
    with open_slide(path) as slide:
        assert (slide.format, slide.n_pages, slide.um_per_pixel) == ("OME-TIFF", 1, 0.65)
        assert [note.kind for note in slide.notes] == ["scaled_16_bit"]
        assert np.abs(slide.read()[..., 2] - scaled_to_8_bits(plane(0))).max() <= 0.5


@pytest.mark.parametrize("axes", ["TZCYX", "CTZYX", "ZTCYX"])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_ome_stack_first_time_and_depth_and_up_to_three_channels(tmp_path, axes, channels):
    sizes = {"T": 2, "Z": 3, "C": channels}
    values = stack(*[sizes[axis] for axis in axes[:3]])
    tifffile.imwrite(tmp_path / "a.ome.tif", values, metadata={"axes": axes}, compression="zlib")
    first = np.moveaxis(values, axes.index("C"), 0)[:, 0, 0]
    seen = read_image(tmp_path / "a.ome.tif")
    for channel in range(3):
        if channels == 1:
            expected = scaled_to_8_bits(first[0])
        else:
            expected = scaled_to_8_bits(first[channel]) if channel < channels else np.zeros((30, 40))
        assert np.abs(seen[..., channel] - expected).max() <= 0.5
    told = notes(tmp_path / "a.ome.tif")
    assert "2 T" in told["several_pages"].message
    assert ("channels_chosen" in told) == (channels > 1)
    if channels > 1:
        assert told["channels_chosen"].value == str(channels)


def test_ome_of_interleaved_rgb_is_no_stack(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", texture(), metadata={"axes": "YXS"}, photometric="rgb")
    np.testing.assert_array_equal(read_image(tmp_path / "a.ome.tif"), texture())
    assert notes(tmp_path / "a.ome.tif") == {}


def test_ome_pyramid_in_sub_ifds(tmp_path):
    values = np.stack([plane(0), plane(1), plane(2)]).repeat(4, axis=1).repeat(4, axis=2)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        options = {"tile": (16, 16), "photometric": "minisblack"}
        writer.write(values, subifds=2, metadata={"axes": "CYX"}, **options)
        for level in (1, 2):
            small = np.stack([halved(channel, level) for channel in values])
            writer.write(small, subfiletype=1, **options)
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert [(level.width, level.height) for level in slide.levels] == [(160, 120), (80, 60), (40, 30)]
        small = slide.region(0, 0, 40, 30, 2)
        for channel in range(3):
            expected = scaled_to_8_bits(values[channel])[::4, ::4]
            assert np.abs(small[..., channel] - expected).max() <= 0.5


def test_ome_whose_description_is_damaged_or_hostile_is_read_as_tiff(tmp_path):
    for text in ("<?xml version='1.0'?><OME><Image>", "<!DOCTYPE a [<!ENTITY b 'c'>]><OME></OME>"):
        tifffile.imwrite(tmp_path / "a.tif", texture(), photometric="rgb", description=text, metadata=None)
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), texture())


def test_ome_whose_pixels_lie_in_another_file_opens_no_other_file(tmp_path):
    tifffile.imwrite(tmp_path / "secret.ome.tif", texture()[..., 0], metadata={"axes": "YX"})
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:0a0a0a0a-0000-0000-0000-000000000001"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYCZT" Type="uint8" SizeX="70" SizeY="50" SizeC="1" SizeZ="1" SizeT="1">'
        '<Channel ID="Channel:0" SamplesPerPixel="1"/><TiffData IFD="0" PlaneCount="1">'
        '<UUID FileName="secret.ome.tif">urn:uuid:0b0b0b0b-0000-0000-0000-000000000002</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    own = np.full((50, 70), 77, np.uint8)
    tifffile.imwrite(tmp_path / "a.ome.tif", own, description=text, metadata=None)
    assert (read_image(tmp_path / "a.ome.tif") == 77).all()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_imagej_hyperstack(tmp_path, channels):
    values = stack(2, 3, channels)
    tifffile.imwrite(
        tmp_path / "a.tif",
        values,
        imagej=True,
        metadata={"axes": "TZCYX", "unit": "um"},
        resolution=(1 / 0.5, 1 / 0.5),
    )
    with open_slide(tmp_path / "a.tif") as slide:
        assert slide.format == "ImageJ TIFF"
        assert slide.um_per_pixel == 0.5
        seen = slide.read()
    for channel in range(channels):
        assert np.abs(seen[..., channel] - scaled_to_8_bits(values[0, 0, channel])).max() <= 0.5


def test_imagej_stack_of_a_single_page_has_its_planes_one_after_the_other(tmp_path):
    # ImageJ writes stacks of more than 4 GB so: one directory, all planes behind each other.
    values = stack(2, 2)
    description = "ImageJ=1.53t\nimages=4\nchannels=2\nslices=2\nhyperstack=true\nmode=composite\n"
    tifffile.imwrite(tmp_path / "a.tif", values[0, 0], description=description, metadata=None, byteorder=">")
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        end = tif.pages[0].dataoffsets[0] + tif.pages[0].nbytes
    raw = (tmp_path / "a.tif").read_bytes()
    assert len(raw) == end
    (tmp_path / "a.tif").write_bytes(
        raw + b"".join(p.astype(">u2").tobytes() for p in values.reshape(4, 30, 40)[1:])
    )
    seen = read_image(tmp_path / "a.tif")
    for channel in range(2):
        assert np.abs(seen[..., channel] - scaled_to_8_bits(values[0, channel])).max() <= 0.5


def test_animations_show_their_first_picture(tmp_path):
    frames = [Image.fromarray(texture(seed=seed)) for seed in (1, 2)]
    for name in ("a.webp", "a.png", "a.gif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        assert notes(tmp_path / name)["several_pages"].value == "2"
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), texture(seed=1))


def test_tifffile_stays_silent(tmp_path, caplog):
    with caplog.at_level(logging.DEBUG):
        tifffile.imwrite(tmp_path / "a.ome.tif", stack(2, 2), metadata={"axes": "ZCYX"})
        read_image(tmp_path / "a.ome.tif")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
