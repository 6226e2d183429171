"""Put the detector that surveys run into a folder that works by itself."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from podura import jobs
from podura.detectors.devices import choose_device
from podura.evaluation.scoring import ScoreSettings
from podura.release.card import model_card
from podura.release.contents import CARD, THRESHOLDS, Terms
from podura.release.loading import read_release
from podura.release.making import facts_of, write_check, write_evidence, write_species
from podura.release.study import Candidate, Results, Source
from podura.release.writing import copy_member, parts_table, thresholds, write_detector
from podura.tables import PARTS, RELEASE_THRESHOLDS, whole_folder, write_text
from podura.training.seeds import be_deterministic

log = logging.getLogger("release")


def main(arguments: argparse.Namespace) -> None:
    device = choose_device(arguments.device)
    be_deterministic(device, arguments.threads)
    settings = ScoreSettings(**json.loads(arguments.settings))
    results = Results(
        folder=arguments.results,
        candidates={name: Candidate.of(facts) for name, facts in json.loads(arguments.models).items()},
        species=json.loads(arguments.species),
        settings=settings,
        terms=Terms(**json.loads(arguments.detection), iou=settings.iou_percent / 100),
    )
    source = Source(results, results.choose(arguments.wanted, arguments.seeds))
    tell(source)
    with whole_folder(arguments.output) as folder:
        places = {
            copy_member(source.model_folder(model, seed), folder, model, seed): (model, seed)
            for model, seed in source.members
        }
        facts = facts_of(
            source, folder, places, study=arguments.study, wanted=arguments.wanted, seeds=arguments.seeds
        )
        scores = source.scores(facts["pipeline"])
        table = thresholds(scores, settings.delta, settings.target_precision)
        card = model_card(
            facts,
            scores=scores,
            species_names={one["code"]: one["name"] for one in results.species},
            parts=parts_table({part: source.coco(part) for part in PARTS}),
            card=json.loads(arguments.card),
        )
        write_species(source, folder)
        RELEASE_THRESHOLDS.write_csv(table, folder / THRESHOLDS)
        write_text(card, folder / CARD)
        found = write_evidence(source, folder)
        write_check(source, found, folder, facts, device)
        write_detector(folder, facts)
        # What nobody could read again is no release.
        read_release(folder)
    certified = int((table["threshold_status"] == "certified").sum())
    log.info("%d of %d species have a certified threshold.", certified, len(table))


def tell(source: Source) -> None:
    chosen, n_members = source.chosen, len(source.members)
    log.info(
        "%s is released%s: mAP50 of %.3f on validation; %d trained model%s.",
        chosen.model,
        f" (fold {chosen.fold})" if chosen.fold else "",
        chosen.of_run,
        n_members,
        "s, fused" if n_members > 1 else "",
    )


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
