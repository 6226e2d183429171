"""Digests of files follow content and nothing else, and what was read once is not read again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from podura import fingerprints
from podura.fingerprints import file_digest, fingerprint


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
    monkeypatch.setattr(fingerprints, "_WHOLE_FILE", 1000)
    monkeypatch.setattr(fingerprints, "_BLOCK", 10)
    file = tmp_path / "slide.svs"
    file.write_bytes(bytes(5000))
    before = fingerprint([file])
    file.write_bytes(bytes(4999) + b"x")
    assert fingerprint([file]) != before
    file.write_bytes(bytes(5001))
    assert fingerprint([file]) != before


def test_file_digest_is_sha256(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    assert file_digest(file) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def read(monkeypatch) -> list[str]:
    """The files that are read, as they are."""
    plain, names = fingerprints._content.__wrapped__, []

    def noted(path: str, size: int, modified: int) -> bytes:
        names.append(Path(path).name)
        return plain(path, size, modified)

    monkeypatch.setattr(fingerprints, "_content", noted)
    return names


def written(path: Path, content: bytes, seconds_ago: int = 100) -> Path:
    path.write_bytes(content)
    then = path.stat().st_mtime - seconds_ago
    os.utime(path, (then, then))
    return path


def test_what_was_read_once_is_remembered_by_later_runs(tmp_path, read):
    images = [written(tmp_path / name, name.encode()) for name in ("a", "b")]
    memory = tmp_path / "notes" / "digests.json"
    first = fingerprint(images, memory=memory)
    assert read == ["a", "b"]
    assert fingerprint(images, memory=memory) == first == fingerprint(images)
    assert read == ["a", "b", "a", "b"]  # the last call remembers nothing


def test_a_changed_or_touched_file_is_read_again(tmp_path, read):
    image, memory = written(tmp_path / "a", b"one"), tmp_path / "digests.json"
    first = fingerprint([image], memory=memory)
    written(image, b"two", seconds_ago=50)
    assert fingerprint([image], memory=memory) != first
    written(image, b"one", seconds_ago=20)
    assert fingerprint([image], memory=memory) == first
    assert read == ["a", "a", "a"]


def test_a_file_that_was_just_written_is_not_remembered(tmp_path, read):
    """It may be written again within a tick of the clock, at the same size."""
    image, memory = written(tmp_path / "a", b"one", seconds_ago=0), tmp_path / "digests.json"
    first = fingerprint([image], memory=memory)
    time = image.stat().st_mtime_ns
    image.write_bytes(b"two")
    os.utime(image, ns=(time, time))
    assert fingerprint([image], memory=memory) != first


@pytest.mark.parametrize("text", ["", "{", "[]", '{"/x": 3}'])
def test_a_damaged_memory_costs_time_only(tmp_path, text):
    image, memory = written(tmp_path / "a", b"one"), tmp_path / "digests.json"
    memory.write_text(text)
    assert fingerprint([image], memory=memory) == fingerprint([image])
    assert str(image) in json.loads(memory.read_text())


def test_a_memory_that_cannot_be_written_stops_nothing(tmp_path):
    image, blocked = written(tmp_path / "a", b"one"), tmp_path / "file"
    blocked.touch()
    assert fingerprint([image], memory=blocked / "digests.json") == fingerprint([image])
