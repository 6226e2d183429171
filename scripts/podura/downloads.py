"""Bringing one file over HTTP: continued where it broke off, never waited for without end.

The proxies and certificates that the environment names (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE) are
used. What a file holds is for the caller to check: nothing here trusts a server.
"""

from __future__ import annotations

import errno
import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

log = logging.getLogger(__name__)

_CHUNK = 1 << 18
_MOST_REDIRECTS = 8
_MEGABYTE = 1 << 20


class DownloadFailed(Exception):
    """A file could not be had; the message is a sentence for people, without a full stop at its end."""


@dataclass(frozen=True)
class Patience:
    """When to give up.

    ``attempts`` without progress, ``pause`` seconds after the first of them (twice as long after each
    further one), ``connect`` and ``read`` seconds of silence, and less than ``slowest`` bytes a second for
    as long as ``window`` seconds.
    """

    attempts: int = 5
    pause: float = 2.0
    connect: float = 15.0
    read: float = 30.0
    window: float = 60.0
    slowest: float = 1024.0


class _Broken(Exception):
    """A transfer that may well succeed when it is tried again."""


class _Refused(Exception):
    """A transfer that is of no use to try again."""


def download(url: str, part: Path, *, most_bytes: int, patience: Patience | None = None) -> None:
    """Bring ``url`` into the file ``part``; what is already there of it is continued.

    A file is continued (RFC 9110, Range with If-Range) only if the server says that it is still the same
    one, else brought anew. Redirects may change the host, but not leave HTTPS once it is used, nor
    lead to anything but HTTP. Raises DownloadFailed where the file cannot be had or holds more than
    ``most_bytes``; ``part`` then stays, to be continued.
    """
    patience = patience or Patience()
    furthest, failures = _size(part), 0
    with requests.Session() as session:
        while True:
            try:
                _transfer(session, url, part, most_bytes, patience)
            except (_Broken, _Refused, urllib3.exceptions.HTTPError, requests.RequestException) as error:
                reason = _lasting(error)
                if reason is not None:
                    raise DownloadFailed(f"{url} cannot be had: {reason}") from error
                # A connection that breaks off again and again still gets there if it gets further.
                failures = 1 if _size(part) > furthest else failures + 1
                furthest = max(furthest, _size(part))
                if failures >= patience.attempts:
                    raise DownloadFailed(f"{url} cannot be had: {_passing(error)}") from error
                pause = patience.pause * 2 ** (failures - 1)
                log.warning("%s: %s; again in %.0f s", url, _passing(error), pause)
                time.sleep(pause)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                raise DownloadFailed(f"{url} does not fit on the disk of {part.parent}") from error
            else:
                _validator_file(part).unlink(missing_ok=True)
                return


def discard(part: Path) -> None:
    """Remove what there is of a file that was not brought to its end."""
    part.unlink(missing_ok=True)
    _validator_file(part).unlink(missing_ok=True)


def _transfer(session: requests.Session, url: str, part: Path, most_bytes: int, patience: Patience) -> None:
    headers = {"Accept-Encoding": "identity"}  # a continued file must not be compressed on its way
    validator = _read_validator(part)
    start = _size(part) if validator else 0
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    with _opened(session, url, headers, patience) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            if response.headers.get("Content-Range") == f"bytes */{start}":
                return  # all of it was there
            discard(part)
            raise _Broken("the server has less of it than was brought before")
        _check_status(response)
        if response.status_code != requests.codes.partial_content:
            start = 0
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            discard(part)
            raise _Broken("the server sent another piece than was asked for")
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        _check_size(total, most_bytes, part, start)
        _write_validator(part, response)
        if start:
            log.info("%s: continued after %d MB", url, start // _MEGABYTE)
        with part.open("ab" if start else "wb") as handle:
            done = start
            report = _Progress(url, done, total)
            for chunk in _chunks(response, patience):
                handle.write(chunk)
                done += len(chunk)
                report(done)
                if done > most_bytes:
                    discard(part)
                    raise _Refused(_too_large(most_bytes))
    if total is not None and done != total:
        raise _Broken(f"the connection broke off after {done} of {total} bytes")


def _opened(
    session: requests.Session, url: str, headers: dict[str, str], patience: Patience
) -> requests.Response:
    """Answer to a request, redirects followed one by one, so that each can be judged."""
    for _ in range(_MOST_REDIRECTS):
        response = session.get(
            url,
            headers=headers,
            stream=True,
            allow_redirects=False,
            timeout=(patience.connect, patience.read),
        )
        if not response.is_redirect:
            return response
        target = urljoin(url, response.headers["Location"])
        response.close()
        scheme = urlsplit(target).scheme
        if scheme != "https" and scheme != urlsplit(url).scheme:
            raise _Refused(f"it leads from {urlsplit(url).scheme} to {scheme}, which is not followed")
        url = target
    raise _Refused(f"it leads on and on (more than {_MOST_REDIRECTS} times)")


def _check_status(response: requests.Response) -> None:
    code = response.status_code
    if code in (requests.codes.ok, requests.codes.partial_content):
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise _Refused("the server compresses it, though not asked to")
        return
    sentence = f"the server answers {code} {response.reason or ''}".strip()
    if code >= 500 or code in (requests.codes.request_timeout, requests.codes.too_many_requests):
        raise _Broken(sentence)
    raise _Refused(sentence)


def _check_size(total: int | None, most_bytes: int, part: Path, start: int) -> None:
    if total is None:
        return
    if total > most_bytes:
        raise _Refused(_too_large(most_bytes))
    free = shutil.disk_usage(part.parent).free
    if total - start > free:
        needed, there = (total - start) // _MEGABYTE, free // _MEGABYTE
        raise OSError(errno.ENOSPC, f"{needed} MB are needed, {there} MB are free")


def _too_large(most_bytes: int) -> str:
    return f"it is larger than expected (more than {most_bytes // _MEGABYTE} MB)"


def _chunks(response: requests.Response, patience: Patience) -> Iterator[bytes]:
    """Pieces as they come; a transfer that only trickles is given up as a silent one is."""
    since, received = time.monotonic(), 0
    # read1, not read: that would wait for a whole piece, however slowly its bytes come.
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        yield chunk
        received += len(chunk)
        passed = time.monotonic() - since
        if passed >= patience.window:
            if received < patience.slowest * passed:
                raise _Broken(f"only {received} bytes came in {passed:.0f} s")
            since, received = time.monotonic(), 0


def _lasting(error: Exception) -> str | None:
    """Why trying again is of no use; None where it may be."""
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"the server's certificate is not accepted ({error}); where a proxy of your institution puts in "
            "its own, name that in REQUESTS_CA_BUNDLE"
        )
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return None
    return str(error) if isinstance(error, _Refused | requests.RequestException) else None


def _passing(error: Exception) -> str:
    """What went wrong for the time being, in a few words."""
    if isinstance(error, requests.ConnectTimeout):
        return "no connection within the time allowed"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return "the server was silent for too long"
    if isinstance(error, requests.ConnectionError):
        return "there is no connection to the server"
    if isinstance(error, _Broken):
        return str(error)
    return f"the connection broke off ({error})"


class _Progress:
    """Tells the log how far a transfer is, every ten seconds and at the end."""

    def __init__(self, url: str, start: int, total: int | None) -> None:
        self._name, self._total = url.rsplit("/", 1)[-1], total
        self._begin = self._told = time.monotonic()
        self._start = start

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now - self._told < 10 and done != self._total:
            return
        self._told = now
        rate = (done - self._start) / _MEGABYTE / max(now - self._begin, 1e-3)
        of = "" if self._total is None else f" of {self._total / _MEGABYTE:.1f}"
        log.info("%s: %.1f%s MB, %.1f MB/s", self._name, done / _MEGABYTE, of, rate)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _validator_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.validator")


def _read_validator(part: Path) -> str:
    """By which the server knows the file that ``part`` is the beginning of; "" where it does not."""
    try:
        return _validator_file(part).read_text(encoding="latin-1")
    except FileNotFoundError:
        return ""


def _write_validator(part: Path, response: requests.Response) -> None:
    tag = response.headers.get("ETag", "")
    # A weak tag stands for an equal meaning, not for equal bytes.
    validator = tag if tag.startswith('"') else response.headers.get("Last-Modified", "")
    if validator:
        _validator_file(part).write_text(validator, encoding="latin-1")
    else:
        _validator_file(part).unlink(missing_ok=True)
