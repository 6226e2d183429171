# The detector that surveys run, in a folder that works by itself.
#   inputs:  models/, detections/ and truth of the held-out parts of the detector that validation chooses, and the
#            images themselves; test is only reported.
#   outputs: release/: detector.json, members/, thresholds.csv, evidence/, check/, model_card.md, species.tsv.

RELEASE = STUDY.release
# A named detector is released without a run of the others.
CANDIDATES = DETECTORS if RELEASE.model == "winner" else [RELEASE.model]


def of_candidates(pattern):
    """A file of every run of the detectors that may be released."""
    return [
        path
        for model in CANDIDATES
        for path in expand(pattern, model=model, run=runs_of(model))
    ]


def fused_models(model):
    """Of each seed of a detector the trained models, as name and seed, behind its run."""
    return {
        str(seed): (
            STUDY.fused_runs(ENSEMBLES[model], seed)
            if model in ENSEMBLES
            else [(model, seed)]
        )
        for seed in STUDY.seeds_of(model)
    }


def released_models():
    """All trained models behind the detectors that may be released."""
    runs = {
        run
        for model in CANDIDATES
        for runs in fused_models(model).values()
        for run in runs
    }
    return [
        f"{model}/{run_folder(seed, fold)}"
        for model, seed in sorted(runs)
        for fold in FOLDS
    ]


def candidate_facts():
    return as_json(
        {
            model: {
                "label": {**MODELS, **ENSEMBLES}[model].label,
                "licence": licence(model),
                "runs": [
                    (fold, seed) for fold in FOLDS for seed in STUDY.seeds_of(model)
                ],
                "members": fused_models(model),
                "iou": ENSEMBLES[model].iou if model in ENSEMBLES else None,
            }
            for model in CANDIDATES
        }
    )


rule release:
    input:
        validation=of_candidates("<results>/matches/{model}/{run}/validation.parquet"),
        # Their digests are in model.json.
        weights=ancient(
            expand("<results>/models/{run}/weights.safetensors", run=released_models())
        ),
        models=expand("<results>/models/{run}/model.json", run=released_models()),
        detections=expand(
            "<results>/detections/{run}/{part}.parquet",
            run=released_models(),
            part=HELD_OUT,
        ),
        truth=[of_each_fold(part, "truth.json") for part in PARTS],
        images=[of_each_fold(part, "images.csv") for part in PARTS],
    output:
        detector="<results>/release/detector.json",
        thresholds="<results>/release/thresholds.csv",
        evidence=expand(
            "<results>/release/evidence/{file}",
            file=[
                "detections.parquet",
                "truths.parquet",
                "images.csv",
                "looks.parquet",
            ],
        ),
        species="<results>/release/species.tsv",
        card=report(
            "<results>/release/model_card.md",
            category="Release",
            caption="../report/model_card.rst",
            labels={"card": "what the released detector is, can do and cannot"},
        ),
    log:
        "<logs>/release.log",
    benchmark:
        "<benchmarks>/release.jsonl"
    conda:
        "../../envs/survey.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=4 * 60,
        gpu=gpus(),
    params:
        script=script("release.py"),
        code=code(
            "release.py",
            extra=[adapter_module(one.adapter) for one in MODELS.values()],
        ),
        study=STUDY.name,
        results=RESULTS,
        models=candidate_facts(),
        wanted=RELEASE.model,
        seeds=RELEASE.seeds,
        species=as_json([asdict(one) for one in STUDY.species]),
        settings=scoring_settings(),
        detection=detection_terms(),
        card=as_json(asdict(STUDY.card)),
        device=STUDY.training.device,
    shell:
        "python {params.script} --study {params.study} --results {params.results:q} --models {params.models:q} "
        "--wanted {params.wanted} --seeds {params.seeds} --species {params.species:q} "
        "--settings {params.settings:q} --detection {params.detection:q} --card {params.card:q} "
        "--device {params.device} --threads {threads} --output $(dirname {output.detector:q}) --log {log:q}"
