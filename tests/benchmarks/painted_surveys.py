"""Do estimates of the demo's painted survey hold its animals, over surveys painted again and again?

    PYTHONPATH=scripts:tests python tests/benchmarks/painted_surveys.py [--surveys 5] [--cores 2]

Runs Snakemake for surveys like that of config/studies/demo_survey.yaml, each painted with a seed of its own,
by the release of the demo study (a finished demo is used as it is), and compares counts.csv with what was
painted. Prints by site the share of intervals that hold the animals, totals and the mean error of a
sample and species, beside those of the empirical threshold for 95 % precision (naive, with Garwood's interval
of a Poisson mean); and which sites the drift check flags. Ends with 1 where the intervals of a site that is
not flagged hold less than they state.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from count_estimators import naive

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "demo"
#: Coverage of a site like the training slides may lie so far below what is stated, by chance.
SLACK = 0.03
CONFIDENCE = 0.95


def overlay(number: int) -> dict[str, Any]:
    """The demo's survey, so many times."""
    given = yaml.safe_load((ROOT / "config" / "studies" / "demo_survey.yaml").read_text(encoding="utf-8"))
    (survey,) = given["surveys"].values()
    names = [f"painted-{seed}" for seed in range(1, number + 1)]
    surveys = {
        name: {**survey, "painted": {**survey["painted"], "seed": seed}}
        for seed, name in enumerate(names, start=1)
    }
    return {"study": given["study"], "surveys": surveys}


def compared(name: str) -> pd.DataFrame:
    """Counts of one survey beside what was painted, a row a sample × species."""
    folder = RESULTS / "surveys" / name
    counts = pd.read_csv(folder / "counts.csv").set_index(["sample", "species"])
    painted = pd.read_csv(folder / "painted" / "counts.csv").set_index(["sample", "species"])["n_truth"]
    counts["truth"] = painted.reindex(counts.index).fillna(0)
    found = pd.read_parquet(folder / "machine" / "detections.parquet")
    thresholds = pd.read_csv(RESULTS / "release" / "thresholds.csv").set_index("species")[
        "threshold_empirical"
    ]
    accepted = found[found["score"] >= found["species"].map(thresholds)]
    naive = accepted.groupby(["sample", "species"]).size()
    counts["naive"] = naive.reindex(counts.index).fillna(0)
    sites = pd.read_csv(folder / "samples.csv").set_index("sample")["site"]
    counts["site"] = counts.index.get_level_values("sample").map(sites)
    drift = pd.read_csv(folder / "drift.csv")
    flagged = set(drift.loc[drift["unlike"].fillna(False).astype(bool), "sample"].dropna())
    counts["flagged"] = counts.index.get_level_values("sample").isin(flagged)
    return counts.assign(survey=name)


def summary(counts: pd.DataFrame) -> pd.DataFrame:
    """One row a site."""
    _, low, high = naive(counts["naive"].to_numpy(), CONFIDENCE)
    judged = counts.assign(
        naive_inside=counts["truth"].between(low, high),
        inside=counts["truth"].between(counts["low"], counts["high"]),
        error=(counts["estimate"] - counts["truth"]).abs(),
        naive_error=(counts["naive"] - counts["truth"]).abs(),
    )
    return judged.groupby("site").agg(
        intervals=("inside", "size"),
        coverage=("inside", "mean"),
        naive_coverage=("naive_inside", "mean"),
        animals=("truth", "sum"),
        estimated=("estimate", "sum"),
        naive=("naive", "sum"),
        error=("error", "mean"),
        naive_error=("naive_error", "mean"),
        flagged=("flagged", "mean"),
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--surveys", type=int, default=5)
    parser.add_argument("--cores", default="all")
    arguments = parser.parse_args()
    given = overlay(arguments.surveys)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(given, file)
        file.flush()
        # The tables of counts and of drift alone; neither pages nor exports.
        wanted = [
            str(RESULTS.relative_to(ROOT) / "surveys" / name / table)
            for name in given["surveys"]
            for table in ("counts.csv", "drift.csv")
        ]
        command = [sys.executable, "-m", "snakemake", "--cores", arguments.cores, "--quiet", "rules"]
        command += ["--workflow-profile", "workflow/profiles/local", "--configfile", file.name, "--", *wanted]
        subprocess.run(command, cwd=ROOT, check=True)
    table = summary(pd.concat([compared(name) for name in given["surveys"]]))
    print(table.round(3).to_string())
    like = table[table["flagged"] < 0.5]
    return int((like["coverage"] < CONFIDENCE - SLACK).any())


if __name__ == "__main__":
    sys.exit(main())
