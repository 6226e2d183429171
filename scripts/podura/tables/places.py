"""Names of the folders below a study's results that several stages share."""

from __future__ import annotations


def run_folder(seed: int, fold: int = 0) -> str:
    """Where one training of a model lies below ``models/<model>``, ``detections/<model>`` and the like.

    ``fold`` counts from 1; 0 where the study has no folds.
    """
    return f"fold-{fold}/seed-{seed}" if fold else f"seed-{seed}"


def part_folder(part: str, fold: int = 0) -> str:
    """Where the images and the truth of a part lie below ``dataset/parts``."""
    return f"fold-{fold}/{part}" if fold else part
