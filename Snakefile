# Podura: which detector identifies springtails on microscope slides best, at which confidence it may be
# trusted, and what lives in a sample. This file is the table of contents; config/README.md the manual.

from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/resources.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/upstream.smk"
include: "workflow/rules/handlers.smk"
include: "workflow/rules/digests.smk"
include: "workflow/rules/runs.smk"


# For --sdm apptainer; None where the study names no image.
container: STUDY.merged["container"]


pathvars:
    results=f"results/{STUDY.name}",
    logs=f"logs/{STUDY.name}",
    benchmarks=f"benchmarks/{STUDY.name}",
    run="fold-{fold}/seed-{seed}" if STUDY.folds else "seed-{seed}",
    search="search/fold-{fold}" if STUDY.folds else "search",
    parts="dataset/parts/fold-{fold}" if STUDY.folds else "dataset/parts",


include: "workflow/rules/dataset.smk"
include: "workflow/rules/leakage.smk"
include: "workflow/rules/dataset_page.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/detect.smk"
include: "workflow/rules/ensembles.smk"
include: "workflow/rules/costs.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/species.smk"
include: "workflow/rules/diagnose.smk"
include: "workflow/rules/gallery.smk"
include: "workflow/rules/people.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/studies.smk"
include: "workflow/rules/surveys.smk"
include: "workflow/rules/release.smk"
include: "workflow/rules/survey.smk"
include: "workflow/rules/counts.smk"
include: "workflow/rules/review.smk"
include: "workflow/rules/exports.smk"
include: "workflow/rules/survey_report.smk"
include: "workflow/rules/provenance.smk"


# Not a rule: as the input of one, even an ancient one, it would keep Snakemake from seeing what else
# has changed when the configuration does.
onstart:
    let_the_scheduler_sleep()
    remove_leftovers(RESULTS)
    write_run_config()


onsuccess:
    print(closing_words())


onerror:
    print(words_on_failure())


# The benchmark, from images to the report.
rule all:
    default_target: True
    input:
        BENCHMARK_RESULTS,
        rules.manifest.output,
    localrule: True


# Import, problems, split, leakage and a picture of every image: a look at the data before hours of training.
rule dataset:
    input:
        "<results>/dataset/problems.csv",
        "<results>/dataset/split.csv",
        "<results>/dataset/counts.csv",
        rules.dataset_tables.output,
        rules.overlays.output,
        rules.dataset_page.output,
        expand("<results>/dataset/training/{model}.jpg", model=MODELS),
        "<results>/dataset/leakage_checked.json",
    localrule: True


# What lives in new samples: a release runs over all surveys, or over that of --config survey=<name or folder>.
rule survey:
    input:
        of_surveys(SURVEY_RESULTS),
    localrule: True


# What people checked of surveys, beside the annotations of the study: the data of a next study.
rule training_data:
    input:
        of_surveys(rules.survey_training.output),
    localrule: True


# Published weights that the study's models start from, so that training needs no network.
rule fetch_weights:
    input:
        [kept_weights(file) for file in PUBLISHED.values()],
    localrule: True
