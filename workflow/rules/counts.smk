# What lives in the samples of a survey: every detection named, samples counted, people's decisions taken in.
#   inputs:  samples.csv, images.csv and machine/ of a survey, evidence of its release, review/.
#   outputs: surveys/<survey>/: detections.csv, counts.csv, abundance.csv, abundance_estimated.csv, densities.csv,
#            diversity.csv, checks.csv.


rule survey_counts:
    input:
        release=release_file("detector.json"),
        samples=f"{SURVEY}/samples.csv",
        images=f"{SURVEY}/images.csv",
        detections=f"{SURVEY}/machine/detections.parquet",
        queue=f"{SURVEY}/review/queue.csv",
        decisions=f"{SURVEY}/review/decisions.csv",
    output:
        detections=f"{SURVEY}/detections.csv",
        counts=report(
            f"{SURVEY}/counts.csv",
            category="Surveys",
            subcategory="{survey}",
            caption="../report/survey_counts.rst",
            labels={"table": "animals of each sample and species"},
        ),
        abundance=f"{SURVEY}/abundance.csv",
        estimated=f"{SURVEY}/abundance_estimated.csv",
        densities=f"{SURVEY}/densities.csv",
        diversity=report(
            f"{SURVEY}/diversity.csv",
            category="Surveys",
            subcategory="{survey}",
            caption="../report/survey_diversity.rst",
            labels={"table": "diversity of each sample"},
        ),
        checks=f"{SURVEY}/checks.csv",
    log:
        "<logs>/surveys/{survey}/survey_counts.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/survey_counts.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(60),
    params:
        script=script("survey_counts.py"),
        code=code("survey_counts.py", without=SHARED_ROOMS),
        release=release_folder,
        settings=survey_settings("confidence", "wished_width", "ladder"),
        seed=STUDY.random_seed,
    shell:
        "python {params.script} --release {params.release:q} --samples {input.samples:q} "
        "--images {input.images:q} --detections {input.detections:q} --queue {input.queue:q} "
        "--decisions {input.decisions:q} --settings {params.settings:q} --seed {params.seed} "
        "--output $(dirname {output.counts:q}) --log {log:q}"
