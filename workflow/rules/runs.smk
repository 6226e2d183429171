# The runs of models, ensembles and controls, and their files: not every model has a run of every seed.


def licence(model):
    """The licence of a model's code; whoever runs an ensemble keeps those of all its members."""
    members = ENSEMBLES[model].members if model in ENSEMBLES else [model]
    return " AND ".join(sorted({MODELS[member].licence for member in members}))


def model_facts():
    """What tables and figures say of each model, in the order in which they show them."""
    detectors = [
        {
            "model": one.name,
            "label": one.label,
            "role": "detector",
            "framework": one.adapter,
            "licence": licence(one.name),
        }
        for one in STUDY.included
    ]
    labels = {
        "control_truth": "Truth (control)",
        "control_shuffled": "Shuffled (control)",
    }
    controls = [
        {
            "model": name,
            "label": labels[name],
            "role": "control",
            "framework": None,
            "licence": None,
        }
        for name in CONTROLS
    ]
    return detectors + controls


def runs_of(model):
    """Folders of a model's runs, of each fold and seed; an ensemble of all seeds has one a fold."""
    return [run_folder(seed, fold) for fold in FOLDS for seed in STUDY.seeds_of(model)]


def all_runs(pattern):
    """A file of every model, ensemble and control and, where the pattern has them, run, seed and species."""
    return [
        path
        for model in [*DETECTORS, *CONTROLS]
        for path in expand(
            pattern,
            model=model,
            run=runs_of(model),
            seed=map(seed_name, STUDY.seeds_of(model)),
            species=SPECIES,
        )
    ]


def all_trainings(pattern):
    """A file of every run of every model that is trained."""
    return [
        path
        for model in MODELS
        for path in expand(pattern, model=model, run=runs_of(model))
    ]


def of_each_fold(part, file):
    """A file of a part in every fold, or of the part where there are no folds."""
    places = [part_folder(part, fold) for fold in FOLDS]
    return expand("<results>/dataset/parts/{place}/{file}", place=places, file=file)


def matches_of_each_fold(part):
    """The matches of a model and seed on a part in every fold."""
    runs = [run_folder("{seed}", fold) for fold in FOLDS]
    return [f"<results>/matches/{{model}}/{run}/{part}.parquet" for run in runs]


def files_of_runs(pattern, model):
    """A file of every run of a model, by seed and then by fold."""
    return [
        path
        for seed in STUDY.seeds_of(model)
        for fold in FOLDS
        for path in expand(pattern, model=model, run=run_folder(seed, fold))
    ]


def runs_of_model(pattern):
    """A file of every run of the model that is a job's wildcard, by seed and then by fold."""
    return lambda wildcards: files_of_runs(pattern, wildcards.model)


def scores_of(model):
    """The scores of a model, by seed and then by species."""
    return [
        f"<results>/scores/{model}/seed-{seed_name(seed)}/{species}.json"
        for seed in STUDY.seeds_of(model)
        for species in SPECIES
    ]


def models_of_each_fold(wildcards):
    """The facts of each model behind a run, fold after fold; nothing for controls, which are not trained."""
    seed = seed_number(wildcards.seed)
    if wildcards.model in ENSEMBLES:
        runs = STUDY.fused_runs(ENSEMBLES[wildcards.model], seed)
    else:
        runs = [(wildcards.model, seed)] if wildcards.model in MODELS else []
    return [
        f"<results>/models/{member}/{run_folder(of_seed, fold)}/model.json"
        for fold in FOLDS
        for member, of_seed in runs
    ]


def training_histories():
    return all_trainings("<results>/models/{model}/{run}/history.csv")


def runs_by_model():
    """Of every model the numbers of its seeds and, where it fuses others, its members."""
    return {
        model: {
            "seeds": STUDY.seeds_of(model),
            "members": ENSEMBLES[model].members if model in ENSEMBLES else (),
        }
        for model in [*DETECTORS, *CONTROLS]
    }


def fused_runs(wildcards):
    """Folders below detections/ of the runs that a run of an ensemble fuses, in the same fold."""
    runs = STUDY.fused_runs(ENSEMBLES[wildcards.model], seed_number(wildcards.seed))
    fold = int(wildcards.get("fold", 0))
    return [f"{member}/{run_folder(seed, fold)}" for member, seed in runs]


def searched_settings():
    """What a search found for a model (and fold), where the study searches."""
    if STUDY.search.trials is None:
        return []
    return "<results>/models/{model}/<search>/best.json"


def other_study():
    """Files of the study that this one is compared with, as far as they are there: the script tells what is not."""
    folder = STUDY.compare_with
    if folder is None:
        return []
    files = [folder / "config.yaml", folder / "dataset" / "split.csv"]
    files += [folder / "benchmark" / f"{name}.csv" for name in ("species", "models")]
    files += sorted(folder.glob("matches/*/**/test.parquet"))
    files += sorted(folder.glob("dataset/parts/**/test/images.csv"))
    return [file for file in files if file.is_file()]
