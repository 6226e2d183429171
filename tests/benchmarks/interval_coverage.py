"""How often the intervals that Podura prints hold the truth, in simulated studies whose truth is known.

    PYTHONPATH=scripts python tests/benchmarks/interval_coverage.py [--repeats 1000] [--output FOLDER]

A study has slides that differ in how hard they are (standard deviation ``sigma`` on the logit of recall; on
precision likewise), animals that differ as well, two models and three seeds of each. The truth of a figure is
its value over a hundred thousand slides and many seeds. For each setting and figure the table gives the share
of studies whose 95 % interval holds the truth, how often it lies above or below, and the mean width; beside
it what the plain percentile interval of the same resamples reaches.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray
from study_page import renew

from podura.evaluation.average_precision import RECALL_POINTS
from podura.evaluation.benchmark import mean_interval
from podura.evaluation.comparison import ComparisonSettings, comparisons_table
from podura.evaluation.draws import Draws, over_seeds, variances_of_seeds
from podura.evaluation.intervals import effective_slides, f1_interval, logit_interval, proportion_interval
from podura.evaluation.kernels import resampled_average_precisions
from podura.evaluation.scoring import ScoreSettings

PAGE = Path(__file__).resolve().parents[2] / "resources" / "intervals" / "README.md"
CONFIDENCE = 0.95
THRESHOLD = 1.0
SPECIES = ("A", "B")
MODELS = ("one", "other")
RESAMPLES = 500


@dataclass(frozen=True)
class Setting:
    """slides; animals: mean on a slide of each species; sigma: how much slides differ; n_seeds."""

    slides: int
    animals: float
    sigma: float
    n_seeds: int = 3

    @property
    def name(self) -> str:
        seeds = "" if self.n_seeds == 3 else f", {self.n_seeds} seeds"
        return f"{self.slides} slides, {self.animals:g} animals, sigma {self.sigma:g}{seeds}"


SETTINGS = [
    Setting(8, 20, 0.8),
    *(
        Setting(n, animals, sigma)
        for n in (15, 30, 60)
        for animals, sigma in ((20, 0.4), (20, 0.8), (4, 0.8))
    ),
    Setting(30, 4, 1.2),
    Setting(30, 20, 0.0),
    Setting(20, 20, 0.8, n_seeds=5),
    Setting(20, 20, 0.8, n_seeds=2),
]


@dataclass(frozen=True)
class Run:
    """One species in one run: slides and outcome (1 right, 0 wrong) of detections, best score first."""

    slide: NDArray[np.int64]
    outcome: NDArray[np.int8]
    scores: NDArray[np.float64]

    def average_precisions(
        self, truths: NDArray[np.int64], weights: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        return resampled_average_precisions(
            self.slide, self.outcome[None], weights @ truths, weights.astype(np.int32), RECALL_POINTS
        )[:, 0]

    def accepted(self, n_slides: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Right and all detections at or above the threshold, by slide."""
        above = self.scores >= THRESHOLD
        right = np.bincount(self.slide[above & (self.outcome == 1)], minlength=n_slides)
        return right, np.bincount(self.slide[above], minlength=n_slides)


def simulated(
    generator: Generator, setting: Setting, n_slides: int, n_seeds: int, seed_spread: float = 0.1
) -> tuple[list[NDArray[np.int64]], dict[str, list[list[Run]]]]:
    """Truths of each species by slide, and runs[model][seed][species]."""
    hardness = generator.normal(0, setting.sigma, n_slides)
    truths, ease = [], []
    for _ in SPECIES:
        rate = setting.animals * generator.gamma(2, 0.5, n_slides)
        truths.append(generator.poisson(rate))
        ease.append(generator.normal(0, 1, truths[-1].sum()))
    runs: dict[str, list[list[Run]]] = {}
    for better, model in enumerate(MODELS):
        of_slide = hardness + generator.normal(0, setting.sigma / 3, n_slides)
        runs[model] = []
        for effect in generator.normal(0, seed_spread, n_seeds):
            of_seed = of_slide + effect + generator.normal(0, setting.sigma / 6, n_slides)
            runs[model].append(
                [
                    _run(generator, of_seed, truths[place], ease[place], setting, 0.3 * better - 0.4 * place)
                    for place in range(len(SPECIES))
                ]
            )
    return truths, runs


def _run(
    generator: Generator,
    of_slide: NDArray[np.float64],
    truths: NDArray[np.int64],
    ease: NDArray[np.float64],
    setting: Setting,
    shift: float,
) -> Run:
    slide = np.repeat(np.arange(len(truths)), truths)
    found = generator.random(len(slide)) < 1 / (1 + np.exp(-(1.7 + shift + of_slide[slide] + 0.7 * ease)))
    right = generator.normal(1.5 + 0.4 * of_slide[slide] + 0.3 * ease, 1)[found]
    wrong_slide = np.repeat(
        np.arange(len(truths)), generator.poisson(0.25 * setting.animals * np.exp(-0.8 * of_slide))
    )
    wrong = generator.normal(-0.8 - 0.4 * of_slide[wrong_slide], 1)
    scores = np.concatenate([right, wrong])
    order = np.argsort(-scores, kind="stable")
    outcome = np.concatenate([np.ones(len(right), np.int8), np.zeros(len(wrong), np.int8)])
    return Run(np.concatenate([slide[found], wrong_slide])[order], outcome[order], scores[order])


def true_values(setting: Setting) -> dict[str, float]:
    """Each figure over a hundred thousand slides in all: a thousand slides, a hundred seeds' pairs."""
    sums: dict[str, list[float]] = defaultdict(list)
    for part in range(100):
        truths, runs = simulated(np.random.default_rng([7, part]), setting, 1000, 1)
        once = np.ones((1, 1000), np.int64)
        maps = []
        for model in MODELS:
            aps = [run.average_precisions(truths[s], once)[0] for s, run in enumerate(runs[model][0])]
            maps.append(float(np.mean(aps)))
        sums["mAP50"].append(maps[0])
        sums["difference"].append(maps[1] - maps[0])
        # AP, precision and recall are of one run: how its seed differs from others is not their matter.
        truths, runs = simulated(np.random.default_rng([8, part]), setting, 1000, 1, seed_spread=0)
        run = runs[MODELS[0]][0][0]
        right, accepted = run.accepted(1000)
        sums["AP50"].append(run.average_precisions(truths[0], once)[0])
        sums["right"].append(right.sum())
        sums["accepted"].append(accepted.sum())
        sums["truths"].append(truths[0].sum())
    return {
        "AP50": float(np.mean(sums["AP50"])),
        "mAP50": float(np.mean(sums["mAP50"])),
        "difference": float(np.mean(sums["difference"])),
        "precision": float(np.sum(sums["right"]) / np.sum(sums["accepted"])),
        "recall": float(np.sum(sums["right"]) / np.sum(sums["truths"])),
        "F1": float(2 * np.sum(sums["right"]) / (np.sum(sums["accepted"]) + np.sum(sums["truths"]))),
    }


def intervals(generator: Generator, setting: Setting, repeat: int) -> dict[str, tuple[float, ...]]:
    """Of one study: low, high of each figure, then low, high of plain percentiles."""
    n = setting.slides
    truths, runs = simulated(generator, setting, n, setting.n_seeds)
    weights = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    with_plain = np.concatenate([np.ones((1, n), np.int64), weights])
    draws = {}
    for model in MODELS:
        values = np.array(
            [
                [run.average_precisions(truths[s], with_plain) for s, run in enumerate(of_seed)]
                for of_seed in runs[model]
            ]
        )
        n_truth = np.array([of_species.sum() for of_species in truths])
        draws[model] = Draws(tuple(range(setting.n_seeds)), SPECIES, n_truth, values, values)
    score = ScoreSettings(50, 0.95, RESAMPLES, CONFIDENCE, repeat)
    first = draws[MODELS[0]]
    of_seeds = variances_of_seeds({model: one.means("map50") for model, one in draws.items()})
    comparison = comparisons_table(
        draws, {m: m for m in MODELS}, ComparisonSettings(CONFIDENCE, repeat, n)
    ).iloc[0]
    sign = 1 if comparison["model"] == MODELS[1] else -1
    ends = sorted(sign * comparison[f"difference_{end}"] for end in ("low", "high"))
    plain = over_seeds(draws[MODELS[1]].means("map50"), repeat, MODELS[1]) - over_seeds(
        first.means("map50"), repeat, MODELS[0]
    )
    truths, runs = simulated(generator, setting, n, 1, seed_spread=0)
    run = runs[MODELS[0]][0][0]
    single, (right, accepted) = run.average_precisions(truths[0], with_plain), run.accepted(n)
    with np.errstate(invalid="ignore"):
        shares = {
            "precision": weights @ right / (weights @ accepted),
            "recall": weights @ right / (weights @ truths[0]),
            "F1": 2 * weights @ right / (weights @ (accepted + truths[0])),
        }
    return {
        "AP50": (
            *logit_interval(
                single[0],
                single[1:],
                degrees=effective_slides(truths[0]) - 1,
                n_truth=int(truths[0].sum()),
                confidence=CONFIDENCE,
            ),
            *_percentiles(single[1:]),
        ),
        "mAP50": (
            *mean_interval(first, "map50", MODELS[0], n, score, between_seeds=of_seeds[MODELS[0]]),
            *_percentiles(first.means("map50")[:, 1:].mean(axis=0)),
        ),
        "difference": (*ends, *_percentiles(plain[1:])),
        "precision": (
            *proportion_interval(right, accepted, confidence=CONFIDENCE),
            *_percentiles(shares["precision"]),
        ),
        "recall": (
            *proportion_interval(right, truths[0], confidence=CONFIDENCE),
            *_percentiles(shares["recall"]),
        ),
        "F1": (
            *f1_interval(right, accepted, truths[0], confidence=CONFIDENCE),
            *_percentiles(shares["F1"]),
        ),
    }


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.nanquantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def covered(setting: Setting, repeats: int) -> list[dict[str, object]]:
    truth = true_values(setting)
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    generator = np.random.default_rng([11, SETTINGS.index(setting)])
    for repeat in range(repeats):
        for figure, ends in intervals(generator, setting, repeat).items():
            found[figure].append(ends)
    rows = []
    for figure, values in found.items():
        low, high, plain_low, plain_high = np.array(values).T
        known = ~np.isnan(low)
        rows.append(
            {
                "setting": setting.name,
                "figure": figure,
                "truth": truth[figure],
                "covered": float(np.mean((low <= truth[figure]) & (truth[figure] <= high), where=known)),
                "too_high": float(np.mean(low > truth[figure], where=known)),
                "too_low": float(np.mean(high < truth[figure], where=known)),
                "width": float(np.mean(high - low, where=known)),
                "covered_by_percentiles": float(
                    np.mean((plain_low <= truth[figure]) & (truth[figure] <= plain_high), where=known)
                ),
                "missing": int((~known).sum()),
            }
        )
    return rows


def markdown(table: pd.DataFrame, repeats: int) -> str:
    """Coverage by setting and figure, with that of plain percentiles after the slash."""
    figures = list(dict.fromkeys(table["figure"]))
    error = (CONFIDENCE * (1 - CONFIDENCE) / repeats) ** 0.5
    lines = [
        f"{repeats:,} studies a setting; a coverage of 95 % has a standard error of {100 * error:.1f}. "
        "Podura / plain percentiles, in %.",
        "",
        "| setting | " + " | ".join(figures) + " |",
        "|---|" + "---|" * len(figures),
    ]
    for setting, rows in table.groupby("setting", sort=False):
        shares = 100 * rows.set_index("figure")[["covered", "covered_by_percentiles"]]
        cells = [f"{ours:.1f} / {plain:.1f}" for ours, plain in shares.loc[figures].itertuples(index=False)]
        lines.append(f"| {setting} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def figure(table: pd.DataFrame, path: Path) -> None:
    """Coverage by setting: a panel for each figure, Podura's intervals filled, plain percentiles hollow."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.hashsalt": "podura", "svg.fonttype": "none", "font.size": 8})
    settings = list(dict.fromkeys(table["setting"]))
    figures = list(dict.fromkeys(table["figure"]))
    place = {name: len(settings) - k for k, name in enumerate(settings)}
    drawn = Figure(figsize=(11, 0.27 * len(settings) + 1.2), layout="constrained")
    for axis, name in zip(drawn.subplots(1, len(figures), sharex=True, sharey=True), figures, strict=True):
        rows = table[table["figure"] == name]
        y = rows["setting"].map(place)
        axis.axvspan(93, 97, color="#e8eef4", zorder=0)
        axis.axvline(95, color="#666666", lw=0.9)
        axis.scatter(
            100 * rows["covered_by_percentiles"],
            y,
            s=22,
            facecolors="none",
            edgecolors="#a05a00",
            label="plain percentiles",
        )
        axis.scatter(100 * rows["covered"], y, s=26, color="#1f5a8a", zorder=3, label="Podura")
        axis.set(title=name, xlim=(68, 100.5))
        axis.grid(axis="y", color="#eeeeee", zorder=0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_yticks([place[setting] for setting in settings], settings)
    handles, labels = axis.get_legend_handles_labels()
    drawn.legend(handles[::-1], labels[::-1], loc="outside upper center", ncols=2, frameon=False)
    drawn.supxlabel("% of studies whose 95 % interval holds the truth (shaded: 93 to 97)", fontsize=8)
    drawn.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=PAGE.parent, help="folder of study.csv and study.svg")
    arguments = parser.parse_args()
    rows = []
    for setting in SETTINGS:
        rows += covered(setting, arguments.repeats)
        print(pd.DataFrame(rows[-6:]).round(3).to_string(index=False, header=len(rows) == 6), flush=True)
    arguments.output.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(rows)
    table.to_csv(arguments.output / "study.csv", index=False, float_format="%.4f")
    figure(table, arguments.output / "study.svg")
    renew(arguments.output / PAGE.name, markdown(table, arguments.repeats))


if __name__ == "__main__":
    main()
