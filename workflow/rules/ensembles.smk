# Detections of several models or seeds, fused; from here on an ensemble is a model as any other.
#   inputs:  the members' detections and lists of images; no truth.
#   outputs: detections/<ensemble>/seed-<n>/ or seed-all/, as those of a model.


rule fuse:
    input:
        detections=lambda wildcards: expand(
            "<results>/detections/{run}/{part}.parquet",
            run=fused_runs(wildcards),
            part=HELD_OUT,
        ),
        runs=lambda wildcards: expand(
            "<results>/detections/{run}/run.json", run=fused_runs(wildcards)
        ),
        images=expand("<results>/<parts>/{part}/images.csv", part=HELD_OUT),
    output:
        detections=expand(
            "<results>/detections/{{model}}/<run>/{part}.parquet",
            part=HELD_OUT,
        ),
        run="<results>/detections/{model}/<run>/run.json",
    log:
        "<logs>/fuse/{model}/<run>.log",
    benchmark:
        "<benchmarks>/fuse/{model}/<run>.jsonl"
    wildcard_constraints:
        model="|".join(ENSEMBLES) or "(?!)",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        # Measured: 1.5 GB for five million detections.
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        script=script("fuse.py"),
        code=code("fuse.py", without=SHARED_ROOMS),
        iou=lambda wildcards: ENSEMBLES[wildcards.model].iou,
        species=as_json(SPECIES),
        evaluation=detection_terms(),
    shell:
        "python {params.script} --runs $(dirname {input.runs:q}) --images {input.images:q} "
        "--iou {params.iou} --species {params.species:q} --evaluation {params.evaluation:q} "
        "--output $(dirname {output.run:q}) --log {log:q}"
