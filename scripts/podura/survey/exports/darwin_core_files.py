"""The files of a Darwin Core Archive: tables of terms, their description, and metadata of the data set."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

DWC = "http://rs.tdwg.org/dwc/terms/"
OBIS = "http://rs.iobis.org/obis/terms/"
_TEXT = "http://rs.tdwg.org/dwc/text/"
_EML = "https://eml.ecoinformatics.org/eml-2.2.0"
_EML_SCHEMA = f"{_EML} https://rs.gbif.org/schema/eml-gbif-profile/1.3/eml.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
# What would begin another cell or row, or what XML and terminals cannot hold.
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_FORMULA_STARTS = ("=", "+", "-", "@")


@dataclass(frozen=True)
class TermTable:
    """A table of an archive: its file, the class of its rows, its terms by address; the first is the id."""

    file: str
    row_type: str
    terms: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return [term.rsplit("/", 1)[-1] for term in self.terms]


def _dwc(*names: str) -> tuple[str, ...]:
    return tuple(DWC + name for name in names)


EVENT = TermTable(
    "event.txt",
    DWC + "Event",
    _dwc(
        "eventID", "datasetName", "samplingProtocol", "sampleSizeValue", "sampleSizeUnit", "samplingEffort",
        "eventDate", "locationID", "decimalLatitude", "decimalLongitude", "geodeticDatum", "eventRemarks",
    ),
)  # fmt: skip
OCCURRENCE = TermTable(
    "occurrence.txt",
    DWC + "Occurrence",
    _dwc(
        "eventID", "occurrenceID", "basisOfRecord", "occurrenceStatus", "individualCount",
        "scientificName",
        "scientificNameAuthorship", "taxonRank", "family", "identificationQualifier",
        "verbatimIdentification",
        "identifiedBy", "dateIdentified", "identificationVerificationStatus", "identificationRemarks",
        "previousIdentifications", "associatedMedia", "occurrenceRemarks",
    ),
)  # fmt: skip
MEASUREMENT = TermTable(
    "extendedmeasurementorfact.txt",
    OBIS + "ExtendedMeasurementOrFact",
    _dwc(
        "eventID", "occurrenceID", "measurementID", "measurementType", "measurementValue", "measurementUnit",
        "measurementMethod", "measurementRemarks",
    ),
)  # fmt: skip


def table_text(table: TermTable, rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as tab-separated text with a header; other keys are left out, missing ones are empty."""
    lines = ["\t".join(table.names)]
    lines += ["\t".join(_cell(row.get(name)) for name in table.names) for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, str):
        text = _BREAKS.sub(" ", value).strip()
        # People open these files with spreadsheets, which would run it (OWASP, CSV injection).
        return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def meta() -> str:
    """``meta.xml``: which file holds what."""
    root = ElementTree.Element("archive", {"xmlns": _TEXT, "metadata": "eml.xml"})
    for table in (EVENT, OCCURRENCE, MEASUREMENT):
        core = table is EVENT
        element = ElementTree.SubElement(
            root,
            "core" if core else "extension",
            {
                "encoding": "UTF-8",
                "fieldsTerminatedBy": "\\t",
                "linesTerminatedBy": "\\n",
                "fieldsEnclosedBy": "",
                "ignoreHeaderLines": "1",
                "rowType": table.row_type,
            },
        )
        files = ElementTree.SubElement(element, "files")
        ElementTree.SubElement(files, "location").text = table.file
        ElementTree.SubElement(element, "id" if core else "coreid", {"index": "0"})
        for index, term in enumerate(table.terms):
            ElementTree.SubElement(element, "field", {"index": str(index), "term": term})
    return _xml(root)


def eml(
    survey: str,
    samples: pd.DataFrame,
    title: str | None,
    description: str | None,
    licence: str | None,
    contact: str | None,
    detector: str,
) -> str:
    """``eml.xml``: the data set in the Ecological Metadata Language 2.2.0, in GBIF's profile."""
    ElementTree.register_namespace("eml", _EML)
    ElementTree.register_namespace("xsi", _XSI)
    root = ElementTree.Element(
        f"{{{_EML}}}eml",
        {
            f"{{{_XSI}}}schemaLocation": _EML_SCHEMA,
            "packageId": f"podura-survey-{survey}",
            "system": "Podura",
            "scope": "system",
            "{http://www.w3.org/XML/1998/namespace}lang": "en",
        },
    )
    dataset = ElementTree.SubElement(root, "dataset")
    _add(dataset, "title", title or f"Survey {survey}: soil animals on microscope slides")
    owner = contact or "The owner of the survey (not told)"
    for role in ("creator", "metadataProvider"):
        _add(dataset, f"{role}/organizationName", owner)
    _add(dataset, "language", "eng")
    told = description or "Animals that a detector found on images of microscope slides of soil samples."
    _add(dataset, "abstract/para", told)
    _add(dataset, "intellectualRights/para", licence or "No licence is stated. Ask the contact before use.")
    _coverage(dataset, samples)
    _add(dataset, "contact/organizationName", owner)
    for step in (
        f"Animals were detected and identified by {detector}. Identifications that no person has checked are "
        "marked as unverified machine observations.",
        "Certified thresholds keep the stated precision for slides like the calibration slides (same "
        "laboratory, scanner and preparation), on average over slides and not for one sample.",
    ):
        methods = dataset.find("methods")
        methods = ElementTree.SubElement(dataset, "methods") if methods is None else methods
        described = ElementTree.SubElement(ElementTree.SubElement(methods, "methodStep"), "description")
        ElementTree.SubElement(described, "para").text = _plain(step)
    return _xml(root)


def _coverage(dataset: ElementTree.Element, samples: pd.DataFrame) -> None:
    places = samples[samples["latitude"].notna() & samples["longitude"].notna()]
    dates = sorted(samples["date"].dropna())
    if not len(places) and not dates:
        return
    coverage = ElementTree.SubElement(dataset, "coverage")
    if len(places):
        area = ElementTree.SubElement(coverage, "geographicCoverage")
        _add(
            area,
            "geographicDescription",
            ", ".join(sorted(samples["site"].dropna().unique())) or "sites of the survey",
        )
        bounds = ElementTree.SubElement(area, "boundingCoordinates")
        for side, value in (
            ("west", places["longitude"].min()), ("east", places["longitude"].max()),
            ("north", places["latitude"].max()), ("south", places["latitude"].min()),
        ):  # fmt: skip
            ElementTree.SubElement(bounds, f"{side}BoundingCoordinate").text = f"{value:.10g}"
    if dates:
        _add(coverage, "temporalCoverage/rangeOfDates/beginDate/calendarDate", dates[0])
        ends = coverage.find("temporalCoverage/rangeOfDates")
        assert ends is not None
        _add(ends, "endDate/calendarDate", dates[-1])


def _add(above: ElementTree.Element, path: str, text: str) -> None:
    for step in path.split("/"):
        above = ElementTree.SubElement(above, step)
    above.text = _plain(text)


def _plain(text: str) -> str:
    return _BREAKS.sub(" ", text).strip()


def _xml(root: ElementTree.Element) -> str:
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'
