# Published weights from which models start, each file brought once.
#   inputs:  the publisher's file, from the network, a mirror, or put there by hand.
#   outputs: <weights.folder>/<name>.safetensors and <name>.json, shared by all studies.


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
        pretrained="|".join(map(re.escape, PUBLISHED)) or "none",
    # First of all, so that a run that lacks weights stops before anything is computed.
    priority: 100
    localrule: True
    conda:
        "../../envs/weights.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(4 * 60),
    params:
        # For the folder, the mirror and whether to fetch, which change no weights.
        config=RUN_CONFIG,
        script=script("fetch.py"),
        code=code("fetch.py", extra=("podura.detectors.ultralytics_checkpoints",)),
        file=lambda wildcards: as_json(asdict(PUBLISHED[wildcards.pretrained])),
    shell:
        "python {params.script} --file {params.file:q} --config {params.config:q} --log {log:q}"
