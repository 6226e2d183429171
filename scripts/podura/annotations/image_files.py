"""The files of the study's images: which are there, which can be read, which are the same."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path

from podura.annotations.findings import Findings
from podura.annotations.problems import Problem
from podura.slides.entries import ImageEntry
from podura.slides.missing import file_names, near_miss
from podura.slides.reading import Examination, TooLargeError, UnreadableImageError, examine

log = logging.getLogger(__name__)

_PROGRESS_EVERY = 1000


def examine_images(
    entries: Sequence[ImageEntry], findings: Findings, *, threads: int = 1
) -> dict[str, Examination]:
    """What a look at every image that can be decoded found, by its name; the others are told of.

    Decoding leaves Python, so ``threads`` read at once; the result does not depend on their number.
    """
    examined: dict[str, Examination] = {}
    there = cache(file_names)

    def read(entry: ImageEntry) -> Examination | Problem:
        try:
            return examine(entry.path)
        except (UnreadableImageError, TooLargeError) as error:
            near = None
            if error.kind == "missing_image":
                near = near_miss(entry.path.name, there(entry.path.parent))
            message = f"{str(error).removesuffix('.')}; {near}." if near else str(error)
            return Problem(error.kind, message, image=entry.image)

    done = 0
    with ThreadPoolExecutor(threads) as pool:
        for batch in _batches(entries, _PROGRESS_EVERY):
            for entry, found in zip(batch, pool.map(read, batch), strict=True):
                if isinstance(found, Problem):
                    findings.add(found)
                else:
                    examined[entry.image] = found
            done += len(batch)
            if done < len(entries):
                log.info("%d of %d images read", done, len(entries))
    return examined


def _batches(entries: Iterable[ImageEntry], size: int) -> Iterator[list[ImageEntry]]:
    remaining = iter(entries)
    while batch := list(islice(remaining, size)):
        yield batch


def repeated_files(entries: Sequence[ImageEntry], annotated: Container[str], findings: Findings) -> set[str]:
    """The images to leave out since their file stands under another name as well, and tell of them.

    Links, hard links and other spellings of a path lead to one file; copies do not (leakage finds those).
    Of several names the first that is annotated stays, else the first.
    """
    by_file: dict[tuple[int, int], list[ImageEntry]] = defaultdict(list)
    for entry in entries:
        if (identity := _identity(entry.path)) is not None:
            by_file[identity].append(entry)
    out: set[str] = set()
    for names in by_file.values():
        if len(names) < 2:
            continue
        stays = next((entry for entry in names if entry.image in annotated), names[0])
        for entry in names:
            if entry is not stays:
                findings.add(_same_file(entry, stays))
                out.add(entry.image)
    return out


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino) if stat.st_ino else None


def _same_file(entry: ImageEntry, stays: ImageEntry) -> Problem:
    if entry.slide == stays.slide:
        return Problem(
            "same_file",
            f"the file is that of '{stays.image}', under another name; give each file one row",
            image=entry.image,
            value=stays.image,
        )
    return Problem(
        "same_file_two_slides",
        f"the file is that of '{stays.image}', but one is said to show slide '{entry.slide}', the other "
        f"'{stays.slide}'; keep the row that is right",
        image=entry.image,
        value=stays.image,
    )
