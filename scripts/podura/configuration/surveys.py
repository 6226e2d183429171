"""The keys ``release``, ``surveys`` and ``survey``: which detector runs on which new images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from podura.configuration.sources import Origins
from podura.configuration.structure import Schema, structural_faults, with_command_line_read, with_defaults
from podura.configuration.wording import choice, shown, suggestion
from podura.errors import UserError, UserErrors

_NAME_LENGTH = 60


@dataclass(frozen=True)
class ReleaseSettings:
    """Which detector is released, "winner" or a name, and of which seeds: best or all.

    ``folder`` is that of a release from elsewhere, with which surveys run in place of the study's own.
    """

    model: str
    seeds: str
    folder: Path | None


@dataclass(frozen=True)
class ReviewSettings:
    """How many detections (at random, and aimed at) and images are laid before a reviewer."""

    random: int
    targeted: int
    images: int


@dataclass(frozen=True)
class LadderSettings:
    """What a detection of unsure species is called: its genus, else ``group`` (None: its species stays)."""

    genus: bool
    group: str | None
    overlap: float


@dataclass(frozen=True)
class PaintedSurvey:
    """A survey whose images Podura paints; the sites ``unlike`` differ from those of the study."""

    seed: int
    unlike: tuple[str, ...]


@dataclass(frozen=True)
class SurveySettings:
    """One survey. Paths are from the folder that Podura runs in.

    ``images`` is a table or a folder, ``samples`` a table of what is known of the samples. ``release`` is the
    folder of a release from elsewhere, None for that of the study. ``wished_width`` is a share of the
    estimate.
    """

    name: str
    images: Path
    sample_pattern: str | None
    samples: Path | None
    release: Path | None
    decisions: tuple[Path, ...]
    confidence: float
    wished_width: float
    review: ReviewSettings
    ladder: LadderSettings
    painted: PaintedSurvey | None


def release_settings(value: Mapping[str, Any] | str, folder: Path) -> ReleaseSettings:
    """The key ``release``, of sound form, as typed settings."""
    if isinstance(value, str):
        return ReleaseSettings("winner", "best", folder / value)
    return ReleaseSettings(value["model"], value["seeds"], None)


def release_faults(
    value: Mapping[str, Any] | str, models: Sequence[str], folder: Path
) -> Iterator[tuple[str, str]]:
    """The dotted key, and what is wrong, of each fault of a key ``release`` of sound form."""
    if isinstance(value, str):
        if not (folder / value).is_dir():
            yield (
                "release",
                f"there is no folder {shown(value)}. Write the path of the folder of a release.",
            )
    elif value["model"] not in {"winner", *models}:
        near = suggestion(value["model"], models)
        yield (
            "release.model",
            f"{shown(value['model'])} is not in the study.{near} Write {choice(['winner', *models])}.",
        )


def named_survey(config: Mapping[str, Any]) -> tuple[str, str | None] | None:
    """Name and images of the survey that the key ``survey`` asks for; no images where ``surveys`` has them.

    A survey is called after its folder, or after the table where that is not called images.
    """
    given = config["survey"]
    if given is None:
        return None
    if given in (config["surveys"] or {}):
        return given, None
    path = Path(given)
    named = path.with_suffix("") if path.suffix in {".tsv", ".txt"} else path
    if named.name == "images":
        named = named.parent
    return _as_name(named.name or Path.cwd().name), given


def surveys_of(
    config: Mapping[str, Any], schema: Schema, origins: Origins, folder: Path
) -> tuple[SurveySettings, ...]:
    """The surveys of a run, from a configuration whose keys ``surveys`` and ``survey`` have the right form.

    Raises UserErrors that tell every fault of an entry. That the images of a survey can be read is only
    checked where it is asked for: the benchmark does not need them.
    """
    named = named_survey(config)
    entries: dict[str, Any] = dict(config["surveys"] or {})
    if named is not None and named[1] is not None:
        if named[0] in entries:
            raise UserErrors(
                [
                    f"{origins.where(('survey',))}: {shown(named[1])} would be called {shown(named[0])} as "
                    f"an entry of surveys is. Write survey={named[0]} for that entry, or rename it."
                ]
            )
        entries[named[0]] = {"images": named[1]}
    faults: list[str] = []
    found = []
    for name, entry in entries.items():
        above = ("surveys", name)
        filled = with_defaults(with_command_line_read(entry, schema, origins, above), schema)
        wrong = [fault.message for fault in structural_faults(filled, schema, origins, above)]
        if not wrong:
            wrong += [
                f"{origins.where((*above, *key.split('.')))}: {message}"
                for key, message in _survey_faults(filled, folder)
            ]
        faults += wrong
        if not wrong and (named is None or named[0] == name):
            found.append(_settings(name, filled, folder))
    if faults:
        raise UserErrors(faults)
    return tuple(found)


def release_of(survey: SurveySettings, release: ReleaseSettings) -> Path | None:
    """The folder of the release from elsewhere with which a survey runs; None for that of the study.

    Raises UserError where that is no folder of a release. Only surveys that are asked for need one.
    """
    folder = survey.release or release.folder
    if folder is not None and not (folder / "detector.json").is_file():
        raise UserError(
            f"{folder}: this is no folder of a release, for there is no detector.json in it. Give the folder "
            "'release' of a study's results, or a copy of it."
        )
    return folder


#: Stands for a key on which something does not depend.
_NEUTRAL = SurveySettings(
    name="",
    images=Path(),
    sample_pattern=None,
    samples=None,
    release=None,
    decisions=(),
    confidence=0.5,
    wished_width=1.0,
    review=ReviewSettings(0, 0, 0),
    ladder=LadderSettings(False, None, 0.5),
    painted=None,
)


def part_of(survey: SurveySettings, keys: Iterable[str]) -> dict[str, Any]:
    """The name and these keys of a survey, as ``asdict`` gives them; what others say does not show in it."""
    return {**asdict(_NEUTRAL), **{key: asdict(survey)[key] for key in ("name", *keys)}}


def survey_from_json(value: Mapping[str, Any]) -> SurveySettings:
    """The settings that ``asdict`` and JSON, with paths as texts, made of a survey."""
    painted = value["painted"]
    return SurveySettings(
        **{
            **value,
            "images": Path(value["images"]),
            "samples": None if value["samples"] is None else Path(value["samples"]),
            "release": None if value["release"] is None else Path(value["release"]),
            "decisions": tuple(Path(file) for file in value["decisions"]),
            "review": ReviewSettings(**value["review"]),
            "ladder": LadderSettings(**value["ladder"]),
            "painted": None if painted is None else PaintedSurvey(painted["seed"], tuple(painted["unlike"])),
        }
    )


def _survey_faults(survey: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, str]]:
    pattern = survey["sample_pattern"]
    if pattern is not None:
        example = "Write for example (?P<sample>[^/]+)/[^/]+$ for one folder a sample."
        try:
            if "sample" not in re.compile(pattern).groupindex:
                yield "sample_pattern", f"{shown(pattern)} has no group (?P<sample>...). {example}"
        except re.error as error:
            yield "sample_pattern", f"{shown(pattern)} is not a regular expression ({error}). {example}"
    for place, file in enumerate(survey["decisions"]):
        if not (folder / file).is_file():
            yield (
                "decisions",
                f"item {place + 1}: there is no file {shown(file)}. Write the path of a file that the review "
                "page saved.",
            )
    if survey["release"] is not None and not (folder / survey["release"]).is_dir():
        yield (
            "release",
            f"there is no folder {shown(survey['release'])}. Write the path of the folder of a "
            "release, or null.",
        )


def _settings(name: str, survey: Mapping[str, Any], folder: Path) -> SurveySettings:
    painted = survey["painted"]
    return SurveySettings(
        name=name,
        images=folder / survey["images"],
        sample_pattern=survey["sample_pattern"],
        samples=None if survey["samples"] is None else folder / survey["samples"],
        release=None if survey["release"] is None else folder / survey["release"],
        decisions=tuple(folder / file for file in survey["decisions"]),
        confidence=float(survey["confidence"]),
        wished_width=float(survey["wished_width"]),
        review=ReviewSettings(**survey["review"]),
        ladder=LadderSettings(**{**survey["ladder"], "overlap": float(survey["ladder"]["overlap"])}),
        painted=None if painted is None else PaintedSurvey(painted["seed"], tuple(painted["unlike"])),
    )


def _as_name(text: str) -> str:
    name = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")[:_NAME_LENGTH]
    return name or "survey"
