"""What these results lack, said before a reader relies on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from podura.report.results import Results, full_names, ordered_models, species_codes
from podura.report.wording import PAINTED, listing, plural
from podura.tables import ALL_SEEDS

#: More names than this are counted.
_NAMED = 8


def gaps(results: Results) -> list[str]:
    """Sentences on what is absent from the results of a study, or rests on too little; the gravest first.

    What the study asks for and did not get is in ``results.missing`` and not told again here.
    """
    painted = [PAINTED] if results.painted else []
    return [
        *painted,
        *_unscored(results),
        *_seeds(results),
        *_species(results),
        *_images(results),
        *_leakage(results),
    ]


def _some(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return listing(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"


def _unscored(results: Results) -> Iterator[str]:
    detectors = ordered_models(results.models_table, "detector")
    unscored = [str(label) for label in detectors.loc[detectors["map50_95"].isna(), "label"]]
    if unscored:
        yield f"Without a score: {_some(unscored)}."


def _seeds(results: Results) -> Iterator[str]:
    wanted = len(results.config.get("seeds", ()))
    detectors = ordered_models(results.models_table, "detector")
    fused = {name for name, one in results.ensembles.items() if one["seeds"] == "all"}
    single = [row for row in detectors.to_dict("records") if row["model"] not in fused]
    if wanted == 1:
        alone = len(single) == 1
        yield (
            f"{'The' if alone else 'Every'} detector was trained with one seed only. How far chance in "
            "training moves these numbers is not known"
            f"{'' if alone else ': a difference between two detectors may be luck'}."
        )
        return
    # A detector without any run is told of as one without a score.
    for number in sorted({int(row["n_seeds"]) for row in single if 0 < row["n_seeds"] < wanted}):
        labels = [str(row["label"]) for row in single if row["n_seeds"] == number]
        yield f"With {plural(number, 'seed')} of {wanted}: {_some(labels)}."


def _species(results: Results) -> Iterator[str]:
    names = full_names(results.species_list)
    table = results.species_table
    codes = species_codes(results.species_list, table)
    scored = set(table.loc[table["n_truth"].fillna(0) > 0, "species"])
    absent = [names.get(code, code) for code in codes if code not in scored]
    if absent:
        be = "is" if len(absent) == 1 else "are"
        yield (
            f"No test slide shows {_some(absent)}: {'it' if len(absent) == 1 else 'they'} {be} in no mean, "
            "and "
            "nothing is known of how well a detector identifies "
            f"{'it' if len(absent) == 1 else 'them'}."
        )
    few = table[(table["n_slides"].fillna(0) > 0) & table["ap50"].notna() & table["ap50_low"].isna()]
    rough = [names.get(code, code) for code in codes if code in set(few["species"]) and code in scored]
    if rough:
        yield f"On too few test slides for an interval: {_some(rough)}."


def _images(results: Results) -> Iterator[str]:
    detectors = set(ordered_models(results.models_table, "detector")["model"])
    failed, capped = set(), set()
    for (model, _), facts in results.detections.items():
        if model not in detectors:
            continue
        of_test = facts.get("test", {})
        failed |= set(of_test.get("failed", ()))
        capped |= set(of_test.get("capped", ()))
    if failed:
        yield f"Test images that could not be read, and so show no detection: {_some(sorted(failed))}."
    if capped:
        yield (
            f"In {plural(len(capped), 'test image')} a detector reached the cap of "
            f"{results.config['evaluation']['max_detections']} detections (evaluation.max_detections), so "
            "weaker "
            "ones are cut off."
        )


def _leakage(results: Results) -> Iterator[str]:
    if results.leakage is None:
        yield "Images were not compared with each other: whether parts share images is not known."
    elif (results.leakage["severity"] == "leak").any():
        yield "Images of different parts show the same, which flatters every detector: see “On what data?”."


def n_seeds(results: Results) -> int:
    """The number of seeds with which detectors were trained."""
    return int(results.species_table["seed"].loc[lambda seed: seed != ALL_SEEDS].nunique())
