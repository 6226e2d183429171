"""What a benchmark's report is made of, and the names by which it calls models and species."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from podura import tables

#: Names of the two controls, as in the tables.
TRUTH_CONTROL = "control_truth"
SHUFFLED_CONTROL = "control_shuffled"

COUNT_COLUMNS = ("fold", "part", "species", "n_images", "n_slides", "n_specimens")

#: The tables of what goes wrong that the report shows, by the names of their files.
DIAGNOSIS_SHOWN: Mapping[str, tables.Table] = {
    "errors": tables.BENCHMARK_ERRORS,
    "confusion": tables.BENCHMARK_CONFUSION,
    "reliability": tables.BENCHMARK_RELIABILITY,
    "suspects": tables.BENCHMARK_SUSPECTS,
}

_BINOMIAL = re.compile(r"[A-Z][a-zäöüé-]+( [a-zäöüé-]{3,})+")
# English names of what is counted look like binomials: "Mast cell" is none.
_NO_EPITHET = re.compile(
    r"animals?|blood|bod(y|ies)|bubbles?|cells?|cocoons?|debris|eggs?|fibres?|juveniles?|larvae?|mites?"
    r"|nymphs?|others?|platelets?|pollen|pupae?|skins?|specimens?|spores?|unknown"
)
# Of a species that is named with reserve, "Folsomia cf. candida", both names are in italics.
_RESERVED_NAME = re.compile(r"([A-Z][a-zäöüé-]+)( (?:cf|aff|gr)\. )([a-zäöüé-]{3,})(.*)")
_OPEN_NAME = re.compile(r"([A-Z][a-zäöüé-]+)( (?:sp|spp|cf|aff|gr)\..*)")


@dataclass(frozen=True)
class Results:
    """Everything that the report of one study shows.

    scores: for each model × seed × species all columns of ``tables.BENCHMARK_SPECIES`` and
    ``curve``, a dict of the equally long lists ``recall``, ``precision`` and ``score`` (test slides,
    the stated IoU; empty without truth).
    histories: a ``tables.HISTORY`` frame for each (model, run), a run being named as its folder
    (``tables.run_folder``); detectors only.
    counts: a frame with ``COUNT_COLUMNS``, one row a fold × part × species.
    species_list: dicts with ``code``, ``name``, ``authority`` and ``family``, in the order of display.
    overlays: captions and JPEG files of images with boxes drawn on them.
    leakage: a ``tables.LEAKAGE`` frame, or None where images were not compared.
    ensembles: of each model that fuses others its ``members`` and ``seeds`` (each or all).
    diagnosis: the tables of what goes wrong by the names of their files: ``errors``, ``confusion``,
    ``reliability`` and ``suspects``; empty ones where it was not asked.
    comparisons, ranks: ``tables.BENCHMARK_COMPARISONS`` and ``BENCHMARK_RANKS``; None where nothing was
    compared.
    people, people_curves: ``tables.BENCHMARK_PEOPLE`` and ``PEOPLE_CURVES``; None without experts.
    trainings, detections: what model.json and run.json say of each (model, run), as far as they are there.
    crops: the pictures of ``tables.CROPS`` by the names of their files, as many as a page may hold.
    costs: ``tables.BENCHMARK_COSTS``; None where they were not added up.
    missing: what the study asks for and these results lack, each in a sentence; empty for a whole study.

    Raises ValueError where a table has not the columns that ``podura.tables`` declares.
    """

    species_table: pd.DataFrame
    models_table: pd.DataFrame
    scores: Sequence[Mapping[str, Any]]
    histories: Mapping[tuple[str, str], pd.DataFrame]
    problems: pd.DataFrame
    split: pd.DataFrame
    counts: pd.DataFrame
    species_list: Sequence[Mapping[str, Any]]
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    overlays: Sequence[tuple[str, bytes]] = ()
    leakage: pd.DataFrame | None = None
    ensembles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    diagnosis: Mapping[str, pd.DataFrame] = field(
        default_factory=lambda: {name: table.frame([]) for name, table in DIAGNOSIS_SHOWN.items()}
    )
    comparisons: pd.DataFrame | None = None
    ranks: pd.DataFrame | None = None
    people: pd.DataFrame | None = None
    people_curves: pd.DataFrame | None = None
    trainings: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    detections: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    crops: Mapping[str, bytes] = field(default_factory=dict)
    crops_table: pd.DataFrame = field(default_factory=lambda: tables.CROPS.frame([]))
    missing: Sequence[str] = ()
    costs: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        tables.BENCHMARK_SPECIES.frame(self.species_table)
        tables.BENCHMARK_MODELS.frame(self.models_table)
        tables.PROBLEMS.frame(self.problems)
        tables.SPLIT.frame(self.split)
        for name, table in DIAGNOSIS_SHOWN.items():
            table.frame(self.diagnosis[name])
        for table, frame in (
            (tables.LEAKAGE, self.leakage),
            (tables.BENCHMARK_COMPARISONS, self.comparisons),
            (tables.BENCHMARK_RANKS, self.ranks),
            (tables.BENCHMARK_PEOPLE, self.people),
            (tables.PEOPLE_CURVES, self.people_curves),
            (tables.CROPS, self.crops_table),
            (tables.BENCHMARK_COSTS, self.costs),
        ):
            if frame is not None:
                table.frame(frame)
        for history in self.histories.values():
            tables.HISTORY.frame(history)
        missing = [name for name in COUNT_COLUMNS if name not in self.counts.columns]
        if missing:
            raise ValueError(f"table counts: missing {missing}")

    @property
    def confidence(self) -> float:
        return float(self.config["evaluation"]["confidence"])

    @property
    def target_precision(self) -> float:
        return float(self.config["evaluation"]["target_precision"])

    @property
    def delta(self) -> float:
        """Allowed chance of a wrong certificate."""
        return float(self.config["evaluation"]["certificate"]["delta"])

    @property
    def joint(self) -> bool:
        """Whether that chance is of all species together."""
        return bool(self.config["evaluation"]["certificate"]["joint"])

    @property
    def painted(self) -> bool:
        """Whether Podura painted the slides."""
        annotations = self.config.get("dataset", {}).get("annotations") or {}
        return bool(annotations.get("format") == "painted")

    @property
    def iou(self) -> float:
        return float(self.config["evaluation"]["iou"])


def ordered_models(models_table: pd.DataFrame, role: str) -> pd.DataFrame:
    """Models of a role, ``detector`` or ``control``: by rank, those without a rank last, then by name."""
    chosen = models_table[models_table["role"] == role]
    return chosen.sort_values(["rank", "model"], na_position="last").reset_index(drop=True)


def seed_means(species_table: pd.DataFrame, column: str) -> dict[str, list[float]]:
    """For each model the mean of ``column`` over species with truth, one value a seed, by seed."""
    scored = species_table[species_table[column].notna()]
    means = scored.groupby(["model", "seed"])[column].mean().sort_index()
    return {str(model): [float(v) for v in values] for model, values in means.groupby(level="model")}


def is_binomial(name: str) -> bool:
    """Whether a name is genus and species (and perhaps subspecies), to be set in italics as a whole."""
    return _BINOMIAL.fullmatch(name) is not None and not _NO_EPITHET.fullmatch(name.split()[-1])


def name_parts(name: str) -> list[tuple[str, bool]]:
    """A name as (text, italic) parts: in ``Folsomia sp.`` only the genus is in italics."""
    if is_binomial(name):
        return [(name, True)]
    reserved = _RESERVED_NAME.fullmatch(name)
    if reserved:
        genus, word, epithet, rest = reserved.groups()
        return [(genus, True), (word, False), (epithet, True), *([(rest, False)] if rest else [])]
    open_name = _OPEN_NAME.fullmatch(name)
    if open_name:
        return [(open_name.group(1), True), (open_name.group(2), False)]
    return [(name, False)]


def full_names(species_list: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Scientific name by code; the code itself where a species has no name."""
    return {str(s["code"]): str(s.get("name") or s["code"]) for s in species_list}


def with_italics(sentence: str, species_list: Sequence[Mapping[str, Any]]) -> list[tuple[str, bool]]:
    """A sentence as (text, italic) parts: the names of species within it are in italics."""
    known = {name for name in full_names(species_list).values() if any(i for _, i in name_parts(name))}
    if not known:
        return [(sentence, False)]
    # The longest first: a subspecies before its species.
    names = "|".join(re.escape(name) for name in sorted(known, key=lambda name: (-len(name), name)))
    pieces = re.split(rf"(?<!\w)({names})(?!\w)", sentence)
    return [
        part
        for piece in pieces
        if piece
        for part in (name_parts(piece) if piece in known else [(piece, False)])
    ]


def short_names(species_list: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Names with an abbreviated genus by code, whole where the abbreviation would stand for two."""
    full = full_names(species_list)
    short = {code: _abbreviated(name) for code, name in full.items()}
    uses = Counter(short.values())
    return {code: name if uses[name] == 1 else full[code] for code, name in short.items()}


def _abbreviated(name: str) -> str:
    if not is_binomial(name):
        return name
    genus, _, epithet = name.partition(" ")
    return f"{genus[0]}. {epithet}"


def species_codes(species_list: Sequence[Mapping[str, Any]], species_table: pd.DataFrame) -> list[str]:
    """Codes in the order of the list, then any others of the table: a row is never left out."""
    listed = [str(s["code"]) for s in species_list]
    others = sorted({str(code) for code in species_table["species"]} - set(listed))
    return listed + others
