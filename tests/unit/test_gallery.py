"""Pictures: safe names, every box drawn in its style, labels apart, broken images told of, same bytes."""

from __future__ import annotations

import hashlib
import itertools
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from builders import write_image
from dataset_data import grey_pixels
from podura.errors import UserError
from podura.report.gallery import Subject, picture_name, write_gallery
from podura.report.pens import box_style, ink_on, label_size
from podura.report.specimens import LONGEST, Legend, draw_specimens
from podura.report.style import HUES
from podura.slides.reading import read_reduced
from podura.tables import whole_folder

CODES = ["CER-DEN", "ISO-MIN", "PAR-NOT"]
LEGEND = Legend(
    {code: box_style(place) for place, code in enumerate(CODES)}, {"CER-DEN": "Ceratophysella denticulata"}
)
NAMES = [
    "a.jpg", "A.jpg", "b/a.jpg", "../a.jpg", "../../etc/passwd", "/a.jpg", "a.png", "ä.jpg", "a\u0308.jpg",
    "虫/一.tif", "x" * 600, "con", "nul.jpg", ".", "..", "a b.jpg", "a  b.jpg",
    "<b>\"'&.jpg", "a\\b.jpg", "-rf.jpg",
]  # fmt: skip


def boxes(*found, image="a"):
    columns = ["species", "x_min", "y_min", "x_max", "y_max", "ignore"]
    return pd.DataFrame(found, columns=columns).assign(image=image).astype({"ignore": bool})


def drawn(*found, pixels=None, faults=()):
    return draw_specimens(grey_pixels() if pixels is None else pixels, boxes(*found), "a", faults, LEGEND)


def near(picture: Image.Image, colour: str) -> np.ndarray:
    """Where a picture has a colour."""
    wanted = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)])
    return np.abs(np.asarray(picture, dtype=int) - wanted).max(axis=2) < 12


class TestNames:
    def test_no_two_images_share_a_picture_and_none_leaves_the_folder(self):
        names = [picture_name(name) for name in NAMES]
        assert len({name.lower() for name in names}) == len(NAMES)
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,70}\.jpg", name) for name in names)

    @given(st.text())
    def test_any_text_gives_a_plain_name(self, text):
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,70}\.jpg", picture_name(text))

    def test_people_recognise_the_image(self):
        assert picture_name("Plate 3/Übersicht_07.TIF").startswith("plate-3-ubersicht-07-")


class TestPens:
    def test_eighteen_species_have_styles_of_their_own_and_neighbours_differ_without_colour(self):
        styles = [box_style(place) for place in range(18)]
        assert len({(style.colour, style.pattern) for style in styles}) == 18
        assert all(a.pattern != b.pattern for a, b in itertools.pairwise(styles))

    @pytest.mark.parametrize("colour", HUES)
    def test_labels_can_be_read_on_every_colour(self, colour):
        def light(text):
            parts = [int(text[place : place + 2], 16) / 255 for place in (1, 3, 5)]
            linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        low, high = sorted((light(colour), light(ink_on(colour))))
        assert (high + 0.05) / (low + 0.05) >= 4.5


class TestPictures:
    def test_a_box_is_drawn_around_its_animal_in_the_colour_of_its_species(self):
        scale = 3  # 320 pixels are enlarged to 960
        result = drawn(("CER-DEN", 50, 40, 150, 120, False), ("ISO-MIN", 200, 150, 260, 200, False))
        assert result.picture.width == 320 * scale
        first = near(result.picture, HUES[0])
        rows, columns = np.nonzero(first[: 240 * scale])
        assert abs(rows.max() - 120 * scale) < 8
        assert abs(columns.min() - 50 * scale) < 8
        assert not first[41 * scale : 119 * scale, 51 * scale : 149 * scale].any(), "the animal stays free"
        assert near(result.picture, HUES[1])[150 * scale : 200 * scale].any()
        assert near(result.thumbnail, HUES[0]).any()

    def test_an_ignored_box_is_dashed(self):
        def gaps(ignore):
            line = near(drawn(("CER-DEN", 50, 60, 150, 160, ignore)).picture, HUES[0])
            edge = line[480:488, 160:440].any(axis=0)  # the lower edge, which has no label
            return int(np.count_nonzero(np.diff(edge.astype(int))))

        assert gaps(False) == 0
        assert gaps(True) > 8

    def test_large_images_become_smaller_and_small_ones_larger(self):
        large = drawn(("CER-DEN", 100, 100, 900, 900, False), pixels=grey_pixels(4000, 1000))
        assert large.picture.width == LONGEST
        assert max(large.thumbnail.size) == 320
        assert drawn(pixels=grey_pixels(40, 24)).picture.width >= 320
        assert drawn(pixels=grey_pixels(3000, 2)).picture.width == LONGEST

    def test_labels_do_not_cover_each_other(self):
        crowd = [
            (
                CODES[k % 3],
                10 + 60 * (k % 8),
                20 + 55 * (k // 8),
                55 + 60 * (k % 8),
                60 + 55 * (k // 8),
                False,
            )
            for k in range(32)
        ]
        result = drawn(*crowd, pixels=grey_pixels(640, 320))
        assert result.n_unlabelled == 0
        piled = drawn(*[("CER-DEN", 5, 5, 30, 25, False)] * 60, pixels=grey_pixels(640, 480))
        assert 0 < piled.n_unlabelled < 60

    def test_in_a_crowd_numbers_take_the_place_of_codes(self):
        few = [("PAR-NOT", 50 * k, 20, 50 * k + 12, 32, False) for k in range(3)]
        crowd = [
            ("PAR-NOT", 20 * (k % 30), 25 * (k // 30), 20 * (k % 30) + 12, 25 * (k // 30) + 12, False)
            for k in range(480)
        ]

        def covered(found):
            picture = drawn(*found, pixels=grey_pixels(640, 480)).picture
            return near(picture, HUES[2])[:480].sum() / len(found)

        assert covered(crowd) < covered(few) / 2

    def test_thousands_of_boxes_are_drawn_without_labels(self):
        many = [
            ("CER-DEN", 2 * (k % 50), 3 * (k // 50), 2 * (k % 50) + 2, 3 * (k // 50) + 2, False)
            for k in range(1200)
        ]
        assert drawn(*many, pixels=grey_pixels(640, 480)).n_unlabelled == 1200

    def test_the_strip_grows_with_what_is_wrong(self):
        plain = drawn().picture.height
        one = drawn(faults=["partly outside, fixed: cut"]).picture.height
        assert one > plain
        assert drawn(faults=["a fault"] * 500).picture.height < plain + 8 * (one - plain)

    def test_boxes_of_a_reduced_image_lie_where_they_do_in_the_whole(self):
        whole = drawn(("CER-DEN", 800, 400, 2400, 1200, False), pixels=grey_pixels(3200, 1600)).picture
        reduced = draw_specimens(
            grey_pixels(1600, 800),
            boxes(("CER-DEN", 800, 400, 2400, 1200, False)),
            "a",
            (),
            LEGEND,
            size=(3200, 1600),
        ).picture
        assert np.array_equal(np.asarray(whole), np.asarray(reduced))

    @pytest.mark.parametrize(
        "box", [(0, 0, 320, 240), (0, 0, 1, 1), (319, 239, 320, 240), (-0.4, 3, 320.4, 3.2)]
    )
    def test_boxes_at_the_edge_and_of_no_size_are_drawn(self, box):
        picture = drawn(("CER-DEN", *box, False)).picture
        assert near(picture, HUES[0])[:720].any()

    def test_a_label_has_the_size_that_is_told(self):
        assert label_size("CER-DEN", 12)[0] > label_size("RBC", 12)[0]


class TestGallery:
    def write(self, folder: Path, subjects, threads=1, found=None):
        with whole_folder(folder) as temporary:
            return write_gallery(
                subjects,
                boxes(("CER-DEN", 5, 5, 20, 20, False)) if found is None else found,
                LEGEND,
                temporary,
                read=partial(read_reduced, max_side=1600),
                threads=threads,
            )

    def test_every_image_has_a_picture_and_a_thumbnail(self, tmp_path):
        subjects = [
            Subject(name, str(write_image(tmp_path / f"{k}.png")), "s") for k, name in enumerate(NAMES)
        ]
        table = self.write(tmp_path / "out", subjects, threads=3)
        assert table["image"].tolist() == NAMES
        for row in table.itertuples():
            for path, size in (
                (tmp_path / "out" / row.file, (row.width, row.height)),
                (tmp_path / "out/thumbnails" / row.file, (row.thumbnail_width, row.thumbnail_height)),
            ):
                with Image.open(path) as picture:
                    assert picture.size == size
        assert len(list((tmp_path / "out").rglob("*.jpg"))) == 2 * len(NAMES)

    def test_a_broken_image_says_so_and_the_others_are_there(self, tmp_path):
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"no image")
        subjects = [
            Subject("a", str(write_image(tmp_path / "a.png")), "s"),
            Subject("b.png", str(broken), "s"),
            Subject("c", str(tmp_path / "missing.png"), "s"),
        ]
        table = self.write(tmp_path / "out", subjects)
        assert table["fault"].notna().tolist() == [False, True, True]
        assert table["fault"][1].startswith("b.png: ")
        assert str(tmp_path) not in " ".join(table["fault"].dropna())
        assert (tmp_path / "out" / table["file"][1]).stat().st_size > 5000

    def test_same_bytes_whatever_the_threads(self, tmp_path):
        subjects = [Subject(f"{k}", str(write_image(tmp_path / f"{k}.png", (60, 40))), "s") for k in range(6)]
        found = pd.concat([boxes(("ISO-MIN", 5, 5, 30, 30, k % 2 == 0), image=f"{k}") for k in range(6)])

        def digests(name, threads):
            self.write(tmp_path / name, subjects, threads, found)
            files = sorted((tmp_path / name).rglob("*.jpg"))
            return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]

        assert digests("one", 1) == digests("three", 3)

    def test_a_failure_leaves_the_folder_as_it_was(self, tmp_path):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "old").touch()

        def fails(_):
            raise RuntimeError("no user's mistake")

        with pytest.raises(RuntimeError), whole_folder(tmp_path / "out") as folder:
            write_gallery([Subject("a", "a", "s")], boxes(), LEGEND, folder, read=fails)
        assert [path.name for path in tmp_path.iterdir()] == ["out"]
        assert (tmp_path / "out" / "old").exists()

    def test_a_user_error_is_no_failure(self, tmp_path):
        def refuses(path):
            raise UserError(f"{path}: too large.")

        with whole_folder(tmp_path / "out") as folder:
            table = write_gallery([Subject("a", "p", "s")], boxes(), LEGEND, folder, read=refuses)
        assert table["fault"].tolist() == ["a: too large."]
