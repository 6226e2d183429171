"""Do intervals of counts hold the animals that are there? A simulation study.

    PYTHONPATH=scripts:tests python tests/benchmarks/survey_counts.py [--repeats 200] [--output FOLDER]

Annotated slides and surveys are drawn from populations whose animals are known (tests/simulated_surveys.py),
the survey's like those of the slides or of another density, mix of species, recall or background; where there
is a review, people check a random part (tests/simulated_reviews.py). Judged are Podura's estimates by
calibration and from reviews, naive counts at 95 % precision, counts times precision over recall, the
Horvitz-Thompson and the difference estimator.

Writes study.csv and study.svg and puts the tables into the page beside them (resources/survey_counts); ends
with 1 where Podura's coverage falls below its limit in a setting that it promises.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from podura.survey.checked import checked_samples, score_bins
from podura.survey.correction import Corrector, Counted
from podura.survey.diversity import INDICES, diversity, diversity_intervals
from podura.survey.evidence import counting_thresholds, gather, image_areas
from podura.survey.reviewed import Reviewed, expectations
from simulated_reviews import decide, drawn_queue
from simulated_surveys import BACKGROUND, DENSITY, RECALL, SPECIES, Drawn, Population, draw_slides

sys.path.insert(0, str(Path(__file__).parent))
from count_estimators import FromChecks, PrecisionRecall, naive, target_thresholds
from study_page import renew

Floats = NDArray[np.float64]

SEED = 20261125
PAGE = Path(__file__).resolve().parents[2] / "resources" / "survey_counts" / "README.md"
CONFIDENCE = 0.95
#: Coverage of a promised setting must not be below this.
LIMIT = 0.93
DRAWS = 400
NAMES = {
    "podura": "Podura",
    "naive": "naive",
    "ratio": "precision / recall",
    "reviewed": "Podura, reviewed",
    "horvitz": "Horvitz-Thompson",
    "difference": "difference (PPI)",
}
COLOURS = dict(zip(NAMES, ("#0072B2", "#D55E00", "#E69F00", "#009E73", "#CC79A7", "#000000"), strict=True))
MARKERS = dict(zip(NAMES, "osDv^x", strict=True))


@dataclass(frozen=True)
class Setting:
    """known: population of the annotated slides (so many), new: that of the survey. review: checks of random
    detections, of targeted ones, and of images; None without a review. promised: the interval is to hold."""

    name: str
    known: Population
    new: Population
    slides: int = 24
    review: tuple[int, int, int] | None = None
    promised: bool = True


BASE = Population()
STRONG = replace(BASE, effect=1.0, background_variation=1.0)
RARE = replace(BASE, density=DENSITY * np.array([1, 1, 1, 0.1, 0.1, 0.2]))
WORSE = replace(BASE, recall=RECALL * 0.65)
DIRTY = replace(BASE, background=BACKGROUND * 4)
CHECKS = (150, 50, 18)
SETTINGS = (
    Setting("as the annotated slides", BASE, BASE),
    Setting("four times as many animals", BASE, replace(BASE, density=DENSITY * 4)),
    Setting("a fifth of the animals", BASE, replace(BASE, density=DENSITY / 5)),
    Setting("other mix: rare species common", BASE, replace(BASE, density=DENSITY[::-1].copy())),
    Setting(
        "other mix: a confused species rules",
        BASE,
        replace(BASE, density=np.array([0.2, 2.5, 0.2, 1.5, 0.1, 0.5])),
    ),
    Setting("three species rare on the slides", RARE, BASE),
    Setting("three species rare everywhere", RARE, RARE),
    Setting("slides differ much", STRONG, STRONG),
    Setting("8 annotated slides", BASE, BASE, slides=8),
    Setting("a third of the animals less is found", BASE, WORSE, promised=False),
    Setting("four times the background", BASE, DIRTY, promised=False),
)
REVIEWED = (
    Setting("as the annotated slides", BASE, BASE, review=CHECKS),
    Setting("as the annotated slides, few checks", BASE, BASE, review=(50, 0, 6)),
    Setting("a third of the animals less is found", BASE, WORSE, review=CHECKS),
    Setting("four times the background", BASE, DIRTY, review=CHECKS),
    Setting(
        "other mix: rare species common", BASE, replace(BASE, density=DENSITY[::-1].copy()), review=CHECKS
    ),
    Setting("slides differ much", STRONG, STRONG, review=CHECKS),
)


class Tally:
    """Errors and intervals of one method in one setting, by repeat."""

    def __init__(self) -> None:
        self.inside: list[float] = []
        self.above: list[float] = []
        self.rows: list[tuple[Floats, Floats, Floats, Floats]] = []

    def add(self, truth: Floats, estimate: Floats, low: Floats, high: Floats) -> None:
        """Arrays (samples, species) of one repeat."""
        self.inside.append(float(np.mean((low <= truth) & (truth <= high))))
        self.above.append(float(np.mean(truth > high)))
        self.rows.append((truth, estimate, low, high))

    def summary(self) -> dict[str, Any]:
        truth, estimate, low, high = (np.concatenate(parts) for parts in zip(*self.rows, strict=True))
        known = ~np.isnan(estimate) & ~np.isnan(truth)
        mean = truth[known].mean()
        return {
            "coverage": np.mean(self.inside),
            "coverage_error": np.std(self.inside, ddof=1) / np.sqrt(len(self.inside)),
            "too_low": np.mean(self.above),
            "bias": (estimate - truth)[known].mean() / mean,
            "rmse": np.sqrt(((estimate - truth)[known] ** 2).mean()) / mean,
            "width": (high - low)[known].mean() / mean,
        }


def counted(drawn: Drawn, thresholds: Floats, sample: str) -> Counted:
    """Detections of a sample at or above thresholds, slide by slide."""
    pictures = drawn.images[drawn.images["sample"] == sample]
    slides = {name: row for row, name in enumerate(sorted(pictures["slide"].unique()))}
    mine = drawn.detections[drawn.detections["sample"] == sample]
    code = mine["species"].map({name: k for k, name in enumerate(SPECIES)}).to_numpy(dtype=np.int64)
    kept = mine["score"].to_numpy() >= thresholds[code]
    counts = np.zeros((len(slides), len(SPECIES)), dtype=np.int64)
    np.add.at(counts, (mine["slide"].map(slides).to_numpy(dtype=np.int64)[kept], code[kept]), 1)
    areas = np.zeros(len(slides))
    np.add.at(areas, pictures["slide"].map(slides).to_numpy(), image_areas(pictures, in_mm2=True))
    return Counted(counts, areas)


def one_repeat(setting: Setting, repeat: int, tallies: dict[str, Tally], indices: Tally) -> None:
    random = np.random.default_rng([SEED, repeat, *setting.name.encode()])
    slides = draw_slides(setting.known, setting.slides // 2, 2, 4, random)
    thresholds = counting_thresholds(slides.detections, slides.truths, SPECIES)
    tables = (slides.detections, slides.truths, slides.images)
    known = gather(*tables, species=SPECIES, thresholds=thresholds)
    survey = draw_slides(
        setting.new, 6 if setting.review else 4, 2, 6 if setting.review else 4, random, "new"
    )
    truth = survey.animals()
    samples = list(truth.index)
    there = truth.to_numpy(dtype=np.float64)
    results: dict[str, list[Any]] = defaultdict(list)
    corrector = Corrector(known, random, DRAWS)
    ratio = PrecisionRecall(slides, thresholds, random)
    at_target = target_thresholds(slides)
    spread = []
    for sample in samples:
        at = counted(survey, thresholds, sample)
        found = corrector.estimated(at, random)
        results["podura"].append((found.estimate, *found.interval(CONFIDENCE)))
        spread.append(diversity_intervals(found.estimate, found.draws, CONFIDENCE))
        if not setting.review:
            plain = counted(survey, at_target, sample).total.astype(np.float64)
            results["naive"].append(naive(plain, CONFIDENCE))
            results["ratio"].append(ratio(at.total.astype(np.float64), CONFIDENCE, random))
    if setting.review:
        spread = reviewed(setting, slides, survey, results, random)
    for name, rows in results.items():
        tallies[name].add(there, *(np.array(part) for part in zip(*rows, strict=True)))
    indices.add(diversity(there), *(np.array(part) for part in zip(*spread, strict=True)))


def reviewed(
    setting: Setting, slides: Drawn, survey: Drawn, results: dict[str, list[Any]], random: np.random.Generator
) -> list[Any]:
    """Add what the methods from reviews find; returns the indices of diversity of Podura's."""
    assert setting.review is not None
    edges = score_bins(slides.detections, SPECIES)
    every = gather(
        slides.detections, slides.truths, slides.images, species=SPECIES, thresholds=np.zeros(len(SPECIES))
    )
    expected = expectations(every, slides.detections, edges, SPECIES, DRAWS, random)
    queue = drawn_queue(survey, *setting.review, random)
    decisions = decide(survey, queue)
    found = survey.detections.drop(columns=["truth_species", "animal"])
    samples = checked_samples(found, survey.images, decisions, queue, species=SPECIES, edges=edges)
    estimator = Reviewed(samples, expected)
    others = FromChecks(survey, decisions, queue, edges, expected.composition)
    spread = []
    for place, sample in enumerate(samples):
        one = estimator.estimated(place, DRAWS, random)
        results["reviewed"].append((one.estimate, *one.interval(CONFIDENCE)))
        spread.append(diversity_intervals(one.estimate, one.draws, CONFIDENCE))
        results["horvitz"].append(others(sample, False, CONFIDENCE))
        results["difference"].append(others(sample, True, CONFIDENCE))
    return spread


def study(repeats: int) -> pd.DataFrame:
    rows = []
    for group, settings, share in (("calibration", SETTINGS, 1.0), ("review", REVIEWED, 0.4)):
        for setting in settings:
            tallies: dict[str, Tally] = defaultdict(Tally)
            indices = Tally()
            number = max(2, round(share * repeats))
            for repeat in range(number):
                one_repeat(setting, repeat, tallies, indices)
            start = {"group": group, "setting": setting.name, "promised": setting.promised, "repeats": number}
            of_setting = [{**start, "method": name, **tally.summary()} for name, tally in tallies.items()]
            mine = of_setting[-3 if setting.review else 0]
            mine |= {f"coverage_{name}": share for name, share in covered_indices(indices).items()}
            rows += of_setting
            print(
                f"{group:11} {setting.name:38} "
                + ", ".join(f"{row['method']} {row['coverage']:.3f}" for row in of_setting),
                flush=True,
            )
    return pd.DataFrame(rows)


def covered_indices(indices: Tally) -> dict[str, float]:
    """How often the interval of each index of diversity holds it, of samples where it is defined."""
    truth, _, low, high = (np.concatenate(parts) for parts in zip(*indices.rows, strict=True))
    result = {}
    for place in (0, 1, 5):
        known = ~np.isnan(truth[:, place]) & ~np.isnan(low[:, place])
        at = truth[known, place]
        result[INDICES[place]] = np.mean((low[known, place] - 1e-9 <= at) & (at <= high[known, place] + 1e-9))
    return result


def markdown(table: pd.DataFrame) -> str:
    """The tables for the documentation."""
    lines = []
    titles = {
        "calibration": "Corrected by the annotated slides: coverage / bias / width",
        "review": "With a review: coverage / bias / width",
    }
    for group, title in titles.items():
        of_group = table[table["group"] == group]
        methods = list(dict.fromkeys(of_group["method"]))
        repeats = int(of_group["repeats"].iloc[0])
        lines += [f"**{title}** ({repeats} surveys a setting)", ""]
        lines.append(f"| setting | {' | '.join(NAMES[name] for name in methods)} | Shannon, richness |")
        lines.append("|---" * (len(methods) + 2) + "|")
        for name, rows in of_group.groupby("setting", sort=False):
            by_method = rows.set_index("method")
            cells = [
                f"{row['coverage']:.3f} / {100 * row['bias']:+.0f} % / {row['width']:.2f}"
                for row in (by_method.loc[method] for method in methods)
            ]
            index = by_method.loc["reviewed" if group == "review" else "podura"]
            beside = f"{index['coverage_shannon']:.2f}, {index['coverage_richness']:.2f}"
            mark = "" if rows["promised"].all() else " (not promised)"
            lines.append(f"| {name}{mark} | {' | '.join(cells)} | {beside} |")
        lines.append("")
    return "\n".join(lines)


def figure(table: pd.DataFrame, path: Path) -> None:
    """Coverage (left) and bias (right) by setting; methods by colour and marker."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.hashsalt": "podura", "svg.fonttype": "none", "font.size": 8})
    rows = table.assign(
        label=table["setting"].where(table["group"] == "calibration", table["setting"] + ", reviewed")
    )
    labels = list(dict.fromkeys(rows["label"]))
    place = {label: len(labels) - k for k, label in enumerate(labels)}
    drawn = Figure(figsize=(9.5, 0.26 * len(labels) + 1.3), layout="constrained")
    left, right = drawn.subplots(1, 2, sharey=True)
    for name in NAMES:
        mine = rows[rows["method"] == name]
        y = mine["label"].map(place)
        front = 3 if name in ("podura", "reviewed") else 2
        options = {"color": COLOURS[name], "marker": MARKERS[name], "s": 26 if front == 3 else 16}
        left.scatter(mine["coverage"], y, label=NAMES[name], zorder=front, lw=1, **options)
        right.scatter(100 * mine["bias"], y, zorder=front, lw=1, **options)
    left.axvline(CONFIDENCE, color="#666666", lw=0.9)
    right.axvline(0, color="#666666", lw=0.9)
    left.set(xlabel="share of intervals that hold the animals (line: 95 %)", xlim=(None, 1.01))
    left.set_yticks([place[label] for label in labels], labels)
    right.set(xlabel="bias, % of the animals")
    for axis in (left, right):
        axis.grid(axis="y", color="#eeeeee", zorder=0)
        axis.spines[["top", "right"]].set_visible(False)
    drawn.legend(loc="outside upper center", ncols=len(NAMES), frameon=False)
    drawn.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--output", type=Path, default=PAGE.parent, help="folder of study.csv, study.svg")
    arguments = parser.parse_args()
    started = time.perf_counter()
    table = study(arguments.repeats).round(4)
    arguments.output.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.output / "study.csv", index=False)
    figure(table, arguments.output / "study.svg")
    text = markdown(table)
    renew(arguments.output / PAGE.name, text)
    print(text, f"{time.perf_counter() - started:.0f} s in all", sep="\n")
    ours = table[table["method"].isin(["podura", "reviewed"]) & table["promised"]]
    # By calibration nothing is promised where a review shows that the sample is unlike.
    ours = ours[(ours["group"] == "calibration") | (ours["method"] == "reviewed")]
    broken = ours[ours["coverage"] < LIMIT]
    if len(broken):
        print(f"Coverage is below {LIMIT} in:", *(broken["group"] + ": " + broken["setting"]), sep="\n  ")
    return int(len(broken) > 0)


if __name__ == "__main__":
    sys.exit(main())
