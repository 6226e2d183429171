# People who annotated the same images, scored as detectors are; only where the study names them.
#   inputs:  the experts' CSV, dataset/annotations.json; detections/ and truth of the test part, folds.csv.
#   outputs: dataset/expert_boxes.parquet, expert_images.parquet, expert_problems.csv; benchmark/people.csv.

EXPERTS = STUDY.evaluation.experts


rule import_experts:
    input:
        annotations=rules.import_dataset.output.annotations,
    output:
        boxes="<results>/dataset/expert_boxes.parquet",
        images="<results>/dataset/expert_images.parquet",
        problems=report(
            "<results>/dataset/expert_problems.csv",
            category="Data",
            caption="../report/expert_problems.rst",
            labels={"table": "problems in the experts' boxes"},
        ),
    log:
        "<logs>/import_experts.log",
    benchmark:
        "<benchmarks>/import_experts.jsonl"
    conda:
        "../../envs/images.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        config=RUN_CONFIG,
        script=script("import_experts.py"),
        code=code("import_experts.py", without=SHARED_ROOMS),
        file=lambda _: fingerprint([EXPERTS.path], memory=DIGESTS) if EXPERTS else None,
        experts=as_json({**asdict(EXPERTS), "reference": None}) if EXPERTS else None,
        dataset=as_json(
            [STUDY.dataset.annotations.ignore_flags, STUDY.dataset.problems]
        ),
        species=as_json(
            [asdict(one) for one in (*STUDY.species, *STUDY.excluded_species)]
        ),
        other=STUDY.other_names,
        painted_folder=PAINTED,
    shell:
        "python {params.script} --config {params.config:q} --painted-folder {params.painted_folder:q} "
        "--annotations {input.annotations:q} --output $(dirname {output.boxes:q}) --log {log:q}"


rule people:
    input:
        boxes=rules.import_experts.output.boxes,
        images=rules.import_experts.output.images,
        truth=of_each_fold("test", "truth.json"),
        folds=rules.merge.output.folds,
        detections=[
            f"<results>/detections/{model}/{run}/test.parquet"
            for model in DETECTORS
            for run in runs_of(model)
        ],
    output:
        people=report(
            "<results>/benchmark/people.csv",
            category="Benchmark",
            caption="../report/people.rst",
            labels={"table": "experts and detectors"},
        ),
        curves="<results>/benchmark/people_curves.parquet",
    log:
        "<logs>/people.log",
    benchmark:
        "<benchmarks>/people.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        script=script("people.py"),
        code=code("people.py"),
        results=RESULTS,
        models=as_json(model_facts()),
        species=as_json(SPECIES),
        settings=as_json(
            {
                "iou_percent": round(100 * STUDY.evaluation.iou),
                "confidence": STUDY.evaluation.confidence,
                "reference": EXPERTS.reference if EXPERTS else None,
            }
        ),
    shell:
        "python {params.script} --results {params.results:q} --boxes {input.boxes:q} --images {input.images:q} "
        "--truth {input.truth:q} --folds {input.folds:q} --models {params.models:q} "
        "--species {params.species:q} --settings {params.settings:q} --people {output.people:q} "
        "--curves {output.curves:q} --log {log:q}"
