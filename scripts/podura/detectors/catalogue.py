"""From the names in models.yaml to a detector: adapters are found by name and imported only then."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING

from podura.errors import UserError

if TYPE_CHECKING:  # Snakemake asks for names of adapters where no torch need be installed.
    from podura.detectors.contract import Detector


def adapter_module(adapter: str) -> str:
    """Name of the module of an adapter; a new framework is a new file of this name."""
    return f"podura.detectors.{adapter}_adapter"


def build_detector(adapter: str, architecture: str, species: Sequence[str]) -> Detector:
    """Build an untrained detector; its random weights follow torch's global generator.

    Raises UserError for an adapter or architecture that does not exist or whose framework is not
    installed.
    """
    name = adapter_module(adapter)
    if importlib.util.find_spec(name) is None:
        raise UserError(f"There is no adapter '{adapter}'. Give an adapter of models.yaml's manual.")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"The adapter '{adapter}' needs the Python package '{error.name}', which is not installed. "
            "Install the pinned packages with 'make', or run Snakemake with --sdm conda."
        ) from error
    if architecture not in module.ARCHITECTURES:
        known = ", ".join(sorted(module.ARCHITECTURES))
        raise UserError(f"The adapter '{adapter}' has no architecture '{architecture}'. It has: {known}.")
    return module.ARCHITECTURES[architecture](species)
