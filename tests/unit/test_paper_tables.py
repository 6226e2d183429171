"""Tables for papers: what they say, that nothing in a name does harm in any format, and the references."""

from __future__ import annotations

import csv
import dataclasses
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from pybtex.database import parse_file, parse_string

from podura.report.paper_files import (
    as_latex,
    as_markdown,
    latex,
    markdown,
    markdown_paragraphs,
    plain,
    write_csv,
    write_tables,
    write_xlsx,
)
from podura.report.paper_tables import PaperTable, paper_tables
from podura.report.references import KNOWN, bibliography
from podura.report.results import Results
from podura.tables import BENCHMARK_COSTS
from report_data import make_results

NASTY = (
    '<script>alert("1")</script> $x^2$ & # % _ ~ ^ \\input{/etc/passwd}',
    '=cmd|"/c calc"!A0',
    "\u202eevil\u202c עברית | `code` *bold* [link](javascript:alert(1)) https://example.org www.example.org",
    "@sum(1+1)\nsecond line",
    "-2+3+" + "very long " * 60,
)
NO_METER = "no meter of energy can be read on this machine"


def costs_of(results: Results, **changed) -> pd.DataFrame:
    detectors = results.models_table.loc[results.models_table["role"] == "detector", "model"]
    facts = {
        "n_runs": 2, "n_fused": 1, "parameters": 2_508_659, "model_mb": 10.12, "device": "cpu",
        "processor": "some CPU", "cores": "2", "training_seconds": 93.4, "detection_seconds": 0.0412,
        "detection_images": 20, "energy_status": "not measurable", "energy_note": NO_METER, **changed,
    }  # fmt: skip
    nothing = dict.fromkeys(BENCHMARK_COSTS.names)
    return BENCHMARK_COSTS.frame([{**nothing, **facts, "model": model} for model in detectors])


@pytest.fixture(scope="module")
def results() -> Results:
    return make_results()


@pytest.fixture(scope="module")
def tables(results) -> dict[str, PaperTable]:
    return {table.name: table for table in paper_tables(results, costs_of(results))}


@pytest.fixture(scope="module")
def nasty() -> list[PaperTable]:
    made = make_results(n_detectors=len(NASTY), n_seeds=1)
    models = made.models_table.copy()
    models.loc[: len(NASTY) - 1, "label"] = list(NASTY)
    species = [
        {**one, "name": name, "authority": name}
        for one, name in zip(made.species_list, NASTY, strict=True)
    ]  # fmt: skip
    made = dataclasses.replace(made, models_table=models, species_list=species)
    return paper_tables(made, costs_of(made, processor=NASTY[1], energy_note=NASTY[0]))


def column(table: PaperTable, title: str) -> list[str]:
    (place,) = (k for k, heading in enumerate(table.headings) if heading.title == title)
    return [row[place].text for row in table.rows]


class TestContent:
    def test_models_stand_by_rank_and_controls_last_without_one(self, results, tables) -> None:
        table = tables["models"]
        assert column(table, "Rank") == ["1", "2", "–", "–"]
        best = results.models_table.sort_values("rank").iloc[0]
        assert column(table, "Detector")[0] == best["label"]
        assert table.rows[0][2].value == best["map50_95"]

    def test_a_species_without_specimens_has_a_dash_and_no_zero(self, tables) -> None:
        table = tables["species"]
        rows = [row for row in table.rows if row[0].text == "Parisotoma notabilis"]
        assert len(rows) == 2
        assert all(row[4].text == row[7].text == "–" and row[4].value is None for row in rows)

    def test_thresholds_and_recall_are_those_of_certified_runs(self, results, tables) -> None:
        frame = results.species_table
        of_one = frame[(frame["model"] == "yolov5n") & (frame["species"] == "ISO-MIN")]
        certified = of_one[of_one["threshold_status"] == "certified"]
        label = results.models_table.set_index("model").loc["yolov5n", "label"]
        (row,) = (
            r
            for r in tables["species"].rows
            if (r[0].text, r[1].text) == ("Isotomiella minor", label)
        )  # fmt: skip
        assert row[8].text == f"{len(certified)} of {len(of_one)}"
        expected = certified["test_recall"].mean()
        assert row[12].value == (pytest.approx(expected) if len(certified) else None)

    def test_the_data_set_counts_every_part(self, results, tables) -> None:
        table = tables["dataset"]
        row = next(r for r in table.rows if r[0].text == "Ceratophysella denticulata")
        counts = results.counts[results.counts["species"] == "CER-DEN"]
        assert row[3].value == counts["n_specimens"].sum()
        assert row[1].text == "(Bagnall, 1941)"

    def test_energy_without_a_meter_is_called_not_measurable(self, tables) -> None:
        table = tables["costs"]
        assert set(column(table, "Training energy")) == {"not measurable"}
        assert any(NO_METER in note for note in table.notes)
        assert not any(row[8].value for row in table.rows)

    def test_precision_and_recall_have_their_intervals(self, results, tables) -> None:
        frame = results.species_table
        of_one = frame[(frame["model"] == "fasterrcnn_lite0") & (frame["species"] == "CER-DEN")]
        certified = of_one[of_one["threshold_status"] == "certified"]
        assert len(certified)
        row = tables["species"].rows[0]
        assert (row[0].text, row[1].text) == ("Ceratophysella denticulata", "Faster R-CNN Lite0")
        for place, name in ((10, "precision"), (12, "recall")):
            low, high = row[place + 1].text.replace(">", "").replace("<", "").split(" to ")
            assert float(low) == pytest.approx(certified[f"test_{name}_low"].min(), abs=1e-3)
            assert float(high) == pytest.approx(certified[f"test_{name}_high"].max(), abs=1e-3)

    def test_footnotes_are_met_in_their_order(self, tables) -> None:
        for table in tables.values():
            met = list(dict.fromkeys(h.note for h in table.headings if h.note is not None))
            assert met == sorted(met), table.name

    def test_every_column_says_its_unit_and_every_note_is_used(self, tables) -> None:
        for table in tables.values():
            used = {heading.note for heading in table.headings} - {None}
            assert used == set(range(1, len(table.notes) + 1)), table.name
            assert all(len(row) == len(table.headings) for row in table.rows)
        assert "Training (s)" in [heading.words for heading in tables["costs"].headings]

    def test_without_a_detector_or_a_comparison_tables_are_whole(self, tmp_path) -> None:
        nothing = make_results(n_detectors=0, n_seeds=1, comparisons=None, ranks=None)
        write_tables(paper_tables(nothing, costs_of(nothing)), tmp_path)
        assert "nothing to show" in (tmp_path / "comparisons.tex").read_text()
        assert len(list(tmp_path.iterdir())) == 5 * 4 + 1


class TestFiles:
    def test_the_same_tables_give_the_same_bytes(self, tables, tmp_path) -> None:
        for folder in ("first", "second"):
            write_tables(list(tables.values()), tmp_path / folder)
        for path in (tmp_path / "first").iterdir():
            assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name

    def test_a_workbook_holds_numbers_as_numbers_and_no_formula_and_no_link(self, nasty, tmp_path) -> None:
        for table in nasty:
            path = tmp_path / f"{table.name}.xlsx"
            write_xlsx(table, path)
            sheet = load_workbook(path).active
            for number, row in enumerate(table.rows, start=4):
                for place, cell in enumerate(row, start=1):
                    shown = sheet.cell(number, place)
                    assert shown.data_type in {"n", "s"}
                    assert shown.hyperlink is None
                    if cell.value is not None:
                        assert shown.value == pytest.approx(cell.value)
                    else:
                        assert str(shown.value) == plain(cell.text)
            with zipfile.ZipFile(path) as parts:
                text = b"".join(parts.read(name) for name in parts.namelist() if "sheet1" in name)
            assert b"<f>" not in text
            assert b"hyperlink" not in text

    def test_a_csv_is_read_back_and_guards_formulas(self, nasty, tmp_path) -> None:
        for table in nasty:
            path = tmp_path / f"{table.name}.csv"
            write_csv(table, path)
            with path.open(encoding="utf-8", newline="") as handle:
                header, *rows = csv.reader(handle)
            assert len(header) == len(set(header)) == len(table.headings)
            assert len(rows) == len(table.rows)
            for row in rows:
                for cell in row:
                    number = re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell)
                    assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r"))

    def test_a_table_in_latex_is_whole(self, nasty, tables) -> None:
        for table in [*nasty, *tables.values()]:
            text = as_latex(table)
            assert balanced(text)
            body = text.split(r"\endlastfoot")[1]
            rows = [line for line in body.splitlines() if line.endswith(r"\\")]
            assert len(rows) == max(1, len(table.rows))
            for line in rows if table.rows else []:
                assert len(re.findall(r"(?<!\\)&", line)) == len(table.headings) - 1
            assert not re.search(r"(?<!\\)[$#]", text)
            assert r"\input" not in text
            assert max(len(cell) for line in rows for cell in re.split(r"(?<!\\)&", line)) < 500

    def test_a_table_in_markdown_is_whole_and_runs_nothing(self, nasty) -> None:
        for table in nasty:
            lines = [line for line in as_markdown(table).splitlines() if line.startswith("|")]
            assert len(lines) == len(table.rows) + 2
            assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(table.headings) + 1}
            text = "\n".join(lines)
            assert "<script" not in text.replace("\\<", "")
            assert not re.search(r"(?<!\\)\]\(", text)
            assert not re.search(r"(?<!\\)://|(?<!\\)www\.|www(?<!\\)\.", text.replace("www\\.", ""))

    def test_names_of_species_are_in_italics(self, tables) -> None:
        assert r"\emph{Lepidocyrtus cyaneus}" in as_latex(tables["dataset"])
        assert "*Lepidocyrtus cyaneus*" in as_markdown(tables["dataset"])
        assert r"\emph{Tullberg" not in as_latex(tables["dataset"])

    @given(st.text(max_size=60))
    def test_any_text_is_one_line_of_balanced_latex(self, text) -> None:
        made = latex(text)
        assert "\n" not in made
        assert balanced(made)
        assert not re.search(r"(?<!\\)[%&#$_]", made.replace(r"\textbackslash{}", ""))

    @given(st.text(max_size=60))
    def test_any_text_is_one_cell_of_markdown(self, text) -> None:
        made = markdown(text)
        assert "\n" not in made
        assert not re.search(r"(?<!\\)(\\\\)*\|", made.replace("\\|", ""))

    def test_paragraphs_keep_the_spaces_between_their_parts(self) -> None:
        parts = [[("Animals of ", False), ("Isotoma viridis", True), (" & others_x.", False)]]
        assert markdown_paragraphs(parts) == r"Animals of *Isotoma viridis* & others\_x."
        assert markdown("R&D &lt; &#60;") == r"R&D \&lt; \&#60;"


def balanced(text: str) -> bool:
    depth = 0
    for char in re.sub(r"\\[{}]", "", text):
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return False
    return depth == 0


SMALL = make_results(n_detectors=1, n_seeds=1, n_species=1, n_epochs=1)
SOFTWARE = {
    "title": "Podura", "version": "0.1.0", "license": "AGPL-3.0-or-later", "authors": [{"name": "X & Y"}],
}  # fmt: skip


def cited(results: Results, references: dict[str, str], costs: pd.DataFrame | None = None):
    text = bibliography(results, references, costs_of(results) if costs is None else costs, SOFTWARE)
    return parse_string(text, "bibtex").entries


class TestReferences:
    def test_every_known_reference_is_complete(self) -> None:
        entries = parse_file(str(KNOWN), "bibtex").entries
        assert len(entries) > 30
        for key, entry in entries.items():
            assert entry.persons["author"], key
            assert entry.fields["title"], key
            assert re.fullmatch(r"(19|20)\d\d", entry.fields["year"]), key
            if "doi" in entry.fields:
                assert re.fullmatch(r"10\.\d{4,9}/\S+", entry.fields["doi"]), key

    def test_the_models_of_the_catalogue_are_known_or_told_by_their_text(self, results) -> None:
        text = (Path(__file__).parents[2] / "config/models.yaml").read_text(encoding="utf-8")
        found = dict(enumerate(sorted(set(re.findall(r'reference: "(.+)"', text)))))
        entries = cited(results, {str(k): one for k, one in found.items()})
        identifiers = {
            v.lower() for e in entries.values() for k, v in e.fields.items() if k in ("eprint", "doi")
        }
        for number in re.findall(r"arXiv:([\d.]+)", " ".join(found.values())):
            assert number in identifiers
        assert entries["jocher2024"].fields["url"] == "https://github.com/ultralytics/ultralytics"
        assert "YOLO11" in entries["jocher2024"].fields["title"]

    def test_only_what_was_used_is_cited(self, results) -> None:
        entries = cited(results, {"a": "Ren et al. 2015, arXiv:1506.01497"})
        assert {"ren2015faster", "jocher2023ultralytics", "torchvision2016", "lin2014coco"} <= set(entries)
        absent = {
            "wolf2020transformers",
            "solovyev2021weighted",
            "akiba2019optuna",
            "codecarbon",
            "liu2016ssd",
        }
        assert not absent & set(entries)
        metered = costs_of(results, energy_status="measured")
        assert "codecarbon" in cited(results, {}, metered)
        fused = dataclasses.replace(results, ensembles={"e": {"members": ["yolov5n"], "seeds": "all"}})
        assert "solovyev2021weighted" in cited(fused, {})

    def test_a_model_of_ones_own_is_cited_as_its_text_tells(self, results) -> None:
        own = "Müller & O'Neil 2027, A detector of 50 % more_animals, doi:10.1234/abc_d; Nobody knows"
        entries = cited(results, {"own": own, "twin": own})
        entry = entries["reference2027"]
        assert [str(person) for person in entry.persons["author"]] == ["{Müller}", "{O'Neil}"]
        assert entry.fields["doi"] == "10.1234/abc_d"
        assert r"50 \% more\_animals" in entry.fields["title"]
        assert sum("Nobody" in e.fields["title"] for e in entries.values()) == 1

    @given(st.text(max_size=80))
    def test_any_text_gives_valid_bibtex(self, text) -> None:
        assert "podura" in cited(SMALL, {"own": text})


def test_a_study_of_one_seed_has_no_spread(tmp_path) -> None:
    made = make_results(n_seeds=1)
    table = paper_tables(made, costs_of(made))[0]
    assert column(table, "SD over seeds")[0] == "–"
    assert not np.isnan(table.rows[0][2].value)
