"""Downloads against a server on the loopback interface that breaks off, lies, hangs and redirects."""

from __future__ import annotations

import io
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from podura.downloads import DownloadFailed, Patience, discard, download
from weight_server import Answer, Server, weight_server

CONTENT = np.random.default_rng(0).bytes(700_000)
QUICK = Patience(attempts=3, pause=0.01, connect=2, read=0.4, window=0.3, slowest=1000)
MOST = 1 << 20


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in [name for name in os.environ if name.casefold().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with weight_server() as running:
        running.files["/w.pt"] = CONTENT
        yield running


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / ".w.pt.part"


def get(server: Server, part: Path, path: str = "/w.pt", most_bytes: int = MOST) -> None:
    download(server.address + path, part, most_bytes=most_bytes, patience=QUICK)


def test_a_good_file_arrives_whole_and_leaves_nothing_else_behind(server: Server, part: Path) -> None:
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert list(part.parent.iterdir()) == [part]
    assert server.ranges_of("/w.pt") == [None]


def test_a_file_that_breaks_off_is_continued_where_it_broke_off(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(cut_after=300_000), Answer(cut_after=200_000)]
    get(server, part)
    assert part.read_bytes() == CONTENT
    first, second, third = server.ranges_of("/w.pt")
    assert first is None
    assert second == "bytes=300000-"
    assert third == "bytes=500000-"


def test_a_later_run_continues_what_an_earlier_one_left(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(cut_after=300_000), *[Answer(status=503)] * 3]
    with pytest.raises(DownloadFailed, match="503"):
        get(server, part)
    assert part.read_bytes() == CONTENT[:300_000]
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges_of("/w.pt")[-1] == "bytes=300000-"


def test_a_file_that_changed_meanwhile_is_brought_anew(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(cut_after=300_000), *[Answer(status=503)] * 3]
    with pytest.raises(DownloadFailed):
        get(server, part)
    server.files["/w.pt"] = CONTENT[::-1]
    get(server, part)
    assert part.read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_sends_it_from_the_beginning(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(cut_after=300_000), Answer(ranges=False)]
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_without_a_name_for_its_version_nothing_is_continued(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(cut_after=300_000, validator=None)]
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges_of("/w.pt") == [None, None]


def test_what_was_there_already_in_full_is_not_sent_again(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(cut_after=300_000), *[Answer(status=503)] * 3]
    with pytest.raises(DownloadFailed):
        get(server, part)
    part.write_bytes(CONTENT)
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert server.ranges_of("/w.pt")[-1] == f"bytes={len(CONTENT)}-"


def test_a_connection_that_always_breaks_still_gets_there_if_it_gets_further(
    server: Server, part: Path
) -> None:
    server.answers["/w.pt"] = [Answer(cut_after=100_000)] * 6
    get(server, part)
    assert part.read_bytes() == CONTENT
    assert len(server.asked) == 7 > QUICK.attempts


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_told_at_once(server: Server, part: Path, status: int) -> None:
    server.answers["/w.pt"] = [Answer(status=status)]
    with pytest.raises(DownloadFailed, match=f"w.pt cannot be had: the server answers {status}"):
        get(server, part)
    assert len(server.asked) == 1
    assert not part.exists()


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_fault_is_tried_again_but_not_for_ever(server: Server, part: Path, status: int) -> None:
    server.answers["/w.pt"] = [Answer(status=status)] * 2
    get(server, part)
    assert part.read_bytes() == CONTENT
    server.answers["/w.pt"] = [Answer(status=status)] * 9
    discard(part)
    with pytest.raises(DownloadFailed, match=str(status)):
        get(server, part)
    assert len(server.asked) == 3 + QUICK.attempts


def test_a_silent_server_is_given_up(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(hang=True)] * 9
    start = time.monotonic()
    with pytest.raises(DownloadFailed, match="silent for too long"):
        get(server, part)
    assert time.monotonic() - start < 10


def test_a_server_that_trickles_is_given_up_though_it_is_never_silent(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(trickle=0.02)] * 400
    start = time.monotonic()
    with pytest.raises(DownloadFailed, match=r"only \d+ bytes came"):
        download(
            f"{server.address}/w.pt",
            part,
            most_bytes=MOST,
            patience=Patience(attempts=1, pause=0.01, connect=2, read=5, window=0.3, slowest=1000),
        )
    assert time.monotonic() - start < 10


def test_where_nobody_listens_it_says_so(part: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadFailed, match="there is no connection to the server"):
        download(f"http://127.0.0.1:{port}/w.pt", part, most_bytes=MOST, patience=QUICK)


def test_redirects_to_another_host_are_followed(server: Server, part: Path) -> None:
    with weight_server() as other:
        other.files["/deep/w"] = CONTENT
        server.answers["/w.pt"] = [
            Answer(location=f"{other.address.replace('127.0.0.1', 'localhost')}/deep/w")
        ]
        get(server, part)
        assert part.read_bytes() == CONTENT
        assert [path for path, _ in other.asked] == ["/deep/w"]
    server.files["/b"] = b"relative"
    server.answers["/a"] = [Answer(location="b")]
    get(server, part, "/a")
    assert part.read_bytes() == b"relative"


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/w.pt", "data:,x"])
def test_redirects_to_anything_but_http_are_refused(server: Server, part: Path, location: str) -> None:
    server.answers["/w.pt"] = [Answer(location=location)]
    with pytest.raises(DownloadFailed, match=f"from http to {location.split(':')[0]}, which is not followed"):
        get(server, part)
    assert not part.exists()


def test_a_redirect_out_of_https_is_refused(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def moved(_: requests.Session, url: str, **__: object) -> requests.Response:
        asked.append(url)
        response = requests.Response()
        response.status_code, response.raw = 302, io.BytesIO()
        response.headers["Location"] = "http://weights.invalid/w.pt"
        return response

    monkeypatch.setattr(requests.Session, "get", moved)
    with pytest.raises(DownloadFailed, match="it leads from https to http, which is not followed"):
        download("https://weights.invalid/w.pt", part, most_bytes=MOST, patience=QUICK)
    assert asked == ["https://weights.invalid/w.pt"]


def test_endless_redirects_are_refused(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(location="/w.pt")] * 99
    with pytest.raises(DownloadFailed, match="leads on and on"):
        get(server, part)
    assert len(server.asked) < 20


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_large_is_not_kept(server: Server, part: Path, announced: bool) -> None:
    server.answers["/w.pt"] = [Answer(announced=announced)]
    with pytest.raises(DownloadFailed, match="larger than expected"):
        get(server, part, most_bytes=100_000)
    assert not part.exists() or not part.read_bytes()
    assert len(server.asked) == 1


def test_a_file_of_unannounced_length_arrives(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(announced=False)]
    get(server, part)
    assert part.read_bytes() == CONTENT


def test_a_compressed_answer_is_refused(server: Server, part: Path) -> None:
    server.answers["/w.pt"] = [Answer(encoding="gzip")]
    with pytest.raises(DownloadFailed, match="compresses it"):
        get(server, part)


def test_a_full_disk_is_told(server: Server, part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("podura.downloads.shutil.disk_usage", lambda _: Usage)
    with pytest.raises(DownloadFailed, match="does not fit on the disk"):
        get(server, part)


def test_the_proxy_of_the_environment_is_used(
    server: Server, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    server.files["http://weights.invalid/w.pt"] = CONTENT  # a proxy is asked for whole addresses
    download("http://weights.invalid/w.pt", part, most_bytes=MOST, patience=QUICK)
    assert part.read_bytes() == CONTENT


@given(st.lists(st.tuples(st.integers(0, 3000), st.booleans(), st.sampled_from(["ETag", None])), max_size=6))
@settings(max_examples=25)
def test_wherever_it_breaks_off_the_file_arrives_to_the_byte(
    breaks: list[tuple[int, bool, str | None]],
) -> None:
    content = CONTENT[:2000]
    with weight_server() as server, tempfile.TemporaryDirectory() as folder:
        server.files["/w.pt"] = content
        server.answers["/w.pt"] = [
            Answer(cut_after=after, ranges=ranges, validator=validator) for after, ranges, validator in breaks
        ]
        part = Path(folder, "part")
        patience = Patience(attempts=len(breaks) + 1, pause=0, connect=5, read=5)
        download(f"{server.address}/w.pt", part, most_bytes=MOST, patience=patience)
        assert part.read_bytes() == content
