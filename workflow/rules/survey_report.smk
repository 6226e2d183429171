# The page of a survey, from its finished tables.
#   inputs:  the tables of a survey and of its review; species of its release.
#   outputs: surveys/<survey>/report.html.


rule survey_report:
    input:
        release=release_file("detector.json"),
        samples=f"{SURVEY}/samples.csv",
        images=f"{SURVEY}/images.csv",
        drift=rules.survey_drift.output,
        counts=rules.survey_counts.output,
        decisions=rules.review_decisions.output,
        queue=rules.review_queue.output,
    output:
        report(
            f"{SURVEY}/report.html",
            category="Surveys",
            subcategory="{survey}",
            caption="../report/survey_page.rst",
            labels={"page": "the whole survey"},
        ),
    log:
        "<logs>/surveys/{survey}/survey_report.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/survey_report.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        script=script("survey_report.py"),
        code=code("survey_report.py", without=SHARED_ROOMS),
        page=page_templates(),
        release=release_folder,
    shell:
        "python {params.script} --survey {wildcards.survey} --folder $(dirname {output:q}) "
        "--release {params.release:q} --output {output:q} --log {log:q}"


SURVEY_RESULTS += rules.survey_report.output
