"""Sites and slides that differ flatter a model when images, and not whole sites, are split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from podura.slides.painting import PaintSettings, load_traits, paint_image
from podura.slides.painting.conditions import draw_conditions
from podura.slides.painting.settings import species_chances

TRAITS = load_traits(Path(__file__).parents[2] / "resources" / "springtail_traits.tsv")
DEMO = ("CER-DEN", "ISO-MIN", "LEP-CYA", "MET-AFF", "PAR-NOT")
SMALL = PaintSettings(320, 240, 20.0, 8.0, 0.0)
SITES, IMAGES, SEEDS = 8, 3, 4


def features(pixels: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Colour, texture, size and background of one specimen: what a light classifier sees."""
    x_min, y_min, x_max, y_max = (round(v) for v in box)
    inside = pixels[y_min:y_max, x_min:x_max].reshape(-1, 3) / 255
    margin = 6
    around = pixels[max(y_min - margin, 0) : y_max + margin, max(x_min - margin, 0) : x_max + margin]
    around = around.reshape(-1, 3) / 255
    return np.concatenate(
        [
            *np.percentile(inside, [5, 25, 50, 75], axis=0),
            np.percentile(around, 90, axis=0),
            inside.std(axis=0),
            [np.log(x_max - x_min), np.log(y_max - y_min)],
        ]
    )


def specimens(settings: PaintSettings, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, species, image and site of every specimen of a small study."""
    found = []
    for site in range(SITES):
        for image in range(IMAGES):
            painted = paint_image(
                image=f"{site}-{image}.jpg",
                slide=f"slide-{site}",
                site=f"site-{site}",
                species=DEMO,
                settings=settings,
                traits=TRAITS,
                seed=seed,
            )
            for one in painted.specimens:
                box = (one.x_min, one.y_min, one.x_max, one.y_max)
                found.append((features(painted.pixels, box), one.species, site * IMAGES + image, site))
    x, species, images, sites = zip(*found, strict=True)
    return np.array(x), np.array(species), np.array(images), np.array(sites)


def accuracy(x: np.ndarray, species: np.ndarray, groups: np.ndarray) -> float:
    """Share of specimens whose species is told right by a model that has not seen their group."""
    right = np.zeros(len(species), bool)
    folds = GroupKFold(4, shuffle=True, random_state=0)
    with threadpool_limits(1):  # so small a problem only waits for other threads
        for train, test in folds.split(x, species, groups):
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
            right[test] = model.fit(x[train], species[train]).predict(x[test]) == species[test]
    return float(right.mean())


def flatter(settings: PaintSettings, seed: int) -> tuple[float, float]:
    """Accuracy when images are held out, each taken for a slide of its own, and when sites are."""
    x, species, images, sites = specimens(settings, seed)
    return accuracy(x, species, images), accuracy(x, species, sites)


def gain(settings: PaintSettings) -> tuple[float, float, float]:
    """Mean over seeds of what the split by image adds to the accuracy, and its 95 % interval."""
    pairs = np.array([flatter(settings, seed) for seed in range(SEEDS)])
    added = pairs[:, 0] - pairs[:, 1]
    half = stats.t.ppf(0.975, SEEDS - 1) * added.std(ddof=1) / np.sqrt(SEEDS)
    return float(added.mean()), float(added.mean() - half), float(added.mean() + half)


@pytest.mark.slow
def test_strong_effects_of_site_and_slide_flatter_a_split_by_image() -> None:
    strong = replace(SMALL, site_effect=3.0, slide_effect=2.0, site_species=0.6)
    mean, low, _ = gain(strong)
    assert low > 0.10
    assert mean > 0.20


@pytest.mark.slow
def test_without_effects_a_split_by_image_flatters_nobody() -> None:
    alike = replace(SMALL, site_effect=0.0, slide_effect=0.0)
    mean, low, high = gain(alike)
    assert abs(mean) < 0.03
    assert low < 0.02
    assert high > -0.02


def guessed(settings: PaintSettings, sites: int = 60, slides: int = 12) -> float:
    """Share of animals told right by one who names the commonest species of each site."""
    right = []
    for site in range(sites):
        shares = [
            species_chances(len(DEMO), settings, slide=f"slide-{n}", site=f"site-{site}", seed=3)
            for n in range(slides)
        ]
        right.append(np.mean(shares, axis=0).max())
    return float(np.mean(right))


@pytest.mark.parametrize("share", [0.44, 0.7])
def test_the_site_alone_tells_the_stated_share_of_species(share: float) -> None:
    assert guessed(replace(SMALL, site_species=share)) == pytest.approx(share, abs=0.04)
    assert guessed(replace(SMALL, site_species=share, slide_effect=0.0)) == pytest.approx(share, abs=0.01)


def test_sites_have_the_same_species_unless_asked() -> None:
    assert guessed(SMALL) < 0.30  # one in five is told by chance
    assert guessed(replace(SMALL, slide_effect=0.0)) == pytest.approx(0.2)


def test_sites_differ_in_their_favourites() -> None:
    settings = replace(SMALL, site_species=0.6, slide_effect=0.0)
    best = {int(species_chances(5, settings, slide="s", site=f"{n}", seed=1).argmax()) for n in range(30)}
    assert best == set(range(5))


def test_a_long_tail_makes_later_species_rare() -> None:
    settings = replace(SMALL, long_tail=1.0)
    shares = np.mean(
        [species_chances(5, settings, slide=f"s{n}", site="x", seed=2) for n in range(400)], axis=0
    )
    zipf = 1 / np.arange(1, 6)
    assert shares == pytest.approx(zipf / zipf.sum(), abs=0.03)


def test_effects_of_none_leave_all_slides_alike_and_stronger_ones_set_them_apart() -> None:
    def spread(site_effect: float, slide_effect: float, sites: int = 12) -> float:
        light = [
            draw_conditions(
                slide=f"{n}", site=f"{n % sites}", seed=4, site_effect=site_effect, slide_effect=slide_effect
            ).light
            for n in range(24)
        ]
        return float(np.std(light, axis=0).mean())

    assert spread(0, 0) < 1e-12
    assert 0 < spread(1, 0) < spread(3, 0)
    assert 0 < spread(0, 1, sites=1) < spread(0, 3, sites=1)
    plain = draw_conditions(slide="a", site="x", seed=4)
    strong = draw_conditions(slide="a", site="x", seed=4, site_effect=3)
    assert plain.texture == 0 < strong.texture
    assert plain.response == (1.0, 1.0, 1.0) != strong.response
