"""The reader on all real images beside the repository."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from podura.slides.reading import examine, open_slide, read_image

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.real_images


def images(folder, suffix):
    found = sorted((DATA / folder).rglob(f"*{suffix}"))
    if not found:
        pytest.skip(f"{DATA / folder} is not there")
    return found


def test_every_jpeg_of_bccd_is_that_of_pillow():
    paths = images("bccd", ".jpg")
    assert len(paths) == 364
    for path in paths:
        seen = examine(path)
        assert (seen.um_per_pixel, seen.notes) == (None, ())
    for path in paths[::20]:
        with Image.open(path) as image:
            expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        np.testing.assert_array_equal(read_image(path), expected)
        with open_slide(path) as slide:
            np.testing.assert_array_equal(slide.region(100, 80, 64, 48), expected[80:128, 100:164])


def test_every_pyramid_of_asthma_bal_is_that_of_tifffile():
    paths = images("asthma_bal", ".tiff")
    assert len(paths) == 20
    for path in paths:
        seen = examine(path)
        # Its further pages are levels, although the files mark them as pages of a document.
        assert (seen.um_per_pixel, seen.notes) == (None, ())
        with open_slide(path) as slide, tifffile.TiffFile(path) as tif:
            assert len(slide.levels) == len(tif.pages) > 1
            for number, page in enumerate(tif.pages):
                expected = page.asarray()
                height, width = expected.shape[:2]
                np.testing.assert_array_equal(slide.region(0, 0, width, height, number), expected)
                x, y = width // 3, height // 3
                np.testing.assert_array_equal(
                    slide.region(x, y, x, y, number), expected[y : 2 * y, x : 2 * x]
                )
