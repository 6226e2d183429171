"""Each job of a machine gets a GPU of its own, until it ends, however it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
import torch

from podura import jobs
from podura.detectors import devices
from podura.detectors.devices import choose_device, device_name
from podura.errors import UserError

SCRIPTS = Path(__file__).parents[2] / "scripts"
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that end with a process")
CLAIM = """
import sys
from podura.jobs import claim_slot
print(*claim_slot(sys.argv[1:]), flush=True)
sys.stdin.read()
"""


class Job:
    """A process that claims one of some names and holds it until it is ended."""

    def __init__(self, names: list[str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CLAIM, *names],
            cwd=SCRIPTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.got = tuple(map(int, self.process.stdout.readline().split()))

    def end(self, *, kill: bool) -> None:
        if kill:
            self.process.kill()
        else:
            self.process.stdin.close()
        self.process.wait()


@pytest.fixture
def names() -> list[str]:
    """Two names that no other test uses."""
    return [f"test-{uuid4()}", f"test-{uuid4()}"]


@pytest.fixture
def own_claims(monkeypatch) -> Iterator[list]:
    """What this process claims is given back after the test."""
    held: list = []
    monkeypatch.setattr(jobs, "_CLAIMS", held)
    yield held
    for claim in held:
        claim.close()


@linux
@pytest.mark.parametrize("kill", [False, True])
def test_each_job_has_its_own_until_it_ends(names, kill):
    first, second = Job(names), Job(names)
    try:
        assert [first.got, second.got] == [(0, 0), (1, 0)]
        first.end(kill=kill)
        third = Job(names)
        assert third.got == (0, 0)
        third.end(kill=True)
    finally:
        first.process.kill()
        second.end(kill=True)


@linux
def test_more_jobs_than_things_share_them_evenly(names):
    jobs_at_once = [Job(names) for _ in range(5)]
    try:
        assert [job.got for job in jobs_at_once] == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    finally:
        for job in jobs_at_once:
            job.end(kill=True)


@linux
def test_a_gpu_that_another_job_has_is_not_taken(monkeypatch, own_claims, names, caplog):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=names[index]))
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    other = Job([f"gpu-{names[0]}"])
    try:
        device = choose_device("auto")
        assert device == torch.device("cuda", 1)
        assert device_name(device) == "cuda:1 (card 1)"
        assert not caplog.text
        # All taken: the log says that this one is shared, and how to have one job a GPU.
        assert choose_device("cuda") == torch.device("cuda", 0)
        assert "--resources gpu=2" in caplog.text
        assert chosen == [1, 0]
    finally:
        other.end(kill=True)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "claim_slot", lambda names: pytest.fail("nothing to claim"))
    with pytest.raises(UserError, match="no 'cuda'"):
        choose_device("cuda")
    assert choose_device("cpu") == torch.device("cpu")
    assert device_name(torch.device("cpu")) == "cpu"


def test_where_nothing_can_be_claimed_the_first_is_taken(monkeypatch, own_claims):
    monkeypatch.setattr(sys, "platform", "win32")
    assert jobs.claim_slot(["a", "b"]) == (0, 0)
    assert own_claims == []
