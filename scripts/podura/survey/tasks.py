"""What tasks of Label Studio and CVAT show, and the words by which their answers are known."""

from __future__ import annotations

import pandas as pd

#: Label of a shape about which the reviewer could not decide.
UNSURE = "unsure"
#: Label of the tag that CVAT keeps for each image; its attributes are ``detections`` and ``state``.
REVIEW_TAG = "podura-review"
#: Detections below their threshold that a task shows beside the accepted and the queued ones.
SHOWN_SCORE = 0.25


def shown_detections(detections: pd.DataFrame, queue: pd.DataFrame) -> pd.DataFrame:
    """The detections that a task shows: accepted, queued, or with a score of ``SHOWN_SCORE`` or more."""
    queued = detections["detection"].isin(queue["detection"].dropna())
    accepted = detections["accepted"].fillna(False).astype(bool)
    return detections[queued | accepted | (detections["score"] >= SHOWN_SCORE)]
