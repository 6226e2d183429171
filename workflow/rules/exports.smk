# A survey in the formats of other programs, and as training data.
#   inputs:  the tables of a survey; for training data also the annotations of the study.
#   outputs: surveys/<survey>/exports/: coco.json, yolo/, label_studio.json, cvat.xml, detections.csv, survey.xlsx,
#            samples.geojson where coordinates are known, darwin_core.zip; surveys/<survey>/training/.


rule survey_exports:
    input:
        release=release_file("detector.json"),
        samples=f"{SURVEY}/samples.csv",
        images=f"{SURVEY}/images.csv",
        drift=f"{SURVEY}/drift.csv",
        decisions=rules.review_decisions.output.decisions,
        detections=f"{SURVEY}/detections.csv",
        counts=f"{SURVEY}/counts.csv",
        others=expand(
            f"{SURVEY}/{{table}}.csv",
            table=[
                "abundance",
                "abundance_estimated",
                "densities",
                "diversity",
                "checks",
            ],
            allow_missing=True,
        ),
    output:
        directory(f"{SURVEY}/exports"),
    log:
        "<logs>/surveys/{survey}/survey_exports.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/survey_exports.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        script=script("survey_exports.py"),
        code=code("survey_exports.py", without=SHARED_ROOMS),
        release=release_folder,
        card=as_json(asdict(STUDY.card)),
    shell:
        "python {params.script} --survey {wildcards.survey} --folder $(dirname {input.samples:q}) "
        "--release {params.release:q} --card {params.card:q} --output {output:q} --log {log:q}"


rule survey_training:
    input:
        release=release_file("detector.json"),
        samples=f"{SURVEY}/samples.csv",
        images=f"{SURVEY}/images.csv",
        detections=f"{SURVEY}/machine/detections.parquet",
        decisions=rules.review_decisions.output.decisions,
        annotations=with_study,
    output:
        annotations=f"{SURVEY}/training/annotations.json",
        images=f"{SURVEY}/training/images.tsv",
        left_out=f"{SURVEY}/training/left_out.csv",
    log:
        "<logs>/surveys/{survey}/survey_training.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/survey_training.jsonl"
    conda:
        "../../envs/images.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        config=RUN_CONFIG,
        script=script("survey_training.py"),
        code=code("survey_training.py", without=SHARED_ROOMS),
        release=release_folder,
        painted_folder=PAINTED,
        images=images_table(),
    shell:
        "python {params.script} --survey {wildcards.survey} --config {params.config:q} "
        "--painted-folder {params.painted_folder:q} --annotations {input.annotations:q} "
        "--detections {input.detections:q} --decisions {input.decisions:q} --images {input.images:q} "
        "--samples {input.samples:q} --species {params.release:q}/species.tsv "
        "--output $(dirname {output.images:q}) --log {log:q}"


SURVEY_RESULTS += [
    *rules.survey_counts.output,
    *rules.review_page.output,
    *rules.survey_exports.output,
]
