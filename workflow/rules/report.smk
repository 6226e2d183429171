# The page, from finished tables.
#   inputs:  benchmark/*.csv (people.csv where the study names experts), scores/, models/*/history.csv, dataset/*.csv.
#   outputs: benchmark/report.html, benchmark/report.zip.


rule report:
    input:
        species=rules.merge.output.species,
        models=rules.merge.output.models,
        curves=rules.merge.output.curves,
        diagnoses=rules.merge_diagnoses.output,
        suspects=rules.suspects.output,
        compared=rules.compare.output,
        people=rules.people.output if EXPERTS else [],
        histories=training_histories(),
        folds=rules.merge.output.folds,
        matches=all_runs("<results>/matches/{model}/{run}/test.parquet"),
        facts=all_trainings("<results>/models/{model}/{run}/model.json"),
        sealed=rules.split.output.facts,
        problems=rules.import_dataset.output.problems,
        split=rules.split.output.split,
        counts=rules.split.output.counts,
        leakage=rules.leakage.output.table,
        gallery=rules.gallery.output,
        costs="<results>/benchmark/costs.csv",
        runs=all_runs("<results>/detections/{model}/{run}/run.json"),
    output:
        page=report(
            "<results>/benchmark/report.html",
            category="Benchmark",
            caption="../report/page.rst",
            labels={"page": "the whole report"},
        ),
        archive="<results>/benchmark/report.zip",
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        script=script("report.py"),
        code=code("report.py"),
        merged=as_json(without_surveys(STUDY.merged)),
        page=page_templates(),
        results=RESULTS,
        species=species_facts(),
        missing=as_json(MISSING),
        ensembles=as_json(
            {
                name: {"members": one.members, "seeds": one.seeds}
                for name, one in ENSEMBLES.items()
            }
        ),
    shell:
        "python {params.script} --results {params.results:q} --species {params.species:q} "
        "--ensembles {params.ensembles:q} --gallery {input.gallery:q} "
        "--costs {input.costs:q} --missing {params.missing:q} "
        "--output {output.page:q} --archive {output.archive:q} --log {log:q}"
