import errno
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.images.geotiffs import CRS, TRANSFORM, rasterio, values, write_geotiff

from weclip.data.images.decoding import read_rgb
from weclip.data.masks import geo_masks
from weclip.data.masks.colours import VOC_COLOURS
from weclip.data.masks.geo_masks import has_geo_mask, no_data_of, save_geo_mask
from weclip.system.errors import WriteError

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


def test_pixels_of_no_data_are_known(tmp_path, monkeypatch):
    bands = values(3, np.int16, high=900)
    bands[:, 10:20, 5:9] = -9999
    bands[0, 30, 30] = -9999  # the other bands know something
    image = write_geotiff(tmp_path / "a.tif", bands, nodata=-9999)
    monkeypatch.setattr("weclip.data.images.rasters.bands.STRIP", 400)
    gone = np.zeros((40, 50), bool)
    gone[10:20, 5:9] = True
    assert np.array_equal(no_data_of(image), gone)


def test_transparent_pixels_have_no_data(tmp_path):
    bands = values(4, np.uint8, high=255)
    bands[3] = 255
    bands[3, 7] = 0
    image = write_geotiff(tmp_path / "a.tif", bands, photometric="RGB", alpha="unspecified")
    with rasterio.open(image, "r+") as file:
        from rasterio.enums import ColorInterp as Means

        file.colorinterp = [Means.red, Means.green, Means.blue, Means.alpha]
    found = no_data_of(image)
    assert found[7].all()
    assert found.sum() == 50


def test_other_images_have_no_place_on_a_map(tmp_path, monkeypatch):
    picture = Image.fromarray(values(3, np.uint8, high=255).transpose(1, 2, 0))
    for name in ("a.tif", "a.png"):
        picture.save(tmp_path / name)
        assert not has_geo_mask(tmp_path / name)
        assert no_data_of(tmp_path / name) is None
    assert not has_geo_mask(tmp_path / "gone.tif")
    image = write_geotiff(tmp_path / "b.tif", values(3, np.uint8, high=255), nodata=0)
    assert has_geo_mask(image)
    assert no_data_of(image) is not None
    monkeypatch.setattr(geo_masks, "has_rasterio", lambda: False)
    assert not has_geo_mask(image)
    assert no_data_of(image) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_image_has_its_mask_where_its_own_pixels_are(tmp_path, orientation):
    stored = values(1, np.uint8, high=255)[0]
    stored[stored == 0] = 1
    stored[5:9, 20:40] = 0
    path = tmp_path / "a.tif"
    Image.fromarray(stored).save(path, tiffinfo={274: orientation, 42113: "0"})
    (tmp_path / "a.tfw").write_text(WORLD_FILE)
    seen = read_rgb(path)[..., 0]
    assert np.array_equal(no_data_of(path), seen == 0)
    save_geo_mask(seen, tmp_path / "m.tif", path, names=NAMES, palette=None)
    with rasterio.open(tmp_path / "m.tif") as mask:
        assert np.array_equal(mask.read(1), stored)


WORLD_FILE = "10\n0\n0\n-10\n500005\n4999995\n"


@pytest.mark.parametrize("name", ["a.tfw", "a.TFW", "a.wld"])
def test_a_world_file_tells_where_an_image_lies(tmp_path, name):
    Image.fromarray(values(3, np.uint8, high=255).transpose(1, 2, 0)).save(tmp_path / "a.tif")
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset><Metadata/></PAMDataset>")
    assert not has_geo_mask(tmp_path / "a.tif")
    (tmp_path / name).write_text(WORLD_FILE)
    assert has_geo_mask(tmp_path / "a.tif")
    save_geo_mask(
        ids_of((40, 50)), tmp_path / "m.tif", tmp_path / "a.tif", names=NAMES, palette=None
    )
    with rasterio.open(tmp_path / "m.tif") as mask:
        assert mask.transform[:6] == TRANSFORM


def test_the_camera_of_a_satellite_is_kept(tmp_path):
    from rasterio.rpc import RPC

    numbers = [float(i) for i in range(20)]
    offsets = dict.fromkeys(("height", "lat", "line", "long", "samp"), 1.0)
    rpcs = RPC(
        **{f"{key}_off": value for key, value in offsets.items()},
        **{f"{key}_scale": value for key, value in offsets.items()},
        line_num_coeff=numbers,
        line_den_coeff=numbers,
        samp_num_coeff=numbers,
        samp_den_coeff=numbers,
    )
    place = {"crs": None, "transform": None, "rpcs": rpcs}
    image = write_geotiff(tmp_path / "a.tif", values(3, np.uint8, high=255), **place)
    assert has_geo_mask(image)
    save_geo_mask(ids_of((40, 50)), tmp_path / "m.tif", image, names=NAMES, palette=None)
    with rasterio.open(tmp_path / "m.tif") as mask:
        assert mask.rpcs.line_num_coeff == numbers


def test_what_has_no_place_is_read_and_written_in_silence(tmp_path):
    bands = values(3, np.uint8, high=255)
    image = write_geotiff(tmp_path / "a.tif", bands, crs=None, transform=None, nodata=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        no_data_of(image)
        save_geo_mask(ids_of((40, 50)), tmp_path / "m.tif", image, names=NAMES, palette=None)
    assert not said


def test_a_disk_without_room_is_told_as_such(tmp_path, monkeypatch):
    image = write_geotiff(tmp_path / "a.tif", values(3, np.uint8, high=255))

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WriteError, match=r"No space left on device: .*m\.tif"):
        save_geo_mask(ids_of((40, 50)), tmp_path / "m.tif", image, names=NAMES, palette=None)
    assert not (tmp_path / "m.tif").exists()
