# From images and annotations to parts.
#   inputs:  the study's images and annotations, or nothing where slides are painted.
#   outputs: dataset/annotations.json, problems.csv, images.csv; split.csv, counts.csv; and for each part
#            parts/<part>/images.csv (what a detection job may know) and truth.json (what it may not).


rule paint:
    output:
        annotations="<results>/painted/annotations.json",
        slides=directory(PAINTED),
    log:
        "<logs>/paint.log",
    benchmark:
        "<benchmarks>/paint.jsonl"
    conda:
        "../../envs/images.yaml"
    threads: 2
    resources:
        mem_mb=lambda _, threads, attempt: attempt
        * painting_memory_mb(STUDY.painted, threads),
        runtime=growing(60),
    params:
        config=RUN_CONFIG,
        script=script("paint.py"),
        code=code("paint.py", without=SHARED_ROOMS),
        traits_table=TRAITS,
        traits=fingerprint([TRAITS]),
        images=fingerprint([STUDY.dataset.images]),
        painted=as_json(asdict(STUDY.painted)),
        species=SPECIES,
        seed=STUDY.random_seed,
    shell:
        "python {params.script} --config {params.config:q} --traits {params.traits_table:q} "
        "--threads {threads} --slides {output.slides:q} --annotations {output.annotations:q} --log {log:q}"


rule import_dataset:
    input:
        # The folder's time says nothing, and a clock that jumps would import anew: see the parameter painting.
        slides=ancient(rules.paint.output.slides) if IS_PAINTED else [],
        painted=rules.paint.output.annotations if IS_PAINTED else [],
    output:
        annotations="<results>/dataset/annotations.json",
        problems=report(
            "<results>/dataset/problems.csv",
            category="Data",
            caption="../report/problems.rst",
            labels={"table": "problems found while importing"},
        ),
        images="<results>/dataset/images.csv",
    log:
        "<logs>/import_dataset.log",
    benchmark:
        "<benchmarks>/import_dataset.jsonl"
    conda:
        "../../envs/images.yaml"
    threads: 2
    resources:
        mem_mb=growing(2500),
        runtime=growing(60),
    params:
        config=RUN_CONFIG,
        script=script("import_dataset.py"),
        code=code("import_dataset.py", without=SHARED_ROOMS),
        painting=painting(),
        files=study_files,
        # How leaks are looked for changes nothing in what is imported.
        dataset=as_json({**asdict(STUDY.dataset), "leakage": None}),
        images=images_table(),
        species=as_json(
            [asdict(one) for one in (*STUDY.species, *STUDY.excluded_species)]
        ),
        include=SPECIES,
        other=STUDY.other_names,
        painted_folder=PAINTED,
    shell:
        "python {params.script} --config {params.config:q} "
        "--painted-folder {params.painted_folder:q} --threads {threads} "
        "--output $(dirname {output.annotations:q}) "
        "--log {log:q}"


rule split:
    input:
        annotations=rules.import_dataset.output.annotations,
        images=rules.import_dataset.output.images,
    output:
        split=report(
            "<results>/dataset/split.csv",
            category="Data",
            caption="../report/split.rst",
            labels={"table": "which slide plays which part"},
        ),
        counts="<results>/dataset/counts.csv",
        facts="<results>/dataset/split.json",
        images=[of_each_fold(part, "images.csv") for part in PARTS],
        truth=[of_each_fold(part, "truth.json") for part in PARTS],
    log:
        "<logs>/split.log",
    benchmark:
        "<benchmarks>/split.jsonl"
    conda:
        "../../envs/images.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("split.py"),
        code=code("split.py", without=SHARED_ROOMS),
        split=as_json(asdict(STUDY.split)),
        folds=FOLDS,
        seed=STUDY.random_seed,
        max_detections=STUDY.evaluation.max_detections,
    shell:
        "python {params.script} --annotations {input.annotations:q} --images {input.images:q} "
        "--split {params.split:q} --seed {params.seed} --max-detections {params.max_detections} "
        "--output $(dirname {output.split:q}) --log {log:q}"
