# Tables, methods paragraph and references as they go into a paper, from finished tables.
#   inputs:  benchmark/*.csv, models/*/model.json, dataset/*.csv.
#   outputs: benchmark/tables/*.{csv,tex,md,xlsx}, methods.md, references.bib.

PAPER_TABLES = {
    "models": "mean average precision of each model",
    "species": "each species by model",
    "comparisons": "which model is better than which",
    "dataset": "specimens and slides of each species",
    "costs": "time, memory, energy and size of each model",
}


rule tables:
    input:
        species=rules.merge.output.species,
        models=rules.merge.output.models,
        curves=rules.merge.output.curves,
        folds=rules.merge.output.folds,
        costs=rules.costs.output,
        diagnoses=rules.merge_diagnoses.output,
        suspects=rules.suspects.output,
        compared=rules.compare.output,
        people=rules.people.output if EXPERTS else [],
        histories=training_histories(),
        facts=all_trainings("<results>/models/{model}/{run}/model.json"),
        problems=rules.import_dataset.output.problems,
        split=rules.split.output.split,
        sealed=rules.split.output.facts,
        counts=rules.split.output.counts,
        leakage=rules.leakage.output.table,
    output:
        expand(
            "<results>/benchmark/tables/{table}.{format}",
            table=PAPER_TABLES,
            format=["csv", "tex", "xlsx"],
        ),
        "<results>/benchmark/tables/notes.csv",
        **{
            table: report(
                f"<results>/benchmark/tables/{table}.md",
                category="Benchmark",
                subcategory="For a paper",
                caption="../report/paper_tables.rst",
                labels={"table": label},
            )
            for table, label in PAPER_TABLES.items()
        },
        methods="<results>/benchmark/tables/methods.md",
        references="<results>/benchmark/tables/references.bib",
    log:
        "<logs>/tables.log",
    benchmark:
        "<benchmarks>/tables.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("tables.py"),
        code=code("tables.py"),
        known=fingerprint([SCRIPTS.parent / "resources" / "references.bib"]),
        merged=as_json(without_surveys(STUDY.merged)),
        results=RESULTS,
        species=species_facts(),
        missing=as_json(MISSING),
        ensembles=as_json(
            {
                name: {"members": one.members, "seeds": one.seeds}
                for name, one in ENSEMBLES.items()
            }
        ),
        references=as_json({name: one.reference for name, one in MODELS.items()}),
    shell:
        "python {params.script} --results {params.results:q} --species {params.species:q} "
        "--trainings {input.facts:q} --ensembles {params.ensembles:q} --references {params.references:q} "
        "--missing {params.missing:q} --output $(dirname {output.references:q}) --log {log:q}"
