# What goes wrong, and where the truth itself may be wrong.
#   inputs:  matches/, scores/ (for the thresholds), dataset/parts/…/test/truth.json.
#   outputs: benchmark/diagnosis/<model>/*.csv; benchmark/by_size.csv, by_edge.csv, errors.csv,
#            confusion.csv, reliability.csv, examples.csv, suspects.csv.

DIAGNOSED = {
    "by_size": "AP and recall of small and large specimens",
    "by_edge": "AP and recall at the edge of the image",
    "errors": "what goes wrong",
    "confusion": "which species is taken for which",
    "reliability": "what a score is worth",
    "examples": "errors that are worth a look",
}


rule diagnose:
    input:
        matches=runs_of_model("<results>/matches/{model}/{run}/test.parquet"),
        scores=lambda wildcards: scores_of(wildcards.model),
        truth=of_each_fold("test", "truth.json"),
    output:
        expand("<results>/benchmark/diagnosis/{{model}}/{table}.csv", table=DIAGNOSED),
    log:
        "<logs>/diagnose/{model}.log",
    benchmark:
        "<benchmarks>/diagnose/{model}.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        script=script("diagnose.py"),
        code=code("diagnose.py"),
        seeds=lambda wildcards: as_json(STUDY.seeds_of(wildcards.model)),
        species=as_json(SPECIES),
        folds=as_json(FOLDS),
        settings=scoring_settings(),
    shell:
        "python {params.script} --model {wildcards.model} --seeds {params.seeds:q} "
        "--species {params.species:q} --folds {params.folds:q} --matches {input.matches:q} "
        "--scores {input.scores:q} --truth {input.truth:q} --settings {params.settings:q} "
        "--output $(dirname {output:q} | head -n 1) --log {log:q}"


rule merge_diagnoses:
    input:
        expand(
            "<results>/benchmark/diagnosis/{model}/{table}.csv",
            model=[*DETECTORS, *CONTROLS],
            table=DIAGNOSED,
        ),
    output:
        **{
            table: report(
                f"<results>/benchmark/{table}.csv",
                category="Benchmark",
                caption="../report/diagnosis.rst",
                labels={"table": label},
            )
            for table, label in DIAGNOSED.items()
        },
    log:
        "<logs>/merge_diagnoses.log",
    benchmark:
        "<benchmarks>/merge_diagnoses.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        script=script("merge_diagnoses.py"),
        code=code("merge_diagnoses.py"),
        folders=[
            str(RESULTS / "benchmark" / "diagnosis" / model)
            for model in [*DETECTORS, *CONTROLS]
        ],
    shell:
        "python {params.script} --folders {params.folders:q} --output $(dirname {output.errors:q}) "
        "--log {log:q}"


# Ensembles are left out: they agree with the runs that they fuse.
rule suspects:
    input:
        matches=[
            path
            for model in MODELS
            for path in files_of_runs(
                "<results>/matches/{model}/{run}/test.parquet", model
            )
        ],
        scores=[path for model in MODELS for path in scores_of(model)],
        truth=of_each_fold("test", "truth.json"),
    output:
        report(
            "<results>/benchmark/suspects.csv",
            category="Benchmark",
            caption="../report/suspects.rst",
            labels={"table": "where the truth may be wrong"},
        ),
    log:
        "<logs>/suspects.log",
    benchmark:
        "<benchmarks>/suspects.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        script=script("suspects.py"),
        code=code("suspects.py"),
        seeds=as_json([(model, STUDY.seeds_of(model)) for model in MODELS]),
        species=as_json(SPECIES),
        folds=as_json(FOLDS),
        settings=scoring_settings(),
    shell:
        "python {params.script} --seeds {params.seeds:q} --species {params.species:q} "
        "--folds {params.folds:q} --matches {input.matches:q} --scores {input.scores:q} "
        "--truth {input.truth:q} --settings {params.settings:q} --output {output:q} --log {log:q}"
