"""Files of published weights, and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PretrainedFile:
    """A file of published weights.

    ``name`` is that of the publisher's file without its ending. ``sha256`` is the digest of that file, None
    where it is recorded on first use; ``sha256_start`` how it begins, where the publisher says so much.
    ``size`` is in bytes, None where it is not known.
    """

    name: str
    url: str
    format: str
    sha256: str | None
    sha256_start: str | None
    size: int | None
    licence: str

    @property
    def published_name(self) -> str:
        """Name of the publisher's file, by which it is put somewhere by hand or offered by a mirror."""
        return self.name + {"torchvision": ".pth", "ultralytics": ".pt"}.get(self.format, ".safetensors")

    def kept_in(self, folder: Path) -> Path:
        """Where the weights lie in a folder once they are fetched, as safetensors."""
        return folder / f"{self.name}.safetensors"


@dataclass(frozen=True)
class WeightSettings:
    """Where published weights are kept, and from where they are fetched, if at all.

    ``mirror`` is an address or a folder in which the publishers' files lie by their names; None for the
    publishers themselves.
    """

    folder: Path
    mirror: str | None
    offline: bool
