"""Images of a study by table, folder or painter, and what is told where they are at fault."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest

from configuration_data import Project
from podura.annotations.kinds import KINDS
from podura.configuration import load_study
from podura.configuration.painted import painting_memory_mb

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "workflow" / "schemas"


# --- images table ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("um_per_pixel", "0,65", "'0,65' has a decimal comma: write 0.65"),
        ("um_per_pixel", "0", "'0' is not above 0"),
        ("um_per_pixel", "-1", "'-1' is not above 0"),
        ("um_per_pixel", "0.65 µm", "'0.65 µm' is not a number"),
        ("um_per_pixel", "nan", "'nan' is not a number"),
        ("um_per_pixel", "1e999", "'1e999' is not a number"),
        ("um_per_pixel", "1_0", "'1_0' is not a number"),
        ("part", "testing", "Is 'test' meant? Write train, validation, calibration or test"),
        ("date", "30.04.2026", "'30.04.2026' is not such a date. Write a date as YYYY-MM-DD"),
        ("date", "2026-02-30", "is not such a date"),
        ("date", "20260430", "is not such a date"),
    ],
)
def test_a_bad_cell_is_told_with_row_and_column(project: Project, column: str, cell: str, told: str) -> None:
    project.images[3][project.images[0].index(column)] = cell
    message = project.fault()
    assert f"images.tsv, row 4, column '{column}': " in message
    assert told in message
    assert message.endswith("or leave the cell empty.")


def test_many_bad_cells_are_told_by_value_and_then_counted(project: Project) -> None:
    for number in range(40):
        project.write(f"data/c{number}.jpg", "")
        project.images.append([f"c{number}.jpg", "C", "", "", "", f"{number % 8},5", ""])
    faults = project.faults()
    assert "rows 5, 13, 21, 29, 37, column 'um_per_pixel': '0,5'" in faults[0].replace(" and", ",")
    assert faults[-1].endswith("column 'um_per_pixel': 3 other cells are wrong likewise.")


@pytest.mark.parametrize("image", ["a1.jpg", "./a1.jpg", "../data/a1.jpg"])
def test_an_image_that_stands_twice_is_told_with_both_rows(project: Project, image: str) -> None:
    project.images.append([image, "A", "s1", "meadow", "", "", ""])
    message = project.fault()
    assert "row 5, column 'image'" in message
    assert "stands already in row 2" in message


def test_missing_image_files_are_counted_and_five_are_named(project: Project) -> None:
    project.images += [[f"gone{number}.jpg", "C", "", "", "", "", ""] for number in range(9)]
    message = project.fault()
    assert "9 of 12 image files are not there: 'gone0.jpg' (row 5), " in message
    assert "'gone4.jpg' (row 9) and 4 more" in message
    assert str(project.folder / "data") in message


def test_a_file_name_in_other_letters_is_suggested(project: Project) -> None:
    project.images[1][0] = "A1.JPG"
    project.images[2][0] = "..\\data\\a2.jpg"
    message = project.fault()
    assert "'A1.JPG' (row 2; there is 'a1.jpg')" in message
    assert "write / instead of \\" in message


def test_single_missing_image_files_are_left_to_the_import(project: Project) -> None:
    project.images.append(["gone.jpg", "C", "", "", "", "", ""])
    assert project.load().images[3].path == project.folder / "data" / "gone.jpg"
    project.images.append(["gone2.jpg", "C", "", "", "", "", ""])
    project.images.append(["gone3.jpg", "C", "", "", "", "", ""])
    project.load()  # three of six: half is not most
    project.images.append(["gone4.jpg", "C", "", "", "", "", ""])
    assert "4 of 7 image files are not there" in project.fault()


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"tiny_bx": "drop"}, "there is no kind of fault 'tiny_bx'. Is 'tiny_box' meant?"),
        ({"xyz": "drop"}, "there is no kind of fault 'xyz'. Write one of the kinds that config/README"),
        (
            {"two_species": "drop"},
            "'drop' cannot be the treatment of two_species. Write keep, ignore or refuse.",
        ),
        ({"zero_area": "keep"}, "'keep' cannot be the treatment of zero_area. Write drop or refuse."),
        ({"tiny_box": "delete"}, "'delete' is no treatment. Write keep, ignore, drop or refuse."),
        ({"tiny_box": True}, "YAML does not read true as text: put it in quotes. Write fix, ignore, drop"),
        ({"tiny_box": ["drop"]}, "is not text. Write fix, ignore, drop, keep or refuse."),
        ("drop", "'drop' is not a group of keys. Write a mapping such as"),
    ],
)
def test_a_treatment_that_is_not_possible_is_told(project: Project, chosen: Any, told: str) -> None:
    project.config["dataset"]["problems"] = chosen
    message = project.fault()
    assert message.startswith("config.yaml") or "config.yaml, line" in message
    assert "dataset.problems" in message
    assert told in message


def test_every_possible_treatment_of_every_kind_is_taken(project: Project) -> None:
    for place in range(5):
        chosen = {name: kind.treatments[min(place, len(kind.treatments) - 1)] for name, kind in KINDS.items()}
        project.config["dataset"]["problems"] = chosen
        assert project.load().dataset.problems == chosen
    project.config["dataset"]["problems"] = None
    assert project.load().dataset.problems == {}


def test_flags_that_are_ignored_are_chosen(project: Project) -> None:
    assert project.load().dataset.annotations.ignore_flags == ("crowd", "difficult", "ignore")
    annotations = project.config["dataset"]["annotations"]
    annotations["ignore_flags"] = ["truncated"]
    assert project.load().dataset.annotations.ignore_flags == ("truncated",)
    annotations["ignore_flags"] = []
    assert project.load().dataset.annotations.ignore_flags == ()
    annotations["ignore_flags"] = ["truncatd"]
    assert "'truncatd' is not possible. Is 'truncated' meant?" in project.fault()


def test_images_may_lie_elsewhere(project: Project) -> None:
    outside = project.write("elsewhere/x.tif", "")
    project.images[1][0] = str(outside)
    project.images[2][0] = "../elsewhere/x.png"
    project.write("elsewhere/x.png", "")
    study = project.load()
    assert study.images[0].path == outside
    assert study.images[1].path.resolve() == outside.with_suffix(".png")


@pytest.mark.parametrize("column", ["sample", "site", "part"])
def test_a_slide_with_two_values_is_told(project: Project, column: str) -> None:
    project.images[2][project.images[0].index(column)] = "train"
    message = project.fault()
    assert f"column '{column}': the slide 'A' has " in message
    assert "'train' (row 3)" in message


def test_one_row_is_enough_to_fix_the_part_of_a_slide(project: Project) -> None:
    project.images[2][6] = ""
    assert [image.part for image in project.load().images] == ["test", None, None]


@pytest.mark.parametrize("by", ["sample", "site"])
def test_what_is_never_divided_must_be_known_for_every_image(project: Project, by: str) -> None:
    project.config["split"] = {"by": by}
    project.images[3][project.images[0].index(by)] = ""
    message = project.fault()
    assert f"row 4, column '{by}': the cell is empty, but split.by is {by}" in message


def test_a_sample_that_is_never_divided_cannot_have_two_fixed_parts(project: Project) -> None:
    project.images[3] = ["b1.jpg", "B", "s1", "meadow", "", "", "train"]
    assert project.load().images[2].part == "train"
    project.config["split"] = {"by": "sample"}
    assert "the sample 's1' has 'test' (row 2) and 'train' (row 4)" in project.fault()


def test_a_table_with_commas_is_told_as_such(project: Project) -> None:
    project.images = [[",".join(row)] for row in project.images]
    assert "the columns are not separated by tabs" in project.fault()


def test_a_table_without_images_is_told(project: Project) -> None:
    project.images = project.images[:1]
    assert "holds no image" in project.fault()


def test_a_hundred_thousand_images_are_read_in_seconds(project: Project) -> None:
    rows = [[f"{i}.jpg", f"s{i // 9}", f"p{i // 99}", "x", "2026-01-01", "1", ""] for i in range(100_000)]
    for row in rows:
        (project.folder / "data" / row[0]).touch()
    project.images = [project.images[0], *rows]
    project.write_tables()
    path = project.write_yaml("config.yaml", project.config)
    start = time.perf_counter()
    study = load_study(project.config, config_files=[path], schemas=SCHEMAS, folder=project.folder)
    # About 2 s on one free core; the bound leaves room for a busy machine and still catches what grows
    # faster than the table.
    assert time.perf_counter() - start < 15
    assert len(study.images) == 100_000


# --- images folder ---------------------------------------------------------------------------------


@pytest.fixture
def folder_project(project: Project) -> Project:
    for name in ("S2/field2.JPG", "S2/field1.jpg", "S1/deep/x.tiff", "S1/note.txt", ".hidden/y.png"):
        project.write(f"pictures/{name}", "")
    project.config["dataset"]["images"] = "pictures"
    return project


def test_a_folder_gives_its_images_sorted_by_their_path_below_it(folder_project: Project) -> None:
    images = folder_project.load().images
    assert [image.image for image in images] == ["S1/deep/x.tiff", "S2/field1.jpg", "S2/field2.JPG"]
    assert [image.slide for image in images] == ["S1/deep/x", "S2/field1", "S2/field2"]
    assert all(image.path == folder_project.folder / "pictures" / image.image for image in images)


def test_a_slide_pattern_finds_the_slide_in_the_path(folder_project: Project) -> None:
    folder_project.config["dataset"]["slide_pattern"] = "^(?P<slide>[^/]+)/"
    assert [image.slide for image in folder_project.load().images] == ["S1", "S2", "S2"]


def test_images_that_a_slide_pattern_does_not_fit_are_told(folder_project: Project) -> None:
    folder_project.config["dataset"]["slide_pattern"] = r"^(?P<slide>S2)/"
    message = folder_project.fault()
    assert "finds no slide in 1 of 3 images: S1/deep/x.tiff" in message


@pytest.mark.parametrize(
    ("pattern", "told"),
    [("(?P<slide>[", "is not a regular expression"), (r"(\w+)/", "has no group (?P<slide>...)")],
)
def test_a_bad_slide_pattern_is_told(folder_project: Project, pattern: str, told: str) -> None:
    folder_project.config["dataset"]["slide_pattern"] = pattern
    message = folder_project.fault()
    assert "key dataset.slide_pattern" in message
    assert told in message


def test_two_images_that_would_be_one_slide_by_accident_are_told(folder_project: Project) -> None:
    folder_project.write("pictures/S2/field1.png", "")
    assert "differ in their suffix only" in folder_project.fault()


def test_a_folder_without_images_is_told(folder_project: Project) -> None:
    (folder_project.folder / "empty").mkdir()
    folder_project.config["dataset"]["images"] = "empty"
    message = folder_project.fault()
    assert "holds no image" in message
    assert ".webp" in message


def test_a_linked_folder_is_followed_and_a_circle_of_links_ends(folder_project: Project) -> None:
    outside = folder_project.write("archive/z.png", "").parent
    pictures = folder_project.folder / "pictures"
    (pictures / "linked").symlink_to(outside)
    (pictures / "circle").symlink_to(pictures)
    names = [image.image for image in folder_project.load().images]
    assert "linked/z.png" in names
    assert not any(name.startswith("circle/") for name in names)


def test_a_folder_knows_no_samples(folder_project: Project) -> None:
    folder_project.config["split"] = {"by": "sample"}
    assert "with a folder of images no sample is known" in folder_project.fault()


def test_a_slide_pattern_beside_a_table_is_told(project: Project) -> None:
    project.config["dataset"]["slide_pattern"] = "(?P<slide>.+)"
    assert "a pattern only serves a folder of images" in project.fault()


# --- painted slides --------------------------------------------------------------------------------


@pytest.fixture
def painted_project(project: Project) -> Project:
    project.config["dataset"]["annotations"] = {"format": "painted"}
    project.images[1][0] = "not/there/yet.png"
    return project


def test_painted_images_lie_where_they_will_be_painted(painted_project: Project) -> None:
    study = painted_project.load(painted_folder="results/painted")
    assert study.images[0].path == Path("results/painted/not/there/yet.png")
    assert study.dataset.annotations.path is None


@pytest.mark.parametrize("image", ["/tmp/x.png", "../x.png", "a/../../x.png", "C:/x.png"])
def test_painted_images_stay_in_their_folder(painted_project: Project, image: str) -> None:
    painted_project.images[1][0] = image
    message = painted_project.fault(painted_folder="results/painted")
    assert "row 2, column 'image'" in message
    assert "leads out of the folder" in message


def test_painted_images_need_the_name_of_an_image_file(painted_project: Project) -> None:
    painted_project.images[1][0] = "slide-01"
    assert "Write a path that ends in .jpg" in painted_project.fault(painted_folder="results/painted")


@pytest.mark.parametrize("image", ["a.webp", "a.bmp", "a.svs"])
def test_painted_images_have_a_format_that_is_painted(painted_project: Project, image: str) -> None:
    painted_project.images[1][0] = image
    message = painted_project.fault(painted_folder="results/painted")
    assert image in message
    assert "that can be painted. Write a path that ends in .jpg, .jpeg, .png, .tif or .tiff" in message


@pytest.mark.parametrize(
    ("values", "key", "said"),
    [
        ({"others_name": "beetle"}, "others_name", "'beetle' is not in species.other"),
        (
            {"single_share": 0.5, "specimens_per_image": 1, "other_animals_per_image": 0.2},
            "single_share",
            "0.5 does not go with a mean of 1.2 animals an image",
        ),
        (
            {"single_share": 0.5, "specimens_per_image": 0.5, "other_animals_per_image": 0},
            "single_share",
            "Write means that add up to at least 1.5",
        ),
        ({"touching": 1.5}, "touching", "1.5 is more than 1"),
        ({"um_per_pixel": 0.1}, "um_per_pixel", "0.1 is less than 0.5"),
    ],
)
def test_painted_keys_that_do_not_go_together_are_refused(
    painted_project: Project, values: dict[str, Any], key: str, said: str
) -> None:
    painted_project.config["painted"] = values
    message = painted_project.fault(painted_folder="results/painted")
    assert f"painted.{key}" in message
    assert said in message


def test_other_animals_that_are_known_may_be_marked(painted_project: Project) -> None:
    painted_project.config["painted"] = {"others_name": "mite"}
    painted_project.config["species"]["other"] = ["mite"]
    assert painted_project.load(painted_folder="results/painted").painted.others_name == "mite"


def test_painting_memory_follows_size_and_threads(painted_project: Project) -> None:
    small = painted_project.load(painted_folder="results/painted").painted
    plate = dataclasses.replace(small, width=10_000, height=10_000)
    assert painting_memory_mb(small, 2) < 1500
    assert 1500 < painting_memory_mb(plate, 1) < painting_memory_mb(plate, 2) < 4500


def test_painted_images_need_a_table(painted_project: Project) -> None:
    painted_project.config["dataset"]["images"] = "data"
    assert "painted slides need a table" in painted_project.fault(painted_folder="results/painted")
