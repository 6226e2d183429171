"""Are corrected counts of a study's test images nearer to the annotated ones than naive counts?

    PYTHONPATH=scripts python tests/benchmarks/counts_of_test_images.py results/bccd [--images 2]

Reads a finished study. The test images are taken for a survey, so many images a sample, and counted by the
evidence of the validation and calibration slides, for each detector and seed. Naive: detections from the
empirical threshold for the target precision on. Prints, by species, the annotated animals, both counts, how
often the interval holds the annotated number, and the mean errors of a sample.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

from podura import tables
from podura.release.evidence import evidence, image_rows
from podura.survey.counts import KnownSlides, Survey, count
from podura.tables.review import REVIEW_DECISIONS


def part(results: Path, run: str, name: str, iou_percent: int) -> tuple[KnownSlides, pd.DataFrame]:
    """Detections of a part as evidence, and as they are."""
    coco = tables.read_json(results / "dataset" / "parts" / name / "truth.json")
    found = tables.DETECTIONS.read_parquet(results / "detections" / run / f"{name}.parquet")
    detections, truths = evidence(found, coco, part=name, iou_percent=iou_percent)
    rows = pd.DataFrame(image_rows(coco, name)).reindex(columns=tables.EVIDENCE_IMAGES.names)
    return KnownSlides(detections, truths, tables.EVIDENCE_IMAGES.frame(rows)), found


def judged(results: Path, run: str, thresholds: pd.Series, per_sample: int) -> pd.DataFrame:
    """One row a sample × species: counts of the survey with the annotated number as ``truth``."""
    (one, _), (other, _), (test, found) = (
        part(results, run, name, 50) for name in ("validation", "calibration", "test")
    )
    known = KnownSlides(
        *(
            pd.concat([getattr(one, what), getattr(other, what)], ignore_index=True)
            for what in ("detections", "truths", "images")
        )
    )
    names = sorted(test.images["image"])
    sample = {name: f"sample {place // per_sample:03d}" for place, name in enumerate(names)}
    found = found.assign(
        sample=found["image"].map(sample), detection=[f"d{row}" for row in range(len(found))]
    )
    accepted = found["score"] >= found["species"].map(thresholds).astype(float)
    images = test.images.assign(sample=test.images["image"].map(sample), status="ok", path="", reason=None)
    images = images.assign(n_detections=0, capped=False).reindex(columns=tables.SURVEY_IMAGES.names)
    samples = pd.DataFrame({"sample": sorted(set(sample.values()))}).assign(
        site="", n_images=per_sample, n_failed=0, complete=True
    )
    survey = Survey(
        species=tuple(thresholds.index),
        detections=found,
        final=found.assign(
            final_species=found["species"].where(accepted), decided_species=None, decision=None
        ),
        images=tables.SURVEY_IMAGES.frame(images),
        samples=tables.SURVEY_SAMPLES.frame(samples.reindex(columns=tables.SURVEY_SAMPLES.names)),
        decisions=REVIEW_DECISIONS.frame([]),
        queue=None,
        known=known,
        certified=thresholds.dropna().to_dict(),
        confidence=0.95,
        wished_width=0.5,
        seed=1,
    )
    counts = count(survey).counts.set_index(["sample", "species"])
    truth = test.truths.assign(sample=test.truths["image"].map(sample)).groupby(["sample", "species"]).size()
    counts["truth"] = truth.reindex(counts.index, fill_value=0)
    counts["inside"] = counts["truth"].between(counts["low"], counts["high"])
    counts["error"] = (counts["estimate"] - counts["truth"]).abs()
    counts["naive_error"] = (counts["accepted"].astype(float) - counts["truth"]).abs()
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of a finished study")
    parser.add_argument("--images", type=int, default=2, help="images of a sample")
    arguments = parser.parse_args()
    scores = pd.read_csv(arguments.results / "benchmark" / "species.csv")
    worse = 0
    for (model, seed), rows in scores.groupby(["model", "seed"], sort=False):
        if model.startswith("control_") or seed == tables.ALL_SEEDS:
            continue
        thresholds = rows.set_index("species")["threshold_empirical"].astype(float)
        counts = judged(
            arguments.results, f"{model}/{tables.run_folder(int(seed))}", thresholds, arguments.images
        )
        by_species = counts.groupby("species", sort=False).agg(
            annotated=("truth", "sum"),
            naive=("accepted", "sum"),
            corrected=("estimate", "sum"),
            coverage=("inside", "mean"),
            mean_error=("error", "mean"),
            naive_error=("naive_error", "mean"),
        )
        print(
            f"{model}, seed {seed}: intervals hold {counts['inside'].mean():.3f}",
            by_species.round(2),
            sep="\n",
        )
        worse += int(counts["error"].sum() >= counts["naive_error"].sum())
    return int(worse > 0)


if __name__ == "__main__":
    sys.exit(main())
