"""Which boxes of a survey are exported, and names that stay in the folder of an export."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

import pandas as pd

from podura.slides.formats import without_image_suffix
from podura.tables import BOX_COLUMNS

_DRIVE = re.compile(r"^[A-Za-z]:")


def animals(final: pd.DataFrame) -> pd.DataFrame:
    """The rows of detections.csv that are an animal each: named ones, of several on one place the best."""
    named = final[final["taxon"].notna()]
    return named[named["same_animal_as"].isna()] if "same_animal_as" in named else named


def standing_boxes(final: pd.DataFrame) -> pd.DataFrame:
    """The animals that a survey finally has: ``key, image, sample, species, score, human, reviewer,
    decided_at`` and the box.

    final: as detections.csv of a survey. ``species`` is the final species, or the genus or group where no
    species is sure. ``key`` is the detection, or for an added animal a digest of
    its place. ``human`` says that a person identified it.
    """
    kept = animals(final)
    frame = pd.DataFrame(
        {
            "key": kept["detection"].astype("string"),
            "image": kept["image"].astype("string"),
            "sample": kept["sample"].astype("string"),
            "species": kept["final_species"].astype("string").fillna(kept["taxon"].astype("string")),
            "score": kept["score"].astype("float64"),
            **{name: kept[name].astype("float64") for name in BOX_COLUMNS},
            "human": kept["decision"].isin(["accept", "species", "add"]).astype(bool),
            "reviewer": kept["reviewer"].astype("string"),
            "decided_at": kept["decided_at"].astype("string"),
        }
    )
    added = frame["key"].isna()
    frame.loc[added, "key"] = [added_key(row) for row in frame[added].itertuples(index=False)]
    return frame.sort_values(["image", "key"], kind="stable").reset_index(drop=True)


def with_other_taxa(species: Sequence[Mapping[str, str]], boxes: pd.DataFrame) -> list[Mapping[str, str]]:
    """The species, and behind them genera and groups that boxes are named by, in alphabetical order."""
    known = {one["code"] for one in species}
    others = sorted(set(boxes["species"].dropna()) - known)
    return [*species, *({"code": name, "name": name} for name in others)]


def added_key(row: object) -> str:
    """A name for an animal that a person added, which follows from its image, species and box."""
    values = [str(getattr(row, name)) for name in ("image", "species", *BOX_COLUMNS)]
    return "added-" + hashlib.sha256("\0".join(values).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def inside_names(images: Iterable[str]) -> dict[str, str]:
    """For each image a relative path with / that stays in its folder, and another one for every image.

    A path that leads nowhere else is kept; of others the steps out of the folder are taken away. Where two
    would meet, or differ in their suffix alone, they get eight digits of a digest of their names.
    """
    plain = {image: _inside(image) for image in images}
    uses: dict[str, int] = {}
    for path in plain.values():
        uses[_meeting(path)] = uses.get(_meeting(path), 0) + 1
    return {
        image: path if uses[_meeting(path)] == 1 else _told_apart(path, image)
        for image, path in plain.items()
    }


def _inside(image: str) -> str:
    text = _DRIVE.sub("", image.replace("\\", "/"))
    text = re.sub(r"[\x00-\x1f\x7f]", "_", text)
    return "/".join(step for step in text.split("/") if step not in ("", "..", ".")) or "image"


def _meeting(path: str) -> str:
    # Files of labels have the image's name without its suffix; some file systems do not tell case.
    return without_image_suffix(path).casefold()


def _told_apart(path: str, image: str) -> str:
    digest = hashlib.sha256(image.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    whole = PurePosixPath(path)
    return str(whole.with_name(f"{digest}-{whole.name}"))
