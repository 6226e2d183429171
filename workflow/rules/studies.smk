# This study and another one side by side, on request: snakemake compare_studies --config compare_with=<folder>.
#   inputs:  benchmark/{species,models}.csv and matches of this study; the same of the folder compare_with.
#   outputs: benchmark/compared/compared.{csv,svg,pdf,png,html}.


rule compare_studies:
    input:
        species=rules.merge.output.species,
        models=rules.merge.output.models,
        matches=all_runs("<results>/matches/{model}/{run}/test.parquet"),
        images=of_each_fold("test", "images.csv"),
        split=rules.split.output.split,
    output:
        "<results>/benchmark/compared/compared.csv",
        expand("<results>/benchmark/compared/compared.{format}", format=["pdf", "png"]),
        figure=report(
            "<results>/benchmark/compared/compared.svg",
            category="Benchmark",
            subcategory="Figures",
            caption="../report/compared.rst",
            labels={"figure": "two studies side by side"},
        ),
        page="<results>/benchmark/compared/compared.html",
    log:
        "<logs>/compare_studies.log",
    benchmark:
        "<benchmarks>/compare_studies.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        script=script("compare_studies.py"),
        code=code("compare_studies.py"),
        page=page_templates(),
        results=RESULTS,
        other=lambda wildcards: STUDY.compare_with or "",
        content=lambda wildcards: fingerprint(other_study()),
        species=species_facts(),
        settings=scoring_settings(),
    shell:
        "python {params.script} --results {params.results:q} --other {params.other:q} "
        "--species {params.species:q} --settings {params.settings:q} "
        "--output $(dirname {output.page:q}) --log {log:q}"
