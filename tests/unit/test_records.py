"""The record of a folder of results, and whether a folder still is what its record says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from podura.errors import UserError
from podura.fingerprints import file_digest
from podura.provenance import LIBRARY
from podura.records.checking import verify
from podura.records.manifest import APART, job_times, read_manifest
from podura.records.writing import write_record
from podura.tables import write_json

SCRIPTS = LIBRARY.parent
CONFIGURATION = {"study": "meadow", "seeds": [1, 2], "evaluation": {"iou": 0.5}}


def results(folder: Path) -> Path:
    """A small folder of results with everything that a record looks at, and what it must leave out."""
    study = folder / "results" / "meadow"
    texts = {
        "benchmark/species.csv": "model,ap50\nyolo,0.5\n",
        "benchmark/report.html": "<p>Detector &amp; species</p>",
        "benchmark/figures/map.svg": "<svg/>",
        "dataset/split.csv": "image,part\na.jpg,test\n",
        "dataset/.sealed/one": "a note of Podura's own",
        "scores/.yolo.unfinished/half": "a job that was cut off",
        "release/detector.json": "{}",
        "surveys/bog/counts.csv": "sample,n\n",
        "config.yaml": yaml.safe_dump(CONFIGURATION),
    }
    for name, text in texts.items():
        path = study / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    write_json({"files": {}}, study / "release/detector.json")
    write_json(
        {
            "model": "yolo",
            "seed": 1,
            "device": "cpu",
            "versions": {"torch": "2.14.1"},
            "weights_sha256": "ab",
        },
        study / "models/yolo/seed-1/model.json",
    )
    for name, seconds, ended in (
        ("train/yolo/seed-1", 100.0, 2000),
        ("merge", 10.0, 2060),
        ("manifest", 1, 9999),
    ):
        path = folder / "benchmarks/meadow" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps({"s": seconds, "cpu_time": "NA", "max_rss": 512.0}) + "\n", encoding="utf-8"
        )
        os.utime(path, (ended, ended))
    (folder / "images.tsv").write_text("image\tslide\n", encoding="utf-8")
    return study


def record(study: Path, **changed) -> dict:
    folder = study.parents[1]
    given = {
        "kind": "study",
        "name": "meadow",
        "configuration": CONFIGURATION,
        "seeds": {"seeds": [1, 2], "random_seed": 7},
        "inputs": [folder / "images.tsv"],
        "benchmarks": folder / "benchmarks/meadow",
        "snakemake": "9.27.1",
        "card": {"title": None, "licence": None},
        "apart": APART,
    }
    return write_record(study, **{**given, **changed})


@pytest.fixture
def study(tmp_path) -> Path:
    made = results(tmp_path)
    record(made)
    return made


def test_a_manifest_tells_what_made_the_results(study):
    told = read_manifest(study / "manifest.json")
    outputs = {one["path"]: one for one in told["outputs"]}
    assert sorted(outputs) == [
        "benchmark/figures/map.svg",
        "benchmark/report.html",
        "benchmark/species.csv",
        "dataset/split.csv",
        "models/yolo/seed-1/model.json",
    ]
    table = study / "benchmark/species.csv"
    assert outputs["benchmark/species.csv"]["sha256"] == file_digest(table)
    assert outputs["benchmark/species.csv"]["bytes"] == table.stat().st_size
    assert told["inputs"][0]["sha256"] == file_digest(study.parents[1] / "images.tsv")
    assert told["configuration"] == CONFIGURATION
    assert told["seeds"] == {"seeds": [1, 2], "random_seed": 7}
    assert told["trainings"][0]["versions"] == {"torch": "2.14.1"}
    assert told["software"]["packages"]["numpy"]
    assert {one["path"] for one in told["software"]["environments"]} >= {"envs/torchvision.yaml"}
    assert told["times"]["started"] == "1970-01-01T00:31:40+00:00"
    assert told["times"]["ended"] == "1970-01-01T00:34:20+00:00"
    assert told["times"]["jobs"] == 2
    assert [one["rule"] for one in told["times"]["rules"]] == ["merge", "train"]


def test_the_same_results_give_the_same_bytes(study):
    names = ["manifest.json", "ro-crate-metadata.json", "provenance/code.zip", "provenance/Snakefile"]
    before = [(study / name).read_bytes() for name in names]
    record(study)
    assert [(study / name).read_bytes() for name in names] == before


def test_the_code_that_ran_is_kept_whole(study):
    with zipfile.ZipFile(study / "provenance/code.zip") as archive:
        names = set(archive.namelist())
        assert archive.read("scripts/train.py") == (SCRIPTS / "train.py").read_bytes()
    assert {"Snakefile", "workflow/rules/common.smk", "envs/requirements.lock"} <= names
    assert not any(name.endswith((".safetensors", ".pyc")) for name in names)


def test_memory_gives_the_same_record_and_a_changed_file_is_read_again(study, tmp_path):
    memory = tmp_path / "memory.json"
    for path in study.rglob("*"):
        os.utime(path, (1000, 1000))
    first = record(study, memory=memory)
    assert memory.is_file()
    assert record(study, memory=memory)["outputs"] == first["outputs"]
    (study / "dataset/split.csv").write_text("image,part\nb.jpg,test\n", encoding="utf-8")
    changed = record(study, memory=memory)["outputs"]
    assert [one["path"] for one, other in zip(changed, first["outputs"], strict=True) if one != other] == [
        "dataset/split.csv"
    ]


def test_hours_are_unknown_without_benchmark_files(tmp_path):
    assert job_times(tmp_path / "none") == {"started": None, "ended": None, "jobs": 0, "rules": []}


def test_an_untouched_folder_is_sound(study):
    found = verify(study, inputs_from=Path())
    assert found.sound
    assert not found.new
    assert found.notes == [f"{study / 'surveys/bog'} has no manifest: it is not finished."]


def test_verify_says_what_differs_is_missing_or_is_new(study):
    (study / "benchmark/species.csv").write_text("model,ap50\nyolo,0.9\n", encoding="utf-8")
    (study / "dataset/split.csv").unlink()
    (study / "benchmark/extra.csv").write_text("a\n", encoding="utf-8")
    (study.parents[1] / "images.tsv").write_text("image\tslide\tsite\n", encoding="utf-8")
    found = verify(study, inputs_from=Path())
    assert found.differing == [str(study / "benchmark/species.csv"), str(study.parents[1] / "images.tsv")]
    assert found.missing == [str(study / "dataset/split.csv")]
    assert found.new == [str(study / "benchmark/extra.csv")]
    assert not found.sound
    # Without the inputs, what was done to them is not looked at.
    assert len(verify(study).differing) == 1


def test_a_configuration_that_changed_since_is_noted(study):
    changed = {**CONFIGURATION, "seeds": [1, 2, 3]}
    (study / "config.yaml").write_text(yaml.safe_dump(changed), encoding="utf-8")
    found = verify(study)
    assert found.sound
    assert any("in seeds" in note for note in found.notes)


def test_release_and_surveys_are_verified_by_their_own_records(study):
    release = study / "release"
    (release / "thresholds.csv").write_text("species\n", encoding="utf-8")
    write_json(
        {"files": {"thresholds.csv": file_digest(release / "thresholds.csv")}}, release / "detector.json"
    )
    survey = study / "surveys/bog"
    record(survey, kind="survey", name="bog", apart=(), inputs=[], benchmarks=study / "none")
    assert verify(study).sound
    (release / "thresholds.csv").write_text("another\n", encoding="utf-8")
    (survey / "counts.csv").unlink()
    found = verify(study)
    assert found.differing == [str(release / "thresholds.csv")]
    assert found.missing == [str(survey / "counts.csv")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "There is no"),
        ("{", "is not JSON"),
        ("[]", "no manifest of Podura"),
        ('{"format": "podura manifest", "format_version": 99}', "format version 99"),
    ],
)
def test_what_is_no_manifest_is_told(study, text, said):
    path = study / "manifest.json"
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        verify(study)


def test_a_manifest_that_leads_out_of_its_folder_is_refused(study):
    told = read_manifest(study / "manifest.json")
    told["outputs"][0]["path"] = "../../images.tsv"
    write_json(told, study / "manifest.json")
    with pytest.raises(UserError, match="not in its folder"):
        verify(study)


def test_the_command_ends_with_what_it_found(study):
    def ended(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, SCRIPTS / "verify.py", study, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    assert ended()[0] == 0
    (study / "benchmark/extra.csv").write_text("a\n", encoding="utf-8")
    assert ended("--strict")[0] == 1
    (study / "benchmark/report.html").write_text("", encoding="utf-8")
    code, printed = ended()
    assert code == 1
    assert f"differs: {study / 'benchmark/report.html'}" in printed
    assert "1 differ, 0 are missing, 1 are new" in printed


def entities(study: Path) -> dict[str, dict]:
    document = json.loads((study / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert document["@context"] == "https://w3id.org/ro/crate/1.1/context"
    graph = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(graph) == len(document["@graph"])
    return graph


def listed(value) -> list[str]:
    return [one["@id"] for one in (value if isinstance(value, list) else [value])]


def test_the_crate_keeps_what_the_profile_demands(study):
    """The MUSTs of RO-Crate 1.1, Workflow RO-Crate 1.0, Process Run Crate and Workflow Run Crate 0.5.

    A crate of the demo study passed roc-validator 0.13.0 (REQUIRED, workflow-run-crate-0.5), which needs a
    network for the context and is no part of the tests.
    """
    graph = entities(study)
    root, descriptor = graph["./"], graph["ro-crate-metadata.json"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["about"] == {"@id": "./"}
    assert "https://w3id.org/ro/crate/1.1" in listed(descriptor["conformsTo"])
    assert "https://w3id.org/workflowhub/workflow-ro-crate/1.0" in listed(descriptor["conformsTo"])
    assert root["@type"] == "Dataset"
    assert root["name"]
    assert root["description"]
    assert root["datePublished"] == "1970-01-01T00:34:20+00:00"
    assert graph[root["license"]["@id"]]["name"] == "not told"
    profiles = listed(root["conformsTo"])
    for profile in ("process", "workflow"):
        identifier = f"https://w3id.org/ro/wfrun/{profile}/0.5"
        assert identifier in profiles
        assert graph[identifier]["@type"] == "CreativeWork"
        assert graph[identifier]["version"] == "0.5"
    workflow = graph[root["mainEntity"]["@id"]]
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} == set(workflow["@type"])
    assert graph[workflow["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    for identifier in listed(workflow["input"]) + listed(workflow["output"]):
        parameter = graph[identifier]
        assert parameter["@type"] == "FormalParameter"
        assert parameter["additionalType"] in {"File", "PropertyValue"}
        example = graph[parameter["workExample"]["@id"]]
        assert example["@type"] in {"File", "PropertyValue"}
        assert example["exampleOfWork"] == {"@id": identifier}
    action = graph[root["mentions"]["@id"]]
    assert action["@type"] == "CreateAction"
    assert action["instrument"] == {"@id": root["mainEntity"]["@id"]}
    assert action["startTime"] < action["endTime"]
    assert {"#seeds", "#random_seed", "config.yaml", "#input-1"} <= set(listed(action["object"]))
    assert "benchmark/species.csv" in listed(action["result"])
    # Every data entity is part of the root, is there, and is named by a relative path.
    parts = set(listed(root["hasPart"]))
    for identifier, entity in graph.items():
        kinds = entity["@type"] if isinstance(entity["@type"], list) else [entity["@type"]]
        if "File" in kinds or (kinds == ["Dataset"] and identifier != "./"):
            assert identifier in parts
            assert not identifier.startswith(("/", "file:", ".."))
            assert (study / identifier).exists()
        if "sha256" in entity and "File" in kinds:
            assert entity["sha256"] == file_digest(study / identifier)
    # Whatever is referred to is described.
    for entity in graph.values():
        for key, value in entity.items():
            if isinstance(value, dict) and key not in {"conformsTo", "identifier", "url"}:
                assert value["@id"] in graph, key


def test_the_owner_of_the_data_is_heard(study):
    record(
        study,
        card={"title": "Meadows", "licence": "CC-BY-4.0", "citation": "Doe 2026", "description": "Soil"},
    )
    graph = entities(study)
    assert graph["./"]["name"] == "Meadows"
    assert graph["./"]["description"] == "Soil"
    assert graph["./"]["citation"] == "Doe 2026"
    assert graph[graph["./"]["license"]["@id"]]["name"] == "CC-BY-4.0"


def test_many_files_are_told_as_folders(study):
    for number in range(80):
        (study / "benchmark" / f"{number}.csv").write_text(str(number), encoding="utf-8")
    inputs = []
    for number in range(70):
        inputs.append(study.parents[1] / f"{number}.jpg")
        inputs[-1].write_bytes(b"image")
    record(study, inputs=inputs)
    graph = entities(study)
    assert "benchmark/species.csv" not in graph
    assert "benchmark/" in graph
    assert "83 files" in graph["benchmark/"]["description"]
    assert "70 files" in graph["#inputs"]["description"]
    assert len(read_manifest(study / "manifest.json")["inputs"]) == 70
