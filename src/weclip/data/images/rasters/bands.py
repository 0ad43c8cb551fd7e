"""Three bands of a TIFF as RGB, by rasterio, strip by strip.

Stage 1; `rasterio` is an extra: `pip install 'weclip[geo]'`.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import product
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.data.images.rasters.tiff import Tiff
from weclip.data.images.rasters.turns import upright
from weclip.data.images.reading import Reading, require_pixels
from weclip.system.errors import InputError

INSTALL = "pip install 'weclip[geo]'"

CACHE = 64
"""MB of decoded blocks that GDAL keeps; by default it is a twentieth of the machine's memory."""

STRIP, LARGEST_STRIP = 2**20, 2**24
"""Pixels of three bands that are read at once, and the most of a row of large blocks."""

SAMPLE = 1024
"""Rows and columns that the range of a large file is read from, in three parts."""


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
        # For good: `catch_warnings` is not safe where several threads read.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        raster = rasterio.open(path, driver="GTiff")
        with rasterio.Env(GDAL_CACHEMAX=CACHE), raster:
            yield raster
    except (RasterioError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error.__cause__ or error).split())[:160]  # the cause is GDAL's
        raise InputError(f"{path}: image cannot be read ({reason})") from None


def read_bands(path: str | PathLike[str], tiff: Tiff, reading: Reading) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 of a TIFF, upright: the bands and the range that `reading` names.

    A value that is no number becomes 0, and one outside the range the nearest in it. Where the
    file says that its least value is white, it is.

    Raises:
        InputError: The file is broken or too large, has not these bands, or has values that need a
            range, or that none can explain.
    """
    if tiff.other is not None:
        raise _no_values(path, tiff.other, "add data.bands=null data.range=null, or save")
    with opened(path) as raster:
        require_pixels((raster.width, raster.height), reading.max_pixels, path)
        chosen = _chosen(raster, reading, path)
        low, high = _range(raster, chosen, tiff, reading, path)
        pixels = np.empty((raster.height, raster.width, 3), np.uint8)
        for rows in block_rows(raster):
            window = ((rows.start, rows.stop), (0, raster.width))
            for channel, values in enumerate(raster.read(chosen, window=window)):
                if values.dtype != np.uint8 or (low, high) != (0, 255):
                    values = to_bytes(values, low, high)
                pixels[rows, :, channel] = values
    if tiff.white_is_0:
        np.subtract(255, pixels, out=pixels)
    return upright(pixels, tiff.orientation)


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
    if tiff.other is not None:
        return _no_values(path, tiff.other, "save")
    keys = []
    if tiff.bands not in (1, 3):
        keys.append("three of them as red, green and blue with data.bands=[1,2,3]")
    if tiff.bits > 8 or not tiff.unsigned:
        keys.append(f"the values that are black and white with data.range=[low,high]{_own(path)}")
    way = " and ".join(keys)
    return InputError(f"{path}: a TIFF of {tiff.kind}, which are no colours yet; name {way}")


def _no_values(path: str | PathLike[str], other: str, way: str) -> InputError:
    """What is said of a TIFF whose numbers no range makes colours."""
    return InputError(f"{path}: a TIFF of numbers that are {other}; {way} it as RGB")


def _own(path: str | PathLike[str]) -> str:
    """The range of a file, as an addition to a message; empty where it cannot be read."""
    if not has_rasterio():
        return ""
    try:
        with opened(path) as raster:
            return f" (its own go {_own_range(raster, list(range(1, raster.count + 1)))})"
    except InputError:
        return ""


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
    raster: Any,
    chosen: tuple[int, ...],
    tiff: Tiff,
    reading: Reading,
    path: str | PathLike[str],
) -> tuple[float, float]:
    if reading.range is not None:
        return reading.range
    kinds = {raster.dtypes[band - 1] for band in chosen}
    if kinds == {"uint8"}:
        return 0, 2**tiff.bits - 1
    raise InputError(
        f"{path}: has values of type {', '.join(sorted(kinds))} "
        f"({_own_range(raster, sorted(set(chosen)))}); name those that become black and white with "
        "data.range=[low,high]"
    )


def _own_range(raster: Any, chosen: list[int]) -> str:
    """In words, the least and the largest value, but for no data; of a large file those of parts.

    So a folder of large files that are refused is not read as a whole.
    """
    known = []
    for rows, columns in product(_parts(raster.height), _parts(raster.width)):
        window = ((rows.start, rows.stop), (columns.start, columns.stop))
        values = np.ma.masked_invalid(raster.read(chosen, window=window, masked=True)).compressed()
        known += [values.min(), values.max()] if values.size else []
    low, high = (min(known), max(known)) if known else (0, 0)
    about = "about " if max(raster.shape) > SAMPLE else ""
    return f"from {about}{low:g} to {about}{high:g}"


def _parts(length: int) -> list[slice]:
    """Three short parts of a long side, together `SAMPLE`; a short one as a whole."""
    if length <= SAMPLE:
        return [slice(0, length)]
    side = SAMPLE // 3
    return [slice(start, start + side) for start in (0, (length - side) // 2, length - side)]


def to_bytes(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Values as bytes, where `low` is 0, and `high` 255; what lies outside is cut off."""
    scaled = (values.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    known: NDArray[np.float32] = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
    whole: NDArray[np.uint8] = np.rint(known.clip(0, 255)).astype(np.uint8)
    return whole
