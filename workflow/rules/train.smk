# One training a model and seed.
#   inputs:  images and truth of the parts train and validation; nothing of any other part.
#   outputs: models/<model>/seed-<n>/weights.safetensors, model.json, history.csv.


rule train:
    input:
        train_truth="<results>/<parts>/train/truth.json",
        train_images="<results>/<parts>/train/images.csv",
        validation_truth="<results>/<parts>/validation/truth.json",
        validation_images="<results>/<parts>/validation/images.csv",
        search=searched_settings(),
        # It only permits: when it is written anew, nothing has to be trained again.
        leakage=ancient("<results>/dataset/leakage_checked.json"),
    output:
        weights="<results>/models/{model}/<run>/weights.safetensors",
        model="<results>/models/{model}/<run>/model.json",
        history=report(
            "<results>/models/{model}/<run>/history.csv",
            category="Training",
            caption="../report/history.rst",
            labels={"model": "{model}", "seed": "{seed}"},
        ),
    log:
        "<logs>/train/{model}/<run>.log",
    benchmark:
        "<benchmarks>/train/{model}/<run>.jsonl"
    wildcard_constraints:
        model="|".join(MODELS),
        seed=r"\d+",
    conda:
        lambda wildcards: f"../../envs/{MODELS[wildcards.model].adapter}.yaml"
    threads: STUDY.training.threads
    resources:
        # Measured: 1.2 GB (YOLOv5n) to 1.9 GB (Faster R-CNN) at 320 px and four images a batch.
        mem_mb=2000,
        runtime=24 * 60,
        gpu=gpus(),
    params:
        # For how often to save, which changes no result.
        config=RUN_CONFIG,
        script=script("train.py"),
        code=lambda wildcards: code_of_model("train.py", wildcards.model),
        model=training_entry,
        weights=starting_weights,
        training=training_section(),
        evaluation=detection_terms(),
        species=as_json(SPECIES),
        fold=lambda wildcards: wildcards.get("fold", 0),
    shell:
        "python {params.script} --model {params.model:q} --search {input.search:q} --seed {wildcards.seed} --fold {params.fold} "
        "--species {params.species:q} --training {params.training:q} "
        "--config {params.config:q} "
        "--evaluation {params.evaluation:q} --code {params.code} "
        "--train-truth {input.train_truth:q} --train-images {input.train_images:q} "
        "--validation-truth {input.validation_truth:q} "
        "--validation-images {input.validation_images:q} "
        "--output $(dirname {output.weights:q}) --log {log:q}"
