"""The methods paragraph of a paper, with the numbers of the study filled in.

Pure: the same results give the same text. What the study does not tell is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from podura.report.results import Results, full_names, name_parts, ordered_models, species_codes
from podura.report.wording import count, listing, percent, plural, words_of
from podura.tables import PARTS

#: Text and whether it is in italics.
Part = tuple[str, bool]
Paragraph = tuple[Part, ...]

_OPTIMISERS = {"adamw": "AdamW", "sgd": "SGD"}
_NAMES = {
    "python": "Python",
    "torch": "PyTorch",
    "torchvision": "torchvision",
    "ultralytics": "Ultralytics",
    "transformers": "transformers",
}
# Of these libraries each is used by the adapter of its name alone.
_OF_AN_ADAPTER = ("torchvision", "ultralytics", "transformers")
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
    split = results.split
    one_fold = results.counts[results.counts["fold"] == results.counts["fold"].min()]
    codes = species_codes(results.species_list, results.species_table)
    painted = ", painted by Podura," if results.painted else ""
    head = (
        f"The data set has {plural(split['image'].nunique(), 'image')} of "
        f"{plural(split['slide'].nunique(), 'slide')}{painted} with "
        f"{plural(int(one_fold['n_specimens'].sum()), 'annotated specimen')} of {len(codes)} species"
    )
    parts: list[Part] = [(head, False)]
    if len(codes) <= _NAMED_SPECIES:
        parts += [(": ", False), *_species(results, codes)]
    parts.append(
        (
            f". {_dealt(results)} "
            "Training slides fitted the weights, validation slides chose the epoch and proposed thresholds, "
            "calibration slides certified thresholds, and test slides served the reported results only. "
            f"{_leakage(results)}",
            False,
        )
    )
    return [(text, italic) for text, italic in parts if text]


def _species(results: Results, codes: Sequence[str]) -> list[Part]:
    """The species by name, each with its authority, as zoological papers have them at first mention."""
    names = full_names(results.species_list)
    told = {str(one["code"]): one.get("authority") for one in results.species_list}
    known = {code: "" if pd.isna(told.get(code)) else str(told[code] or "") for code in codes}
    # An authority mostly has a comma of its own, before the year.
    between, last = ("; ", "; and ") if any("," in one for one in known.values()) else (", ", " and ")
    if len(codes) == 2:
        last = " and "
    parts: list[Part] = []
    for place, code in enumerate(codes):
        parts.append(("" if not place else last if place == len(codes) - 1 else between, False))
        parts += name_parts(names.get(code, code))
        if known[code]:
            parts.append((f" {known[code]}", False))
    return parts


def _dealt(results: Results) -> str:
    """How slides came into their parts."""
    split, terms = results.split, results.config["split"]
    by = terms["by"]
    folds = int(split["fold"].max()) if len(split) else 0
    how = f"stratified by species (Sechidis et al. 2011; random seed {results.config['random_seed']})"
    if folds:
        return (
            f"In {folds} folds each {by} was tested once; the other {terms.get('others_by') or by}s of a "
            f"fold were divided among training, validation and calibration, {how}."
        )
    sizes = listing(_part_sizes(results))
    given = int(results.provenance.get("split", {}).get("images_with_given_part", 0))
    if given >= split["image"].nunique():
        return f"The parts came with the data set: {sizes}."
    if given:
        return (
            f"Whole {by}s were assigned to {sizes}: {plural(given, 'image')} as the data set gives it, the "
            f"others {how}."
        )
    return f"Whole {by}s were assigned to {sizes}, {how}."


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
    """The detectors that were trained, by rank: those that do not fuse others, and did not all fail."""
    models = ordered_models(results.models_table, "detector")["model"]
    trained = {model for model, _ in results.trainings} or set(models)
    return [str(model) for model in models if model in trained and model not in results.ensembles]


def _training(results: Results) -> str:
    trained = trained_detectors(results)
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    facts = {model: first_facts(results, model) for model in trained}
    described = [f"{labels[model]}{_recipe(facts[model])}" for model in trained]
    sentences = []
    if not trained:
        return ""
    if len(trained) <= _NAMED_DETECTORS:
        sentences.append(
            f"{words_of(len(trained), 'detector was', 'detectors were')} trained: {'; '.join(described)}."
        )
    else:
        sentences.append(f"{words_of(len(trained), 'detector was', 'detectors were')} trained.")
    if trained_seeds(results):
        how = "on the same images with the same" if len(trained) > 1 else "with the"
        sentences.append(
            f"{_times(results)}, {how} augmentation "
            f"({_augmentation(results.config)}){_averaged(results)}. The epoch was kept that had the highest "
            "mAP on the validation slides."
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


def _averaged(results: Results) -> str:
    """Whether weights were averaged, as they are unless a training tells otherwise."""
    decays = [facts.get("average_decay", 1) for facts in results.trainings.values()]
    return "" if decays and not any(decays) else ", with a running average of the weights"


def _times(results: Results) -> str:
    """How often each detector was trained and with which seeds; those with fewer are named."""
    seeds = trained_seeds(results)
    every = "the seed" if len(seeds) == 1 else "the seeds"
    times = {1: "once", 2: "twice"}.get(len(seeds), f"{len(seeds)} times")
    each = "Each" if len(trained_detectors(results)) > 1 else "It"
    said = f"{each} was trained {times}, with {every} {listing([str(seed) for seed in seeds])}"
    of_model: dict[str, set[int]] = {}
    for (model, _), facts in results.trainings.items():
        of_model.setdefault(model, set()).add(int(facts["seed"]))
    labels = dict(zip(results.models_table["model"], results.models_table["label"], strict=True))
    fewer = [
        f"{labels[model]}, {plural(len(of_model.get(model, ())), 'training')}"
        for model in trained_detectors(results)
        if of_model and len(of_model.get(model, ())) < len(seeds)
    ]
    if not fewer:
        return said
    named = "; ".join(fewer) if len(fewer) <= _NAMED_DETECTORS else plural(len(fewer), "detector")
    return f"{said} (fewer: {named})"


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
        f"{_OPTIMISERS.get(optimiser['name'], optimiser['name'])} with a learning rate of "
        f"{optimiser['learning_rate']:g}, start: {str(facts['start']).partition('; random:')[0]})"
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
    several = len(ordered_models(results.models_table, "detector")) > 1
    seeds = trained_seeds(results)
    over, resampled = (
        ("species", "slides") if len(seeds) < 2 else ("species and then seeds", "slides and seeds")
    )
    compared = (
        "Detectors were compared by paired resamples, with intervals that hold for all pairs at once "
        "(Westfall & Young 1993). "
    )
    return (
        f"{'All detectors were' if several else 'The detector was'} judged by one evaluator that follows "
        "COCO (Lin et al. 2014; average precision at 101 recall points) on detections with a score of at "
        f"least {terms['score_floor']:g}, at most {count(terms['max_detections'])} per image. "
        f"{'Detectors were ranked by' if several else 'The main measure is'} AP50:95, the mean over ten "
        f"overlaps from 0.50 to 0.95, averaged over {over}. {percent(terms['confidence'])} intervals rest "
        f"on {count(terms['resamples'])} resamples of whole test slides: of mean average precision by "
        f"Student's t on the logit scale, over {resampled}; of precision and recall by Wilson's interval "
        f"with an effective sample size (Korn & Graubard 1998). {compared if several else ''}"
        "Kinds of errors follow TIDE (Bolya et al. 2020). Two controls, the truth itself and a shuffled "
        "truth, went through the same evaluation."
    )


def _thresholds(results: Results) -> str:
    terms = results.config["evaluation"]
    joint = "all species of a run together" if results.joint else "each species of a run"
    return (
        "For each species a score threshold was sought that keeps a precision of "
        f"{percent(results.target_precision)} at IoU {results.iou:g}: {terms['certificate']['candidates']} "
        "candidates were proposed on validation slides and tested in a fixed sequence on calibration slides "
        "(Learn then Test, Angelopoulos et al. 2025) by beta-binomial tests that allow for errors that "
        "cluster by slide, such that a certificate is wrong with a chance of at most "
        f"{percent(results.delta)} for {joint}. Where no candidate passed, no threshold is certified."
    )


def _software(results: Results) -> str:
    code = results.provenance.get("code", {})
    version = f" {code['podura']}" if "podura" in code else ""
    commit = f" (commit {code['commit']})" if "commit" in code else ""
    used = [f"Podura{version}{commit}", *_libraries(results)]
    lacking = len(results.missing)
    preliminary = (
        f"Results are preliminary: {plural(lacking, 'planned run is', 'planned runs are')} not among them. "
        if lacking
        else ""
    )
    machines = sorted({_hardware(facts) for facts in results.trainings.values() if "device" in facts})
    on = f", on {listing(machines)}" if machines else ""
    return (
        f"{preliminary}The study was run with {listing(used)}{on}. The configuration, the seeds and the "
        "digests of weights and split are in the study's report."
    )


def _libraries(results: Results) -> list[str]:
    """Libraries with their versions, of those installed the ones that some training used."""
    adapters = {str(facts.get("adapter")) for facts in results.trainings.values()}
    return [
        f"{name} {listing(versions)}"
        for library, versions in _versions(results.trainings.values())
        if (name := _NAMES.get(library)) and (library not in _OF_AN_ADAPTER or library in adapters)
    ]


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
