"""Samples with their counts as points on a map (GeoJSON, RFC 7946)."""

from __future__ import annotations

from typing import Any

import pandas as pd

_FACTS = ("site", "date", "area_cm2", "volume_cm3", "mass_g", "n_images", "n_failed", "complete")
_COUNTS = ("accepted", "estimate", "low", "high")


def located(samples: pd.DataFrame) -> pd.DataFrame:
    """The samples whose coordinates are known."""
    return samples[samples["latitude"].notna() & samples["longitude"].notna()]


def geojson(samples: pd.DataFrame, counts: pd.DataFrame) -> dict[str, Any]:
    """A collection with a point for each sample of known coordinates (WGS 84: longitude, latitude).

    samples: as tables.SURVEY_SAMPLES. counts: as counts.csv of the survey. Properties are what is known of
    the sample, and for each species ``<code> accepted``, ``estimate``, ``low`` and ``high``; null is missing,
    which is not 0.
    """
    by_sample = dict(tuple(counts.groupby("sample", sort=False)))
    features = []
    for row in located(samples).to_dict("records"):
        properties = {"sample": _plain(row["sample"]), **{name: _plain(row[name]) for name in _FACTS}}
        for one in by_sample.get(row["sample"], counts.iloc[:0]).to_dict("records"):
            properties |= {f"{one['species']} {name}": _plain(one[name]) for name in _COUNTS}
        point = [float(row["longitude"]), float(row["latitude"])]
        features.append(
            {
                "type": "Feature",
                "id": row["sample"],
                "geometry": {"type": "Point", "coordinates": point},
                "properties": properties,
            }
        )
    return {"type": "FeatureCollection", "features": features}


def _plain(value: Any) -> Any:
    """A value of a table as JSON has it."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
