"""YAML files read strictly, and the line from which each value of a merged configuration comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from podura.configuration.wording import one_line
from podura.errors import UserError, UserErrors

#: The way to a value: keys of mappings (text) and places in lists (from 0).
KeyPath = tuple[Any, ...]

COMMAND_LINE = "the command line (--config)"

# libyaml's loader reads the same and is ten times as fast; it is not in every build of PyYAML.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class YamlFile:
    """A YAML file: its content and the line (from 1) of each of its keys and list items."""

    path: Path
    values: dict[Any, Any]
    lines: Mapping[KeyPath, int]


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file that holds a mapping.

    Raises UserErrors for a missing file, for what is no YAML or no mapping, and for a key that
    stands twice in one mapping, of which YAML would silently drop the first.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. Give the path of a YAML file.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8. Save it as UTF-8 text.") from None
    loader = _Loader(text)
    lines: dict[KeyPath, int] = {}
    faults: list[str] = []
    try:
        node = loader.get_single_node()
        if node is not None:
            _note_lines(loader, node, (), path, lines, faults)
        values = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise UserError(_yaml_fault(path, error)) from None
    finally:
        loader.dispose()
    if not isinstance(values, dict):
        raise UserError(f"{path}: it holds no keys. Write lines such as 'key: value'.")
    if faults:
        raise UserErrors(faults)
    return YamlFile(path, values, lines)


def _note_lines(
    loader: Any,
    node: yaml.Node,
    key_path: KeyPath,
    file: Path,
    lines: dict[KeyPath, int],
    faults: list[str],
) -> None:
    if isinstance(node, yaml.MappingNode):
        first_line: dict[str, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if key_node.value in first_line and key_node.tag != "tag:yaml.org,2002:merge":
                where = key_text((*key_path, key_node.value))
                faults.append(
                    f"{file}, line {line}, key {where}: the key stands already in line "
                    f"{first_line[key_node.value]}. Keep one of the two."
                )
            elif isinstance(key_node, yaml.ScalarNode):
                first_line[key_node.value] = line
        loader.flatten_mapping(node)  # so that '<<: *other' brings the other's keys
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            lines[(*key_path, key)] = key_node.start_mark.line + 1
            _note_lines(loader, value_node, (*key_path, key), file, lines, faults)
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            lines[(*key_path, place)] = item.start_mark.line + 1
            _note_lines(loader, item, (*key_path, place), file, lines, faults)


def _yaml_fault(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    where = f"{path}, line {mark.line + 1}" if mark is not None else f"{path}"
    return (
        f"{where}: this is not valid YAML ({problem}). Write 'key: value' with a space after the "
        "colon, indent with spaces and never with tabs, and close every quote and bracket."
    )


class Origins:
    """Tells which file and line set a value of a merged configuration.

    ``files`` in the order in which they were merged (a later one wins); ``merged`` is the outcome. A
    value that no file holds was given on the command line.
    """

    def __init__(self, files: Sequence[YamlFile], merged: Mapping[Any, Any]) -> None:
        self._files = files
        self._merged = merged

    def where(self, key_path: KeyPath) -> str:
        """The place of a value in words, such as 'config/config.yaml, line 32, key split.by'."""
        if not key_path:
            return str(self._files[-1].path) if self._files else COMMAND_LINE
        file = self._file(key_path)
        if file is None:
            return f"{COMMAND_LINE}, key {key_text(key_path)}"
        return f"{file.path}, line {file.lines[key_path]}, key {key_text(key_path)}"

    def from_command_line(self, key_path: KeyPath) -> bool:
        """Whether no file holds this value."""
        return self._file(key_path) is None

    def _file(self, key_path: KeyPath) -> YamlFile | None:
        unit = _mergeable(key_path)
        merged = _value(self._merged, unit)
        for file in reversed(self._files):
            if key_path in file.lines and _same(_value(file.values, unit), merged):
                return file
        return None


def key_text(key_path: KeyPath) -> str:
    """A key path in words: ``("split", "by")`` is split.by, ``("seeds", 0)`` is seeds, item 1."""
    text = ""
    for place, step in enumerate(key_path):
        if type(step) is int and place:
            text += f", item {step + 1}"
        else:
            text += f".{step}" if place else str(step)
    return one_line(text)


def _mergeable(key_path: KeyPath) -> KeyPath:
    # Merging replaces a list as a whole, so a list item comes from where its list comes from.
    for place, step in enumerate(key_path):
        if type(step) is int and place:
            return key_path[:place]
    return key_path


def _value(values: Any, key_path: KeyPath) -> Any:
    for step in key_path:
        if not isinstance(values, Mapping) or step not in values:
            return None
        values = values[step]
    return values


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) or isinstance(other, Mapping):
        return isinstance(one, Mapping) and isinstance(other, Mapping)
    return type(one) is type(other) and (one == other or one != one)


def as_typed(path: Path) -> Path:
    """A path below the working directory as relative to it."""
    # Snakemake makes the paths of overlays absolute; people read what they typed.
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
