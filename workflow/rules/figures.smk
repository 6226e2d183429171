# Figures, from finished tables.
#   inputs:  benchmark/*.csv (people.csv where the study names experts), models/*/history.csv, dataset/*.csv; of the
#            slides in it, matches/<model>/*/test.parquet.
#   outputs: benchmark/figures/*.{svg,pdf,png}.

FIGURES = {
    "map_by_model": "mAP of each model, with its seeds and interval",
    "ap50_by_species": "AP50 by species and model",
    "recall_at_precision": "recall at the certified precision",
    "precision_recall": "precision and recall of each species",
    "speed": "speed against mAP",
    "errors": "kinds of errors and what each costs",
    "confusion": "which species is taken for which",
    "reliability": "what a score is worth",
    "learning_curves": "learning curves",
    "differences": "detectors that nothing tells apart",
    "rank_chances": "chance of each rank",
    "overlays": "slides with what is found and missed",
}
if EXPERTS:
    FIGURES["people"] = "detectors among people"


rule figures:
    input:
        species=rules.merge.output.species,
        models=rules.merge.output.models,
        curves=rules.merge.output.curves,
        folds=rules.merge.output.folds,
        diagnoses=rules.merge_diagnoses.output,
        suspects=rules.suspects.output,
        compared=rules.compare.output,
        people=rules.people.output if EXPERTS else [],
        histories=training_histories(),
        matches=[
            path
            for model in DETECTORS
            for path in files_of_runs(
                "<results>/matches/{model}/{run}/test.parquet", model
            )
        ],
        images=of_each_fold("test", "images.csv"),
        problems=rules.import_dataset.output.problems,
        split=rules.split.output.split,
        counts=rules.split.output.counts,
    output:
        expand(
            "<results>/benchmark/figures/{figure}.{format}",
            figure=FIGURES,
            format=["pdf", "png"],
        ),
        **{
            figure: report(
                f"<results>/benchmark/figures/{figure}.svg",
                category="Benchmark",
                subcategory="Figures",
                caption=f"../report/figures/{figure}.rst",
                labels={"figure": label},
            )
            for figure, label in FIGURES.items()
        },
    log:
        "<logs>/figures.log",
    benchmark:
        "<benchmarks>/figures.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        script=script("figures.py"),
        code=code("figures.py"),
        evaluation=as_json(asdict(STUDY.evaluation)),
        results=RESULTS,
        species=species_facts(),
    shell:
        "python {params.script} --results {params.results:q} --species {params.species:q} "
        "--log {log:q}"
