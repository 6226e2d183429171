"""A finished training is put back for a run that did not note its end, and for no other."""

from __future__ import annotations

import os

import pytest

from podura.tables import write_json
from podura.training.finished import FOLDER, keep_finished, restore_finished

NAMES = ["weights.safetensors", "model.json"]


@pytest.fixture
def trained(tmp_path):
    (tmp_path / NAMES[0]).write_bytes(bytes(range(256)) * 100)
    (tmp_path / NAMES[1]).write_text('{"seed": 1}')
    keep_finished(tmp_path, NAMES, "this one")
    return tmp_path


def test_removed_outputs_come_back_to_the_byte(trained):
    before = {name: (trained / name).read_bytes() for name in NAMES}
    for _ in range(2):
        for name in NAMES:
            (trained / name).unlink()
        assert restore_finished(trained, "this one")
        assert {name: (trained / name).read_bytes() for name in NAMES} == before


def test_restored_outputs_are_new_so_that_their_job_has_written_them(trained):
    for name in NAMES:
        os.utime(trained / name, (1e9, 1e9))
        (trained / name).unlink()
    assert restore_finished(trained, "this one")
    assert all((trained / name).stat().st_mtime > 1.5e9 for name in NAMES)


def test_what_is_kept_takes_no_room_of_its_own(trained):
    for name in NAMES:
        assert (trained / name).stat().st_ino == (trained / FOLDER / name).stat().st_ino


def test_another_training_gets_nothing(trained):
    (trained / NAMES[0]).unlink()
    assert not restore_finished(trained, "with other settings")
    assert not (trained / NAMES[0]).exists()


def test_where_there_are_no_hard_links_copies_are_kept(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refused)
    (tmp_path / "model.json").write_text("{}")
    keep_finished(tmp_path, ["model.json"], "one")
    (tmp_path / "model.json").write_text("changed")
    assert restore_finished(tmp_path, "one")
    assert (tmp_path / "model.json").read_text() == "{}"


@pytest.mark.parametrize("damage", ["edited", "gone", "no facts", "nonsense", "elsewhere"])
def test_what_is_not_as_it_was_written_is_not_taken(trained, damage):
    kept = trained / FOLDER
    (trained / NAMES[0]).unlink()
    if damage == "edited":
        with (kept / NAMES[0]).open("rb+") as handle:
            handle.write(b"other")
    elif damage == "gone":
        (kept / NAMES[0]).unlink()
    elif damage == "no facts":
        (kept / "training.json").unlink()
    elif damage == "nonsense":
        (kept / "training.json").write_text("[1]")
    else:
        write_json({"identity": "this one", "sha256": {"../weights": "0"}}, kept / "training.json")
    assert not restore_finished(trained, "this one")
    assert not (trained / NAMES[0]).exists()
