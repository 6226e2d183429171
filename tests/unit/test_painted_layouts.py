"""Fields of large animals, plates of hundreds, animals that touch, and the formats of painted images."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from podura.errors import UserError
from podura.seeds import generator
from podura.slides.painting import ImageRow, PaintSettings, load_traits, paint_image, paint_study
from podura.slides.painting import layers as layers_module
from podura.slides.painting.conditions import draw_conditions
from podura.slides.painting.debris import add_debris
from podura.slides.painting.files import write_image
from podura.slides.painting.layers import DensityMap
from podura.slides.painting.preparation import Preparation
from podura.slides.painting.scene import MOST_COVERED, Scene, covered
from podura.slides.painting.settings import draw_numbers
from podura.slides.painting.springtails import draw_length_mm, paint_springtail
from podura.slides.reading import read_image

TRAITS = load_traits(Path(__file__).parents[2] / "resources" / "springtail_traits.tsv")
DEMO = ("CER-DEN", "ISO-MIN", "LEP-CYA", "MET-AFF", "PAR-NOT")
SMALL = PaintSettings(320, 240, 20.0, 7.0, 1.5)
FIELD = PaintSettings(3072, 2048, 1.4, 0.75, 0.5, single_share=0.85, max_animals=8)
PLAIN = Preparation(clearing=1.0, stain=(0.0, 0.0, 0.0), contrast=1.0, blur_um=4.0)


def paint(settings: PaintSettings, image: str = "a.jpg", seed: int = 1, species=DEMO):
    return paint_image(
        image=image, slide="s", site="x", species=species, settings=settings, traits=TRAITS, seed=seed
    )


def numbers(settings: PaintSettings, images: int = 4000) -> np.ndarray:
    drawn = [draw_numbers(settings, generator(1, "numbers", n)) for n in range(images)]
    return np.array([(specimens, others or 0) for specimens, others in drawn])


# Numbers of animals


def test_fields_show_one_animal_mostly_and_eight_at_most() -> None:
    drawn = numbers(FIELD)
    both = drawn.sum(axis=1)
    assert (both == 0).mean() == pytest.approx(0.03, abs=0.01)
    assert (both[both > 0] == 1).mean() == pytest.approx(0.85, abs=0.02)
    assert both.max() <= 8
    assert drawn[both > 0].mean(axis=0) == pytest.approx([0.75, 0.5], abs=0.04)


def test_a_limit_holds_where_means_are_above_it() -> None:
    crowded = replace(SMALL, specimens_per_image=30, other_animals_per_image=30, max_animals=4)
    others = replace(crowded, others_name="other")
    assert numbers(crowded, 200).max() == 4
    assert all(len(paint(others, f"{n}.jpg").specimens) <= 4 for n in range(6))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_share_of_empty_images_is_what_is_asked(share: float) -> None:
    drawn = numbers(replace(SMALL, empty_share=share))[:, 0]
    assert (drawn == 0).mean() == pytest.approx(share, abs=0.03)


def test_other_animals_are_marked_under_their_name_where_one_is_given() -> None:
    named = replace(SMALL, others_name="other_animal", other_animals_per_image=4)
    marked = paint(named)
    plain = paint(replace(named, others_name=None))
    assert marked.pixels.tobytes() == plain.pixels.tobytes()
    assert [s for s in marked.specimens if s.species != "other_animal"] == list(plain.specimens)
    assert len(marked.specimens) > len(plain.specimens)


def test_the_name_of_other_animals_is_no_species() -> None:
    with pytest.raises(UserError, match=r"others_name.*is a species"):
        paint(replace(SMALL, others_name="ISO-MIN"))


# Large animals


def test_large_animals_have_the_sizes_of_published_fields() -> None:
    """Median box 760 x 750 pixels, deciles 430 and 1,290: painted ones at 1.25 to 1.6 µm a pixel."""
    rng = np.random.default_rng(5)
    codes = list(TRAITS)
    chances = 1 / np.arange(1, len(codes) + 1) ** 0.7
    sides = []
    for _ in range(300):
        traits = TRAITS[codes[rng.choice(len(codes), p=chances / chances.sum())]]
        mask = paint_springtail(traits, draw_length_mm(traits, rng), 100, PLAIN, rng, 2).mask
        um_per_pixel = rng.choice([1.25, 1.4, 1.4, 1.6])
        sides.append([np.ptp(np.flatnonzero(mask.any(axis=a))) * 10 / um_per_pixel for a in (0, 1)])
    assert np.median(sides, axis=0) == pytest.approx([760, 750], rel=0.10)
    assert np.percentile(sides, [10, 90]) == pytest.approx([430, 1290], rel=0.15)


@pytest.mark.parametrize("code", sorted(TRAITS))
def test_large_animals_of_every_species_show_detail(code: str) -> None:
    """Fine structure, not only outlines: light within the body changes from pixel to pixel."""
    patches = []
    for pixels_per_mm, step in ((500.0, 1), (500.0, 2)):
        rng = np.random.default_rng(7)
        length = draw_length_mm(TRAITS[code], rng)
        patches.append(paint_springtail(TRAITS[code], length, pixels_per_mm, PLAIN, rng, step))
    fine, plain = patches
    # The same animal in the same pose, with hairs and claws added.
    assert np.count_nonzero(fine.mask) == pytest.approx(np.count_nonzero(plain.mask), rel=0.15)
    inner = [np.abs(np.diff(p.density.mean(axis=2), axis=1))[p.mask[:, 1:]].mean() for p in patches]
    assert inner[0] > 1.3 * inner[1]
    assert np.isfinite(fine.density).all()
    # Hairs stand out beyond the mask.
    outside = fine.density.mean(axis=2)[~fine.mask]
    assert (outside > 0.1).sum() > 50


def test_the_mask_of_a_large_animal_holds_what_is_dark() -> None:
    for code in sorted(TRAITS):
        rng = np.random.default_rng(11)
        patch = paint_springtail(TRAITS[code], draw_length_mm(TRAITS[code], rng), 500, PLAIN, rng, 1)
        dark = patch.density.mean(axis=2) > 0.25
        assert (dark & ~patch.mask).sum() < 0.03 * np.count_nonzero(patch.mask), code


# Animals that touch


def scene_of(touching: float, number: int, seed: int, um: float = 20.0) -> Scene:
    settings = PaintSettings(640, 480, um, 1.0, 0.0, touching=touching)
    scene = Scene(settings, PLAIN, np.random.default_rng(seed))
    for n in range(number):
        scene.add_specimen(TRAITS[DEMO[n % len(DEMO)]])
    return scene


def touching_share(scenes: list[Scene]) -> float:
    touched = placed = 0
    for scene in scenes:
        for one in scene.placed:
            others = (o for o in scene.placed if o is not one)
            touched += any(covered(one.mask, one.left, one.top, o) > 0 for o in others)
            placed += 1
    return touched / placed


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_the_asked_share_of_animals_touches_another(share: float) -> None:
    scenes = [scene_of(share, 12, seed) for seed in range(8)]
    assert touching_share(scenes) == pytest.approx(share, abs=0.10)
    assert touching_share([scene_of(0.0, 12, seed) for seed in range(8)]) < 0.12


def test_pairs_touch_as_often_as_crowds() -> None:
    assert touching_share([scene_of(0.5, 2, seed) for seed in range(40)]) == pytest.approx(0.5, abs=0.2)


def test_no_animal_hides_another() -> None:
    scene = scene_of(0.9, 15, 3)
    for n, one in enumerate(scene.placed):
        for other in scene.placed[:n]:
            assert covered(one.mask, one.left, one.top, other) <= MOST_COVERED + 1e-9


@pytest.mark.parametrize("um", [20.0, 3.5])
def test_boxes_hold_the_whole_animal_under_another(um: float) -> None:
    scene = scene_of(0.9, 12 if um > 4 else 4, 2, um)
    assert len(scene.touching) >= 2
    boxes = [box for _, box in scene.specimens]
    assert len(boxes) == len(scene.placed)
    for box, one in zip(boxes, scene.placed, strict=True):
        whole = np.zeros((3 * 480, 3 * 640), bool)
        whole[480 + one.top :, 640 + one.left :][: one.mask.shape[0], : one.mask.shape[1]] = one.mask
        inside = whole[480:960, 640:1280]
        columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
        expected = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        # Thin ends of antennae vanish from a mask that was drawn at twice the size and halved.
        assert box == pytest.approx(expected, abs=2.0 if um > 4 else 0)


# Large images


def test_a_large_image_is_the_same_picture_in_less_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(SMALL, width=700, height=500, um_per_pixel=10.0)
    whole = paint(settings)
    monkeypatch.setattr(layers_module, "LARGE_PIXELS", 1000)
    banded = paint(settings)
    assert banded.specimens == whole.specimens
    difference = banded.pixels.astype(int) - whole.pixels.astype(int)
    # Noise and clouds are drawn in another order; what lies on the slide is the same.
    assert abs(difference.mean()) < 1.0
    assert np.abs(difference).mean() < 4
    # Bands meet without a seam.
    rows = banded.pixels.mean(axis=(1, 2))
    steps = np.abs(np.diff(rows))
    seams = steps[layers_module._BAND - 1 :: layers_module._BAND]
    assert seams.max() < steps.mean() + 6 * steps.std()


def test_sixteen_bits_hold_density_to_below_a_grey_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers_module, "LARGE_PIXELS", 0)
    exact, rng = np.zeros((40, 50, 3), np.float32), np.random.default_rng(1)
    density = DensityMap(40, 50)
    for _ in range(20):
        patch = rng.uniform(-0.2, 1.0, (12, 9, 3)).astype(np.float32)
        left, top = int(rng.integers(-8, 49)), int(rng.integers(-11, 39))
        density.add(patch, left, top)
        for y in range(max(top, 0), min(top + 12, 40)):
            for x in range(max(left, 0), min(left + 9, 50)):
                exact[y, x] += patch[y - top, x - left]
    assert np.abs(np.exp(-density.rows(0, 40)) - np.exp(-exact)).max() < 1 / 255
    assert (density.rows(10, 20) == density.rows(0, 40)[10:20]).all()


def test_plates_are_dirty_in_proportion_to_their_area() -> None:
    conditions = replace(draw_conditions(slide="s", site="x", seed=1), bubbles=1.0, debris=0.2)
    dark = []
    for side in (1000, 2000):
        density = DensityMap(side, side)
        add_debris(density, conditions, 20.0, np.random.default_rng(1))
        dark.append(float((density.rows(0, side).mean(axis=2) > 0.1).sum()))
    assert dark[1] == pytest.approx(4 * dark[0], rel=0.6)


# Formats


def pixels_of(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) % 256 // 2], axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.png", "a.tif", "a.tiff"])
@pytest.mark.parametrize("size", [(240, 320), (1100, 1357)])
def test_every_format_is_read_back_and_is_the_same_each_time(tmp_path: Path, name: str, size) -> None:
    pixels = pixels_of(*size)
    digests = set()
    for folder in ("one", "two"):
        path = tmp_path / folder / name
        path.parent.mkdir()
        write_image(pixels, path, 2.0)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1
    back = read_image(path)
    assert back.shape == pixels.shape
    error = np.abs(back.astype(int) - pixels.astype(int))
    assert error.max() == 0 if name.endswith("png") else error.mean() < 5


def test_a_tiff_is_tiled_in_levels_of_half_the_size_and_tells_its_pixels(tmp_path: Path) -> None:
    write_image(pixels_of(2100, 3001), tmp_path / "plate.tif", 4.0)
    with tifffile.TiffFile(tmp_path / "plate.tif") as file:
        (page,) = file.pages
        assert page.is_tiled
        assert page.tile == (256, 256)
        assert [level.shape for level in page.pages] == [(1050, 1500, 3), (525, 750, 3)]
        across, per = page.tags["XResolution"].value
        assert page.tags["ResolutionUnit"].value == 3  # centimetres
        assert 10_000 / (across / per) == pytest.approx(4.0)
        small = np.asarray(Image.fromarray(page.asarray()).resize((750, 525), Image.Resampling.BOX))
        assert np.abs(small.astype(int) - page.pages[1].asarray()).mean() < 4


def test_a_study_of_mixed_formats_is_painted_and_marked(tmp_path: Path) -> None:
    names = ("a.jpg", "b.png", "c.tif")
    rows = [ImageRow(name, f"slide-{n}", "x", 20.0) for n, name in enumerate(names)]
    done = {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        done[processes] = paint_study(
            rows=rows,
            folder=folder,
            species=DEMO,
            species_names={},
            settings=replace(SMALL, others_name="other_animal", touching=0.4, site_effect=2.0),
            traits=TRAITS,
            seed=5,
            processes=processes,
        )
    assert done[1] == done[2]
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
    assert [c["name"] for c in done[1]["categories"]] == [*DEMO, "other_animal"]
    marked = {a["category_id"] for a in done[1]["annotations"]}
    assert len(DEMO) + 1 in marked
