"""The report as files: a page that is not too large to be sent, and a ZIP with all that it leaves out."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from markupsafe import Markup

from podura.report.page import render_report
from podura.report.results import Results
from podura.tables import whole_file

log = logging.getLogger(__name__)

#: The most that a page may weigh, in bytes: what can be sent by mail and opens at once.
MOST_PAGE = 15_000_000
#: ZIP keeps the time of each file, which would make every archive another one.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_FOLDER = "report"


def fitted_page(results: Results, figures: Mapping[str, Markup], most: int = MOST_PAGE) -> tuple[str, int]:
    """The page, with as many of its pictures of errors as fit into ``most`` bytes, and how many these are.

    The best-ranked detector's come first. A page that is too large without any is told of in the log.
    """
    while True:
        page = render_report(results, figures)
        if len(page.encode("utf-8")) <= most or not results.crops:
            break
        kept = islice(results.crops.items(), len(results.crops) // 2)
        results = replace(results, crops=dict(kept))
    if len(page.encode("utf-8")) > most:
        log.warning(
            "The page has %.1f MB, more than the %.0f that open at once. Fewer detectors or seeds in "
            "models.include and seeds make it smaller.",
            len(page.encode("utf-8")) / 1e6,
            most / 1e6,
        )
    return page, len(results.crops)


def write_archive(path: Path, page: str, gallery: Path, tables: Path) -> None:
    """Write a ZIP with a page, the pictures that it names in ``gallery/``, and the tables beside them.

    The same content gives the same bytes. tables: a folder of which every CSV is taken.
    """
    files = {f"gallery/{file.name}": file for file in sorted(gallery.glob("*.jpg"))}
    files |= {f"tables/{file.name}": file for file in sorted(tables.glob("*.csv"))}
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _add(archive, "report.html", page.encode("utf-8"), zipfile.ZIP_DEFLATED)
        for name, file in files.items():
            # A JPEG is as small as it gets.
            kind = zipfile.ZIP_STORED if file.suffix == ".jpg" else zipfile.ZIP_DEFLATED
            _add(archive, name, file.read_bytes(), kind)


def _add(archive: zipfile.ZipFile, name: str, content: bytes, kind: int) -> None:
    entry = zipfile.ZipInfo(f"{_FOLDER}/{name}", _NO_TIME)
    entry.compress_type = kind
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
