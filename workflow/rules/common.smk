# What all rules share: the checked study, digests of code and data, and the names of files.

import functools
import json
import os
import sys

import yaml
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Relative to the working directory, so that moving the repository with its results runs nothing again.
BASE = Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parents[1]
if not (BASE / "scripts" / "podura").is_dir():
    # Of a module from github(...) Snakemake fetches single files, not the library that jobs import.
    raise WorkflowError(
        f"Podura runs from a copy on disk, and {BASE} is none. Clone it, and write the path of its Snakefile."
    )
SCRIPTS = Path(os.path.relpath(BASE / "scripts"))
sys.path.insert(0, str(SCRIPTS.resolve()))
from podura.configuration.load import load_study
from podura.configuration.painted import painting_memory_mb
from podura.configuration.partial import finished_part
from podura.configuration.run import SCHEMAS
from podura.configuration.structure import load_schema
from podura.configuration.surveys import part_of, release_of
from podura.detectors.catalogue import adapter_module
from podura.errors import UserError
from podura.jobs import prefer_this_python, storage_trouble
from podura.fingerprints import fingerprint
from podura.provenance import code_digest
from podura.splits.sealed import check_settings, check_unchanged
from podura.survey.samples import read_survey
from podura.tables import (
    PARTS,
    part_folder,
    remove_leftovers,
    run_folder,
    seed_name,
    seed_number,
    write_text,
)
from podura.training.search import search_seed

# Rules call plain "python": that of a conda environment where there is one, else that of Snakemake.
prefer_this_python()

RESULTS = Path("results", str(config.get("study", "")))
RUN_CONFIG = str(RESULTS / "config.yaml")
PAINTED = RESULTS / "painted" / "slides"
# Of the images that were read before; beside Snakemake's own notes on files.
DIGESTS = Path(".snakemake", "podura_digests.json")

# In the order in which they count: an error names the last file that sets a key.
OVERLAYS = list(workflow.overwrite_configfiles)
CONFIG_FILES = [
    file for file in workflow.configfiles if file not in OVERLAYS
] + OVERLAYS

try:
    STUDY = load_study(
        config, config_files=CONFIG_FILES, schemas=SCHEMAS, painted_folder=PAINTED
    )
    check_settings(RESULTS, {**asdict(STUDY.split), "random_seed": STUDY.random_seed})
    check_unchanged(RESULTS)
except UserError as error:
    raise WorkflowError(f"The study cannot run as it is configured:\n{error}") from None

# With partial: true the study is what has ended of it, so that every rule does its work on that alone.
MISSING = ()
if STUDY.merged["partial"]:
    STUDY, MISSING = finished_part(STUDY, RESULTS, Path("logs", STUDY.name))
    if not STUDY.models:
        raise WorkflowError(
            f"partial: true asks for a report of what has ended, but no detector of the study {STUDY.name} has "
            "detected in every part with any seed. The target dataset shows the data; without partial the "
            "detectors are trained."
        )

# Words of the command line, targets among them: Snakemake itself knows its targets only after it has read the rules.
ASKED_FOR = set(sys.argv[1:])

# What is trained, and what fuses the detections of these.
MODELS = {model.name: model for model in STUDY.models}
ENSEMBLES = {ensemble.name: ensemble for ensemble in STUDY.ensembles}
# Both, in the order of models.include.
DETECTORS = [one.name for one in STUDY.included]
CONTROLS = ["control_truth", "control_shuffled"]
SPECIES = [species.code for species in STUDY.species]
HELD_OUT = [part for part in PARTS if part != "train"]
TRAITS = str(SCRIPTS.parent / "resources" / "springtail_traits.tsv")
# A study without folds has one split, which has the number 0 in tables and no folder of its own.
FOLDS = STUDY.folds or (0,)
IS_PAINTED = STUDY.dataset.annotations.format == "painted"


wildcard_constraints:
    model="|".join([*MODELS, *ENSEMBLES, *CONTROLS]),
    seed="|".join([*map(str, STUDY.seeds), "all"]),
    fold="|".join(map(str, FOLDS)),
    species="|".join(SPECIES),
    part="|".join(PARTS),


def as_json(value):
    """A configuration value for a script's command line; the same value gives the same text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def script(name):
    """Path of a rule's script."""
    return str(SCRIPTS / name)


def code(script, *, extra=(), without=()):
    """Digest of what a rule's script runs. It is a parameter, so a change of code reruns the rule."""
    return remembered_code(script, tuple(extra), tuple(without))


@functools.cache
def remembered_code(script, extra, without):
    return code_digest(SCRIPTS / script, extra=extra, without=without)


# Tables, configuration and job plumbing are used by all; a change there must not cost days of training.
# Nor does a change of the evaluation: the choice of an epoch stays as it was made.
SHARED_ROOMS = (
    "podura.tables",
    "podura.errors",
    "podura.jobs",
    "podura.energy",
    "podura.provenance",
    "podura.fingerprints",
    "podura.configuration",
)


def code_of_model(script, model):
    return code(
        script,
        extra=(adapter_module(MODELS[model].adapter),),
        without=(*SHARED_ROOMS, "podura.evaluation"),
    )


def detection_terms():
    """Floor and cap of detections, the same for every model."""
    return as_json(
        {
            "score_floor": STUDY.evaluation.score_floor,
            "max_detections": STUDY.evaluation.max_detections,
        }
    )


def scoring_settings():
    """What thresholds and intervals depend on."""
    return as_json(
        {
            "iou_percent": round(100 * STUDY.evaluation.iou),
            "target_precision": STUDY.evaluation.target_precision,
            "resamples": STUDY.evaluation.resamples,
            "confidence": STUDY.evaluation.confidence,
            "random_seed": STUDY.random_seed,
            "delta": STUDY.evaluation.certificate.delta,
            "n_joint": len(SPECIES) if STUDY.evaluation.certificate.joint else 1,
            "candidates": STUDY.evaluation.certificate.candidates,
            "pooled": STUDY.evaluation.certificate.folds == "pooled",
        }
    )


def species_facts():
    """Names of the species, for figures and the page."""
    keys = ("code", "name", "authority", "family")
    return as_json([{key: getattr(one, key) for key in keys} for one in STUDY.species])


def gpus():
    """GPUs of a job: one where the study asks for a GPU by name, none for auto or cpu."""
    return 1 if STUDY.training.device == "cuda" else 0
