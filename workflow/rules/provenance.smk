# What made the results: the record of a study, and that of a survey.
#   inputs:  all results of the benchmark, or of the survey; of everything in its folder the digests are taken.
#   outputs: manifest.json, ro-crate-metadata.json, provenance/ (the code that ran); the same in surveys/<survey>/.

from snakemake import __version__ as SNAKEMAKE_VERSION

# Of the digests of files that the record lists; beside Snakemake's own notes on files.
RECORDED = Path(".snakemake", "podura_sha256.json")


# What the target all makes, the record of it aside.
BENCHMARK_RESULTS = [
    "<results>/benchmark/report.html",
    "<results>/benchmark/species.csv",
    "<results>/benchmark/models.csv",
    *rules.figures.output,
    *rules.tables.output,
    *rules.merge_diagnoses.output,
    *rules.suspects.output,
]


rule manifest:
    input:
        BENCHMARK_RESULTS,
    output:
        manifest="<results>/manifest.json",
        crate="<results>/ro-crate-metadata.json",
        code="<results>/provenance/code.zip",
        snakefile="<results>/provenance/Snakefile",
    log:
        "<logs>/manifest.log",
    benchmark:
        "<benchmarks>/manifest.jsonl"
    conda:
        "../../envs/provenance.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(4 * 60),
    params:
        # Its values are the next parameter, so that it is written again when they change.
        config=RUN_CONFIG,
        merged=as_json(without_surveys(STUDY.merged)),
        script=script("manifest.py"),
        code=code("manifest.py", without=SHARED_ROOMS),
        snakemake=SNAKEMAKE_VERSION,
        painted_folder=PAINTED,
        traits=TRAITS if IS_PAINTED else [],
        benchmarks=Path("benchmarks", STUDY.name),
        memory=RECORDED,
    shell:
        "python {params.script} --config {params.config:q} --painted-folder {params.painted_folder:q} "
        "--folder $(dirname {output.manifest:q}) --inputs {params.traits:q} "
        "--benchmarks {params.benchmarks:q} --snakemake {params.snakemake} --memory {params.memory:q} "
        "--log {log:q}"


rule survey_manifest:
    input:
        list(SURVEY_RESULTS),
        release=release_file("detector.json"),
        tables=survey_tables,
        decisions=lambda wildcards: ancient(decision_files(wildcards)),
    output:
        manifest=f"{SURVEY}/manifest.json",
        crate=f"{SURVEY}/ro-crate-metadata.json",
        code=f"{SURVEY}/provenance/code.zip",
        snakefile=f"{SURVEY}/provenance/Snakefile",
    log:
        "<logs>/surveys/{survey}/survey_manifest.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/survey_manifest.jsonl"
    conda:
        "../../envs/provenance.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(4 * 60),
    params:
        script=script("survey_manifest.py"),
        code=code("survey_manifest.py", without=SHARED_ROOMS),
        configuration=lambda wildcards: as_json(
            STUDY.merged["surveys"].get(wildcards.survey, {})
        ),
        seed=STUDY.random_seed,
        snakemake=SNAKEMAKE_VERSION,
        card=as_json(asdict(STUDY.card)),
        benchmarks=lambda wildcards: Path(
            "benchmarks", STUDY.name, "surveys", wildcards.survey
        ),
        memory=RECORDED,
    shell:
        "python {params.script} --survey {wildcards.survey} --folder $(dirname {output.manifest:q}) "
        "--configuration {params.configuration:q} --seed {params.seed} --card {params.card:q} "
        "--inputs {input.release:q} {input.tables:q} {input.decisions:q} "
        "--benchmarks {params.benchmarks:q} --snakemake {params.snakemake} --memory {params.memory:q} "
        "--log {log:q}"


SURVEY_RESULTS += rules.survey_manifest.output
