"""Time and memory of weighted boxes fusion: ten members, 500 detections an image, 100 animals that all find.

PYTHONPATH=scripts python tests/benchmarks/fusion_speed.py [images]
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
import pandas as pd

from podura.detectors.ensembles import fuse
from podura.tables import DETECTIONS

MEMBERS, DETECTED, ANIMALS, SIDE = 10, 500, 100, 3000
SPECIES = [f"S{number}" for number in range(10)]


def member(n_images: int, seed: int) -> pd.DataFrame:
    """Detections of one member: the animals at places that all members share, and as many errors as fit."""
    own, shared = np.random.default_rng(seed), np.random.default_rng(0)
    places = shared.random((n_images, DETECTED, 2)) * SIDE
    found = np.arange(DETECTED) < ANIMALS
    corner = np.where(
        found[None, :, None],
        places + own.normal(0, 5, places.shape),
        own.random(places.shape) * SIDE,
    ).reshape(-1, 2)
    size = 100 + 20 * own.random(corner.shape)
    names = np.where(
        np.tile(found, n_images),
        np.tile(np.arange(DETECTED) % 10, n_images),
        own.integers(0, 10, len(corner)),
    )
    return DETECTIONS.frame(
        pd.DataFrame(
            {
                "image": np.repeat([f"i{number}.jpg" for number in range(n_images)], DETECTED),
                "slide": "s",
                "species": np.array(SPECIES, object)[names],
                "score": 0.01 + 0.9 * own.random(len(corner)),
                "x_min": corner[:, 0],
                "y_min": corner[:, 1],
                "x_max": corner[:, 0] + size[:, 0],
                "y_max": corner[:, 1] + size[:, 1],
            }
        )
    )


def main() -> None:
    n_images = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    members = [member(n_images, seed) for seed in range(1, MEMBERS + 1)]
    images = {f"i{number}.jpg": "s" for number in range(n_images)}
    started, processor = time.perf_counter(), time.process_time()
    found = fuse(members, images, SPECIES, iou=0.55, score_floor=0.01, max_detections=DETECTED)
    print(
        f"{MEMBERS * DETECTED * n_images:,} detections of {n_images} images fused into "
        f"{len(found.detections):,}: {time.perf_counter() - started:.1f} s, processor "
        f"{time.process_time() - processor:.1f} s, peak memory "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB"
    )


if __name__ == "__main__":
    main()
