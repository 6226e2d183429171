# What made the results: the record of a study.
#   inputs:  all results of the benchmark; of everything below results/<study> the digests are taken.
#   outputs: manifest.json, ro-crate-metadata.json, provenance/ (the code that ran).

from snakemake import __version__ as SNAKEMAKE_VERSION

# Of the digests of files that the record lists; beside Snakemake's own notes on files.
RECORDED = Path(".snakemake", "podura_sha256.json")


def benchmark_results():
    """What the target all makes, the record of it aside."""
    return [
        "<results>/benchmark/report.html",
        "<results>/benchmark/species.csv",
        "<results>/benchmark/models.csv",
        *rules.figures.output,
        *rules.merge_diagnoses.output,
        *rules.suspects.output,
    ]


rule manifest:
    input:
        benchmark_results(),
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
        mem_mb=1000,
        runtime=4 * 60,
    params:
        # Its values are the next parameter, so that it is written again when they change.
        config=RUN_CONFIG,
        merged=as_json(STUDY.merged),
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
