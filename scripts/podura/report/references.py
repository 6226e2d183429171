"""The references of a study as BibTeX: the detectors, methods and libraries that it used, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from pybtex.database import BibliographyData, Entry, Person, parse_file

from podura.report.paper_files import latex, plain
from podura.report.results import Results, ordered_models

#: Every reference that Podura knows.
KNOWN = Path(__file__).resolve().parents[3] / "resources" / "references.bib"

# What every study uses: the evaluation, intervals, thresholds, split, and the libraries beneath.
_ALWAYS = (
    "lin2014coco", "bolya2020tide", "angelopoulos2025learn", "korn1998confidence", "rao1988resampling",
    "sechidis2011stratification", "molder2021snakemake", "harris2020numpy", "virtanen2020scipy",
    "mckinney2010pandas", "lam2015numba", "hunter2007matplotlib",
)  # fmt: skip
_LIBRARIES = {
    "torch": "paszke2019pytorch",
    "torchvision": "torchvision2016",
    "ultralytics": "jocher2023ultralytics",
    "transformers": "wolf2020transformers",
    "timm": "wightman2019timm",
}
_OF_ADAPTERS = {
    "torchvision": ("torch", "torchvision"),
    "ultralytics": ("torch", "ultralytics"),
    "transformers": ("torch", "transformers"),
}
_ARXIV = re.compile(r"arxiv:\s*(\d{4}\.\d{4,5}|[a-z-]+/\d{7})", re.IGNORECASE)
_DOI = re.compile(r"(?:doi:|doi\.org/)\s*(10\.\d{4,9}/[^\s,;]+)", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://)?((?:[\w-]+\.)+[a-z]{2,}/[^\s,;]*)", re.IGNORECASE)
_YEAR = re.compile(r"\b(1[89]\d\d|20\d\d)\b")


def bibliography(
    results: Results, references: Mapping[str, str], costs: pd.DataFrame, software: Mapping[str, Any]
) -> str:
    """BibTeX of what the study used.

    references: the text ``reference`` of each model that was trained (config/models.yaml), several separated
    by a semicolon; one that Podura does not know becomes an entry of what the text tells. costs:
    ``tables.BENCHMARK_COSTS``. software: title, version and licence of Podura, as in CITATION.cff.
    """
    known = _known()
    entries: dict[str, Entry] = {"podura": _podura(software)}
    for key in _methods(results, costs):
        entries[key] = known.entries[key]
    for text in references.values():
        for one in filter(None, (part.strip() for part in text.split(";"))):
            found = _known_key(one, known)
            if found is None:
                entry = _told(one)
                if entry not in entries.values():
                    entries[_free(_name(one), entries)] = entry
            else:
                entries[found] = known.entries[found]
    return "\n".join(_written(key, entries[key]) for key in sorted(entries, key=str.lower))


@cache
def _known() -> BibliographyData:
    return parse_file(str(KNOWN), "bibtex")


def _written(key: str, entry: Entry) -> str:
    """An entry as BibTeX. Its fields are LaTeX already; pybtex's own writer would escape them again."""
    fields = {role: " and ".join(map(str, people)) for role, people in entry.persons.items()}
    lines = [f"  {name} = {{{value}}}," for name, value in {**fields, **entry.fields}.items()]
    return "\n".join([f"@{entry.type}{{{key},", *lines, "}", ""])


def _methods(results: Results, costs: pd.DataFrame) -> Iterable[str]:
    yield from _ALWAYS
    detectors = ordered_models(results.models_table, "detector")
    if len(detectors) > 1:
        yield from ("westfall1993resampling", "demsar2006statistical")
    if results.ensembles:
        yield "solovyev2021weighted"
    if (results.config.get("search") or {}).get("trials"):
        yield "akiba2019optuna"
    if (costs["energy_status"] != "not measurable").any():
        yield "codecarbon"
    # A training notes every library that is installed; only those of its adapter were used.
    for framework in dict.fromkeys(detectors["framework"].dropna()):
        for library in _OF_ADAPTERS.get(str(framework), ()):
            yield _LIBRARIES[library]
    if any("lite0" in str(facts.get("architecture")) for facts in results.trainings.values()):
        yield _LIBRARIES["timm"]


def _known_key(text: str, known: BibliographyData) -> str | None:
    for field, pattern in (("eprint", _ARXIV), ("doi", _DOI)):
        found = pattern.search(text)
        if found is None:
            continue
        for key, entry in known.entries.items():
            if entry.fields.get(field, "").lower() == found[1].rstrip(".").lower():
                return str(key)
    return None


def _told(text: str) -> Entry:
    """An entry from a text such as "Jocher & Qiu 2024, Ultralytics YOLO11, github.com/…"."""
    text = plain(text)
    year = _YEAR.search(text)
    head = text[: year.start()] if year else ""
    authors = [name.strip() for name in re.split(r",| & | and |\bet al\.?", head) if name.strip()]
    persons = [_person(name) for name in authors]
    if "et al" in head:
        persons.append(Person("others"))
    rest = text[year.end() :] if year else text
    for pattern in (_ARXIV, _DOI, _ADDRESS):
        rest = pattern.sub("", rest)
    title = " ".join(rest.strip(" ,.").split())
    fields = {"title": f"{{{_in_braces(title or text)}}}"}
    if year:
        fields["year"] = year[1]
    if arxiv := _ARXIV.search(text):
        fields |= {"eprint": arxiv[1], "archiveprefix": "arXiv"}
    elif doi := _DOI.search(text):
        fields["doi"] = doi[1].rstrip(".")
    elif address := _ADDRESS.search(text):
        fields["url"] = f"https://{address[1].rstrip('.')}"
    return Entry("misc", fields=fields, persons={"author": persons} if persons else {})


def _person(name: str) -> Person:
    """An author whose name is told as a whole: in braces it is not taken apart."""
    return Person("{" + _in_braces(name) + "}")


def _in_braces(text: str) -> str:
    # BibTeX counts braces that LaTeX would print as well.
    return latex(text.translate(str.maketrans("{}", "()")))


def _name(text: str) -> str:
    """A key from the first author and the year."""
    year = _YEAR.search(text)
    first = re.match(r"[^\W\d_]+", text)
    word = first[0].lower() if first and first[0].isascii() else "reference"
    return f"{word}{year[1] if year else ''}"


def _free(key: str, taken: Mapping[str, Entry]) -> str:
    if key not in taken:
        return key
    return next(f"{key}{letter}" for letter in "bcdefghijklmnopqrstuvwxyz" if f"{key}{letter}" not in taken)


def _podura(software: Mapping[str, Any]) -> Entry:
    fields = {"title": f"{{{_in_braces(str(software['title']))}}}", "version": str(software["version"])}
    if "date-released" in software:
        fields["year"] = str(software["date-released"])[:4]
    fields["note"] = f"Licence {software['license']}"
    authors = [_person(str(one["name"])) for one in software["authors"]]
    return Entry("misc", fields=fields, persons={"author": authors})
