"""Reviews of drawn surveys by people who are always right: a queue, and the decisions that follow it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.random import Generator

from simulated_surveys import Drawn

QUEUE = ["position", "kind", "detection", "image", "sample", "species", "score", "reason", "probability"]


def drawn_queue(drawn: Drawn, random: int, targeted: int, images: int, generator: Generator) -> pd.DataFrame:
    """Detections drawn with chances that are highest in the middle of scores; images; then targeted ones."""
    found = drawn.detections
    score = found["score"].to_numpy()
    weight = 0.15 + np.sqrt(score * (1 - score))
    chance = np.minimum(1.0, weight * min(random, len(found)) / max(weight.sum(), 1e-9))
    number = generator.random(len(found))
    order = np.argsort(number / chance)
    order = order[number[order] < chance[order]]
    first = found.iloc[order].assign(kind="detection", reason="random", probability=chance[order])
    rest = found.drop(first.index)
    rest = rest.iloc[np.argsort(np.abs(rest["score"].to_numpy() - 0.45))[:targeted]]
    rest = rest.assign(kind="detection", reason="uncertain", probability=np.nan)
    pictures = drawn.images.sample(min(images, len(drawn.images)), random_state=generator)
    pictures = pictures.assign(kind="image", reason="image", probability=min(1.0, images / len(drawn.images)))
    queue = pd.concat([first, pictures, rest], ignore_index=True)
    queue["position"] = np.arange(1, len(queue) + 1)
    return queue.reindex(columns=QUEUE)


def decide(drawn: Drawn, queue: pd.DataFrame) -> pd.DataFrame:
    """What a reviewer decides who sees everything; a second detection of an animal is rejected."""
    truths = drawn.truths.reset_index(drop=True)
    found = drawn.detections.set_index("detection")
    first_of = found[found["truth_species"].notna()]
    rows = []
    for one in queue.to_dict("records"):
        row = {"image": one["image"], "sample": one["sample"], "detection": None, "species": None}
        row["drawn"] = "random" if one["reason"] in ("random", "image") else "targeted"
        if one["kind"] == "detection":
            seen = found.loc[one["detection"], "truth_species"]
            seen = None if pd.isna(seen) else seen
            row |= {"detection": one["detection"], "species": seen}
            row["action"] = "reject" if seen is None else ("accept" if seen == one["species"] else "species")
            rows.append(row)
            continue
        on = np.flatnonzero(truths["image"] == one["image"])
        for animal in on[~np.isin(on, first_of["animal"])]:
            rows.append({**row, "action": "add", "species": truths["species"].iloc[animal]})
        rows.append({**row, "action": "image_done"})
    decisions = pd.DataFrame(
        rows, columns=["detection", "image", "sample", "action", "species", "drawn"], dtype=object
    )
    return decisions.assign(
        reviewer="anna", decided_at="2026-11-25T12:00:00Z", superseded=False, source="anna.json"
    )
