# Pictures of what goes wrong, cut out of the test slides.
#   inputs:  benchmark/examples.csv, the lists of test images, and the images themselves.
#   outputs: benchmark/gallery/*.jpg, crops.csv.


rule gallery:
    input:
        examples=rules.merge_diagnoses.output.examples,
        images=of_each_fold("test", "images.csv"),
    output:
        directory("<results>/benchmark/gallery"),
    log:
        "<logs>/gallery.log",
    benchmark:
        "<benchmarks>/gallery.jsonl"
    conda:
        "../../envs/report.yaml"
    threads: 2
    resources:
        mem_mb=growing(3000),
        runtime=growing(2 * 60),
    params:
        script=script("gallery.py"),
        code=code("gallery.py", without=SHARED_ROOMS),
        files=image_files,
        models=DETECTORS,
    shell:
        "python {params.script} --examples {input.examples:q} --models {params.models:q} "
        "--images {input.images:q} --threads {threads} --output {output:q} --log {log:q}"
