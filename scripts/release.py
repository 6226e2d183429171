"""Put the detector that surveys run into a folder that works by itself."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from podura import jobs
from podura.annotations.dataset import truth_frame
from podura.detectors.devices import choose_device
from podura.detectors.ensembles import fuse
from podura.detectors.inference import ImageRun
from podura.evaluation.judging import FoldMatches
from podura.evaluation.matching import match
from podura.evaluation.scoring import ScoreSettings, score_species
from podura.provenance import code_version, versions
from podura.release.card import model_card
from podura.release.checking import BOX_TOLERANCE, LEAST_SCORE, SCORE_TOLERANCE
from podura.release.choice import Chosen, Run, choose, validation_map
from podura.release.contents import (
    CARD,
    CHECK,
    EVIDENCE_FILES,
    FORMAT,
    FORMAT_VERSION,
    SPECIES,
    THRESHOLDS,
    Member,
    Release,
    Terms,
    pipeline_of,
)
from podura.release.detecting import ReleasedDetector
from podura.release.evidence import evidence, image_rows
from podura.release.loading import read_release
from podura.release.looks import Looks
from podura.release.writing import (
    MOST_CHECK_BYTES,
    check_image,
    copy_member,
    parts_table,
    thresholds,
    write_detector,
)
from podura.slides.reading import read_reduced
from podura.slides.statistics import STATISTICS_SIDE
from podura.tables import (
    ALL_SEEDS,
    DETECTIONS,
    EVIDENCE_DETECTIONS,
    EVIDENCE_IMAGES,
    EVIDENCE_LOOKS,
    EVIDENCE_TRUTHS,
    IMAGE_STATISTICS,
    MATCHES,
    PART_IMAGES,
    PARTS,
    RELEASE_THRESHOLDS,
    part_folder,
    read_json,
    run_folder,
    whole_folder,
    write_json,
    write_text,
)
from podura.training.seeds import be_deterministic

log = logging.getLogger("release")

#: The overlap from which boxes of the seeds of one model are one, as in an ensemble by default.
FUSION_IOU = 0.55


class Study:
    """What the release needs of a finished study."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.results: Path = arguments.results
        self.models: dict[str, Any] = json.loads(arguments.models)
        self.species: list[dict[str, str]] = json.loads(arguments.species)
        self.codes = [one["code"] for one in self.species]
        self.settings = ScoreSettings(**json.loads(arguments.settings))
        self.terms = Terms(**json.loads(arguments.detection), iou=self.settings.iou_percent / 100)

    def choose(self, wanted: str, seeds: str) -> Chosen:
        """Compare all runs on validation."""
        scores = {}
        for model, facts in self.models.items():
            for fold, seed in facts["runs"]:
                path = self.results / f"matches/{model}/{run_folder(seed, fold)}/validation.parquet"
                scores[Run(model, fold, seed)] = validation_map(MATCHES.read_parquet(path), self.codes)
        return choose(scores, list(self.models), wanted, seeds)

    def members(self, chosen: Chosen) -> list[tuple[str, int]]:
        """The trained models, as name and seed, behind the chosen runs."""
        runs = self.models[chosen.model]["members"]
        every = [(model, seed) for run in chosen.seeds for model, seed in runs[str(run)]]
        return list(dict.fromkeys(every))

    def coco(self, part: str, fold: int) -> dict[str, Any]:
        return read_json(self.results / "dataset/parts" / part_folder(part, fold) / "truth.json")

    def paths(self, part: str, fold: int) -> dict[str, Path]:
        images = PART_IMAGES.read_csv(self.results / "dataset/parts" / part_folder(part, fold) / "images.csv")
        return {row.image: Path(row.path) for row in images.itertuples()}

    def detections(
        self, members: list[tuple[str, int]], fold: int, part: str, iou: float | None
    ) -> pd.DataFrame:
        """What the released detector finds on a part."""
        found = [
            DETECTIONS.read_parquet(
                self.results / f"detections/{model}/{run_folder(seed, fold)}/{part}.parquet"
            )
            for model, seed in members
        ]
        if iou is None:
            return found[0]
        slides = {image["file_name"]: image["slide"] for image in self.coco(part, fold)["images"]}
        return fuse(found, slides, self.codes, iou=iou, **self.terms.detection()).detections


def main(arguments: argparse.Namespace) -> None:
    study = Study(arguments)
    device = choose_device(arguments.device)
    be_deterministic(device, arguments.threads)
    chosen = study.choose(arguments.wanted, arguments.seeds)
    members = study.members(chosen)
    fusion = (study.models[chosen.model]["iou"] or FUSION_IOU) if len(members) > 1 else None
    log.info(
        "%s is released%s: mAP50 of %.3f on validation; %d trained model%s.",
        chosen.model,
        f" (fold {chosen.fold})" if chosen.fold else "",
        chosen.of_run,
        len(members),
        "s, fused" if fusion else "",
    )
    with whole_folder(arguments.output) as folder:
        trained = {
            copy_member(
                study.results / f"models/{model}/{run_folder(seed, chosen.fold)}", folder, model, seed
            ): (
                model,
                seed,
            )
            for model, seed in members
        }
        facts = facts_of(arguments, study, chosen, folder, trained, fusion)
        write_species(study, folder)
        scores = score(study, chosen, members, fusion, facts["pipeline"])
        table = thresholds(scores, study.settings.delta, study.settings.target_precision)
        RELEASE_THRESHOLDS.write_csv(table, folder / THRESHOLDS)
        found = write_evidence(study, chosen, members, fusion, folder)
        cocos = {part: study.coco(part, chosen.fold) for part in PARTS}
        card = model_card(
            facts,
            scores=scores,
            species_names={one["code"]: one["name"] for one in study.species},
            parts=parts_table(cocos),
            card=json.loads(arguments.card),
        )
        write_text(card, folder / CARD)
        write_check(study, chosen, found, folder, released(folder, facts, study), device)
        write_detector(folder, facts)
        # What nobody could read again is no release.
        read_release(folder)
    certified = int((table["threshold_status"] == "certified").sum())
    log.info("%d of %d species have a certified threshold.", certified, len(table))


def facts_of(
    arguments: argparse.Namespace,
    study: Study,
    chosen: Chosen,
    folder: Path,
    trained: dict[str, tuple[str, int]],
    fusion: float | None,
) -> dict[str, Any]:
    """What ``detector.json`` says beside the digests."""
    of_members = [read_json(folder / place / "model.json") for place in trained]
    entry = study.models[chosen.model]
    keys = ("adapter", "architecture", "image_size", "tiling")
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "study": arguments.study,
        "model": chosen.model,
        "label": entry["label"],
        "licence": entry["licence"],
        "seeds": sorted({seed for _, seed in trained.values()}),
        "fold": chosen.fold,
        "pipeline": pipeline_of(of_members, study.terms, fusion),
        "members": [
            {"model": model, "seed": seed, "folder": place, **{key: of_member.get(key) for key in keys}}
            for (place, (model, seed)), of_member in zip(trained.items(), of_members, strict=True)
        ],
        "fusion": None if fusion is None else {"method": "weighted boxes fusion", "iou": fusion},
        "terms": asdict(study.terms),
        "target_precision": study.settings.target_precision,
        "species": study.codes,
        "chosen": {
            "wanted": arguments.wanted,
            "seeds": arguments.seeds,
            "validation_map50": dict(chosen.validation),
            "run_validation_map50": chosen.of_run,
        },
        "code": code_version(),
        "versions": versions(
            ["torch", "torchvision", "ultralytics", "transformers", "timm", "numpy", "safetensors"]
        ),
    }


def released(folder: Path, facts: dict[str, Any], study: Study) -> Release:
    """The release as it will be read, before its digests are written."""
    return Release(
        folder=folder,
        study=facts["study"],
        model=facts["model"],
        pipeline=facts["pipeline"],
        members=tuple(Member(**member) for member in facts["members"]),
        fusion_iou=None if facts["fusion"] is None else facts["fusion"]["iou"],
        terms=study.terms,
        species=tuple(study.codes),
        facts=facts,
    )


def write_species(study: Study, folder: Path) -> None:
    """The species list, as a table that a study can read as well."""
    columns = ("code", "name", "authority", "family", "aliases")
    lines = ["\t".join(columns)]
    for one in study.species:
        cells = {**one, "aliases": "|".join(one["aliases"])}
        lines.append("\t".join(str(cells[column]) for column in columns))
    write_text("\n".join(lines) + "\n", folder / SPECIES)


def score(
    study: Study, chosen: Chosen, members: list[tuple[str, int]], fusion: float | None, pipeline: str
) -> list[dict[str, Any]]:
    """Thresholds and test figures of exactly what is released, by the study's own procedure."""
    matches = {}
    for part in PARTS[1:]:
        coco = study.coco(part, chosen.fold)
        matches[part] = match(
            truth_frame(coco),
            study.detections(members, chosen.fold, part, fusion),
            images={image["file_name"]: image["slide"] for image in coco["images"]},
            species=study.codes,
        )
    seed = chosen.seeds[0] if len(chosen.seeds) == 1 else ALL_SEEDS
    return [
        score_species(
            model=chosen.model,
            seed=seed,
            species=code,
            folds=[FoldMatches(chosen.fold, *matches.values(), pipeline=pipeline)],
            test_slides=[image["slide"] for image in study.coco("test", chosen.fold)["images"]],
            settings=study.settings,
        )
        for code in study.codes
    ]


def write_evidence(
    study: Study, chosen: Chosen, members: list[tuple[str, int]], fusion: float | None, folder: Path
) -> pd.DataFrame:
    """Detections and truths of validation and calibration, and how all but the test images look."""
    looks, found, true, images, seen = Looks(), [], [], [], []
    for part in PARTS[:3]:
        coco = study.coco(part, chosen.fold)
        paths = study.paths(part, chosen.fold)
        rows = image_rows(coco, part)
        for row in rows:
            look = looks.of_file(paths[row["image"]])
            seen.append({**{key: row[key] for key in ("part", "image", "slide", "sample", "site")}, **look})
            row.update({column.name: look[column.name] for column in IMAGE_STATISTICS})
        if part == "train":
            continue
        images += rows
        detections = study.detections(members, chosen.fold, part, fusion)
        of_part = evidence(detections, coco, part=part, iou_percent=study.settings.iou_percent)
        found.append(of_part[0])
        true.append(of_part[1])
    every = pd.concat(found, ignore_index=True)
    EVIDENCE_DETECTIONS.write_parquet(every, folder / EVIDENCE_FILES["detections"])
    EVIDENCE_TRUTHS.write_parquet(pd.concat(true, ignore_index=True), folder / EVIDENCE_FILES["truths"])
    EVIDENCE_IMAGES.write_csv(images, folder / EVIDENCE_FILES["images"])
    EVIDENCE_LOOKS.write_parquet(seen, folder / EVIDENCE_FILES["looks"])
    return every


def write_check(
    study: Study, chosen: Chosen, found: pd.DataFrame, folder: Path, release: Release, device: Any
) -> None:
    """An image of calibration and what the release finds on it."""
    paths = study.paths("calibration", chosen.fold)
    source = paths[check_image(found, paths)]
    (folder / "check").mkdir()
    if source.stat().st_size <= MOST_CHECK_BYTES and source.suffix.lower() != ".mrxs":
        name = f"check/image{source.suffix.lower()}"
        shutil.copyfile(source, folder / name)
    else:
        name = "check/image.png"
        Image.fromarray(read_reduced(source, 2 * STATISTICS_SIDE)[0]).save(folder / name)
    run: ImageRun = ReleasedDetector(release, device).detect(folder / name)
    expected = {
        "image": name,
        "box_tolerance_px": BOX_TOLERANCE,
        "score_tolerance": SCORE_TOLERANCE,
        "least_score": LEAST_SCORE,
        "detections": run.rows,
    }
    write_json(expected, folder / CHECK)


if __name__ == "__main__":
    parser = jobs.parser(__doc__)
    parser.add_argument("--study", required=True, help="name of the study")
    parser.add_argument("--results", type=Path, required=True, help="folder of the study's results")
    parser.add_argument(
        "--models", required=True, help="label, licence, runs and members of each detector as JSON"
    )
    parser.add_argument("--wanted", required=True, help="winner, or the name of a detector")
    parser.add_argument("--seeds", choices=["best", "all"], required=True)
    parser.add_argument("--species", required=True, help="the species as JSON")
    parser.add_argument("--settings", required=True, help="as for score.py")
    parser.add_argument("--detection", required=True, help="score floor and cap as JSON")
    parser.add_argument("--card", required=True, help="section dataset.card of the configuration as JSON")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, help="folder of the release")
    jobs.run(main, parser)
