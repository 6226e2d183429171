"""Unpacking archives that come from elsewhere: nothing leaves the folder, and nothing grows without end."""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from podura.errors import UserError
from podura.tables import whole_file, whole_folder

_BLOCK = 1 << 20
_MOST_ENTRIES = 2_000_000


@dataclass(frozen=True)
class _Entry:
    """A file in an archive: its name, and the object by which the archive opens it."""

    name: str
    item: zipfile.ZipInfo | tarfile.TarInfo


def unpack(archive: Path, folder: Path, *, most_bytes: int) -> int:
    """Unpack a ZIP or TAR archive into ``folder``, whole or not at all; returns the number of files.

    Only plain files are taken, with their content alone. Raises UserError for an archive of another kind, a
    damaged or encrypted one, a name that leads out of the folder or stands there twice (also on systems where
    letters of both cases are one), a link or device, and for more than ``most_bytes`` when unpacked, whatever
    the archive says of itself.
    """
    try:
        with _opened(archive) as opened, whole_folder(folder) as temporary:
            entries = list(_entries(opened, archive))
            if not entries:
                raise UserError(f"{archive}: the archive holds no file.")
            left = most_bytes
            for entry in entries:
                target = temporary / entry.name
                target.parent.mkdir(parents=True, exist_ok=True)
                with _content(opened, entry) as source, target.open("wb") as made:
                    while block := source.read(_BLOCK):
                        left -= len(block)
                        if left < 0:
                            raise UserError(
                                f"{archive}: unpacked it is larger than {most_bytes / 1e9:g} GB. Raise "
                                "most_gb of the download if that is right."
                            )
                        made.write(block)
            return len(entries)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError) as error:
        raise UserError(f"{archive}: the archive is damaged or of a kind not known ({error}).") from None
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise UserError(
            f"{archive}: a file and a folder in it have the same name ({error.filename})."
        ) from None


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile | tarfile.TarFile]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            yield opened
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as opened:
            yield opened
    else:
        raise UserError(
            f"{archive}: this is neither a ZIP nor a TAR archive. Set unpack: false for a plain file."
        )


def _entries(opened: zipfile.ZipFile | tarfile.TarFile, archive: Path) -> Iterator[_Entry]:
    seen: set[str] = set()
    items: list[zipfile.ZipInfo] | list[tarfile.TarInfo]
    items = opened.infolist() if isinstance(opened, zipfile.ZipFile) else opened.getmembers()
    if len(items) > _MOST_ENTRIES:
        raise UserError(f"{archive}: the archive holds more than {_MOST_ENTRIES} entries.")
    for item in items:
        name = item.filename if isinstance(item, zipfile.ZipInfo) else item.name
        if item.is_dir() if isinstance(item, zipfile.ZipInfo) else item.isdir():
            continue
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name or not path.name:
            raise UserError(
                f"{archive}: the name {name!r} leads out of the folder. The archive is not unpacked."
            )
        if not _plain(item):
            raise UserError(
                f"{archive}: {name!r} is a link, a device or encrypted. The archive is not unpacked."
            )
        if path.as_posix().casefold() in seen:
            raise UserError(f"{archive}: the name {name!r} stands there twice. The archive is not unpacked.")
        seen.add(path.as_posix().casefold())
        yield _Entry(path.as_posix(), item)


def _plain(item: zipfile.ZipInfo | tarfile.TarInfo) -> bool:
    if isinstance(item, tarfile.TarInfo):
        return item.isreg()
    kind = stat.S_IFMT(item.external_attr >> 16)
    return kind in (0, stat.S_IFREG) and not item.flag_bits & 1


def _content(opened: zipfile.ZipFile | tarfile.TarFile, entry: _Entry) -> IO[bytes]:
    if isinstance(opened, zipfile.ZipFile):
        return opened.open(entry.item)  # type: ignore[arg-type]
    found = opened.extractfile(entry.item)  # type: ignore[arg-type]
    assert found is not None  # only plain files come here
    return found


def copy_whole(source: Path, target: Path) -> None:
    """Copy the content of a file; ``target`` appears whole or not at all."""
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)
