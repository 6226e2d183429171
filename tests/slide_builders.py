"""Image files of every kind that the reader opens, written by code, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from builders import ORIENTATION, quadrants


def texture(width: int = 70, height: int = 50, *, seed: int = 3) -> NDArray[np.uint8]:
    """RGB in which every pixel differs from its neighbours, so that a shift by one pixel shows."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(seed).integers(0, 60, (height, width))
    return np.stack([(x * 255) // width, (y * 255) // height, 90 + noise], axis=2).astype(np.uint8)


def smooth(width: int = 70, height: int = 50) -> NDArray[np.uint8]:
    """RGB that JPEG hardly changes."""
    y, x = np.mgrid[:height, :width]
    channels = [x * 200 // width + 20, y * 200 // height + 20, (x + y) * 200 // (width + height)]
    return np.stack(channels, axis=2).astype(np.uint8)


def sixteen(width: int = 70, height: int = 50, *, low: int = 300, high: int = 4095) -> NDArray[np.uint16]:
    """Grey as a 12-bit camera writes it into 16 bits, low and high included."""
    y, x = np.mgrid[:height, :width]
    values = low + ((x * 7 + y * 11) % 251) * (high - low) // 250
    return values.astype(np.uint16)


def scaled_to_8_bits(values: NDArray) -> NDArray[np.float64]:
    """The documented rule, written anew: linear from the smallest to the largest value."""
    low, high = float(values.min()), float(values.max())
    return (values.astype(np.float64) - low) * 255.0 / (high - low)


def oriented(orientation: int) -> dict[str, Any]:
    """Options of tifffile for TIFF tag 274."""
    return {"extratags": [(ORIENTATION, 3, 1, orientation, True)]}


def write_pyramid(
    path: Path,
    pixels: NDArray,
    *,
    levels: int = 3,
    tile: int = 16,
    flagged: bool = True,
    sub_ifds: bool = False,
    **options: Any,
) -> Path:
    """A tiled pyramid of halves; ``flagged``: reduced pages are marked so, else as libvips leaves them."""
    options = {"photometric": "rgb", "metadata": None, **options, "tile": (tile, tile)}
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, subifds=levels - 1 if sub_ifds else None, **options)
        options.pop("description", None)
        for level in range(1, levels):
            small = halved(pixels, level)
            writer.write(small, subfiletype=1 if flagged else 0, **options)
    return path


def halved(pixels: NDArray, times: int) -> NDArray:
    """Every second, fourth, … pixel; the sizes round down as libvips' do."""
    step = 2**times
    height, width = pixels.shape[0] // step, pixels.shape[1] // step
    return np.ascontiguousarray(pixels[::step, ::step][:height, :width])


def write_svs(path: Path, pixels: NDArray[np.uint8], *, mpp: str = "0.4990") -> Path:
    """What OpenSlide takes for a slide of an Aperio scanner: tiles, thumbnail, a reduced level."""
    height, width = pixels.shape[:2]
    description = f"Aperio Image Library v11.2.1\r\n{width}x{height} [0,0 {width}x{height}] (16x16)"
    tiled: dict[str, Any] = {"photometric": "rgb", "metadata": None, "tile": (16, 16), "compression": "zlib"}
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, description=f"{description}|AppMag = 20|MPP = {mpp}", **tiled)
        writer.write(pixels[::4, ::4], description=description, photometric="rgb", metadata=None)
        writer.write(halved(pixels, 1), description=description, **tiled)
    return path


def write_ndpi(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """What OpenSlide takes for a slide of a Hamamatsu scanner: JPEG in one strip, two magnifications."""
    with tifffile.TiffWriter(path) as writer:
        for step, magnification in ((1, 20.0), (2, 10.0)):
            level = np.ascontiguousarray(pixels[::step, ::step])
            tags = [(65420, 4, 1, 1, True), (65421, 11, 1, magnification, True)]
            tags += [(offset, 9, 1, 0, True) for offset in (65422, 65423, 65424)]
            tags += [(271, 2, 9, "Hamamatsu", True), (272, 2, 11, "NanoZoomer", True)]
            writer.write(
                level,
                photometric="rgb",
                compression="jpeg",
                rowsperstrip=level.shape[0],
                metadata=None,
                resolution=(22_000 / step, 22_000 / step),
                resolutionunit="CENTIMETER",
                extratags=tags,
            )
    return path


def _pillow(suffix: str, **options: Any) -> Callable[[Path, int], Path]:
    def write(folder: Path, orientation: int) -> Path:
        path = folder / f"image{suffix}"
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        Image.fromarray(texture()).save(path, exif=exif, **options)
        return path

    return write


def _tiff(values: NDArray | None = None, **options: Any) -> Callable[[Path, int], Path]:
    def write(folder: Path, orientation: int) -> Path:
        path = folder / "image.tif"
        settings = {"metadata": None, "photometric": "rgb", **oriented(orientation), **options}
        tifffile.imwrite(path, texture() if values is None else values, **settings)
        return path

    return write


def _pyramid(values: NDArray, **options: Any) -> Callable[[Path, int], Path]:
    def write(folder: Path, orientation: int) -> Path:
        return write_pyramid(folder / "image.tif", values, **options, **oriented(orientation))

    return write


def _quantised(folder: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(quadrants(70, 50)).quantize(16).save(folder / "image.png", exif=exif)
    return folder / "image.png"


def _deep_png(folder: Path, orientation: int) -> Path:
    import imagecodecs

    (folder / "image.png").write_bytes(imagecodecs.png_encode(texture().astype(np.uint16) * 16))
    return folder / "image.png"


def _grey_png(folder: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(sixteen()).save(folder / "image.png", exif=exif)
    return folder / "image.png"


def _ome(folder: Path, orientation: int) -> Path:
    channels = np.stack([sixteen(), sixteen(low=10, high=900)])
    tifffile.imwrite(folder / "a.ome.tif", channels, metadata={"axes": "CYX"}, **oriented(orientation))
    return folder / "a.ome.tif"


def _ycbcr(folder: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(smooth()).convert("YCbCr").save(folder / "a.tif", compression="tiff_lzw", exif=exif)
    return folder / "a.tif"


def _ndpi(folder: Path, orientation: int) -> Path:
    return write_ndpi(folder / "image.ndpi", smooth(256, 192))


def _svs(folder: Path, orientation: int) -> Path:
    return write_svs(folder / "image.svs", texture())


_alpha = np.dstack([texture(), np.arange(3500, dtype=np.uint32).reshape(50, 70) % 256]).astype(np.uint8)

#: Name: a function of a folder and an orientation that writes the file and gives its path.
EVERY_KIND: dict[str, Callable[[Path, int], Path]] = {
    "jpeg": _pillow(".jpg", quality=90),
    "jpeg progressive": _pillow(".jpg", progressive=True),
    "png": _pillow(".png"),
    "png palette": _quantised,
    "png 16 bit grey": _grey_png,
    "png 16 bit colour": _deep_png,
    "webp": _pillow(".webp", lossless=True),
    "bmp": lambda folder, orientation: _bmp(folder),
    "tiff one strip": _tiff(),
    "tiff strips": _tiff(rowsperstrip=7),
    "tiff strips lzw": _tiff(rowsperstrip=7, compression="lzw", predictor=True),
    "tiff tiles deflate": _tiff(tile=(16, 32), compression="zlib", predictor=True),
    "tiff tiles uncompressed": _tiff(tile=(16, 16)),
    "tiff tiles zstd": _tiff(tile=(32, 16), compression="zstd"),
    "tiff tiles jpeg": _tiff(tile=(16, 16), compression="jpeg"),
    "tiff packbits": _tiff(rowsperstrip=9, compression="packbits"),
    "tiff planar strips": _tiff(np.moveaxis(texture(), 2, 0), planarconfig="separate", rowsperstrip=8),
    "tiff planar tiles": _tiff(
        np.moveaxis(texture(), 2, 0), planarconfig="separate", tile=(16, 16), compression="lzw"
    ),
    "tiff planar one block": _tiff(np.moveaxis(texture(), 2, 0), planarconfig="separate"),
    "tiff 16 bit grey": _tiff(sixteen(), photometric="minisblack", rowsperstrip=11),
    "tiff 16 bit big-endian": _tiff(sixteen(), photometric="minisblack", byteorder=">"),
    "tiff 16 bit colour": _tiff(texture().astype(np.uint16) * 17, tile=(16, 16)),
    "tiff rgba": _tiff(_alpha, extrasamples=["unassalpha"], tile=(16, 16), compression="zlib"),
    "tiff white is zero": _tiff(texture()[..., 2], photometric="miniswhite"),
    "tiff bilevel": _tiff(texture()[..., 2] > 120, photometric="minisblack", rowsperstrip=8),
    "tiff float": _tiff(sixteen().astype(np.float32) / 7, photometric="minisblack", tile=(16, 16)),
    "bigtiff": _tiff(tile=(16, 16), compression="lzw", bigtiff=True),
    "tiff ycbcr without jpeg": _ycbcr,
    "pyramid": _pyramid(texture(71, 53), compression="zlib"),
    "pyramid jpeg": _pyramid(texture(71, 53), compression="jpeg"),
    "pyramid of libvips": _pyramid(texture(71, 53), compression="zlib", flagged=False),
    "pyramid in sub-ifds": _pyramid(texture(71, 53), compression="zlib", sub_ifds=True),
    "pyramid 16 bit": _pyramid(sixteen(71, 53), photometric="minisblack", compression="zlib"),
    "ome-tiff of two channels": _ome,
    "svs": _svs,
    "ndpi": _ndpi,
}
#: Kinds that cannot hold an orientation, or whose orientation no viewer applies.
WITHOUT_ORIENTATION = {"bmp", "png 16 bit colour", "svs", "ndpi"}


def _bmp(folder: Path) -> Path:
    Image.fromarray(texture()).save(folder / "image.bmp")
    return folder / "image.bmp"
