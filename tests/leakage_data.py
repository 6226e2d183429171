"""Images and what becomes of them on the way into a data set, built by code."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from podura.leakage.search import SearchSettings
from podura.leakage.signatures import NamedImage
from podura.seeds import generator
from podura.slides.painting import PaintSettings, load_traits, paint_image

Pixels = NDArray[np.uint8]

SETTINGS = SearchSettings(correlation=0.7, overlap=0.15, candidates=10)
TRAITS = Path(__file__).resolve().parents[1] / "resources" / "springtail_traits.tsv"


def painted(
    number: int,
    *,
    slides: int = 4,
    size: tuple[int, int] = (400, 300),
    um_per_pixel: float = 10.0,
    animals: float = 7,
    species: int = 5,
    seed: int = 1,
) -> list[Pixels]:
    """Painted images of (width, height), dealt to slides of one site; no two show the same."""
    traits = _traits()
    codes = sorted(traits)[:species]
    settings = PaintSettings(*size, um_per_pixel, animals, 1.5 if animals else 0)
    return [
        paint_image(
            image=f"i{index}",
            slide=f"s{index % slides}",
            site="x",
            species=codes,
            settings=settings,
            traits=traits,
            seed=seed,
        ).pixels
        for index in range(number)
    ]


@functools.cache
def _traits() -> Mapping:
    return load_traits(TRAITS)


def save(folder: Path, images: Mapping[str, Pixels]) -> list[NamedImage]:
    """Write images losslessly, unless their name says otherwise, and name them as a study would."""
    named = []
    for name, pixels in images.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, **({"quality": 92} if path.suffix == ".jpg" else {}))
        named.append(NamedImage(name, path))
    return named


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=quality)
    return np.asarray(Image.open(content).convert("RGB"))


def rescaled(pixels: Pixels, factor: float) -> Pixels:
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA))


def turned(pixels: Pixels, degrees: float) -> Pixels:
    """Turned about its centre on a larger white page."""
    height, width = pixels.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (int(width * cosine + height * sine), int(width * sine + height * cosine))
    matrix[:, 2] += ((size[0] - width) / 2, (size[1] - height) / 2)
    return np.asarray(cv2.warpAffine(pixels, matrix, size, borderValue=(255, 255, 255)))


def crop(pixels: Pixels, share: float) -> Pixels:
    """A piece of this share of the area, somewhere off the centre."""
    height, width = pixels.shape[:2]
    rows, columns = int(height * share**0.5), int(width * share**0.5)
    rng = generator(7, "crop", int(pixels.sum()))
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    return pixels[top : top + rows, left : left + columns]


def fields(pixels: Pixels, share: float) -> tuple[Pixels, Pixels]:
    """Two fields side by side that share this part of their area."""
    width = pixels.shape[1]
    own = int(width / (2 - share))
    return pixels[:, :own], pixels[:, width - own :]


def brighter(pixels: Pixels) -> Pixels:
    return np.clip(pixels * 0.75 + 30, 0, 255).astype(np.uint8)


Pair = tuple[Pixels, Pixels]
#: What may have become of an image, as two images of which both stand in the data set.
CHANGES: Mapping[str, Callable[[Pixels], Pair]] = {
    "copy": lambda image: (image, image),
    "JPEG of quality 50": lambda image: (image, jpeg(image, 50)),
    "rescaled to 0.5": lambda image: (image, rescaled(image, 0.5)),
    "turned by 90°": lambda image: (image, np.rot90(image).copy()),
    "turned by 180°": lambda image: (image, np.rot90(image, 2).copy()),
    "turned by 270°": lambda image: (image, np.rot90(image, 3).copy()),
    "mirrored": lambda image: (image, image[:, ::-1].copy()),
    "turned by 17°": lambda image: (image, turned(image, 17)),
    "crop of 60 %": lambda image: (image, crop(image, 0.6)),
    "crop of 30 %": lambda image: (image, crop(image, 0.3)),
    "fields that share 50 %": lambda image: fields(image, 0.5),
    "fields that share 25 %": lambda image: fields(image, 0.25),
    "brightness and contrast": lambda image: (image, brighter(image)),
    "crop of 60 %, mirrored and turned, JPEG": lambda image: (
        image,
        jpeg(np.rot90(crop(image, 0.6)[:, ::-1]).copy(), 60),
    ),
}


def planted(images: Sequence[Pixels], change: Callable[[Pixels], Pair]) -> dict[str, Pixels]:
    """A data set in which a pair is made of each image: ``a-000.png`` and ``b-000.png``."""
    made: dict[str, Pixels] = {}
    for number, image in enumerate(images):
        first, second = change(image)
        made[f"a-{number:03d}.png"] = first
        made[f"b-{number:03d}.png"] = second
    return made
