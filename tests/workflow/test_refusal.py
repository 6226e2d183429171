"""A fault that stops the run leaves the table of all faults, and another treatment runs the import again."""

from __future__ import annotations

import pytest
import yaml

from broken_inputs import Laboratory
from podura.tables import PROBLEMS
from workflow.conftest import copy_repository, planned, snakemake

pytestmark = pytest.mark.workflow


def test_a_refused_study_tells_all_and_goes_on_when_told_how(tmp_path):
    folder = copy_repository(tmp_path)
    (tmp_path / "lab").mkdir()
    lab = Laboratory(tmp_path / "lab", "voc")
    lab.move(0, (10, 10, 30, 30), "Isotomiela minor")
    lab.move(1, (10, 10, 10, 30))
    lab.write()
    # The laboratory's images are all alike.
    lab.config["dataset"]["leakage"] = {"check": False}
    overlay = folder / "broken.yaml"

    def run(**problems: str) -> str:
        lab.config["dataset"]["problems"] = problems
        overlay.write_text(yaml.safe_dump(lab.config))
        return snakemake(folder, "dataset", "--configfile", "broken.yaml", check=False)

    dataset = folder / "results" / "broken" / "dataset"
    printed = run()
    assert "nearest known name is 'Isotomiella minor'" in printed
    assert "All faults that were found are in results/broken/dataset/refused_problems.csv." in printed
    assert "Traceback" not in printed
    table = PROBLEMS.read_csv(dataset / "refused_problems.csv")
    assert dict(zip(table["kind"], table["treatment"], strict=True)) == {
        "unknown_name": "refused",
        "zero_area": "dropped",
    }
    assert not (dataset / "problems.csv").exists()

    run(unknown_name="drop")
    assert not (dataset / "refused_problems.csv").exists()
    assert list(PROBLEMS.read_csv(dataset / "problems.csv")["treatment"]) == ["dropped", "dropped"]
    assert planned(folder, "dataset", config="broken.yaml") == {}

    lab.config["dataset"]["problems"] = {"unknown_name": "drop", "partly_outside": "ignore"}
    overlay.write_text(yaml.safe_dump(lab.config))
    assert planned(folder, "dataset", config="broken.yaml")["import_dataset"] == 1
