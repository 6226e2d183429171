"""Images become samples, every image is told of, and what is known is not done again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from podura.configuration.structure import load_schema
from podura.detectors.inference import ImageRun
from podura.errors import UserError
from podura.fingerprints import content_digest
from podura.report.gallery import Subject, write_gallery
from podura.report.pens import box_style
from podura.report.specimens import Legend
from podura.slides.reading import open_slide, read_reduced
from podura.slides.statistics import image_statistics
from podura.survey.detecting import Stopped, SurveyTables, Tools, detect_survey
from podura.survey.overlays import Kept, shown_boxes
from podura.survey.samples import SurveyImages, look_alikes, read_survey
from podura.survey.store import Store
from podura.tables import EMBEDDING, RELEASE_THRESHOLDS, SAMPLE_FACTS, whole_folder
from release_data import CODES, SCHEMAS, make_release, survey_of, write_picture

SCHEMA = load_schema(SCHEMAS, "survey_images")
THRESHOLDS = RELEASE_THRESHOLDS.frame(
    [
        {
            **dict.fromkeys(RELEASE_THRESHOLDS.names),
            "species": code,
            "threshold": threshold,
            "threshold_status": "certified" if threshold else "needs_more",
        }
        for code, threshold in zip(CODES, (0.6, None), strict=True)
    ]
)


def read(images: Path, **entry: Any) -> SurveyImages:
    return read_survey(survey_of(images, **entry), SCHEMA)


def refusal(images: Path, **entry: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(images, **entry)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two samples of two images in subfolders, and one image beside them."""
    for place, name in enumerate(("core-1/a.png", "core-1/b.png", "core-2/a.png", "core-2/c.png", "d.png")):
        write_picture(tmp_path / "meadow" / name, seed=place)
    return tmp_path / "meadow"


def table(folder: Path, *rows: str, header: str = "image\tsample\tslide\tsite\tarea_cm2") -> Path:
    path = folder / "images.tsv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


# Samples.


def test_each_subfolder_is_a_sample_and_loose_images_are_of_the_survey(folder: Path) -> None:
    survey = read(folder)
    assert {image.image: image.sample for image in survey.images} == {
        "core-1/a.png": "core-1",
        "core-1/b.png": "core-1",
        "core-2/a.png": "core-2",
        "core-2/c.png": "core-2",
        "d.png": "meadow",
    }
    assert len({image.slide for image in survey.images}) == 5
    assert list(survey.samples) == ["core-1", "core-2", "meadow"]


def test_a_pattern_finds_sample_slide_and_site(tmp_path: Path) -> None:
    for name in ("M1_s1_1.png", "M1_s1_2.png", "Q2_s1_1.png"):
        write_picture(tmp_path / name, seed=1)
    said = refusal(tmp_path, sample_pattern=r"^(?P<sample>[A-Z]\d)_(?P<slide>s\d)")
    assert "puts the slide 's1' into M1 and Q2" in said
    survey = read(tmp_path, sample_pattern=r"^(?P<slide>(?P<sample>(?P<site>[A-Z])\d)_s\d)")
    assert [image.slide for image in survey.images] == ["M1_s1", "M1_s1", "Q2_s1"]
    assert {name: facts["site"] for name, facts in survey.samples.items()} == {"M1": "M", "Q2": "Q"}


def test_an_image_that_the_pattern_does_not_fit_is_told(folder: Path) -> None:
    assert "no sample in 1 of 5 images: d.png" in refusal(folder, sample_pattern=r"(?P<sample>core-\d)/")


def test_a_table_tells_of_samples_and_one_row_is_enough(folder: Path) -> None:
    path = table(folder, "core-1/a.png\tA\ts1\tmeadow\t19.6", "core-1/b.png\tA\ts1\t\t", "d.png\t\t\t\t")
    survey = read(path)
    assert survey.samples["A"]["site"] == "meadow"
    assert survey.samples["A"]["area_cm2"] == 19.6
    assert survey.samples["d"] == dict.fromkeys(SAMPLE_FACTS), "an image by itself is slide and sample"
    assert survey.images[0].path == folder / "core-1/a.png"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            ["core-1/a.png\tA\ts1\tx\t", "core-1/b.png\tA\ts1\ty\t"],
            "the sample 'A' has 'x' (row 2) and 'y' (row 3)",
        ),
        (
            ["core-1/a.png\tA\ts1\t\t", "core-1/b.png\tB\ts1\t\t"],
            "the slide 's1' has 'A' (row 2) and 'B' (row 3)",
        ),
        (["core-1/a.png\tA\ts1\t\t0"], "column 'area_cm2': '0' is not above 0"),
        (["core-1/a.png\tA\ts1\t\tbig"], "'big' is not a number"),
        (["core-1/a.png\tA\t\t\t", "./core-1/a.png\tA\t\t\t"], "stands already in row 2"),
        (["x.png\tA\t\t\t", "y.png\tA\t\t\t"], "2 of 2 image files are not there"),
        ([], "holds no image"),
    ],
)
def test_a_fault_of_the_table_is_told_with_its_row(folder: Path, rows: list[str], said: str) -> None:
    assert said in refusal(table(folder, *rows))


def test_a_table_of_samples_tells_of_a_folder_and_keeps_samples_without_images(
    folder: Path, tmp_path: Path
) -> None:
    samples = tmp_path / "samples.tsv"
    samples.write_text("sample\tsite\tlatitude\ncore-1\thedge\t48.5\nlost\thedge\t\n", encoding="utf-8")
    survey = read(folder, samples=str(samples))
    assert survey.samples["core-1"]["latitude"] == 48.5
    assert survey.samples["lost"]["site"] == "hedge"
    samples.write_text("sample\tlatitude\ncore-1\t148.5\n", encoding="utf-8")
    assert "at least -90 and at most 90" in refusal(folder, samples=str(samples))


@pytest.mark.parametrize("images", ["nowhere", "nowhere.tsv"])
def test_a_survey_that_is_not_there_is_told_with_its_key(tmp_path: Path, images: str) -> None:
    assert "surveys.meadow.images: there is no" in refusal(tmp_path / images)


def test_samples_that_are_written_in_two_ways_are_told() -> None:
    names = ["Core 1", "core 1", "core\u00a01\u200b", "core 11", "bog"]
    assert look_alikes(names) == ["'Core 1', 'core 1' and 'core\u00a01\u200b'"]
    assert look_alikes(["a", "b"]) == []


# The store.


def test_a_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    with Store(tmp_path / "machine/store", "one") as store:
        store.add("a", {"rows": [["ISO-MIN", 0.1 + 0.2]]})
        store.add("b", {"rows": []})
    with Store(tmp_path / "machine/store", "one") as store:
        assert store.get("a") == {"rows": [["ISO-MIN", 0.1 + 0.2]]}
        assert store.get("c") is None
        store.add("c", {"rows": [1]})
        assert store.get("b") == {"rows": []}
    with Store(tmp_path / "machine/store", "one") as store:
        assert len(store) == 3


def test_a_store_of_another_detector_is_begun_anew(tmp_path: Path) -> None:
    with Store(tmp_path / "store", "one") as store:
        store.add("a", {})
    with Store(tmp_path / "store", "two") as store:
        assert store.get("a") is None


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_kill_at_any_byte_costs_the_last_image_only(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "store"
    with Store(path, "one") as store:
        store.add("a", {"rows": [1]})
        whole = path.stat().st_size
        store.add("b", {"rows": ["a longer line than the cut"]})
    path.write_bytes(path.read_bytes()[: whole + cut])
    with Store(path, "one") as store:
        assert store.get("a") == {"rows": [1]}
        assert store.get("b") is None
        store.add("b", {"rows": [2]})
    with Store(path, "one") as store:
        assert store.get("b") == {"rows": [2]}


def test_images_that_are_gone_are_dropped_once_they_are_many(tmp_path: Path) -> None:
    with Store(tmp_path / "store", "one") as store:
        for key in "abcdef":
            store.add(key, {"key": key})
        size = store.path.stat().st_size
        store.keep_only({"b", "e"})
        assert store.path.stat().st_size < size
        assert store.get("e") == {"key": "e"}
        assert store.get("a") is None
        store.add("g", {"key": "g"})
    with Store(tmp_path / "store", "one") as store:
        assert store.get("g") == {"key": "g"}
        assert store.get("b") == {"key": "b"}


# Detecting.


@dataclass
class Counting:
    """A detector that finds, in every image that can be read, one box a species, and counts the images."""

    seen: list[str] = field(default_factory=list)
    capped: frozenset[str] = frozenset()

    def tools(self) -> Tools:
        return Tools(self.detect, self.look)

    def detect(self, path: Path) -> ImageRun:
        try:
            with open_slide(path) as slide:
                width, height = slide.size
        except UserError as error:
            return ImageRun(failed=str(error))
        self.seen.append(path.name)
        rows = [
            {"species": code, "score": 0.7 - 0.1 * place, "x_min": 1.0, "y_min": 1.0}
            | {"x_max": width / 2, "y_max": height / 2}
            for place, code in enumerate(CODES)
        ]
        return ImageRun(rows=rows, capped=path.name in self.capped)

    def look(self, path: Path) -> Mapping[str, float | None]:
        pixels, _ = read_reduced(path, 64)
        return {**image_statistics(pixels), **dict.fromkeys(EMBEDDING)}


def run(survey: SurveyImages, store: Path, detector: Counting, **options: Any) -> SurveyTables:
    with Store(store, "release") as kept:
        return detect_survey(survey, kept, detector.tools, THRESHOLDS, **options)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "machine/store.jsonl"


def test_added_images_alone_are_detected_in(folder: Path, store: Path) -> None:
    first = run(read(folder), store, Counting())
    write_picture(folder / "core-1/new.png", seed=50)
    detector = Counting()
    second = run(read(folder), store, detector)
    assert detector.seen == ["new.png"]
    assert second.n_new == 1
    old = second.detections[second.detections["image"] != "core-1/new.png"].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, first.detections)


def test_a_renamed_image_is_known_and_a_changed_one_is_not(folder: Path, store: Path) -> None:
    run(read(folder), store, Counting())
    (folder / "d.png").rename(folder / "core-2/moved.png")
    write_picture(folder / "core-1/a.png", seed=77)
    detector = Counting()
    found = run(read(folder), store, detector)
    assert detector.seen == ["a.png"]
    moved = found.images.set_index("image").loc["core-2/moved.png"]
    assert (moved["sample"], moved["n_detections"]) == ("core-2", 2)


def test_removed_images_are_in_no_table(folder: Path, store: Path) -> None:
    run(read(folder), store, Counting())
    (folder / "d.png").unlink()
    found = run(read(folder), store, Counting())
    for frame in (found.images, found.detections, found.looks):
        assert "d.png" not in set(frame["image"])
    assert "meadow" not in set(found.samples["sample"])


def test_without_new_images_the_detector_is_not_even_loaded(folder: Path, store: Path) -> None:
    survey = read(folder)
    first = run(survey, store, Counting())

    def fail() -> Tools:
        raise AssertionError("nothing is new")

    with Store(store, "release") as kept:
        again = detect_survey(survey, kept, fail, THRESHOLDS)
    for name in ("samples", "images", "detections", "looks"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))


def test_a_broken_image_is_listed_and_its_sample_incomplete(folder: Path, store: Path) -> None:
    (folder / "core-1/b.png").write_bytes(b"\x89PNG broken")
    found = run(read(folder), store, Counting())
    broken = found.images.set_index("image").loc["core-1/b.png"]
    assert broken["status"] == "failed"
    assert "core-1/b.png" in broken["reason"]
    assert str(folder) not in broken["reason"]
    assert pd.isna(broken["n_detections"])
    samples = found.samples.set_index("sample")
    assert samples["complete"].to_dict() == {"core-1": False, "core-2": True, "meadow": True}
    assert samples.at["core-1", "n_failed"] == 1
    assert (found.detections["sample"] == "core-1").sum() == 2, "the other image counts"
    write_picture(folder / "core-1/b.png", seed=33)
    mended = run(read(folder), store, detector := Counting())
    assert detector.seen == ["b.png"]
    assert mended.samples["complete"].all()


def test_a_file_that_is_gone_is_listed(folder: Path, store: Path) -> None:
    path = table(folder, "core-1/a.png\tA\t\t\t", "core-1/b.png\tA\t\t\t", "gone.png\tB\t\t\t")
    found = run(read(path), store, Counting())
    assert found.images.set_index("image").at["gone.png", "status"] == "failed"
    assert found.samples.set_index("sample")["complete"].to_dict() == {"A": True, "B": False}


def test_a_sample_that_reached_the_cap_is_incomplete(folder: Path, store: Path) -> None:
    found = run(read(folder), store, Counting(capped=frozenset({"c.png"})))
    assert found.samples.set_index("sample")["complete"].to_dict() == {
        "core-1": True,
        "core-2": False,
        "meadow": True,
    }


def test_only_certified_thresholds_accept(folder: Path, store: Path) -> None:
    found = run(read(folder), store, Counting()).detections
    by_species = found.groupby("species")["accepted"].mean()
    assert by_species.to_dict() == {"CER-DEN": 1.0, "ISO-MIN": 0.0}
    assert found.loc[found["species"] == "ISO-MIN", "threshold"].isna().all()


def test_names_of_detections_are_unique_and_do_not_depend_on_the_rest(folder: Path, store: Path) -> None:
    found = run(read(folder), store, Counting()).detections
    assert found["detection"].is_unique
    (folder / "core-1/a.png").unlink()
    fewer = run(read(folder), store, Counting()).detections
    assert set(fewer["detection"]) < set(found["detection"])


def test_a_stopped_survey_goes_on_where_it_was(folder: Path, store: Path) -> None:
    detector = Counting()
    with pytest.raises(Stopped):
        run(read(folder), store, detector, should_stop=lambda: len(detector.seen) == 2)
    rest = Counting()
    found = run(read(folder), store, rest)
    assert len(rest.seen) == 3
    unbroken = run(read(folder), store.with_name("other"), Counting())
    pd.testing.assert_frame_equal(found.detections, unbroken.detections)


def test_copies_of_a_file_are_detected_in_once_and_told(
    folder: Path, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "copy.png").write_bytes((folder / "d.png").read_bytes())
    detector = Counting()
    found = run(read(folder), store, detector)
    assert len(detector.seen) == 5
    assert len(found.images) == 6
    assert "copy.png and d.png are the same file" in caplog.text
    told = found.images[found.images["reason"].notna()]
    assert told[["image", "status", "reason"]].values.tolist() == [
        ["d.png", "ok", "the same file as copy.png"]
    ]


def test_a_broken_image_and_its_copy_are_told_by_their_names(folder: Path, store: Path) -> None:
    for name in ("core-1/b.png", "core-2/copy.png"):
        (folder / name).write_bytes(b"\x89PNG broken")
    reasons = run(read(folder), store, Counting()).images.set_index("image")["reason"]
    for name in ("core-1/b.png", "core-2/copy.png"):
        assert "core-1/b.png" in reasons[name]
        assert str(folder) not in reasons[name]


def test_a_field_that_was_saved_twice_is_told_before_it_is_counted_twice(folder: Path) -> None:
    write_picture(folder / "core-1/a.tif", seed=5)
    said = refusal(folder)
    assert "core-1/a.png and core-1/a.tif differ in their suffix only" in said
    named = read(folder, sample_pattern=r"(?P<sample>(?P<slide>.+))\.")
    assert len(named.images) == 6, "who names slides says that they are meant"


def test_the_content_of_a_file_is_what_counts(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"x")
    two.write_bytes(b"x")
    assert content_digest(one) == content_digest(two)
    two.write_bytes(b"xy")
    assert content_digest(one) != content_digest(two)


# Pictures.


def draw(found: SurveyTables, folder: Path, style: str = "") -> tuple[pd.DataFrame, list[str]]:
    """All pictures, and the images that were drawn anew, as the script does it."""
    boxes = shown_boxes(found.detections)
    legend = Legend({code: box_style(place) for place, code in enumerate(CODES)}, {})
    kept = Kept(folder, found.images, boxes, style=style)
    subjects = [
        Subject(row.image, row.path, row.slide)
        for row in found.images.itertuples()
        if row.image not in kept.pictures
    ]
    with whole_folder(folder / ".new") as new:
        drawn = write_gallery(subjects, boxes, legend, new, read=lambda path: read_reduced(path, 200))
    return kept.take(folder / ".new", drawn), drawn["image"].tolist()


def test_only_pictures_that_changed_are_drawn_again(folder: Path, store: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "overlays"
    first, drawn = draw(run(read(folder), store, Counting()), pictures)
    assert len(drawn) == 5
    write_picture(folder / "new.png", seed=9)
    (folder / "d.png").unlink()
    second, drawn = draw(run(read(folder), store, Counting()), pictures)
    assert drawn == ["new.png"]
    assert second["image"].tolist() == [
        "core-1/a.png",
        "core-1/b.png",
        "core-2/a.png",
        "core-2/c.png",
        "new.png",
    ]
    assert {path.name for path in pictures.glob("*.jpg")} == set(second["file"])
    assert {path.name for path in (pictures / "thumbnails").glob("*.jpg")} == set(second["file"])
    assert first["file"].iloc[0] == second["file"].iloc[0]
    assert len(draw(run(read(folder), store, Counting()), pictures, style="new")[1]) == 5


def test_a_release_runs_over_a_folder_of_images(folder: Path, store: Path, tmp_path: Path) -> None:
    """The real thing, end to end: an untrained network in a release, real files, real tables."""
    import torch

    from podura.release.detecting import ReleasedDetector
    from podura.release.looks import Looks

    release = make_release(tmp_path / "release", tmp_path / "work", thresholds={"CER-DEN": 0.002})
    with Store(store, release.pipeline) as kept:
        found = detect_survey(
            read(folder),
            kept,
            lambda: Tools(ReleasedDetector(release, torch.device("cpu")).detect, Looks().of_file),
            RELEASE_THRESHOLDS.read_csv(release.file("thresholds.csv")),
        )
    assert (found.images["status"] == "ok").all()
    assert set(found.detections["species"]) <= set(CODES)
    assert found.detections["accepted"].any()
    assert len(found.looks) == 5
    assert found.looks[list(EMBEDDING)].notna().all(axis=None)
