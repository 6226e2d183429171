"""A survey as a Darwin Core Archive: samples as events, animals as occurrences, and what was measured.

The core holds every sample, those without any animal too. An occurrence is an animal that the survey names
(species, genus or group), or the absence of a species from a sample. What a person identified is a human
observation, verified, identified by that person; what the detector said alone is a machine observation,
unverified, identified by the detector. Scores, thresholds, the proven bound of their precision, and
estimated counts with their intervals are measurements (OBIS' ExtendedMeasurementOrFact, whose rows belong to
an event and may name an occurrence of it).

Terms: https://dwc.tdwg.org/terms/; archives: https://dwc.tdwg.org/text/; the extension:
https://rs.gbif.org/extension/obis/extended_measurement_or_fact_2023-08-28.xml.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from podura.survey.diversity import PRESENT
from podura.survey.exports.darwin_core_files import EVENT, MEASUREMENT, OCCURRENCE, eml, meta, table_text
from podura.survey.exports.standing import added_key, animals
from podura.tables import BOX_COLUMNS, whole_file

#: Term of the size of a sample, its unit in words, and the column that holds it; the first known one counts.
SIZES = (
    ("area_cm2", "square centimetre", "area of soil"),
    ("volume_cm3", "cubic centimetre", "volume of soil"),
    ("mass_g", "gram", "mass of soil"),
)
VERIFIED, UNVERIFIED = "verified by human", "unverified"
# A zip file keeps times; these are nobody's.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SurveyRecord:
    """What an archive is made of.

    samples: as tables.SURVEY_SAMPLES. final: as detections.csv, counts: as counts.csv of the survey.
    thresholds: as tables.RELEASE_THRESHOLDS. species: code, name, authority and family. detector: what
    identified by machine, in words. title, licence and contact: of the owner of the data; None: not told.
    """

    survey: str
    samples: pd.DataFrame
    final: pd.DataFrame
    counts: pd.DataFrame
    thresholds: pd.DataFrame
    species: Sequence[Mapping[str, str]]
    detector: str
    title: str | None = None
    description: str | None = None
    licence: str | None = None
    contact: str | None = None


def write_archive(record: SurveyRecord, path: Path | str) -> None:
    """Write the archive, whole or not at all; same survey, same bytes."""
    occurrences = [*_animals(record), *_absences(record)]
    files = {
        "event.txt": table_text(EVENT, _events(record)),
        "occurrence.txt": table_text(OCCURRENCE, occurrences),
        "extendedmeasurementorfact.txt": table_text(MEASUREMENT, _measurements(record, occurrences)),
        "meta.xml": meta(),
        "eml.xml": eml(record.survey, record.samples, record.title, record.description, record.licence,
                       record.contact, record.detector),
    }  # fmt: skip
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _NO_TIME), text.encode("utf-8"), zipfile.ZIP_DEFLATED)


def event_id(survey: str, sample: str) -> str:
    """The name of a sample in the archive."""
    return f"{survey}:{sample}"


def _events(record: SurveyRecord) -> Iterator[dict[str, Any]]:
    for row in record.samples.to_dict("records"):
        size = next(((row[key], unit) for key, unit, _ in SIZES if pd.notna(row[key])), (None, None))
        failed, read = int(row["n_failed"]), int(row["n_images"]) - int(row["n_failed"])
        known = pd.notna(row["latitude"]) and pd.notna(row["longitude"])
        yield {
            "eventID": event_id(record.survey, row["sample"]),
            "datasetName": record.title or record.survey,
            "samplingProtocol": "animals of soil on microscope slides, detected on images of the slides",
            "sampleSizeValue": size[0],
            "sampleSizeUnit": size[1],
            "samplingEffort": f"{read} images read, {failed} could not be read",
            "eventDate": row["date"],
            "locationID": row["site"],
            "decimalLatitude": row["latitude"] if known else None,
            "decimalLongitude": row["longitude"] if known else None,
            "geodeticDatum": "EPSG:4326" if known else None,
            "eventRemarks": None
            if row["complete"]
            else "incomplete: animals may be missing from this sample",
        }


def _animals(record: SurveyRecord) -> Iterator[dict[str, Any]]:
    facts = {one["code"]: one for one in record.species}
    named = animals(record.final).astype("object")
    for row in named.where(named.notna(), None).itertuples(index=False):
        human = row.decision in ("accept", "species", "add")
        changed = row.decision == "species" and row.species is not None
        key = row.detection if row.detection is not None else added_key(_with_species(row))
        yield {
            "eventID": event_id(record.survey, row.sample),
            "occurrenceID": f"{record.survey}:{key}",
            "basisOfRecord": "HumanObservation" if human else "MachineObservation",
            "occurrenceStatus": "present",
            "individualCount": 1,
            **_taxon(row.taxon, row.taxon_rank, facts),
            "verbatimIdentification": row.taxon,
            "identifiedBy": row.reviewer if human else record.detector,
            "dateIdentified": row.decided_at if human else None,
            "identificationVerificationStatus": VERIFIED if human else UNVERIFIED,
            "identificationRemarks": row.taxon_reason,
            "previousIdentifications": _name(row.species, facts) if changed else None,
            "associatedMedia": row.image,
            "occurrenceRemarks": "box in pixels: "
            + ", ".join(f"{getattr(row, side):.1f}" for side in BOX_COLUMNS),
            "_row": row,
        }


def _with_species(row: Any) -> Any:
    return row._replace(species=row.final_species)


def _absences(record: SurveyRecord) -> Iterator[dict[str, Any]]:
    """Species of which no animal is accepted, and none estimated, in a sample all of whose images were read.

    A certified threshold misses animals: where some are estimated all the same, nothing is said.
    """
    facts = {one["code"]: one for one in record.species}
    named = record.final[record.final["taxon"].notna()]
    present = set(zip(named["sample"], named["taxon"], strict=True))
    for row in record.counts.itertuples(index=False):
        none = pd.notna(row.accepted) and int(row.accepted) == 0 and bool(row.sample_complete)
        none = none and pd.notna(row.estimate) and row.estimate < PRESENT
        if not none or (row.sample, row.species) in present:
            continue
        # People checked every detection of the sample and searched every image.
        human = row.method == "verified"
        remarks = (
            "people searched all images"
            if human
            else f"no detection was accepted; estimated animals {row.estimate:.2f} ({row.low:.2f} to "
            f"{row.high:.2f})"
        )
        yield {
            "eventID": event_id(record.survey, row.sample),
            "occurrenceID": f"{record.survey}:absent:{row.sample}:{row.species}",
            "basisOfRecord": "HumanObservation" if human else "MachineObservation",
            "occurrenceStatus": "absent",
            "individualCount": 0,
            **_taxon(row.species, "species", facts),
            "verbatimIdentification": row.species,
            "identifiedBy": None if human else record.detector,
            "identificationVerificationStatus": VERIFIED if human else UNVERIFIED,
            "occurrenceRemarks": remarks,
        }


def _name(code: str, facts: Mapping[str, Mapping[str, str]]) -> str:
    return facts[code]["name"] if code in facts else code


def _taxon(taxon: str, rank: str, facts: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Name, authority, rank and family of a taxon of the ladder: a code, ``Genus sp.`` or a group."""
    if rank == "species" and taxon in facts:
        one = facts[taxon]
        whole = len(one["name"].split()) > 1
        return {
            "scientificName": one["name"],
            "scientificNameAuthorship": one.get("authority") or None,
            "taxonRank": "species" if whole else None,
            "family": one.get("family") or None,
        }
    if rank == "genus":
        return {
            "scientificName": taxon.removesuffix(" sp."),
            "taxonRank": "genus",
            "identificationQualifier": "sp.",
        }
    name, _, qualifier = taxon.partition(",")
    return {"scientificName": name.strip(), "identificationQualifier": qualifier.strip() or None}


def _measurements(record: SurveyRecord, occurrences: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from _of_samples(record)
    yield from _of_counts(record)
    bounds = record.thresholds.set_index("species")
    for one in occurrences:
        row = one.get("_row")
        if row is None or row.score is None:
            continue
        shared = {"eventID": one["eventID"], "occurrenceID": one["occurrenceID"]}
        told: list[tuple[str, Any, str, str | None]] = [
            ("detection score", row.score, record.detector, "confidence of the detector, 0 to 1")
        ]
        if row.threshold is not None:
            told.append(
                ("certified score threshold", row.threshold, record.detector, "of the detected species")
            )
        bound = bounds["precision_lower"].get(row.species) if row.species in bounds.index else None
        if row.threshold is not None and bound is not None and pd.notna(bound):
            method = "one-sided exact bound from calibration slides, for slides like these"
            told.append(("proven lower bound of precision at the threshold", bound, method, None))
        for kind, value, method, remarks in told:
            yield {
                **shared,
                "measurementID": f"{one['occurrenceID']}:{kind}",
                "measurementType": kind,
                "measurementValue": value,
                "measurementMethod": method,
                "measurementRemarks": remarks,
            }


def _of_samples(record: SurveyRecord) -> Iterator[dict[str, Any]]:
    for row in record.samples.to_dict("records"):
        event = event_id(record.survey, row["sample"])
        for key, unit, kind in SIZES:
            if pd.notna(row[key]):
                yield {
                    "eventID": event, "measurementID": f"{event}:{kind}", "measurementType": kind,
                    "measurementValue": row[key], "measurementUnit": unit,
                }  # fmt: skip


def _of_counts(record: SurveyRecord) -> Iterator[dict[str, Any]]:
    facts = {one["code"]: one for one in record.species}
    for row in record.counts.itertuples(index=False):
        event = event_id(record.survey, row.sample)
        of = f"of {_name(row.species, facts)}"
        confidence = f"{100 * row.confidence:g} % interval; {row.method}"
        for kind, value in (
            (f"accepted individuals {of}", row.accepted),
            (f"estimated individuals {of}", row.estimate),
            (f"lower bound of estimated individuals {of}", row.low),
            (f"upper bound of estimated individuals {of}", row.high),
        ):
            if pd.notna(value):
                yield {
                    "eventID": event,
                    "measurementID": f"{event}:{kind}",
                    "measurementType": kind,
                    "measurementValue": value,
                    "measurementUnit": "individuals",
                    "measurementMethod": None if kind.startswith("accepted") else confidence,
                    "measurementRemarks": None if row.sample_complete else "the sample is incomplete",
                }
