# Images that show the same, and whether parts of the split share them.
#   inputs:  the study's images; dataset/split.csv.
#   outputs: dataset/similar_images.parquet (of images alone: another split searches nothing again),
#            leakage.csv with leakage/*.jpg, and leakage_checked.json, without which nothing is trained.

LEAKAGE = STUDY.dataset.leakage


rule similar_images:
    input:
        slides=ancient(rules.paint.output.slides) if IS_PAINTED else [],
        painted=rules.paint.output.annotations if IS_PAINTED else [],
    output:
        pairs="<results>/dataset/similar_images.parquet",
        examined="<results>/dataset/examined_images.parquet",
    log:
        "<logs>/similar_images.log",
    benchmark:
        "<benchmarks>/similar_images.jsonl"
    conda:
        "../../envs/leakage_network.yaml"
        if LEAKAGE.network
        else "../../envs/leakage.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(8 * 60),
    params:
        config=RUN_CONFIG,
        script=script("similar_images.py"),
        code=code("similar_images.py", without=SHARED_ROOMS),
        painting=painting(),
        files=image_files,
        settings=as_json(
            {
                name: value
                for name, value in asdict(LEAKAGE).items()
                if name not in ("check", "action")
            }
        ),
        painted_folder=PAINTED,
    shell:
        "python {params.script} --config {params.config:q} "
        "--painted-folder {params.painted_folder:q} --settings {params.settings:q} "
        "--threads {threads} --pairs {output.pairs:q} --examined {output.examined:q} --log {log:q}"


rule leakage:
    input:
        similar=rules.similar_images.output.pairs if LEAKAGE.check else [],
        examined=rules.similar_images.output.examined if LEAKAGE.check else [],
        split=rules.split.output.split,
        images=rules.import_dataset.output.images,
    output:
        table=report(
            "<results>/dataset/leakage.csv",
            category="Data",
            caption="../report/leakage.rst",
            labels={"table": "images that show the same"},
        ),
        pictures=directory("<results>/dataset/leakage"),
    log:
        "<logs>/leakage.log",
    benchmark:
        "<benchmarks>/leakage.jsonl"
    conda:
        "../../envs/leakage.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        script=script("leakage.py"),
        code=code("leakage.py", without=SHARED_ROOMS),
        similar=lambda wildcards, input: (
            ["--similar", input.similar, "--examined", input.examined]
            if LEAKAGE.check
            else []
        ),
    shell:
        "python {params.script} {params.similar:q} --split {input.split:q} --images {input.images:q} "
        "--pictures {output.pictures:q} --output {output.table:q} --log {log:q}"


# A rule of its own: of a job that fails Snakemake removes the outputs, and the table must stay.
rule check_leakage:
    input:
        leakage=rules.leakage.output.table,
        split=rules.split.output.split,
    output:
        "<results>/dataset/leakage_checked.json",
    log:
        "<logs>/check_leakage.log",
    benchmark:
        "<benchmarks>/check_leakage.jsonl"
    # After all else that looks at the data, since a job that fails lets no other begin.
    priority: -1
    conda:
        "../../envs/leakage.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        script=script("check_leakage.py"),
        code=code("check_leakage.py", without=SHARED_ROOMS),
        action=LEAKAGE.action,
    shell:
        "python {params.script} --leakage {input.leakage:q} --split {input.split:q} "
        "--action {params.action} --output {output:q} --log {log:q}"
