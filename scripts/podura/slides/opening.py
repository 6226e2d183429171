"""Opening any image or whole slide with the reader that suits it."""

from __future__ import annotations

from pathlib import Path

from podura.slides import faults
from podura.slides.faults import TIFF_HEADS, faults_told
from podura.slides.readers.pillow_reader import PillowReader
from podura.slides.slide import Reader, Slide


def open_slide(path: Path | str) -> Slide:
    """Open an image or whole slide, to be closed again or used in a ``with`` statement.

    What a file is its first bytes tell, not its suffix. Whole slides of scanners are read through
    OpenSlide; other TIFF, tiled pyramids among them, through tifffile, which takes every kind of
    values and an eighth of the time; the rest through Pillow.
    Raises UnreadableImageError, and TooLargeError for more than faults.MAX_PIXELS in a format that can
    only be decoded as a whole.
    """
    path = Path(path)
    faults.require_file(path)
    with faults_told(path):
        return Slide(path, _reader(path))


def _reader(path: Path) -> Reader:
    with path.open("rb") as file:
        head = file.read(4)
    if path.suffix.lower() == ".mrxs":
        # Imported on need: most studies hold JPEG alone, and these imports cost most of a second.
        from podura.slides.readers.openslide_reader import opened_mrxs

        return opened_mrxs(path)
    return _tiff_reader(path) if head in TIFF_HEADS else PillowReader(path)


def _tiff_reader(path: Path) -> Reader:
    from podura.slides.readers.openslide_reader import OpenSlideReader, vendor
    from podura.slides.readers.tiff_reader import TiffReader

    name = vendor(path)
    if name is not None:
        return OpenSlideReader(path, name)
    try:
        return TiffReader(path)
    except NotImplementedError:
        # YCbCr without JPEG, and fax compression: Pillow has libtiff decode it.
        return PillowReader(path)
