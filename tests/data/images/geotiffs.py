"""Small GeoTIFFs, written by rasterio."""

import numpy as np
import pytest

rasterio = pytest.importorskip("rasterio", reason="needs weclip[geo]")

CRS = "EPSG:32632"
TRANSFORM = (10.0, 0.0, 500000.0, 0.0, -10.0, 5000000.0)


def write_geotiff(path, bands, **settings):
    """A GeoTIFF of `bands` (N, H, W); what else rasterio is told."""
    from rasterio.transform import Affine

    path.parent.mkdir(parents=True, exist_ok=True)
    count, height, width = bands.shape
    place = {"crs": CRS, "transform": Affine(*TRANSFORM)}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=bands.dtype,
        **{**place, **settings},
    ) as file:
        file.write(bands)
    return path


def values(bands, dtype, *, high, size=(40, 50)):
    """Random values (N, H, W) from 0 to `high`, which both are there."""
    drawn = np.random.default_rng(0).random((bands, *size)) * high
    drawn[:, 0, 0], drawn[:, 0, 1] = 0, high
    return drawn.astype(dtype)
