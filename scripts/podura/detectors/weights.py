"""Weights as safetensors with JSON beside them: nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from podura.detectors.catalogue import build_detector
from podura.detectors.contract import Detector
from podura.errors import UserError
from podura.fingerprints import file_digest
from podura.tables import read_json, whole_file, write_json

log = logging.getLogger(__name__)

WEIGHTS_FILE = "weights.safetensors"
MODEL_FILE = "model.json"


def load_tensors(path: Path | str) -> dict[str, Tensor]:
    """Read a safetensors file; a file that is none is a UserError."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such weights file.") from None
    except SafetensorError as error:
        raise UserError(
            f"{path}: this is not a whole safetensors file ({error}). Weights are read from safetensors "
            "only; other formats can run code while they are read."
        ) from None


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path | str, metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors as one safetensors file, whole or not at all."""
    # A shared or strided tensor would be refused: each is written as its own contiguous copy.
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with whole_file(path) as temporary:
        save_file(plain, temporary, dict(metadata or {}))


def facts_file(weights: Path) -> Path:
    """The JSON beside a file of published weights, which holds its SHA-256 and its source."""
    return weights.with_suffix(".json")


def initialise(detector: Detector, weights: str, pretrained: Path | None = None) -> str:
    """Give an untrained detector its starting weights and return a sentence on what was taken.

    ``weights`` is ``none``, ``imagenet``, ``coco``, or the path of a safetensors file. ``pretrained`` is the
    file of published weights for imagenet and coco; None where an installed package carries them. From a
    file every tensor is taken whose name and shape fit; the rest (the last layers, when the species
    differ) stays random. Raises UserError where nothing can be had or too little fits.
    """
    if weights == "none":
        return "random weights"
    if weights in {"imagenet", "coco"}:
        return _take_published(detector, weights, pretrained)
    given, own = load_tensors(weights), detector.state_dict()
    fitting = {
        name: tensor.to(own[name].dtype)
        for name, tensor in given.items()
        if name in own and tensor.shape == own[name].shape
    }
    if 2 * sum(t.numel() for t in fitting.values()) < sum(t.numel() for t in own.values()):
        raise UserError(
            f"{weights}: only {len(fitting)} of {len(own)} tensors fit this model. These are weights of "
            "another architecture: give a file made by the same architecture."
        )
    detector.load_state_dict({**own, **fitting})
    left = [name for name in own if name not in fitting]
    return f"{len(fitting)} of {len(own)} tensors from {Path(weights).name}{_left_random(left)}"


def _take_published(detector: Detector, kind: str, pretrained: Path | None) -> str:
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    try:
        if pretrained is not None:
            _check_published(pretrained)
            given = load_tensors(pretrained)
            taken = detector.take_pretrained(kind, given)
        elif kind == "imagenet":
            detector.load_imagenet()
            return "ImageNet weights in the backbone"
        else:
            raise LookupError(f"{type(detector).__name__} has no {kind} weights")
    except LookupError as error:
        raise UserError(
            f"weights: {kind}: {error.args[0]}. Write 'weights: none' or give a .safetensors file."
        ) from error
    after = detector.state_dict()
    if not taken:
        raise UserError(
            f"{pretrained}: nothing of it fits this model. These are weights of another architecture; delete "
            "the file, and run 'snakemake --cores 1 fetch_weights'."
        )
    # Adapters may rename tensors, convert them and make their own layers wider: what is as it was, or has
    # another shape, was taken only if the file holds just that. Biases and norms, which start alike in all
    # networks, follow the layer that they belong to.
    held = {_content(tensor) for tensor in given.values() if tensor.dim() > 1}
    left = [
        name
        for name, tensor in after.items()
        if tensor.dim() > 1
        and (tensor.shape != before[name].shape or torch.equal(tensor, before[name]))
        and _content(tensor) not in held
    ]
    words = {"imagenet": "ImageNet", "coco": "COCO"}[kind]
    source = "" if pretrained is None else f" from {pretrained.name}"
    return f"{words} weights: {taken} of {len(before)} tensors{source}{_left_random(left)}"


def _content(tensor: Tensor) -> tuple[tuple[int, ...], bytes]:
    """Shape and digest of a tensor's values, whatever precision they were stored with."""
    values = tensor.detach().cpu().float().contiguous().numpy().tobytes()
    return tuple(tensor.shape), hashlib.sha256(values).digest()


def _left_random(names: Sequence[str]) -> str:
    """The modules that hold these tensors, in words; those that differ in numbers only are told once."""
    alike: dict[str, set[str]] = {}
    for name in names:
        module = name.rsplit(".", 1)[0]
        alike.setdefault(re.sub(r"\b\d+\b", "*", module), set()).add(module)
    shown = [pattern if len(modules) > 1 else min(modules) for pattern, modules in alike.items()]
    more = [f"{len(shown) - 6} more"] if len(shown) > 6 else []
    return f"; random: {', '.join(shown[:6] + more)}" if shown else ""


def _check_published(weights: Path) -> None:
    """A UserError where the file is not the one that was fetched."""
    facts = facts_file(weights)
    if facts.is_file() and weights.is_file() and read_json(facts)["weights_sha256"] != file_digest(weights):
        raise UserError(
            f"{weights} is not the file that {facts.name} beside it describes (its SHA-256 differs). Delete "
            "both, and run 'snakemake --cores 1 fetch_weights'."
        )


def save_model(detector_state: Mapping[str, Tensor], facts: Mapping[str, Any], folder: Path) -> None:
    """Write ``weights.safetensors`` and ``model.json``, which holds the weights' SHA-256."""
    save_tensors(detector_state, folder / WEIGHTS_FILE)
    write_json({**facts, "weights_sha256": file_digest(folder / WEIGHTS_FILE)}, folder / MODEL_FILE)


def load_model(folder: Path) -> tuple[Detector, dict[str, Any]]:
    """Read what ``save_model`` wrote: the detector in evaluation mode, and its facts.

    Raises UserError where the weights are not those that the JSON describes.
    """
    facts = read_json(folder / MODEL_FILE)
    if file_digest(folder / WEIGHTS_FILE) != facts["weights_sha256"]:
        raise UserError(
            f"{folder / WEIGHTS_FILE} is not the file that {MODEL_FILE} beside it describes (its SHA-256 "
            "differs). Train the model again or bring both files from the same run."
        )
    detector = build_detector(facts["adapter"], facts["architecture"], facts["species"])
    detector.load_state_dict(load_tensors(folder / WEIGHTS_FILE))
    return detector.eval(), facts
