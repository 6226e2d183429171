# What detectors cost in time, memory, energy and size.
#   inputs:  models/*/model.json and weights, detections/*/run.json, the list of the test images.
#   outputs: benchmark/costs.csv.


rule costs:
    input:
        runs=all_runs("<results>/detections/{model}/{run}/run.json"),
        trained=all_trainings("<results>/models/{model}/{run}/model.json"),
        weights=ancient(
            all_trainings("<results>/models/{model}/{run}/weights.safetensors")
        ),
        images=of_each_fold("test", "images.csv"),
    output:
        report(
            "<results>/benchmark/costs.csv",
            category="Benchmark",
            subcategory="Tables",
            caption="../report/costs.rst",
            labels={"table": "what each detector costs"},
        ),
    log:
        "<logs>/costs.log",
    benchmark:
        "<benchmarks>/costs.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(15),
    params:
        script=script("costs.py"),
        code=code("costs.py"),
        results=RESULTS,
        models=as_json(DETECTORS),
        runs=as_json(runs_by_model()),
        folds=as_json(FOLDS),
    shell:
        "python {params.script} --results {params.results:q} --models {params.models:q} --runs {params.runs:q} "
        "--folds {params.folds:q} --output {output:q} --log {log:q}"
