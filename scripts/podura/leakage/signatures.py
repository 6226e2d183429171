"""What is kept of each image to find those that are like it: a few kilobytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from podura.errors import UserError
from podura.fingerprints import file_digest
from podura.leakage.features import Features, Vocabulary, Words, local_features
from podura.leakage.hashes import perceptual_hash
from podura.leakage.parallel import CHUNK, Progress, in_order
from podura.leakage.thumbnails import Pixels, read_thumbnail

#: Gives each of a list of images (height, width, 3), RGB, a vector; the array is (images, dimensions).
Embed = Callable[[Sequence[Pixels]], NDArray[np.float32]]

#: Features kept of an image.
FEATURES = 250
# Images whose features make the vocabulary.
_SAMPLE = 300
# Sums of products of so small whole numbers are exact in single precision.
_EMBEDDING_STEPS = 100


@dataclass(frozen=True)
class NamedImage:
    """An image's name in all tables and the path of its file."""

    image: str
    path: Path


@dataclass(frozen=True, eq=False)
class Signature:
    """What is kept of an image.

    ``places`` (features, 4) and ``words`` (features) are its local features, without words that it has
    several times: those could mean any of their places. ``size`` is (width, height) of the whole image;
    ``embedding`` holds whole numbers, or nothing where no network is used.
    """

    hash: NDArray[np.uint8]
    places: NDArray[np.float16]
    words: Words
    embedding: NDArray[np.int8]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Read:
    pixels: Pixels | None
    size: tuple[int, int]
    hash: NDArray[np.uint8]
    features: Features


def digests(images: Sequence[NamedImage], threads: int, progress: Progress | None = None) -> list[str | None]:
    """SHA-256 of each file; None where it cannot be read."""
    return list(in_order(_digest, images, threads, "files", progress))


def _digest(image: NamedImage) -> str | None:
    try:
        return file_digest(image.path)
    except OSError:
        return None


def signatures(
    images: Sequence[NamedImage],
    *,
    embed: Embed | None = None,
    threads: int = 1,
    progress: Progress | None = None,
) -> list[Signature | str]:
    """The signature of each image, or a message where the image cannot be read.

    Each image is read once. The vocabulary is drawn from a few hundred images spread evenly over all.
    """
    read = partial(_read, keep_pixels=embed is not None)
    step = max(1, -(-len(images) // _SAMPLE))
    numbers = range(0, len(images), step)
    sample = [images[number] for number in numbers]
    first = dict(zip(numbers, in_order(read, sample, threads, "vocabulary", progress), strict=True))
    vocabulary = Vocabulary([one.features.descriptors for one in first.values() if isinstance(one, _Read)])

    def read_or_take(number: int) -> _Read | str:
        return first.pop(number) if number in first else read(images[number])

    found: list[Signature | str] = []
    for chunk in _chunks(in_order(read_or_take, range(len(images)), threads, "images", progress)):
        good = [one for one in chunk if isinstance(one, _Read)]
        pixels = [one.pixels for one in good if one.pixels is not None]
        vectors: Iterator[NDArray[np.int8]] = iter(_whole_numbers(embed(pixels)) if embed and pixels else [])
        for one in chunk:
            if isinstance(one, _Read):
                found.append(_signature(one, vocabulary, next(vectors, np.zeros(0, np.int8))))
            else:
                found.append(one)
    return found


def _signature(read: _Read, vocabulary: Vocabulary, embedding: NDArray[np.int8]) -> Signature:
    words, at, counts = np.unique(
        vocabulary.words(read.features.descriptors), return_index=True, return_counts=True
    )
    once = counts == 1
    places = read.features.places[at[once]].astype(np.float16)
    return Signature(read.hash, places, words[once], embedding, read.size)


def _read(image: NamedImage, keep_pixels: bool) -> _Read | str:
    try:
        thumbnail = read_thumbnail(image.path)
    except UserError as error:
        return str(error)
    grey = thumbnail.grey
    features = local_features(grey, FEATURES)
    pixels = thumbnail.pixels if keep_pixels else None
    return _Read(pixels, thumbnail.full_size, perceptual_hash(grey), features)


def _whole_numbers(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return np.rint(_EMBEDDING_STEPS * vectors / np.maximum(largest, 1e-12)).astype(np.int8)


def _chunks(values: Iterator[_Read | str]) -> Iterator[list[_Read | str]]:
    while chunk := list(itertools.islice(values, CHUNK)):
        yield chunk
