"""Say which images that show the same lie in different parts, with a picture of each pair."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import pandas as pd

from podura import jobs
from podura.errors import UserError
from podura.leakage.leaks import LEAK, find_leaks, matrix_of
from podura.leakage.pictures import pair_picture
from podura.leakage.thumbnails import read_thumbnail
from podura.tables import EXAMINED_IMAGES, LEAKAGE, PART_IMAGES, SIMILAR_IMAGES, SPLIT, whole_folder

log = logging.getLogger("leakage")

#: A study with more pairs shows its gravest ones.
MOST_PICTURES = 200


def draw(leakage: pd.DataFrame, similar: pd.DataFrame, paths: dict[str, str], folder: Path) -> pd.DataFrame:
    """Write the pictures of the first pairs, and their names into the table."""
    pairs = {(row["image_1"], row["image_2"]): row for row in similar.to_dict("records")}
    names: list[str | None] = [None] * len(leakage)
    with whole_folder(folder) as unfinished:
        for number, row in enumerate(leakage.head(MOST_PICTURES).to_dict("records"), start=1):
            pair = pairs.get((row["image_1"], row["image_2"]))
            try:
                first, second = (read_thumbnail(paths[row[f"image_{side}"]]) for side in (1, 2))
            except UserError as error:
                log.warning("No picture of pair %d: %s", number, error)
                continue
            name = f"{number:04d}_{row['kind']}.jpg"
            matrix = None if pair is None else matrix_of(pair)
            (unfinished / name).write_bytes(pair_picture(first, second, matrix, row))
            names[number - 1] = f"{folder.name}/{name}"
    return leakage.assign(picture=names)


def main(arguments: argparse.Namespace) -> None:
    split = SPLIT.read_csv(arguments.split)
    if arguments.similar is None:
        log.warning("Not checked: dataset.leakage.check is false. Parts may share images.")
        with whole_folder(arguments.pictures):
            pass
        LEAKAGE.write_csv([], arguments.output)
        return
    similar = SIMILAR_IMAGES.read_parquet(arguments.similar)
    examined = EXAMINED_IMAGES.read_parquet(arguments.examined)
    compared = set(examined.loc[examined["message"].isna(), "image"])
    for image in sorted(set(split["image"]) - compared):
        log.warning("%s is in the split, but could not be compared with other images.", image)
    files = PART_IMAGES.read_csv(arguments.images)
    paths = dict(zip(files["image"], files["path"], strict=True))
    leakage = draw(find_leaks(similar, split), similar, paths, arguments.pictures)
    LEAKAGE.write_csv(leakage, arguments.output)
    leaks = int((leakage["severity"] == LEAK).sum())
    log.info("%d pairs in different parts, %d within a part", leaks, len(leakage) - leaks)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--similar", type=Path, help="pairs of images; left out where nothing was checked")
    parser.add_argument("--examined", type=Path, help="images that were compared")
    parser.add_argument("--split", type=Path, required=True, help="split.csv")
    parser.add_argument("--images", type=Path, required=True, help="images.csv of the data set")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--output", type=Path, required=True, help="leakage.csv to write")
    jobs.run(main, parser)
