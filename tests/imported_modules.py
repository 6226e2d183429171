"""Which modules outside Podura and Python a script can import, directly or through Podura's modules."""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from podura.provenance import LIBRARY


def third_party_modules(script: Path, *, extra: Iterable[str] = (), without: Iterable[str] = ()) -> set[str]:
    """Top-level names of such modules. Imports within functions count; those for type checkers alone do not.

    ``extra`` adds modules of Podura that are imported by name at run time, ``without`` leaves out rooms.
    """
    left_out = tuple(without)
    found, seen = set(imported(script.read_text("utf-8"))), set()
    waiting = [*found, *extra]
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        for module in (".".join(parts[: n + 1]) for n in range(1, len(parts))):
            if parts[0] != "podura" or module in seen:
                continue
            seen.add(module)
            if any(module == o or module.startswith(f"{o}.") for o in left_out):
                continue
            base = LIBRARY.joinpath(*module.split(".")[1:])
            file = next((f for f in (base.with_suffix(".py"), base / "__init__.py") if f.is_file()), None)
            if file is not None:
                names = imported(file.read_text("utf-8"))
                found.update(names)
                waiting.extend(names)
    return {name.split(".")[0] for name in found} - sys.stdlib_module_names - {"podura"}


# A module is met by nearly every script; parsing it is what costs time.
@functools.cache
def imported(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for node in executed(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # "from podura.x import y": y may be a module of its own or a name within x.
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(names)


def executed(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            for other in child.orelse:
                yield from executed(other)
        else:
            yield from executed(child)
