"""The page of a survey says what its tables say, and nothing that they do not."""

from __future__ import annotations

import re
from html import unescape

import pandas as pd
import pytest

from podura.report import survey as told
from podura.report.survey_page import counts_figure, render_survey
from survey_report_data import empty_survey, make_survey


def plain(page: str) -> str:
    """The text of a page, its figure and style aside."""
    body = re.sub(r"<(style|svg)\b.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


@pytest.fixture(scope="module")
def text() -> str:
    return plain(render_survey(make_survey()))


def test_counts_stand_with_their_intervals(text: str) -> None:
    assert "12 8 to 20 · 6 accepted" in text
    assert "13 8 to 21 · 6 accepted" in text


def test_incomplete_and_unlike_samples_are_marked_where_they_are_counted(text: str) -> None:
    assert "west ⚠ incomplete" in text
    assert "south ⚠ unlike" in text
    assert "Incomplete: west." in text
    assert "Unlike the slides of the study: south." in text
    assert "Sentence on the brightness of south." in text
    assert "Sentence on the brightness of north." not in text, "only what flags a sample is spelt out"


def test_says_who_checked_how_much_and_when(text: str) -> None:
    assert "2 detections and 1 whole image were checked by Anna and Bert, 2026-05-04 to 2026-05-06." in text
    assert "Zoe" not in text.split("Contradictions")[0], "a decision that was replaced is nobody's check"
    assert "Zoe said A, Anna said B" in text
    assert "not done" not in text


def test_says_what_more_checks_would_do(text: str) -> None:
    assert "8 of 12 intervals are as narrow as wished (50 % of the estimate" in text.replace("\u00a0", " ")
    assert text.count("Isotomiella minor 13 8 to 21 17 0") == 4


def test_without_checks_and_certificates_it_says_so() -> None:
    html = render_survey(make_survey(reviewed=False, certified=False))
    text = plain(html)
    assert "Nobody has checked anything yet" in text
    assert "No certified threshold: <i>Ceratophysella denticulata</i>, <i>Isotomiella minor</i> and " in html
    assert "accepted Isotomiella" not in text
    assert "· 6 accepted" not in text
    assert "Contradictions" not in text


def test_names_are_escaped_and_missing_values_are_dashes() -> None:
    survey = make_survey()
    samples = survey.samples.replace("north", "<script>alert(1)</script>")
    page = render_survey(make_survey(samples=samples))
    assert "<script>alert" not in page
    assert "&lt;script&gt;" in page
    rows = told.count_rows(make_survey(samples=samples))
    row = next(one for one in rows if one["sample"].startswith("<script>"))
    assert [cell["text"] for cell in row["cells"]] == ["–"] * 3


def test_an_empty_survey_has_a_page() -> None:
    text = plain(render_survey(empty_survey()))
    assert "There is no estimate whose interval could be narrowed." in text
    assert "4 samples" in text
    assert "What detections are called: there is none." in text


def test_samples_that_lack_images_reach_the_cap_or_hold_copies_are_told_as_what_they_are() -> None:
    survey = make_survey()
    images = survey.images.copy()
    at = images.set_index("image").index
    images.loc[at == "south/field 0.jpg", "capped"] = True
    images.loc[at == "north/field 2.jpg", "reason"] = "the same file as north/field 1.jpg"
    samples = survey.samples.copy()
    samples.loc[samples["sample"].isin(["south", "empty"]), "complete"] = False
    text = plain(render_survey(make_survey(images=images, samples=samples)))
    assert "Incomplete: south and west. What could not be read is not counted." in text
    assert "Images of south reach the cap on detections: animals may be missing." in text
    assert "Without any image: empty. Nothing is known of what lives there" in text
    assert "Counted twice: north/field 2.jpg (the same file as north/field 1.jpg)." in text


def test_second_boxes_on_an_animal_are_not_counted_as_animals_of_the_group() -> None:
    survey = make_survey()
    final = survey.detections.copy()
    before = told.naming(survey)
    assert "1 named to the group only" in before
    final.loc[0, "same_animal_as"] = final.loc[2, "detection"]
    after = told.naming(make_survey(detections=final))
    assert set(before) - set(after) == {"1 named to the group only"}
    assert set(after) - set(before) == {"1 further box on the same animals"}


def test_of_many_samples_it_says_what_it_leaves_out() -> None:
    survey = make_survey()
    names = [f"core {number:02}" for number in range(70)]
    samples = pd.concat([survey.samples.iloc[[0]]] * 70).assign(sample=names)
    counts = pd.concat([survey.counts.iloc[[0]]] * 70).assign(sample=names)
    drift = pd.concat([survey.drift[survey.drift["measure"] == "overall"].iloc[[0]]] * 70).assign(
        sample=names
    )
    text = plain(render_survey(make_survey(samples=samples, counts=counts, drift=drift)))
    assert "The first 40 samples: estimated animals" in text
    assert "And 10 samples more in drift.csv." in text
    assert "The first" not in plain(render_survey(survey))


def test_the_figure_shows_accepted_numbers_beyond_the_interval() -> None:
    survey = make_survey()
    counts = survey.counts.assign(accepted=90)
    figure = counts_figure(make_survey(counts=counts))
    assert all(axis.get_xlim()[1] > 90 for axis in figure.axes[:3])


def test_the_same_survey_gives_the_same_page() -> None:
    assert render_survey(make_survey()) == render_survey(make_survey())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((0.04, 0.0, 2.0), ("0.0", "0 to 2")),
        ((9.96, 8.0, 12.0), ("10", "8 to 12")),
        ((1234.5, 1000, 2000), ("1,234", "1,000 to 2,000")),
        ((None, None, None), ("–", "")),
        ((3.0, None, 4.0), ("3.0", "")),
    ],
)
def test_values_are_rounded_as_counts(value: tuple, expected: tuple[str, str]) -> None:
    cell = told.between(*value)
    assert (cell["text"], cell["note"]) == expected
