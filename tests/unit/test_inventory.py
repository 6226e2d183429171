"""Counts by slide and site add up, show absences as zeros, and keep what is not told apart from zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataset_data import SPECIES, coco_of, rows, split_of
from podura.inventory import site_counts, size_table, slide_counts, specimen_sizes

CODES = [one["code"] for one in SPECIES]
COCO = coco_of(rows())


def test_every_slide_has_a_row_for_every_species_and_zeros_are_written():
    table = slide_counts(COCO, split_of(COCO), CODES)
    assert len(table) == 10 * len(CODES)
    assert not table[["n_images_all", "n_images", "n_truth", "n_ignored"]].isna().any(axis=None)
    folsomia = table[table["species"] == "FOL-SP"].set_index("slide")
    assert folsomia.loc["slide 03", ["n_images", "n_truth"]].tolist() == [1, 1]
    assert folsomia.drop("slide 03")["n_truth"].eq(0).all()
    assert table[table["species"] == "MAS"]["n_truth"].eq(0).all()


def test_ignored_specimens_are_counted_apart():
    table = slide_counts(COCO, split_of(COCO), CODES).set_index(["slide", "species"])
    assert table.loc[("slide 00", "ISO-MIN"), ["n_truth", "n_ignored"]].tolist() == [2, 2]


def test_a_slide_tells_its_sample_site_and_part():
    table = slide_counts(COCO, split_of(COCO), CODES).drop_duplicates("slide").set_index("slide")
    assert table.loc["slide 01", ["sample", "site", "part"]].tolist() == ["core 0", "hedge", "validation"]
    folds = slide_counts(COCO, split_of(COCO, folds=3), CODES).drop_duplicates("slide").set_index("slide")
    assert folds.loc["slide 00", "part"] == "validation|calibration|test"


def test_sites_count_their_slides_and_show_what_is_absent_from_one():
    table = site_counts(COCO, CODES).set_index(["site", "species"])
    columns = ["n_slides_all", "n_images_all", "n_slides", "n_images", "n_truth"]
    assert table.loc[("meadow", "ISO-MIN"), columns].tolist() == [5, 10, 5, 9, 9]
    assert table.loc[("hedge", "ISO-MIN"), "n_truth"] == 0


def test_without_any_site_the_table_is_empty_and_an_image_without_one_stands_last():
    plain = [(*row[:3], None, *row[4:]) for row in rows()]
    assert site_counts(coco_of(plain), CODES).empty
    some = site_counts(coco_of([plain[0], *rows()[2:]]), CODES)
    assert some["site"].isna().tolist()[-len(CODES) :] == [True] * len(CODES)
    assert some["site"].notna().sum() == 2 * len(CODES)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.booleans()), max_size=30))
def test_counts_by_slide_and_by_site_add_up_to_the_boxes(found):
    images = [(f"i{slide}", f"s{slide}", None, "ab"[slide % 2], None, []) for slide in range(4)]
    for slide, species, ignore in found:
        images[slide][5].append((CODES[species], 1.0, 1.0, 5.0, 5.0, ignore))
    coco = coco_of(images)
    expected = pd.Series([CODES[species] for _, species, ignore in found if not ignore]).value_counts()
    for table in (slide_counts(coco, split_of(coco), CODES), site_counts(coco, CODES)):
        totals = table.groupby("species")["n_truth"].sum()
        assert totals[totals > 0].to_dict() == expected.to_dict()
        assert table["n_ignored"].sum() == sum(ignore for *_, ignore in found)
        assert (table["n_images"] <= table["n_images_all"]).all()


def test_sizes_are_in_pixels_in_micrometres_where_they_are_known_and_as_a_share():
    images = rows(2)
    images[0] = (*images[0][:4], None, *images[0][5:])
    table = size_table(specimen_sizes(coco_of(images)), CODES).set_index(["species", "measure", "unit"])
    pixels = table.loc[("CER-DEN", "longer_side", "px")]
    assert (pixels["n"], pixels["median"], pixels["max"]) == (4, 60, 60)
    micrometres = table.loc[("CER-DEN", "longer_side", "µm")]
    assert (micrometres["n"], micrometres["median"]) == (3, 150)
    assert table.loc[("CER-DEN", "height", "px"), "median"] == 40
    assert table.loc[("CER-DEN", "longer_side", "share"), "median"] == pytest.approx(60 / 320)


def test_a_species_without_a_specimen_has_no_sizes_rather_than_zeros():
    table = size_table(specimen_sizes(COCO), CODES)
    absent = table[table["species"] == "MAS"]
    assert absent["n"].eq(0).all()
    assert absent[["min", "q05", "q25", "median", "q75", "q95", "max"]].isna().all(axis=None)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1, 1000), min_size=1, max_size=20))
def test_quantiles_are_ordered_and_those_of_numpy(widths):
    boxes = [("CER-DEN", 0.0, 0.0, width, 1.0, False) for width in widths]
    table = size_table(specimen_sizes(coco_of([("i", "s", None, None, None, boxes)])), CODES)
    row = table.iloc[0][["min", "q05", "q25", "median", "q75", "q95", "max"]].to_numpy(dtype=float)
    assert (np.diff(row) >= 0).all()
    assert row == pytest.approx(np.quantile(widths, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]), abs=1e-5)
