"""Masks of images from a map, as GeoTIFFs that lie on it where their image does.

Stage 1, the file format of predictions. `rasterio` is an extra: `pip install 'weclip[geo]'`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weclip.data.batch import IGNORE_INDEX
from weclip.data.images.rasters.bands import block_rows, has_rasterio, opened
from weclip.data.images.rasters.tiff import is_tiff, tiff_of
from weclip.data.images.rasters.turns import as_stored, upright
from weclip.system.files import write_atomically

Ids = npt.NDArray[np.uint8]
NoData = npt.NDArray[np.bool_]

SUFFIX = ".tif"
BLOCK = 256
"""Pixels of a block's side in the file, which is what viewers read at once."""


def is_from_a_map(path: Path) -> bool:
    """Whether an image is a TIFF that says where on a map it lies, or which values are no data."""
    tiff = tiff_of(path) if is_tiff(path) else None
    return tiff is not None and tiff.geo


def has_geo_mask(path: Path) -> bool:
    """Whether an image's mask can be written as a GeoTIFF."""
    return is_from_a_map(path) and has_rasterio()


def no_data_of(path: Path) -> NoData | None:
    """(H, W) bool, upright: where an image has no data; None where it has some everywhere.

    There is none where all bands have the file's value of no data, or where its alpha band or its
    mask is 0. Of other images, and without rasterio, nothing is known.

    Raises:
        InputError: The image cannot be read any more.
    """
    tiff = tiff_of(path) if is_tiff(path) else None
    if tiff is None or not tiff.geo or not has_rasterio():
        return None
    with opened(path) as raster:
        valid = np.empty(raster.shape, np.uint8)
        for rows in block_rows(raster):
            valid[rows] = raster.dataset_mask(window=((rows.start, rows.stop), (0, raster.width)))
    missing: NoData = upright(valid, tiff.orientation) == 0
    return missing if missing.any() else None


def save_geo_mask(
    ids: Ids,
    path: Path,
    image: Path,
    *,
    names: Sequence[str],
    palette: Ids | None,
) -> None:
    """Write a label map as a GeoTIFF, block by block; it appears whole or not at all.

    Args:
        ids: (H, W) class ids, upright as the image is seen; 255 is no data. The file holds them
            turned as the image's pixels are, which its place on the map belongs to.
        path: The file.
        image: The image, whose place on the map it gets.
        names: Class names by id, which become metadata of the file.
        palette: (256, 3) colours; None: without a colour table.

    Raises:
        InputError: The image cannot be read any more.
        WriteError: The file cannot be written.
    """
    with opened(image) as raster:
        place = _place(raster)
    tiff = tiff_of(image)
    stored = ids if tiff is None else as_stored(ids, tiff.orientation)
    write_atomically(path, lambda target: _write(stored, target, place, names, palette))


def _place(raster: Any) -> dict[str, Any]:
    """Where a raster lies: its reference system with a transformation or control points, or RPC."""
    points, system = raster.gcps
    if points:
        return {"gcps": points, "crs": system}
    camera = {} if raster.rpcs is None else {"rpcs": raster.rpcs}
    if raster.crs is None and raster.transform.is_identity:
        return camera
    return {"crs": raster.crs, "transform": raster.transform, **camera}


def _write(
    ids: Ids, target: Path, place: dict[str, Any], names: Sequence[str], palette: Ids | None
) -> None:
    """Fill a file by way of memory: GDAL would tell no reason why it cannot be written."""
    from rasterio.io import MemoryFile

    height, width = ids.shape
    settings: dict[str, Any] = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": 1,
        "dtype": "uint8",
        "nodata": IGNORE_INDEX,
        "compress": "deflate",
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "bigtiff": "if_safer",
    }
    with MemoryFile() as memory:
        with memory.open(**settings, **place) as raster:
            for top in range(0, height, BLOCK):
                rows = ids[top : top + BLOCK]
                raster.write(rows, 1, window=((top, top + len(rows)), (0, width)))
            raster.update_tags(1, **{f"class_{index}": name for index, name in enumerate(names)})
            if palette is not None:
                colours = palette.tolist()
                raster.write_colormap(1, {i: (*colours[i], 255) for i in range(len(names))})
        target.write_bytes(memory.getbuffer())
