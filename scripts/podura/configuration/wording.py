"""Values, choices and lists in words, for messages to people."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from typing import Any

#: How many offenders of one kind a message names before it counts the rest.
NAMED = 5


def shown(value: Any) -> str:
    """A value as one would write it in YAML, shortened in the middle where it is long."""
    if isinstance(value, str):
        text = f"'{one_line(value)}'"
    elif value is None or isinstance(value, bool | int | float):
        text = json.dumps(value)
    else:
        text = one_line(str(value))
    # Of a path the end tells most, of other values the beginning.
    return text if len(text) <= 80 else f"{text[:36]} ... {text[-39:]}"


def one_line(text: str) -> str:
    """A text with its line breaks and tabs made visible."""
    return text.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


def choice(options: Iterable[Any]) -> str:
    """Options in words: a, b or c."""
    words = [str(option) for option in options]
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def nearest(word: Any, options: Iterable[str]) -> str | None:
    """The option that a mistyped word most resembles, or None; capital letters do not count."""
    by_folded = {option.casefold(): option for option in options}
    found = difflib.get_close_matches(str(word).casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def suggestion(word: Any, options: Iterable[str]) -> str:
    """' Is 'x' meant?' for the nearest option, or nothing."""
    found = nearest(word, options)
    return f" Is '{found}' meant?" if found else ""


def rows_text(rows: Sequence[int]) -> str:
    """Row numbers in words: row 3; rows 3, 4 and 7; rows 3, 4, 5, 6, 7 and 20 more."""
    if len(rows) == 1:
        return f"row {rows[0]}"
    return f"rows {listed([str(row) for row in rows])}"


def listed(words: Sequence[str]) -> str:
    """The first few words of a list, and how many more there are."""
    if len(words) > NAMED:
        return f"{', '.join(words[:NAMED])} and {len(words) - NAMED} more"
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
