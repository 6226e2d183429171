"""Weights out of Ultralytics' ``.pt`` files, which are pickles of whole models, without running any of it.

PyTorch's restricted unpickler builds nothing but tensors and plain containers. Whatever else such a file
names (layers, settings) is given an empty stand-in that only holds what is put into it; names that no
such file needs are refused before anything is read.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from podura.errors import UserError

#: Modules whose names a checkpoint of Ultralytics may hold: its own and PyTorch's layers.
_KNOWN_MODULES = ("ultralytics.", "torch.nn.")
#: Further names: plain values that stand among the training settings and measures.
_KNOWN_NAMES = {
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    "types.SimpleNamespace",
}
#: Layers within layers; in Ultralytics' models there are about ten.
_DEEPEST = 100


class _StandIn:
    """Takes the place of any named object: accepts what it is given and does nothing."""

    def __new__(cls, *_given: Any, **_named: Any) -> _StandIn:
        return super().__new__(cls)

    def __init__(self, *_given: Any, **_named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        # The state of an object with slots is a pair; no layer has one.
        self.__dict__.update(state if isinstance(state, dict) else {})


def read_ultralytics_checkpoint(path: Path | str) -> dict[str, Tensor]:
    """Read the weights of a ``.pt`` file that Ultralytics' trainer wrote or that Ultralytics publishes.

    Returns the state dict of its averaged model (``ema``) or, without one, of its ``model``, with the
    names that Ultralytics gives the tensors; floating-point ones as float32. Nothing of the file is run.
    Raises UserError where the file is none of PyTorch's, holds no such model, or names what no checkpoint
    needs (such as ``os.system``).
    """
    held = _load(path)
    if not isinstance(held, Mapping):
        raise _no_model(path)
    model = held.get("ema")
    if model is None:
        model = held.get("model")
    if not isinstance(model, _StandIn):
        raise _no_model(path)
    tensors = dict(_walk(model, "", 0, path))
    if not tensors:
        raise _no_model(path)
    return tensors


def _load(path: Path | str) -> Any:
    try:
        names = get_unsafe_globals_in_checkpoint(path)
        refused = sorted(name for name in names if not _known(name))
        if refused:
            raise UserError(
                f"{path}: this file names {', '.join(refused)}, which no checkpoint of Ultralytics needs; "
                "such a file could run code. It is not read. Fetch the file again from its publisher."
            )
        stand_ins: list[Any] = [(type(name, (_StandIn,), {}), name) for name in names]
        with safe_globals(stand_ins):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such weights file.") from None
    # What a broken or foreign file makes the reader raise is not documented and differs by place.
    except (
        pickle.UnpicklingError,
        BadZipFile,
        RuntimeError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        EOFError,
        OSError,
    ) as error:
        raise UserError(
            f"{path}: this is not a whole checkpoint of Ultralytics ({str(error).splitlines()[0][:200]}). "
            "Fetch the file again."
        ) from error


def _known(name: str) -> bool:
    return name.startswith(_KNOWN_MODULES) or name in _KNOWN_NAMES


def _walk(module: _StandIn, prefix: str, depth: int, path: Path | str) -> Iterator[tuple[str, Tensor]]:
    """Yield what ``Module.state_dict`` of the real module would hold."""
    if depth > _DEEPEST:
        raise UserError(f"{path}: the layers of this model hold each other without an end. Fetch it again.")
    facts = vars(module)
    unsaved = facts.get("_non_persistent_buffers_set")
    unsaved = unsaved if isinstance(unsaved, set) else set()
    for kind in ("_parameters", "_buffers"):
        for name, tensor in _items(facts.get(kind)):
            if isinstance(tensor, Tensor) and name not in unsaved:
                plain = tensor.detach()
                plain = plain.float() if plain.is_floating_point() else plain
                yield prefix + name, plain.clone(memory_format=torch.contiguous_format)
    for name, child in _items(facts.get("_modules")):
        if isinstance(child, _StandIn):
            yield from _walk(child, f"{prefix}{name}.", depth + 1, path)


def _items(held: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(held, Mapping):
        yield from ((name, value) for name, value in held.items() if isinstance(name, str))


def _no_model(path: Path | str) -> UserError:
    return UserError(
        f"{path}: this file holds no model as Ultralytics saves it (an entry 'ema' or 'model'). Give a .pt "
        "file of Ultralytics, or weights as .safetensors."
    )
