"""Archives from elsewhere: what is plain is unpacked whole, and nothing else is."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from podura.archives import unpack
from podura.configuration.downloads import downloads
from podura.errors import UserError, UserErrors


def zipped(path: Path, files: dict[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return path


def tarred(path: Path, name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size, entry.type, entry.linkname = len(content), kind, "/etc/hostname"
        archive.addfile(entry, io.BytesIO(content))
    return path


def test_a_zip_and_a_tar_are_unpacked_with_their_folders(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"s1/a.jpg": b"one", "s1/": b"", "b.jpg": b"two"})
    assert unpack(archive, tmp_path / "made", most_bytes=100) == 2
    assert (tmp_path / "made/s1/a.jpg").read_bytes() == b"one"
    assert (tmp_path / "made/b.jpg").read_bytes() == b"two"
    assert unpack(tarred(tmp_path / "b.tgz", "s2/c.jpg", b"three"), tmp_path / "made", most_bytes=100) == 1
    # The folder is that of the last archive, nothing is left of the one before.
    assert [path.name for path in sorted((tmp_path / "made").rglob("*"))] == ["s2", "c.jpg"]


@pytest.mark.parametrize("name", ["../out.jpg", "/out.jpg", "a/../../out.jpg", "..\\out.jpg", "C:\\out.jpg"])
def test_a_name_that_leads_out_is_refused_and_nothing_is_left(tmp_path, name):
    folder = tmp_path / "deep" / "made"
    archives = [zipped(tmp_path / "a.zip", {"ok.jpg": b"1", name: b"2"}), tarred(tmp_path / "a.tgz", name)]
    for archive in archives:
        with pytest.raises(UserError, match="leads out"):
            unpack(archive, folder, most_bytes=100)
    assert not list(tmp_path.rglob("*.jpg"))
    assert not folder.exists()


def test_links_and_devices_are_refused(tmp_path):
    archives = [
        zipped(tmp_path / "a.zip", {"link": b"/etc/hostname"}, stat.S_IFLNK | 0o777),
        *(
            tarred(tmp_path / f"{number}.tgz", "link", b"", kind)
            for number, kind in enumerate([tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
        ),
    ]
    for archive in archives:
        with pytest.raises(UserError, match="a link, a device"):
            unpack(archive, tmp_path / "made", most_bytes=100)
    assert not (tmp_path / "made").exists()


def test_the_size_counts_as_it_is_unpacked_not_as_it_is_told(tmp_path):
    archive = zipped(tmp_path / "bomb.zip", {"zeros": bytes(5_000_000)})
    assert archive.stat().st_size < 10_000
    with pytest.raises(UserError, match="larger than"):
        unpack(archive, tmp_path / "made", most_bytes=4_000_000)
    assert unpack(archive, tmp_path / "made", most_bytes=5_000_000) == 1


def test_names_that_are_one_elsewhere_are_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"A.jpg": b"1", "a.jpg": b"2"})
    with pytest.raises(UserError, match="twice"):
        unpack(archive, tmp_path / "made", most_bytes=100)
    with pytest.raises(UserError, match="the same name"):
        unpack(zipped(tmp_path / "b.zip", {"a": b"1", "a/b": b"2"}), tmp_path / "made", most_bytes=100)


def test_a_damaged_or_other_file_is_told(tmp_path):
    path = zipped(tmp_path / "a.zip", {"a.jpg": bytes(range(256)) * 50})
    whole = path.read_bytes()
    path.write_bytes(whole[:30] + bytes([whole[60] ^ 255]) * 40 + whole[70:])
    with pytest.raises(UserError, match="damaged"):
        unpack(path, tmp_path / "made", most_bytes=10**6)
    path.write_bytes(b"plain text")
    with pytest.raises(UserError, match="neither a ZIP nor a TAR"):
        unpack(path, tmp_path / "made", most_bytes=10**6)
    with pytest.raises(UserError, match="holds no file"):
        unpack(zipped(path, {}), tmp_path / "made", most_bytes=10**6)


GOOD = {"url": "https://zenodo.org/records/1/files/a.zip", "sha256": "A" * 64}


def test_downloads_are_read_with_their_defaults():
    given = {"data/soil": {**GOOD, "unpack": True}, "data/b/soil": GOOD}
    found = downloads({"dataset": {"downloads": given}})
    assert len(found) == 2
    first = next(iter(found.values()))
    assert (first.path, first.sha256, first.unpack, first.most_gb) == (Path("data/soil"), "a" * 64, True, 100)
    assert downloads({}) == downloads({"dataset": {"downloads": None}}) == {}


@pytest.mark.parametrize(
    ("path", "changed", "said"),
    [
        ("../soil", {}, "leads out"),
        ("/soil", {}, "leads out"),
        ("soil", {"url": "file:///etc/hostname"}, "none that can be read"),
        ("soil", {"url": None}, "none that can be read"),
        ("soil", {"sha256": "abc"}, "64 digits"),
        ("soil", {"sha": "abc"}, "no key"),
        ("soil", {"unpack": "yes"}, "true or false"),
        ("soil", {"most_gb": 0}, "no size"),
    ],
)
def test_what_is_wrong_in_downloads_is_told(path, changed, said):
    with pytest.raises(UserErrors, match=said):
        downloads({"dataset": {"downloads": {path: {**GOOD, **changed}}}})
