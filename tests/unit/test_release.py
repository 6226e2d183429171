"""A release is chosen on validation, is whole or refused, and detects as it did where it was made."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from podura.detectors.ensembles import fuse
from podura.detectors.inference import Terms as DetectionTerms
from podura.detectors.inference import detect_file
from podura.detectors.weights import load_model
from podura.errors import UserError
from podura.evaluation.matching import match
from podura.fingerprints import file_digest
from podura.release.checking import compare, expected_of
from podura.release.choice import Run, choose, validation_map
from podura.release.contents import DETECTOR, Release
from podura.release.detecting import ReleasedDetector
from podura.release.evidence import evidence
from podura.release.loading import read_release
from podura.tables import DETECTIONS, read_json, write_json
from release_data import CODES, TERMS, make_release, trained

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Release:
    folder = tmp_path_factory.mktemp("release")
    return make_release(folder / "release", folder / "work", seeds=(1, 2))


@pytest.fixture
def copied(made: Release, tmp_path: Path) -> Path:
    """A copy of the release for one test to damage."""
    return Path(shutil.copytree(made.folder, tmp_path / "elsewhere"))


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_release(folder)
    return str(caught.value)


def edit(folder: Path, **changed: Any) -> None:
    write_json({**read_json(folder / DETECTOR), **changed}, folder / DETECTOR)


# The choice.

SCORES = {
    Run("a", 0, 1): (0.90, 0.5),
    Run("a", 0, 2): (0.60, 0.4),
    Run("b", 0, 1): (0.80, 0.5),
    Run("b", 0, 2): (0.78, 0.4),
}


def test_the_winner_has_the_best_mean_over_seeds_not_the_luckiest_seed() -> None:
    chosen = choose(SCORES, ["a", "b"], "winner", "best")
    assert (chosen.model, chosen.seeds, chosen.of_run) == ("b", (1,), 0.80)
    assert chosen.validation == pytest.approx({"a": 0.75, "b": 0.79})


def test_a_named_model_is_taken_whatever_its_score_and_all_of_its_seeds_on_request() -> None:
    assert choose(SCORES, ["a", "b"], "a", "all").seeds == (1, 2)


def test_where_scores_are_equal_the_order_of_the_study_decides() -> None:
    scores = {Run("z", 0, 1): (0.5, 0.5), Run("a", 0, 1): (0.5, 0.5)}
    assert choose(scores, ["z", "a"], "winner", "best").model == "z"


def test_with_folds_only_runs_of_one_fold_are_released() -> None:
    scores = {Run("a", fold, seed): (0.1 * fold + 0.01 * seed, 0.1) for fold in (1, 2, 3) for seed in (1, 2)}
    chosen = choose(scores, ["a"], "winner", "all")
    assert (chosen.fold, chosen.seeds) == (3, (1, 2))


def test_without_truth_on_validation_nothing_is_chosen() -> None:
    with pytest.raises(UserError, match=r"split\.fractions"):
        choose({Run("a", 0, 1): (math.nan, math.nan)}, ["a"], "winner", "best")


def coco(*boxes: tuple[str, tuple[float, float, float, float], bool]) -> dict[str, Any]:
    """Truth of one image: species, box as corners, whether it is to be ignored."""
    return {
        "images": [{"id": 1, "file_name": "i", "slide": "s", "sample": "m", "width": 100, "height": 100}],
        "categories": [{"id": place + 1, "name": code} for place, code in enumerate(CODES)],
        "annotations": [
            {
                "id": place + 1,
                "image_id": 1,
                "category_id": CODES.index(species) + 1,
                "bbox": [x_min, y_min, x_max - x_min, y_max - y_min],
                "iscrowd": 0,
                "ignore": int(ignore),
            }
            for place, (species, (x_min, y_min, x_max, y_max), ignore) in enumerate(boxes)
        ],
    }


def found(*rows: tuple[str, float, tuple[float, float, float, float]]) -> pd.DataFrame:
    return DETECTIONS.frame(
        [
            {"image": "i", "slide": "s", "species": species, "score": score}
            | dict(zip(("x_min", "y_min", "x_max", "y_max"), box, strict=True))
            for species, score, box in rows
        ]
    )


LEFT, RIGHT_BOX = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)


def test_validation_map_is_the_mean_over_species_with_truth() -> None:
    truth = coco(("CER-DEN", LEFT, False))
    matches = match(
        pd.DataFrame(
            [
                {"id": 1, "image": "i", "slide": "s", "species": "CER-DEN", "ignore": False}
                | dict(zip(("x_min", "y_min", "x_max", "y_max"), LEFT, strict=True))
            ]
        ),
        found(("CER-DEN", 0.9, LEFT), ("ISO-MIN", 0.9, LEFT)),
        images={image["file_name"]: image["slide"] for image in truth["images"]},
        species=CODES,
    )
    assert validation_map(matches, CODES) == pytest.approx((1.0, 1.0))
    assert math.isnan(validation_map(matches, ["ISO-MIN"])[0])


# The evidence.


def test_evidence_matches_whatever_the_species_and_by_falling_score() -> None:
    detections, truths = evidence(
        found(("CER-DEN", 0.4, LEFT), ("ISO-MIN", 0.9, LEFT), ("CER-DEN", 0.8, RIGHT_BOX)),
        coco(("CER-DEN", LEFT, False), ("ISO-MIN", (80, 80, 90, 90), False)),
        part="calibration",
        iou_percent=50,
    )
    by_score = detections.set_index("score")["truth_species"]
    assert by_score[0.9] == "CER-DEN", "a wrong species takes the animal if it is surer"
    assert pd.isna(by_score[0.4]), "the second on the same animal is background"
    assert pd.isna(by_score[0.8])
    assert truths.set_index("species")["found_species"].fillna("").to_dict() == {
        "CER-DEN": "ISO-MIN",
        "ISO-MIN": "",
    }
    assert truths.set_index("species").at["CER-DEN", "found_score"] == 0.9
    assert set(detections["sample"]) == {"m"}
    assert set(detections["part"]) == {"calibration"}


def test_detections_of_ignored_animals_are_no_evidence() -> None:
    detections, truths = evidence(
        found(("CER-DEN", 0.9, LEFT)), coco(("CER-DEN", LEFT, True)), part="validation", iou_percent=50
    )
    assert detections.empty
    assert truths.empty


def test_two_detections_of_one_box_and_score_keep_their_species() -> None:
    detections, _ = evidence(
        found(("ISO-MIN", 0.5, LEFT), ("CER-DEN", 0.5, LEFT)),
        coco(("ISO-MIN", LEFT, False)),
        part="validation",
        iou_percent=50,
    )
    assert detections.set_index("species")["truth_species"].fillna("").to_dict() == {
        "CER-DEN": "ISO-MIN",
        "ISO-MIN": "",
    }


# Reading.


def test_a_copied_release_is_read_and_detects_the_same_to_the_bit(made: Release, copied: Path) -> None:
    release = read_release(copied)
    assert release.pipeline == made.pipeline
    expected = read_json(copied / "check/expected.json")["detections"]
    run = ReleasedDetector(release, CPU).detect(copied / "check/image.png")
    assert expected, "an untrained detector finds something at this floor"
    assert run.rows == expected
    assert compare(run.rows, expected).equal


def test_members_are_fused_as_an_ensemble_is(made: Release, tmp_path: Path) -> None:
    image = made.folder / "check/image.png"
    members = []
    for member in made.members:
        detector, _ = load_model(made.member_folder(member))
        terms = DetectionTerms(member.image_size, **TERMS.detection(), device=CPU)
        rows = detect_file(detector, image, terms).rows
        members.append(DETECTIONS.frame([{"image": "x", "slide": "x", **row} for row in rows]))
    expected = fuse(members, {"x": "x"}, CODES, iou=0.55, **TERMS.detection()).detections
    rows = pd.DataFrame(ReleasedDetector(made, CPU).detect(image).rows)
    assert rows["species"].tolist() == expected["species"].tolist()
    columns = ["score", "x_min", "y_min", "x_max", "y_max"]
    np.testing.assert_array_equal(rows[columns].to_numpy(), expected[columns].to_numpy())


def test_an_image_that_no_member_can_read_is_told(made: Release, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff broken")
    assert "broken.jpg" in str(ReleasedDetector(made, CPU).detect(broken).failed)


@pytest.mark.parametrize(
    "name", ["thresholds.csv", "members/yolov5n/seed-2/weights.safetensors", "check/image.png"]
)
def test_an_altered_file_is_refused_by_name(copied: Path, name: str) -> None:
    path = copied / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    said = refusal(copied)
    assert name in said
    assert "altered" in said


def test_every_missing_file_is_told_at_once(copied: Path) -> None:
    (copied / "thresholds.csv").unlink()
    shutil.rmtree(copied / "members/yolov5n/seed-2")
    said = refusal(copied)
    for name in ("thresholds.csv", "seed-2/weights.safetensors", "seed-2/model.json"):
        assert name in said
    assert "missing" in said


def test_a_release_of_another_format_is_refused_with_what_to_do(copied: Path) -> None:
    edit(copied, format_version=2)
    said = refusal(copied)
    assert "version 2" in said
    assert "reads version 1" in said


@pytest.mark.parametrize("terms", [{"score_floor": 0.5, "max_detections": 30, "iou": 0.5}])
def test_thresholds_of_another_pipeline_are_refused(copied: Path, terms: dict[str, float]) -> None:
    edit(copied, terms=terms)
    assert "another pipeline" in refusal(copied)


def test_weights_that_were_exchanged_with_their_digest_are_refused(copied: Path, tmp_path: Path) -> None:
    """Whoever mends the digests after exchanging a model still has thresholds of another pipeline."""
    other = trained(tmp_path / "other", seed=7)
    place = "members/yolov5n/seed-1"
    files = read_json(copied / DETECTOR)["files"]
    for name in ("weights.safetensors", "model.json"):
        shutil.copyfile(other / name, copied / place / name)
        files[f"{place}/{name}"] = file_digest(copied / place / name)
    edit(copied, files=files)
    assert "another pipeline" in refusal(copied)


def test_a_member_that_is_not_listed_is_refused(copied: Path) -> None:
    files = read_json(copied / DETECTOR)["files"]
    del files["members/yolov5n/seed-1/weights.safetensors"]
    edit(copied, files=files)
    assert "does not list members/yolov5n/seed-1/weights.safetensors" in refusal(copied)


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "a\\b", "c:/x", "link/secret.txt"])
def test_a_path_that_leaves_the_folder_is_refused_and_not_read(copied: Path, name: str) -> None:
    secret = copied.parent / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    (copied / "link").symlink_to(copied.parent)
    files = read_json(copied / DETECTOR)["files"]
    edit(copied, files={**files, name: file_digest(secret)})
    assert "leads out of the folder" in refusal(copied)


@pytest.mark.parametrize("folder", ["../work", "/work"])
def test_a_member_outside_of_the_folder_is_refused(copied: Path, folder: str) -> None:
    members = read_json(copied / DETECTOR)["members"]
    edit(copied, members=[{**members[0], "folder": folder}, *members[1:]])
    refusal(copied)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": "other"}', "\x00"])
def test_what_is_no_description_of_a_release_is_refused(copied: Path, text: str) -> None:
    (copied / DETECTOR).write_text(text, encoding="utf-8")
    assert DETECTOR in refusal(copied)


@pytest.mark.parametrize(
    "changed",
    [
        {"members": []},
        {"species": ["A", "A"]},
        {"terms": {"score_floor": "0.1", "max_detections": 3, "iou": 0.5}},
        {"files": {"thresholds.csv": "abc"}},
        {"fusion": {"iou": 2}},
        {"fusion": None},
    ],
)
def test_a_description_that_cannot_be_right_is_refused(copied: Path, changed: dict[str, Any]) -> None:
    edit(copied, **changed)
    assert DETECTOR in refusal(copied)


def test_a_folder_that_is_no_release_is_refused(tmp_path: Path) -> None:
    assert "no folder of a release" in refusal(tmp_path)


# The self-check.


def row(score: float = 0.8, x_min: float = 10.0, species: str = "CER-DEN") -> dict[str, Any]:
    return {"species": species, "score": score, "x_min": x_min, "y_min": 0.0, "x_max": 30.0, "y_max": 20.0}


def test_the_last_digits_may_differ_on_another_machine() -> None:
    checked = compare([row(0.801, 10.2), row(0.05)], [row(), row(0.02, species="ISO-MIN")])
    assert not checked.equal
    assert checked.largest_box_difference == pytest.approx(0.2)
    assert "another machine" in checked.sentence()


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ([], "is not found"),
        ([row(0.7)], "is not found"),
        ([row(x_min=12.0)], "is not found"),
        ([row(species="ISO-MIN")], "is not found"),
        ([row(), row(x_min=11.9)], "is found in addition"),
    ],
)
def test_more_than_the_last_digits_fails_the_self_check(here: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(UserError, match=said):
        compare(here, [row()])


def test_a_self_check_on_a_file_that_is_not_of_the_release_is_refused(copied: Path) -> None:
    write_json({"image": "../secret.png", "detections": []}, copied / "check/expected.json")
    files = read_json(copied / DETECTOR)["files"]
    edit(copied, files={**files, "check/expected.json": file_digest(copied / "check/expected.json")})
    with pytest.raises(UserError, match="names no image of the release"):
        expected_of(read_release(copied))


def test_neighbours_within_the_tolerance_each_take_one() -> None:
    pair = [row(0.8, 10.0), row(0.8, 10.5)]
    assert compare(pair[::-1], pair).largest_box_difference == 0
