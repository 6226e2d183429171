"""Do certified thresholds keep their promise, and what do they keep of the animals? A simulation study.

    PYTHONPATH=scripts:tests python tests/benchmarks/certification.py [--repeats 2000] [--output FOLDER]

Studies are drawn from populations whose precision is known (tests/simulated_studies.py); several procedures
set a threshold for 95 % precision in each. A threshold whose true precision is below 95 % is a violation.
Settings named "flat" are the hardest for the promise: the precision is 94.95 % at every score, so that
every certificate is a violation. MAPIE is judged where it is installed (pip install mapie), on the first
studies of settings that are not flat, for it takes a hundred times longer.

Writes study.csv and study.svg and puts the table into the page beside them (resources/certification); ends
with 1 where Podura's violations pass their limit.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv
from study_page import renew

from podura.evaluation.certification import MARGIN, MARGIN_POOLED
from simulated_folds import SHARES, draw_folds
from simulated_studies import Population, Setting, draw, least_favourable

sys.path.insert(0, str(Path(__file__).parent))
from threshold_procedures import PROCEDURES, TARGET, certified

SEED = 20261125
PAGE = Path(__file__).resolve().parents[2] / "resources" / "certification" / "README.md"
#: Okabe and Ito's, one a procedure.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9")
#: The upper 95 % limit of the violation rate must stay below this.
LIMIT = 0.065
#: Studies of a setting on which MAPIE is judged.
MAPIE_REPEATS = 200

STRONG = {"sigma": 1.5, "top": 4.8}
#: Where precision falls below 95 % somewhere in the range of scores.
CURVES = (
    Setting("20 slides × 50, independent", 20, 50),
    Setting("20 × 50, σ = 0.8", 20, 50, 0.8),
    Setting("40 × 50, σ = 0.8", 40, 50, 0.8),
    Setting("few slides: 8 × 50, σ = 0.8", 8, 50, 0.8),
    Setting("few slides: 12 × 50, σ = 0.8", 12, 50, 0.8),
    Setting("rare species: 20 × 8, σ = 0.5", 20, 8, 0.5),
    Setting("rare species: 60 × 3, σ = 0.5", 60, 3, 0.5),
    Setting("strong clustering: 20 × 50, σ = 1.5", 20, 50, **STRONG),
    Setting("strong clustering: 40 × 50, σ = 1.5", 40, 50, **STRONG),
    Setting("strong clustering: 8 × 50, σ = 1.5", 8, 50, **STRONG),
    Setting("tied scores: 20 × 50, 8 levels, σ = 0.8", 20, 50, 0.8, levels=8),
    Setting("unequal slides: 20 × 50, σ = 0.8", 20, 50, 0.8, sizes=1.2),
    Setting("sharp fall: 20 × 50, σ = 0.8", 20, 50, 0.8, top=4.5, slope=40, knee=0.4),
    Setting("slow fall: 20 × 50, σ = 0.8", 20, 50, 0.8, top=4.7, slope=5, knee=1.0),
    Setting("debris: 20 × 50, rate varies by 100 %", 20, 50, 1.0, effect="debris"),
    Setting("15 % bad slides: 20 × 50", 20, 50, 1.5, effect="bad"),
    Setting("full slides are worse: 20 × 50, σ = 0.8", 20, 50, 0.8, sizes=0.5, informative=0.25),
    Setting("effect at high scores only: 20 × 50", 20, 50, 0.8, steep=1.0),
)
FLAT = tuple(
    least_favourable(replace(setting, slope=0.0))
    for setting in (
        *(CURVES[k] for k in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 16, 17)),
        Setting("strong clustering: 12 × 30, σ = 1.5", 12, 30, 1.5),
        Setting("strong clustering: 8 × 100, σ = 1.5", 8, 100, 1.5),
    )
)
#: Beyond what any procedure of this kind can see from so few slides; shown, and not promised.
BEYOND = tuple(
    least_favourable(setting)
    for setting in (
        Setting("fullness is quality: 20 × 50, σ = 0.8", 20, 50, 0.8, informative=0.4),
        Setting("fullness is quality: 12 × 50, σ = 1.5", 12, 50, 1.5, informative=0.4),
        Setting("5 % hopeless slides: 20 × 50", 20, 50, 6.0, effect="bad", bad_share=0.05),
        Setting("5 % hopeless slides: 60 × 50", 60, 50, 6.0, effect="bad", bad_share=0.05),
    )
)
GROUPS = (("crossing", CURVES), ("flat", FLAT), ("beyond", BEYOND))
#: Studies of so many slides in all, in five folds: one certificate for all folds, or one for each.
N_FOLDS = 5
_FOLDED = (
    Setting("60 slides × 20, independent", 60, 20),
    Setting("60 × 20, σ = 0.8", 60, 20, 0.8),
    Setting("60 × 20, σ = 1.5", 60, 20, **STRONG),
    Setting("25 × 30, σ = 0.8", 25, 30, 0.8),
    Setting("25 × 30, σ = 1.5", 25, 30, **STRONG),
    Setting("100 × 3, σ = 0.5", 100, 3, 0.5),
)
FOLDED = tuple(one for setting in _FOLDED for one in (setting, least_favourable(setting)))


def upper_limit(failures: int, repeats: int) -> float:
    """One-sided 95 % upper limit of a rate (Clopper & Pearson)."""
    return float(betaincinv(failures + 1, repeats - failures, 0.95)) if failures < repeats else 1.0


def judged(setting: Setting, repeats: int, skip: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """All procedures on the same drawn studies of one setting."""
    population = Population(setting)
    generator = np.random.default_rng([SEED, len(setting.name), *setting.name.encode()])
    validation = draw(setting, setting.validation_slides, repeats, generator)
    calibration = draw(setting, setting.slides, repeats, generator)
    rows = []
    for name, procedure in PROCEDURES.items():
        number = min(repeats, MAPIE_REPEATS) if name == "MAPIE" else repeats
        parts = [part.first(number) for part in (validation, calibration)]
        start = time.perf_counter()
        thresholds = None if name in skip else procedure(*parts)
        row: dict[str, Any] = {"setting": setting.name, "procedure": name, "repeats": number}
        if thresholds is not None:
            row["milliseconds"] = 1000 * (time.perf_counter() - start) / number
            row |= outcome(population, thresholds)
        rows.append(row)
    return rows


def outcome(population: Population, thresholds: np.ndarray) -> dict[str, float]:
    """How often there is a threshold, how often it is wrong, and what it keeps."""
    given = ~np.isnan(thresholds)
    at = np.where(given, thresholds, 1.0)
    failures = int((given & (population.precision(at) < TARGET)).sum())
    return {
        "given": float(given.mean()),
        "violations": failures / len(given),
        "violations_upper": upper_limit(failures, len(given)),
        "kept": float(np.where(given, population.kept(at), 0.0).mean()),
    }


def judged_folds(setting: Setting, repeats: int) -> list[dict[str, Any]]:
    """One certificate for five folds together, and that of one fold by itself."""
    population = Population(setting)
    generator = np.random.default_rng([SEED, 5, len(setting.name), *setting.name.encode()])
    parts = draw_folds(setting, N_FOLDS, repeats, generator)
    others = setting.slides * (1 - 1 / N_FOLDS)
    alone = [draw(setting, max(2, round(share * others)), repeats, generator) for share in SHARES[1:]]
    return [
        {"setting": setting.name, "procedure": name, "repeats": repeats}
        | outcome(population, certified(*of_parts, margin))
        for name, of_parts, margin in (("pooled", parts, MARGIN_POOLED), ("one fold", alone, MARGIN))
    ]


def study(repeats: int, skip: tuple[str, ...] = ()) -> pd.DataFrame:
    rows = []
    for group, settings in GROUPS:
        passed_over = skip if group == "crossing" else (*skip, "MAPIE")
        for setting in settings:
            rows += [{"group": group, **row} for row in judged(setting, repeats, passed_over)]
            ours = next(row for row in reversed(rows) if row["procedure"] == "Podura")
            print(
                f"{group:9} {setting.name:45} certified {ours['given']:.3f}, below target "
                f"{ours['violations']:.4f} (≤ {ours['violations_upper']:.4f}), kept {ours['kept']:.3f}",
                flush=True,
            )
    for setting in FOLDED:
        rows += [{"group": "folds", **row} for row in judged_folds(setting, repeats)]
        print(f"folds     {setting.name:45} {rows[-2]['given']:.3f} {rows[-2]['violations']:.4f}", flush=True)
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    """The table for the documentation: a row a setting, a column a procedure."""
    repeats = int(table["repeats"].iloc[0])
    titles = {
        "crossing": "Precision crosses 95 %: share with a threshold / share of those truly below 95 % of all "
        "studies / share of all right detections kept (0 without a threshold)",
        "flat": "Hardest for the promise: precision is 94.95 % at every score, so that every threshold "
        "given is a violation: share of violations",
        "beyond": "Beyond what so few slides can show: share of violations",
    }
    lines = [f"{repeats:,} studies a setting (MAPIE: {min(repeats, MAPIE_REPEATS):,})."]
    names = list(PROCEDURES)
    for group, title in titles.items():
        of_group = table[table["group"] == group]
        extra = " upper 95 % limit |"
        lines += ["", f"**{title}**", "", f"| setting | {' | '.join(names)} |{extra}"]
        lines.append("|---" * (len(names) + 2) + "|")
        for setting, rows in of_group.groupby("setting", sort=False):
            cells = rows.set_index("procedure")
            shown = [_cell(cells.loc[name], group) for name in names]
            limit = cells.loc["Podura", "violations_upper"]
            lines.append(f"| {setting} | {' | '.join(shown)} | {limit:.3f} |")
    of_folds = table[table["group"] == "folds"]
    by_procedure = {name: rows.set_index("setting") for name, rows in of_folds.groupby("procedure")}
    lines += [
        "",
        f"**{N_FOLDS} folds: one certificate for all of them, or one for each fold.** Columns as in the "
        "first table; settings named “flat” are the hardest for the promise.",
        "",
        "| setting (slides of the study) | pooled | upper 95 % limit | one fold by itself |",
        "|---|---|---|---|",
    ]
    for setting in dict.fromkeys(of_folds["setting"]):
        cells = {name: one.loc[setting] for name, one in by_procedure.items()}
        limit = cells["pooled"]["violations_upper"]
        shown = [_cell(cells[name], "crossing") for name in ("pooled", "one fold")]
        lines.append(f"| {setting} | {shown[0]} | {limit:.3f} | {shown[1]} |")
    return "\n".join(lines) + "\n"


def times(table: pd.DataFrame) -> str:
    median = table.groupby("procedure", sort=False)["milliseconds"].median().dropna()
    return "Time of a study, in ms: " + ", ".join(f"{name} {value:.2f}" for name, value in median.items())


def _cell(row: pd.Series, group: str) -> str:
    if pd.isna(row["given"]):
        return "not run"
    if group != "crossing":
        return f"{row['violations']:.3f}"
    return f"{row['given']:.2f} / {row['violations']:.3f} / {row['kept']:.2f}"


def figure(table: pd.DataFrame, path: Path) -> None:
    """Violations (left) and what is kept (right) by setting; procedures by colour and marker."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.hashsalt": "podura", "svg.fonttype": "none", "font.size": 8})
    rows = table[table["group"].isin(["crossing", "flat"])]
    labels = list(dict.fromkeys(rows["setting"]))
    place = {label: len(labels) - k for k, label in enumerate(labels)}
    drawn = Figure(figsize=(9.5, 0.23 * len(labels) + 1.3), layout="constrained")
    left, right = drawn.subplots(1, 2, sharey=True)
    for name, colour, marker in zip(PROCEDURES, COLOURS, "osD^vxP", strict=True):
        mine = rows[(rows["procedure"] == name) & rows["given"].notna()]
        y = mine["setting"].map(place)
        front = 3 if name == "Podura" else 2
        options = {"color": colour, "marker": marker, "s": 26 if front == 3 else 14, "zorder": front, "lw": 1}
        left.scatter(mine["violations"].clip(lower=3e-4), y, label=name, **options)
        crossing = mine[mine["group"] == "crossing"]
        right.scatter(crossing["kept"], crossing["setting"].map(place), **options)
    left.axvline(0.05, color="#666666", lw=0.9)
    left.set(xscale="log", xlabel="share of studies truly below 95 % (line: 5 %)")
    left.set_yticks([place[label] for label in labels], labels)
    right.set(xlim=(-0.02, 1.02), xlabel="share of all right detections kept")
    for axis in (left, right):
        axis.grid(axis="y", color="#eeeeee", zorder=0)
        axis.spines[["top", "right"]].set_visible(False)
    drawn.legend(loc="outside upper center", ncols=len(PROCEDURES), frameon=False)
    drawn.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=PAGE.parent, help="folder of study.csv, study.svg")
    parser.add_argument("--skip", nargs="*", default=[], choices=list(PROCEDURES))
    arguments = parser.parse_args()
    started = time.perf_counter()
    table = study(arguments.repeats, tuple(arguments.skip))
    arguments.output.mkdir(parents=True, exist_ok=True)
    rounded = table.drop(columns="milliseconds").round(5)
    rounded.to_csv(arguments.output / "study.csv", index=False)
    figure(rounded, arguments.output / "study.svg")
    text = markdown(rounded)
    renew(arguments.output / PAGE.name, text)
    print(text, times(table), f"{time.perf_counter() - started:.0f} s in all", sep="\n")
    ours = table[table["procedure"].isin(["Podura", "pooled"]) & (table["group"] != "beyond")]
    broken = ours[ours["violations_upper"] > LIMIT]
    if len(broken):
        print("The promise is broken in:", *broken["setting"], sep="\n  ")
    return int(len(broken) > 0)


if __name__ == "__main__":
    sys.exit(main())
