"""Whether the folds that a configuration asks for can be had with the study's images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from podura.configuration.study import StudyImage
from podura.configuration.wording import listed


def fold_faults(split: Mapping[str, Any], images: Sequence[StudyImage]) -> Iterator[tuple[str, str]]:
    """The keys of the section ``split`` at fault, each with what is wrong and what to write instead."""
    by, folds, others_by = split["by"], split["folds"], split["others_by"]
    if folds is None:
        if others_by is not None:
            yield "split.others_by", "it only serves folds, and there are none. Write null, or split.folds."
        return
    groups = {getattr(image, by) for image in images}
    if folds == "each" and len(groups) < 2:
        yield "split.folds", f"the study has one {by}, so none can be left out. Write null."
    elif folds != "each" and folds > len(groups):
        yield (
            "split.folds",
            f"{folds} folds are more than the {len(groups)} {by}s of the study. Write fewer, or each.",
        )
    if fixed := [image.image for image in images if image.part is not None]:
        yield (
            "split.folds",
            f"with folds every {by} is tested in its turn, but the table of images fixes the part of "
            f"{len(fixed)} images: {listed(fixed)}. Leave its column 'part' empty, or write folds: null.",
        )
    if others_by is not None and any(getattr(image, others_by) is None for image in images):
        yield (
            "split.others_by",
            f"not every image has a {others_by}. Fill the column '{others_by}' of the table of images, or "
            "write slide.",
        )
