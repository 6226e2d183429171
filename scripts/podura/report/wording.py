"""Numbers and sentences as a reader meets them: a missing value is a dash, never 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from podura.annotations.kinds import KINDS
from podura.report.parts import is_number
from podura.report.results import Results, ordered_models, seed_means

MISSING = "–"
#: What is said first of a study on painted slides.
PAINTED = (
    "These slides are painted: Podura drew every image and knows where each animal lies. They serve to try "
    "out and to test a workflow; nothing about real animals can be learnt from them."
)
_NUMBERS = (
    "No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve",
)  # fmt: skip


def fraction(value: Any, digits: int = 2) -> str:
    """A value from 0 to 1. Only an exact 0 or 1 is written as such: 0.998 is ``>0.99``."""
    if not is_number(value):
        return MISSING
    number, step = float(value), 10.0**-digits
    if 0 < number < step / 2:
        return f"<{step:.{digits}f}"
    if 1 - step / 2 <= number < 1:
        return f">{1 - step:.{digits}f}"
    return f"{number:.{digits}f}"


def interval(low: Any, high: Any, digits: int = 2) -> str:
    """``0.66 to 0.75``; a dash if an end is missing."""
    if not (is_number(low) and is_number(high)):
        return MISSING
    return f"{fraction(low, digits)} to {fraction(high, digits)}"


def count(value: Any) -> str:
    """A whole number with separators: ``1,234``."""
    return f"{round(float(value)):,}" if is_number(value) else MISSING


def small(words: str) -> str:
    """Small print beneath a value, of which a dash would tell nothing more."""
    return "" if words == MISSING else words


def percent(value: float) -> str:
    """``95 %``, with a space that does not break."""
    return f"{100 * value:.4g}\u00a0%"


def chance(value: Any) -> str:
    """A chance in whole percents; ``>99 %`` and ``<1 %`` where resamples cannot tell more."""
    if not is_number(value):
        return MISSING
    share = 100 * float(value)
    return ">99\u00a0%" if share > 99 else "<1\u00a0%" if share < 1 else f"{share:.0f}\u00a0%"


def millions(value: Any) -> str:
    """A number of parameters: ``2.51 million``, ``1,240 million``."""
    return f"{rounded(float(value) / 1e6)} million" if is_number(value) else MISSING


def duration(seconds: Any) -> str:
    """A time in the unit that fits it: ``41 ms``, ``3.5 s``, ``2 min 5 s``, ``1 h 20 min``."""
    if not is_number(seconds):
        return MISSING
    value = float(seconds)
    if value < 0.9995:
        return f"{1000 * value:.3g} ms"
    if round(value) < 60:
        return f"{value:.2g} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def memory(megabytes: Any) -> str:
    """``812 MB`` or ``1.2 GB``."""
    if not is_number(megabytes):
        return MISSING
    value = float(megabytes)
    return f"{value:.0f} MB" if value < 999.5 else f"{value / 1000:.1f} GB"


def plural(number: int, one: str, several: str | None = None) -> str:
    """``1 slide``, ``2 slides``."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def words_of(number: int, one: str, several: str | None = None) -> str:
    """As ``plural``, with a number up to twelve as a word and a capital, for the head of a sentence."""
    if number >= len(_NUMBERS):
        return plural(number, one, several)
    return f"{_NUMBERS[number]} {one if number == 1 else several or one + 's'}"


def listing(names: Sequence[str]) -> str:
    """``A``, ``A and B``, ``A, B and C``."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def rounded(value: Any) -> str:
    """A size to three digits: ``1,290``, ``64.5``, ``7``; larger ones to the unit."""
    if not is_number(value):
        return MISSING
    number = float(value)
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def sites_of(sites: pd.Series) -> str:
    """The sites of images in words; "" where none is told."""
    known = sorted(sites.dropna().astype(str).unique())
    if not known:
        return ""
    words = _at_most_five(known)
    missing = int(sites.isna().sum())
    return words + (f"; not told for {plural(missing, 'image')}" if missing else "")


def faults_by_image(problems: pd.DataFrame) -> dict[str, list[str]]:
    """For each image that has any, its faults in sentences, from a frame as tables.PROBLEMS."""
    found: dict[str, list[str]] = {}
    for fault in problems[problems["image"].notna()].to_dict("records"):
        where = "" if pd.isna(fault["row"]) else f" ({fault['row']})"
        found.setdefault(str(fault["image"]), []).append(
            f"{kind_words(fault['kind'])}, {fault['treatment']}{where}: {fault['message']}"
        )
    return found


def image_title(image: str, slide: str) -> str:
    """An image's name, with its slide where the name does not tell it."""
    if slide in image:
        return image
    return f"{image}, {slide}" if slide.casefold().startswith("slide") else f"{image}, slide {slide}"


def kind_meaning(kind: Any) -> str:
    """What a kind of fault means; nothing for one that the catalogue does not know."""
    return KINDS[kind].meaning if kind in KINDS else ""


def kind_words(kind: Any) -> str:
    """A kind of fault as words: ``partly outside``."""
    return str(kind).replace("_", " ")


def verdict(results: Results) -> list[str]:
    """Sentences that answer "which detector?" from the table of models."""
    detectors = ordered_models(results.models_table, "detector")
    scored = detectors[detectors["map50_95"].notna()]
    if scored.empty:
        return ["No detector has a score: no species has a specimen on the test slides, or none was run."]
    best = scored[scored["map50_95"] == scored["map50_95"].max()]
    sentences = [_best_sentence(results, best, alone=len(scored) == 1)]
    others = scored[~scored["model"].isin(best["model"])]
    if len(scored) == 1:
        sentences.append("It is the only detector with a score, so nothing is compared.")
    elif not others.empty:
        compared = results.comparisons is not None and not results.comparisons.empty
        sentences.append(
            _told_apart_sentence(results, best, others)
            if compared
            else _separation_sentence(results, best, others)
        )
    unscored = detectors[detectors["map50_95"].isna()]
    if len(unscored):
        sentences.append(f"{listing(list(unscored['label']))}: no score.")
    return sentences


def _best_sentence(results: Results, best: pd.DataFrame, alone: bool) -> str:
    first = best.iloc[0]
    value = fraction(first["map50_95"])
    if len(best) > 1:
        return f"{listing(list(best['label']))} share the highest mean AP50:95 ({value})."
    bounds = interval(first["map50_95_low"], first["map50_95_high"])
    facts = []
    seeds = seed_means(results.species_table, "ap50_95").get(str(first["model"]), [])
    over = "slides and seeds" if len(seeds) > 1 else "slides"
    facts.append(
        "no interval, since there are too few test slides"
        if bounds == MISSING
        else f"{percent(results.confidence)} interval over {over} {bounds}"
    )
    fused = results.ensembles.get(str(first["model"]), {}).get("seeds") == "all"
    if len(seeds) > 1:
        facts.append(f"seeds {interval(min(seeds), max(seeds))}")
    elif fused:
        facts.append("all seeds fused, so there is no spread over them")
    else:
        facts.append("one seed only, so its spread over seeds is unknown")
    if alone:
        return f"{first['label']} has a mean AP50:95 of {value} ({'; '.join(facts)})."
    return f"{first['label']} has the highest mean AP50:95 ({'; '.join([value, *facts])})."


def _every_other(results: Results) -> str:
    detectors = ordered_models(results.models_table, "detector")
    return "every other detector" + (" with a score" if detectors["map50_95"].isna().any() else "")


def _separation_sentence(results: Results, best: pd.DataFrame, others: pd.DataFrame) -> str:
    low = best["map50_95_low"].min()
    highs = others["map50_95_high"].astype(float)
    if math.isnan(float(low) if is_number(low) else math.nan) or highs.isna().any():
        return "Intervals are missing, so it cannot be said whether the test slides separate the detectors."
    overlapping = list(others.loc[highs >= float(low), "label"])
    if not overlapping:
        return f"The interval of {_every_other(results)} lies wholly below it."
    subject = "Its interval overlaps" if len(best) == 1 else "Their intervals overlap"
    whom = f"that of {overlapping[0]}" if len(overlapping) == 1 else f"those of {_at_most_five(overlapping)}"
    return (
        f"{subject} {whom}: these test slides do not separate them, "
        "so speed, size or licence may decide between them."
    )


def _told_apart_sentence(results: Results, best: pd.DataFrame, others: pd.DataFrame) -> str:
    """From the paired differences, whose joint intervals hold for all pairs at once."""
    assert results.comparisons is not None
    pairs = results.comparisons.set_index(["model", "other"])
    verdicts = {
        str(label): {str(pairs["verdict"].get((one, other), "undecided")) for one in best["model"]}
        for other, label in zip(others["model"], others["label"], strict=True)
    }
    if results.comparisons["difference_low"].isna().all():
        return "There are too few test slides to say whether the detectors differ on other slides."
    worse = [label for label, found in verdicts.items() if found == {"better"}]
    alike = [label for label in verdicts if label not in worse]
    it, is_better = ("it", "It is better") if len(best) == 1 else ("them", "They are better")
    if not alike:
        return (
            f"{is_better} than {_every_other(results) if len(worse) > 1 else worse[0]} on slides like these."
        )
    first = f"{is_better} than {_at_most_five(worse)} on slides like these. " if worse else ""
    return (
        f"{first}These test slides do not tell {it} from {_at_most_five(alike)}: speed, size or licence may "
        "decide between them."
    )


def _at_most_five(names: Sequence[str]) -> str:
    if len(names) <= 5:
        return listing(names)
    return f"{', '.join(names[:4])} and {len(names) - 4} more"
