"""The numbers by which images are compared say what their names say, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from podura.release.looks import Looks
from podura.slides.statistics import image_statistics
from podura.tables import EMBEDDING, IMAGE_STATISTICS
from release_data import picture, write_picture


@pytest.fixture
def pixels() -> np.ndarray:
    return picture(1, (160, 120))


def changed(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    one, other = image_statistics(before), image_statistics(np.clip(after, 0, 255).astype(np.uint8))
    return {name: other[name] - one[name] for name in one}


def test_they_are_those_of_the_table_and_finite(pixels: np.ndarray) -> None:
    for image in (pixels, np.zeros((20, 20, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)):
        values = image_statistics(image)
        assert list(values) == [column.name for column in IMAGE_STATISTICS]
        assert np.isfinite(list(values.values())).all()


def test_brightness_is_the_median_share_of_full_scale() -> None:
    assert image_statistics(np.full((10, 10, 3), 51, np.uint8))["brightness"] == pytest.approx(0.2)


def test_darkening_changes_brightness(pixels: np.ndarray) -> None:
    assert changed(pixels, pixels * 0.5)["brightness"] == pytest.approx(-0.44, abs=0.03)


@pytest.mark.parametrize(
    ("channel", "name", "sign"), [(0, "red_green", 1), (1, "red_green", -1), (2, "blue_green", 1)]
)
def test_a_cast_changes_the_balance_of_its_colours(
    pixels: np.ndarray, channel: int, name: str, sign: int
) -> None:
    cast = pixels.astype(float)
    cast[..., channel] += 20
    assert sign * changed(pixels, cast)[name] > 0.04


def test_blur_takes_sharpness_and_grain_gives_noise(pixels: np.ndarray) -> None:
    blurred = cv2.GaussianBlur(pixels, (0, 0), 2)
    assert changed(pixels, blurred)["sharpness"] < -0.5
    grain = np.random.default_rng(1).normal(0, 12, pixels.shape)
    assert changed(pixels, pixels + grain)["noise"] > 0.2


def test_noise_is_that_of_the_image(pixels: np.ndarray) -> None:
    """Immerkær's estimate of Gaussian noise on an even ground, averaged over three channels."""
    noisy = 128 + np.random.default_rng(2).normal(0, 10, (400, 400, 3))
    expected = np.log10(10 / 255 / np.sqrt(3))
    found = image_statistics(np.clip(noisy, 0, 255).astype(np.uint8))["noise"]
    assert found == pytest.approx(expected, abs=0.02)


def test_embeddings_of_like_images_lie_near_each_other(tmp_path) -> None:
    looks = Looks()
    one, like = picture(1, (160, 120)), picture(2, (160, 120))
    odd = np.random.default_rng(3).integers(0, 255, one.shape, dtype=np.uint8)
    vectors = []
    for name, pixels in (("one", one), ("like", like), ("odd", odd)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), pixels[..., ::-1])
        found = looks.of_file(tmp_path / f"{name}.png")
        vectors.append(np.array([found[column] for column in EMBEDDING], dtype=float))
    assert np.linalg.norm(vectors[0] - vectors[1]) < 0.6 * np.linalg.norm(vectors[0] - vectors[2])
    assert looks.of_file(write_picture(tmp_path / "again.png", 1, (160, 120)))[EMBEDDING[0]] == vectors[0][0]
