"""From the queue, by a person in a browser who knows the truth, to changed estimates and their page."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import chromium
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from podura.tables import (
    EVIDENCE_DETECTIONS,
    EVIDENCE_IMAGES,
    EVIDENCE_TRUTHS,
    RELEASE_THRESHOLDS,
    REVIEW_DECISIONS,
    REVIEW_QUEUE,
    SURVEY_COUNTS,
    SURVEY_DETECTIONS,
    SURVEY_DRIFT,
    SURVEY_IMAGES,
    SURVEY_SAMPLES,
    write_json,
    write_text,
)
from simulated_surveys import RECALL, SPECIES, Drawn, Population, draw_slides

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.executable() is None, reason="there is no Chromium on this machine"),
]

SCRIPTS = Path(__file__).parents[2] / "scripts"
ENTER = ("Enter", 13, "\r")
THRESHOLD = 0.6


def on_image(frame: pd.DataFrame) -> pd.DataFrame:
    """Detections of nothing lie far below the image of the simulation: here in its lower half."""
    below = frame["y_min"] >= 100_000
    return frame.assign(
        **{side: frame[side].where(~below, frame[side] - 99_500) for side in ("y_min", "y_max")}
    )


def write_release(folder: Path, known: Drawn) -> None:
    names = [f"{code}\tGenus{place} species{place}" for place, code in enumerate(SPECIES)]
    write_text("\n".join(["code\tname", *names]) + "\n", folder / "species.tsv")
    write_json({"study": "simulated", "model": "detector", "pipeline": "0" * 16}, folder / "detector.json")
    told = dict.fromkeys(RELEASE_THRESHOLDS.names) | {
        "threshold": THRESHOLD, "threshold_status": "certified", "target_precision": 0.95, "delta": 0.05,
        "calibration_n": 100, "calibration_errors": 1, "precision_lower": 0.951,
    }  # fmt: skip
    rows = [{**told, "species": code} for code in SPECIES]
    RELEASE_THRESHOLDS.write_csv(RELEASE_THRESHOLDS.frame(rows), folder / "thresholds.csv")
    part = {"part": "calibration"}
    detections = known.detections.assign(**part)[EVIDENCE_DETECTIONS.names]
    EVIDENCE_DETECTIONS.write_parquet(detections, folder / "evidence/detections.parquet")
    EVIDENCE_TRUTHS.write_parquet(
        known.truths.assign(**part)[EVIDENCE_TRUTHS.names], folder / "evidence/truths.parquet"
    )
    images = known.images.assign(**part).reindex(columns=EVIDENCE_IMAGES.names)
    EVIDENCE_IMAGES.write_csv(images, folder / "evidence/images.csv")


def write_survey(folder: Path, drawn: Drawn) -> None:
    """The survey as it is after detection, with grey images: who checks it here knows the truth."""
    images = drawn.images.assign(
        path=[str(folder / "pictures" / f"{name}.png") for name in drawn.images["image"]],
        reason=None, capped=False,
        n_detections=drawn.images["image"].map(drawn.detections["image"].value_counts()).fillna(0).astype(int),
    )  # fmt: skip
    for path in images["path"]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (1000, 1000), 200).save(path)
    SURVEY_IMAGES.write_csv(images[SURVEY_IMAGES.names], folder / "images.csv")
    detections = drawn.detections.assign(
        threshold=THRESHOLD, threshold_status="certified", accepted=drawn.detections["score"] >= THRESHOLD
    )
    SURVEY_DETECTIONS.write_parquet(
        detections[SURVEY_DETECTIONS.names], folder / "machine/detections.parquet"
    )
    blank = dict.fromkeys(SURVEY_SAMPLES.names)
    rows = [
        {
            **blank,
            "sample": sample,
            "site": "site",
            "n_images": len(of_sample),
            "n_failed": 0,
            "complete": True,
        }
        for sample, of_sample in images.groupby("sample")
    ]
    SURVEY_SAMPLES.write_csv(SURVEY_SAMPLES.frame(rows), folder / "samples.csv")
    drift = [
        {"sample": row["sample"], "measure": "overall", "value": 0.0, "reference_low": None,
         "reference_high": None, "p_value": 1.0, "unlike": False,
         "sentence": f"{row['sample']} looks like the slides of the study."}
        for row in rows
    ]  # fmt: skip
    SURVEY_DRIFT.write_csv(SURVEY_DRIFT.frame(drift), folder / "drift.csv")


@dataclass
class Workflow:
    """Runs the scripts of the rules, with their arguments."""

    survey: Path
    release: Path

    def run(self, name: str, *arguments: object) -> None:
        done = subprocess.run(
            [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def __call__(self, *decisions: Path) -> pd.DataFrame:
        """All of the survey after its detection; returns counts.csv."""
        folder, review = self.survey, self.survey / "review"
        found = ("--detections", folder / "machine/detections.parquet", "--images", folder / "images.csv")
        queue = ("--queue", review / "queue.csv")
        amounts = json.dumps({"random": 70, "targeted": 5, "images": 6})
        evidence = ("--evidence", self.release / "evidence/detections.parquet")
        self.run(
            "review_queue",
            *found,
            *evidence,
            "--review",
            amounts,
            "--seed",
            1,
            "--output",
            review / "queue.csv",
        )
        species = ("--species", self.release / "species.tsv")
        given = ("--decisions", *decisions) if decisions else ()
        self.run("review_decisions", *given, *found, *queue, *species, "--output", review)
        self.run("review_pictures", *queue, *found, "--output", review / "pictures")
        taken = ("--decisions", review / "decisions.csv")
        release = ("--release", self.release)
        page = ("--pictures", review / "pictures", "--output", review)
        self.run("review_page", "--survey", "spring", *release, *queue, *taken, *found, *page)
        ladder = {"genus": True, "group": "Collembola, undetermined", "overlap": 0.5}
        settings = json.dumps({"confidence": 0.95, "wished_width": 0.5, "ladder": ladder})
        samples = ("--samples", folder / "samples.csv")
        self.run(
            "survey_counts", *release, *found, *samples, *taken, *queue, "--settings", settings, "--seed", 1,
            "--output", folder,
        )  # fmt: skip
        place = ("--survey", "spring", "--folder", folder)
        self.run("survey_report", *place, *release, "--output", folder / "report.html")
        self.run("survey_exports", *place, *release, "--card", "{}", "--output", folder / "exports")
        return SURVEY_COUNTS.read_csv(folder / "counts.csv")


def press(browser: chromium.Browser, letter: str) -> None:
    browser.press(letter, ord(letter.upper()), letter)


def answer(browser: chromium.Browser, queue: pd.DataFrame, drawn: Drawn) -> None:
    """Decide the whole queue as the truth is: by keys, and missed animals drawn with the mouse."""
    truth = drawn.detections.set_index("detection")["truth_species"]
    browser.run("document.getElementById('reviewer').focus()")
    browser.type("Anna")
    browser.press(*ENTER)
    for row in queue.itertuples():
        assert browser.run("document.getElementById('title').textContent").startswith(f"{row.position} of ")
        if row.kind == "image":
            missed = drawn.truths[drawn.truths["image"].eq(row.image) & drawn.truths["found_species"].isna()]
            for animal in missed.itertuples():
                draw(browser, animal)
            press(browser, "d")
        elif truth[row.detection] == row.species:
            press(browser, "a")
        elif isinstance(truth[row.detection], str):
            press(browser, "s")
            browser.type(truth[row.detection])
            browser.press(*ENTER)
        else:
            press(browser, "r")


def draw(browser: chromium.Browser, animal: object) -> None:
    left, top, width, height = browser.run(
        "(r => [r.left, r.top, r.width, r.height])"
        "(document.getElementById('overlay').getBoundingClientRect())"
    )
    x, y, wide, high = browser.run("picture.place()")
    press(browser, "n")

    def on_screen(px: float, py: float) -> tuple[float, float]:
        return left + (px - x) / wide * width, top + (py - y) / high * height

    browser.drag(on_screen(animal.x_min, animal.y_min), on_screen(animal.x_max, animal.y_max))
    browser.type(animal.species)
    browser.press(*ENTER)


def test_a_review_in_the_browser_changes_the_estimates_towards_the_truth(tmp_path: Path) -> None:
    random = np.random.default_rng(11)
    known = draw_slides(Population(), 10, 2, 4, random, "known")
    # These samples are unlike the annotated slides: half as many animals are found, and more of nothing.
    odd = Population(recall=RECALL * 0.5, background=np.full(6, 0.9))
    drawn = draw_slides(odd, 2, 2, 4, random, "new")
    drawn = Drawn(on_image(drawn.detections), drawn.truths, drawn.images)
    workflow = Workflow(tmp_path / "survey", tmp_path / "release")
    write_release(workflow.release, known)
    write_survey(workflow.survey, drawn)
    before = workflow()
    assert set(before["method"]) <= {"calibration", "pooled"}
    queue = REVIEW_QUEUE.read_csv(workflow.survey / "review/queue.csv")
    with chromium.Browser() as browser:
        browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"))
        browser.open(workflow.survey / "review/index.html", height=1100)
        answer(browser, queue, drawn)
        assert browser.complaints() == []
        assert browser.run("document.getElementById('bar').value") == len(queue)
        browser.run("document.getElementById('save').click()")
        deadline = time.monotonic() + 10
        while (
            not (files := list((tmp_path / "saved").glob("decisions-*.json"))) and time.monotonic() < deadline
        ):
            time.sleep(0.1)
        after = workflow(*files)
        decisions = REVIEW_DECISIONS.read_csv(workflow.survey / "review/decisions.csv")
        assert len(decisions) == len(queue) + decisions["action"].eq("add").sum()
        assert decisions["action"].eq("add").sum() > 3
        truth = drawn.animals().stack()
        error = {}
        for name, counts in (("before", before), ("after", after)):
            made = counts.set_index(["sample", "species"])["estimate"].astype(float)
            error[name] = abs(made.sum() - truth.sum()) / truth.sum()
        assert error["before"] > 0.25, "the detector's own word misleads here"
        assert error["after"] < 0.5 * error["before"]
        assert set(after["method"]) <= {"reviewed", "verified"}
        keyed = after.set_index(["sample", "species"])
        inside = (keyed["low"] <= truth) & (truth <= keyed["high"])
        assert inside.mean() >= 0.75
        report = workflow.survey / "report.html"
        browser.open(report)
        said = browser.run("document.body.textContent")
        assert (
            f"{decisions['detection'].notna().sum()} detections and 6 whole images were checked by Anna"
            in said
        )
        assert browser.complaints() == []
        assert browser.requests() == [report.resolve().as_uri()]
        # The page of the review knows what was decided, so that nobody does it again.
        browser.open(workflow.survey / "review/index.html")
        browser.run("localStorage.clear()")
        browser.open(workflow.survey / "review/index.html")
        assert browser.run("document.getElementById('bar').value") == len(queue)
        assert "(Anna)" in browser.run("document.getElementById('answer').textContent")
    exports = {path.name for path in (workflow.survey / "exports").iterdir()}
    assert {"coco.json", "yolo", "cvat.xml", "label_studio.json", "survey.xlsx", "darwin_core.zip"} <= exports
    assert "samples.geojson" not in exports, "no coordinates are known"
