# Published weights from which models start, each file brought once.
#   inputs:  the publisher's file, from the network, a mirror, or put there by hand.
#   outputs: <weights.folder>/<name>.safetensors and <name>.json, shared by all studies.

import re

# By the name of each file of published weights that a model of the study starts from, the file.
PRETRAINED = {file.name: file for file in STUDY.pretrained.values()}


def published_weights(wildcards):
    """The file of published weights that a model starts from, where it starts from one."""
    file = STUDY.pretrained.get(wildcards.model)
    return [] if file is None else str(file.kept_in(STUDY.weights.folder))


def all_published_weights():
    """Every file of published weights that the study needs."""
    return [str(file.kept_in(STUDY.weights.folder)) for file in PRETRAINED.values()]


# One file. The target of all of them is fetch_weights.
rule fetch:
    output:
        # Never removed before the job: what is there already is checked and stays.
        weights=update(str(STUDY.weights.folder / "{pretrained}.safetensors")),
        facts=update(str(STUDY.weights.folder / "{pretrained}.json")),
    log:
        "<logs>/fetch/{pretrained}.log",
    benchmark:
        "<benchmarks>/fetch/{pretrained}.jsonl"
    wildcard_constraints:
        pretrained="|".join(map(re.escape, PRETRAINED)) or "none",
    # First of all, so that a run that lacks weights stops before anything is computed.
    priority: 100
    localrule: True
    conda:
        "../../envs/weights.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=4 * 60,
    params:
        # For the folder, the mirror and whether to fetch, which change no weights.
        config=RUN_CONFIG,
        script=script("fetch.py"),
        code=code("fetch.py", extra=["podura.detectors.ultralytics_checkpoints"]),
        file=lambda wildcards: as_json(asdict(PRETRAINED[wildcards.pretrained])),
    shell:
        "python {params.script} --file {params.file:q} --config {params.config:q} --log {log:q}"
