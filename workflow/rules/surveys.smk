# Of what releases and surveys are made (candidates, settings, images, files), for the files that follow.

from types import SimpleNamespace

RELEASE = STUDY.release
# A named detector is released without a run of the others.
CANDIDATES = DETECTORS if RELEASE.model == "winner" else [RELEASE.model]


def of_candidates(pattern):
    """A file of every run of the detectors that may be released."""
    return [
        path
        for model in CANDIDATES
        for path in expand(pattern, model=model, run=runs_of(model))
    ]


def fused_models(model):
    """Of each seed of a detector the trained models, as name and seed, behind its run."""
    return {
        str(seed): (
            STUDY.fused_runs(ENSEMBLES[model], seed)
            if model in ENSEMBLES
            else [(model, seed)]
        )
        for seed in STUDY.seeds_of(model)
    }


def released_models():
    """All trained models behind the detectors that may be released."""
    runs = {
        run
        for model in CANDIDATES
        for runs in fused_models(model).values()
        for run in runs
    }
    return [
        f"{model}/{run_folder(seed, fold)}"
        for model, seed in sorted(runs)
        for fold in FOLDS
    ]


def candidate_facts():
    return as_json(
        {
            model: {
                "label": {**MODELS, **ENSEMBLES}[model].label,
                "licence": licence(model),
                "runs": [
                    (fold, seed) for fold in FOLDS for seed in STUDY.seeds_of(model)
                ],
                "members": fused_models(model),
                "iou": ENSEMBLES[model].iou if model in ENSEMBLES else None,
            }
            for model in CANDIDATES
        }
    )


SURVEYS = {survey.name: survey for survey in STUDY.surveys}
SURVEY = "<results>/surveys/{survey}"


wildcard_constraints:
    survey="|".join(SURVEYS) or "(?!)",


def release_folder(wildcards):
    """The folder of the release with which a survey runs."""
    return SURVEYS[wildcards.survey].release or RELEASE.folder or RESULTS / "release"


def release_file(name):
    """A file of the release with which a survey runs, as input of a rule."""
    return lambda wildcards: str(release_folder(wildcards) / name)


def painted_survey(wildcards):
    """Where the images of a painted survey lie."""
    return RESULTS / "surveys" / wildcards.survey / "painted" / "images"


def survey_settings(*keys):
    """What a rule depends on of a survey's entry, for its script; other keys have values that mean nothing."""
    return lambda wildcards: as_json(part_of(SURVEYS[wildcards.survey], keys))


def survey_images(wildcards):
    """The images of a survey, read once, so that faults are told before a job starts."""
    survey = SURVEYS[wildcards.survey]
    if survey.name not in READ_SURVEYS:
        folder = painted_survey(wildcards) if survey.painted else None
        try:
            READ_SURVEYS[survey.name] = read_survey(
                survey, load_schema(SCHEMAS, "survey_images"), folder
            )
        except UserError as error:
            raise WorkflowError(f"The survey cannot run:\n{error}") from None
    return READ_SURVEYS[survey.name]


def survey_tables(wildcards):
    """The tables that describe a survey."""
    survey_images(wildcards)
    survey = SURVEYS[wildcards.survey]
    return [
        str(path)
        for path in (survey.images, survey.samples)
        if path is not None and path.is_file()
    ]


def survey_files(wildcards):
    """Digest of what the images of a survey are called and hold; painted ones follow from their settings."""
    if SURVEYS[wildcards.survey].painted:
        return "painted"
    images = survey_images(wildcards).images
    names = "\0".join(f"{image.image}\0{image.path}" for image in images)
    content = fingerprint((image.path for image in images), memory=DIGESTS)
    return f"{hashlib.sha256(names.encode()).hexdigest()[:16]} {content}"


READ_SURVEYS = {}


# Told before any job, and in these words alone: what a function of a rule tells, Snakemake shows with its trace.
if not SURVEYS and ASKED_FOR & {"survey", "training_data"}:
    raise WorkflowError(
        "There is no survey. Write one under the key surveys of the configuration, or name new images on the "
        "command line: snakemake --cores all survey --config survey=<folder or images.tsv>"
    )
if "survey" in ASKED_FOR:
    for name in SURVEYS:
        survey_images(SimpleNamespace(survey=name))
        try:
            release_of(SURVEYS[name], RELEASE)
        except UserError as error:
            raise WorkflowError(f"The survey cannot run:\n{error}") from None
if not STUDY.images and ASKED_FOR & {"all", "dataset"}:
    raise WorkflowError(
        "The images of the study are not there. With the folder of a release under the key release only "
        "surveys can run: snakemake --cores all survey"
    )

# What the target survey makes of each survey; rules that add to it say so below them.
SURVEY_RESULTS = []


def of_surveys(patterns):
    """Files of all surveys."""
    return expand(patterns, survey=SURVEYS)


def decision_files(wildcards):
    """The files in which reviewers saved their decisions."""
    return [str(path) for path in SURVEYS[wildcards.survey].decisions]


def review_templates():
    """Digest of the templates, styles and scripts of the review page."""
    return fingerprint(sorted((SCRIPTS.parent / "resources" / "review").glob("*")))


def with_study(wildcards):
    """The annotations of the study, where the survey runs with the study's own release."""
    foreign = SURVEYS[wildcards.survey].release or RELEASE.folder
    return [] if foreign else rules.import_dataset.output.annotations
