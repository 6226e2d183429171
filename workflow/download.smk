# Data from elsewhere (dataset.downloads), before a study is planned:
#   snakemake --snakefile workflow/download.smk --cores 2 --configfile my_study.yaml

from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


include: "rules/resources.smk"
include: "rules/downloads.smk"


rule all:
    default_target: True
    input:
        [f".snakemake/downloads/{name}.json" for name in DOWNLOADS],
    localrule: True
