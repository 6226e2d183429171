# A release runs over new images. Nothing of the study is needed beside the release.
#   inputs:  the images of a survey, a release (of this study, or a folder from elsewhere).
#   outputs: surveys/<survey>/: samples.csv, images.csv, drift.csv, overlays/, machine/ (detections, looks of images,
#            and the store of what was found in each image); of a painted survey painted/: images/, and what they
#            show, truth.json and counts.csv, which no rule reads.


rule paint_survey:
    input:
        table=survey_tables,
    output:
        images=directory(f"{SURVEY}/painted/images"),
        truth=f"{SURVEY}/painted/truth.json",
        counts=f"{SURVEY}/painted/counts.csv",
    log:
        "<logs>/surveys/{survey}/paint_survey.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/paint_survey.jsonl"
    conda:
        "../../envs/images.yaml"
    threads: 2
    resources:
        mem_mb=growing(painting_memory_mb(STUDY.painted, 2)),
        runtime=growing(60),
    params:
        script=script("paint_survey.py"),
        code=code("paint_survey.py", without=SHARED_ROOMS),
        survey=survey_settings("images", "samples", "painted"),
        paint=as_json(asdict(STUDY.painted)),
        species=species_facts(),
        traits_table=TRAITS,
        traits=fingerprint([TRAITS]),
        seed=STUDY.random_seed,
    shell:
        "python {params.script} --survey {params.survey:q} --paint {params.paint:q} --species {params.species:q} "
        "--study-seed {params.seed} --traits {params.traits_table:q} --threads {threads} "
        "--images {output.images:q} --truth $(dirname {output.truth:q}) --log {log:q}"


rule detect_survey:
    input:
        release=release_file("detector.json"),
        tables=survey_tables,
        painted=lambda wildcards: (
            expand(rules.paint_survey.output.images, survey=wildcards.survey)
            if SURVEYS[wildcards.survey].painted
            else []
        ),
    output:
        samples=f"{SURVEY}/samples.csv",
        images=f"{SURVEY}/images.csv",
        detections=f"{SURVEY}/machine/detections.parquet",
        looks=f"{SURVEY}/machine/looks.parquet",
    log:
        "<logs>/surveys/{survey}/detect_survey.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/detect_survey.jsonl"
    conda:
        "../../envs/survey.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(24 * 60),
        gpu=gpus(),
    params:
        script=script("detect_survey.py"),
        code=code("detect_survey.py"),
        # What was found in an image stays as long as what finds it does.
        detection=code(
            "detect_survey.py",
            extra=[
                adapter_module(name)
                for name in ("torchvision", "ultralytics", "transformers")
            ],
            without=[
                *SHARED_ROOMS,
                "podura.evaluation",
                "podura.survey",
                "podura.annotations",
            ],
        ),
        survey=survey_settings("images", "sample_pattern", "samples", "painted"),
        files=survey_files,
        release=release_folder,
        painted=lambda wildcards: (
            f"--painted {painted_survey(wildcards)}"
            if SURVEYS[wildcards.survey].painted
            else ""
        ),
        store=RESULTS / "surveys",
        device=STUDY.training.device,
    shell:
        "python {params.script} --survey {params.survey:q} --release {params.release:q} {params.painted} "
        "--store {params.store:q}/{wildcards.survey}/machine/store.jsonl --code {params.detection} "
        "--device {params.device} --threads {threads} --output $(dirname {output.samples:q}) --log {log:q}"


rule survey_drift:
    input:
        release=release_file("detector.json"),
        samples=rules.detect_survey.output.samples,
        looks=rules.detect_survey.output.looks,
        detections=rules.detect_survey.output.detections,
    output:
        report(
            f"{SURVEY}/drift.csv",
            category="Surveys",
            subcategory="{survey}",
            caption="../report/drift.rst",
            labels={"table": "is each sample like the slides of the study?"},
        ),
    log:
        "<logs>/surveys/{survey}/survey_drift.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/survey_drift.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        script=script("survey_drift.py"),
        code=code("survey_drift.py", without=SHARED_ROOMS),
        release=release_folder,
    shell:
        "python {params.script} --release {params.release:q} --samples {input.samples:q} --looks {input.looks:q} "
        "--detections {input.detections:q} --output {output:q} --log {log:q}"


rule survey_overlays:
    input:
        release=release_file("detector.json"),
        images=rules.detect_survey.output.images,
        detections=rules.detect_survey.output.detections,
    output:
        # The table alone, so that pictures which are still right stay where they are.
        f"{SURVEY}/overlays/pictures.csv",
    log:
        "<logs>/surveys/{survey}/survey_overlays.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/survey_overlays.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 4
    resources:
        mem_mb=growing(3000),
        runtime=growing(4 * 60),
    params:
        script=script("survey_overlays.py"),
        code=code("survey_overlays.py", without=SHARED_ROOMS),
        release=release_folder,
    shell:
        "python {params.script} --release {params.release:q} --images {input.images:q} "
        "--detections {input.detections:q} --code {params.code} --threads {threads} "
        "--output $(dirname {output:q}) --log {log:q}"


SURVEY_RESULTS += [
    *rules.detect_survey.output,
    *rules.survey_drift.output,
    *rules.survey_overlays.output,
]
