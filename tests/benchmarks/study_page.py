"""What simulations share that write a page of resources/: a table between two marks of a README."""

from __future__ import annotations

from pathlib import Path

MARKS = ("<!-- table -->", "<!-- end of table -->")


def with_table(page: str, table: str) -> str:
    """The page with the table between its two marks."""
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n\n{table}\n{MARKS[1]}{after}"


def renew(page: Path, table: str) -> None:
    """Put the table into the page where there is one."""
    if page.is_file():
        page.write_text(with_table(page.read_text(encoding="utf-8"), table), encoding="utf-8")
