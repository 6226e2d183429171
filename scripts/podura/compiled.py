"""Functions compiled by Numba, kept in Snakemake's own folder where a workflow runs: compiled once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

_SNAKEMAKE = Path(".snakemake")
_KEEP = _SNAKEMAKE.is_dir() and os.access(_SNAKEMAKE, os.W_OK)
if _KEEP:
    # Beside the source it would go into the user's home wherever the repository is read-only.
    os.environ.setdefault("NUMBA_CACHE_DIR", str((_SNAKEMAKE / "podura_compiled").resolve()))

from numba import njit  # noqa: E402 (reads NUMBA_CACHE_DIR when it is imported)

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(*, parallel: bool = False) -> Callable[[Function], Function]:
    """Compile a function (``numba.njit``), outside the interpreter's lock.

    Where nothing can be kept, as on a disk that is full for a moment, it is compiled for this job alone.
    """

    def compile_it(function: Function) -> Function:
        if _KEEP:
            try:
                return njit(cache=True, nogil=True, parallel=parallel)(function)  # type: ignore[return-value]
            except RuntimeError:
                pass
        return njit(nogil=True, parallel=parallel)(function)  # type: ignore[return-value]

    return compile_it
