# One training a model and seed.
#   inputs:  images and truth of the parts train and validation; nothing of any other part.
#   outputs: models/<model>/seed-<n>/weights.safetensors, model.json, history.csv; pictures of what models are
#            shown, dataset/training/<model>.jpg.


rule train:
    input:
        train_truth="<results>/<parts>/train/truth.json",
        train_images="<results>/<parts>/train/images.csv",
        validation_truth="<results>/<parts>/validation/truth.json",
        validation_images="<results>/<parts>/validation/images.csv",
        search=searched_settings(),
        # It only permits: when it is written anew, nothing has to be trained again.
        leakage=ancient("<results>/dataset/leakage_checked.json"),
        # What it holds never changes under its name; when it was fetched does not count.
        pretrained=ancient(published_weights),
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
    threads: STUDY.training.threads + STUDY.training.workers
    resources:
        # Measured: 1.2 GB (YOLOv5n) to 1.9 GB (Faster R-CNN) at 320 px and four images a batch.
        mem_mb=growing(2000 + 500 * STUDY.training.workers),
        runtime=growing(24 * 60),
        gpu=gpus(),
    params:
        # For how often to save and who makes batches, which change no result.
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
        "--config {params.config:q} --pretrained {input.pretrained:q} "
        "--evaluation {params.evaluation:q} --code {params.code} "
        "--train-truth {input.train_truth:q} --train-images {input.train_images:q} "
        "--validation-truth {input.validation_truth:q} "
        "--validation-images {input.validation_images:q} "
        "--output $(dirname {output.weights:q}) --log {log:q}"


# What each model is shown in training, for the target "dataset"; with folds, in the first of them.
rule training_images:
    input:
        truth=f"<results>/dataset/parts/{part_folder('train', FOLDS[0])}/truth.json",
        images=f"<results>/dataset/parts/{part_folder('train', FOLDS[0])}/images.csv",
    output:
        "<results>/dataset/training/{model}.jpg",
    log:
        "<logs>/training_images/{model}.log",
    benchmark:
        "<benchmarks>/training_images/{model}.jsonl"
    wildcard_constraints:
        model="|".join(MODELS),
    conda:
        lambda wildcards: f"../../envs/{MODELS[wildcards.model].adapter}.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("training_images.py"),
        code=code("training_images.py", without=SHARED_ROOMS),
        model=sample_entry,
        augmentation=as_json(asdict(STUDY.training.augmentation)),
        species=as_json(SPECIES),
        seed=STUDY.seeds[0],
    shell:
        "python {params.script} --model {params.model:q} --species {params.species:q} "
        "--augmentation {params.augmentation:q} --seed {params.seed} --truth {input.truth:q} "
        "--images {input.images:q} --output {output:q} --log {log:q}"
