"""Which species a class name means, and which image a file name means."""

import pytest

from builders import (
    SPECIES,
    raw,
    raw_box,
    raw_image,
    study,
)
from podura.annotations.dataset import truth_frame
from podura.annotations.importing import import_dataset
from podura.annotations.names import SpeciesEntry, SpeciesNames
from podura.annotations.raw import AnnotatedImage
from podura.errors import UserError


@pytest.fixture
def entries(tmp_path):
    return study(tmp_path, ["a.png", "b.png"])


def rows(dataset, kind=None):
    table = dataset.problems
    return (table if kind is None else table[table["kind"] == kind]).to_dict("records")


def boxes(dataset):
    frame = truth_frame(dataset.coco)
    return [(r.species, (r.x_min, r.y_min, r.x_max, r.y_max), r.ignore) for r in frame.itertuples()]


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["CER-DEN", "cer-den", " Ceratophysella  denticulata ", "ceratophysella_denticulata", "C._DENTICULATA"],
)
def test_code_scientific_name_and_alias_mean_the_species(name):
    assert SpeciesNames(SPECIES).code(name) == "CER-DEN"


def test_other_and_left_out_names_are_known_but_of_no_interest():
    names = SpeciesNames(SPECIES[:1], SPECIES[1:], ["mite"])
    assert [names.code(name) for name in ("Mite", "ISO-MIN", "i. minor")] == [None] * 3
    assert not names.knows("spider")


@pytest.mark.parametrize(
    ("species", "left_out", "other", "words"),
    [
        ([SpeciesEntry("A", "Aa", ("x",)), SpeciesEntry("B", "Bb", ("X ",))], [], [], "'X '"),
        ([SpeciesEntry("A", "Aa", ("x",))], [SpeciesEntry("B", "x")], [], "species A and for species B"),
        ([SpeciesEntry("A", "Aa")], [], ["aa"], "species.other"),
        ([SpeciesEntry("A", "Aa"), SpeciesEntry("A", "Bb")], [], [], "twice"),
        ([], [], [], "no species"),
    ],
)
def test_names_that_could_mean_two_things_are_refused(species, left_out, other, words):
    with pytest.raises(UserError) as error:
        SpeciesNames(species, left_out, other)
    assert words in str(error.value)


def test_unknown_names_are_refused_with_count_and_nearest(entries):
    found = raw(
        raw_image("a.png", raw_box("Isotomiela minor"), raw_box("Isotomiela minor"), raw_box("zzz")),
        # An unknown name on an image that the study does not list is of no concern.
        raw_image("elsewhere.png", raw_box("spider")),
    )
    with pytest.raises(UserError) as error:
        import_dataset(entries, found, SPECIES)
    first, second, _ = str(error.value).splitlines()
    assert "2 × the name 'Isotomiela minor'" in first
    assert "nearest known name is 'Isotomiella minor'" in first
    assert "1 × the name 'zzz'" in second
    assert "nearest" not in second


def test_names_of_no_interest_are_dropped_and_counted(entries):
    found = raw(
        raw_image("a.png", raw_box("mite"), raw_box("CER-DEN"), raw_box("mite", (1, 1, 5, 5))),
        raw_image("b.png", raw_box("ISO-MIN")),
    )
    dataset = import_dataset(entries, found, SPECIES[:1], left_out=SPECIES[1:], other=["Mite"])
    assert [box[0] for box in boxes(dataset)] == ["CER-DEN"]
    told = {row["value"]: row["message"][:1] for row in rows(dataset, "other_name")}
    assert told == {"ISO-MIN": "1", "mite": "2"}


# --- matching of file names ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["images/é 1.png", "images\\é 1.png", "./images/é 1.png", "é 1.png", "train/é 1.png", "é 1", "é 1.jpg"],
)
def test_file_names_are_matched_by_path_then_by_base_name(tmp_path, name):
    entries = study(tmp_path, ["images/é 1.png", "images/2.png"])
    dataset = import_dataset(entries, raw(raw_image(name, raw_box())), SPECIES)
    assert list(truth_frame(dataset.coco)["image"]) == ["images/é 1.png"]


def test_the_folder_decides_between_equal_base_names(tmp_path):
    entries = study(tmp_path, ["x/1.png", "y/1.png"])
    dataset = import_dataset(entries, raw(raw_image("y/1.jpg", raw_box())), SPECIES)
    assert list(truth_frame(dataset.coco)["image"]) == ["y/1.png"]
    with pytest.raises(UserError, match=r"fits several images: x/1\.png, y/1\.png"):
        import_dataset(entries, raw(raw_image("1.png", raw_box())), SPECIES)


def test_a_second_file_name_may_decide(tmp_path):
    entries = study(tmp_path, ["x/1.png", "x/1.bmp", "x/2.png"])

    def matched(*file_names):
        image = AnnotatedImage(file_names, "here", 40, 24, (raw_box(),))
        return list(truth_frame(import_dataset(entries, raw(image), SPECIES).coco)["image"])

    assert matched("1", "1.bmp") == ["x/1.bmp"]
    assert matched("2", "1.png") == ["x/2.png"]  # the first name that fits is followed
    assert matched("none", "1.png") == ["x/1.png"]
    with pytest.raises(UserError, match="fits several"):
        matched("1", "2.png")


def test_annotations_of_another_folder_do_not_slip_in(tmp_path):
    entries = study(tmp_path, ["x/1.png"])
    found = raw(raw_image("x/1.png", raw_box()), raw_image("y/1.png", raw_box("ISO-MIN")))
    dataset = import_dataset(entries, found, SPECIES)
    assert [box[0] for box in boxes(dataset)] == ["CER-DEN"]
    assert [row["value"] for row in rows(dataset, "image_not_in_study")] == ["y/1.png"]


def test_an_image_annotated_twice_is_refused(entries):
    found = raw(raw_image("a.png", raw_box()), raw_image("a.png", raw_box()))
    with pytest.raises(UserError, match=r"annotated already at entry of a\.png"):
        import_dataset(entries, found, SPECIES)


def test_a_dot_in_a_name_is_no_suffix(tmp_path):
    entries = study(tmp_path, ["slide.01.png", "slide.02.png"])
    dataset = import_dataset(entries, raw(raw_image("slide.02", raw_box())), SPECIES)
    assert list(truth_frame(dataset.coco)["image"]) == ["slide.02.png"]


def test_nothing_that_fits_is_refused_with_both_names(entries):
    with pytest.raises(UserError, match=r"'a\.png'.*'other\.png'"):
        import_dataset(entries, raw(raw_image("other.png")), SPECIES)
    with pytest.raises(UserError, match="more than once"):
        import_dataset([*entries, entries[0]], raw(raw_image("a.png")), SPECIES)
