# What a run says and writes when it starts, ends or fails.


def write_run_config():
    """Write the merged configuration, defaults filled in, beside the results."""
    merged = yaml.safe_dump(STUDY.merged, sort_keys=False, allow_unicode=True)
    text = f"# The merged configuration of this run, defaults filled in.\n{merged}"
    # Jobs of a module come here as well, at the same time.
    if Path(RUN_CONFIG).is_file() and Path(RUN_CONFIG).read_text("utf-8") == text:
        return
    try:
        write_text(text, RUN_CONFIG)
    except OSError as error:
        raise WorkflowError(storage_trouble(error) or str(error)) from None


# A workflow that uses Podura as a module runs its own handlers, not Podura's onstart.
if not workflow.modifier.is_main_snakefile():
    write_run_config()


def closing_words():
    """Say where the results of this run are."""
    surveys = {}
    for survey in STUDY.surveys:
        folder = RESULTS / "surveys" / survey.name
        surveys[f"The survey {survey.name}"] = folder / "report.html"
        surveys[f"To check it ({survey.name})"] = folder / "review" / "index.html"
    places = {
        "The report": RESULTS / "benchmark" / "report.html",
        "The tables": RESULTS / "benchmark" / "species.csv",
        "The data set and its problems": RESULTS / "dataset" / "problems.csv",
        "Every image with its boxes": RESULTS / "dataset" / "index.html",
        "The released detector": RESULTS / "release" / "model_card.md",
        **surveys,
    }
    lines = [f"{what}: {place}" for what, place in places.items() if place.is_file()]
    return "\n".join(["", *lines])


def words_on_failure():
    """Say how to look at what has ended, where anything has."""
    ended = finished_part(STUDY, RESULTS, Path("logs", STUDY.name))[0].models
    if not ended or STUDY.merged["partial"]:
        return ""
    return "\n".join(
        [
            "",
            f"Of {len(STUDY.models)} detectors {len(ended)} have results. A report of what there is, and of what is missing:",
            "the same command with --config partial=true. With --keep-going a run ends all that it can.",
        ]
    )
