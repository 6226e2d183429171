"""How the results were made, as the page tells it: trainings, and what chance had to do with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from podura.report.comparisons import ranked_models
from podura.report.gaps import n_seeds
from podura.report.methods import trained_seeds
from podura.report.parts import is_number
from podura.report.results import (
    Results,
    full_names,
    name_parts,
    ordered_models,
    seed_means,
    species_codes,
)
from podura.report.wording import (
    MISSING,
    count,
    duration,
    fraction,
    interval,
    listing,
    memory,
    millions,
    plural,
    rounded,
    small,
)


def training_rows(results: Results) -> list[dict[str, str]]:
    """One row a training: which weights it ended with, and what made them."""
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    place = {m: k for k, m in enumerate(ordered_models(results.models_table, "detector")["model"])}
    rows = []
    trainings = sorted(
        results.trainings.items(),
        key=lambda item: (place.get(item[0][0], len(place)), item[1]["fold"], item[1]["seed"]),
    )
    for (model, _), facts in trainings:
        fold = f", fold {facts['fold']}" if facts["fold"] else ""
        rows.append(
            {
                "label": str(labels.get(model, model)),
                "run": f"seed {facts['seed']}{fold}",
                "start": str(facts["start"]),
                "epochs": f"{facts['best_epoch']} of {facts['epochs']}",
                "steps": count(facts["steps"]),
                "time": duration(facts["training_seconds"]),
                "determinism": _thread_words(facts["determinism"]),
                "weights": str(facts["weights_sha256"]),
            }
        )
    return rows


def randomness(results: Results) -> list[tuple[str, str]]:
    """Questions on chance, each with its answer for this study."""
    seeds = trained_seeds(results)
    config = results.config
    lacking = f" (this report lacks {len(results.missing)} of these runs)" if results.missing else ""
    return [
        (
            "What is random?",
            "In training: the weights that are not taken from elsewhere, the order of the images, and what "
            "augmentation does to them. Before: how slides are dealt to parts"
            + (" and which settings a search tries" if (config.get("search") or {}).get("trials") else "")
            + ". After: which slides a resample draws. Detection, matching and thresholds have nothing "
            "random.",
        ),
        (
            "Which seeds?",
            f"Every detector {'is to be' if results.missing else 'was'} trained with "
            f"{'the seed' if len(seeds) == 1 else 'each of the seeds'} "
            f"{listing([str(seed) for seed in seeds])}"
            f"{lacking}, which governs all that is random in a training. All that is not training follows "
            f"from the study's random seed {config['random_seed']}, so every detector "
            "meets the same split and the same resamples of slides.",
        ),
        ("Would it come out the same again?", _determinism(results)),
        ("Does it hang on one split?", _folds(results)),
        ("Are runs averaged?", _ensembles(results)),
        ("What spread remains?", _remaining(results)),
    ]


def _thread_words(determinism: object) -> str:
    return re.sub(r"\b1 CPU threads\b", "1 CPU thread", str(determinism))


def _determinism(results: Results) -> str:
    facts = results.trainings.values()
    how = sorted({_thread_words(one["determinism"]) for one in facts})
    loose = sorted({str(name) for one in facts for name in one["nondeterministic_operations"]})
    said = f"Trainings used {listing(how)}. " if how else ""
    if loose:
        return (
            f"{said}These operations have no deterministic form on the device that was used: "
            f"{listing(loose)}. Two "
            "trainings with one seed may therefore differ in the last digits, and what follows from them a "
            "little."
        )
    return (
        f"{said}The same seed on the same machine gives the same weights, byte for byte, and so the same "
        "numbers on this "
        "page, times aside. Another processor, another version of a library or another number of threads "
        "adds up "
        "in another order, and results differ as with another seed."
    )


def _folds(results: Results) -> str:
    folds = int(results.split["fold"].max()) if len(results.split) else 0
    by = results.config["split"]["by"]
    if folds:
        return (
            f"No. There are {folds} folds: every {by} was tested once, by detectors that had not seen it, "
            "so results "
            "do not hang on which of them came to be tested. How another dealing of the rest would move "
            "them is in "
            "the intervals as far as slides differ."
        )
    return (
        f"There is one split, dealt once by {by}, so yes: other test slides would give other numbers. The "
        "intervals over "
        "slides say how far. With split.folds every slide is tested once."
    )


def _ensembles(results: Results) -> str:
    if not results.ensembles:
        return (
            "No detector here fuses runs: a number that stands without a seed is the mean over seeds of "
            "single runs, "
            "not what an ensemble of them would reach."
        )
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    named = listing([str(labels.get(name, name)) for name in results.ensembles])
    return (
        f"{named}: the detections of several runs are fused, which averages out a part of what training by "
        "chance "
        "does. Where all seeds are fused there is one run, and what other seeds would change is not in its "
        "interval."
    )


def _remaining(results: Results) -> str:
    detectors = ordered_models(results.models_table, "detector")
    spreads = detectors["map50_95_seed_sd"].dropna().astype(float)
    widths = (detectors["map50_95_high"] - detectors["map50_95_low"]).dropna().astype(float) / 2
    if n_seeds(results) < 2:
        return "That over seeds is not known, since there is one. Intervals are over slides alone."
    if spreads.empty:
        return "No detector has a spread over seeds that could be told."
    seeds = fraction(spreads.median(), 3)
    if widths.empty:
        return f"The standard deviation over seeds of mean AP50:95 is {seeds} (the middle detector)."
    half = fraction(widths.median(), 3)
    more = "slides" if widths.median() > 2 * spreads.median() else "seeds"
    advice = (
        "More test slides would narrow the intervals most."
        if more == "slides"
        else "More seeds would narrow the intervals as well as more slides."
    )
    return (
        f"The standard deviation over seeds of mean AP50:95 is {seeds}, the half-width of its interval over "
        "slides and "
        f"seeds {half} (the middle detector; “How sure?” has each). {advice} With "
        f"{plural(n_seeds(results), 'seed')} "
        "the spread itself is known only roughly."
    )


def spread_rows(results: Results) -> list[dict[str, str]]:
    """One row a detector, by rank: how mean AP50:95 moves with the seed and with the slides."""
    seeds = seed_means(results.species_table, "ap50_95")
    rows = []
    for row in ordered_models(results.models_table, "detector").to_dict("records"):
        values = seeds.get(str(row["model"]), [])
        fused = results.ensembles.get(str(row["model"]), {}).get("seeds") == "all"
        rows.append(
            {
                "label": str(row["label"]),
                "n": "all fused" if fused else count(row["n_seeds"]),
                "mean": fraction(row["map50_95"], 3),
                "sd": fraction(row["map50_95_seed_sd"], 3),
                "seeds": interval(min(values), max(values), 3) if len(values) > 1 else MISSING,
                "slides": interval(row["map50_95_low"], row["map50_95_high"], 3),
            }
        )
    return rows


def species_spread_rows(results: Results) -> list[dict[str, Any]]:
    """Of the detector ranked first, one row a species: how AP50 and the threshold move with the seed."""
    ranked = ranked_models(results.models_table)
    if not ranked:
        return []
    names = full_names(results.species_list)
    table = results.species_table[results.species_table["model"] == ranked[0]]
    rows = []
    for code in species_codes(results.species_list, table):
        of_species = table[table["species"] == code]
        values = of_species["ap50"].dropna().astype(float)
        thresholds = of_species["threshold"].dropna().astype(float)
        rows.append(
            {
                "name": name_parts(names.get(code, code)),
                "mean": fraction(values.mean(), 3) if len(values) else MISSING,
                "sd": fraction(values.std(), 3) if len(values) > 1 else MISSING,
                "seeds": interval(values.min(), values.max(), 3) if len(values) > 1 else MISSING,
                "certified": f"{len(thresholds)} of {len(of_species)}",
                "thresholds": interval(thresholds.min(), thresholds.max(), 3)
                if len(thresholds) > 1
                else fraction(thresholds.iloc[0], 3)
                if len(thresholds)
                else MISSING,
            }
        )
    return rows


def cost_rows(results: Results) -> list[dict[str, str]]:
    """One row a detector, by rank: size, time, memory and energy of training and detection.

    From the table of costs; without one, what the table of models tells.
    """
    known = {} if results.costs is None else {row["model"]: row for row in results.costs.to_dict("records")}
    rows = []
    for model in ordered_models(results.models_table, "detector").to_dict("records"):
        costs: Mapping[str, Any] = known.get(model["model"], {})
        rows.append(
            {
                "label": str(model["label"]),
                "parameters": millions(model["parameters"]),
                "size": small(memory(costs.get("model_mb"))),
                "training": duration(model["training_seconds"]),
                "training_images": small(_rate(costs.get("training_images_per_second"), "images/s")),
                "training_memory": memory(model["peak_memory_mb"]),
                "training_energy": _energy(costs.get("training_energy_wh")),
                "detection": duration(model["detection_seconds"]),
                "detection_rate": small(_rate(costs.get("detection_megapixels_per_second"), "megapixels/s")),
                "detection_energy": _energy(costs.get("detection_energy_wh")),
                "device": str(costs.get("device", MISSING)),
                "framework": MISSING if pd.isna(model["framework"]) else str(model["framework"]),
            }
        )
    return rows


def energy_note(results: Results) -> str:
    """Whether energy was measured, and how or why not, in a sentence; "" where nothing is known."""
    if results.costs is None or results.costs.empty:
        return ""
    status = listing(sorted(set(results.costs["energy_status"].dropna())))
    notes = listing(sorted(set(results.costs["energy_note"].dropna())))
    return f"Energy: {status}{f' ({notes})' if notes else ''}."


def _rate(value: Any, unit: str) -> str:
    return f"{rounded(value)} {unit}" if is_number(value) else MISSING


def _energy(value: Any) -> str:
    return f"{rounded(value)} Wh" if is_number(value) else MISSING
