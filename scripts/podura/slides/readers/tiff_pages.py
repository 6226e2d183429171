"""Which pages of a TIFF are the image, and which are smaller copies of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

from podura.slides.faults import UnsupportedError

AnyPage = TiffPage | TiffFrame

_REDUCED, _MASK = 1, 4
#: Pages among which levels are sought; scanners write a dozen.
_SEARCHED = 64
_CHANNELS = 3


@dataclass(frozen=True)
class Picture:
    """The image of a TIFF.

    ``levels``: for each level, the largest first, the pages of its channels (one, unless the channels
    are pages of their own). ``offsets``: where the pixels of each channel begin, for a stack that has
    one page only. ``n_channels`` that there are, ``n_pages`` pictures, levels aside.
    """

    levels: tuple[tuple[AnyPage, ...], ...]
    n_pages: int
    n_channels: int = 1
    kind: str = "TIFF"
    offsets: tuple[int, ...] | None = None
    axes: dict[str, int] = field(default_factory=dict)


def picture(tif: TiffFile) -> Picture:
    """Find the image and its levels.

    OME-TIFF and ImageJ: the first time and depth, and up to three channels. Other TIFF: the first page
    that is no preview. Its levels are its SubIFDs, and further pages of the same shape that are marked
    as reduced, or are tiled and each a whole fraction of the one before (as libvips writes them).
    """
    if (tif.is_ome or tif.is_imagej) and not _has_entities(tif):
        try:
            series = tif.series[0]
        except Exception:
            # The description is damaged; the pages may be sound.
            return _of_pages(tif)
        if series.kind in ("ome", "imagej"):
            return _of_series(tif, series)
    return _of_pages(tif)


def key_page(page: AnyPage) -> TiffPage:
    """The page that holds the tags of a page of a series."""
    key = page.keyframe
    assert key is not None
    return key


def _page(page: AnyPage) -> TiffPage:
    return page if isinstance(page, TiffPage) else page.aspage()


def _has_entities(tif: TiffFile) -> bool:
    # A description with a document type is never parsed: its entities can fill the memory.
    description = tif.pages.first.description
    return "<!DOCTYPE" in description or "<!ENTITY" in description


def _of_series(tif: TiffFile, series: TiffPageSeries) -> Picture:
    plane_axes = [
        (axis, size)
        for axis, size in zip(series.get_axes(False), series.get_shape(False), strict=True)
        if axis not in "YXS"
    ]
    sizes = dict(plane_axes)
    n_channels = sizes.get("C", 1)
    stride = math.prod(size for _, size in plane_axes[_place(plane_axes, "C") + 1 :])
    first = series.keyframe
    wanted = 1 if first.samplesperpixel > 1 else min(n_channels, _CHANNELS)
    numbers = [channel * stride for channel in range(wanted)]
    n_planes = math.prod(sizes.values())
    kind = "OME-TIFF" if series.kind == "ome" else "ImageJ TIFF"
    others = len(tif.series) - 1 if series.kind == "ome" else 0
    if len(series.pages) == 1 and wanted > 1:
        offset = series.dataoffset
        if offset is None:
            raise UnsupportedError("the channels of the TIFF cannot be told apart. Save them as RGB.")
        offsets = tuple(offset + number * first.nbytes for number in numbers)
        return Picture(((first,) * wanted,), n_planes, n_channels, kind, offsets, sizes)
    levels = [[level.pages[number] for number in numbers] for level in series.levels]
    if any(page is None for page in levels[0]):
        raise UnsupportedError("pixels of the OME-TIFF lie in other files. Save it as one file.")
    whole = [tuple(page for page in level if page is not None) for level in levels]
    return Picture(
        tuple(level for level in whole if len(level) == wanted),
        n_planes + others,
        n_channels,
        kind,
        None,
        sizes,
    )


def _place(axes: Sequence[tuple[str, int]], wanted: str) -> int:
    return next((i for i, (axis, _) in enumerate(axes) if axis == wanted), len(axes) - 1)


def _of_pages(tif: TiffFile) -> Picture:
    total = len(tif.pages)
    pages = [_page(tif.pages[i]) for i in range(min(total, _SEARCHED))]
    first = next((i for i, page in enumerate(pages) if not page.subfiletype & (_REDUCED | _MASK)), 0)
    base = pages[first]
    levels = [base]
    candidates = [_page(page) for page in base.pages or ()] if base.subifds else []
    aside = 0
    for page in [*candidates, *pages[first + 1 :]]:
        if _is_level(page, levels):
            levels.append(page)
            aside += page not in candidates
        elif page not in candidates and page.subfiletype & (_REDUCED | _MASK):
            aside += 1
    return Picture(tuple((page,) for page in levels), total - first - aside)


def _is_level(page: TiffPage, levels: Sequence[TiffPage]) -> bool:
    base, last = levels[0], levels[-1]
    if page.imagewidth >= last.imagewidth or page.imagelength >= last.imagelength:
        return False
    if (page.samplesperpixel, page.dtype, page.imagedepth) != (base.samplesperpixel, base.dtype, 1):
        return False
    if page.photometric != base.photometric and {int(page.photometric), int(base.photometric)} != {2, 6}:
        return False
    low, high = _fitting_factors(page, base)
    if low > high:
        return False
    if page.subfiletype & _REDUCED or page.parent is not base.parent:
        return True
    low, high = _fitting_factors(page, last)
    return bool(page.is_tiled) and low <= high and math.floor(high) >= max(2, math.ceil(low))


def _fitting_factors(page: TiffPage, larger: TiffPage) -> tuple[float, float]:
    """Smallest and largest factor that makes one page of the other, however its size is rounded."""
    sides = ((larger.imagewidth, page.imagewidth), (larger.imagelength, page.imagelength))
    return (
        max(large / (small + 1) for large, small in sides),
        min(large / max(small - 1, 0.5) for large, small in sides),
    )
