# One species alone, for who asks for it by name:  snakemake --cores all results/<study>/benchmark/species/<code>.csv
#   inputs:  benchmark/species.csv.
#   outputs: benchmark/species/<species>.csv.


rule one_species:
    input:
        rules.merge.output.species,
    output:
        "<results>/benchmark/species/{species}.csv",
    log:
        "<logs>/one_species/{species}.log",
    benchmark:
        "<benchmarks>/one_species/{species}.jsonl"
    conda:
        "../../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        script=script("one_species.py"),
        code=code("one_species.py"),
    shell:
        "python {params.script} --table {input:q} --species {wildcards.species} --output {output:q} --log {log:q}"
