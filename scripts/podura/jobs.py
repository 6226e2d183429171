"""What every rule script shares: a log file beside the terminal, and errors in plain words."""

from __future__ import annotations

import argparse
import errno
import itertools
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import psutil

from podura.errors import UserError

log = logging.getLogger(__name__)

#: What this process holds until it ends.
_CLAIMS: list[socket.socket] = []


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return an argument parser that knows ``--log``."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--log", type=Path, help="file that takes the log beside the terminal")
    return made


def run(main: Callable[[argparse.Namespace], None], arguments: argparse.ArgumentParser) -> None:
    """Run a script's main function with logging; a UserError ends it with its message alone.

    Unexpected errors leave their traceback in the log as well as on the terminal.
    """
    namespace = arguments.parse_args()
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if namespace.log:
        namespace.log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(namespace.log, mode="w", encoding="utf-8"))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=handlers
    )
    logging.captureWarnings(True)
    # It tells of every table of every font that it puts into a figure.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    try:
        main(namespace)
    except UserError as error:
        log.error("%s", error)
        sys.exit(error.exit_code)
    except Exception as error:
        if words := storage_trouble(error):
            log.error("%s", words)
            sys.exit(1)
        log.exception("This should not happen: please report it with this log.")
        sys.exit(1)


#: Words of the system for each trouble, since libraries pass them on in errors of their own, and what to do.
_STORAGE = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk quota is used up",
    errno.EROFS: "The file system is read-only",
    errno.EACCES: "Writing or reading is not allowed",
    errno.EPERM: "Writing or reading is not allowed",
    errno.ESTALE: "The shared file system lost a file",
    errno.EIO: "The disk or the file system fails",
}
_MEND = {
    errno.ENOSPC: "Make room there",
    errno.EDQUOT: "Make room there",
    errno.EROFS: "Mount it for writing, or run where results may be written",
    errno.EACCES: "Change the rights of the file or its folder",
    errno.EPERM: "Change the rights of the file or its folder",
}


def storage_trouble(error: BaseException | None) -> str | None:
    """Say in plain words that a disk or file system is the trouble behind an error; None where it is not."""
    seen: BaseException | None = error
    while seen is not None:
        for number, what in _STORAGE.items():
            if (isinstance(seen, OSError) and seen.errno == number) or os.strerror(number) in str(seen):
                place = f": {seen.filename}" if isinstance(seen, OSError) and seen.filename else f" ({seen})"
                mend = _MEND.get(number, "Try again")
                return (
                    f"{what}{place}. {mend}, and run the same command again: it goes on from here, and "
                    "nothing that is finished is lost."
                )
        seen = seen.__cause__ or seen.__context__
    return None


def prefer_this_python() -> None:
    """Let a plain "python" in the shell of this process's jobs be the Python that runs this process."""
    own = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", os.defpath)])


def stop_request() -> Callable[[], bool]:
    """Return a function that says whether this job should write what it has and end.

    It is true after Ctrl-C or a termination signal, and when the two processes that started the job (its
    shell and Snakemake) are gone: a job must not go on beside the one that a new run starts.
    """
    starters = psutil.Process().parents()[:2]
    state = {"stop": False, "checked": time.monotonic()}

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        state["stop"] = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)

    def requested() -> bool:
        if not state["stop"] and time.monotonic() - state["checked"] > 2:
            state["checked"] = time.monotonic()
            state["stop"] = not all(starter.is_running() for starter in starters)
        return bool(state["stop"])

    return requested


def claim_slot(names: Sequence[str]) -> tuple[int, int]:
    """Claim one of the named things of this machine, such as its GPUs, for this process until it ends.

    Returns its index in ``names`` and how many other processes hold it: 0 where one was free, else that of
    the least used. The claim is a name of the kernel's (an abstract Unix socket), which it frees when the
    process is gone, however it ended; no file is written, and all users of the machine see it. Where the
    system has no such names (not Linux) nothing is coordinated: always the first.
    """
    if sys.platform != "linux" or not names:
        return 0, 0
    for others in itertools.count():
        for index, name in enumerate(names):
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                claim.bind(f"\0podura-{name}-{others}")
            except OSError as error:
                claim.close()
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                _CLAIMS.append(claim)
                return index, others
    raise AssertionError("an endless count has no end")
