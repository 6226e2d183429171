"""Pictures of errors show the place with what lies about it, at any edge, from any size of image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from builders import write_image
from podura.errors import UserError
from podura.report.crops import LONGEST, draw_crop, region_about, write_crops
from podura.report.overlays import MISSED, WRONG
from podura.slides.reading import open_slide
from podura.slides.views import read_view
from podura.tables import BENCHMARK_EXAMPLES, BOX_COLUMNS, TRUE_BOX_COLUMNS


def example(box=(40.0, 40.0, 60.0, 60.0), true=None, **facts):
    nothing = dict.fromkeys(BENCHMARK_EXAMPLES.names)
    given = {"model": "one", "kind": "background", "rank": 1, "image": "a.png", "slide": "a", "species": "A"}
    true = true or (None,) * 4
    boxes = {**dict(zip(BOX_COLUMNS, box, strict=True)), **dict(zip(TRUE_BOX_COLUMNS, true, strict=True))}
    return {**nothing, **given, "fold": 0, "n_runs": 1, "of_runs": 1, **boxes, **facts}


sides = st.integers(1, 3000)
shares = st.floats(0, 1)


@given(sides, sides, shares, shares, shares, shares, st.booleans())
def test_the_region_lies_in_the_image_and_holds_the_box(width, height, left, top, across, down, with_truth):
    x, y = left * (width - 0.5), top * (height - 0.5)
    box = (x, y, x + 0.5 + across * (width - x - 0.5), y + 0.5 + down * (height - y - 0.5))
    row = example(box, (0.0, 0.0, 1.0, 1.0) if with_truth else None)
    x_min, y_min, w, h = region_about(row, (width, height))
    assert x_min >= 0
    assert y_min >= 0
    assert w >= 1
    assert h >= 1
    assert x_min + w <= width
    assert y_min + h <= height
    assert x_min <= box[0]
    assert y_min <= box[1]
    assert x_min + w >= box[2] - 1e-6
    assert y_min + h >= box[3] - 1e-6


def test_the_region_has_context_and_is_no_strip():
    x_min, _, w, h = region_about(example((400.0, 400.0, 600.0, 420.0)), (1000, 1000))
    assert x_min < 300
    assert x_min + w > 700
    assert h >= 0.7 * w
    # At the corner it moves inwards and keeps its size.
    assert region_about(example((0.0, 0.0, 200.0, 20.0)), (1000, 1000))[2:] == (w, h)
    assert region_about(example((0.0, 0.0, 200.0, 20.0)), (1000, 1000))[:2] == (0, 0)


def near(picture: np.ndarray, colour: str) -> np.ndarray:
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return np.abs(picture.astype(int) - wanted).sum(axis=2) < 120


def test_detections_are_orange_and_specimens_green():
    pixels = np.full((100, 100, 3), 200, dtype=np.uint8)
    row = example((20.0, 20.0, 60.0, 60.0), (30.0, 30.0, 80.0, 80.0), kind="wrong_species")
    shown = np.asarray(Image.open(io.BytesIO(draw_crop(pixels, (0, 0, 100, 100), row))))
    assert shown.shape == (100, 100, 3)
    assert near(shown, WRONG)[18:24, 20:60].any()
    assert near(shown, MISSED)[78:83, 30:80].any()
    missed = example((20.0, 20.0, 60.0, 60.0), (20.0, 20.0, 60.0, 60.0), kind="missed")
    shown = np.asarray(Image.open(io.BytesIO(draw_crop(pixels, (0, 0, 100, 100), missed))))
    assert near(shown, MISSED).any()
    assert not near(shown, WRONG).any()


def reading(path, asked):
    with open_slide(path) as slide:
        return [read_view(slide, *region, max_side=LONGEST) for region in asked(slide.size)]


def test_every_example_has_a_picture_or_says_why(tmp_path: Path):
    large = write_image(tmp_path / "large.png", (1500, 900))
    rows = [
        example(image="a.png", rank=2),
        example(image="gone.png", rank=1),
        example((100.0, 100.0, 1400.0, 800.0), image="a.png", rank=1, kind="poor_box"),
    ]
    examples = BENCHMARK_EXAMPLES.frame(rows)
    paths = {"a.png": str(large), "gone.png": str(tmp_path / "gone.png")}
    tables = []
    for threads in (1, 3):
        folder = tmp_path / f"crops-{threads}"
        folder.mkdir()
        tables.append(write_crops(examples, paths, folder, read=reading, threads=threads))
    crops = tables[0]
    pd.testing.assert_frame_equal(*tables)
    assert crops["file"].isna().tolist() == [False, True, False]
    assert crops[["kind", "rank"]].to_numpy().tolist() == [
        ["background", 2],
        ["background", 1],
        ["poor_box", 1],
    ]
    assert str(tmp_path) not in crops["fault"].iloc[1]
    assert "gone.png" in crops["fault"].iloc[1]
    for row in crops[crops["file"].notna()].to_dict("records"):
        picture = Image.open(tmp_path / "crops-1" / row["file"])
        assert picture.size == (row["width"], row["height"])
        assert max(picture.size) <= LONGEST
    assert crops["width"].max() == LONGEST  # the large box is shown smaller
    for file in crops["file"].dropna():
        one, other = ((tmp_path / f"crops-{n}" / file).read_bytes() for n in (1, 3))
        assert one == other


def test_a_view_looks_like_its_place_in_the_whole_image(tmp_path: Path):
    pixels = np.zeros((400, 600, 3), dtype=np.uint8)
    pixels[100:200, 300:500] = (250, 10, 10)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    with open_slide(path) as slide:
        whole = read_view(slide, 290, 90, 220, 120, max_side=1000)
        assert whole.shape == (120, 220, 3)
        assert (whole == pixels[90:210, 290:510]).all()
        small = read_view(slide, 290, 90, 220, 120, max_side=110)
        assert small.shape == (60, 110, 3)
        assert small[30, 55].tolist() == [250, 10, 10]
        with pytest.raises(ValueError, match="not inside"):
            read_view(slide, 500, 0, 200, 100, max_side=50)


def test_an_unreadable_image_is_no_end(tmp_path: Path):
    def refuses(path, asked):
        raise UserError(f"{path}: is broken")

    crops = write_crops(
        BENCHMARK_EXAMPLES.frame([example()]), {"a.png": "/somewhere/a.png"}, tmp_path, read=refuses
    )
    assert crops["fault"].tolist() == ["a.png: is broken"]
    assert write_crops(BENCHMARK_EXAMPLES.frame([]), {}, tmp_path, read=refuses).empty
