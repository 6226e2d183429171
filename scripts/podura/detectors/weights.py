"""Weights as safetensors with JSON beside them: nothing is ever unpickled."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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


def initialise(detector: Detector, weights: str) -> str:
    """Give an untrained detector its starting weights and return a sentence on what was taken.

    ``weights`` is ``none``, ``imagenet`` or the path of a safetensors file. From a file every tensor is
    taken whose name and shape fit; the rest (the last layers, when the species differ) stays random.
    Raises UserError where nothing can be had or too little fits.
    """
    if weights == "none":
        return "random weights"
    if weights == "imagenet":
        try:
            detector.load_imagenet()
        except LookupError as error:
            raise UserError(
                f"weights: imagenet: {error}. Write 'weights: none' or give a .safetensors file."
            ) from error
        return "ImageNet weights in the backbone"
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
    return f"{len(fitting)} of {len(own)} tensors from {Path(weights).name}"


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
