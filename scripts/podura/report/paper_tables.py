"""Tables as they go into a paper: what each holds, with units and footnotes, from finished tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from podura.report.certificates import of_detectors
from podura.report.comparisons import scored_pairs, signed, signed_interval
from podura.report.parts import is_number
from podura.report.results import Results, full_names, name_parts, ordered_models, species_codes
from podura.report.wording import MISSING, chance, count, fraction, interval, percent
from podura.tables import PARTS

#: Text and whether it is in italics.
Part = tuple[str, bool]


@dataclass(frozen=True)
class Cell:
    """What a cell shows; ``value`` is the number behind it, ``parts`` its text where some is in italics."""

    text: str
    value: float | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Heading:
    """A column: its title, unit ("" for none) and the number of its footnote (from 1; None for none).

    digits: after the point, of numbers in a spreadsheet; None for a column of text.
    """

    title: str
    unit: str = ""
    note: int | None = None
    digits: int | None = None

    @property
    def words(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class PaperTable:
    """One table: the name of its files, its title, columns, rows of cells, and footnotes in their order."""

    name: str
    title: str
    headings: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default_factory=tuple)


def paper_tables(results: Results, costs: pd.DataFrame) -> list[PaperTable]:
    """The tables models, species, comparisons, dataset and costs of a study.

    costs: ``tables.BENCHMARK_COSTS``.
    """
    return [
        models_paper(results),
        species_paper(results),
        comparisons_paper(results),
        dataset_paper(results),
        costs_paper(results, costs),
    ]


def models_paper(results: Results) -> PaperTable:
    """Detectors by rank, then the controls."""
    rows = []
    for role in ("detector", "control"):
        for row in ordered_models(results.models_table, role).to_dict("records"):
            rows.append(
                [
                    _number(row["rank"], count),
                    Cell(str(row["label"])),
                    _number(row["map50_95"], lambda v: fraction(v, 3)),
                    _interval(row, "map50_95"),
                    _number(row["map50_95_seed_sd"], lambda v: f"{v:.3f}"),
                    _number(row["map50"], lambda v: fraction(v, 3)),
                    _interval(row, "map50"),
                    _number(row["chance_best"], chance),
                    _number(row["n_seeds"], count),
                    _number(row["n_species"], count),
                ]
            )
    level = percent(results.confidence)
    resamples = count(results.config["evaluation"]["resamples"])
    return PaperTable(
        "models",
        f"Mean average precision of the detectors of the study {results.config['study']} on its test slides",
        [
            Heading("Rank", digits=0),
            Heading("Detector"),
            Heading("mAP50:95", note=1, digits=3),
            Heading(f"{level} interval", note=2),
            Heading("SD over seeds", note=3, digits=3),
            Heading("mAP50", note=1, digits=3),
            Heading(f"{level} interval", note=2),
            Heading("Chance to be best", note=4, digits=3),
            Heading("Seeds", digits=0),
            Heading("Species", digits=0),
        ],
        rows,
        (
            "Mean over species with specimens on the test slides, then over seeds, of the average precision "
            "at IoU 0.50:0.95 (mAP50:95) or 0.5 (mAP50), COCO's 101 points.",
            f"Over test slides and seeds, {resamples} resamples.",
            "Standard deviation of mAP50:95; none for one seed.",
            "Share of the resamples in which it has the highest mAP50:95. Controls take no rank.",
        ),
    )


def species_paper(results: Results) -> PaperTable:
    """Each species by detector, seeds together; detectors by rank."""
    names = full_names(results.species_list)
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    ranked = list(ordered_models(results.models_table, "detector")["model"])
    table = of_detectors(results)
    rows = []
    for code in species_codes(results.species_list, results.species_table):
        for model in ranked:
            runs = table[(table["species"] == code) & (table["model"] == model)]
            if runs.empty:
                continue
            certified = runs[runs["threshold_status"] == "certified"]
            rows.append(
                [
                    _species(str(names.get(code, code))),
                    Cell(str(labels[model])),
                    _number(runs["n_truth"].iloc[0], count),
                    _number(runs["n_slides"].iloc[0], count),
                    _number(runs["ap50"].mean(), lambda v: fraction(v, 3)),
                    _range(runs["ap50"]),
                    _interval_of_runs(runs, "ap50"),
                    _number(runs["ap50_95"].mean(), lambda v: fraction(v, 3)),
                    Cell(f"{len(certified)} of {len(runs)}"),
                    _range(certified["threshold"]),
                    _number(certified["test_precision"].mean(), lambda v: fraction(v, 3)),
                    _interval_of_runs(certified, "test_precision"),
                    _number(certified["test_recall"].mean(), lambda v: fraction(v, 3)),
                    _interval_of_runs(certified, "test_recall"),
                ]
            )
    target = percent(results.target_precision)
    return PaperTable(
        "species",
        "Average precision and certified thresholds by species and detector, "
        f"study {results.config['study']}",
        [
            Heading("Species"),
            Heading("Detector"),
            Heading("Specimens", note=1, digits=0),
            Heading("Slides", note=1, digits=0),
            Heading("AP50", note=2, digits=3),
            Heading("range of seeds"),
            Heading(f"{percent(results.confidence)} interval", note=3),
            Heading("AP50:95", note=2, digits=3),
            Heading("Certified runs", note=4),
            Heading("Threshold"),
            Heading("Precision", note=5, digits=3),
            Heading(f"{percent(results.confidence)} interval", note=3),
            Heading("Recall", note=5, digits=3),
            Heading(f"{percent(results.confidence)} interval", note=3),
        ],
        rows,
        (
            "On the test slides. A species without a specimen there has no average precision, not one of 0.",
            "Mean over seeds of the average precision at IoU 0.5 (AP50) or 0.50:0.95.",
            "Over test slides: from the lowest lower to the highest upper end of the seeds' intervals.",
            f"Runs whose score threshold is certified for a precision of {target} on calibration slides.",
            f"On the test slides at the certified threshold (IoU {results.iou:g}), mean of certified runs.",
        ),
    )


def comparisons_paper(results: Results) -> PaperTable:
    """Pairs of detectors, the better one first."""
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    rows = [
        [
            Cell(str(labels.get(row["model"], row["model"]))),
            Cell(str(labels.get(row["other"], row["other"]))),
            _number(row["difference"], signed),
            Cell(signed_interval(row["difference_low"], row["difference_high"])),
            Cell(signed_interval(row["joint_low"], row["joint_high"])),
            _number(row["chance_better"], chance),
            Cell("better" if row["verdict"] == "better" else "not told apart"),
        ]
        for row in scored_pairs(results).to_dict("records")
    ]
    level = percent(results.confidence)
    return PaperTable(
        "comparisons",
        f"Differences in mAP50:95 between detectors, study {results.config['study']}",
        [
            Heading("Detector"),
            Heading("compared with"),
            Heading("Difference", note=1, digits=3),
            Heading(f"{level} interval"),
            Heading(f"joint {level} interval", note=2),
            Heading("Chance", note=3, digits=3),
            Heading("Verdict", note=2),
        ],
        rows,
        (
            "In mAP50:95, from the same resamples of test slides and of seeds.",
            "Holds for all pairs at once; the detector is better where it is above 0.",
            "Share of the resamples in which the first detector is better, ties half.",
        ),
    )


def dataset_paper(results: Results) -> PaperTable:
    """Specimens and slides of each species in each part."""
    names = full_names(results.species_list)
    authorities = {str(one["code"]): one.get("authority") for one in results.species_list}
    families = {str(one["code"]): one.get("family") for one in results.species_list}
    counts = results.counts
    first = counts[counts["fold"] == counts["fold"].min()]
    rows = []
    for code in species_codes(results.species_list, results.species_table):
        of_species = counts[counts["species"] == code]
        row = [
            _species(str(names.get(code, code))),
            Cell(_told(authorities.get(code))),
            Cell(_told(families.get(code))),
            _number(first.loc[first["species"] == code, "n_specimens"].sum(), count),
        ]
        for part in PARTS:
            of_part = of_species[of_species["part"] == part]
            row += [_whole_range(of_part["n_specimens"]), _whole_range(of_part["n_slides"])]
        rows.append(row)
    folds = counts["fold"].nunique() > 1
    of_parts = [
        Heading(f"{part}, {what}", note=2 if folds else None, digits=0)
        for part in PARTS
        for what in ("specimens", "slides")
    ]
    notes = [
        f"Annotated animals of all parts, ignored ones aside. Parts are made of whole {_unit(results)}s."
    ]
    if folds:
        notes.append("From the fold with fewest to that with most; each is tested once.")
    return PaperTable(
        "dataset",
        f"Specimens of each species and the slides that show them, study {results.config['study']}",
        [
            Heading("Species"),
            Heading("Authority"),
            Heading("Family"),
            Heading("Specimens", note=1, digits=0),
            *of_parts,
        ],
        rows,
        notes,
    )


def costs_paper(results: Results, costs: pd.DataFrame) -> PaperTable:
    """Time, memory, energy and size of each detector, by rank."""
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    ranked = list(ordered_models(results.models_table, "detector")["model"])
    records = sorted(costs.to_dict("records"), key=lambda row: ranked.index(row["model"]))
    rows = [
        [
            Cell(str(labels[row["model"]])),
            _number(row["parameters"], lambda v: f"{v / 1e6:.2f}", scale=1e-6),
            _number(row["model_mb"], lambda v: f"{v:.1f}"),
            Cell(_told(row["device"])),
            _number(row["training_seconds"], _significant),
            _number(row["training_images_per_second"], _significant),
            _number(row["training_memory_mb"], count),
            _number(row["training_gpu_memory_mb"], count),
            _energy(row["training_energy_wh"]),
            _number(row["detection_seconds"], _significant),
            _number(row["detection_images_per_second"], _significant),
            _number(row["detection_megapixels_per_second"], _significant),
            _number(row["detection_memory_mb"], count),
            _energy(row["detection_energy_wh"]),
        ]
        for row in records
    ]
    machines = list(dict.fromkeys(f"{row['processor']}, {row['cores']} cores" for row in records))
    reasons = list(dict.fromkeys(str(row["energy_note"]) for row in records))
    return PaperTable(
        "costs",
        f"What the detectors cost, study {results.config['study']}",
        [
            Heading("Detector"),
            Heading("Parameters", "million", digits=2),
            Heading("Weights", "MB", digits=1),
            Heading("Device", note=1),
            Heading("Training", "s", note=2, digits=1),
            Heading("Training speed", "images/s", digits=2),
            Heading("Training memory", "MB", digits=0),
            Heading("GPU memory", "MB", note=3, digits=0),
            Heading("Training energy", "Wh", note=4, digits=2),
            Heading("Detection", "s/image", digits=4),
            Heading("Detection speed", "images/s", digits=2),
            Heading("Pixel speed", "MP/s", digits=2),
            Heading("Detection memory", "MB", digits=0),
            Heading("Detection energy", "Wh/1000 images", note=4, digits=2),
        ],
        rows,
        (
            f"Trained on: {'; '.join(machines) or MISSING}. Times hold for this machine and for what else "
            "ran on it.",
            "Mean of a training with its validation; of an ensemble, of all that it fuses.",
            "Highest peak in training; a dash without a GPU.",
            "By meters of the machine, other programs on its processor included; never estimated "
            f"({'; '.join(reasons) or MISSING}).",
        ),
    )


def _unit(results: Results) -> str:
    return str(results.config["split"]["by"])


def _told(value: Any) -> str:
    return MISSING if value is None or pd.isna(value) or not str(value) else str(value)


def _number(value: Any, words: Callable[[Any], str], scale: float = 1.0) -> Cell:
    if not is_number(value):
        return Cell(MISSING)
    return Cell(words(value), scale * float(value))


def _interval(row: Mapping[str, Any], column: str) -> Cell:
    return Cell(interval(row[f"{column}_low"], row[f"{column}_high"], 3))


def _interval_of_runs(runs: pd.DataFrame, column: str) -> Cell:
    """From the lowest lower to the highest upper end of the intervals of several runs."""
    return Cell(interval(runs[f"{column}_low"].min(), runs[f"{column}_high"].max(), 3))


def _energy(value: Any) -> Cell:
    return _number(value, _significant) if is_number(value) else Cell("not measurable")


def _significant(value: float) -> str:
    """Three significant digits, as a plain number: ``0.0412``, ``93.4``, ``1,240``."""
    if not value:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def _range(values: pd.Series) -> Cell:
    known = values.dropna()
    if known.empty:
        return Cell(MISSING)
    low, high = fraction(known.min(), 3), fraction(known.max(), 3)
    return Cell(low if low == high else f"{low} to {high}")


def _whole_range(values: pd.Series) -> Cell:
    known = values.dropna().astype(int)
    if known.empty:
        return Cell(MISSING)
    if known.nunique() == 1:
        return _number(known.iloc[0], count)
    return Cell(f"{known.min():,} to {known.max():,}")


def _species(name: str) -> Cell:
    return Cell(name, parts=tuple(name_parts(name)))


def footnote_marks(table: PaperTable) -> Mapping[int, str]:
    """The mark of each footnote: a, b, c, …"""
    return {number: chr(ord("a") + number - 1) for number in range(1, len(table.notes) + 1)}
