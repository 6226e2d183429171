# What rules depend on beside their input files: entries of the configuration and digests of what they
# stand for. They go into params, so that a change of content runs again what it must, and touching nothing.

import hashlib
import re

# By its name each file of published weights that a model of the study starts from.
PUBLISHED = {file.name: file for file in STUDY.pretrained.values()}


def training_entry(wildcards):
    """The model's entry without what only describes it: a new label retrains nothing."""
    entry = asdict(MODELS[wildcards.model])
    return as_json(
        {**entry, "label": "", "licence": "", "reference": "", "parameters": None}
    )


def sample_entry(wildcards):
    """What of a model's entry decides which samples it is shown."""
    entry = asdict(MODELS[wildcards.model])
    return as_json({key: entry[key] for key in ("image_size", "tiling")})


def searched_entry(wildcards):
    """The model's entry as a search sees it, which gives trials a number of epochs of its own."""
    entry = json.loads(training_entry(wildcards))
    return as_json({**entry, "epochs": STUDY.search.epochs_per_trial})


def starting_weights(wildcards):
    """Digest of the file that a training starts from, or the address of published weights."""
    weights = MODELS[wildcards.model].weights
    if wildcards.model in STUDY.pretrained:
        return STUDY.pretrained[wildcards.model].url
    return fingerprint([weights]) if weights.endswith(".safetensors") else weights


def kept_weights(file):
    """Where a file of published weights lies once it is fetched."""
    return str(file.kept_in(STUDY.weights.folder))


def published_weights(wildcards):
    """The file of published weights that a model starts from, where it starts from one."""
    file = STUDY.pretrained.get(wildcards.model)
    return [] if file is None else kept_weights(file)


def without_surveys(merged):
    """The merged configuration as far as the benchmark depends on it."""
    return {
        key: value
        for key, value in merged.items()
        if key not in {"release", "surveys", "survey"}
    }


def training_section():
    """How to train, without what changes no result: how often to save, and who makes the batches."""
    return as_json(
        {**asdict(STUDY.training), "checkpoint_seconds": None, "workers": None}
    )


def annotation_files():
    """The files behind dataset.annotations.path: of YOLO also the labels beside its data YAML."""
    path = STUDY.dataset.annotations.path
    if STUDY.dataset.annotations.format == "yolo":
        folder = path if path.is_dir() else path.parent
        return [*sorted(folder.glob("*.yaml")), *sorted(folder.rglob("*.txt"))]
    return [path]


def painting():
    """All that decides what painted slides show; None for a study that has images."""
    if not IS_PAINTED:
        return None
    return as_json(
        {
            "code": code("paint.py", without=SHARED_ROOMS),
            "traits": fingerprint([TRAITS]),
            "images": fingerprint([STUDY.dataset.images]),
            "painted": asdict(STUDY.painted),
            "species": SPECIES,
            "seed": STUDY.random_seed,
        }
    )


def images_table():
    """Digest of the table of images, where the study has one."""
    table = STUDY.dataset.images
    return fingerprint([table]) if table.is_file() else "folder"


def page_templates():
    """Digest of the templates, styles and scripts of pages."""
    return fingerprint(sorted((SCRIPTS.parent / "resources" / "report").glob("*")))


def image_files(_wildcards):
    """Digest of the images' names and contents; slides, parts and annotations do not count."""
    if IS_PAINTED:
        return "painted"
    names = "\0".join(image.image for image in STUDY.images)
    content = fingerprint((image.path for image in STUDY.images), memory=DIGESTS)
    return f"{hashlib.sha256(names.encode()).hexdigest()[:16]} {content}"


def study_files(_wildcards):
    """Digest of the user's images and annotations; touching one changes nothing, editing one does."""
    if not STUDY.images:
        raise WorkflowError(
            "The images of the study are not there. With the folder of a release under the key release only "
            "surveys can run: snakemake --cores all survey"
        )
    if IS_PAINTED:
        return "painted"
    return fingerprint(
        [
            *annotation_files(),
            STUDY.species_table,
            *(image.path for image in STUDY.images),
        ],
        memory=DIGESTS,
    )
