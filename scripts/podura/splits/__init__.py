"""Which slide plays which part: train, validation, calibration or test. Groups are never divided."""

from podura.splits.dealing import Grouping, split_slides
from podura.splits.folds import Folds, asked_fractions, split_folds
from podura.splits.parts import part_images, part_truth, split_report

__all__ = [
    "Folds",
    "Grouping",
    "asked_fractions",
    "part_images",
    "part_truth",
    "split_folds",
    "split_report",
    "split_slides",
]
