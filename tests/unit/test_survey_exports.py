"""Every export of a survey is read back: by the importers, or by a reader library of its format."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from dwca.darwincore.terms import TERMS
from dwca.read import DwCAReader
from dwca.rows import CoreRow
from hypothesis import given
from hypothesis import strategies as st

import review_data
from podura.annotations.formats import read_annotations
from podura.annotations.raw import RawAnnotations
from podura.survey.exports import darwin_core_files
from podura.survey.exports.annotations import as_text, coco, cvat, label_studio, write_yolo
from podura.survey.exports.darwin_core import SIZES, UNVERIFIED, VERIFIED, SurveyRecord, write_archive
from podura.survey.exports.geojson import geojson, located
from podura.survey.exports.standing import inside_names, standing_boxes, with_other_taxa
from podura.survey.exports.workbook import write_workbook
from podura.tables import (
    BOX_COLUMNS,
    RELEASE_THRESHOLDS,
    SURVEY_COUNTS,
    SURVEY_FINAL_DETECTIONS,
    SURVEY_SAMPLES,
    write_json,
)

SPECIES = [{**one, "aliases": ""} for one in review_data.SPECIES_FACTS]
CODES = [one["code"] for one in SPECIES]
IMAGES = review_data.survey_images()
IMAGES.loc[IMAGES["image"] == "west/field 3.jpg", ["status", "width", "height"]] = ("failed", None, None)
MACHINE = review_data.survey_detections(IMAGES)
# One image without any animal.
MACHINE = MACHINE[MACHINE["image"] != "south/field 0.jpg"].reset_index(drop=True)
SAMPLES = review_data.survey_samples(IMAGES)
DETECTOR = "detector d of the study s, pipeline p"


def final_detections() -> pd.DataFrame:
    """As detections.csv: accepted ones stand, three were decided, one was added, one has a genus."""
    final = MACHINE.copy()
    sure = final["accepted"].astype(bool)
    final["taxon"] = final["species"].where(sure, "Collembola, undetermined")
    final["taxon_rank"] = pd.Series("species", index=final.index).where(sure, "group")
    final["taxon_reason"] = "a reason"
    final["final_species"] = final["species"].where(sure)
    for name in ("decision", "decided_species", "reviewer", "decided_at"):
        final[name] = pd.Series(pd.NA, index=final.index, dtype="string")
    for row, (decision, species) in enumerate((("accept", None), ("species", "LEP-LAN"), ("reject", None))):
        species = final["species"].iloc[row] if decision == "accept" else species
        final.loc[row, ["decision", "reviewer", "decided_at"]] = (decision, "Anna", "2026-05-04T10:00:00Z")
        final.loc[row, ["taxon", "final_species", "decided_species"]] = species
        final.loc[row, "taxon_rank"] = "species" if species else pd.NA
    final.loc[3, ["taxon", "taxon_rank", "final_species"]] = ("Lepidocyrtus sp.", "genus", pd.NA)
    added = {
        "image": "north/field 1.jpg", "sample": "north", "taxon": "ISO-MIN", "taxon_rank": "species",
        "taxon_reason": "a person added it", "decision": "add", "decided_species": "ISO-MIN",
        "reviewer": "Bert", "decided_at": "2026-05-05T10:00:00Z", "final_species": "ISO-MIN",
        "x_min": 10.0, "y_min": 20.0, "x_max": 60.5, "y_max": 80.25,
    }  # fmt: skip
    return SURVEY_FINAL_DETECTIONS.frame(pd.concat([final, pd.DataFrame([added])], ignore_index=True))


FINAL = final_detections()
BOXES = standing_boxes(FINAL)
TAXA = with_other_taxa(SPECIES, BOXES)


def counts() -> pd.DataFrame:
    rows = []
    standing = FINAL[FINAL["final_species"].notna()].groupby(["sample", "final_species"]).size()
    for one in SAMPLES.itertuples():
        for code in CODES:
            accepted = int(standing.get((one.sample, code), 0))
            rows.append(
                {
                    "sample": one.sample, "species": code, "n_detections": accepted + 2, "counted": accepted,
                    "accepted": accepted, "verified": 0, "estimate": accepted * 1.25, "low": accepted * 1.0,
                    "high": accepted * 1.5 + 1, "confidence": 0.95, "method": "calibration", "reviewed": 0,
                    "searched_images": 0, "certified": True, "sample_complete": one.complete,
                    "wished_width": 0.5, "more_detections": 10, "more_images": 2,
                }
            )  # fmt: skip
    return SURVEY_COUNTS.frame(rows)


COUNTS = counts()


def thresholds() -> pd.DataFrame:
    rows = [
        {
            "species": code, "threshold": 0.6, "threshold_status": "certified", "threshold_empirical": 0.5,
            "target_precision": 0.95, "delta": 0.05, "calibration_n": 100, "calibration_errors": 1,
            "calibration_slides": 10, "precision_lower": 0.953, "design_effect": 1.0,
            "needed_detections": None, "needed_slides": None,
        }
        for code in CODES
    ]  # fmt: skip
    return RELEASE_THRESHOLDS.frame(rows)


def record(**changes: Any) -> SurveyRecord:
    given = {
        "survey": "spring", "samples": SAMPLES, "final": FINAL, "counts": COUNTS, "thresholds": thresholds(),
        "species": SPECIES, "detector": DETECTOR, "licence": "CC BY 4.0", "contact": "Soil <group> & friends",
    }  # fmt: skip
    return SurveyRecord(**{**given, **changes})


def test_what_stands_is_what_has_a_name_by_its_final_species_or_its_taxon() -> None:
    assert len(BOXES) == FINAL["taxon"].notna().sum()
    sure = FINAL[FINAL["final_species"].notna()]
    assert BOXES["species"].isin(CODES).sum() == len(sure)
    assert BOXES["key"].is_unique
    assert BOXES["human"].sum() == 3
    added = BOXES[BOXES["key"].str.startswith("added-")]
    assert added[["species", "reviewer"]].values.tolist() == [["ISO-MIN", "Bert"]]
    changed = BOXES[BOXES["key"] == FINAL["detection"].iloc[1]]
    assert changed["species"].item() == "LEP-LAN"
    assert FINAL["detection"].iloc[2] not in set(BOXES["key"]), "rejected"


def test_two_boxes_on_one_animal_are_exported_once(tmp_path: Path) -> None:
    final = FINAL.copy()
    second = BOXES.loc[~BOXES["human"], "key"].iloc[0]
    final.loc[final["detection"] == second, "same_animal_as"] = FINAL["detection"].iloc[0]
    kept = standing_boxes(final)
    assert set(BOXES["key"]) - set(kept["key"]) == {second}
    write_archive(record(final=final), tmp_path / "a.zip")
    _, occurrences, measured = read_archive(tmp_path / "a.zip")
    present = [one["occurrenceID"] for one in occurrences if one["occurrenceStatus"] == "present"]
    assert len(present) == len(kept)
    assert f"spring:{second}" not in {one["occurrenceID"] for one in [*occurrences, *measured]}


def size_of(names: tuple[str, ...]) -> tuple[int, int] | None:
    return (900, 700)


def expect(read: RawAnnotations, tolerance: float, names: Mapping[str, str] | None = None) -> None:
    """Every readable image, also the empty one, with exactly its standing boxes, and no complaint."""
    assert read.problems == ()
    known = IMAGES.loc[IMAGES["status"] == "ok", "image"].tolist()
    by_name = {image.file_names[0]: image for image in read.images}
    renamed = {image: (names or {}).get(image, image) for image in known}
    assert sorted(by_name) == sorted(renamed.values())
    for image, name in renamed.items():
        expected = [
            (row.species, *(getattr(row, side) for side in BOX_COLUMNS))
            for row in BOXES[BOXES["image"] == image].itertuples()
        ]
        found = [(box.name, box.x_min, box.y_min, box.x_max, box.y_max) for box in by_name[name].boxes]
        assert len(found) == len(expected)
        for one, other in zip(sorted(found), sorted(expected), strict=True):
            assert one[0] == other[0]
            assert one[1:] == pytest.approx(other[1:], abs=tolerance)


def test_coco_reads_back(tmp_path: Path) -> None:
    write_json(coco(BOXES, IMAGES, TAXA), tmp_path / "coco.json")
    expect(read_annotations("coco", tmp_path / "coco.json", size_of=size_of), 1e-9)
    from pycocotools.coco import COCO

    library = COCO(str(tmp_path / "coco.json"))
    assert len(library.getAnnIds()) == len(BOXES)
    assert {one["attributes"]["identified_by"] for one in library.anns.values()} == {
        "machine",
        "Anna",
        "Bert",
    }


def test_yolo_reads_back(tmp_path: Path) -> None:
    write_yolo(BOXES, IMAGES, TAXA, tmp_path / "yolo")
    for row in IMAGES[IMAGES["status"] == "ok"].itertuples():
        path = tmp_path / "yolo" / "images" / row.image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    read = read_annotations("yolo", tmp_path / "yolo" / "data.yaml", size_of=size_of)
    # A label file is known by the names that its image may have.
    named = {image.file_names[0].rsplit(".", 1)[0]: image.file_names[0] for image in read.images}
    expect(read, 1e-5, {image: named.get(image.removesuffix(".jpg"), "none") for image in IMAGES["image"]})


def test_label_studio_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "tasks.json"
    path.write_text(as_text(label_studio(BOXES, IMAGES)), encoding="utf-8")
    expect(read_annotations("label_studio", path, size_of=size_of, options={"image_key": "image"}), 1e-6)


def test_cvat_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    path.write_text(cvat(BOXES, IMAGES, TAXA, name="spring"), encoding="utf-8")
    expect(read_annotations("cvat", path, size_of=size_of), 0.006)
    labels = ElementTree.parse(path).findall("meta/task/labels/label/name")
    assert [one.text for one in labels] == [*CODES, "Collembola, undetermined", "Lepidocyrtus sp."]


@given(
    st.lists(
        st.text(st.sampled_from("ab./\\: A"), min_size=1, max_size=12).map(lambda name: f"{name}.jpg"),
        min_size=1,
        max_size=8,
        unique=True,
    )
)
def test_no_name_leaves_its_folder_and_no_two_meet(names: list[str]) -> None:
    made = inside_names(names)
    root = Path("/somewhere/else")
    for path in made.values():
        assert (root / path).resolve().is_relative_to(root)
        assert "\\" not in path
        assert path
    assert len({one.casefold() for one in made.values()}) == len(names)


def test_yolo_never_writes_outside_its_folder(tmp_path: Path) -> None:
    images = IMAGES.copy()
    images["image"] = [f"../../{name}" for name in images["image"]]
    write_yolo(BOXES.assign(image="../../" + BOXES["image"]), images, TAXA, tmp_path / "a" / "b" / "yolo")
    files = {path.relative_to(tmp_path).parts[:3] for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {("a", "b", "yolo")}
    assert (tmp_path / "a/b/yolo/labels/north/field 0.txt").read_text(encoding="utf-8").count("\n") == (
        BOXES["image"] == "north/field 0.jpg"
    ).sum()


def test_the_workbook_reads_back_and_runs_no_formula(tmp_path: Path) -> None:
    samples = SAMPLES.copy()
    samples["site"] = ["=1+1", "@SUM(A1)", "https://example.org", "x" * 40_000]
    sheets = {"samples": (SURVEY_SAMPLES, samples), "counts": (SURVEY_COUNTS, COUNTS)}
    for name in ("a.xlsx", "b.xlsx"):
        write_workbook(sheets, tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["samples", "counts", "columns"]
    rows = list(book["samples"].iter_rows(values_only=True))
    assert list(rows[0]) == SURVEY_SAMPLES.names
    assert [row[1] for row in rows[1:4]] == ["=1+1", "@SUM(A1)", "https://example.org"]
    assert {cell.data_type for cell in book["samples"]["B"]} == {"s"}
    assert len(rows[4][1]) == 32_767
    assert [row[5] for row in rows[1:]] == [25.0] * 4
    assert [row[6] for row in rows[1:]] == [None] * 4, "missing is empty, not 0"
    found = pd.read_excel(tmp_path / "a.xlsx", sheet_name="counts")
    pd.testing.assert_series_equal(found["estimate"], COUNTS["estimate"], check_dtype=False, check_exact=True)
    meanings = {row[1]: row[3] for row in book["columns"].iter_rows(min_row=2, values_only=True)}
    assert set(meanings) == {*SURVEY_SAMPLES.names, *SURVEY_COUNTS.names}


def test_long_tables_go_on_on_a_further_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podura.survey.exports.workbook.MOST_ROWS", 6)
    write_workbook({"counts": (SURVEY_COUNTS, COUNTS)}, tmp_path / "a.xlsx")
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["counts", "counts 2", "counts 3", "columns"]
    species = [
        row[1] for name in book.sheetnames[:3] for row in book[name].iter_rows(min_row=2, values_only=True)
    ]
    assert species == COUNTS["species"].tolist()


def test_geojson_has_a_point_for_each_located_sample(tmp_path: Path) -> None:
    samples = SAMPLES.copy()
    samples.loc[samples["sample"] == "west", "latitude"] = None
    counted = COUNTS.copy()
    counted.loc[0, ["estimate", "low", "high"]] = None
    write_json(geojson(samples, counted), tmp_path / "samples.geojson")
    document = json.loads((tmp_path / "samples.geojson").read_text(encoding="utf-8"))
    assert [one["properties"]["sample"] for one in document["features"]] == ["north", "south", "empty"]
    assert {tuple(one["geometry"]["coordinates"]) for one in document["features"]} == {(7.25, 48.5)}
    first = document["features"][0]["properties"]
    code = COUNTS["species"].iloc[0]
    assert first[f"{code} estimate"] is None
    assert first[f"{code} accepted"] == COUNTS["accepted"].iloc[0]
    assert document["features"][2]["properties"][f"{code} accepted"] == 0
    assert len(located(samples.assign(latitude=None))) == 0


# --- Darwin Core -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dwca") / "darwin_core.zip"
    write_archive(record(), path)
    return path


def short(row: Any) -> dict[str, str]:
    return {term.rsplit("/", 1)[-1]: value for term, value in row.data.items()}


def read_archive(path: Path) -> tuple[dict[str, dict[str, str]], list[dict[str, str]], list[dict[str, str]]]:
    """Events by id, occurrences and measurements, as python-dwca-reader finds them."""
    with DwCAReader(str(path)) as reader:
        rows: list[CoreRow] = list(reader)
        events = {row.id: short(row) for row in rows}
        extensions = [one for row in rows for one in row.extensions]
        occurrences = [short(one) for one in extensions if one.rowtype.endswith("/Occurrence")]
        measured = [short(one) for one in extensions if one.rowtype.endswith("ExtendedMeasurementOrFact")]
        assert reader.metadata is not None
        assert all(one.core_id in events for one in extensions)
    return events, occurrences, measured


def test_darwin_core_is_read_by_a_library_and_holds_every_sample(archive: Path) -> None:
    events, occurrences, _ = read_archive(archive)
    assert sorted(events) == ["spring:empty", "spring:north", "spring:south", "spring:west"]
    north = events["spring:north"]
    assert north["decimalLatitude"] == "48.5"
    assert north["decimalLongitude"] == "7.25"
    assert north["geodeticDatum"] == "EPSG:4326"
    assert (north["sampleSizeValue"], north["sampleSizeUnit"]) == ("25", "square centimetre")
    assert north["eventDate"] == "2026-05-04"
    assert north["eventRemarks"] == ""
    assert events["spring:west"]["eventRemarks"].startswith("incomplete")
    assert events["spring:west"]["samplingEffort"] == "3 images read, 1 could not be read"
    present = [one for one in occurrences if one["occurrenceStatus"] == "present"]
    assert len(present) == FINAL["taxon"].notna().sum()
    absent = [one for one in occurrences if one["occurrenceStatus"] == "absent"]
    assert {one["scientificName"] for one in absent if one["eventID"] == "spring:empty"} == {
        one["name"] for one in SPECIES
    }
    assert not [one for one in absent if one["eventID"] == "spring:west"], (
        "nothing is absent that was not seen"
    )
    ids = [one["occurrenceID"] for one in occurrences]
    assert len(ids) == len(set(ids))


def test_darwin_core_tells_machines_from_people(archive: Path) -> None:
    _, occurrences, _ = read_archive(archive)
    by_id = {one["occurrenceID"]: one for one in occurrences}
    names = FINAL["detection"].tolist()
    accepted, changed = by_id[f"spring:{names[0]}"], by_id[f"spring:{names[1]}"]
    for one in (accepted, changed):
        assert one["basisOfRecord"] == "HumanObservation"
        assert one["identifiedBy"] == "Anna"
        assert one["identificationVerificationStatus"] == VERIFIED
        assert one["dateIdentified"] == "2026-05-04T10:00:00Z"
    assert changed["scientificName"] == "Lepidocyrtus lanuginosus"
    assert changed["scientificNameAuthorship"] == "(Gmelin, 1788)"
    assert changed["family"] == "Entomobryidae"
    machine_name = next(one["name"] for one in SPECIES if one["code"] == MACHINE["species"].iloc[1])
    assert changed["previousIdentifications"] == machine_name
    assert f"spring:{names[2]}" not in by_id, "rejected"
    genus = by_id[f"spring:{names[3]}"]
    assert (genus["scientificName"], genus["taxonRank"]) == ("Lepidocyrtus", "genus")
    assert genus["identificationQualifier"] == "sp."
    group = next(one for one in occurrences if one["scientificName"] == "Collembola")
    assert (group["taxonRank"], group["identificationQualifier"]) == ("", "undetermined")
    (added,) = [one for one in occurrences if "added-" in one["occurrenceID"]]
    assert (added["identifiedBy"], added["associatedMedia"]) == ("Bert", "north/field 1.jpg")
    machine = [one for one in occurrences if one["identifiedBy"] == DETECTOR]
    assert len(machine) == len(occurrences) - 3
    for one in machine:
        assert one["basisOfRecord"] == "MachineObservation"
        assert one["identificationVerificationStatus"] == UNVERIFIED
        assert one["dateIdentified"] == ""


def test_darwin_core_measures_score_threshold_bound_and_counts(archive: Path) -> None:
    _, occurrences, measured = read_archive(archive)
    name = f"spring:{FINAL['detection'].iloc[0]}"
    of_animal = {
        one["measurementType"]: one["measurementValue"] for one in measured if one["occurrenceID"] == name
    }
    assert of_animal == {
        "detection score": str(MACHINE["score"].iloc[0]),
        "certified score threshold": "0.6",
        "proven lower bound of precision at the threshold": "0.953",
    }
    row = COUNTS.iloc[0]
    species = next(one["name"] for one in SPECIES if one["code"] == row["species"])
    of_sample = {
        one["measurementType"]: one for one in measured
        if one["eventID"] == f"spring:{row['sample']}" and not one["occurrenceID"]
    }  # fmt: skip
    assert of_sample["area of soil"]["measurementUnit"] == SIZES[0][1]
    estimate = of_sample[f"estimated individuals of {species}"]
    assert float(estimate["measurementValue"]) == row["estimate"]
    assert estimate["measurementMethod"] == "95 % interval; calibration"
    assert (
        float(of_sample[f"upper bound of estimated individuals of {species}"]["measurementValue"])
        == row["high"]
    )
    assert {one["occurrenceID"] for one in measured} - {""} <= {one["occurrenceID"] for one in occurrences}
    ids = [one["measurementID"] for one in measured]
    assert len(ids) == len(set(ids))


def test_darwin_core_uses_terms_that_exist_in_a_sound_description(archive: Path) -> None:
    # The library's list lacks the class MeasurementOrFact (dwc.tdwg.org/list/#dwc_MeasurementOrFact) and is
    # older than verbatimIdentification, which came with the version of 2021-07-15.
    of_measurements = ("ID", "Type", "Value", "Unit", "Method", "Remarks")
    known = {*TERMS, *(f"http://rs.tdwg.org/dwc/terms/measurement{name}" for name in of_measurements)}
    known |= {"http://rs.tdwg.org/dwc/terms/verbatimIdentification"}
    for table in (darwin_core_files.EVENT, darwin_core_files.OCCURRENCE, darwin_core_files.MEASUREMENT):
        assert set(table.terms) <= known
        assert len(set(table.terms)) == len(table.terms)
    assert darwin_core_files.EVENT.row_type in TERMS
    assert darwin_core_files.OCCURRENCE.row_type in TERMS
    with zipfile.ZipFile(archive) as files:
        assert sorted(files.namelist()) == [
            "eml.xml", "event.txt", "extendedmeasurementorfact.txt", "meta.xml", "occurrence.txt",
        ]  # fmt: skip
        meta = ElementTree.fromstring(files.read("meta.xml"))
        for element in meta:
            name = element.findtext("{*}files/{*}location")
            lines = files.read(name).decode("utf-8").splitlines()
            fields = element.findall("{*}field")
            header = lines[0].split("\t")
            assert [one.get("term").rsplit("/", 1)[-1] for one in fields] == header
            assert {line.count("\t") for line in lines} == {len(header) - 1}
        eml = ElementTree.fromstring(files.read("eml.xml"))
    assert eml.tag == "{https://eml.ecoinformatics.org/eml-2.2.0}eml"
    order = [
        "title", "creator", "metadataProvider", "language", "abstract", "intellectualRights", "coverage",
        "contact", "methods",
    ]  # fmt: skip
    assert [one.tag for one in eml.find("dataset")] == order, "the order that the schema asks for"
    assert eml.findtext("dataset/creator/organizationName") == "Soil <group> & friends"
    assert eml.findtext("dataset/intellectualRights/para") == "CC BY 4.0"
    assert (
        eml.findtext("dataset/coverage/geographicCoverage/boundingCoordinates/westBoundingCoordinate")
        == "7.25"
    )


def test_darwin_core_is_the_same_every_time_and_stands_anything_in_texts(tmp_path: Path) -> None:
    final = FINAL.copy()
    final.loc[0, "reviewer"] = "=cmd|' /C calc'!A0\tAnna\nBert"
    samples = SAMPLES.copy()
    samples["site"] = "=1+1\r\n<b>\x00"
    samples["latitude"] = None
    changed = record(final=final, samples=samples, contact="\x01 ]]> </eml>", licence=None)
    for name in ("a.zip", "b.zip"):
        write_archive(changed, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    events, occurrences, _ = read_archive(tmp_path / "a.zip")
    assert events["spring:north"]["locationID"] == "'=1+1 <b>"
    assert events["spring:north"]["decimalLongitude"] == ""
    assert events["spring:north"]["geodeticDatum"] == ""
    changed_row = next(one for one in occurrences if one["occurrenceID"].endswith(FINAL["detection"].iloc[0]))
    assert changed_row["identifiedBy"] == "'=cmd|' /C calc'!A0 Anna Bert"


@pytest.mark.parametrize(("estimate", "absent"), [(0.0, 1), (0.4, 1), (0.6, 0), (3.2, 0), (None, 0)])
def test_darwin_core_says_absent_only_where_none_is_estimated(
    tmp_path: Path, estimate: float | None, absent: int
) -> None:
    """A certified threshold misses animals: none accepted is not none there."""
    row = COUNTS[(COUNTS["sample"] == "empty") & (COUNTS["species"] == CODES[0])]
    write_archive(record(counts=row.assign(estimate=estimate)), tmp_path / "a.zip")
    _, occurrences, _ = read_archive(tmp_path / "a.zip")
    assert sum(one["occurrenceStatus"] == "absent" for one in occurrences) == absent


def test_an_absence_that_people_have_seen_is_not_the_machines(tmp_path: Path) -> None:
    row = COUNTS[(COUNTS["sample"] == "empty") & (COUNTS["species"] == CODES[0])]
    write_archive(record(counts=row.assign(method="verified")), tmp_path / "a.zip")
    _, occurrences, _ = read_archive(tmp_path / "a.zip")
    (absent,) = [one for one in occurrences if one["occurrenceStatus"] == "absent"]
    assert absent["basisOfRecord"] == "HumanObservation"
    assert absent["identificationVerificationStatus"] == VERIFIED
    assert absent["identifiedBy"] == ""


def test_darwin_core_of_a_survey_without_any_animal(tmp_path: Path) -> None:
    write_archive(record(final=FINAL.iloc[:0], counts=COUNTS.iloc[:0]), tmp_path / "a.zip")
    events, occurrences, _ = read_archive(tmp_path / "a.zip")
    assert len(events) == 4
    assert occurrences == []
