"""What is found among images, what it is called, and that images that merely look alike are left alone."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leakage_data import CHANGES, SETTINGS, brighter, crop, jpeg, painted, planted, rescaled, save, turned
from podura.leakage import candidates
from podura.leakage.candidates import candidate_pairs
from podura.leakage.features import local_features, mirrored_descriptors
from podura.leakage.geometry import agreement, matched, whole_frame
from podura.leakage.hashes import ORIENTATIONS, oriented, perceptual_hash
from podura.leakage.leaks import matrix_of
from podura.leakage.search import similar_images
from podura.leakage.signatures import Signature, signatures
from podura.leakage.thumbnails import reduced


@pytest.fixture(scope="module")
def slides() -> list[np.ndarray]:
    return painted(12)


def search(folder: Path, images: dict[str, np.ndarray], **options) -> pd.DataFrame:
    return similar_images(save(folder, images), SETTINGS, **options)[0]


def pairs(found: pd.DataFrame) -> dict[tuple[str, str], str]:
    return {(row.image_1, row.image_2): row.kind for row in found.itertuples()}


# What every kind of change is found as; all twelve others of the set are no partners.
EXPECTED = {
    "copy": "same_file",
    "JPEG of quality 50": "near_equal",
    "rescaled to 0.5": "near_equal",
    "turned by 90°": "near_equal",
    "turned by 180°": "near_equal",
    "turned by 270°": "near_equal",
    "mirrored": "near_equal",
    "turned by 17°": "crop",
    "crop of 60 %": "crop",
    "crop of 30 %": "crop",
    "fields that share 50 %": "overlap",
    "fields that share 25 %": "overlap",
    "brightness and contrast": "near_equal",
    "crop of 60 %, mirrored and turned, JPEG": "crop",
}


def test_every_change_is_found_among_images_alike_and_nothing_else_is(slides, tmp_path):
    images = {f"other-{number}.png": image for number, image in enumerate(slides[2:5])}
    expected = {}
    for number, (change, kind) in enumerate(EXPECTED.items()):
        base = painted(1, seed=100 + number)[0]
        images |= {f"{number:02d}-{name}": image for name, image in planted([base], CHANGES[change]).items()}
        expected[(f"{number:02d}-a-000.png", f"{number:02d}-b-000.png")] = kind
    assert set(EXPECTED) == set(CHANGES)
    assert pairs(search(tmp_path, images)) == expected


def test_a_file_saved_again_without_loss_has_the_same_pixels(slides, tmp_path):
    found = search(tmp_path, {"a.png": slides[0], "b.tiff": slides[0], "c.png": slides[1]})
    assert pairs(found) == {("a.png", "b.tiff"): "same_pixels"}
    assert found["correlation"].item() == pytest.approx(1)


def test_empty_slides_are_no_copies_of_each_other(tmp_path):
    empty = painted(10, animals=0, slides=2)
    images = {f"{number}.jpg": image for number, image in enumerate(empty)}
    assert search(tmp_path, images).empty


def test_plain_images_without_any_structure_are_no_copies(tmp_path):
    images = {f"{value}.png": np.full((90, 120, 3), value, np.uint8) for value in (0, 120, 121, 255)}
    assert search(tmp_path, images).empty


def test_a_burnt_in_scale_bar_makes_no_copies(slides, tmp_path):
    images = {}
    for number, image in enumerate([*slides[:6], *painted(4, animals=0)]):
        labelled = image.copy()
        labelled[270:276, 300:380] = 0
        cv2.putText(labelled, "200 um", (300, 262), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 2)
        images[f"{number}.png"] = labelled
    assert search(tmp_path, images).empty


def test_the_result_depends_neither_on_threads_nor_on_the_order_of_images(slides, tmp_path):
    images = {f"{number}.png": image for number, image in enumerate(slides[:5])}
    images |= {"crop.jpg": crop(slides[0], 0.5), "turned.png": turned(slides[1], 30), "copy.png": slides[2]}
    named = save(tmp_path, images)
    first = similar_images(named, SETTINGS, threads=1)
    second = similar_images(named[::-1], SETTINGS, threads=3)
    for one, other in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert len(first[0]) == 3


def test_the_matrix_leads_from_the_second_image_to_the_first(slides, tmp_path):
    """Of a piece cut out at a known place; also where it is the first by name."""
    piece = rescaled(slides[0][40:260, 100:380], 0.8)
    for names in (("a.png", "b.png"), ("b.png", "a.png")):
        whole, part = names
        found = search(tmp_path, {whole: slides[0], part: piece}).iloc[0].to_dict()
        matrix = matrix_of(found)
        if part == "a.png":
            matrix = np.linalg.inv(matrix)
        corners = matrix @ np.array([[0, 224, 0], [0, 0, 176], [1, 1, 1]])
        np.testing.assert_allclose(corners[:2].T, [(100, 40), (380, 40), (100, 260)], atol=2)
        shares = found["share_1"], found["share_2"]
        assert max(shares) > 0.95
        assert min(shares) == pytest.approx(220 * 280 / (300 * 400), abs=0.03)


def test_every_copy_of_a_file_is_paired_with_what_it_is_like(slides, tmp_path):
    found = search(
        tmp_path, {"a.png": slides[0], "b.png": slides[0], "z.png": brighter(slides[0]), "q.png": slides[1]}
    )
    assert pairs(found) == {
        ("a.png", "b.png"): "same_file",
        ("a.png", "z.png"): "near_equal",
        ("b.png", "z.png"): "near_equal",
    }


def test_of_very_many_equal_files_each_is_paired_with_the_first(slides, tmp_path):
    found = search(tmp_path, {f"{number:03d}.png": slides[0] for number in range(60)})
    assert len(found) == 59
    assert set(found["image_1"]) == {"000.png"}


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_compared(slides, tmp_path):
    named = save(tmp_path, {"a.png": slides[0], "b.png": brighter(slides[0]), "broken.png": slides[1]})
    (tmp_path / "broken.png").write_bytes(b"not an image")
    found, examined = similar_images(named, SETTINGS)
    assert pairs(found) == {("a.png", "b.png"): "near_equal"}
    told = examined.set_index("image")["message"]
    assert "broken.png" in told["broken.png"]
    assert told.drop("broken.png").isna().all()


def test_studies_of_no_and_of_one_image_have_no_pairs(slides, tmp_path):
    assert similar_images([], SETTINGS)[0].empty
    assert search(tmp_path, {"a.png": slides[0]}).empty


def test_orientation_of_exif_is_no_change_of_the_image(slides, tmp_path):
    Image.fromarray(slides[0]).save(tmp_path / "a.png")
    exif = Image.Exif()
    exif[274] = 6  # shown turned by 90 degrees clockwise
    Image.fromarray(np.rot90(slides[0])).save(tmp_path / "b.png", exif=exif)
    named = save(tmp_path, {"c.png": slides[1]})
    named += [type(named[0])(name, tmp_path / name) for name in ("a.png", "b.png")]
    assert pairs(similar_images(named, SETTINGS)[0]) == {("a.png", "b.png"): "same_pixels"}


def test_an_embedding_may_name_candidates(slides, tmp_path):
    calls = []

    def embed(images):
        calls.append(len(images))
        return np.stack([np.asarray(cv2.resize(i, (8, 8))).reshape(-1) for i in images]).astype(np.float32)

    images = {f"{number}.png": image for number, image in enumerate(slides[:5])}
    images["crop.png"] = crop(slides[0], 0.6)
    found = search(tmp_path, images, embed=embed)
    assert sum(calls) == 6
    assert pairs(found) == {("0.png", "crop.png"): "crop"}


def turn(image: np.ndarray, mirrored: bool, turns: int) -> np.ndarray:
    return np.rot90(image[:, ::-1] if mirrored else image, turns).copy()


@pytest.mark.parametrize(("mirrored", "turns"), ORIENTATIONS)
def test_the_hash_of_a_turned_image_follows_from_the_images_own(slides, mirrored, turns):
    grey = reduced(slides[0]).grey
    expected = perceptual_hash(turn(grey, mirrored, turns))
    difference = np.unpackbits(oriented(perceptual_hash(grey), mirrored, turns) ^ expected).sum()
    assert difference <= 2  # a coefficient of about zero may fall to either side


@pytest.mark.parametrize(("mirrored", "turns"), ORIENTATIONS)
def test_a_whole_frame_is_laid_over_the_other_exactly(slides, mirrored, turns):
    first, second = reduced(turn(slides[0], mirrored, turns)), reduced(slides[0])
    found = agreement(first, second, whole_frame(first, second, mirrored, turns), 0)
    assert found.correlation > 0.999
    assert min(found.shares) > 0.99


@settings(max_examples=25)
@given(st.booleans(), st.floats(-180, 180), st.floats(0.6, 1.0))
def test_any_similarity_is_recovered(slides, mirrored, degrees, scale):
    image = slides[5]
    changed = rescaled(turned(image[:, ::-1].copy() if mirrored else image, degrees), scale)
    first, second = reduced(image), reduced(changed)
    laid = matched(local_features(first.grey, 400), local_features(second.grey, 400), second.size[0])
    assert laid is not None
    found = agreement(first, second, *laid)
    assert found.correlation > 0.8
    assert np.sign(np.linalg.det(found.matrix)) == (-1 if mirrored else 1)
    size = np.sqrt(abs(np.linalg.det(found.matrix[:2, :2])))
    assert size == pytest.approx(1 / scale, rel=0.02)


def test_descriptors_are_mirrored_as_their_image_is(slides):
    grey = reduced(slides[0]).grey
    plain, mirror = local_features(grey, 200), local_features(grey[:, ::-1].copy(), 200)
    expected = mirrored_descriptors(plain.descriptors).astype(float)
    near = np.linalg.norm(expected[:, np.newaxis] - mirror.descriptors[np.newaxis].astype(float), axis=2)
    unrelated = np.median(near)
    assert np.median(near.min(axis=1)) < 0.25 * unrelated
    np.testing.assert_array_equal(
        mirrored_descriptors(mirrored_descriptors(plain.descriptors)), plain.descriptors
    )


def test_candidates_are_few_among_images_that_look_alike(slides, tmp_path):
    many = [*slides, *painted(12, seed=2)]
    found = signatures(save(tmp_path, {f"{n}.png": image for n, image in enumerate(many)}))
    looked_at = candidate_pairs([one for one in found if isinstance(one, Signature)], 10)
    assert len(looked_at) < 0.3 * 24 * 23 / 2


def test_a_strong_compression_of_a_crop_still_correlates(slides, tmp_path):
    found = search(
        tmp_path, {"a.png": slides[3], "b.png": jpeg(crop(slides[3], 0.5), 40), "c.png": slides[4]}
    )
    assert pairs(found) == {("a.png", "b.png"): "crop"}
    assert found["correlation"].item() > 0.85


@pytest.mark.parametrize(("size", "um_per_pixel", "animals"), [((192, 128), 10.0, 3), ((400, 300), 4.0, 1)])
def test_animals_of_one_species_laid_over_each_other_are_no_overlap(tmp_path, size, um_per_pixel, animals):
    """The hardest case: one large animal in each image, all of one species, the ground nearly empty."""
    images = painted(16, size=size, um_per_pixel=um_per_pixel, animals=animals, species=1)
    assert search(tmp_path, {f"{number}.jpg": image for number, image in enumerate(images)}).empty


def test_of_each_image_the_rarest_words_are_looked_up(monkeypatch):
    """So many that they lead to no more images than allowed; the common ones are left out first."""
    words = [np.array(one, np.uint16) for one in ([1, 2, 3], [2, 3], [3], [])]
    rows = candidates._incidence(words)
    per_image = np.bincount(rows.indices, minlength=rows.shape[1])
    assert candidates._rarest(rows.copy(), per_image).nnz == 6
    monkeypatch.setattr(candidates, "_LOOKED_UP", 3)
    kept = candidates._rarest(rows.copy(), per_image)
    assert [sorted(kept.indices[kept.indptr[n] : kept.indptr[n + 1]]) for n in range(4)] == [
        [1, 2],
        [2],
        [3],
        [],
    ]


def test_pairs_are_still_found_where_few_words_are_looked_up(monkeypatch):
    rng = np.random.default_rng(1)
    places = np.column_stack(
        [rng.random((60, 200, 2)).reshape(-1, 2) * 192, np.full(12_000, 4.0), rng.random(12_000) * 6]
    ).reshape(60, 200, 4)
    words = [np.sort(rng.choice(4096, 200, replace=False)).astype(np.uint16) for _ in range(60)]
    words[1], places[1] = words[0], places[0]
    found = [
        Signature(
            rng.integers(0, 256, 32, dtype=np.uint8),
            p.astype(np.float16),
            w,
            np.zeros(0, np.int8),
            (192, 144),
        )
        for p, w in zip(places, words, strict=True)
    ]
    monkeypatch.setattr(candidates, "_LOOKED_UP", 60)
    assert (0, 1) in set(candidates._by_words(found, 3))
