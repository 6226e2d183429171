"""Import transformers without its hub: nothing is looked up, downloaded, cached or reported."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

_WANTED = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "USE_HUB_KERNELS": "0",
    "TRANSFORMERS_VERBOSITY": "error",
}


@contextmanager
def offline() -> Iterator[None]:
    """Imports of transformers within are offline; the process's environment is as before afterwards."""
    before = {name: os.environ.get(name) for name in _WANTED}
    os.environ.update(_WANTED)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
