# The settings that a model is trained with, where the study searches them: the same budget for each model.
#   inputs:  images and truth of the parts train and validation; nothing of any other part.
#   outputs: models/<model>/search/best.json and trials.csv, with folds in search/fold-<k>/.


rule search:
    input:
        train_truth="<results>/<parts>/train/truth.json",
        train_images="<results>/<parts>/train/images.csv",
        validation_truth="<results>/<parts>/validation/truth.json",
        validation_images="<results>/<parts>/validation/images.csv",
        # It only permits: when it is written anew, nothing has to be searched again.
        leakage=ancient("<results>/dataset/leakage_checked.json"),
        pretrained=ancient(published_weights),
    output:
        best="<results>/models/{model}/<search>/best.json",
        trials="<results>/models/{model}/<search>/trials.csv",
    log:
        "<logs>/search/{model}/<search>.log",
    benchmark:
        "<benchmarks>/search/{model}/<search>.jsonl"
    wildcard_constraints:
        model="|".join(MODELS),
    conda:
        lambda wildcards: f"../../envs/{MODELS[wildcards.model].adapter}.yaml"
    threads: STUDY.training.threads
    resources:
        mem_mb=growing(2500),
        runtime=growing(3 * 24 * 60),
        gpu=gpus(),
    params:
        config=RUN_CONFIG,
        script=script("search.py"),
        code=code("search.py", without=SHARED_ROOMS),
        search=as_json(asdict(STUDY.search)),
        seed=search_seed(STUDY.random_seed, STUDY.seeds),
        train=script("train.py"),
        training_code=lambda wildcards: code_of_model("train.py", wildcards.model),
        model=searched_entry,
        weights=starting_weights,
        training=training_section(),
        evaluation=detection_terms(),
        species=as_json(SPECIES),
        fold=lambda wildcards: wildcards.get("fold", 0),
    shell:
        "python {params.script} --model {params.model:q} --search {params.search:q} --seed {params.seed} "
        "--fold {params.fold} --code {params.code} --output $(dirname {output.best:q}) --log {log:q} "
        "-- {params.train:q} --fold {params.fold} "
        "--species {params.species:q} --training {params.training:q} "
        "--config {params.config:q} --pretrained {input.pretrained:q} "
        "--evaluation {params.evaluation:q} --code {params.training_code} "
        "--train-truth {input.train_truth:q} --train-images {input.train_images:q} "
        "--validation-truth {input.validation_truth:q} "
        "--validation-images {input.validation_images:q}"
