"""Digests follow content and nothing else."""

from __future__ import annotations

import os

from podura import provenance
from podura.provenance import LIBRARY, code_digest, file_digest, fingerprint

SCRIPTS = LIBRARY.parent


def test_fingerprint_ignores_times_and_follows_content_and_names(tmp_path):
    one, two = tmp_path / "a.jpg", tmp_path / "b.jpg"
    one.write_bytes(b"first")
    two.write_bytes(b"second")
    before = fingerprint([one, two])
    os.utime(one, (1, 1))
    assert fingerprint([one, two]) == before
    assert fingerprint([two, one]) != before
    one.write_bytes(b"First")
    assert fingerprint([one, two]) != before
    one.write_bytes(b"first")
    assert fingerprint([one, two]) == before
    assert fingerprint([tmp_path]) == before


def test_a_large_file_is_read_in_part_yet_a_changed_end_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "_WHOLE_FILE", 1000)
    monkeypatch.setattr(provenance, "_BLOCK", 10)
    file = tmp_path / "slide.svs"
    file.write_bytes(bytes(5000))
    before = fingerprint([file])
    file.write_bytes(bytes(4999) + b"x")
    assert fingerprint([file]) != before
    file.write_bytes(bytes(5001))
    assert fingerprint([file]) != before


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


def test_file_digest_is_sha256(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    assert file_digest(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_versions_leave_out_what_is_not_installed():
    found = provenance.versions(["numpy", "no-such-package"])
    assert set(found) == {"python", "numpy"}
