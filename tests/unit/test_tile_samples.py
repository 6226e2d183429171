"""Training on tiles: every animal about once an epoch, at its scale, few empty places, from seed alone."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from podura.configuration.study import AugmentationSettings, TilingSettings
from podura.slides import kept_open
from podura.slides.kept_open import OpenSlides
from podura.training import tiles as tiles_module
from podura.training.pictures import contact_sheet
from podura.training.samples import LabelledImage, TrainingSamples
from slide_builders import write_pyramid

PLAIN = AugmentationSettings(flips=False, quarter_turns=False)
TILING = TilingSettings(size=100, overlap=0.3, empty_share=0.2)
SIDE = 20


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    """Three plates, two of them tiled TIFF, with squares of a colour each in a few corners; one is empty."""
    folder = tmp_path_factory.mktemp("plates")
    rng = np.random.default_rng(0)
    plates = []
    for number, (name, size) in enumerate(
        (("a.tif", (700, 500)), ("b.png", (420, 300)), ("c.tif", (90, 80)))
    ):
        pixels = np.full((size[1], size[0], 3), 200, dtype=np.uint8)
        boxes = []
        for _ in range(0 if name == "c.tif" else 9):
            x, y = (int(v) for v in rng.integers(0, np.array(size) // 2 - SIDE))
            if all(abs(x - b[0]) > SIDE or abs(y - b[1]) > SIDE for b in boxes):
                boxes.append([x, y, x + SIDE, y + SIDE])
                pixels[y : y + SIDE, x : x + SIDE] = (40 * number, 10 * len(boxes), 0)
        path = folder / name
        if path.suffix == ".tif":
            write_pyramid(path, pixels, levels=1, tile=64, compression="zlib")
        else:
            Image.fromarray(pixels).save(path)
        boxes = np.array(boxes, dtype=float).reshape(-1, 4)
        plates.append(LabelledImage(name, path, boxes, np.arange(len(boxes))))
    return plates


def samples_of(plates, **changes):
    options = {
        "image_size": 96,
        "batch_size": 2,
        "augmentation": PLAIN,
        "seed": 1,
        "tiling": TILING,
        **changes,
    }
    return TrainingSamples(plates, **options)


def shown_in(sample) -> dict[tuple[int, int], np.ndarray]:
    """Of every square that shows (plate, number), its bounds in the sample."""
    found = {}
    blue = (sample.pixels[..., 2] < 60) & (sample.pixels[..., 1] < 150)
    for plate in range(2):
        for number in range(9):
            colour = np.array([40 * plate, 10 * (number + 1), 0])
            mask = blue & (np.abs(sample.pixels.astype(int) - colour).max(axis=-1) <= 4)
            if mask.sum() > 4:
                rows, columns = np.nonzero(mask)
                found[plate, number] = np.array(
                    [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                )
    return found


def test_every_animal_is_a_target_of_every_epoch_and_boxes_lie_on_animals(plates):
    samples = samples_of(plates, batch_size=1)
    every = {(0, label) for label in plates[0].labels} | {(1, label) for label in plates[1].labels}
    counts = []
    for epoch in (1, 2, 3):
        targets = []
        for number in range(samples.steps_per_epoch):
            (sample,) = samples.samples(epoch, number)
            shown = shown_in(sample)
            for box, label in zip(sample.boxes, sample.labels, strict=True):
                (plate,) = {plate for plate, number in shown if number == label} or {None}
                assert plate is not None, "a target shows"
                assert np.abs(shown[plate, label] - box).max() <= 1.1
                targets.append((plate, label))
        assert set(targets) == every
        counts.append(len(targets) / len(every))
    # Where tiles overlap an animal may show twice.
    assert np.mean(counts) < 2


def test_all_tiles_have_the_scale_of_a_whole_one(plates):
    samples = samples_of(plates, batch_size=1)
    sizes = {s.size for n in range(samples.steps_per_epoch) for s in samples.samples(1, n)}
    assert (96, 96) in sizes
    assert sizes <= {(96, 96), (86, 77)}, "the small plate is not blown up"
    for number in range(samples.steps_per_epoch):
        (sample,) = samples.samples(1, number)
        whole = sample.boxes[sample.visible > 0.999]
        assert (whole[:, 2:] - whole[:, :2]) == pytest.approx(np.full((len(whole), 2), SIDE * 0.96), abs=1e-6)


def test_empty_tiles_are_a_share_drawn_anew_each_epoch(plates):
    for share in (0.0, 0.2, 0.5):
        samples = samples_of(plates, tiling=TilingSettings(100, 0.3, share), batch_size=1)
        full = set(samples.source._full.tolist())
        drawn = [{index for (index,) in samples.order(epoch)} - full for epoch in range(1, 6)]
        assert all(full <= {index for (index,) in samples.order(epoch)} for epoch in (1, 2))
        for one in drawn:
            assert len(one) / (len(one) + len(full)) <= share + 1e-9
            assert len(one) + 1 > share / (1 - share) * len(full) or len(one) == len(samples.source._empty)
        if share == 0.2:
            assert len({frozenset(one) for one in drawn}) > 1


def test_tiles_move_from_epoch_to_epoch(plates):
    samples = samples_of(plates[:1], batch_size=1, tiling=TilingSettings(100, 0.3, 0.0))
    index = samples.order(1)[0][0]
    seen = [samples.source.sample(epoch, index).pixels.tobytes() for epoch in range(1, 7)]
    assert len(set(seen)) > 2


def test_batches_follow_from_the_seed_in_any_process_and_order(plates):
    settings = AugmentationSettings(mosaic=0.5, rotation=30, scale=0.2, noise=0.5)
    samples = samples_of(plates, augmentation=settings)
    copied = pickle.loads(pickle.dumps(samples))
    assert samples.steps_per_epoch > 3
    in_order = [batch for epoch in (1, 2) for batch in samples.batches(epoch)]
    steps = range(samples.steps_per_epoch)
    backwards = [copied.batch(epoch, number) for epoch in (2, 1) for number in reversed(steps)][::-1]
    for one, two in zip(in_order, backwards, strict=True):
        assert torch.equal(one.images, two.images)
        assert all(torch.equal(*pair) for pair in zip(one.boxes, two.boxes, strict=True))
    other = samples_of(plates, augmentation=settings, seed=2)
    assert not torch.equal(other.batch(1, 0).images, in_order[0].images)
    assert len(pickle.dumps(samples)) < 50_000


def digest(samples, number):
    return hashlib.sha256(samples.batch(1, number).images.numpy().tobytes()).hexdigest()


def _digest(samples, number, results):
    # A forked process has none of OpenMP's threads and would wait for them: it works with one, as loaders do.
    torch.set_num_threads(1)
    results.put((number, digest(samples, number)))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_worker_opens_files_of_its_own(plates):
    samples = samples_of(plates)
    wanted = {n: digest(samples, n) for n in range(3)}
    assert samples.source._slides._slides, "the parent holds slides open"
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_digest, args=(samples, n, results)) for n in range(3)]
    for worker in workers:
        worker.start()
    assert dict(results.get(timeout=60) for _ in workers) == wanted
    for worker in workers:
        worker.join(60)


def test_each_slide_is_opened_once_an_epoch_where_few_fit_into_memory(plates, monkeypatch):
    monkeypatch.setattr(tiles_module, "_OPEN_BYTES", 500_000)
    samples = samples_of(plates * 3)
    opened = []
    original = kept_open.open_slide
    monkeypatch.setattr(kept_open, "open_slide", lambda path: opened.append(path.name) or original(path))
    for _ in samples.batches(1):
        pass
    # Nine entries of three files; neighbours in the order may share a file.
    assert len(opened) <= 9


def test_open_slides_hold_no_more_than_their_limit(plates):
    slides = OpenSlides(limit=300_000)
    first = slides.get(plates[2].path)
    assert slides.get(plates[2].path) is first
    slides.get(plates[1].path)  # 378 kB of pixels: it goes alone
    assert list(slides._slides) == [plates[1].path]
    assert slides.get(plates[2].path) is not first


def test_animals_that_do_not_fit_are_told_of(tmp_path, caplog):
    Image.new("RGB", (400, 400)).save(tmp_path / "a.png")
    boxes = np.array([[10.0, 10, 60, 60], [100, 100, 300, 300], [5, 5, 20, 20]])
    image = LabelledImage("a.png", tmp_path / "a.png", boxes, np.zeros(3, dtype=int))
    with caplog.at_level(logging.INFO):
        samples_of([image])
    assert "2 of 3 specimens are longer than the 30 px" in caplog.text
    assert "1 of 3 specimens cannot be learnt from" in caplog.text


def test_plates_without_any_animal_still_give_a_sample(tmp_path):
    Image.new("RGB", (400, 400)).save(tmp_path / "a.png")
    image = LabelledImage("a.png", tmp_path / "a.png", np.zeros((0, 4)), np.zeros(0, dtype=int))
    samples = samples_of([image])
    assert samples.steps_per_epoch == 1
    assert len(samples.batch(1, 0).boxes[0]) == 0


def test_mosaics_end_with_their_share_of_the_epochs(plates):
    settings = AugmentationSettings(flips=False, quarter_turns=False, mosaic=1.0, mosaic_until=0.5)
    mixed, plain = (samples_of(plates, augmentation=one, epochs=4) for one in (settings, PLAIN))
    same = [torch.equal(mixed.batch(epoch, 0).images, plain.batch(epoch, 0).images) for epoch in (1, 2, 3, 4)]
    assert same == [False, False, True, True]


def test_a_contact_sheet_shows_every_sample_with_its_boxes(plates):
    samples = [one for number in range(5) for one in samples_of(plates, batch_size=1).samples(1, number)]
    before = [one.pixels.copy() for one in samples]
    sheet = contact_sheet(samples, [f"SP-{n}" for n in range(9)], columns=3, cell=96)
    assert sheet.size == (3 * 102 + 6, 2 * 102 + 6)
    pixels = np.asarray(sheet).astype(int)
    for place, sample in enumerate(samples):
        assert np.array_equal(before[place], sample.pixels)
        y, x = (6 + 102 * n for n in divmod(place, 3))
        cell = pixels[y : y + 96, x : x + 96]
        changed = (
            np.abs(cell[: sample.pixels.shape[0], : sample.pixels.shape[1]] - sample.pixels).max(axis=-1) > 30
        )
        for left, top, _, bottom in sample.boxes.round().astype(int):
            assert changed[top:bottom, left : left + 2].any(), "the edge of a box is drawn"
        assert changed.any() == bool(len(sample.boxes))
    assert (pixels[108:, 210:] == 255).all(), "no sixth sample"
