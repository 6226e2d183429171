"""Vectors of a network for images."""

from __future__ import annotations

import numpy as np
import torch

from leakage_data import SETTINGS, brighter, crop, painted, save
from podura.detectors.embedding import lite0_embedding
from podura.leakage.search import similar_images


def test_images_that_show_the_same_have_vectors_alike_whatever_the_batch_and_threads():
    images = painted(5)
    embed = lite0_embedding()
    vectors = embed([*images, brighter(images[0])])
    assert vectors.shape == (6, 432)
    assert vectors.dtype == np.float32
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    assert np.argsort(-(centred @ centred[0]))[:2].tolist() == [0, 5]
    torch.set_num_threads(2)
    np.testing.assert_array_equal(lite0_embedding()([*images, brighter(images[0])]), vectors)


def test_the_search_takes_candidates_from_the_network(tmp_path):
    images = {f"{number:02d}.png": image for number, image in enumerate(painted(22, size=(240, 180)))}
    images["crop.png"] = crop(images["03.png"], 0.7)
    found, _ = similar_images(save(tmp_path, images), SETTINGS, embed=lite0_embedding())
    assert found[["image_1", "image_2", "kind"]].to_numpy().tolist() == [["03.png", "crop.png", "crop"]]
