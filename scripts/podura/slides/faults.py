"""What is wrong with a file that cannot be read as an image, in words for its owner."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from podura.errors import UserError

#: More pixels than this are not read as a whole. Regions of a larger tiled file may be.
MAX_PIXELS = 2_000_000_000

FaultKind = Literal["missing_image", "empty_file", "truncated_image", "unreadable_image"]

READ_FORMATS = "JPEG, PNG, BMP, WebP, TIFF, OME-TIFF, SVS, NDPI or MRXS"

_TAIL = 1 << 16
_LONGEST_REASON = 160
_TRUNCATED_WORDS = ("truncated", "unexpected end", "premature end", "short read", "incomplete or truncated")


class UnreadableImageError(UserError):
    """An image file that cannot be read.

    ``kind``: ``missing_image`` (no such file), ``empty_file`` (0 bytes), ``truncated_image`` (cut off)
    or ``unreadable_image`` (damaged, no image, or of a kind that is not read).
    """

    def __init__(self, message: str, kind: FaultKind = "unreadable_image") -> None:
        self.kind: FaultKind = kind
        super().__init__(message)


class TooLargeError(UserError):
    """An image of more than MAX_PIXELS pixels that would have to be read as a whole."""

    kind = "too_large_image"


class TruncatedError(Exception):
    """Raised within a reader where the file ends before its pixels do."""


class UnsupportedError(Exception):
    """Raised within a reader for what it cannot show; the text is a sentence for the user."""


def require_file(path: Path) -> None:
    """Raise UnreadableImageError unless there is a file with something in it."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnreadableImageError(f"{path}: there is no such file.", "missing_image") from None
    except (OSError, ValueError) as error:
        raise UnreadableImageError(f"{path}: the file cannot be read ({_reason(error)}).") from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
        raise UnreadableImageError(f"{path}: this is {what} and cannot be read as an image.")
    if status.st_size == 0:
        raise UnreadableImageError(
            f"{path}: the file is empty (0 bytes). Copy it again from where it comes.", "empty_file"
        )


@contextmanager
def faults_told(path: Path) -> Iterator[None]:
    """Whatever goes wrong with a file in a reader becomes an UnreadableImageError that names it."""
    try:
        yield
    except UserError:
        raise
    except MemoryError as error:
        # Not a fault of the file, or not surely: it must not be dropped as one.
        raise UserError(
            f"{path}: the memory of this computer does not suffice to read the image. "
            "Give the job more memory, or save the image in tiles."
        ) from error
    except UnsupportedError as error:
        raise UnreadableImageError(f"{path}: {error}") from None
    except Exception as error:
        # Readers raise OSError, SyntaxError, struct.error and much more on damaged files.
        raise _fault(path, error) from error


def not_an_image(path: Path) -> UnreadableImageError:
    """The refusal of a file that no reader knows."""
    return UnreadableImageError(
        f"{path}: this is not an image that can be read. "
        f"Give {READ_FORMATS}, and check that the file is whole."
    )


def too_large(path: Path) -> TooLargeError:
    """The refusal of an image that is too large to be read as a whole."""
    return TooLargeError(
        f"{path}: the image has more than {MAX_PIXELS / 1e9:g} gigapixels, too many to be read as a whole. "
        "Cut it into smaller fields, each an image of the same slide."
    )


def _fault(path: Path, error: Exception) -> UnreadableImageError:
    require_file(path)
    text = str(error).lower()
    if (
        isinstance(error, (TruncatedError, EOFError))
        or any(words in text for words in _TRUNCATED_WORDS)
        or is_cut_off(path)
    ):
        return UnreadableImageError(
            f"{path}: the image is cut off: the file ends before its pixels do. Copy it again from where "
            "it comes.",
            "truncated_image",
        )
    return UnreadableImageError(
        f"{path}: the image cannot be read ({_reason(error)}). It is damaged or of a rare kind: open it in "
        "an image program and save it anew, or leave it out."
    )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}…"


def is_cut_off(path: Path) -> bool:
    """Whether the end of a file lacks what the format of its first bytes has there."""
    try:
        with path.open("rb") as file:
            return _ends_early(file)
    except OSError:
        return False


def _ends_early(file: BinaryIO) -> bool:
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(16)
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    if head.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in tail[-1024:]
    if head.startswith(b"\x89PNG"):
        return b"IEND" not in tail
    if head.startswith(b"RIFF"):
        return int.from_bytes(head[4:8], "little") + 8 > size
    if head.startswith(b"BM"):
        return int.from_bytes(head[2:6], "little") > size
    if head[:4] in TIFF_HEADS:
        return not ifd_chain_is_whole(file)
    return False


#: First bytes of TIFF and BigTIFF, of either byte order.
TIFF_HEADS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def ifd_chain_is_whole(file: BinaryIO) -> bool:
    """Whether every image directory (IFD) of a TIFF or BigTIFF, and the values of its tags, lie within it.

    TIFF 6.0, section 2, and the BigTIFF design of libtiff. Pixels and SubIFDs are not looked at.
    """
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(4)
    order: _Order = "little" if head.startswith(b"II") else "big"
    big = b"+" in head
    count_bytes, entry_bytes, offset_bytes = (8, 20, 8) if big else (2, 12, 4)
    file.seek(8 if big else 4)
    seen: set[int] = set()
    while True:
        raw = file.read(offset_bytes)
        if len(raw) < offset_bytes:
            return False
        offset = int.from_bytes(raw, order)
        if offset == 0:
            return bool(seen)
        if offset in seen:
            return True
        seen.add(offset)
        file.seek(offset)
        count = int.from_bytes(file.read(count_bytes), order)
        if offset + count_bytes + count * entry_bytes + offset_bytes > size:
            return False
        entries = file.read(count * entry_bytes)
        for start in range(0, len(entries), entry_bytes):
            if _end_of_values(entries[start : start + entry_bytes], offset_bytes, order) > size:
                return False


def _end_of_values(entry: bytes, offset_bytes: int, order: _Order) -> int:
    kind, count = int.from_bytes(entry[2:4], order), int.from_bytes(entry[4:-offset_bytes], order)
    length = count * _VALUE_BYTES.get(kind, 0)
    return 0 if length <= offset_bytes else int.from_bytes(entry[-offset_bytes:], order) + length


# Bytes of a value of each type of TIFF (1 BYTE … 13 IFD) and BigTIFF (16 to 18).
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_VALUE_BYTES |= {16: 8, 17: 8, 18: 8}
_Order = Literal["little", "big"]
