# From detections and truth to the benchmark's tables. The only rules where the two meet.
#   inputs:  detections/, dataset/parts/<part>/truth.json; models/…/model.json, to which a threshold belongs.
#   outputs: matches/<model>/seed-<n>/<part>.parquet; scores/<model>/seed-<n>/<species>.json;
#            benchmark/draws/<model>.npz; benchmark/species.csv, models.csv, comparisons.csv, ranks.csv.


rule match:
    input:
        detections=expand(
            "<results>/detections/{{model}}/<run>/{part}.parquet",
            part=HELD_OUT,
        ),
        truth=expand("<results>/<parts>/{part}/truth.json", part=HELD_OUT),
    output:
        matches=expand(
            "<results>/matches/{{model}}/<run>/{part}.parquet", part=HELD_OUT
        ),
    log:
        "<logs>/match/{model}/<run>.log",
    benchmark:
        "<benchmarks>/match/{model}/<run>.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        script=script("match.py"),
        code=code("match.py"),
    shell:
        "python {params.script} --detections {input.detections:q} --truth {input.truth:q} "
        "--output $(dirname {output.matches:q} | head -n 1) --log {log:q}"


# All species of a run in one job: at a second each, a job a species would mostly be the start of Python.
rule score:
    input:
        models=models_of_each_fold,
        validation=matches_of_each_fold("validation"),
        calibration=matches_of_each_fold("calibration"),
        test=matches_of_each_fold("test"),
        images=of_each_fold("test", "images.csv"),
    output:
        expand(
            "<results>/scores/{{model}}/seed-{{seed}}/{species}.json", species=SPECIES
        ),
    log:
        "<logs>/score/{model}/seed-{seed}.log",
    benchmark:
        "<benchmarks>/score/{model}/seed-{seed}.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30),
    params:
        script=script("score.py"),
        code=code("score.py"),
        species=as_json(SPECIES),
        folds=as_json(FOLDS),
        settings=scoring_settings(),
        detection=detection_terms(),
    shell:
        "python {params.script} --model {wildcards.model} --seed {wildcards.seed} "
        "--species {params.species:q} --folds {params.folds:q} --models {input.models:q} "
        "--validation {input.validation:q} --calibration {input.calibration:q} --test {input.test:q} "
        "--images {input.images:q} --settings {params.settings:q} --detection {params.detection:q} "
        "--output $(dirname {output:q} | head -n 1) --log {log:q}"


# All resamples of one model, whatever compares it with others later.
rule resample:
    input:
        matches=runs_of_model("<results>/matches/{model}/{run}/test.parquet"),
        images=of_each_fold("test", "images.csv"),
    output:
        "<results>/benchmark/draws/{model}.npz",
    log:
        "<logs>/resample/{model}.log",
    benchmark:
        "<benchmarks>/resample/{model}.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 2
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        script=script("resample.py"),
        code=code("resample.py"),
        seeds=lambda wildcards: as_json(STUDY.seeds_of(wildcards.model)),
        species=as_json(SPECIES),
        settings=scoring_settings(),
    shell:
        "NUMBA_NUM_THREADS={threads} python {params.script} --seeds {params.seeds:q} --species {params.species:q} "
        "--matches {input.matches:q} --images {input.images:q} --settings {params.settings:q} "
        "--output {output:q} --log {log:q}"


rule compare:
    input:
        draws=expand("<results>/benchmark/draws/{model}.npz", model=DETECTORS),
        images=of_each_fold("test", "images.csv"),
    output:
        comparisons=report(
            "<results>/benchmark/comparisons.csv",
            category="Benchmark",
            caption="../report/comparisons.rst",
            labels={"table": "one row a pair of models"},
        ),
        ranks=report(
            "<results>/benchmark/ranks.csv",
            category="Benchmark",
            caption="../report/ranks.rst",
            labels={"table": "chance of each rank"},
        ),
    log:
        "<logs>/compare.log",
    benchmark:
        "<benchmarks>/compare.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("compare.py"),
        code=code("compare.py"),
        models=as_json(model_facts()),
        settings=scoring_settings(),
    shell:
        "python {params.script} --models {params.models:q} --draws {input.draws:q} --images {input.images:q} "
        "--settings {params.settings:q} --comparisons {output.comparisons:q} --ranks {output.ranks:q} "
        "--log {log:q}"


rule merge:
    input:
        scores=all_runs("<results>/scores/{model}/seed-{seed}/{species}.json"),
        draws=expand(
            "<results>/benchmark/draws/{model}.npz", model=[*DETECTORS, *CONTROLS]
        ),
        ranks="<results>/benchmark/ranks.csv",
        costs="<results>/benchmark/costs.csv",
        images=of_each_fold("test", "images.csv"),
    output:
        species=report(
            "<results>/benchmark/species.csv",
            category="Benchmark",
            caption="../report/species.rst",
            labels={"table": "one row a model, seed and species"},
        ),
        models=report(
            "<results>/benchmark/models.csv",
            category="Benchmark",
            caption="../report/models.rst",
            labels={"table": "one row a model"},
        ),
        folds="<results>/benchmark/folds.csv",
        curves="<results>/benchmark/curves.parquet",
    log:
        "<logs>/merge.log",
    benchmark:
        "<benchmarks>/merge.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        script=script("merge.py"),
        code=code("merge.py"),
        results=RESULTS,
        models=as_json(model_facts()),
        species=as_json(SPECIES),
        runs=as_json(runs_by_model()),
        folds=as_json(FOLDS),
        settings=scoring_settings(),
    shell:
        "python {params.script} --results {params.results:q} --models {params.models:q} "
        "--species {params.species:q} --runs {params.runs:q} --folds {params.folds:q} --settings {params.settings:q} "
        "--ranks {input.ranks:q} --costs {input.costs:q} "
        "--species-table {output.species:q} --folds-table {output.folds:q} --models-table {output.models:q} "
        "--curves {output.curves:q} --log {log:q}"
