"""One list says which files are images, for folders, annotations and painting alike."""

import pytest

from builders import raw, raw_image
from podura.annotations.matching import match_images
from podura.configuration.images import images_of_folder
from podura.slides.entries import ImageEntry
from podura.slides.formats import IMAGE_SUFFIXES, NAMED_SUFFIXES, is_image_name, without_image_suffix
from podura.slides.reading import read_image
from slide_builders import EVERY_KIND


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_file_has_a_suffix_of_the_list(tmp_path, kind):
    path = EVERY_KIND[kind](tmp_path, 1)
    assert is_image_name(path.name)
    assert [image.path for image in images_of_folder(tmp_path, None)] == [path]


@pytest.mark.parametrize("suffix", [suffix for suffix in IMAGE_SUFFIXES if suffix != ".mrxs"])
def test_a_suffix_alone_refuses_nothing_that_can_be_read(tmp_path, suffix):
    path = EVERY_KIND["png"](tmp_path, 1).rename(tmp_path / f"a{suffix}")
    assert read_image(path).shape == (50, 70, 3)


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("S01.jpg", "S01"),
        ("plots/S01.SVS", "plots/S01"),
        ("S01.ome.tif", "S01"),
        ("S01.OME.TIFF", "S01"),
        ("S01.ome", "S01"),
        ("slide.01", "slide.01"),
        ("slide.01.ndpi", "slide.01"),
        ("S01.json", "S01.json"),
        ("S01.tif.jpg", "S01.tif"),
    ],
)
def test_names_without_their_suffix(name, bare):
    assert without_image_suffix(name) == bare


@pytest.mark.parametrize("annotated", ["a/S01.ome.tif", "S01.ome", "S01", "S01.png", "S01.jp2"])
def test_annotations_find_an_ome_tiff_by_any_of_its_names(annotated):
    entry = ImageEntry("a/S01.ome.tif", None, slide="S01")
    other = ImageEntry("a/S02.ome.tif", None, slide="S02")
    matching = match_images([entry, other], raw(raw_image(annotated)).images)
    assert list(matching.of_image) == ["a/S01.ome.tif"]


def test_an_ome_tiff_in_a_folder_is_a_slide_without_either_suffix(tmp_path):
    (tmp_path / "S01.ome.tif").touch()
    (tmp_path / "S02.mrxs").touch()
    (tmp_path / "notes.txt").touch()
    assert [image.slide for image in images_of_folder(tmp_path, None)] == ["S01", "S02"]
    assert set(IMAGE_SUFFIXES) < set(NAMED_SUFFIXES)
