"""Painted slides: seeded, true to their boxes, and species that look like themselves."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from podura.errors import UserError
from podura.slides.painting import (
    ImageRow,
    PaintedImage,
    PaintSettings,
    load_traits,
    paint_image,
    paint_study,
)
from podura.slides.painting import images as images_module
from podura.slides.painting.anatomy import plan_springtail
from podura.slides.painting.conditions import draw_conditions
from podura.slides.painting.preparation import Preparation
from podura.slides.painting.scene import overlap
from podura.slides.painting.springtails import draw_length_mm, paint_springtail
from podura.tables import SPECIES

ROOT = Path(__file__).parents[2]
TRAITS_FILE = ROOT / "resources" / "springtail_traits.tsv"
TRAITS = load_traits(TRAITS_FILE)
DEMO = ("CER-DEN", "ISO-MIN", "LEP-CYA", "MET-AFF", "PAR-NOT")
SMALL = PaintSettings(320, 240, 20.0, 7.0, 1.5)
ONE = replace(SMALL, specimens_per_image=0.001, other_animals_per_image=0.0)
PLAIN = Preparation(clearing=1.0, stain=(0.0, 0.0, 0.0), contrast=1.0, blur_um=4.0)


def paint(image: str = "a.jpg", slide: str = "s", site: str = "x", seed: int = 1, **more) -> PaintedImage:
    more = {"species": DEMO, "settings": SMALL, "traits": TRAITS} | more
    return paint_image(image=image, slide=slide, site=site, seed=seed, **more)


def rows(number: int) -> list[ImageRow]:
    return [ImageRow(f"images/{n}.jpg", f"slide-{n // 2}", "x", 20.0) for n in range(number)]


def study(folder: Path, number: int = 4, **more) -> dict:
    more = {"rows": rows(number), "seed": 5} | more
    names = {code: TRAITS[code].name for code in DEMO}
    return paint_study(
        folder=folder, species=DEMO, species_names=names, settings=SMALL, traits=TRAITS, **more
    )


def transmissions(code: str, number: int = 30) -> np.ndarray:
    """Mean light, red, green and blue, that the animals of a species let through."""
    means = []
    for seed in range(number):
        rng = np.random.default_rng(seed)
        patch = paint_springtail(TRAITS[code], draw_length_mm(TRAITS[code], rng), 100, PLAIN, rng, 1)
        means.append(np.exp(-patch.density[patch.mask].mean(axis=0)))
    return np.array(means)


# The table of traits


def test_every_species_of_the_study_has_traits_under_the_same_name() -> None:
    species = SPECIES.read_user_tsv(ROOT / "config" / "species.tsv")
    assert {row["code"]: row["name"] for row in species.to_dict("records")} == {
        code: traits.name for code, traits in TRAITS.items()
    }
    assert all(traits.source for traits in TRAITS.values())


def test_traits_agree_with_the_keys() -> None:
    # Hopkin 2007: the blind species, the one without a furca, the genera with anal spines and scales.
    assert {c for c, t in TRAITS.items() if t.ocelli_per_side == 0} == {"ISO-MIN", "MET-AFF"}
    assert TRAITS["PAR-NOT"].ocelli_per_side == 4
    assert {c for c, t in TRAITS.items() if t.furca_to_body == 0} == {"MET-AFF"}
    spined = {"CER-DEN", "CER-GIB", "HYP-MAN", "MET-AFF"}
    assert {c for c, t in TRAITS.items() if t.anal_spine_um > 0} == spined
    assert {c for c, t in TRAITS.items() if t.cover == "scales"} == {"LEP-CYA", "LEP-LAN"}


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("length_mm_min", "long", "no number"),
        ("length_mm_min", "2.9", "is more than 'length_mm_max'"),
        ("pigment_colour", "brown", "no colour"),
        ("segment_lengths", "1 2 3", "ten numbers"),
        ("segment_widths", "74 0 84 91 94 98 100 97 82 50", "0 in both columns"),
        ("ocelli_per_side", "9", "no number from 0 to 8"),
        ("ocelli_per_side", "2.5", "no whole number"),
        ("cover", "feathers", "hairs or scales"),
        ("furca_to_body", "nan", "no number"),
        ("source", "", "empty"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path: Path, column: str, value: str, said: str) -> None:
    lines = [line for line in TRAITS_FILE.read_text().splitlines() if not line.startswith("#")]
    header, cells = lines[0].split("\t"), lines[1].split("\t")
    cells[header.index(column)] = value
    path = tmp_path / "traits.tsv"
    path.write_text("\n".join([lines[0], "\t".join(cells)]) + "\n")
    with pytest.raises(UserError) as caught:
        load_traits(path)
    message = str(caught.value)
    assert said in message
    assert f"row 2, column '{column}'" in message


def test_a_species_given_twice_is_refused(tmp_path: Path) -> None:
    lines = [line for line in TRAITS_FILE.read_text().splitlines() if not line.startswith("#")]
    path = tmp_path / "traits.tsv"
    path.write_text("\n".join([lines[0], lines[1], lines[1]]) + "\n")
    with pytest.raises(UserError, match=r"row 3, column 'code'.*twice"):
        load_traits(path)


# Animals


@settings(max_examples=30, deadline=None)
@given(code=st.sampled_from(sorted(TRAITS)), seed=st.integers(0, 2**31))
def test_bodies_are_as_long_as_the_species_allows(code: str, seed: int) -> None:
    traits, rng = TRAITS[code], np.random.default_rng(seed)
    length_mm = draw_length_mm(traits, rng)
    assert traits.length_mm_min <= length_mm <= traits.length_mm_max
    plan = plan_springtail(traits, length_mm, 200.0, rng)
    # Along the bent body: the head's brow to the end of the axis.
    steps = np.linalg.norm(np.diff(plan.axis.points, axis=0), axis=1)
    assert steps.sum() + plan.head_length == pytest.approx(length_mm * 200, rel=0.06)
    outline = np.concatenate([plan.trunk, plan.head])
    longest = max(np.linalg.norm(outline - point, axis=1).max() for point in outline)
    assert 0.6 * length_mm * 200 < longest < 1.12 * length_mm * 200


@pytest.mark.parametrize("code", sorted(TRAITS))
def test_every_species_paints(code: str) -> None:
    painted = [paint(f"{n}.jpg", species=[code], settings=ONE).specimens for n in range(8)]
    found = [specimen.species for specimens in painted for specimen in specimens]
    assert len(found) >= 6
    assert set(found) == {code}


def test_one_species_varies_from_pale_to_dark() -> None:
    light = {code: transmissions(code).mean(axis=1) for code in ("CER-DEN", "CER-GIB", "ISO-MIN")}
    assert light["CER-DEN"].std() > 1.5 * light["CER-GIB"].std()
    assert light["CER-DEN"].max() - light["CER-DEN"].min() > 0.25
    # Its range holds its sister species, which colour alone therefore cannot tell from it.
    assert light["CER-DEN"].min() < light["CER-GIB"].mean() < light["CER-DEN"].max()
    assert light["ISO-MIN"].min() > light["CER-GIB"].mean()


def test_colours_are_those_of_the_species() -> None:
    red, green, blue = transmissions("LEP-CYA").mean(axis=0)
    assert blue > red > green  # blue-violet
    red, green, blue = transmissions("CER-DEN").mean(axis=0)
    assert red > green > blue  # brown
    white = [transmissions(code).mean() for code in ("ISO-MIN", "MET-AFF")]
    assert abs(white[0] - white[1]) < 0.08  # both white: shape tells them apart


def test_blind_species_have_no_dark_eyes() -> None:
    darkest = {}
    for code in ("ISO-MIN", "MET-AFF", "PAR-NOT"):
        rng = np.random.default_rng(3)
        patch = paint_springtail(TRAITS[code], 1.0, 200, PLAIN, rng, 1)
        darkest[code] = float(np.exp(-patch.density.max()))
    assert darkest["PAR-NOT"] < 0.15 < min(darkest["ISO-MIN"], darkest["MET-AFF"])


# Images


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = paint(), paint(), paint(seed=2)
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.specimens == again.specimens
    assert first.pixels.tobytes() != other.pixels.tobytes()
    assert first.specimens != other.specimens
    assert first.pixels.shape == (240, 320, 3)
    assert first.pixels.dtype == np.uint8


def test_images_of_a_slide_differ_but_share_its_conditions() -> None:
    first, second = paint("a.jpg", slide="s"), paint("b.jpg", slide="s")
    assert first.specimens != second.specimens
    empty = replace(SMALL, specimens_per_image=0, other_animals_per_image=0)

    def background(image: str, slide: str, site: str) -> np.ndarray:
        return np.median(paint(image, slide, site, settings=empty).pixels, axis=(0, 1))

    same = [background(f"{n}.jpg", "s", "x") for n in range(4)]
    slides = [background("0.jpg", f"s{n}", "x") for n in range(8)]
    sites = [background("0.jpg", f"s{n}", f"x{n}") for n in range(8)]
    assert np.std(same, axis=0).max() < 2
    assert np.std(slides, axis=0).max() > 2
    assert np.std(sites, axis=0).sum() > np.std(slides, axis=0).sum()
    assert draw_conditions(slide="s", site="x", seed=1) == draw_conditions(slide="s", site="x", seed=1)


def test_boxes_are_tight_around_what_is_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without debris, noise and uneven light all that is dark is an animal and its hairs."""
    clean = replace(
        draw_conditions(slide="s", site="x", seed=1),
        light=(0.9, 0.9, 0.9),
        slope=(0.0, 0.0),
        vignette=0.0,
        medium_haze=0.0,
        noise=0.0,
        preparation=replace(PLAIN, blur_um=0.0),
    )
    monkeypatch.setattr(images_module, "draw_conditions", lambda **_: clean)
    monkeypatch.setattr(images_module, "add_debris", lambda *_: None)
    checked = 0
    for number, code in enumerate(sorted(TRAITS) * 3):
        painted = paint(f"{number}.jpg", species=[code], settings=replace(ONE, um_per_pixel=10.0))
        dark = painted.pixels.min(axis=2) < 0.9 * 255 - 8
        if not painted.specimens:
            assert not dark.any()
            continue
        (box,) = painted.specimens
        rows_, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
        # Nothing dark lies further out than the longest hair; every side touches the animal.
        reach = TRAITS[code].longest_hair_um / 10 + 2
        assert columns[0] >= box.x_min - reach
        assert columns[-1] + 1 <= box.x_max + reach
        assert rows_[0] >= box.y_min - reach
        assert rows_[-1] + 1 <= box.y_max + reach
        x_min, y_min, x_max, y_max = (round(v) for v in (box.x_min, box.y_min, box.x_max, box.y_max))
        assert dark[y_min : y_min + 3].any()
        assert dark[y_max - 3 : y_max].any()
        assert dark[:, x_min : x_min + 3].any()
        assert dark[:, x_max - 3 : x_max].any()
        checked += 1
    assert checked > 20


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), um=st.sampled_from([8.0, 20.0, 30.0]))
def test_boxes_lie_in_the_image_and_mostly_apart(seed: int, um: float) -> None:
    painted = paint(seed=seed, settings=replace(SMALL, um_per_pixel=um))
    boxes = [(s.x_min, s.y_min, s.x_max, s.y_max) for s in painted.specimens]
    for x_min, y_min, x_max, y_max in boxes:
        assert 0 <= x_min < x_max <= 320
        assert 0 <= y_min < y_max <= 240
    for n, first in enumerate(boxes):
        for second in boxes[:n]:
            assert overlap(first, second) <= 0.25


def test_animals_grow_with_the_magnification() -> None:
    sizes = {}
    for um in (20.0, 10.0):
        wide = PaintSettings(int(6400 / um), int(4800 / um), um, 5.0, 0.0)
        painted = [paint(f"{n}.jpg", settings=wide) for n in range(6)]
        boxes = [s for p in painted for s in p.specimens]
        sizes[um] = np.median([max(s.x_max - s.x_min, s.y_max - s.y_min) for s in boxes]) * um / 1000
    assert sizes[10.0] == pytest.approx(sizes[20.0], rel=0.25)
    assert 0.6 < sizes[10.0] < 2.5  # mm


def test_other_animals_are_painted_but_are_no_truth() -> None:
    others = replace(SMALL, specimens_per_image=0, other_animals_per_image=6)
    none = replace(others, other_animals_per_image=0)
    dark = [(paint(settings=s).pixels.min(axis=2) < 130).mean() for s in (others, none)]
    assert paint(settings=others).specimens == ()
    assert dark[0] > dark[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"species": ["CER-DEN", "UNKNOWN"]}, "'UNKNOWN' cannot be painted"),
        ({"species": []}, "at least one"),
        ({"settings": replace(SMALL, width=5)}, "painted.width"),
        ({"settings": replace(SMALL, um_per_pixel=0.0)}, "um_per_pixel"),
        ({"settings": replace(SMALL, specimens_per_image=-1.0)}, "below 0"),
    ],
)
def test_what_cannot_be_painted_is_refused(change: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        paint(**change)


# Studies


def test_a_study_does_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    one = study(tmp_path / "one", progress=lambda done, total: told.append((done, total)))
    two = study(tmp_path / "two", processes=2)
    assert one == two
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for row in rows(4):
        written = (tmp_path / "one" / row.image).read_bytes()
        assert written == (tmp_path / "two" / row.image).read_bytes()
        assert written != (tmp_path / "one" / "images/0.jpg").read_bytes() or row.image.endswith("/0.jpg")


def test_an_image_does_not_depend_on_the_others(tmp_path: Path) -> None:
    study(tmp_path / "all")
    study(tmp_path / "last", rows=rows(4)[3:])
    assert (tmp_path / "all/images/3.jpg").read_bytes() == (tmp_path / "last/images/3.jpg").read_bytes()


def test_the_truth_is_coco_of_the_files_written(tmp_path: Path) -> None:
    coco = study(tmp_path)
    assert [image["id"] for image in coco["images"]] == [1, 2, 3, 4]
    assert [(c["id"], c["name"]) for c in coco["categories"]] == list(enumerate(DEMO, start=1))
    assert [a["id"] for a in coco["annotations"]] == list(range(1, len(coco["annotations"]) + 1))
    for image, row in zip(coco["images"], rows(4), strict=True):
        assert (image["file_name"], image["slide"]) == (row.image, row.slide)
        with Image.open(tmp_path / image["file_name"]) as opened:
            assert opened.format == "JPEG"
            assert opened.size == (image["width"], image["height"])
    for annotation in coco["annotations"]:
        x, y, width, height = annotation["bbox"]
        assert min(x, y) >= 0
        assert x + width <= 320
        assert y + height <= 240
        assert annotation["area"] == width * height > 0
        assert annotation["iscrowd"] == 0


def test_the_demo_has_enough_animals_of_every_species() -> None:
    """More than 60 of each in the demo's images, and a few images without any."""
    with (ROOT / "config" / "images.tsv").open(encoding="utf-8", newline="") as handle:
        table = list(csv.DictReader(handle, delimiter="\t"))
    painted = [paint(r["image"], r["slide"], r["site"], 20261124).specimens for r in table]
    counts = Counter(s.species for specimens in painted for s in specimens)
    assert set(counts) == set(DEMO)
    assert min(counts.values()) > 60
    assert sum(not specimens for specimens in painted) < 0.15 * len(painted)


@pytest.mark.parametrize("name", ["../out.jpg", "/tmp/out.jpg", "images/../../out.jpg", "images/a.gif", "."])
def test_a_path_that_leaves_the_folder_or_is_no_image_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "study"
    with pytest.raises(UserError, match="Write a "):
        study(folder, rows=[ImageRow(name, "s", "x", 20.0)])
    assert not folder.exists()
    assert not (tmp_path / "out.jpg").exists()


def test_an_image_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="stands there twice"):
        study(tmp_path, rows=[rows(1)[0], rows(1)[0]])
