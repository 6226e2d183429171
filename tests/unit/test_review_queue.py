"""The queue of a review: a random part with known probabilities, then what a check is worth most."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import review_data
from podura.configuration.surveys import ReviewSettings
from podura.survey.queue import (
    chance_right,
    even_shares,
    inclusion_probabilities,
    permanent_numbers,
    review_queue,
)

IMAGES = review_data.survey_images(per_sample=10)
DETECTIONS = review_data.survey_detections(IMAGES, per_image=12)


def queue(
    amounts: ReviewSettings, seed: int = 3, detections: pd.DataFrame = DETECTIONS, **more
) -> pd.DataFrame:
    return review_queue(detections, IMAGES, amounts, seed, **more)


def ids(frame: pd.DataFrame, reason: str) -> set[str]:
    return set(frame.loc[frame["reason"] == reason, "detection"])


def test_the_random_part_comes_first_then_images_then_targeted_ones_each_once() -> None:
    made = queue(ReviewSettings(60, 30, 6))
    assert made["position"].tolist() == list(range(1, len(made) + 1))
    order = ["random", "image", "targeted"]
    kinds = [one if one in order else "targeted" for one in made["reason"]]
    assert kinds == sorted(kinds, key=order.index)
    assert not made["detection"].dropna().duplicated().any()
    assert (made["reason"] == "image").sum() == 6
    assert kinds.count("targeted") == 30
    assert made.loc[made["reason"].isin(["uncertain", "rare"]), "probability"].isna().all()
    assert made.loc[made["reason"].isin(["random", "image"]), "probability"].between(0, 1).all()


def test_the_order_of_rows_changes_nothing_and_the_seed_everything() -> None:
    shuffled = DETECTIONS.sample(frac=1, random_state=1)
    first = queue(ReviewSettings(60, 30, 6))
    pd.testing.assert_frame_equal(first, queue(ReviewSettings(60, 30, 6), detections=shuffled))
    assert ids(first, "random") != ids(queue(ReviewSettings(60, 30, 6), seed=4), "random")


def test_probabilities_are_those_with_which_detections_really_come() -> None:
    """Over many seeds each detection is drawn as often as its probability says (Poisson sampling)."""
    repeats, amounts = 120, ReviewSettings(60, 0, 0)
    drawn: dict[str, int] = {}
    told: dict[str, float] = {}
    sizes = []
    for seed in range(repeats):
        made = queue(amounts, seed=seed)
        sizes.append(len(made))
        for name, chance in zip(made["detection"], made["probability"], strict=True):
            drawn[name] = drawn.get(name, 0) + 1
            assert told.setdefault(name, chance) == chance
    assert np.mean(sizes) == pytest.approx(60, abs=3 * np.sqrt(60 / repeats) * 3)
    names = sorted(told)
    chance = np.array([told[name] for name in names])
    share = np.array([drawn[name] for name in names]) / repeats
    z = (share - chance) / np.sqrt(chance * (1 - chance) / repeats)
    assert np.abs(z).max() < 5
    assert abs(z.mean()) < 0.3


def test_a_total_estimated_from_the_random_part_is_unbiased_whatever_the_detector_does() -> None:
    """Horvitz-Thompson with the queue's probabilities, on answers that contradict the scores."""
    wrong = DETECTIONS.assign(right=DETECTIONS["score"] < 0.5).set_index("detection")["right"]
    estimates = []
    for seed in range(100):
        made = queue(ReviewSettings(80, 0, 0), seed=seed)
        estimates.append((wrong[made["detection"]].to_numpy() / made["probability"].to_numpy()).sum())
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(wrong.sum(), abs=4 * error)


def test_more_checks_keep_those_drawn_before_and_new_images_leave_most() -> None:
    few, many = ids(queue(ReviewSettings(40, 0, 0)), "random"), ids(queue(ReviewSettings(90, 0, 0)), "random")
    assert few < many
    rest = DETECTIONS[DETECTIONS["image"] != "west/field 9.jpg"]
    before = ids(queue(ReviewSettings(60, 0, 0), detections=rest), "random")
    after = ids(queue(ReviewSettings(60, 0, 0)), "random")
    assert len(before & after) > 0.8 * len(before)


def test_whoever_stops_early_has_checked_a_random_part_of_proportional_probabilities() -> None:
    """The first k of the order are those with number / probability below a bound, for any k."""
    made = queue(ReviewSettings(80, 0, 0))
    numbers = permanent_numbers(3, "review detection", made["detection"])
    ratio = numbers / made["probability"].to_numpy()
    assert (np.diff(ratio) >= 0).all()
    assert ratio.max() < 1


def test_every_sample_and_species_gets_checks_and_small_ones_relatively_more() -> None:
    made = queue(ReviewSettings(90, 0, 0))
    there = DETECTIONS.groupby(["sample", "species"]).size()
    checked = made.groupby(["sample", "species"])["probability"].size().reindex(there.index, fill_value=0)
    rare = there.index.get_level_values("species") == "LEP-LAN"
    assert (checked[~rare] > 0).all()
    share = made.groupby("species")["probability"].mean()
    assert share["LEP-LAN"] > 2 * share["CER-DEN"]


def test_images_are_drawn_evenly_over_samples_and_failed_ones_never() -> None:
    images = IMAGES.copy()
    images.loc[images["image"] == "west/field 0.jpg", "status"] = "failed"
    seen: dict[str, int] = {}
    for seed in range(60):
        made = review_queue(DETECTIONS, images, ReviewSettings(0, 0, 7), seed)
        assert sorted(made.groupby("sample").size().tolist()) == [2, 2, 3]
        west = made[made["sample"] == "west"]
        assert (west["probability"] == len(west) / 9).all()
        for name in made["image"]:
            seen[name] = seen.get(name, 0) + 1
    assert "west/field 0.jpg" not in seen
    assert len(seen) == 29
    expected = 60 * 2 / 9
    assert abs(seen["west/field 3.jpg"] - expected) < 5 * np.sqrt(expected)


def test_fewer_images_than_samples_are_drawn_from_samples_at_random() -> None:
    counts: dict[str, int] = {}
    for seed in range(90):
        made = review_queue(DETECTIONS, IMAGES, ReviewSettings(0, 0, 2), seed)
        assert made["probability"].tolist() == [pytest.approx(2 / 3 / 10)] * 2
        for sample in made["sample"]:
            counts[sample] = counts.get(sample, 0) + 1
    assert all(abs(count - 60) < 23 for count in counts.values())


def test_evidence_turns_scores_into_chances_that_never_fall_with_the_score() -> None:
    draw = np.random.default_rng(0)
    scores = draw.uniform(0, 1, 4000)
    right = draw.uniform(0, 1, 4000) < 0.3 + 0.6 * (scores > 0.5)
    evidence = pd.DataFrame(
        {"species": "ISO-MIN", "score": scores, "truth_species": np.where(right, "ISO-MIN", None)}
    )
    chance = chance_right(DETECTIONS, evidence)
    of_species = (DETECTIONS["species"] == "ISO-MIN").to_numpy()
    order = np.argsort(DETECTIONS["score"].to_numpy()[of_species])
    assert (np.diff(chance[of_species][order]) >= 0).all()
    low = (DETECTIONS["score"] < 0.45).to_numpy()
    high = (DETECTIONS["score"] > 0.55).to_numpy()
    assert chance[low].mean() == pytest.approx(0.3, abs=0.05)
    assert chance[high].mean() == pytest.approx(0.9, abs=0.05)
    # A species without evidence of its own takes that of all.
    assert chance[~of_species & high].mean() == pytest.approx(0.9, abs=0.05)


def box_row(name: str, species: str, score: float, x: float, sample: str = "north") -> dict:
    return {
        "detection": name, "image": f"{sample}/field 0.jpg", "slide": "s", "sample": sample,
        "species": species, "score": score, "x_min": x, "y_min": 10.0, "x_max": x + 40, "y_max": 60.0,
        "threshold": 0.6, "threshold_status": "certified", "accepted": score >= 0.6,
    }  # fmt: skip


def test_rare_conflicting_and_doubtful_detections_go_before_sure_and_common_ones() -> None:
    rows = [box_row(f"common-{i}", "CER-DEN", 0.97, 60.0 * i) for i in range(12)]
    rows += [box_row("doubtful", "CER-DEN", 0.6, 800.0)]
    rows += [box_row("only", "LEP-LAN", 0.55, 740.0, sample="south")]
    rows += [
        box_row("conflict-a", "CER-DEN", 0.95, 300.0, "west"),
        box_row("conflict-b", "ISO-MIN", 0.93, 303.0, "west"),
    ]
    rows += [box_row("sure", "ISO-MIN", 0.97, 600.0, "west")]
    made = review_queue(pd.DataFrame(rows), IMAGES, ReviewSettings(0, 20, 0), 1)
    names = made["detection"].tolist()
    assert names[0] == "only"
    assert made["reason"].iloc[0] == "rare"
    assert set(names[1:3]) == {"conflict-a", "conflict-b"}
    assert names.index("doubtful") < min(names.index(f"common-{i}") for i in range(12))
    assert made.loc[made["detection"] == "doubtful", "reason"].item() == "uncertain"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60), st.integers(0, 70))
def test_inclusion_probabilities_sum_to_what_was_asked_for(weights: list[float], expected: int) -> None:
    found = inclusion_probabilities(np.array(weights), expected)
    assert (found <= 1).all()
    if expected >= len(weights):
        assert (found == 1).all()
    else:
        assert found.sum() == pytest.approx(expected, rel=1e-6, abs=1e-9)
        free = found < 1
        ratio = found[free] / np.array(weights)[free]
        assert expected == 0 or np.allclose(ratio, ratio[:1])


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=20), st.integers(0, 200))
def test_shares_are_even_and_within_what_there_is(sizes: list[int], wanted: int) -> None:
    taken = even_shares(np.array(sizes), wanted)
    assert taken.sum() == min(wanted, sum(sizes))
    assert (taken <= sizes).all()
    unfilled = taken[taken < np.array(sizes)]
    if len(unfilled):
        assert taken.max() <= unfilled.min() + 1


@pytest.mark.parametrize("amounts", [ReviewSettings(0, 0, 0), ReviewSettings(5, 5, 5)])
def test_an_empty_survey_has_an_empty_queue(amounts: ReviewSettings) -> None:
    made = review_queue(DETECTIONS.iloc[:0], IMAGES.iloc[:0], amounts, 1)
    assert made.empty
    everything = queue(ReviewSettings(10**6, 10**6, 10**6))
    assert len(everything) == len(DETECTIONS) + len(IMAGES)
    assert (everything["probability"] == 1).all()
