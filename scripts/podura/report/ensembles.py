"""What fusing runs is worth: each ensemble beside the single runs that it fuses."""

from __future__ import annotations

from podura.report.results import Results, ordered_models, seed_means
from podura.report.wording import count, fraction, interval, listing


def ensemble_sentences(results: Results) -> list[str]:
    """A sentence for each ensemble, by rank: its mean AP50:95 and that of what it fuses.

    In brackets the lowest and the highest value of a seed, where there are several.
    """
    detectors = ordered_models(results.models_table, "detector")
    labels = dict(zip(detectors["model"], detectors["label"], strict=True))
    seeds = seed_means(results.species_table, "ap50_95")
    values = dict(zip(detectors["model"], detectors["map50_95"], strict=True))
    runs = dict(zip(detectors["model"], detectors["n_seeds"], strict=True))

    def value(model: str) -> str:
        found = seeds.get(model, [])
        spread = f" ({interval(min(found), max(found))})" if len(found) > 1 else ""
        return f"{fraction(values[model])}{spread}"

    sentences = []
    for model in (name for name in detectors["model"] if name in results.ensembles):
        ensemble = results.ensembles[model]
        members = [member for member in ensemble["members"] if member in labels]
        if not members:
            continue
        names = listing([str(labels[member]) for member in members])
        n_seeds = max(int(runs[member]) for member in members)
        if ensemble["seeds"] == "each":
            what = f"{names}, seed by seed"
        elif n_seeds == 1:
            what = names
        else:
            what = f"all {count(n_seeds)} seeds of {names}"
        single = [f"{value(member)} of {labels[member]} alone" for member in members]
        if len(members) == 1:
            single = [f"{value(members[0])} of single runs"]
        sentences.append(
            f"{labels[model]} fuses {what}: mean AP50:95 {value(model)}, against {listing(single)}."
        )
    return sentences
