"""Three bands of a TIFF as RGB, by rasterio, strip by strip.

Stage 1; `rasterio` is an extra: `pip install 'weclip[geo]'`.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.data.images.rasters.tiff import Tiff
from weclip.data.images.reading import Reading, require_pixels
from weclip.system.errors import InputError

INSTALL = "pip install 'weclip[geo]'"

CACHE = 64
"""MB of decoded blocks that GDAL keeps; by default it is a twentieth of the machine's memory."""

STRIP, LARGEST_STRIP = 2**20, 2**24
"""Pixels of three bands that are read at once, and the most of a row of large blocks."""

SAMPLE = 1024
"""Rows and columns that the range of a large file is taken from."""


def has_rasterio() -> bool:
    """Whether the extra is installed."""
    return find_spec("rasterio") is not None


@contextmanager
def opened(path: str | PathLike[str]) -> Iterator[Any]:
    """A TIFF, opened by rasterio; what fails, here or in the block, becomes an `InputError`.

    Raises:
        InputError: rasterio is not installed, or the file cannot be read.
    """
    try:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError
    except ImportError:
        raise InputError(f"{path}: to read its bands rasterio is needed: {INSTALL}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            raster = rasterio.open(path, driver="GTiff")
        with rasterio.Env(GDAL_CACHEMAX=CACHE), raster:
            yield raster
    except (RasterioError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:160]
        raise InputError(f"{path}: image cannot be read ({reason})") from None


def read_bands(path: str | PathLike[str], reading: Reading) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 of a TIFF: the bands and the range that `reading` names.

    A value that is no number becomes 0, and one outside the range the nearest in it.

    Raises:
        InputError: The file is broken or too large, has not these bands, or has values that need a
            range.
    """
    with opened(path) as raster:
        require_pixels((raster.width, raster.height), reading.max_pixels, path)
        chosen = _chosen(raster, reading, path)
        low, high = _range(raster, chosen, reading, path)
        pixels = np.empty((raster.height, raster.width, 3), np.uint8)
        for rows in block_rows(raster):
            window = ((rows.start, rows.stop), (0, raster.width))
            for channel, values in enumerate(raster.read(chosen, window=window)):
                if values.dtype != np.uint8 or (low, high) != (0, 255):
                    values = _to_bytes(values, low, high)
                pixels[rows, :, channel] = values
    return pixels


def block_rows(raster: Any) -> Iterator[slice]:
    """The rows of a raster in strips that end where its blocks do: else each is decoded again.

    Of a file that is one block the strips are as large as memory allows.
    """
    block = raster.block_shapes[0][0]
    rows = block * max(1, STRIP // (block * raster.width))
    if rows * raster.width > LARGEST_STRIP:
        rows = max(1, STRIP // raster.width)
    return (slice(top, min(top + rows, raster.height)) for top in range(0, raster.height, rows))


def refusal(path: str | PathLike[str], tiff: Tiff) -> InputError:
    """What is said of a TIFF whose values nobody has explained, with the way out."""
    keys = []
    if tiff.bands not in (1, 3):
        keys.append("three of them as red, green and blue with data.bands=[1,2,3]")
    if tiff.bits > 8 or not tiff.unsigned:
        keys.append(f"the values that are black and white with data.range=[low,high]{_own(path)}")
    way = " and ".join(keys)
    return InputError(f"{path}: a TIFF of {tiff.kind}, which are no colours yet; name {way}")


def _own(path: str | PathLike[str]) -> str:
    """The range of a file, as an addition to a message; empty where it cannot be read."""
    if not has_rasterio():
        return ""
    try:
        with opened(path) as raster:
            low, high = _own_range(raster, list(range(1, raster.count + 1)))
    except InputError:
        return ""
    return f" (its own go from {low:g} to {high:g})"


def _chosen(raster: Any, reading: Reading, path: str | PathLike[str]) -> tuple[int, ...]:
    if reading.bands is None:
        if raster.count not in (1, 3):
            raise InputError(
                f"{path}: has {raster.count} bands; name three of them with data.bands=[1,2,3]"
            )
        return (1, 2, 3) if raster.count == 3 else (1, 1, 1)
    if max(reading.bands) > raster.count:
        raise InputError(
            f"{path}: has {raster.count} band{'' if raster.count == 1 else 's'}, and "
            f"data.bands={list(reading.bands)} asks for number {max(reading.bands)}; they are "
            "counted from 1"
        )
    return reading.bands


def _range(
    raster: Any, chosen: tuple[int, ...], reading: Reading, path: str | PathLike[str]
) -> tuple[float, float]:
    if reading.range is not None:
        return reading.range
    kinds = {raster.dtypes[band - 1] for band in chosen}
    if kinds == {"uint8"}:
        return 0, 255
    low, high = _own_range(raster, sorted(set(chosen)))
    raise InputError(
        f"{path}: has values of type {', '.join(sorted(kinds))} (from {low:g} to {high:g}); name "
        "those that become black and white with data.range=[low,high]"
    )


def _own_range(raster: Any, chosen: list[int]) -> tuple[float, float]:
    """The least and the largest value, but for no data; of a large file in a sample of it."""
    shape = (len(chosen), min(SAMPLE, raster.height), min(SAMPLE, raster.width))
    values = raster.read(chosen, out_shape=shape, masked=True)
    known = np.ma.masked_invalid(values).compressed()
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _to_bytes(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    known: NDArray[np.float32] = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
    whole: NDArray[np.uint8] = np.rint(known.clip(0, 255)).astype(np.uint8)
    return whole
