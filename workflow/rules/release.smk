# The detector that surveys run, in a folder that works by itself.
#   inputs:  models/, detections/ and truth of the held-out parts of the detector that validation chooses, and the
#            images themselves; test is only reported.
#   outputs: release/: detector.json, members/, thresholds.csv, evidence/, check/, model_card.md, species.tsv.


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
        mem_mb=growing(3000),
        runtime=growing(4 * 60),
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
