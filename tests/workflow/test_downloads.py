"""Data from elsewhere, through Snakemake's storage plugin, from a server on the loopback interface."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from workflow.conftest import REPOSITORY, snakemake

pytestmark = pytest.mark.workflow


def an_archive() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("slide/a.jpg", b"an image")
    return made.getvalue()


FILES = {"/images.zip": an_archive(), "/annotations.json": b"{}", "/cut.json": b"[1, 2, 3, 4]"}


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        content = FILES.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.send_header("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
        self.end_headers()
        if body and content is not None:
            self.wfile.write(content[:5] if self.path == "/cut.json" else content)

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{made.server_address[1]}"
        made.shutdown()
        thread.join()


def download(folder: Path, entries: dict, check: bool = True) -> str:
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/config.yaml").write_text(yaml.safe_dump({"dataset": {"downloads": entries}}), "utf-8")
    file = str(REPOSITORY / "workflow/download.smk")
    return snakemake(folder, "--snakefile", file, "--keep-going", "--retries", "0", check=check)


def digest(path: str) -> str:
    return hashlib.sha256(FILES[path]).hexdigest()


def test_files_are_brought_checked_and_unpacked_once(server, tmp_path):
    entries = {
        "data/images": {"url": f"{server}/images.zip", "sha256": digest("/images.zip"), "unpack": True},
        "data/annotations.json": {"url": f"{server}/annotations.json", "sha256": digest("/annotations.json")},
    }
    download(tmp_path, entries)
    assert (tmp_path / "data/images/slide/a.jpg").read_bytes() == b"an image"
    assert (tmp_path / "data/annotations.json").read_bytes() == b"{}"
    assert "Nothing to be done" in download(tmp_path, entries)


@pytest.mark.parametrize(
    ("file", "sha256", "said"),
    [
        ("/annotations.json", "0" * 64, "as dataset.downloads says"),
        # The plugin itself tells these, and no job starts.
        ("/cut.json", digest("/cut.json"), "IncompleteRead"),
        ("/gone.json", "0" * 64, "gone.json"),
    ],
)
def test_what_is_not_as_stated_is_refused_and_leaves_nothing(server, tmp_path, file, sha256, said):
    printed = download(tmp_path, {"data/one.json": {"url": server + file, "sha256": sha256}}, check=False)
    assert said in printed
    assert not (tmp_path / "data").exists()
    assert not list((tmp_path / ".snakemake").glob("downloads/*"))
