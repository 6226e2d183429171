"""Names of the folders below a study's results that several stages share."""

from __future__ import annotations

#: What tables give as the seed of a run that fuses the runs of all seeds, and so has none of its own.
ALL_SEEDS = 0


def run_folder(seed: int, fold: int = 0) -> str:
    """Where one run of a model lies below ``models/<model>``, ``detections/<model>`` and the like.

    ``fold`` counts from 1; 0 where the study has no folds.
    """
    return f"fold-{fold}/{seed_folder(seed)}" if fold else seed_folder(seed)


def seed_folder(seed: int) -> str:
    """The folder of a seed: ``seed-3``, or ``seed-all`` for ``ALL_SEEDS``."""
    return f"seed-{seed_name(seed)}"


def seed_name(seed: int) -> str:
    """A seed as file names and people call it."""
    return "all" if seed == ALL_SEEDS else str(seed)


def seed_number(name: str) -> int:
    """The seed that ``seed_name`` calls so. Raises ValueError for another text."""
    return ALL_SEEDS if name == "all" else int(name)


def part_folder(part: str, fold: int = 0) -> str:
    """Where the images and the truth of a part lie below ``dataset/parts``."""
    return f"fold-{fold}/{part}" if fold else part
