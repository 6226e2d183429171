"""Detections of whole images, in their own pixels, for any detector on equal terms."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from podura.configuration.study import TilingSettings
from podura.detectors.contract import Detector, ImageDetections
from podura.detectors.journal import Journal
from podura.detectors.merging import TileDetections, merge
from podura.detectors.preprocessing import Pixels, resize, resize_by, to_tensor
from podura.errors import UserError
from podura.slides.reading import Slide, open_slide
from podura.slides.tiling import Tile, grid
from podura.tables import BOX_COLUMNS

log = logging.getLogger(__name__)

#: Tiles, all of one size, that are detected in at a time. Measured on one core: YOLOv5n takes a fifth less
#: time a tile in twos than one by one and no less in fours, Faster R-CNN the same in twos and a quarter more
#: in fours. Images, whose sizes differ, go one by one: what pads a smaller one would change its detections.
CPU_TILES, GPU_TILES = 2, 8
#: A box that ends this near to the edge of its tile, in pixels as the detector sees them, is cut by it.
_EDGE = 2.0
#: Weaker detections are mostly no animals; that they are cut is not worth a warning.
_LIKELY = 0.25


@dataclass(frozen=True)
class Terms:
    """On which terms every model detects; sizes and tiling as in ``ModelSpecification``."""

    image_size: int
    score_floor: float
    max_detections: int
    device: torch.device
    tiling: TilingSettings | None = None


@dataclass
class ImageRun:
    """Detections of one image (species, score, box), best first, and what there is to say of them.

    ``capped``: the cap was reached, so that weaker detections may have been cut off. Of a tiled image also
    the number of tiles, of tiles that reached the cap, and of likely animals that the edge of a tile cuts.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    capped: bool = False
    tiles: int = 1
    capped_tiles: int = 0
    cut: int = 0
    failed: str | None = None


@dataclass
class DetectionRun:
    """Rows of the table ``detections`` and what there is to say of the run.

    ``capped`` names the images that reached the cap; ``capped_tiles`` and ``cut`` tell of tiled images how
    many tiles did, and how many likely animals only showed cut by the edge of a tile.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    images: int = 0
    seconds: float = 0.0
    tiles: int = 0
    capped: list[str] = field(default_factory=list)
    capped_tiles: dict[str, int] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, image: str, slide: str, found: ImageRun) -> None:
        """Take in an image."""
        self.images += 1
        self.seconds += found.seconds
        if found.failed is not None:
            self.failed[image] = found.failed
            return
        self.tiles += found.tiles
        self.rows += [{"image": image, "slide": slide, **row} for row in found.rows]
        if found.capped:
            self.capped.append(image)
        if found.capped_tiles:
            self.capped_tiles[image] = found.capped_tiles
        if found.cut:
            self.cut[image] = found.cut

    def facts(self) -> dict[str, Any]:
        """Everything but the rows."""
        return {key: value for key, value in vars(self).items() if key != "rows"}


def detect_files(
    detector: Detector,
    images: Iterable[tuple[str, Path, str]],
    *,
    image_size: int,
    score_floor: float,
    max_detections: int,
    device: torch.device,
    tiling: TilingSettings | None = None,
    journal: Journal | None = None,
) -> DetectionRun:
    """Detect in files, given as (image, path, slide), whole or in tiles.

    An unreadable file is told of and passed over. What ``journal`` holds is not done again, what is done
    goes into it.
    """
    terms = Terms(image_size, score_floor, max_detections, device, tiling)
    run = DetectionRun()
    detector.to(terms.device).eval()
    for image, path, slide in images:
        known = None if journal is None else journal.get(image, path)
        if known is not None:
            run.add(image, slide, ImageRun(**known))
            continue
        found = detect_file(detector, path, terms)
        if journal is not None:
            journal.add(image, path, asdict(found))
        run.add(image, slide, found)
    return run


def detect_file(detector: Detector, path: Path, terms: Terms) -> ImageRun:
    """Detect in one file; with tiles its memory does not grow with the image where the format allows.

    A file that cannot be read is told of in ``failed``.
    """
    started = time.perf_counter()
    try:
        with open_slide(path) as slide:
            found = _whole(detector, slide, terms) if terms.tiling is None else _tiled(detector, slide, terms)
    except UserError as error:
        log.warning("%s", error)
        found = ImageRun(failed=str(error))
    found.seconds = time.perf_counter() - started
    return found


def detect_pixels(
    detector: Detector,
    images: Sequence[Pixels],
    *,
    image_size: int,
    score_floor: float,
    max_detections: int,
    device: torch.device,
) -> list[list[dict[str, Any]]]:
    """Detect in decoded images (height, width, 3): for each a list of species, score and box."""
    terms = Terms(image_size, score_floor, max_detections, device)
    return [_in_image(detector, pixels, terms) for pixels in images]


def _in_image(detector: Detector, pixels: Pixels, terms: Terms) -> list[dict[str, Any]]:
    resized, x_factor, y_factor = resize(pixels, terms.image_size)
    (found,) = _detected(detector, [resized], terms)
    return _rows(detector, *_arrays(found, x_factor, y_factor))


def _whole(detector: Detector, slide: Slide, terms: Terms) -> ImageRun:
    rows = _in_image(detector, slide.read(), terms)
    return ImageRun(rows, capped=len(rows) >= _cap(detector, terms))


def _tiled(detector: Detector, slide: Slide, terms: Terms) -> ImageRun:
    assert terms.tiling is not None
    scale = terms.image_size / terms.tiling.size
    tiles = grid(*slide.size, terms.tiling.size, terms.tiling.overlap)
    at_a_time = CPU_TILES if terms.device.type == "cpu" else GPU_TILES
    found: list[TileDetections] = []
    for start in range(0, len(tiles), at_a_time):
        some = tiles[start : start + at_a_time]
        resized = [resize_by(slide.region(t.x, t.y, t.width, t.height), scale) for t in some]
        detected = _detected(detector, [pixels for pixels, _, _ in resized], terms)
        for tile, detections, (_, x_factor, y_factor) in zip(some, detected, resized, strict=True):
            found.append(_placed(tile, *_arrays(detections, x_factor, y_factor)))
    capped_tiles = sum(len(one.scores) >= _cap(detector, terms) for one in found)
    merged = merge(tiles, found, edge=_EDGE / scale)
    most = terms.max_detections
    return ImageRun(
        _rows(detector, merged.boxes[:most], merged.labels[:most], merged.scores[:most]),
        capped=capped_tiles > 0 or len(merged.scores) >= most,
        tiles=len(tiles),
        capped_tiles=capped_tiles,
        cut=int((merged.cut & (merged.scores >= _LIKELY))[:most].sum()),
    )


def _detected(detector: Detector, resized: Sequence[Pixels], terms: Terms) -> list[ImageDetections]:
    with torch.inference_mode():
        return detector.detect(
            to_tensor(resized).to(terms.device),
            [(pixels.shape[0], pixels.shape[1]) for pixels in resized],
            score_floor=terms.score_floor,
            max_detections=terms.max_detections,
        )


def _cap(detector: Detector, terms: Terms) -> int:
    # Some architectures have a limit of their own, below that of the study.
    own = detector.most_detections
    return terms.max_detections if own is None else min(terms.max_detections, own)


def _arrays(
    found: ImageDetections, x_factor: float, y_factor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes in pixels before resizing, labels and scores."""
    boxes = found.boxes.double().cpu().numpy() / [x_factor, y_factor, x_factor, y_factor]
    return boxes, found.labels.cpu().numpy(), found.scores.double().cpu().numpy()


def _placed(tile: Tile, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> TileDetections:
    return TileDetections(boxes.reshape(-1, 4) + np.array([tile.x, tile.y] * 2), labels, scores)


def _rows(
    detector: Detector, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> list[dict[str, Any]]:
    return [
        {"species": detector.species[label], "score": score, **dict(zip(BOX_COLUMNS, box, strict=True))}
        for box, label, score in zip(boxes.tolist(), labels.tolist(), scores.tolist(), strict=True)
    ]
