"""Cross-validation: every slide is tested once, and a split with results never changes under them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import split_frames
from podura import tables
from podura.errors import UserError
from podura.splits import asked_fractions, split_folds, split_report, split_slides
from podura.splits.sealed import check_settings, read_seal, write_seal

FRACTIONS = {"train": 0.5, "validation": 0.15, "calibration": 0.2, "test": 0.15}


def frames(n_slides: int, n_species: int, seed: int, sites: int = 0):
    rng = np.random.default_rng(seed)
    images, truth = split_frames(rng.poisson(2.0, (n_slides, n_species)), images_per_slide=2)
    if sites:
        number = images["slide"].str[-4:].astype(int)
        images["site"] = ("site-" + (number % sites).astype(str)).astype("string")
    return images, truth


def folds_of(images, truth, folds=3, by="slide", others_by=None, seed=1, keep=None):
    return split_folds(
        images,
        truth,
        by=by,
        folds=folds,
        others_by=others_by or by,
        fractions=FRACTIONS,
        random_seed=seed,
        keep=keep,
    )


@settings(max_examples=25)
@given(st.integers(6, 24), st.integers(1, 5), st.integers(2, 5), st.integers(0, 10**6))
def test_every_slide_is_tested_once_and_parts_are_whole(n_slides, n_species, folds, seed):
    folds = min(folds, n_slides - 3) if n_slides - 3 >= 2 else 2
    images, truth = frames(n_slides, n_species, seed)
    split = folds_of(images, truth, folds, seed=seed)
    assert list(split.columns) == tables.SPLIT.names
    tested = split[split["part"] == "test"]
    assert sorted(tested["image"]) == sorted(images["image"])
    assert set(split["fold"]) == set(range(1, folds + 1))
    for _, of_fold in split.groupby("fold"):
        assert sorted(of_fold["image"]) == sorted(images["image"])
        assert (of_fold.groupby("slide")["part"].nunique() == 1).all()
        assert set(of_fold["part"]) == set(tables.PARTS)
    shuffled = folds_of(
        images.sample(frac=1, random_state=3), truth.sample(frac=1, random_state=4), folds, seed=seed
    )
    pd.testing.assert_frame_equal(split, shuffled)


def test_folds_are_stratified():
    """Of a species on six slides every one of six folds tests one."""
    counts = np.zeros((24, 3), dtype=int)
    counts[:, 0] = 5
    counts[::4, 1] = 3
    counts[2::4, 2] = 2
    images, truth = split_frames(counts)
    split = folds_of(images, truth, folds=6)
    report = split_report(split, truth, ["SP-0", "SP-1", "SP-2"], asked_fractions(FRACTIONS, 6))
    assert (report["n_truth"] > 0).all()
    tests = report[report["part"] == "test"]
    assert (tests.loc[tests["species"] == "SP-1", "n_slides"] == 1).all()
    assert report["message"].isna().all()


def test_another_seed_gives_other_folds():
    images, truth = frames(20, 3, 5)
    one, other = folds_of(images, truth, seed=1), folds_of(images, truth, seed=2)
    assert not one.equals(other)


def test_leave_one_site_out_tests_each_site_by_models_that_never_saw_it():
    images, truth = frames(16, 3, 2, sites=4)
    split = folds_of(images, truth, folds="each", by="site", others_by="slide")
    site_of = images.set_index("image")["site"]
    assert set(split["fold"]) == {1, 2, 3, 4}
    for _, of_fold in split.groupby("fold"):
        sites = {part: set(site_of[here["image"]]) for part, here in of_fold.groupby("part")}
        assert len(sites["test"]) == 1
        for part in ("train", "validation", "calibration"):
            assert not sites[part] & sites["test"]


def test_too_few_sites_for_the_other_parts_are_refused_with_a_remedy():
    images, truth = frames(12, 2, 2, sites=3)
    with pytest.raises(UserError, match=r"Fold 1.*others_by: slide"):
        folds_of(images, truth, folds="each", by="site")


def test_more_folds_than_slides_are_refused():
    images, truth = frames(5, 2, 2)
    with pytest.raises(UserError, match=r"5 slide.*too few for 9 folds"):
        folds_of(images, truth, folds=9)


def test_a_fixed_part_and_folds_exclude_each_other():
    images, truth = frames(8, 2, 2)
    images.loc[0, "part"] = "test"
    with pytest.raises(UserError, match="folds: null"):
        folds_of(images, truth)


def test_the_report_tells_of_an_absence_in_its_fold():
    counts = np.array([[3, 0]] * 9 + [[3, 1]])
    images, truth = split_frames(counts)
    report = split_report(
        folds_of(images, truth, folds=2), truth, ["SP-0", "SP-1"], asked_fractions(FRACTIONS, 2)
    )
    absent = report[report["message"].notna()]
    assert set(absent["species"]) == {"SP-1"}
    assert len(absent) == 6  # one slide plays one part of four, in each of two folds
    assert absent["message"].str.contains("of fold [12]: the study has it on 1 slide", regex=True).all()


def test_asked_fractions_add_up():
    assert asked_fractions(FRACTIONS, 0) == FRACTIONS
    asked = asked_fractions(FRACTIONS, 5)
    assert asked["test"] == pytest.approx(0.2)
    assert sum(asked.values()) == pytest.approx(1)
    assert asked["train"] / asked["calibration"] == pytest.approx(2.5)


# --- a split that has results -------------------------------------------------------------------


def with_other_counts(truth: pd.DataFrame) -> pd.DataFrame:
    """The truth after an expert has gone over it: a third of the boxes gone, others doubled."""
    return pd.concat([truth.iloc[::3], truth.iloc[1::3], truth.iloc[1::3]], ignore_index=True)


@pytest.mark.parametrize("folds", [None, 3, "each"])
def test_mended_annotations_and_new_slides_move_no_slide(folds):
    images, truth = frames(12, 3, 7)
    options = {"by": "slide", "fractions": FRACTIONS, "random_seed": 4}
    if folds is not None:
        options |= {"folds": folds, "others_by": "slide"}
    make = split_slides if folds is None else split_folds
    first = make(images, truth, **options)
    mended = make(images, with_other_counts(truth), keep=first, **options)
    pd.testing.assert_frame_equal(first, mended)

    more_images, more_truth = frames(15, 3, 7)
    grown = make(more_images, more_truth, keep=first, **options)
    both = grown.merge(first, on=["image", "fold"], suffixes=("", "_before"))
    assert len(both) == len(first)
    assert (both["part"] == both["part_before"]).all()
    assert (grown.groupby(["fold", "slide"])["part"].nunique() == 1).all()
    if folds is not None:
        assert sorted(grown.loc[grown["part"] == "test", "image"]) == sorted(more_images["image"])


def test_a_fixed_part_that_contradicts_the_results_is_refused():
    images, truth = frames(12, 2, 7)
    options = {"by": "slide", "fractions": FRACTIONS, "random_seed": 4}
    first = split_slides(images, truth, **options)
    slide = first.loc[first["part"] == "train", "slide"].iloc[0]
    images["part"] = images["part"].mask(images["slide"] == slide, "test")
    with pytest.raises(UserError, match=f"'{slide}' is fixed to test, but .* in train"):
        split_slides(images, truth, keep=first, **options)


def test_slides_that_are_joined_across_parts_are_refused():
    images, truth = frames(12, 2, 7)
    options = {"by": "slide", "fractions": FRACTIONS, "random_seed": 4}
    first = split_slides(images, truth, **options)
    one = first.loc[first["part"] == "train", "slide"].iloc[0]
    other = first.loc[first["part"] == "test", "slide"].iloc[0]
    images["slide"] = images["slide"].replace(other, one)
    with pytest.raises(UserError, match=f"'{one}' holds images"):
        split_slides(images, truth, keep=first, **options)


@pytest.fixture
def sealed(tmp_path):
    split = tables.SPLIT.frame([{"image": "a.png", "slide": "a", "part": "test", "fold": 0}])
    write_seal(tmp_path, {"by": "slide", "folds": None, "random_seed": 1}, split)
    return tmp_path


def test_without_results_any_split_may_follow(sealed):
    assert read_seal(sealed) is None
    check_settings(sealed, {"by": "site", "folds": 5, "random_seed": 2})


@pytest.mark.parametrize(
    "place", ["seed-1/weights.safetensors", "fold-2/seed-1/.checkpoint/state.safetensors"]
)
def test_with_results_other_settings_are_refused_by_name(sealed, place):
    file = sealed / "models/m" / place
    file.parent.mkdir(parents=True)
    file.touch()
    assert read_seal(sealed).split["part"].tolist() == ["test"]
    check_settings(sealed, {"by": "slide", "folds": None, "random_seed": 1})
    with pytest.raises(UserError, match=r"random_seed was 1 and is 2.*another name"):
        check_settings(sealed, {"by": "slide", "folds": None, "random_seed": 2})
