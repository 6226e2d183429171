"""How tables of a paper become CSV, LaTeX with booktabs, Markdown and XLSX, the same bytes every time."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import xlsxwriter

from podura.report.paper_tables import Cell, Heading, PaperTable, Part, footnote_marks
from podura.report.parts import shortened
from podura.tables import Column, Table, whole_file, write_text

# Longer texts would push a printed table off its page; CSV and XLSX hold them whole.
_LONGEST = 80
# More columns do not fit on an upright page.
_UPRIGHT = 7
# Which direction text runs is not for a name to decide for what stands beside it.
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "\u00a0": "~",
    "−": r"\ensuremath{-}",
    "–": "--",
    "…": r"\ldots{}",
    "µ": r"\textmu{}",
}
# An ampersand stands for itself unless it begins the name of a letter, such as &amp;.
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~$@]|&(?=#?\w+;)|:(?=//)|(?<=www)\.)")


def plain(text: str) -> str:
    """Text in one line, without control characters and marks of direction."""
    kept = (" " if char.isspace() and char != "\u00a0" else char for char in _DIRECTIONS.sub("", text))
    return "".join(char for char in kept if unicodedata.category(char) not in ("Cc", "Cs", "Co")).strip()


def _short(text: str) -> str:
    return shortened(plain(text), _LONGEST)


def latex(text: str) -> str:
    """Text that LaTeX (UTF-8) sets as it is."""
    # In brackets, since LaTeX would take one that follows a line's end for its argument.
    made = "".join(_LATEX.get(char, char) for char in plain(text))
    return f"{{{made}}}" if made.startswith(("[", "*")) else made


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a table as well."""
    return _MARKDOWN.sub(r"\\\1", plain(text))


def markdown_paragraphs(paragraphs: Iterable[Sequence[Part]]) -> str:
    """Paragraphs of (text, italic) parts as Markdown."""
    return "\n\n".join(
        "".join(_emphasised(text) if italic else _loose(text) for text, italic in one) for one in paragraphs
    )


def _emphasised(text: str) -> str:
    return f"*{markdown(text)}*"


def _loose(text: str) -> str:
    # The spaces at the ends of a part stand between it and its neighbours.
    head, tail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{' ' * bool(head)}{markdown(text)}{' ' * bool(tail)}"


def as_latex(table: PaperTable) -> str:
    """The table as LaTeX for the packages booktabs and longtable, footnotes at its end."""
    marks = footnote_marks(table)
    columns = "".join("l" if heading.digits is None else "r" for heading in table.headings)
    head = " & ".join(_latex_heading(heading, marks) for heading in table.headings)
    width = len(table.headings)
    notes = [
        rf"\multicolumn{{{width}}}{{@{{}}p{{\linewidth}}@{{}}}}{{\footnotesize "
        rf"\textsuperscript{{{marks[number]}}}~{latex(note)}}} \\"
        for number, note in enumerate(table.notes, start=1)
    ]
    rows = [" & ".join(_latex_cell(cell) for cell in row) + r" \\" for row in table.rows]
    if not rows:
        rows = [rf"\multicolumn{{{width}}}{{@{{}}l@{{}}}}{{nothing to show}} \\"]
    return "\n".join(
        [
            "% Needs \\usepackage{booktabs,longtable,textcomp}. Beyond Latin letters: XeLaTeX, LuaLaTeX.",
            *(
                ["% Wide: put it on a landscape page, \\begin{landscape} of \\usepackage{pdflscape}."]
                if width > _UPRIGHT
                else []
            ),
            rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
            rf"\caption{{{latex(table.title)}}}\label{{tab:{table.name}}}\\",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            r"\endfirsthead",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            r"\bottomrule",
            *notes,
            r"\endlastfoot",
            *rows,
            r"\end{longtable}",
            "",
        ]
    )


def _latex_heading(heading: Heading, marks: dict[int, str] | object) -> str:
    mark = "" if heading.note is None else rf"\textsuperscript{{{marks[heading.note]}}}"  # type: ignore[index]
    return latex(heading.words) + mark


def _latex_cell(cell: Cell) -> str:
    if cell.parts:
        return "".join(
            rf"\emph{{{latex(_short(text))}}}" if italic else f" {latex(_short(text))}"
            for text, italic in cell.parts
        ).strip()
    return latex(_short(cell.text))


def as_markdown(table: PaperTable) -> str:
    """The table as Markdown with a title above and footnotes beneath."""
    marks = footnote_marks(table)
    head = [
        markdown(h.words) + ("" if h.note is None else f"<sup>{marks[h.note]}</sup>") for h in table.headings
    ]
    lines = [
        f"**{markdown(table.title)}**",
        "",
        f"| {' | '.join(head)} |",
        f"|{'|'.join('---' if h.digits is None else '---:' for h in table.headings)}|",
        *(f"| {' | '.join(_markdown_cell(cell) for cell in row)} |" for row in table.rows),
        "",
        *(
            f"<sup>{marks[number]}</sup> {markdown(note)}  "
            for number, note in enumerate(table.notes, start=1)
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_cell(cell: Cell) -> str:
    if cell.parts:
        return "".join(
            _emphasised(_short(text)) if italic else f" {markdown(_short(text))}"
            for text, italic in cell.parts
        ).strip()
    return markdown(_short(cell.text))


def write_xlsx(table: PaperTable, path: Path) -> None:
    """Write the table as a workbook: numbers as numbers, every text as text, never as a formula or a link."""
    with whole_file(path) as temporary:
        book = xlsxwriter.Workbook(
            temporary,
            {
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "nan_inf_to_errors": False,
                "in_memory": True,
            },
        )
        # Else it would hold the time of writing.
        book.set_properties({"title": plain(table.title)[:250], "created": datetime(2000, 1, 1)})
        _fill(book, book.add_worksheet(table.name), table)
        book.close()


def _fill(book: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet, table: PaperTable) -> None:
    marks = footnote_marks(table)
    bold, italic = book.add_format({"bold": True}), book.add_format({"italic": True})
    raised = book.add_format({"font_script": 1})
    header = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    formats = {
        digits: book.add_format({"num_format": "#,##0" if not digits else f"0.{'0' * digits}"})
        for digits in {heading.digits for heading in table.headings if heading.digits is not None}
    }
    sheet.write_string(0, 0, plain(table.title), bold)
    for place, heading in enumerate(table.headings):
        if heading.note is None:
            sheet.write_string(2, place, plain(heading.words), header)
        else:
            sheet.write_rich_string(2, place, bold, plain(heading.words), raised, marks[heading.note], header)
        shown = [len(row[place].text) for row in table.rows[:200]]
        sheet.set_column(place, place, min(48, max([12, *shown])))
    for number, row in enumerate(table.rows, start=3):
        for place, (cell, heading) in enumerate(zip(row, table.headings, strict=True)):
            if cell.value is not None:
                sheet.write_number(number, place, cell.value, formats.get(heading.digits or 0))
            elif len(cell.parts) == 1 and cell.parts[0][1]:
                sheet.write_string(number, place, plain(cell.text), italic)
            elif cell.parts and any(slanted for _, slanted in cell.parts):
                fragments = [piece for text, slanted in cell.parts for piece in ([italic] * slanted + [text])]
                sheet.write_rich_string(number, place, *fragments)
            else:
                sheet.write_string(number, place, plain(cell.text))
    for number, note in enumerate(table.notes, start=1):
        sheet.write_rich_string(
            len(table.rows) + 3 + number, 0, raised, marks[number], book.add_format(), f" {plain(note)}"
        )
    sheet.freeze_panes(3, 1)


def write_csv(table: PaperTable, path: Path) -> None:
    """Write the table as CSV: numbers in full, a missing value empty, units in the header.

    Text goes through the guard against formulas of ``podura.tables``. Columns of one name are numbered.
    """
    uses = Counter(heading.words for heading in table.headings)
    seen: Counter[str] = Counter()
    names = []
    for heading in table.headings:
        seen[heading.words] += 1
        last = f" {seen[heading.words]}" if uses[heading.words] > 1 else ""
        names.append(plain(f"{heading.words}{last}").replace("\u00a0", " "))
    numeric = [
        heading.digits is not None
        and all(row[place].value is not None or row[place].text == "–" for row in table.rows)
        for place, heading in enumerate(table.headings)
    ]
    columns = tuple(
        Column(name, ("number" if heading.digits else "integer") if is_numeric else "string", name)
        for name, heading, is_numeric in zip(names, table.headings, numeric, strict=True)
    )
    rows = [
        {
            name: _as_number(cell, heading) if is_numeric else None if cell.text == "–" else plain(cell.text)
            for name, cell, heading, is_numeric in zip(names, row, table.headings, numeric, strict=True)
        }
        for row in table.rows
    ]
    Table(table.name, table.title, columns).write_csv(rows, path)


def _as_number(cell: Cell, heading: Heading) -> float | None:
    return cell.value if cell.value is None or heading.digits else float(round(cell.value))


#: The footnotes of the CSV files, which have no room for them.
NOTES = Table(
    "notes",
    "footnotes of the tables for papers",
    (
        Column("table", "string", "name of the table"),
        Column("column", "string", "columns that it belongs to, separated by ;"),
        Column("note", "string", "the footnote"),
    ),
)


def write_tables(tables: Sequence[PaperTable], folder: Path) -> None:
    """Write every table as CSV, LaTeX, Markdown and XLSX into a folder, with notes.csv for the CSV files."""
    notes = []
    for table in tables:
        write_csv(table, folder / f"{table.name}.csv")
        write_text(as_latex(table), folder / f"{table.name}.tex")
        write_text(as_markdown(table), folder / f"{table.name}.md")
        write_xlsx(table, folder / f"{table.name}.xlsx")
        for number, note in enumerate(table.notes, start=1):
            columns = [heading.words for heading in table.headings if heading.note == number]
            notes.append({"table": table.name, "column": "; ".join(columns), "note": note})
    NOTES.write_csv(notes, folder / "notes.csv")
