"""Which classes and which label files a YOLO data set has (the rules are told in ``yolo``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from podura.annotations.documents import files_below, read_text, refuse
from podura.annotations.problems import Problem
from podura.errors import UserError

_PARTS = ("train", "val", "validation", "valid", "test", "minival")
_NAME_LISTS = ("classes.txt", "obj.names")
_NO_LABELS = {"classes.txt", "train.txt", "val.txt", "valid.txt", "validation.txt", "test.txt"}
_WANTED = "a YOLO data YAML"
_NOTHING = ("", "null", "~")


@dataclass(frozen=True)
class LabelFile:
    """A label file, the names under which its image may be known, and its place in words."""

    path: Path
    file_names: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class YoloData:
    """``source`` holds the names of the classes by number; ``key_points`` are the numbers behind a box."""

    source: Path
    names: Mapping[int, str]
    key_points: int
    labels: tuple[LabelFile, ...]
    problems: tuple[Problem, ...]


def read_yolo_data(path: Path) -> YoloData:
    """Read the description of a data set and find its label files, in the order of their paths.

    Raises UserErrors for names that are missing or ambiguous, and where no label file is found.
    """
    source = _description(path) if path.is_dir() else path
    problems: list[Problem] = []
    if source.name in _NAME_LISTS:
        lines = read_text(source, "the list of class names").splitlines()
        names = {number: line.strip() for number, line in enumerate(lines) if line.strip()}
        labels, key_points = _labels_below(source.parent.resolve()), 0
    else:
        document = _read_yaml(source)
        names, key_points = _names(document, source), _key_points(document)
        labels = _labels_of_parts(document, source, problems)
    if not names:
        raise UserError(f"{source}: no class has a name. Write the names of the classes, from number 0 on.")
    if not labels:
        raise UserError(
            f"{source}: no label file (.txt) is found. Labels lie in a folder 'labels' beside the folder "
            "'images', with the names of the images."
        )
    return YoloData(source, names, key_points, tuple(labels), tuple(problems))


def _description(folder: Path) -> Path:
    found = sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))
    named = [path for path in found if path.stem in ("data", "dataset")] or found
    lists = [folder / name for name in _NAME_LISTS if (folder / name).is_file()]
    if len(named) == 1 or (not named and len(lists) == 1):
        return (named or lists)[0]
    several = ", ".join(path.name for path in named or lists)
    raise UserError(
        f"{folder}: the folder holds {f'several descriptions ({several})' if several else 'no data YAML'}. "
        f"Give the path of {_WANTED}."
    )


def _read_yaml(path: Path) -> Mapping[str, Any]:
    text = read_text(path, _WANTED)
    try:
        _refuse_twice(yaml.compose(text, Loader=yaml.BaseLoader), path)
        # Every value stays the text that stands there: a class may be called "no" or "007".
        document = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark is not None else f"{path}"
        raise UserError(
            f"{where}: this is not valid YAML ({getattr(error, 'problem', None) or error}). Export the data "
            "set again."
        ) from None
    if not isinstance(document, dict):
        raise UserError(f"{path}: a YOLO data YAML has keys such as 'names' and 'train'; this file has none.")
    return document


def _refuse_twice(root: yaml.Node | None, path: Path) -> None:
    """A key that stands twice: YAML would silently follow the later one."""
    faults = []
    mappings = [root] if isinstance(root, yaml.MappingNode) else []
    mappings += [value for node in mappings for _, value in node.value if isinstance(value, yaml.MappingNode)]
    for mapping in mappings:
        seen: set[str] = set()
        for key, _ in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                faults.append(
                    f"{path}, line {key.start_mark.line + 1}: the key '{key.value}' stands there twice. "
                    "Keep one of the two."
                )
            seen.add(key.value)
    refuse(faults)


def _names(document: Mapping[str, Any], path: Path) -> dict[int, str]:
    given, count = document.get("names"), document.get("nc")
    if isinstance(given, list):
        given = {str(number): name for number, name in enumerate(given)}
    if not isinstance(given, dict) or not given:
        raise UserError(
            f"{path}: 'names' is missing. Write the list of class names, in the order of numbers."
        )
    faults, names = [], {}
    for key, name in given.items():
        if not (isinstance(key, str) and key.isascii() and key.isdecimal()):
            faults.append(f"{path}, names: a key is no whole number from 0 on. Write '0: name'.")
        elif not isinstance(name, str) or name.strip() in _NOTHING:
            faults.append(f"{path}, names: class {key} has no name of text. Write '{key}: name'.")
        else:
            names[int(key)] = name.strip()
    if isinstance(count, str) and not faults and count.strip() not in (*_NOTHING, str(len(given))):
        faults.append(
            f"{path}: 'nc' is {count}, but there are {len(given)} names. One of them is wrong; correct it."
        )
    refuse(faults)
    return names


def _key_points(document: Mapping[str, Any]) -> int:
    shape = document.get("kpt_shape")
    if isinstance(shape, list) and len(shape) == 2 and all(str(side).isdecimal() for side in shape):
        return int(shape[0]) * int(shape[1])
    return 0


def _labels_of_parts(document: Mapping[str, Any], source: Path, problems: list[Problem]) -> list[LabelFile]:
    root = _root(document.get("path"), source, problems)
    parts = [(part, entry) for part in _PARTS for entry in _entries(document.get(part))]
    if not parts:
        return _labels_below(root)
    found: dict[Path, LabelFile] = {}
    for part, entry in parts:
        # Exports of Roboflow say ../train/images where the folder lies beside the YAML.
        candidates = [root / entry, root / entry.removeprefix("../"), source.parent / entry]
        inside = [path for path in map(Path.resolve, candidates) if _inside(path, root, source)]
        place = next((path for path in inside if path.is_file() or _label_folder(path).is_dir()), None)
        if place is None:
            problems.append(_no_labels(part, entry, source))
        elif place.is_file():
            found.update((label.path, label) for label in _listed(place, root, source, problems))
        else:
            found.update((label.path, label) for label in _labels_in(_label_folder(place), root))
    return [found[path] for path in sorted(found)]


def _inside(path: Path, root: Path, source: Path) -> bool:
    return path.is_relative_to(root) or path.is_relative_to(source.parent.resolve())


def _root(given: Any, source: Path, problems: list[Problem]) -> Path:
    own = source.parent.resolve()
    if not isinstance(given, str) or given.strip() in _NOTHING:
        return own
    for path in (own / given, Path(given)):
        if path.is_dir():
            return path.resolve()
    problems.append(
        Problem(
            "path_not_found",
            "the folder 'path' of the data YAML does not exist here; the YAML's own folder is taken",
            row=source.name,
            value=given,
        )
    )
    return own


def _entries(given: Any) -> list[str]:
    entries = given if isinstance(given, list) else [given]
    return [entry.strip() for entry in entries if isinstance(entry, str) and entry.strip() not in _NOTHING]


def _label_folder(images: Path) -> Path:
    """The folder of labels for a folder of images: the last part 'images' becomes 'labels'."""
    parts = list(images.parts)
    if "images" in parts:
        parts[len(parts) - 1 - parts[::-1].index("images")] = "labels"
    return Path(*parts)


def _labels_below(folder: Path) -> list[LabelFile]:
    labels = folder / "labels"
    return list(_labels_in(labels if labels.is_dir() else folder, folder))


def _labels_in(folder: Path, root: Path) -> Iterator[LabelFile]:
    for path in files_below(folder, ".txt"):
        if path.name not in _NO_LABELS:
            yield _label(path, path.relative_to(folder).with_suffix("").as_posix(), root)


def _listed(text_file: Path, root: Path, source: Path, problems: list[Problem]) -> Iterator[LabelFile]:
    """The label files of the images that a text file lists; an image without one is not annotated."""
    lines = read_text(text_file, "a list of images").splitlines()
    for count, line in enumerate(lines, start=1):
        image = line.strip().replace("\\", "/")
        if not image:
            continue
        paths = [_label_path((base / image).resolve()) for base in (text_file.parent, root)]
        inside = [path for path in paths if _inside(path, root, source)]
        label = next((path for path in inside if path.is_file()), None)
        if label is not None:
            yield _label(label, image, root)
        elif not inside:
            problems.append(_leaves(text_file, count, image))


def _label_path(image: Path) -> Path:
    return (_label_folder(image.parent) / image.name).with_suffix(".txt")


def _label(path: Path, image: str, root: Path) -> LabelFile:
    below = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    parts = ["images" if part == "labels" else part for part in below.with_suffix("").parts]
    names = dict.fromkeys((image, "/".join(parts)))
    return LabelFile(path, tuple(names), below.as_posix())


def _no_labels(part: str, entry: str, source: Path) -> Problem:
    return Problem(
        "no_label_folder",
        f"there is no folder of labels for '{part}', so its images have no annotations; labels lie where "
        "'images' is called 'labels'",
        row=f"{source.name}, {part}",
        value=entry,
    )


def _leaves(text_file: Path, line: int, image: str) -> Problem:
    return Problem(
        "leaves_folder",
        "the listed image lies outside the folder of the data set, which 'path' of the data YAML tells; its "
        "label is not opened",
        row=f"{text_file.name}, line {line}",
        value=image,
    )
