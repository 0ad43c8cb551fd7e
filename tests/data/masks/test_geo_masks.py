import numpy as np
import pytest
from PIL import Image
from tests.data.images.geotiffs import CRS, TRANSFORM, rasterio, values, write_geotiff

from weclip.data.masks import geo_masks
from weclip.data.masks.colours import VOC_COLOURS
from weclip.data.masks.geo_masks import has_geo_mask, save_geo_mask, without_data

NAMES = ("background", "road", "roof")


def ids_of(size):
    return np.random.default_rng(1).integers(0, 3, size).astype(np.uint8)


@pytest.mark.parametrize("size", [(40, 50), (300, 700)])
def test_a_mask_lies_where_its_image_does(tmp_path, size):
    image = write_geotiff(tmp_path / "a.tif", values(4, np.uint16, high=900, size=size))
    ids = ids_of(size)
    save_geo_mask(ids, tmp_path / "out/a.tif", image, names=NAMES, palette=VOC_COLOURS)
    with rasterio.open(tmp_path / "out/a.tif") as mask:
        assert (mask.count, mask.dtypes, mask.nodata) == (1, ("uint8",), 255)
        assert (str(mask.crs), mask.transform[:6]) == (CRS, TRANSFORM)
        assert np.array_equal(mask.read(1), ids)
        assert mask.colormap(1)[2] == (*VOC_COLOURS[2].tolist(), 255)
        assert mask.tags(1)["class_2"] == "roof"
        assert mask.profile["tiled"]


def test_without_a_palette_there_is_no_colour_table(tmp_path):
    image = write_geotiff(tmp_path / "a.tif", values(3, np.uint8, high=255))
    save_geo_mask(ids_of((40, 50)), tmp_path / "m.tif", image, names=NAMES, palette=None)
    with rasterio.open(tmp_path / "m.tif") as mask, pytest.raises(ValueError, match="NULL color"):
        mask.colormap(1)


def test_control_points_are_kept(tmp_path):
    from rasterio.control import GroundControlPoint

    points = [GroundControlPoint(row, col, 10 * col, 20 * row) for row, col in ((0, 0), (9, 9))]
    image = write_geotiff(
        tmp_path / "a.tif", values(3, np.uint8, high=255), transform=None, crs=CRS, gcps=points
    )
    save_geo_mask(ids_of((40, 50)), tmp_path / "m.tif", image, names=NAMES, palette=None)
    with rasterio.open(tmp_path / "m.tif") as mask:
        found, system = mask.gcps
    assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row, p.col, p.x, p.y) for p in points]
    assert str(system) == CRS


def test_pixels_of_no_data_are_255(tmp_path, monkeypatch):
    bands = values(3, np.int16, high=900)
    bands[:, 10:20, 5:9] = -9999
    bands[0, 30, 30] = -9999  # the other bands know something
    image = write_geotiff(tmp_path / "a.tif", bands, nodata=-9999)
    monkeypatch.setattr("weclip.data.images.rasters.bands.STRIP", 400)
    ids = ids_of((40, 50))
    found, gone = without_data(image, ids), np.zeros((40, 50), bool)
    gone[10:20, 5:9] = True
    assert np.array_equal(found == 255, gone)
    assert np.array_equal(found[~gone], ids[~gone])
    assert ids.max() == 2


def test_transparent_pixels_are_255(tmp_path):
    bands = values(4, np.uint8, high=255)
    bands[3] = 255
    bands[3, 7] = 0
    image = write_geotiff(tmp_path / "a.tif", bands, photometric="RGB", alpha="unspecified")
    with rasterio.open(image, "r+") as file:
        from rasterio.enums import ColorInterp as Means

        file.colorinterp = [Means.red, Means.green, Means.blue, Means.alpha]
    found = without_data(image, ids_of((40, 50)))
    assert (found[7] == 255).all()
    assert (found == 255).sum() == 50


def test_other_images_have_no_place_on_a_map(tmp_path, monkeypatch):
    ids = ids_of((40, 50))
    picture = Image.fromarray(values(3, np.uint8, high=255).transpose(1, 2, 0))
    for name in ("a.tif", "a.png"):
        picture.save(tmp_path / name)
        assert not has_geo_mask(tmp_path / name)
        assert without_data(tmp_path / name, ids) is ids
    assert not has_geo_mask(tmp_path / "gone.tif")
    image = write_geotiff(tmp_path / "b.tif", values(3, np.uint8, high=255))
    assert has_geo_mask(image)
    monkeypatch.setattr(geo_masks, "has_rasterio", lambda: False)
    assert not has_geo_mask(image)
    assert without_data(image, ids) is ids
