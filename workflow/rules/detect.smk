# Detections on the held-out parts, one floor and one cap for every model.
#   inputs:  trained weights and lists of images; the controls alone are given the truth.
#   outputs: detections/<model>/seed-<n>/<part>.parquet, run.json (time, tiles, caps reached, animals cut by
#            tiles, failed images).


rule detect:
    input:
        # The weights' digest is in model.json, a small file that Snakemake compares by content.
        weights=ancient("<results>/models/{model}/<run>/weights.safetensors"),
        model="<results>/models/{model}/<run>/model.json",
        images=expand("<results>/<parts>/{part}/images.csv", part=HELD_OUT),
    output:
        detections=expand(
            "<results>/detections/{{model}}/<run>/{part}.parquet",
            part=HELD_OUT,
        ),
        run="<results>/detections/{model}/<run>/run.json",
    log:
        "<logs>/detect/{model}/<run>.log",
    benchmark:
        "<benchmarks>/detect/{model}/<run>.jsonl"
    wildcard_constraints:
        model="|".join(MODELS),
        seed=r"\d+",
    conda:
        lambda wildcards: f"../../envs/{MODELS[wildcards.model].adapter}.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(4 * 60),
        gpu=gpus(),
    params:
        script=script("detect.py"),
        code=lambda wildcards: code_of_model("detect.py", wildcards.model),
        evaluation=detection_terms(),
        device=STUDY.training.device,
    shell:
        "python {params.script} --model $(dirname {input.model:q}) --images {input.images:q} "
        "--evaluation {params.evaluation:q} --device {params.device} --threads {threads} "
        "--code {params.code} "
        "--output $(dirname {output.run:q}) --log {log:q}"


rule control:
    input:
        truth=expand("<results>/<parts>/{part}/truth.json", part=HELD_OUT),
        images=expand("<results>/<parts>/{part}/images.csv", part=HELD_OUT),
    output:
        detections=expand(
            "<results>/detections/{{model}}/<run>/{part}.parquet",
            part=HELD_OUT,
        ),
        run="<results>/detections/{model}/<run>/run.json",
    log:
        "<logs>/control/{model}/<run>.log",
    benchmark:
        "<benchmarks>/control/{model}/<run>.jsonl"
    wildcard_constraints:
        model="|".join(CONTROLS),
        seed=r"\d+",
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        script=script("control.py"),
        code=code("control.py", without=SHARED_ROOMS),
    shell:
        "python {params.script} --control {wildcards.model} --seed {wildcards.seed} "
        "--truth {input.truth:q} --output $(dirname {output.run:q}) --log {log:q}"
