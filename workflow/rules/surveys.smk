# The surveys of a run: their images, their release, and what is painted for demonstrations.
#   inputs:  the keys release, surveys and survey; of a painted survey its table of images.
#   outputs: surveys/<survey>/painted/: images/, and what they show, truth.json and counts.csv, for nobody but tests.

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


rule paint_survey:
    input:
        table=survey_tables,
    output:
        images=directory(f"{SURVEY}/painted/images"),
        truth=f"{SURVEY}/painted/truth.json",
        counts=f"{SURVEY}/painted/counts.csv",
    log:
        "<logs>/surveys/{survey}/paint_survey.log",
    benchmark:
        "<benchmarks>/surveys/{survey}/paint_survey.jsonl"
    conda:
        "../../envs/images.yaml"
    threads: 2
    resources:
        mem_mb=painting_memory_mb(STUDY.painted, 2),
        runtime=60,
    params:
        script=script("paint_survey.py"),
        code=code("paint_survey.py", without=SHARED_ROOMS),
        survey=survey_settings("images", "samples", "painted"),
        paint=as_json(asdict(STUDY.painted)),
        species=species_facts(),
        traits_table=TRAITS,
        traits=fingerprint([TRAITS]),
        seed=STUDY.random_seed,
    shell:
        "python {params.script} --survey {params.survey:q} --paint {params.paint:q} --species {params.species:q} "
        "--study-seed {params.seed} --traits {params.traits_table:q} --threads {threads} "
        "--images {output.images:q} --truth $(dirname {output.truth:q}) --log {log:q}"
