# What rules depend on beside their input files: entries of the configuration and digests of what they
# stand for. They go into params, so that a change of content runs again what it must, and touching nothing.

import hashlib


def training_entry(wildcards):
    """The model's entry without what only describes it: a new label retrains nothing."""
    entry = asdict(MODELS[wildcards.model])
    return as_json(
        {**entry, "label": "", "licence": "", "reference": "", "parameters": None}
    )


def searched_entry(wildcards):
    """The model's entry as a search sees it, which gives trials a number of epochs of its own."""
    entry = json.loads(training_entry(wildcards))
    return as_json({**entry, "epochs": STUDY.search.epochs_per_trial})


def starting_weights(wildcards):
    """Digest of the file that a training starts from, where it starts from one."""
    weights = MODELS[wildcards.model].weights
    return fingerprint([weights]) if weights.endswith(".safetensors") else weights


def training_section():
    """How to train, without how often to save: that changes no result."""
    return as_json({**asdict(STUDY.training), "checkpoint_seconds": None})


def annotation_files():
    """The files behind dataset.annotations.path: of YOLO also the labels beside its data YAML."""
    path = STUDY.dataset.annotations.path
    if STUDY.dataset.annotations.format == "yolo":
        folder = path if path.is_dir() else path.parent
        return [*sorted(folder.glob("*.yaml")), *sorted(folder.rglob("*.txt"))]
    return [path]


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
