"""The files of a release, made from a finished study."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image

from podura.provenance import code_version, versions
from podura.release.checking import BOX_TOLERANCE, LEAST_SCORE, SCORE_TOLERANCE
from podura.release.contents import (
    CHECK,
    EVIDENCE_FILES,
    FORMAT,
    FORMAT_VERSION,
    SPECIES,
    Member,
    Release,
    pipeline_of,
)
from podura.release.detecting import ReleasedDetector
from podura.release.evidence import evidence, image_rows
from podura.release.looks import Looks
from podura.release.study import Source
from podura.release.writing import MOST_CHECK_BYTES, check_image
from podura.slides.reading import read_reduced
from podura.slides.statistics import STATISTICS_SIDE
from podura.tables import (
    EVIDENCE_DETECTIONS,
    EVIDENCE_IMAGES,
    EVIDENCE_LOOKS,
    EVIDENCE_TRUTHS,
    IMAGE_STATISTICS,
    PARTS,
    read_json,
    write_json,
    write_text,
)

_OF_MEMBER = ("adapter", "architecture", "image_size", "tiling")
_PACKAGES = ("torch", "torchvision", "ultralytics", "transformers", "timm", "numpy", "safetensors")


def facts_of(
    source: Source,
    folder: Path,
    places: Mapping[str, tuple[str, int]],
    *,
    study: str,
    wanted: str,
    seeds: str,
) -> dict[str, Any]:
    """What ``detector.json`` says beside the digests.

    places: name and seed of the member in each folder of the release; wanted, seeds: as the configuration
    asks.
    """
    of_members = [read_json(folder / place / "model.json") for place in places]
    results, chosen, fusion = source.results, source.chosen, source.fusion_iou
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "study": study,
        "model": chosen.model,
        "label": source.candidate.label,
        "licence": source.candidate.licence,
        "seeds": sorted({seed for _, seed in places.values()}),
        "fold": chosen.fold,
        "pipeline": pipeline_of(of_members, results.terms, fusion),
        "members": [
            {"model": model, "seed": seed, "folder": place, **{key: facts.get(key) for key in _OF_MEMBER}}
            for (place, (model, seed)), facts in zip(places.items(), of_members, strict=True)
        ],
        "fusion": None if fusion is None else {"method": "weighted boxes fusion", "iou": fusion},
        "terms": vars(results.terms),
        "target_precision": results.settings.target_precision,
        "species": results.codes,
        "chosen": {
            "wanted": wanted,
            "seeds": seeds,
            "validation_map50": dict(chosen.validation),
            "run_validation_map50": chosen.of_run,
        },
        "code": code_version(),
        "versions": versions(_PACKAGES),
    }


def write_species(source: Source, folder: Path) -> None:
    """The species list, as a table that a study can read as well."""
    columns = ("code", "name", "authority", "family", "aliases")
    lines = ["\t".join(columns)]
    for one in source.results.species:
        cells = {**one, "aliases": "|".join(one["aliases"])}
        lines.append("\t".join(str(cells[column]) for column in columns))
    write_text("\n".join(lines) + "\n", folder / SPECIES)


def write_evidence(source: Source, folder: Path) -> pd.DataFrame:
    """Detections and truths of validation and calibration, and how all slides but those of test look.

    Returns the table EVIDENCE_DETECTIONS.
    """
    looks, found, true, images, seen = Looks(), [], [], [], []
    for part in PARTS[:3]:
        coco, paths = source.coco(part), source.paths(part)
        rows = image_rows(coco, part)
        for row in rows:
            look = looks.of_file(paths[row["image"]])
            place = {key: row[key] for key in ("part", "image", "slide", "sample", "site")}
            seen.append({**place, **look})
            row.update({column.name: look[column.name] for column in IMAGE_STATISTICS})
        if part == "train":
            continue
        images += rows
        iou_percent = source.results.settings.iou_percent
        of_part = evidence(source.detections(part), coco, part=part, iou_percent=iou_percent)
        found.append(of_part[0])
        true.append(of_part[1])
    every = pd.concat(found, ignore_index=True)
    EVIDENCE_DETECTIONS.write_parquet(every, folder / EVIDENCE_FILES["detections"])
    EVIDENCE_TRUTHS.write_parquet(pd.concat(true, ignore_index=True), folder / EVIDENCE_FILES["truths"])
    EVIDENCE_IMAGES.write_csv(images, folder / EVIDENCE_FILES["images"])
    EVIDENCE_LOOKS.write_parquet(seen, folder / EVIDENCE_FILES["looks"])
    return every


def write_check(
    source: Source, found: pd.DataFrame, folder: Path, facts: Mapping[str, Any], device: torch.device
) -> None:
    """An image of calibration and what the release finds on it; ``found`` is EVIDENCE_DETECTIONS."""
    paths = source.paths("calibration")
    image = paths[check_image(found, paths)]
    (folder / "check").mkdir()
    # The scan of a whole slide would make a release heavy, and may consist of several files.
    if image.stat().st_size <= MOST_CHECK_BYTES and image.suffix.lower() != ".mrxs":
        name = f"check/image{image.suffix.lower()}"
        shutil.copyfile(image, folder / name)
    else:
        name = "check/image.png"
        Image.fromarray(read_reduced(image, 2 * STATISTICS_SIDE)[0]).save(folder / name)
    release = Release(
        folder=folder,
        study=facts["study"],
        model=facts["model"],
        pipeline=facts["pipeline"],
        members=tuple(Member(**member) for member in facts["members"]),
        fusion_iou=source.fusion_iou,
        terms=source.results.terms,
        species=tuple(source.results.codes),
        facts=facts,
    )
    expected = {
        "image": name,
        "box_tolerance_px": BOX_TOLERANCE,
        "score_tolerance": SCORE_TOLERANCE,
        "least_score": LEAST_SCORE,
        "detections": ReleasedDetector(release, device).detect(folder / name).rows,
    }
    write_json(expected, folder / CHECK)
