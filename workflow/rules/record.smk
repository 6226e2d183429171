# What made the results.
#   outputs: config.yaml, the merged configuration with every default filled in.


rule record:
    output:
        "<results>/config.yaml",
    log:
        "<logs>/record.log",
    benchmark:
        "<benchmarks>/record.jsonl"
    localrule: True
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    params:
        script=script("record.py"),
        config=as_json(STUDY.merged),
    shell:
        "python {params.script} --config {params.config:q} --output {output:q} --log {log:q}"
