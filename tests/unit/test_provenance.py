"""Digests of code follow what a script imports."""

from __future__ import annotations

from podura import provenance
from podura.provenance import LIBRARY, code_digest

SCRIPTS = LIBRARY.parent


def test_code_digest_follows_indirect_imports_and_leaves_out_what_it_is_told(tmp_path):
    script = tmp_path / "job.py"
    script.write_text("from podura.training.loop import Training\n")
    whole = code_digest(script)
    # loop imports detectors.contract: leaving that room out must matter, an unrelated one not.
    assert code_digest(script, without=["podura.detectors"]) != whole
    assert code_digest(script, without=["podura.report"]) == whole
    assert code_digest(script, extra=["podura.detectors.ultralytics_adapter"]) != whole
    script.write_text("from podura.training.loop import Training  # changed\n")
    assert code_digest(script) != whole


def test_the_digest_of_a_training_covers_its_adapter_by_name_only():
    train = SCRIPTS / "train.py"
    one = code_digest(train, extra=["podura.detectors.torchvision_adapter"])
    other = code_digest(train, extra=["podura.detectors.ultralytics_adapter"])
    assert one != other


def test_versions_leave_out_what_is_not_installed():
    found = provenance.versions(["numpy", "no-such-package"])
    assert set(found) == {"python", "numpy"}
