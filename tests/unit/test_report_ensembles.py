"""Ensembles in the report: what they fuse, what that is worth, and no spread where there is none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd
import pytest

from podura import tables
from podura.report import summary, wording
from podura.report.ensembles import ensemble_sentences
from podura.report.figures import draw_figures
from podura.report.page import render_report
from podura.report.results import Results
from report_data import make_results


def with_ensemble(members: list[str], seeds: str, value: float, **facts: Any) -> Results:
    """The made-up study with the model ``fused`` beside its detectors, of the same AP for every species."""
    results = make_results()
    species = results.species_table
    for model, of_model in (("fasterrcnn_lite0", 0.44), ("yolov5n", 0.47)):
        for seed, moved in ((1, -0.02), (2, 0.02)):
            rows = (species["model"] == model) & (species["seed"] == seed) & species["ap50_95"].notna()
            species.loc[rows, "ap50_95"] = of_model + moved
    runs = {"all": [(0, 1)], "each": [(1, 1), (2, 2)]}[seeds]
    copies = [
        species[(species["model"] == "yolov5n") & (species["seed"] == like)].assign(model="fused", seed=seed)
        for seed, like in runs
    ]
    added = pd.concat(copies)
    added.loc[added["ap50_95"].notna(), "ap50_95"] = value
    models = results.models_table
    models.loc[models["model"] == "fasterrcnn_lite0", ["map50_95", "rank"]] = [0.44, 3]
    models.loc[models["model"] == "yolov5n", ["map50_95", "rank"]] = [0.47, 2]
    row = models[models["model"] == "yolov5n"].assign(
        model="fused", label="Fused", framework="ensemble", rank=1, map50_95=value, n_seeds=len(runs), **facts
    )
    if len(runs) == 1:
        row = row.assign(map50_seed_sd=None, map50_95_seed_sd=None)
    scores = [
        {**score, "model": "fused", "seed": seed}
        for seed, like in runs
        for score in results.scores
        if score["model"] == "yolov5n" and score["seed"] == like
    ]
    return dataclasses.replace(
        results,
        species_table=tables.BENCHMARK_SPECIES.frame(pd.concat([species, added])),
        models_table=tables.BENCHMARK_MODELS.frame(pd.concat([models, row])),
        scores=[*results.scores, *scores],
        ensembles={"fused": {"members": members, "seeds": seeds}},
    )


@pytest.mark.parametrize(
    ("members", "seeds", "told"),
    [
        (
            ["yolov5n"],
            "all",
            "Fused fuses all 2 seeds of YOLOv5n (anchor-free head): mean AP50:95 0.51, against 0.47 (0.45 to "
            "0.49) of single runs.",
        ),
        (
            ["yolov5n", "fasterrcnn_lite0"],
            "all",
            "Fused fuses all 2 seeds of YOLOv5n (anchor-free head) and Faster R-CNN Lite0: mean AP50:95 "
            "0.51, against 0.47 (0.45 to 0.49) of YOLOv5n (anchor-free head) alone and 0.44 (0.42 to 0.46) "
            "of Faster R-CNN Lite0 alone.",
        ),
        (
            ["fasterrcnn_lite0", "yolov5n"],
            "each",
            "Fused fuses Faster R-CNN Lite0 and YOLOv5n (anchor-free head), seed by seed: mean AP50:95 0.51 "
            "(0.51 to 0.51), against 0.44 (0.42 to 0.46) of Faster R-CNN Lite0 alone and 0.47 (0.45 to 0.49) "
            "of YOLOv5n (anchor-free head) alone.",
        ),
    ],
)
def test_a_sentence_says_what_fusing_is_worth_in_the_tables_numbers(members, seeds, told):
    results = with_ensemble(members, seeds, 0.51)
    assert ensemble_sentences(results) == [told]


def test_the_page_shows_a_run_of_all_seeds_as_such():
    results = with_ensemble(["yolov5n"], "all", 0.51)
    page = render_report(results)
    assert "What fusing is worth" in page
    assert '<td data-value="0">all</td>' in page
    (row,) = [row for row in summary.ranking_rows(results) if row["label"] == "Fused"]
    assert row["map50_95_seeds"] == wording.MISSING
    assert row["n_seeds"] == "1"
    assert summary.facts(results).startswith("2 detectors, 2 seeds each, 1 ensemble, 5 species")
    assert "all seeds fused, so there is no spread over them" in wording.verdict(results)[0]


def test_figures_are_drawn_of_models_with_unlike_numbers_of_seeds():
    figures = draw_figures(with_ensemble(["yolov5n"], "all", 0.51))
    labels = [text.get_text() for text in figures["map_by_model"].axes[0].get_yticklabels()]
    assert "Fused" in labels
    titles = [axis.get_title(loc="left") for axis in figures["learning_curves"].axes if axis.get_visible()]
    assert not any("Fused" in title for title in titles)


def test_without_ensembles_the_page_says_nothing_of_them():
    page = render_report(make_results())
    assert "What fusing is worth" not in page
    assert "No ensemble" in page or "would reach" in page
    assert "Fused" not in page
