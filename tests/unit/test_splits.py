"""Splitting: whole groups, every part like the whole, no species absent that need not be."""

import time
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import SPECIES, bccd_folder, raw, raw_box, raw_image, split_frames, study
from podura import stratification, tables
from podura.annotations.dataset import image_frame, truth_frame
from podura.annotations.importing import import_dataset
from podura.annotations.names import SpeciesEntry
from podura.annotations.voc import read_voc
from podura.errors import UserError
from podura.slides.entries import ImageEntry
from podura.splits import part_images, part_truth, split_report, split_slides

FRACTIONS = {"train": 0.4, "validation": 0.15, "calibration": 0.2, "test": 0.25}
SHARES = np.array(list(FRACTIONS.values()))
NEVER = [1.0, 1.0, 1.0, 1.0]


def random_counts(n_slides, n_species, seed):
    """Long-tailed and uneven: some species are ten times rarer, some slides much richer."""
    rng = np.random.default_rng(seed)
    return rng.poisson(4 * 0.6 ** np.arange(n_species) * rng.gamma(0.7, 1.5, (n_slides, n_species)))


def split(counts, seed=1, fractions=FRACTIONS, by="slide", images_per_slide=1):
    images, truth = split_frames(counts, images_per_slide)
    return split_slides(images, truth, by=by, fractions=fractions, random_seed=seed), truth


def absences(counts, assigned, n_parts=4):
    return sum(int((counts[assigned == part].sum(axis=0) == 0).sum()) for part in range(n_parts))


@settings(deadline=None, max_examples=30)
@given(st.integers(4, 30), st.integers(1, 6), st.integers(1, 3), st.integers(0, 10**6))
def test_groups_are_whole_parts_are_not_empty_and_order_is_of_no_importance(
    n_slides, n_species, per_slide, seed
):
    images, truth = split_frames(random_counts(n_slides, n_species, seed), per_slide)
    options = {"by": "slide", "fractions": FRACTIONS, "random_seed": seed}
    result = split_slides(images, truth, **options)
    assert list(result.columns) == tables.SPLIT.names
    assert sorted(result["image"]) == sorted(images["image"])
    assert (result.groupby("slide")["part"].nunique() == 1).all()
    assert set(result["part"]) == set(tables.PARTS)
    shuffled = split_slides(
        images.sample(frac=1, random_state=1), truth.sample(frac=1, random_state=2), **options
    )
    pd.testing.assert_frame_equal(result, shuffled)


@settings(deadline=None, max_examples=40)
@given(st.integers(4, 7), st.integers(1, 5), st.integers(0, 10**6))
def test_no_species_is_absent_that_could_be_there(n_slides, n_species, seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.uniform(0.3, 2, n_species), (n_slides, n_species))
    counts = counts[:, counts.sum(axis=0) > 0]
    result, _ = split(counts)
    got = absences(counts, result["part"].map(tables.PARTS.index).to_numpy(dtype=int))
    ways = np.array([way for way in product(range(4), repeat=n_slides) if len(set(way)) == 4])
    present = np.stack([(ways == part) @ (counts > 0).astype(int) > 0 for part in range(4)])
    assert got == int((~present).sum(axis=(0, 2)).min())


@pytest.mark.parametrize("seed", range(12))
def test_the_search_finds_a_split_that_is_known_to_exist(seed):
    """Each species lies on exactly four slides, one of each part of a hidden plan."""
    rng = np.random.default_rng(seed)
    n_groups, n_species = int(rng.integers(12, 41)), int(rng.integers(3, 9))
    plan = rng.permutation(np.concatenate([np.arange(4), rng.choice(4, n_groups - 4, p=SHARES)]))
    counts = np.zeros((n_groups, n_species))
    for species in range(n_species):
        for part in range(4):
            counts[rng.choice(np.flatnonzero(plan == part)), species] = rng.integers(1, 9)
    found = stratification.stratify(counts, np.ones(n_groups, int), np.full(n_groups, -1), SHARES, NEVER, rng)
    assert absences(counts, found) == 0


def test_the_search_comes_close_to_the_best_of_all(monkeypatch):
    ratios = []
    for seed in range(12):
        counts = random_counts(8, 3, seed).astype(float)
        counts = counts[:, counts.sum(axis=0) > 0]
        fixed, n_images = np.full(8, -1), np.ones(8, int)
        problem = stratification._Problem.of(counts, n_images, SHARES, NEVER)

        def cost(problem=problem, counts=counts, fixed=fixed, n_images=n_images):
            rng = np.random.default_rng(0)
            return problem.whole_cost(stratification.stratify(counts, n_images, fixed, SHARES, NEVER, rng))

        best = cost()
        with monkeypatch.context() as patch:
            patch.setattr(stratification, "_EXHAUSTIVE_WAYS", 0)
            ratios.append(cost() / best)
    assert min(ratios) >= 1 - 1e-9
    assert np.median(ratios) < 1.001
    assert max(ratios) < 1.2


@pytest.mark.parametrize(("n_slides", "largest"), [(40, 0.06), (364, 0.005)])
def test_parts_have_their_share_of_every_species(n_slides, largest):
    counts = random_counts(n_slides, 5, seed=3)
    result, truth = split(counts, images_per_slide=2)
    report = split_report(result, truth, [f"SP-{i}" for i in range(5)], FRACTIONS)
    assert (report["share"] - report["fraction"]).abs().max() < largest
    assert report["message"].isna().all()
    slides = result.drop_duplicates("slide")["part"].value_counts(normalize=True)
    assert all(abs(slides[part] - share) < largest for part, share in FRACTIONS.items())


def test_100_000_images_of_20_000_slides_take_seconds():
    counts = np.minimum(random_counts(20_000, 10, seed=5), 5)
    images, truth = split_frames(counts, images_per_slide=5)
    begin = time.perf_counter()
    result = split_slides(images, truth, by="slide", fractions=FRACTIONS, random_seed=1)
    assert time.perf_counter() - begin < 60
    report = split_report(result, truth, [f"SP-{i}" for i in range(10)], FRACTIONS)
    assert (report["share"] - report["fraction"]).abs().max() < 0.005


def test_another_seed_gives_another_split():
    counts = random_counts(40, 5, seed=3)
    first, again, other = (split(counts, seed)[0]["part"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_whole_samples_and_sites(tmp_path):
    images, truth = split_frames(random_counts(24, 3, seed=1), 2)
    number = images["slide"].str[-4:].astype(int)
    images["sample"] = ("core " + (number // 2).astype(str)).astype("string")
    images["site"] = ("site " + (number // 4).astype(str)).astype("string")
    for by in ("sample", "site"):
        result = split_slides(images, truth, by=by, fractions=FRACTIONS, random_seed=1)
        assert (result.groupby(images[by])["part"].nunique() == 1).all()
        assert set(result["part"]) == set(tables.PARTS)
    images.loc[3, "sample"] = pd.NA
    with pytest.raises(UserError, match=r"'slide-0001_1' has no sample"):
        split_slides(images, truth, by="sample", fractions=FRACTIONS, random_seed=1)
    images.loc[3, "sample"] = "core 9"
    with pytest.raises(UserError, match="'slide-0001' stands under 2"):
        split_slides(images, truth, by="sample", fractions=FRACTIONS, random_seed=1)


def test_fixed_parts_stay_and_the_others_fill_up():
    images, truth = split_frames(np.full((40, 4), 3), 2)
    slides = images["slide"].unique()
    # The test slides are given, all ten of them; one image of a slide is enough to fix it.
    fixed = set(slides[5:15])
    images.loc[images["slide"].isin(fixed) & images["image"].str.endswith("_1"), "part"] = "test"
    result = split_slides(images, truth, by="slide", fractions=FRACTIONS, random_seed=1)
    of_slide = result.drop_duplicates("slide").set_index("slide")["part"]
    assert set(of_slide.index[of_slide == "test"]) == fixed
    assert of_slide.value_counts().to_dict() == {
        "train": 16,
        "test": 10,
        "calibration": 8,
        "validation": 6,
    }


def test_a_wholly_fixed_split_is_taken_as_it_is():
    images, truth = split_frames(random_counts(8, 2, seed=2))
    images["part"] = pd.Series(list(tables.PARTS) * 2, dtype="string")
    result = split_slides(images, truth, by="slide", fractions=FRACTIONS, random_seed=1)
    assert list(result["part"]) == list(images["part"])
    images.loc[images["part"] == "test", "part"] = "train"
    with pytest.raises(UserError, match="No slide is left for the part"):
        split_slides(images, truth, by="slide", fractions=FRACTIONS, random_seed=1)


def test_a_slide_fixed_to_two_parts_or_to_none_of_the_parts_is_refused():
    images, truth = split_frames(random_counts(8, 2, seed=2), 2)
    images.loc[0, "part"], images.loc[1, "part"] = "train", "test"
    images.loc[4, "part"] = "trian"
    with pytest.raises(UserError) as error:
        split_slides(images, truth, by="slide", fractions=FRACTIONS, random_seed=1)
    assert "'slide-0000' is fixed to test and train" in str(error.value)
    assert "'slide-0002' is fixed to the part 'trian'" in str(error.value)


@pytest.mark.parametrize(
    ("n_slides", "fractions", "words"),
    [
        (3, FRACTIONS, "has 3 slide(s), but the split needs at least one for each of the 4"),
        (8, {"train": 0.5, "test": 0.6}, "add up to 1.1"),
        (8, {"train": 0.5, "testing": 0.5}, "no part 'testing'"),
        (8, {"train": 1.5, "test": -0.5}, "between 0 and 1"),
    ],
)
def test_bad_requests_are_refused_in_plain_words(n_slides, fractions, words):
    with pytest.raises(UserError) as error:
        split(random_counts(n_slides, 2, seed=1), fractions=fractions)
    assert words in str(error.value)


def test_parts_without_a_fraction_are_left_out_and_studies_without_boxes_can_be_split():
    counts = random_counts(9, 2, seed=1)
    result, _ = split(counts, fractions={"train": 0.7, "validation": 0, "test": 0.3})
    assert set(result["part"]) == {"train", "test"}
    empty, _ = split(np.zeros((40, 2), dtype=int))
    assert empty["part"].value_counts().to_dict() == {
        "train": 16,
        "test": 10,
        "calibration": 8,
        "validation": 6,
    }


def test_the_report_tells_where_a_species_is_absent_and_rare_ones_are_learned_and_tested():
    counts = np.full((20, 3), [5, 0, 0])
    counts[[3, 11], 1] = 4
    result, truth = split(counts)
    report = split_report(result, truth, ["SP-0", "SP-1", "SP-2"], FRACTIONS)
    assert len(report) == 12
    of_rare = report[report["species"] == "SP-1"].set_index("part")
    assert of_rare["n_truth"].to_dict() == {"train": 4, "validation": 0, "calibration": 0, "test": 4}
    assert "SP-1 is absent from validation" in of_rare.loc["validation", "message"]
    assert of_rare["message"].notna().sum() == 2
    never = report[report["species"] == "SP-2"]
    assert never["share"].isna().all()
    assert never["message"].str.contains("no box in the whole study").all()
    assert report.loc[report["species"] == "SP-0", "message"].isna().all()


def test_ignored_boxes_do_not_count():
    images, truth = split_frames(np.full((20, 1), 3))
    truth["ignore"] = truth["slide"] >= "slide-0004"
    result = split_slides(images, truth, by="slide", fractions=FRACTIONS, random_seed=1)
    report = split_report(result, truth, ["SP-0"], FRACTIONS)
    assert list(report["n_slides"]) == [1, 1, 1, 1]


def test_the_truth_and_the_images_of_a_part(tmp_path):
    entries = study(tmp_path, [f"{n}.png" for n in range(8)])
    found = raw(*[raw_image(entry.image, raw_box()) for entry in entries[:-1]])
    coco = import_dataset(entries, found, SPECIES).coco
    result = split_slides(
        image_frame(coco), truth_frame(coco), by="slide", fractions=FRACTIONS, random_seed=1
    )
    paths = {entry.image: entry.path for entry in entries}
    seen = []
    for part in tables.PARTS:
        truth = part_truth(coco, result, part)
        images = part_images(coco, result, part, paths)
        assert list(images["image"]) == [image["file_name"] for image in truth["images"]]
        assert list(images["path"]) == [str(paths[name]) for name in images["image"]]
        assert set(images["width"]) == {40}
        assert truth["categories"] == coco["categories"]
        assert all(entry in coco["annotations"] for entry in truth["annotations"])
        assert set(truth_frame(truth)["image"]) <= set(images["image"])
        seen += truth["annotations"]
    assert sorted(entry["id"] for entry in seen) == [entry["id"] for entry in coco["annotations"]]


@pytest.mark.real_images
@pytest.mark.skipif(bccd_folder() is None, reason="../shared/data/bccd is absent")
def test_bccd():
    folder = bccd_folder()
    entries = [ImageEntry(path.name, path, slide=path.stem) for path in (folder / "JPEGImages").glob("*.jpg")]
    species = [SpeciesEntry(code, code) for code in ("RBC", "WBC", "Platelets")]
    coco = import_dataset(entries, read_voc(folder / "Annotations"), species).coco
    truth = truth_frame(coco)
    result = split_slides(image_frame(coco), truth, by="slide", fractions=FRACTIONS, random_seed=20261124)
    report = split_report(result, truth, ["RBC", "WBC", "Platelets"], FRACTIONS)
    assert (report["share"] - report["fraction"]).abs().max() < 0.005
