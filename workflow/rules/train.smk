# One training a model and seed.
#   inputs:  images and truth of the parts train and validation; nothing of any other part.
#   outputs: models/<model>/seed-<n>/weights.safetensors, model.json, history.csv.


def training_entry(wildcards):
    """The model's entry without what only describes it: a new label retrains nothing."""
    entry = asdict(MODELS[wildcards.model])
    return as_json({**entry, "label": "", "licence": "", "reference": ""})


def starting_weights(wildcards):
    """Digest of the file that a training starts from, where it starts from one."""
    weights = MODELS[wildcards.model].weights
    return fingerprint([weights]) if weights.endswith(".safetensors") else weights


def training_section():
    """How to train, without how often to save: that changes no result."""
    return as_json({**asdict(STUDY.training), "checkpoint_seconds": None})


rule train:
    input:
        train_truth="<results>/dataset/parts/train/truth.json",
        train_images="<results>/dataset/parts/train/images.csv",
        validation_truth="<results>/dataset/parts/validation/truth.json",
        validation_images="<results>/dataset/parts/validation/images.csv",
    output:
        weights="<results>/models/{model}/seed-{seed}/weights.safetensors",
        model="<results>/models/{model}/seed-{seed}/model.json",
        history=report(
            "<results>/models/{model}/seed-{seed}/history.csv",
            category="Training",
            caption="../report/history.rst",
            labels={"model": "{model}", "seed": "{seed}"},
        ),
    log:
        "<logs>/train/{model}/seed-{seed}.log",
    benchmark:
        "<benchmarks>/train/{model}/seed-{seed}.jsonl"
    wildcard_constraints:
        model="|".join(MODELS),
    conda:
        lambda wildcards: f"../../envs/{MODELS[wildcards.model].adapter}.yaml"
    threads: STUDY.training.threads
    resources:
        mem_mb=4000,
        runtime=24 * 60,
    params:
        code=lambda wildcards: code_of_model("train.py", wildcards.model),
        model=training_entry,
        weights=starting_weights,
        training=training_section(),
        evaluation=detection_terms(),
        species=as_json(SPECIES),
    shell:
        "python {SCRIPTS}/train.py --model {params.model:q} --seed {wildcards.seed} "
        "--species {params.species:q} --training {params.training:q} "
        "--checkpoint-seconds {STUDY.training.checkpoint_seconds} "
        "--evaluation {params.evaluation:q} --code {params.code} "
        "--train-truth {input.train_truth:q} --train-images {input.train_images:q} "
        "--validation-truth {input.validation_truth:q} "
        "--validation-images {input.validation_images:q} "
        "--output $(dirname {output.weights:q}) --log {log:q}"
