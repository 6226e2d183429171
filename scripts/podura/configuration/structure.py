"""JSON Schemas (2020-12, written in YAML): filling defaults, and faults in plain sentences."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from podura.configuration.sources import KeyPath, Origins, read_yaml
from podura.configuration.wording import choice, shown, suggestion

Schema = Mapping[str, Any]


def _is_integer(_: Any, value: Any) -> bool:
    # JSON Schema takes 1.0 for an integer, and Python takes true for 1.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_StrictValidator: Any = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


@dataclass(frozen=True)
class Fault:
    """What is wrong with the value at a key path, and what to write instead."""

    key_path: KeyPath
    message: str


def load_schema(schemas: Path, name: str) -> Schema:
    """The schema of ``config``, ``model``, ``images`` or ``species`` from the folder of schemas."""
    return read_yaml(schemas / f"{name}.schema.yaml").values


def cell_check(schema: Schema) -> Callable[[Any], bool]:
    """A function that tells whether a single value, such as the cell of a table, fits a schema."""
    check: Callable[[Any], bool] = _StrictValidator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    ).is_valid
    return check


def with_defaults(values: Any, schema: Schema) -> Any:
    """A copy of ``values`` in which each absent key with a default has it, in the schema's order."""
    if not isinstance(values, Mapping):
        return copy.deepcopy(values)
    properties: Schema = schema.get("properties", {})
    filled: dict[Any, Any] = {}
    for key, subschema in properties.items():
        if key in values:
            filled[key] = with_defaults(values[key], subschema)
        elif "default" in subschema:
            filled[key] = copy.deepcopy(subschema["default"])
        elif subschema.get("type") == "object":
            filled[key] = with_defaults({}, subschema)
    filled.update({key: copy.deepcopy(values[key]) for key in values if key not in properties})
    return filled


def with_command_line_read(values: Any, schema: Schema, origins: Origins, key_path: KeyPath = ()) -> Any:
    """A copy of ``values`` in which numbers given on the command line are numbers.

    Snakemake reads ``--config seeds=[1,2]`` as a list of texts.
    """
    if isinstance(values, Mapping):
        properties = schema.get("properties", {})
        return {
            key: with_command_line_read(value, properties.get(key, {}), origins, (*key_path, key))
            for key, value in values.items()
        }
    if isinstance(values, list):
        items = schema.get("items", {})
        return [
            with_command_line_read(value, items, origins, (*key_path, place))
            for place, value in enumerate(values)
        ]
    if isinstance(values, str) and origins.from_command_line(key_path):
        return _read_scalar(values, _types(schema))
    return values


def _read_scalar(text: str, types: tuple[str, ...]) -> Any:
    if "null" in types and text in {"null", "~", ""}:
        return None
    if "boolean" in types and text in {"true", "false"}:
        return text == "true"
    number = _number(text) if "integer" in types or "number" in types else None
    return text if number is None else number


def structural_faults(values: Any, schema: Schema, origins: Origins, above: KeyPath = ()) -> list[Fault]:
    """Every way in which ``values`` do not fit ``schema``, in the order of the file.

    ``above`` is the key path at which ``values`` stand, for the wording and for ``origins``.
    """
    faults: list[Fault] = []
    for error in _StrictValidator(schema).iter_errors(values):
        faults += _translated(error, schema, origins, above)
    return faults


def _translated(error: Any, schema: Schema, origins: Origins, above: KeyPath) -> Iterator[Fault]:
    key_path = (*above, *error.absolute_path)
    where = origins.where(key_path)
    if error.validator == "additionalProperties":
        properties = error.schema["properties"]
        for key in [key for key in error.instance if key not in properties]:
            unknown_path = (*key_path, key)
            yield Fault(
                unknown_path,
                f"{origins.where(unknown_path)}: there is no such key."
                f"{_right_key(key, properties, schema)} The keys here: {', '.join(properties)}.",
            )
    elif error.validator == "required":
        # jsonschema reports each missing key by itself, and names it only in its message.
        for key in error.validator_value:
            if key not in error.instance and f"'{key}' is a required" in error.message:
                yield Fault(
                    (*key_path, key),
                    f"{where}: the key '{key}' is missing. Write {key}: with "
                    f"{allowed(error.schema['properties'][key])}.",
                )
    else:
        yield Fault(key_path, f"{where}: {_sentence(error)} Write {allowed(error.schema)}.")


def _right_key(key: Any, siblings: Schema, schema: Schema) -> str:
    elsewhere = [path for path in _key_paths(schema) if path[-1] == key]
    if elsewhere:
        return f" It belongs at {choice('.'.join(path) for path in elsewhere)}."
    return suggestion(key, siblings)


def _key_paths(schema: Schema, above: KeyPath = ()) -> Iterator[KeyPath]:
    for key, subschema in schema.get("properties", {}).items():
        yield (*above, key)
        yield from _key_paths(subschema, (*above, key))


def _sentence(error: Any) -> str:
    value, limit = error.instance, error.validator_value
    if error.validator == "type":
        return _type_sentence(value, _types(error.schema))
    if error.validator == "enum":
        texts = [option for option in limit if isinstance(option, str)]
        return f"{shown(value)} is not possible.{suggestion(value, texts)}"
    if error.validator == "uniqueItems":
        twice = next(item for place, item in enumerate(value) if item in value[:place])
        return f"{shown(twice)} stands there twice."
    if error.validator == "minItems" and not value:
        return "the list is empty."
    sentences = {
        "minimum": f"{shown(value)} is less than {limit}.",
        "maximum": f"{shown(value)} is more than {limit}.",
        "exclusiveMinimum": f"{shown(value)} is not above {limit}.",
        "exclusiveMaximum": f"{shown(value)} is not below {limit}.",
        "multipleOf": f"{shown(value)} is not a multiple of {limit}.",
    }
    return sentences.get(error.validator, f"{shown(value)} does not fit.")


def _type_sentence(value: Any, types: tuple[str, ...]) -> str:
    if value is None:
        return "there is no value."
    if isinstance(value, str):
        number = _number(value)
        if number is not None and {"integer", "number"} & set(types):
            return f"{shown(value)} is text here, not a number: write {number} without quotes."
        if "array" in types:
            return f"{shown(value)} is not a list: write [{value}]."
    elif "string" in types and "integer" not in types and not isinstance(value, Mapping | list):
        return f"YAML does not read {shown(value)} as text: put it in quotes."
    kinds = {
        "integer": "a whole number",
        "number": "a number",
        "string": "text",
        "boolean": "true or false",
        "array": "a list",
        "object": "a group of keys",
    }
    expected = choice(kinds[kind] for kind in types if kind in kinds)
    return f"{shown(value)} is not {expected}."


def _number(text: str) -> int | float | None:
    """The number that a text means; a decimal comma counts, as does 6e-4, which YAML takes for text."""
    for read in (int, float):
        try:
            number = read(text.strip().replace(",", "."))
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def _types(schema: Schema) -> tuple[str, ...]:
    types = schema.get("type", ())
    return (types,) if isinstance(types, str) else tuple(types)


def allowed(schema: Schema) -> str:
    """What a key's schema allows, in words."""
    if "enum" in schema:
        return choice("null" if option is None else str(option) for option in schema["enum"])
    types = _types(schema)
    if "x-allowed" in schema:
        words: str = schema["x-allowed"]
    elif "array" in types:
        example = ", ".join(str(item) for item in schema["examples"][0])
        words = f"a list such as [{example}] (each {allowed(schema['items'])}; none twice)"
    elif "object" in types:
        words = f"the keys {', '.join(schema['properties'])}, indented below it"
    elif "boolean" in types:
        words = "true or false"
    else:
        words = _allowed_number(schema, "integer" in types)
    return f"{words}, or null" if "null" in types else words


def _allowed_number(schema: Schema, whole: bool) -> str:
    words = "a whole number" if whole else "a number"
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = [f"{name} {schema[key]}" for key, name in bounds.items() if key in schema]
    words = f"{words} {' and '.join(limits)}" if limits else words
    return f"{words}, a multiple of {schema['multipleOf']}" if "multipleOf" in schema else words
