"""Tables of a survey's counts: every sample is there, and what is not known is not zero."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from podura import tables
from podura.survey.counts import KnownSlides, Survey, count
from podura.tables.review import REVIEW_DECISIONS, REVIEW_QUEUE
from simulated_reviews import decide, drawn_queue
from simulated_surveys import SPECIES, Population, draw_slides, survey_detections

SCRIPT = Path(__file__).parents[2] / "scripts" / "survey_counts.py"
NAMES = {code: f"{code.split('-')[0].title()}enus {code.split('-')[1].lower()}" for code in SPECIES}
CERTIFIED = {"A-ONE": 0.6, "B-ONE": 0.55}
RANDOM = np.random.default_rng(20261125)
KNOWN = draw_slides(Population(), 10, 2, 4, RANDOM)
NEW = draw_slides(Population(), 4, 2, 3, RANDOM, "new")
FULL = [f"new-sample{number:03d}" for number in range(4)]


def machine(drawn=NEW) -> pd.DataFrame:
    found = survey_detections(drawn).drop(columns="site")
    threshold = found["species"].map(CERTIFIED)
    found["threshold"] = threshold.astype(float)
    found["threshold_status"] = np.where(threshold.notna(), "certified", "needs_more")
    found["accepted"] = (found["score"] >= threshold).fillna(False)
    return tables.SURVEY_DETECTIONS.frame(found)


def images(drawn=NEW, failed=()) -> pd.DataFrame:
    rows = drawn.images.drop(columns="site").assign(path="", reason=None, n_detections=0, capped=False)
    rows.loc[rows["image"].isin(failed), ["status", "width", "height"]] = ["failed", None, None]
    return tables.SURVEY_IMAGES.frame(rows)


def samples(names=FULL, **more) -> pd.DataFrame:
    rows = pd.DataFrame({"sample": names, "site": "site", "n_images": 6, "n_failed": 0, "complete": True})
    return tables.SURVEY_SAMPLES.frame(rows.assign(**more).reindex(columns=tables.SURVEY_SAMPLES.names))


def known(drawn=KNOWN) -> KnownSlides:
    return KnownSlides(drawn.detections, drawn.truths, drawn.images)


def survey(**changes) -> Survey:
    found = machine()
    start = Survey(
        species=SPECIES,
        detections=found,
        final=as_final(found),
        images=images(),
        samples=samples(),
        decisions=REVIEW_DECISIONS.frame([]),
        queue=None,
        known=known(),
        certified=CERTIFIED,
        confidence=0.95,
        wished_width=0.5,
        seed=7,
    )
    return replace(start, **changes)


def as_final(found: pd.DataFrame) -> pd.DataFrame:
    final = found["species"].where(found["accepted"])
    return found.assign(final_species=final, decided_species=None, decision=None)


@pytest.fixture(scope="module")
def made():
    return count(survey(), 300)


def test_every_sample_has_every_species_within_its_interval(made):
    rows = made.counts
    assert len(rows) == len(FULL) * len(SPECIES)
    assert (rows["low"] <= rows["estimate"]).all()
    assert (rows["estimate"] <= rows["high"]).all()
    assert set(rows["method"]) == {"calibration"}
    truth = NEW.animals().stack()
    inside = [
        low <= truth[s, c] <= high for s, c, low, high in rows[["sample", "species", "low", "high"]].values
    ]
    assert np.mean(inside) >= 0.9
    tables.SURVEY_COUNTS.frame(rows)


def test_accepted_counts_exist_only_where_a_threshold_is_certified(made):
    rows = made.counts
    assert rows.loc[rows["certified"], "accepted"].notna().all()
    assert rows.loc[~rows["certified"], "accepted"].isna().all()
    found = machine()
    for sample, row in made.abundance.set_index("sample").iterrows():
        mine = found[(found["sample"] == sample) & found["accepted"]]
        assert row["A-ONE"] == (mine["species"] == "A-ONE").sum()
    assert made.abundance["C-ONE"].isna().all()
    assert made.abundance_estimated.notna().all(axis=None)
    assert list(made.abundance.columns) == ["sample", *SPECIES]


def test_the_same_survey_gives_the_same_tables(made):
    again = count(survey(), 300)
    for one, other in zip(vars(made).values(), vars(again).values(), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_a_sample_added_to_the_survey_leaves_the_others_as_they_were(made):
    fewer = count(
        survey(
            samples=samples(FULL[:2]),
            detections=machine()[lambda rows: rows["sample"].isin(FULL[:2])],
            images=images()[lambda rows: rows["sample"].isin(FULL[:2])],
        ),
        300,
    )
    both = made.counts[made.counts["sample"].isin(FULL[:2])].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        fewer.counts[["estimate", "low", "high"]], both[["estimate", "low", "high"]]
    )


def test_a_sample_without_animals_or_images_stays_in_every_table():
    empty = ["empty", "none read"]
    more = images().iloc[[0]].assign(image="blank", slide="blank", sample="empty")
    facts = samples([*FULL, *empty]).assign(complete=[True] * 5 + [False], area_cm2=25.0, mass_g=None)
    made = count(survey(samples=facts, images=pd.concat([images(), more], ignore_index=True)), 200)
    for table in (made.counts, made.densities, made.diversity, made.checks):
        assert set(empty) <= set(table["sample"])
    rows = made.counts.set_index(["sample", "species"])
    assert rows.loc[("empty", "A-ONE"), ["n_detections", "accepted", "low"]].tolist() == [0, 0, 0]
    assert rows.loc[("empty", "A-ONE"), "estimate"] < 0.01
    assert rows.loc[("empty", "A-ONE"), "high"] >= 0
    assert (
        rows.loc["none read", ["n_detections", "estimate", "low", "high", "accepted"]].isna().all(axis=None)
    )
    assert set(rows.loc["none read", "method"]) == {"none"}
    assert made.abundance["sample"].tolist()[-2:] == ["empty", "none read (incomplete)"]
    index = made.diversity.set_index(["sample", "basis", "index"])["value"]
    assert index["empty", "estimated", "richness"] == 0
    assert np.isnan(index["empty", "estimated", "shannon"])
    assert np.isnan(index["none read", "estimated", "richness"])


def test_failed_images_are_not_counted_and_mark_their_sample():
    lost = NEW.images.loc[NEW.images["sample"] == FULL[0], "image"].iloc[:2].tolist()
    found = machine()
    found = found[~found["image"].isin(lost)]
    facts = samples(complete=[False, True, True, True])
    made = count(
        survey(detections=found, final=as_final(found), images=images(failed=lost), samples=facts), 200
    )
    rows = made.counts.set_index("sample")
    assert not rows.loc[FULL[0], "sample_complete"].any()
    assert rows.loc[FULL[1], "sample_complete"].all()
    assert made.abundance["sample"].iloc[0] == f"{FULL[0]} (incomplete)"
    assert made.checks["n_images"].tolist() == [4, 6, 6, 6]


def test_without_evidence_there_is_no_estimate():
    rows = count(survey(known=None), 100).counts
    assert rows[["estimate", "low", "high"]].isna().all(axis=None)
    assert set(rows["method"]) == {"none"}
    assert rows.loc[rows["certified"], "accepted"].notna().all()


def test_a_species_that_the_annotated_slides_lack_is_corrected_as_the_others_are():
    lacking = known()
    kept = KnownSlides(
        lacking.detections[lacking.detections["truth_species"].ne("C-ONE").fillna(True)],
        lacking.truths[lacking.truths["species"] != "C-ONE"],
        lacking.images,
    )
    rows = count(survey(known=kept), 300).counts.set_index(["species", "sample"])
    assert set(rows.loc["C-ONE", "method"]) == {"pooled"}
    assert set(rows.loc["A-ONE", "method"]) == {"calibration"}
    assert np.isfinite(rows.loc["C-ONE", ["estimate", "low", "high"]].to_numpy(dtype=float)).all()


def test_densities_follow_area_volume_and_mass():
    facts = samples(area_cm2=[20.0, None, None, None], volume_cm3=[50.0, 100.0, None, 0.0], mass_g=None)
    made = count(survey(samples=facts), 200)
    rows = made.densities.merge(
        made.counts[["sample", "species", "estimate", "accepted", "high"]],
        on=["sample", "species"],
        suffixes=("", "_n"),
    )
    assert rows.groupby("sample")["per"].unique().map(sorted).to_dict() == {
        FULL[0]: ["100_cm3", "m2"],
        FULL[1]: ["100_cm3"],
    }
    per_m2 = rows[rows["per"] == "m2"]
    np.testing.assert_allclose(per_m2["estimate"], per_m2["estimate_n"] * 500)
    np.testing.assert_allclose(per_m2["high"], per_m2["high_n"] * 500)
    per_volume = rows[(rows["per"] == "100_cm3") & (rows["sample"] == FULL[1])]
    np.testing.assert_allclose(per_volume["estimate"], per_volume["estimate_n"])


def test_diversity_of_estimates_has_intervals_and_that_of_accepted_counts_has_none(made):
    rows = made.diversity.set_index("basis")
    estimated = rows.loc["estimated"]
    assert (estimated["low"] <= estimated["value"]).all()
    assert (estimated["value"] <= estimated["high"]).all()
    assert rows.loc["accepted", ["low", "high"]].isna().all(axis=None)
    tables.SURVEY_DIVERSITY.frame(made.diversity)


def reviewed_survey(checks, images_searched):
    queue = drawn_queue(NEW, checks, 10**6 if checks > 1000 else 0, images_searched, np.random.default_rng(5))
    decisions = decide(NEW, queue)
    boxes = dict.fromkeys(("x_min", "y_min", "x_max", "y_max"))
    return queue, REVIEW_DECISIONS.frame(decisions.assign(**boxes))


@pytest.mark.parametrize(
    ("checks", "searched", "method"),
    [
        (10, 4, "calibration"),
        (120, 8, "reviewed"),
        (120, 0, "reviewed_detections"),
        (10**6, 10**6, "verified"),
    ],
)
def test_enough_random_checks_carry_the_estimate(checks, searched, method):
    queue, decisions = reviewed_survey(checks, searched)
    rows = count(survey(decisions=decisions, queue=queue), 200).counts
    assert set(rows["method"]) == {method}
    assert (rows["low"] <= rows["estimate"]).all()
    if method == "verified":
        assert (rows["low"] == rows["high"]).all()
        truth = NEW.animals().stack()
        assert all(truth[s, c] == n for s, c, n in rows[["sample", "species", "estimate"]].values)
        assert (rows["more_detections"] == 0).all()
        assert (rows["more_images"] == 0).all()


def test_wished_checks_end_where_the_width_is_reached():
    queue, decisions = reviewed_survey(120, 8)
    strict = count(survey(decisions=decisions, queue=queue, wished_width=0.1), 200).counts
    easy = count(survey(decisions=decisions, queue=queue, wished_width=50.0), 200).counts
    assert (easy[["more_detections", "more_images"]] == 0).all(axis=None)
    wide = strict["high"] - strict["low"] > 0.1 * strict["estimate"].clip(lower=1)
    assert wide.mean() > 0.6
    assert (strict.loc[wide, ["more_detections", "more_images"]] > 0).any(axis=1).all()
    assert (strict.loc[~wide, "more_detections"] == 0).all()
    left = machine().groupby("sample").size()
    assert (strict["more_detections"] <= strict["sample"].map(left)).all()


def test_an_interval_that_is_wider_than_wished_always_has_a_remedy():
    """Also where nothing was found: an animal may have been missed on images that nobody has searched."""
    more = images().iloc[[0]].assign(image="blank", slide="blank", sample="empty")
    facts = samples([*FULL, "empty"])
    poor = draw_slides(Population(recall=np.full(6, 0.5)), 3, 1, 3, np.random.default_rng(3))
    made = count(
        survey(samples=facts, images=pd.concat([images(), more], ignore_index=True), known=known(poor)), 200
    ).counts
    wide = made["high"] - made["low"] > 0.5 * made["estimate"].clip(lower=1)
    assert wide[made["sample"] == "empty"].any()
    remedy = (made[["more_detections", "more_images"]] > 0).any(axis=1)
    assert (remedy == wide).all()


def written(folder: Path) -> Path:
    release = folder / "release"
    evidence = release / "evidence"
    evidence.mkdir(parents=True)
    part = {"part": "calibration"}
    found = KNOWN.detections.reindex(columns=tables.EVIDENCE_DETECTIONS.names).assign(**part)
    tables.EVIDENCE_DETECTIONS.write_parquet(found, evidence / "detections.parquet")
    truths = KNOWN.truths.reindex(columns=tables.EVIDENCE_TRUTHS.names).assign(**part)
    tables.EVIDENCE_TRUTHS.write_parquet(truths, evidence / "truths.parquet")
    pictures = KNOWN.images.reindex(columns=tables.EVIDENCE_IMAGES.names).assign(**part)
    tables.EVIDENCE_IMAGES.write_csv(pictures, evidence / "images.csv")
    (release / "species.tsv").write_text(
        "code\tname\n" + "".join(f"{code}\t{name}\n" for code, name in NAMES.items()), encoding="utf-8"
    )
    thresholds = pd.DataFrame({"species": SPECIES}).reindex(columns=tables.RELEASE_THRESHOLDS.names)
    thresholds["threshold"] = thresholds["species"].map(CERTIFIED)
    thresholds["threshold_status"] = np.where(thresholds["threshold"].notna(), "certified", "failed")
    tables.RELEASE_THRESHOLDS.write_csv(thresholds, release / "thresholds.csv")
    tables.SURVEY_DETECTIONS.write_parquet(machine(), folder / "detections.parquet")
    tables.SURVEY_IMAGES.write_csv(images(), folder / "images.csv")
    tables.SURVEY_SAMPLES.write_csv(samples(area_cm2=20.0), folder / "samples.csv")
    queue, decisions = reviewed_survey(120, 8)
    REVIEW_QUEUE.write_csv(queue, folder / "queue.csv")
    REVIEW_DECISIONS.write_csv(decisions, folder / "decisions.csv")
    return release


def run(folder: Path, release: Path, output: Path, monkeypatch, *more: str) -> None:
    settings = {
        "confidence": 0.9,
        "wished_width": 0.5,
        "ladder": {"genus": True, "group": "Collembola, undetermined", "overlap": 0.5},
    }
    arguments = ["--release", release, "--detections", folder / "detections.parquet", "--output", output]
    arguments += ["--images", folder / "images.csv", "--samples", folder / "samples.csv", "--seed", "3"]
    arguments += ["--settings", json.dumps(settings), *more]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_the_script_writes_tables_that_are_the_same_each_time(tmp_path, monkeypatch):
    release = written(tmp_path)
    review = ["--decisions", str(tmp_path / "decisions.csv"), "--queue", str(tmp_path / "queue.csv")]
    for name in ("one", "two"):
        run(tmp_path, release, tmp_path / name, monkeypatch, *review)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [
        "abundance.csv",
        "abundance_estimated.csv",
        "checks.csv",
        "counts.csv",
        "densities.csv",
        "detections.csv",
        "diversity.csv",
    ]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    final = tables.SURVEY_FINAL_DETECTIONS.read_csv(tmp_path / "one" / "detections.csv")
    decisions = REVIEW_DECISIONS.read_csv(tmp_path / "decisions.csv")
    assert len(final) == len(machine()) + decisions["action"].eq("add").sum()
    counts = tables.SURVEY_COUNTS.read_csv(tmp_path / "one" / "counts.csv")
    assert set(counts["method"]) == {"reviewed"}
    assert counts["verified"].sum() == decisions["action"].isin(["accept", "species", "add"]).sum()
    checks = tables.SURVEY_SAMPLE_CHECKS.read_csv(tmp_path / "one" / "checks.csv")
    assert set(checks.loc[checks["checked"] > 0, "reviewers"]) == {"anna"}
    # vegan reads numbers: one row a sample, one column a species.
    abundance = pd.read_csv(tmp_path / "one" / "abundance_estimated.csv", index_col=0)
    assert abundance.shape == (4, 6)
    assert abundance.dtypes.eq("float64").all()


def test_the_script_needs_no_review(tmp_path, monkeypatch):
    release = written(tmp_path)
    run(tmp_path, release, tmp_path / "out", monkeypatch)
    counts = tables.SURVEY_COUNTS.read_csv(tmp_path / "out" / "counts.csv")
    assert set(counts["method"]) == {"calibration"}
    assert (counts["reviewed"] == 0).all()
