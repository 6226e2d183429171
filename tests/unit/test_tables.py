"""Tables keep their types through files, refuse strange columns, and run no formula in a spreadsheet."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podura import tables
from podura.errors import UserError
from podura.tables import Column, Table, whole_file

SMALL = Table(
    "small",
    "for tests",
    (
        Column("name", "string", "a name"),
        Column("count", "integer", "a count"),
        Column("share", "number", "a share"),
        Column("kept", "boolean", "kept or not", optional=True),
    ),
)

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": TEXT,
            "count": st.none() | st.integers(-(2**40), 2**40),
            "share": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "kept": st.none() | st.booleans(),
        }
    ),
    max_size=5,
)


@given(rows=ROWS)
def test_csv_and_parquet_give_back_what_was_written(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("t")
    written = SMALL.frame(rows)
    SMALL.write_csv(rows, folder / "t.csv")
    SMALL.write_parquet(rows, folder / "t.parquet")
    pd.testing.assert_frame_equal(SMALL.read_csv(folder / "t.csv"), written)
    pd.testing.assert_frame_equal(SMALL.read_parquet(folder / "t.parquet"), written)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_no_cell_of_text_begins_like_a_formula(start, tmp_path):
    row = {"name": f"{start}HYPERLINK(1)", "count": -1, "share": -0.5}
    SMALL.write_csv([row], tmp_path / "t.csv")
    cells = (tmp_path / "t.csv").read_text().splitlines()[1].split(",")
    assert cells[0].lstrip('"').startswith("'")
    assert cells[1:3] == ["-1", "-0.5"]  # numbers stay numbers
    assert SMALL.read_csv(tmp_path / "t.csv")["name"][0] == row["name"]


def test_unknown_and_missing_columns_are_refused():
    with pytest.raises(ValueError, match="nmae"):
        SMALL.frame([{"nmae": "a", "count": 1, "share": 0.1}])


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file.txt"

    def fail():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not path.exists()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,slide\na.jpg,s1\n", "tab"),
        ("image;slide\na.jpg;s1\n", "tab"),
        ("image\tslyde\na.jpg\ts1\n", "slyde"),
        ("image\na.jpg\n", "'slide' is missing"),
        ("image\tslide\na.jpg\t\n", "row 2, column 'slide'"),
        ("image\tslide\na.jpg\ts1\tx\n", "row 2"),
        ("", "empty"),
        ("image\timage\tslide\na\tb\tc\n", "twice"),
    ],
)
def test_tables_of_users_are_refused_with_row_and_column(text, said, tmp_path):
    path = tmp_path / "images.tsv"
    path.write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        tables.IMAGES.read_user_tsv(path)
    assert "images.tsv" in str(caught.value)


def test_a_table_saved_by_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "images.tsv"
    path.write_bytes("image\tslide\r\n# a comment\r\n\r\né.jpg\ts1\r\n".encode("utf-8-sig"))
    (row,) = tables.IMAGES.read_user_tsv(path).to_dict("records")
    assert (row["image"], row["slide"], row["row"], row["site"]) == ("é.jpg", "s1", 4, "")


def test_a_table_that_is_not_utf8_says_so(tmp_path):
    path = tmp_path / "images.tsv"
    path.write_bytes("image\tslide\né.jpg\ts1\n".encode("latin-1"))
    with pytest.raises(UserError, match="UTF-8"):
        tables.IMAGES.read_user_tsv(path)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
RECORDS = st.lists(st.dictionaries(st.text(max_size=3), NUMBERS, max_size=3), max_size=4)


@given(st.dictionaries(st.text(max_size=5), st.one_of(RECORDS, st.text(), st.none()), max_size=4))
def test_records_as_json_are_read_as_they_were_one_a_line(document):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        tables.write_json_records(document, path)
        text = path.read_text(encoding="utf-8")
        assert tables.read_json(path) == document
    lines = [line.removesuffix(",") for line in text.split("\n")]
    for value in document.values():
        for item in value if isinstance(value, list) else []:
            assert json.dumps(item, ensure_ascii=False) in lines
    assert list(json.loads(text)) == list(document)


def test_records_are_written_whole_or_not_at_all(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        tables.write_json_records({"a": [{"x": 1.0}, {"x": float("nan")}]}, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("broken", ['b\t"B', 'b\t"B"x', '"b\tB'])
def test_a_quotation_mark_that_is_not_closed_swallows_no_rows(broken, tmp_path):
    path = tmp_path / "images.tsv"
    path.write_text(f"image\tslide\na\tA\n{broken}\nc\tC\n# it's \t\"a comment\n")
    with pytest.raises(UserError, match=r"images\.tsv, row 3: a cell begins with a quotation mark"):
        tables.IMAGES.read_user_tsv(path)
    path.write_bytes(b'image\tslide\r\n"a b"\t"A ""1"""\r\n\r\nc\tC "x"\r\n')
    table = tables.IMAGES.read_user_tsv(path)
    assert table[["image", "slide", "row"]].to_numpy().tolist() == [["a b", 'A "1"', 2], ["c", 'C "x"', 4]]
