"""Finished tables of made-up studies, as the report receives them."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from podura import tables
from podura.configuration.run import SCHEMAS
from podura.configuration.structure import load_schema, with_defaults
from podura.evaluation.comparison import ComparisonSettings, comparisons_table, ranks_table
from podura.evaluation.draws import Draws
from podura.report.results import Results
from report_diagnosis import make_crops, make_diagnosis

SPECIES = (
    ("CER-DEN", "Ceratophysella denticulata", "(Bagnall, 1941)", "Hypogastruridae"),
    ("ISO-MIN", "Isotomiella minor", "(Schäffer, 1896)", "Isotomidae"),
    ("LEP-CYA", "Lepidocyrtus cyaneus", "Tullberg, 1871", "Entomobryidae"),
    ("MET-AFF", "Metaphorura affinis", "(Börner, 1902)", "Onychiuridae"),
    ("PAR-NOT", "Parisotoma notabilis", "(Schäffer, 1896)", "Isotomidae"),
)
DETECTORS = (
    ("fasterrcnn_lite0", "Faster R-CNN Lite0", "torchvision", "Apache-2.0"),
    ("yolov5n", "YOLOv5n (anchor-free head)", "ultralytics", "AGPL-3.0-or-later"),
)
CONTROLS = (("control_truth", "Truth itself"), ("control_shuffled", "Shuffled truth"))


def make_results(
    n_detectors: int = 2,
    n_seeds: int = 2,
    n_species: int = 5,
    n_epochs: int = 12,
    without_truth: tuple[str, ...] = ("PAR-NOT",),
    random_seed: int = 7,
    **replaced: Any,
) -> Results:
    """Two detectors, two controls, two seeds and five species, one of them without test truth."""
    generator = np.random.default_rng(random_seed)
    species = _species(n_species)
    detectors = _detectors(n_detectors)
    seeds = list(range(1, n_seeds + 1))
    scores: list[dict[str, Any]] = []
    for place, (model, *_) in enumerate(detectors):
        skill = 2.6 - 1.2 * place / max(1, n_detectors - 1)
        for seed in seeds:
            for number, (code, *_) in enumerate(species):
                easy = skill - 0.9 * np.sin(2.0 * number) + generator.normal(0, 0.15)
                missing = code in without_truth
                scores.append(_score(generator, model, seed, code, easy, 14 + number, missing))
    for seed in seeds:
        for number, (code, *_) in enumerate(species):
            missing = code in without_truth
            scores.append(_truth_score(seed, code, 14 + number, missing))
            scores.append(_score(generator, "control_shuffled", seed, code, -9.0, 14 + number, missing))
    species_table = tables.BENCHMARK_SPECIES.frame(
        [{k: v for k, v in score.items() if k != "curve"} for score in scores]
    )
    models_table = _models_table(species_table, detectors, n_seeds)
    comparisons, ranks = _compared(generator, models_table, seeds)
    first = ranks[ranks["rank"] == 1].set_index("model")["chance"]
    models_table = models_table.assign(chance_best=models_table["model"].map(first))
    fields: dict[str, Any] = {
        "species_table": species_table,
        "models_table": tables.BENCHMARK_MODELS.frame(models_table),
        "comparisons": comparisons,
        "ranks": ranks,
        "scores": scores,
        "histories": {
            (model, f"seed-{seed}"): _history(generator, n_epochs)
            for model, *_ in detectors
            for seed in seeds
        },
        "problems": _problems(),
        "split": _split(),
        "counts": _counts(species, without_truth),
        "species_list": [
            dict(zip(("code", "name", "authority", "family"), row, strict=True)) for row in species
        ],
        "config": _config(seeds, detectors),
        "provenance": {
            "versions": {"podura": "0.1.0", "torch": "2.9.0", "snakemake": "9.27.0"},
            "hardware": {"processor": "x86_64, 2 cores", "memory": "8 GB", "accelerator": "none"},
            "date": "2026-11-24",
            "code hash": "ad30434",
        },
        "overlays": [("Test image slide-03_field-1 with detections of Lite0", small_jpeg())],
        "trainings": {
            (model, f"seed-{seed}"): _training(model, seed, framework)
            for model, _, framework, _ in detectors
            for seed in seeds
        },
        "detections": {
            (model, f"seed-{seed}"): {"test": {"images": 20, "seconds": 0.8, "capped": [], "failed": {}}}
            for model, *_ in detectors
            for seed in seeds
        },
    }
    results = Results(**{**fields, **replaced})
    if "diagnosis" not in replaced:
        results = replace(results, diagnosis=make_diagnosis(results))
    if "crops_table" not in replaced:
        crops_table, crops = make_crops(results)
        results = replace(results, crops_table=crops_table, crops=crops)
    return results


def _training(model: str, seed: int, framework: str) -> dict[str, Any]:
    """What model.json says of a training."""
    return {
        "model": model,
        "seed": seed,
        "fold": 0,
        "adapter": framework,
        "architecture": model,
        "image_size": 640,
        "tiling": None,
        "start": "imagenet weights",
        "epochs": 30,
        "optimiser": {"name": "adamw", "learning_rate": 0.001, "weight_decay": 0.0005, "warmup": 0.1},
        "batch_size": 8,
        "best_epoch": 27,
        "steps": 600,
        "images_seen": 4800,
        "training_seconds": 93.4,
        "determinism": "deterministic algorithms, 1 CPU threads",
        "nondeterministic_operations": [],
        "device": "cpu",
        "versions": {"python": "3.11.7", "torch": "2.9.0", "numpy": "2.4.6"},
        "machine": {"system": "Linux x86_64", "processor": "AMD EPYC", "cores": "2"},
        "weights_sha256": hashlib.sha256(f"{model} {seed}".encode()).hexdigest(),
    }


def _compared(
    generator: np.random.Generator, models_table: pd.DataFrame, seeds: list[int]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Comparisons and ranks from resamples that lie about the figures of the table of models."""
    detectors = models_table[(models_table["role"] == "detector") & models_table["map50_95"].notna()]
    draws = {}
    for row in detectors.to_dict("records"):
        moved = generator.normal(0, 0.02, (len(seeds), 1, 301))
        moved[..., 0] = 0.0
        draws[row["model"]] = Draws(
            tuple(seeds), ("all",), np.array([60]), row["map50"] + moved, row["map50_95"] + moved
        )
    settings = ComparisonSettings(0.95, 20261124, 10)
    labels = dict(zip(models_table["model"], models_table["label"], strict=True))
    if len(draws) < 2:
        nothing = tables.BENCHMARK_COMPARISONS.frame([])
        return nothing, ranks_table(draws, settings)
    return comparisons_table(draws, labels, settings), ranks_table(draws, settings)


def with_people(
    results: Results,
    *,
    n_experts: int = 4,
    rounds: tuple[str, ...] = ("first", "second"),
    reference: str = "given",
) -> Results:
    """The same results with experts beside the detectors, better in each round."""
    generator = np.random.default_rng(11)
    codes = [tables.ALL_SPECIES, *(str(one["code"]) for one in results.species_list)]
    rows = []

    def judged(skill: float, **facts: Any) -> None:
        for code in codes:
            shares = {
                name: min(1.0, max(0.0, skill + generator.normal(0, 0.04)))
                for name in ("precision", "recall", "f1")
            }
            numbers = {
                f"{name}{end}": min(1.0, max(0.0, value + step))
                for name, value in shares.items()
                for end, step in (("", 0.0), ("_low", -0.1), ("_high", 0.1))
            }
            counts = {"n_images": 12, "n_slides": 6, "n_boxes": 50, "n_truth": 48, "n_right": 40}
            rows.append({"seed": None, "threshold": None, **facts, "species": code, **counts, **numbers})

    for place, turn in enumerate(rounds):
        for number in range(n_experts):
            who = {"kind": "expert", "who": f"{number}", "label": f"Expert {number}", "round": turn}
            judged(0.8 + 0.08 * place, reference=reference, **who)
            if place:
                judged(0.85, reference="earlier", **who)
        judged(0.8, kind="experts", who="experts", label="All experts", reference=reference, round=turn)
    detectors = results.models_table[results.models_table["role"] == "detector"]
    against = list(rounds) if reference == "others" else [""]
    curves = []
    for model in detectors.to_dict("records"):
        for turn in against:
            for kind in ("certified", "empirical"):
                facts = {"who": model["model"], "label": model["label"], "seed": 1, "threshold": kind}
                judged(0.7, kind="detector", reference=reference, round=turn, **facts)
            for score in results.scores:
                if score["model"] == model["model"] and score["seed"] == 1:
                    facts = {"model": model["model"], "seed": 1, "round": turn, "species": score["species"]}
                    curves.append(pd.DataFrame(score["curve"]).assign(**facts))
    return dataclasses.replace(
        results,
        people=tables.BENCHMARK_PEOPLE.frame(rows),
        people_curves=tables.PEOPLE_CURVES.frame(pd.concat(curves, ignore_index=True) if curves else []),
    )


#: Names that a page must survive: markup, formulas, quotes and commas, right-to-left text, no end.
HOSTILE_NAMES = (
    '=HYPERLINK("http://evil.example")',
    '"><script>window.hacked = 1</script><img src=x onerror=window.hacked=1>',
    "a, 'b'; \"c\" </script></style> & {{ 7 * 7 }} <!--",
    "\u202eenigirO\u202c \u0642\u0627\u0641\u0632 \u05e7\u05e4\u05d6\u05df",
    "Verylongname" * 40,
)
_HOSTILE_CODES = ("=1+1", "<b>&", "a,b;'c'", "\u05e7\u05e4", "C" * 200)


def hostile_results() -> Results:
    """Results in which every name of a species, detector, image, slide and run is hostile."""
    results = make_results(n_detectors=5, n_seeds=1)
    codes = dict(zip([str(s["code"]) for s in results.species_list], _HOSTILE_CODES, strict=True))
    names = dict(zip(_HOSTILE_CODES, HOSTILE_NAMES, strict=True))

    def coded(frame: pd.DataFrame) -> pd.DataFrame:
        columns = [c for c in ("species", "true_species", "found_species") if c in frame]
        return frame.assign(**{c: frame[c].replace(codes) for c in columns})

    models = results.models_table.copy()
    detectors = models["role"] == "detector"
    models.loc[detectors, "label"] = HOSTILE_NAMES
    models.loc[detectors, "licence"] = HOSTILE_NAMES[1]
    crops = coded(results.crops_table)
    return dataclasses.replace(
        results,
        species_table=coded(results.species_table),
        models_table=models,
        scores=[{**score, "species": codes[score["species"]]} for score in results.scores],
        species_list=[
            {
                **one,
                "code": codes[one["code"]],
                "name": names[codes[one["code"]]],
                "authority": HOSTILE_NAMES[1],
            }
            for one in results.species_list
        ],
        counts=coded(results.counts),
        diagnosis={name: coded(frame) for name, frame in results.diagnosis.items()},
        crops_table=crops.assign(image=[HOSTILE_NAMES[k % 5] for k in range(len(crops))]),
        missing=[f"{name}, seed 1: its training has not ended." for name in HOSTILE_NAMES],
        ensembles={models["model"].iloc[0]: {"members": [models["model"].iloc[1]], "seeds": "each"}},
        overlays=[(name, small_jpeg()) for name in HOSTILE_NAMES[1:3]],
    )


def small_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (640, 480), (214, 208, 190)).save(buffer, "JPEG")
    return buffer.getvalue()


def _species(n: int) -> list[tuple[str, str, str, str]]:
    extra = [
        (f"SPE-{k:03d}", f"{genus} {'abcdefghij'[k % 10]}ella{'um' * (k // 10)}", "", "Isotomidae")
        for k, genus in zip(
            range(max(0, n - len(SPECIES))),
            ["Folsomia", "Entomobrya", "Protaphorura", "Desoria", "Sminthurinus"] * n,
            strict=False,
        )
    ]
    return [*SPECIES, *extra][:n]


def _detectors(n: int) -> list[tuple[str, str, str, str]]:
    extra = [(f"model_{k}", f"Detector number {k}", "torchvision", "MIT") for k in range(n)]
    return [*DETECTORS, *extra][:n]


def _score(
    generator: np.random.Generator,
    model: str,
    seed: int,
    code: str,
    skill: float,
    n_truth: int,
    missing: bool,
) -> dict[str, Any]:
    n_false = 120 if skill < 0 else 40
    signal = generator.normal(max(skill, 0.0), 1.0, n_truth if skill > 0 else 1)
    noise = generator.normal(0.0 if skill > 0 else 2.0, 1.0, n_false)
    logits = np.concatenate([signal, noise])
    order = np.argsort(-logits)
    right = (np.arange(len(logits)) < len(signal))[order]
    scores = 1 / (1 + np.exp(-(logits[order] - 1)))
    recall = np.cumsum(right) / n_truth
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    ap50 = float(np.sum(precision[right]) / n_truth)
    if missing:
        return _empty(model, seed, code, int(generator.integers(0, 6)))
    reached = np.flatnonzero(precision >= 0.85)
    at = int(reached[-1]) if len(reached) and skill > 0 else None
    return {
        **_empty(model, seed, code, len(logits)),
        "n_slides": 8,
        "n_truth": n_truth,
        "ap50": ap50,
        "ap50_95": 0.78 * ap50,
        "ap50_voc": ap50,
        "ap50_low": max(0.0, ap50 - 0.09),
        "ap50_high": min(1.0, ap50 + 0.06),
        "threshold": None if at is None else float(scores[at]),
        "threshold_status": "failed" if at is None else "certified",
        "calibration_n": 0 if at is None else 140,
        "calibration_errors": 0 if at is None else 2,
        "calibration_slides": 0 if at is None else 12,
        "deff": None if at is None else 1.2,
        "precision_lower": None if at is None else 0.952,
        "threshold_empirical": None if at is None else 0.9 * float(scores[at]),
        "test_precision_empirical": None if at is None else 0.9 * float(precision[at]),
        "test_recall_empirical": None if at is None else float(recall[at]),
        **_at_threshold("precision", None if at is None else float(precision[at])),
        **_at_threshold("recall", None if at is None else float(recall[at])),
        "curve": {
            "recall": recall.tolist(),
            "precision": precision.tolist(),
            "score": scores.tolist(),
        },
    }


def _at_threshold(name: str, value: float | None) -> dict[str, float | None]:
    if value is None:
        return dict.fromkeys((f"test_{name}", f"test_{name}_low", f"test_{name}_high"))
    return {
        f"test_{name}": value,
        f"test_{name}_low": max(0.0, value - 0.12),
        f"test_{name}_high": min(1.0, value + 0.12),
    }


def _truth_score(seed: int, code: str, n_truth: int, missing: bool) -> dict[str, Any]:
    if missing:
        return _empty("control_truth", seed, code, 0)
    recall = (np.arange(1, n_truth + 1) / n_truth).tolist()
    perfect = dict.fromkeys(
        ("ap50", "ap50_95", "ap50_voc", "ap50_low", "ap50_high", "test_precision", "test_recall"),
        1.0,
    )
    return {
        **_empty("control_truth", seed, code, n_truth),
        **perfect,
        "n_slides": 8,
        "n_truth": n_truth,
        "threshold": 1.0,
        "threshold_status": "certified",
        "curve": {"recall": recall, "precision": [1.0] * n_truth, "score": [1.0] * n_truth},
    }


def _empty(model: str, seed: int, code: str, n_detections: int) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(tables.BENCHMARK_SPECIES.names)
    nothing.update(model=model, seed=seed, species=code, n_detections=n_detections)
    nothing.update(n_slides=0, n_truth=0, threshold_status="needs_more")
    nothing.update(calibration_n=0, calibration_errors=0, calibration_slides=0, needs_about=59)
    nothing["curve"] = {"recall": [], "precision": [], "score": []}
    return nothing


def _models_table(
    species_table: pd.DataFrame, detectors: list[tuple[str, str, str, str]], n_seeds: int
) -> pd.DataFrame:
    rows = []
    for model, label, framework, licence in [*detectors, *((*c, "control", "") for c in CONTROLS)]:
        of_model = species_table[species_table["model"] == model]
        per_seed = of_model.groupby("seed")[["ap50", "ap50_95"]].mean()
        spread = 0.0 if model == "control_truth" else 0.05
        map50, map50_95 = per_seed["ap50"].mean(), per_seed["ap50_95"].mean()
        detector = framework != "control"
        rows.append(
            {
                "model": model,
                "label": label,
                "role": "detector" if detector else "control",
                "rank": None,
                "chance_best": None,
                "n_seeds": n_seeds,
                "n_species": int(of_model.loc[of_model["ap50"].notna(), "species"].nunique()),
                "map50": map50,
                "map50_low": max(0.0, map50 - spread),
                "map50_high": min(1.0, map50 + spread),
                "map50_seed_min": per_seed["ap50"].min(),
                "map50_seed_max": per_seed["ap50"].max(),
                "map50_seed_sd": per_seed["ap50"].std(),
                "map50_95": map50_95,
                "map50_95_low": max(0.0, map50_95 - spread),
                "map50_95_high": min(1.0, map50_95 + spread),
                "map50_95_seed_sd": per_seed["ap50_95"].std(),
                "parameters": 2_508_659 if detector else None,
                "framework": framework,
                "licence": licence or None,
                "training_seconds": 93.4 if detector else None,
                "detection_seconds": 0.041 * 1.3 ** (len(rows) % 7) if detector else None,
                "peak_memory_mb": 812.0 if detector else None,
            }
        )
    frame = tables.BENCHMARK_MODELS.frame(rows)
    is_detector = frame["role"] == "detector"
    ranks = frame.loc[is_detector, "map50_95"].rank(ascending=False, method="first")
    frame.loc[is_detector, "rank"] = ranks.astype("Int64")
    return frame


def _history(generator: np.random.Generator, n_epochs: int) -> pd.DataFrame:
    epochs = np.arange(1, n_epochs + 1)
    value = 0.7 * (1 - np.exp(-epochs / 4)) + generator.normal(0, 0.02, n_epochs)
    best = np.maximum.accumulate(value)
    return tables.HISTORY.frame(
        pd.DataFrame(
            {
                "epoch": epochs,
                "step": epochs * 20,
                "images_seen": epochs * 80,
                "loss": 2.5 * np.exp(-epochs / 5) + 0.4,
                "loss_parts": "box=0.2;class=0.3",
                "learning_rate": 0.001,
                "micro_batch": 4,
                "validation_map50": np.clip(value * 1.25, 0, 1),
                "validation_map50_95": np.clip(value, 0, 1),
                "kept": value >= best,
                "seconds": 7.5,
                "validation_seconds": 1.5,
                "images_per_second": 4.2,
                "peak_memory_mb": 800.0,
            }
        )
    )


def _problems() -> pd.DataFrame:
    rows = [
        {
            "image": f"images/slide-{k:02d}_field-1.jpg",
            "row": str(k),
            "kind": "partly_outside",
            "severity": "warning",
            "treatment": "fixed",
            "value": "-3",
            "message": "x_min is -3; the box was cut at the image's edge",
        }
        for k in range(1, 8)
    ]
    rows.append(
        {
            "image": "images/slide-09_field-2.jpg",
            "row": "31",
            "kind": "unknown_name",
            "severity": "error",
            "treatment": "dropped",
            "value": "<script>alert(1)</script>",
            "message": "the species '<script>alert(1)</script>' is not in the species table",
        }
    )
    return tables.PROBLEMS.frame(rows)


def _split() -> pd.DataFrame:
    rows = []
    parts = ["train"] * 16 + ["validation"] * 6 + ["calibration"] * 8 + ["test"] * 10
    for slide, part in enumerate(parts, start=1):
        for field in (1, 2):
            image = f"images/slide-{slide:02d}_field-{field}.jpg"
            rows.append({"image": image, "slide": f"slide-{slide:02d}", "part": part, "fold": 0})
    return tables.SPLIT.frame(rows)


def _counts(species: list[tuple[str, str, str, str]], without_truth: tuple[str, ...]) -> pd.DataFrame:
    size = {"train": 60, "validation": 20, "calibration": 25, "test": 14}
    rows = []
    for part, n in size.items():
        for number, (code, *_) in enumerate(species):
            n_here = 0 if part == "test" and code in without_truth else n + number
            rows.append(
                {
                    "fold": 0,
                    "part": part,
                    "species": code,
                    "n_images": min(n_here, 20),
                    "n_slides": min(n_here, 8),
                    "n_specimens": n_here,
                }
            )
    return pd.DataFrame(rows)


def _config(seeds: list[int], detectors: list[tuple[str, str, str, str]]) -> Any:
    given = {
        "study": "demo",
        "seeds": seeds,
        "random_seed": 20261124,
        "split": {"by": "slide", "fractions": {"train": 0.4, "test": 0.25}},
        "models": {"table": "config/models.yaml", "include": [model for model, *_ in detectors]},
        "evaluation": {
            "score_floor": 0.01,
            "max_detections": 300,
            "iou": 0.5,
            "target_precision": 0.95,
            "certificate": {"delta": 0.05, "joint": False, "candidates": 20},
            "resamples": 1000,
            "confidence": 0.95,
        },
    }
    return with_defaults(given, load_schema(SCHEMAS, "config"))
