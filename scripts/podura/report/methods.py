"""The methods paragraph of a paper, with the numbers of the study filled in.

Pure: the same results give the same text. What the study does not tell is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from podura.report.results import Results, full_names, name_parts, ordered_models, species_codes
from podura.report.wording import count, listing, percent, plural
from podura.tables import PARTS

#: Text and whether it is in italics.
Part = tuple[str, bool]
Paragraph = tuple[Part, ...]

#: More species, or more detectors, are counted and not named: the tables name them.
_NAMED_SPECIES, _NAMED_DETECTORS = 12, 8


def methods_paragraphs(results: Results) -> list[Paragraph]:
    """What was done, in the past tense: data, training, evaluation, thresholds and software.

    Each paragraph is a sequence of (text, italic): names of species are in italics. References are
    given by author and year.
    """
    return [
        tuple(paragraph)
        for paragraph in (
            _data(results),
            [(_training(results), False)],
            [(_evaluation(results), False)],
            [(_thresholds(results), False)],
            [(_software(results), False)],
        )
        if any(text for text, _ in paragraph)
    ]


def methods_text(results: Results) -> str:
    """The paragraphs as plain text, an empty line between them."""
    return "\n\n".join("".join(text for text, _ in one) for one in methods_paragraphs(results))


def _data(results: Results) -> list[Part]:
    split, config = results.split, results.config
    one_fold = results.counts[results.counts["fold"] == results.counts["fold"].min()]
    codes = species_codes(results.species_list, results.species_table)
    head = (
        f"The data set has {plural(split['image'].nunique(), 'image')} of "
        f"{plural(split['slide'].nunique(), 'slide')} with "
        f"{plural(int(one_fold['n_specimens'].sum()), 'annotated specimen')} of {len(codes)} species"
    )
    parts: list[Part] = [(head, False)]
    if len(codes) <= _NAMED_SPECIES:
        parts.append((": ", False))
        names = full_names(results.species_list)
        for place, code in enumerate(codes):
            between = "" if not place else " and " if place == len(codes) - 1 else ", "
            parts += [(between, False), *name_parts(names.get(code, code))]
    by = config["split"]["by"]
    folds = int(split["fold"].max()) if len(split) else 0
    sizes = _part_sizes(results)
    if folds:
        dealt = (
            f"In {folds} folds each {by} was tested once; the other {by}s of a fold were divided among training, "
            "validation and calibration"
        )
    else:
        dealt = f"Whole {by}s were assigned to {listing(sizes)}"
    parts.append(
        (
            f". {dealt}, stratified by species (Sechidis et al. 2011; random seed {config['random_seed']}). "
            "Training slides fitted the weights, validation slides chose the epoch and proposed thresholds, "
            "calibration slides certified thresholds, and test slides served the reported results only. "
            f"{_leakage(results)}",
            False,
        )
    )
    return [(text, italic) for text, italic in parts if text]


def _part_sizes(results: Results) -> list[str]:
    specimens = results.counts.groupby("part")["n_specimens"].sum()
    sizes = []
    for part in PARTS:
        of_part = results.split[results.split["part"] == part]
        sizes.append(
            f"{'training' if part == 'train' else part} ({plural(of_part['slide'].nunique(), 'slide')}, "
            f"{plural(of_part['image'].nunique(), 'image')}, "
            f"{plural(int(specimens.get(part, 0)), 'specimen')})"
        )
    return sizes


def _leakage(results: Results) -> str:
    if results.leakage is None:
        return "Images were not searched for duplicates across parts."
    leaks = int((results.leakage["severity"] == "leak").sum())
    found = f"{plural(leaks, 'pair')} of images" if leaks else "no pair of images"
    return (
        "All images were searched for copies, crops and overlapping fields; "
        f"{found} in different parts showed the same."
    )


def trained_detectors(results: Results) -> list[str]:
    """The detectors that were trained, by rank: those that do not fuse others."""
    models = ordered_models(results.models_table, "detector")["model"]
    return [str(model) for model in models if model not in results.ensembles]


def _training(results: Results) -> str:
    trained = trained_detectors(results)
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    facts = {model: first_facts(results, model) for model in trained}
    described = [f"{labels[model]}{_recipe(facts[model])}" for model in trained]
    sentences = []
    if not trained:
        return ""
    if len(trained) <= _NAMED_DETECTORS:
        sentences.append(f"{plural(len(trained), 'detector was', 'detectors were')} trained: {'; '.join(described)}.")
    else:
        sentences.append(f"{plural(len(trained), 'detector was', 'detectors were')} trained.")
    seeds = trained_seeds(results)
    if seeds:
        each = "Each was trained once, with" if len(seeds) == 1 else f"Each was trained {len(seeds)} times, with"
        sentences.append(
            f"{each} {'the seed' if len(seeds) == 1 else 'the seeds'} {listing([str(seed) for seed in seeds])}, on "
            "the same images with the same augmentation "
            f"({_augmentation(results.config)}), with averaged weights and the epoch kept that had the "
            "highest mAP on the validation slides."
        )
    search = results.config.get("search") or {}
    if search.get("trials"):
        sentences.append(
            f"Before, learning rate and schedule of each detector were searched on the validation slides in "
            f"{search['trials']} trials of {search['epochs_per_trial']} epochs."
        )
    if results.ensembles:
        fused = [str(labels[name]) for name in results.ensembles if name in labels]
        if fused:
            sentences.append(
                f"{listing(fused)} fused the detections of others by weighted boxes (Solovyev et al. 2021)."
            )
    return " ".join(sentences)


def first_facts(results: Results, model: str) -> Mapping[str, Any]:
    """What model.json says of the first run of a model; empty where it was not read."""
    return next((facts for (name, _), facts in sorted(results.trainings.items()) if name == model), {})


def trained_seeds(results: Results) -> list[int]:
    """The seeds with which anything was trained."""
    seeds = {int(facts["seed"]) for facts in results.trainings.values()}
    return sorted(seeds) or sorted(int(seed) for seed in results.config.get("seeds", ()))


def _recipe(facts: Mapping[str, Any]) -> str:
    if not facts:
        return ""
    tiling = facts.get("tiling")
    seen = f"{facts['image_size']} px"
    if tiling:
        seen = f"tiles of {tiling['size']} px seen at {facts['image_size']} px"
    optimiser = facts["optimiser"]
    return (
        f" ({seen}, {plural(int(facts['epochs']), 'epoch')}, batch size {facts['batch_size']}, "
        f"{optimiser['name']} with a learning rate of {optimiser['learning_rate']:g}, start: {facts['start']})"
    )


def _augmentation(config: Mapping[str, Any]) -> str:
    settings = config["training"]["augmentation"]
    used = [
        f"{name.replace('_', ' ')}{'' if value is True else f' {value:g}'}"
        for name, value in settings.items()
        if value and name != "mosaic_until"
    ]
    return ", ".join(used) or "none"


def _evaluation(results: Results) -> str:
    terms = results.config["evaluation"]
    seeds = trained_seeds(results)
    over = "species" if len(seeds) < 2 else "species and then seeds"
    return (
        "All detectors were judged by one evaluator that follows COCO (Lin et al. 2014; average precision at 101 "
        f"recall points) on detections with a score of at least {terms['score_floor']:g}, at most "
        f"{count(terms['max_detections'])} an image. Detectors were ranked by AP50:95, the mean over ten overlaps from "
        f"0.50 to 0.95, averaged over {over}. {percent(terms['confidence'])} intervals rest on "
        f"{count(terms['resamples'])} resamples of whole test slides: of mean average precision by Student's t on "
        "the logit scale, over slides and seeds; of precision and recall by Wilson's interval with an effective "
        "sample size (Korn & Graubard 1998). Detectors were compared by paired resamples, with intervals that hold "
        "for all pairs at once (Westfall & Young 1993). Kinds of errors follow TIDE (Bolya et al. 2020). Two "
        "controls, the truth itself and a shuffled truth, went through the same evaluation."
    )


def _thresholds(results: Results) -> str:
    terms = results.config["evaluation"]
    joint = "all species of a run together" if results.joint else "each species of a run"
    return (
        f"For each species a score threshold was certified to keep a precision of {percent(results.target_precision)} at "
        f"IoU {results.iou:g}: {terms['certificate']['candidates']} candidates were proposed on validation slides and "
        "tested in a fixed sequence on calibration slides (Learn then Test, Angelopoulos et al. 2025) by "
        "beta-binomial tests that allow for errors that cluster by slide, such that a certificate is wrong with a "
        f"chance of at most {percent(results.delta)} for {joint}. Where no candidate passed, no threshold is certified."
    )


def _software(results: Results) -> str:
    code = results.provenance.get("code", {})
    version = f" {code['podura']}" if "podura" in code else ""
    commit = f" (commit {code['commit']})" if "commit" in code else ""
    names = {
        "python": "Python",
        "torch": "PyTorch",
        "torchvision": "torchvision",
        "ultralytics": "Ultralytics",
        "transformers": "transformers",
    }
    used = [
        f"{names[name]} {listing(versions)}" for name, versions in _versions(results.trainings.values()) if name in names
    ]
    with_them = f" with {listing(used)}" if used else ""
    machines = sorted({_hardware(facts) for facts in results.trainings.values() if "device" in facts})
    on = f", on {listing(machines)}" if machines else ""
    return (
        f"The study was run with Podura{version}{commit}{with_them}{on}. The configuration, the seeds and the "
        "digests of weights and split are in the study's report."
    )


def _hardware(facts: Mapping[str, Any]) -> str:
    """The GPU of a training, or the processor where it had none."""
    device = str(facts["device"])
    return str(facts.get("machine", {}).get("processor", device)) if device == "cpu" else device


def _versions(trainings: Iterable[Mapping[str, Any]]) -> Sequence[tuple[str, list[str]]]:
    """Every version of each package that trainings used."""
    found: dict[str, set[str]] = {}
    for facts in trainings:
        for name, version in facts.get("versions", {}).items():
            found.setdefault(str(name), set()).add(str(version))
    return [(name, sorted(versions)) for name, versions in found.items()]
