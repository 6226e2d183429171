# People check a survey: what they look at, and what they decided.
#   inputs:  images.csv and machine/ of a survey, evidence of its release, files of decisions (surveys.<name>.decisions).
#   outputs: surveys/<survey>/review/: queue.csv, index.html with pictures/, tasks for Label Studio and CVAT,
#            decisions.csv, problems.csv.


rule review_queue:
    input:
        release=release_file("detector.json"),
        images=f"{SURVEY}/images.csv",
        detections=f"{SURVEY}/machine/detections.parquet",
    output:
        f"{SURVEY}/review/queue.csv",
    log:
        "<logs>/surveys/{survey}/review_queue.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/review_queue.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("review_queue.py"),
        code=code("review_queue.py", without=SHARED_ROOMS),
        release=release_folder,
        review=lambda wildcards: as_json(asdict(SURVEYS[wildcards.survey].review)),
        seed=STUDY.random_seed,
    shell:
        "python {params.script} --detections {input.detections:q} --images {input.images:q} "
        "--evidence {params.release:q}/evidence/detections.parquet --review {params.review:q} "
        "--seed {params.seed} --output {output:q} --log {log:q}"


rule review_decisions:
    input:
        release=release_file("detector.json"),
        images=f"{SURVEY}/images.csv",
        detections=f"{SURVEY}/machine/detections.parquet",
        queue=rules.review_queue.output,
        # Their content is a parameter, so that touching one changes nothing.
        files=lambda wildcards: ancient(decision_files(wildcards)),
    output:
        decisions=f"{SURVEY}/review/decisions.csv",
        problems=f"{SURVEY}/review/problems.csv",
    log:
        "<logs>/surveys/{survey}/review_decisions.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/review_decisions.jsonl"
    conda:
        "../../envs/images.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("review_decisions.py"),
        code=code("review_decisions.py", without=SHARED_ROOMS),
        release=release_folder,
        content=lambda wildcards: fingerprint(decision_files(wildcards)),
    shell:
        "python {params.script} --survey {wildcards.survey} --decisions {input.files:q} "
        "--detections {input.detections:q} --images {input.images:q} --queue {input.queue:q} "
        "--species {params.release:q}/species.tsv --detector {input.release:q} "
        "--output $(dirname {output.decisions:q}) --log {log:q}"


rule review_pictures:
    input:
        images=f"{SURVEY}/images.csv",
        detections=f"{SURVEY}/machine/detections.parquet",
        queue=rules.review_queue.output,
    output:
        directory(f"{SURVEY}/review/pictures"),
    log:
        "<logs>/surveys/{survey}/review_pictures.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/review_pictures.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 4
    resources:
        mem_mb=growing(3000),
        runtime=growing(4 * 60),
    params:
        script=script("review_pictures.py"),
        code=code("review_pictures.py", without=SHARED_ROOMS),
    shell:
        "python {params.script} --queue {input.queue:q} --detections {input.detections:q} "
        "--images {input.images:q} --threads {threads} --output {output:q} --log {log:q}"


rule review_page:
    input:
        release=release_file("detector.json"),
        images=f"{SURVEY}/images.csv",
        detections=f"{SURVEY}/machine/detections.parquet",
        queue=rules.review_queue.output,
        decisions=rules.review_decisions.output.decisions,
        pictures=rules.review_pictures.output,
    output:
        page=f"{SURVEY}/review/index.html",
        tasks=f"{SURVEY}/review/label_studio.json",
        labels=f"{SURVEY}/review/label_studio_labels.xml",
        cvat=f"{SURVEY}/review/cvat.xml",
    log:
        "<logs>/surveys/{survey}/review_page.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/review_page.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("review_page.py"),
        code=code("review_page.py", without=SHARED_ROOMS),
        page=review_templates(),
        release=release_folder,
    shell:
        "python {params.script} --survey {wildcards.survey} --release {params.release:q} --queue {input.queue:q} "
        "--decisions {input.decisions:q} --detections {input.detections:q} --images {input.images:q} "
        "--pictures {input.pictures:q} --output $(dirname {output.page:q}) --log {log:q}"
