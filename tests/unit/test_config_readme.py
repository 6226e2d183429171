"""config/README.md documents exactly the keys of the schemas and the columns of the public tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from podura.annotations.kinds import KINDS
from podura.configuration.downloads import downloads
from podura.configuration.pretrained import WEIGHT_SOURCES, read_weight_sources
from podura.configuration.structure import allowed, load_schema, with_defaults
from podura.tables import IMAGES, PUBLIC_TABLES, SPECIES, Table

ROOT = Path(__file__).parents[2]
README = (ROOT / "config" / "README.md").read_text(encoding="utf-8")

TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}
#: How the heading of each public table begins.
HEADINGS = {
    "images": "`images.tsv`",
    "species": "`species.tsv`",
    "problems": "`dataset/problems.csv`",
    "split": "`dataset/split.csv`",
    "split_report": "`dataset/counts.csv`",
    "slide_counts": "`dataset/slides.csv`",
    "site_counts": "`dataset/sites.csv`",
    "sizes": "`dataset/sizes.csv`",
    "leakage": "`dataset/leakage.csv`",
    "trials": "`models/<model>/search/trials.csv`",
    "history": "`models/<model>/seed-<n>/history.csv`",
    "benchmark_species": "`benchmark/species.csv`",
    "benchmark_folds": "`benchmark/folds.csv`",
    "benchmark_models": "`benchmark/models.csv`",
    "benchmark_comparisons": "`benchmark/comparisons.csv`",
    "benchmark_ranks": "`benchmark/ranks.csv`",
    "compared_studies": "`benchmark/compared/compared.csv`",
    "benchmark_costs": "`benchmark/costs.csv`",
    "benchmark_by_size": "`benchmark/by_size.csv`",
    "benchmark_by_edge": "`benchmark/by_edge.csv`",
    "benchmark_errors": "`benchmark/errors.csv`",
    "benchmark_confusion": "`benchmark/confusion.csv`",
    "benchmark_reliability": "`benchmark/reliability.csv`",
    "benchmark_examples": "`benchmark/examples.csv`",
    "benchmark_suspects": "`benchmark/suspects.csv`",
    "benchmark_people": "`benchmark/people.csv`",
    "survey_images_given": "The images of a survey",
    "survey_samples_given": "The samples of a survey",
    "release_thresholds": "`release/thresholds.csv`",
    "evidence_images": "`release/evidence/images.csv`",
    "survey_samples": "`surveys/<survey>/samples.csv`",
    "survey_images": "`surveys/<survey>/images.csv`",
    "survey_drift": "`surveys/<survey>/drift.csv`",
    "survey_counts": "`surveys/<survey>/counts.csv`",
    "survey_densities": "`surveys/<survey>/densities.csv`",
    "survey_diversity": "`surveys/<survey>/diversity.csv`",
    "survey_final_detections": "`surveys/<survey>/detections.csv`",
    "survey_sample_checks": "`surveys/<survey>/checks.csv`",
    "review_queue": "`surveys/<survey>/review/queue.csv`",
    "review_decisions": "`surveys/<survey>/review/decisions.csv`",
    "review_problems": "`surveys/<survey>/review/problems.csv`",
}


def section(heading: str, level: str) -> str:
    """The text below a heading, to the next of the same or a higher level."""
    higher = rf"^#{{1,{len(level)}}} "
    found = re.search(rf"^{level} {re.escape(heading)}.*?$(.*?)(?={higher}|\Z)", README, re.M | re.S)
    assert found, f"README has no heading {level} {heading}"
    return found[1]


def rows(text: str, header: str) -> list[list[str]]:
    """The cells of all Markdown tables with this header in a text."""
    found = []
    for table in re.findall(rf"^{re.escape(header)}\n\|[-|]+\n((?:\|.*\n?)+)", text, re.M):
        for line in table.splitlines():
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            found.append([cell.strip().replace("\\|", "|") for cell in cells])
    return found


def leaves(schema: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The keys that are documented: those without keys below them, and groups that may be null."""
    for key, below in schema["properties"].items():
        if below.get("type") != "object":
            yield ".".join((*above, key)), below
        if "properties" in below:
            yield from leaves(below, (*above, key))


def value_at(values: Any, key: str, schema: Mapping[str, Any]) -> Any:
    steps = key.split(".")
    for place, step in enumerate(steps, start=1):
        # Keys below one that is null by default have the defaults of a group that is given.
        schema = schema["properties"][step]
        if (
            isinstance(values, dict)
            and "properties" in schema
            and values.get(step, 0) is None
            and place < len(steps)
        ):
            values = {step: with_defaults({}, schema)}
        if not isinstance(values, dict) or step not in values:
            return "none: write it"
        values = values[step]
    return values


@pytest.mark.parametrize(
    ("name", "heading", "level"),
    [
        ("config", "`config.yaml`", "##"),
        ("model", "`models.yaml`", "##"),
        ("ensemble", "Ensembles", "###"),
        ("survey", "Surveys", "##"),
    ],
)
def test_every_key_is_documented_with_its_default_and_what_is_allowed(
    name: str, heading: str, level: str
) -> None:
    schema = load_schema(ROOT / "workflow" / "schemas", name)
    text = section(heading, level)
    if name == "model":  # ensembles, below the same heading, have a schema of their own
        text = text.split("### Ensembles")[0]
    documented = rows(text, "| key | meaning | default | allowed |")
    keys = dict(leaves(schema))
    assert [cells[0].strip("`") for cells in documented] == list(keys)
    defaults = with_defaults({}, schema)
    for key, meaning, default, possible in documented:
        key = key.strip("`")
        assert len(meaning) > 10, key
        written = yaml.safe_load(default.strip("`")) if default.startswith("`") else default
        assert written == value_at(defaults, key, schema), key
        assert possible.replace("`", "") == allowed(keys[key]).replace("`", ""), key


def test_every_architecture_is_documented() -> None:
    schema = load_schema(ROOT / "workflow" / "schemas", "model")
    listed = {}
    for rule in schema["allOf"]:
        adapter = rule["if"]["properties"].get("adapter", {}).get("const")
        if adapter:
            listed[adapter] = rule["then"]["properties"]["architecture"]["enum"]
    assert sorted(listed) == sorted(schema["properties"]["adapter"]["enum"])
    sources = read_weight_sources(WEIGHT_SOURCES, load_schema(ROOT / "workflow" / "schemas", "weights"))
    documented = rows(section("`models.yaml`", "##"), "| adapter | architectures | published weights |")
    told = [
        (adapter.strip("`"), name.strip("`"), kinds)
        for adapter, names, kinds in documented
        for name in names.split(", ")
    ]
    assert told == [
        (adapter, name, ", ".join(sources.kinds(adapter, name)) or "none")
        for adapter, names in listed.items()
        for name in names
    ]


@pytest.mark.parametrize("table", PUBLIC_TABLES, ids=lambda table: table.name)
def test_every_column_of_a_public_table_is_documented_with_type_and_unit(table: Table) -> None:
    level = "##" if table in (IMAGES, SPECIES) else "###"
    documented = rows(section(HEADINGS[table.name], level), "| column | type | unit | meaning |")
    assert [cells[:3] for cells in documented] == [
        [f"`{column.name}`", TYPES[column.kind], column.unit or "–"] for column in table.columns
    ]
    for column, (name, _, _, meaning) in zip(table.columns, documented, strict=True):
        assert len(meaning) > 4, name
        assert ("may be empty" in meaning) == column.optional, name


def test_every_kind_of_fault_is_documented_as_the_catalogue_has_it() -> None:
    header = "| kind | meaning | severity | treatment | may be |"
    documented = rows(section(HEADINGS["problems"], "###"), header)
    assert documented == [
        [f"`{kind.name}`", kind.meaning, kind.severity, kind.default, ", ".join(kind.treatments[1:])]
        for kind in KINDS.values()
    ]


def test_the_readme_documents_no_other_table() -> None:
    tables = re.findall(r"^\| column \| type \| unit \| meaning \|$", README, re.M)
    assert len(tables) == len(PUBLIC_TABLES)


def test_the_example_of_a_model_and_of_an_overlay_have_the_right_keys() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.S)
    overlay, from_elsewhere, model, tiled = (yaml.safe_load(text) for text in blocks)
    assert [one.unpack for one in downloads(from_elsewhere).values()] == [True, False]
    config_keys = dict(leaves(load_schema(ROOT / "workflow" / "schemas", "config")))
    model_keys = dict(leaves(load_schema(ROOT / "workflow" / "schemas", "model")))
    assert set(flat(overlay)) <= set(config_keys)
    needed = {key for key, default in defaults_of("config").items() if default == "none: write it"}
    # Keys below a group that is null by default are only needed where it is given.
    may_be_null = [key for key, schema in config_keys.items() if "properties" in schema]
    needed = {key for key in needed if not any(key.startswith(f"{group}.") for group in may_be_null)}
    assert needed <= set(flat(overlay)), "the overlay sets all that has no default"
    assert set(flat(next(iter(tiled.values())))) <= set(model_keys)
    (entry,) = model.values()
    assert set(flat(entry)) <= set(model_keys)
    needed = {key for key, default in defaults_of("model").items() if default == "none: write it"}
    may_be_null = [key for key, schema in model_keys.items() if "properties" in schema]
    needed = {key for key in needed if not any(key.startswith(f"{group}.") for group in may_be_null)}
    assert needed <= set(flat(entry))


def flat(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, (*above, key))
        else:
            yield ".".join((*above, key))


def defaults_of(name: str) -> dict[str, Any]:
    schema = load_schema(ROOT / "workflow" / "schemas", name)
    defaults = with_defaults({}, schema)
    return {key: value_at(defaults, key, schema) for key, _ in leaves(schema)}
