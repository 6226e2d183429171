# What a person looks at before training: tables, a picture of every image, pages and the data card.
#   inputs:  dataset/annotations.json, problems.csv, split.csv, counts.csv, and the images themselves.
#   outputs: dataset/slides.csv, sites.csv, sizes.csv; overlays/; figures/, sheets/, index.html, data_card.md.

DATASET_FIGURES = ["specimens_by_part", "sizes_by_species"]


rule dataset_tables:
    input:
        annotations=rules.import_dataset.output.annotations,
        split=rules.split.output.split,
    output:
        slides="<results>/dataset/slides.csv",
        sites="<results>/dataset/sites.csv",
        sizes="<results>/dataset/sizes.csv",
    log:
        "<logs>/dataset_tables.log",
    benchmark:
        "<benchmarks>/dataset_tables.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("dataset_tables.py"),
        code=code("dataset_tables.py", without=SHARED_ROOMS),
    shell:
        "python {params.script} --annotations {input.annotations:q} --split {input.split:q} "
        "--output $(dirname {output.slides:q}) --log {log:q}"


rule overlays:
    input:
        annotations=rules.import_dataset.output.annotations,
        problems=rules.import_dataset.output.problems,
    output:
        directory("<results>/dataset/overlays"),
    log:
        "<logs>/overlays.log",
    benchmark:
        "<benchmarks>/overlays.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 4
    resources:
        mem_mb=growing(3000),
        runtime=growing(4 * 60),
    params:
        config=RUN_CONFIG,
        script=script("overlays.py"),
        code=code("overlays.py", without=SHARED_ROOMS),
        files=study_files,
        images=images_table(),
        painted_folder=PAINTED,
        species=species_facts(),
    shell:
        "python {params.script} --config {params.config:q} "
        "--painted-folder {params.painted_folder:q} --annotations {input.annotations:q} "
        "--problems {input.problems:q} --species {params.species:q} --threads {threads} "
        "--output {output:q} --log {log:q}"


rule dataset_page:
    input:
        annotations=rules.import_dataset.output.annotations,
        problems=rules.import_dataset.output.problems,
        split=rules.split.output.split,
        sealed=rules.split.output.facts,
        counts=rules.split.output.counts,
        tables=rules.dataset_tables.output,
        overlays=rules.overlays.output,
        leakage=rules.leakage.output if LEAKAGE.check else [],
    output:
        page="<results>/dataset/index.html",
        sheets=directory("<results>/dataset/sheets"),
        card="<results>/dataset/data_card.md",
        shown=report(
            expand("<results>/dataset/figures/{figure}.svg", figure=DATASET_FIGURES),
            category="Data",
            subcategory="Figures",
            caption="../report/dataset_figures.rst",
        ),
        others=expand(
            "<results>/dataset/figures/{figure}.{format}",
            figure=DATASET_FIGURES,
            format=["pdf", "png"],
        ),
    log:
        "<logs>/dataset_page.log",
    benchmark:
        "<benchmarks>/dataset_page.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        config=RUN_CONFIG,
        script=script("dataset_page.py"),
        code=code("dataset_page.py"),
        page=page_templates(),
        card=as_json(asdict(STUDY.card)),
        split=as_json(asdict(STUDY.split)),
        images=images_table(),
        painted_folder=PAINTED,
        species=species_facts(),
    shell:
        "python {params.script} --config {params.config:q} "
        "--painted-folder {params.painted_folder:q} --dataset $(dirname {output.page:q}) "
        "--leakage {input.leakage:q} --species {params.species:q} --log {log:q}"
