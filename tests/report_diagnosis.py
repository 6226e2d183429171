"""Finished tables of what goes wrong in made-up studies, as the report receives them."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from podura import tables
from podura.report.results import Results


def make_diagnosis(results: Results, random_seed: int = 3) -> dict[str, pd.DataFrame]:
    """Tables of what goes wrong for the models of made-up results, all runs together where it is shown."""
    generator = np.random.default_rng(random_seed)
    codes = [str(species["code"]) for species in results.species_list]
    models = results.models_table["model"].tolist()
    kinds = ("wrong_species", "poor_box", "both", "duplicate", "background", "missed")
    errors = [
        {
            "model": model,
            "seed": None,
            "species": code,
            "level": level,
            "threshold": "certified",
            "n_truth": 40,
            "n_right": 30,
            "ap": 0.8,
            "kind": kind,
            "n": int(generator.integers(0, 6)),
            "d_ap": float(generator.random() / 10),
        }
        for model in models
        for code in codes
        for level in ("threshold", "floor")
        for kind in kinds
    ]
    confusion = [
        {
            "model": model,
            "seed": 1,
            "level": "threshold",
            "true_species": true,
            "found_species": found,
            "n": int(generator.integers(25, 40) if true == found else generator.integers(1, 4)),
        }
        for model in models
        for true in [*codes, "background"]
        for found in [*codes, "missed"]
        if (true, found) != ("background", "missed") and (true == found or generator.random() < 0.3)
    ]
    reliability = [
        {
            "model": model,
            "seed": None,
            "species": species,
            "bin": number,
            "n": 100,
            "score_low": number / 10 - 0.1,
            "score_high": number / 10,
            "score_mean": number / 10 - 0.05,
            "precision": (number / 10 - 0.05) ** 1.3,
            "precision_low": 0.9 * (number / 10 - 0.05) ** 1.3,
            "precision_high": min(1.0, 1.1 * (number / 10 - 0.05) ** 1.3),
            "calibration_error": 0.06,
        }
        for model in models
        for species in [None, *codes]
        for number in range(1, 11)
    ]
    suspects = [
        {
            "kind": kind,
            "image": f"slide-{number}_field-1.png",
            "slide": f"slide-{number}",
            "species": codes[0],
            **dict(zip(tables.BOX_COLUMNS, (10.0, 20.0, 110.0, 90.0), strict=True)),
            "n_models": 2,
            "n_runs": 3,
            "of_runs": 4,
            "score": 0.93,
            "model": models[0],
            "seed": 1,
            "found_species": codes[-1] if kind == "not_found" else None,
            "truth": 17 if kind == "not_found" else None,
        }
        for kind in ("unlabelled", "not_found")
        for number in range(12)
    ]
    return {
        "errors": tables.BENCHMARK_ERRORS.frame(errors),
        "confusion": tables.BENCHMARK_CONFUSION.frame(confusion),
        "reliability": tables.BENCHMARK_RELIABILITY.frame(reliability),
        "suspects": tables.BENCHMARK_SUSPECTS.frame(suspects),
    }


def make_crops(
    results: Results, n_models: int = 2, n_of_kind: int = 3, *, side: int = 96
) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """The pictures of a few errors of the best detectors: their table, and the files by name."""
    codes = [str(species["code"]) for species in results.species_list]
    models = results.models_table.sort_values("rank").loc[results.models_table["role"] == "detector", "model"]
    rows, files = [], {}
    for number, model in enumerate(models.head(n_models)):
        for kind in ("wrong_species", "poor_box", "both", "duplicate", "background", "missed"):
            for rank in range(1, n_of_kind + 1):
                name = f"{model}-{kind}-{rank:02d}.jpg"
                animal = kind != "background"
                box = dict(zip(tables.BOX_COLUMNS, (10.0, 20.0, 110.0, 90.0), strict=True))
                true = dict(zip(tables.TRUE_BOX_COLUMNS, box.values(), strict=True))
                rows.append(
                    {
                        "model": model,
                        "kind": kind,
                        "rank": rank,
                        "image": f"images/slide-{rank:02d}_field-1.jpg",
                        "slide": f"slide-{rank:02d}",
                        "fold": 0,
                        "species": codes[rank % len(codes)],
                        "score": 1 - rank / 100,
                        "seed": 1,
                        **box,
                        "n_runs": 1,
                        "of_runs": 2,
                        "true_species": codes[0] if animal else None,
                        "found_species": codes[-1] if kind == "missed" else None,
                        **(true if animal else dict.fromkeys(true)),
                        "file": name,
                        "width": side,
                        "height": side * 3 // 4,
                        "fault": None,
                    }
                )
                files[name] = _picture(side, 3 * rank + number)
    return tables.CROPS.frame(rows), files


def _picture(side: int, number: int) -> bytes:
    shade = (214 - 10 * (number % 9), 208, 190 - 6 * (number % 7))
    picture = Image.new("RGB", (side, side * 3 // 4), shade)
    ImageDraw.Draw(picture).ellipse([side // 4, side // 4, side // 2, side // 2], fill=(120, 90, 60))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG")
    return buffer.getvalue()
