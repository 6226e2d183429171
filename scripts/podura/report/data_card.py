"""The data card: what a data set holds, whence it comes, who may use it, and what is wrong with it.

In the manner of Gebru et al. 2021, "Datasheets for datasets", Commun. ACM 64(12):86-92, but short, and
filled from the data wherever that can be done. What only people know and did not tell is "not told".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from podura.report.dataset import Dataset
from podura.report.results import full_names, name_parts
from podura.report.summary import problem_kinds
from podura.report.wording import MISSING, PAINTED, kind_words, plural, rounded, sites_of
from podura.tables import PARTS

NOT_TOLD = "not told"
_CREDIT = (
    "Made by Podura from the files named above. The form follows Gebru et al. 2021, Datasheets for datasets, "
    "doi:10.1145/3458723."
)
_FORMATS = {
    "coco": "COCO",
    "voc": "Pascal VOC",
    "yolo": "YOLO",
    "labelme": "LabelMe",
    "cvat": "CVAT",
    "label_studio": "Label Studio",
    "via": "VIA",
    "csv": "a CSV table",
}


@dataclass(frozen=True)
class CardSpecies:
    """A row of the card's table of species; ``name`` as (text, italic) parts, sizes in words."""

    name: list[tuple[str, bool]]
    authority: str
    code: str
    specimens: int
    ignored: int
    slides: int
    pixels: str
    micrometres: str


@dataclass(frozen=True)
class DataCard:
    """A card; ``sections`` have a title and pairs of a question and its answers."""

    title: str
    notice: str
    sections: Sequence[tuple[str, Sequence[tuple[str, Sequence[str]]]]]
    species: Sequence[CardSpecies]


def data_card(dataset: Dataset) -> DataCard:
    """The card of a data set."""
    card = {key: value or "" for key, value in dataset.card.items()}
    painted = dataset.painted
    source = f"painted by Podura with the random seed {dataset.facts['random_seed']}" if painted else ""
    whence = [
        ("Where do the images come from?", [card["source"] or source or NOT_TOLD]),
        ("Licence", [card["licence"] or NOT_TOLD]),
        ("How to cite it", [card["citation"] or NOT_TOLD]),
        ("Whom to ask", [card["contact"] or NOT_TOLD]),
    ]
    return DataCard(
        title=card["title"] or dataset.study,
        notice=PAINTED if painted else "",
        sections=[
            ("What it is", [("Description", [card["description"] or NOT_TOLD]), *_composition(dataset)]),
            ("Whence and for whom", whence),
            ("How it was annotated", _annotation(dataset)),
            ("What is wrong with it", _faults(dataset.problems)),
            ("How it is split", _split(dataset)),
            ("Which files this card describes", _files(dataset)),
        ],
        species=card_species(dataset),
    )


def _composition(dataset: Dataset) -> list[tuple[str, list[str]]]:
    images = dataset.images
    used = images[images["used"]]
    dropped = len(images) - len(used)
    specimens = int((~dataset.boxes["ignore"]).sum())
    ignored = len(dataset.boxes) - specimens
    size = f"{plural(len(used), 'image')} of {plural(used['slide'].nunique(), 'slide')}"
    if dropped:
        size += f" ({plural(dropped, 'other image')} could not be used)"
    samples = used["sample"].dropna().nunique()
    animals = plural(specimens, "specimen") + (f", {ignored:,} further ones to be ignored" if ignored else "")
    empty = len(used) - dataset.boxes.loc[dataset.boxes["image"].isin(used["image"]), "image"].nunique()
    return [
        ("Images", [size]),
        ("Specimens", [f"{animals}; {plural(empty, 'image')} without any"]),
        ("Samples", [f"{samples:,}" if samples else NOT_TOLD]),
        ("Sites", [sites_of(used["site"]) or NOT_TOLD]),
        ("Dates of sampling", [_dates(used["date"]) or NOT_TOLD]),
        ("Size of a pixel", [_pixel_sizes(dataset)]),
    ]


def _dates(dates: pd.Series) -> str:
    known = sorted(dates.dropna().astype(str).unique())
    if not known:
        return ""
    span = known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"
    missing = int(dates.isna().sum())
    return span + (f"; not told for {plural(missing, 'image')}" if missing else "")


def _pixel_sizes(dataset: Dataset) -> str:
    scales = dataset.images.loc[dataset.images["used"], "um_per_pixel"]
    known = scales.dropna()
    if known.empty:
        return NOT_TOLD
    low, high = float(known.min()), float(known.max())
    words = f"{low:.4g} µm" if low == high else f"{low:.4g} to {high:.4g} µm"
    missing = int(scales.isna().sum())
    return words + (f"; not told for {plural(missing, 'image')}" if missing else "")


def card_species(dataset: Dataset) -> list[CardSpecies]:
    """What is known of each species: specimens, slides, and how large they are in words."""
    names = full_names(dataset.species_list)
    counted = dataset.boxes.groupby("species")["ignore"].agg(["size", "sum"])
    slides = dataset.slides[dataset.slides["n_truth"] > 0].groupby("species")["slide"].nunique()
    longer = dataset.quantiles[dataset.quantiles["measure"] == "longer_side"].set_index(["species", "unit"])
    rows = []
    for species in dataset.species_list:
        code = str(species["code"])
        total, ignored = counted.loc[code] if code in counted.index else (0, 0)
        rows.append(
            CardSpecies(
                name=name_parts(names[code]),
                authority=str(species.get("authority") or ""),
                code=code,
                specimens=int(total - ignored),
                ignored=int(ignored),
                slides=int(slides.get(code, 0)),
                pixels=_span(longer, code, "px"),
                micrometres=_span(longer, code, "µm"),
            )
        )
    return rows


def _span(longer: pd.DataFrame, code: str, unit: str) -> str:
    if (code, unit) not in longer.index:
        return MISSING
    row = longer.loc[(code, unit)]
    if not row["n"]:
        return MISSING
    return f"{rounded(row['median'])} ({rounded(row['q05'])} to {rounded(row['q95'])})"


def _annotation(dataset: Dataset) -> list[tuple[str, list[str]]]:
    form = str(dataset.facts["format"])
    return [
        (
            "Format",
            [
                "boxes known from the painting itself"
                if dataset.painted
                else f"boxes, imported from {_FORMATS.get(form, form)}"
            ],
        ),
        ("Boxes", ["in pixels of the upright image, x to the right, y down"]),
        (
            "Ignored specimens",
            ["marked as crowd, difficult or ignore: they count neither for nor against a detector"],
        ),
    ]


def _faults(problems: pd.DataFrame) -> list[tuple[str, list[str]]]:
    if problems.empty:
        return [("Faults found by Podura", ["none"])]
    told: dict[str, list[str]] = {}
    for kind, severity, treatment, faults in problem_kinds(problems):
        told.setdefault(f"{severity.capitalize()}s", []).append(
            f"{kind_words(kind)}: {len(faults):,}, {treatment}"
        )
    return list(told.items())


def _split(dataset: Dataset) -> list[tuple[str, list[str]]]:
    by, others = dataset.facts["split_by"], dataset.facts["others_by"]
    folds = dataset.folds
    whole = f"a {by}"
    if by != others and len(folds) > 1:
        whole += f" between test and the other parts, a {others} among these"
    rows = [("What is never divided", [whole])]
    for fold in folds:
        here = dataset.split[dataset.split["fold"] == fold]
        counts = dataset.counts_of(fold)
        parts = []
        for part in PARTS:
            images = here[here["part"] == part]
            if len(images):
                animals = int(counts.loc[counts["part"] == part, "n_truth"].sum())
                parts.append(
                    f"{part}: {plural(images['slide'].nunique(), 'slide')}, {plural(len(images), 'image')}, "
                    f"{plural(animals, 'specimen')}"
                )
        rows.append(("Parts" if len(folds) == 1 else f"Parts of fold {fold}", parts))
    absent = dataset.counts.loc[dataset.counts["message"].notna(), "message"].drop_duplicates().tolist()
    return [*rows, ("Absent", [str(message) for message in absent] or ["no species from any part"])]


def _files(dataset: Dataset) -> list[tuple[str, list[str]]]:
    files = dataset.facts["files"]
    return [(f"SHA-256 of {name}", [digest]) for name, digest in files.items()]


def markdown(card: DataCard) -> str:
    """The card as Markdown; the owner's words are text in it, never markup."""
    lines = [f"# {_plain(card.title)}", ""]
    if card.notice:
        lines += [f"**{_plain(card.notice)}**", ""]
    for number, (title, rows) in enumerate(card.sections):
        lines += [f"## {_plain(title)}", ""]
        for question, answers in rows:
            if len(answers) == 1:
                lines.append(f"- **{_plain(question)}**: {_plain(answers[0])}")
            else:
                lines += [f"- **{_plain(question)}**:", *(f"  - {_plain(answer)}" for answer in answers)]
        lines.append("")
        if number == 0:
            lines += _species_lines(card.species)
    lines += [_CREDIT, ""]
    return "\n".join(lines)


def _species_lines(species: Sequence[CardSpecies]) -> list[str]:
    lines = [
        "| species | code | specimens | ignored | slides | longer side of the box, px | longer side, µm |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for one in species:
        name = "".join(f"*{_plain(text)}*" if italic else _plain(text) for text, italic in one.name)
        who = f" {_plain(one.authority)}" if one.authority else ""
        lines.append(
            f"| {name}{who} | {_plain(one.code)} | {one.specimens:,} | {one.ignored:,} | {one.slides:,} "
            f"| {one.pixels} | {one.micrometres} |"
        )
    return [*lines, "", "Sizes: median (5 % to 95 %).", ""]


# What Markdown takes for markup; an underscore within a word, as in an address, is none.
_MARKUP = re.compile(
    r"[\\`*\[\]|<>]|(?<![^\W_])_|_(?![^\W_])|~(?=~)|&(?=#?\w+;)|^#(?=#*(\s|$))|^[-+](?=\s|$)"
)


def _plain(text: str) -> str:
    """Text with whatever Markdown or HTML would take for markup made harmless, on one line."""
    escaped = _MARKUP.sub(lambda mark: f"\\{mark[0]}", " ".join(text.split()))
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", escaped)
