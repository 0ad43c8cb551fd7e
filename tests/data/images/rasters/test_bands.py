import numpy as np
import pytest
from PIL import Image
from tests.data.images.geotiffs import values, write_geotiff

from weclip.data.batch import TaggedImage
from weclip.data.images.decoded_cache import DecodedCache
from weclip.data.images.decoding import read_image, read_rgb
from weclip.data.images.rasters import bands as bands_module
from weclip.data.images.rasters.tiff import tiff_of
from weclip.data.images.reading import Reading
from weclip.data.inspection.file_facts import read_facts
from weclip.inference.given_image import as_rgb
from weclip.system.errors import InputError


def test_bands_and_range_become_colours(tmp_path):
    bands = values(13, np.uint16, high=4000)
    path = write_geotiff(tmp_path / "a.tif", bands)
    reading = Reading(bands=(4, 3, 2), range=(1000, 3000))
    expected = np.clip(np.rint((bands[[3, 2, 1]].astype(float) - 1000) * 255 / 2000), 0, 255)
    found = read_rgb(path, reading=reading)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - expected.transpose(1, 2, 0)).max() <= 1  # rounding
    assert np.mean(found == expected.transpose(1, 2, 0)) > 0.99
    assert np.array_equal(np.asarray(read_image(path, reading=reading)), found)
    assert np.array_equal(as_rgb(path, reading=reading), found)
    assert read_facts(path, None, num_classes=2, reading=reading).size == (50, 40)


def test_strips_are_the_whole(tmp_path, monkeypatch):
    bands = values(4, np.int16, high=900)
    path = write_geotiff(tmp_path / "a.tif", bands, tiled=True, blockxsize=16, blockysize=16)
    reading = Reading(bands=(1, 2, 4), range=(0, 900))
    whole = read_rgb(path, reading=reading)
    monkeypatch.setattr("weclip.data.images.rasters.bands.STRIP", 400)
    assert np.array_equal(read_rgb(path, reading=reading), whole)


def test_eight_bits_need_no_range(tmp_path):
    bands = values(4, np.uint8, high=255)
    path = write_geotiff(tmp_path / "a.tif", bands)
    found = read_rgb(path, reading=Reading(bands=(4, 1, 1)))
    assert np.array_equal(found, bands[[3, 0, 0]].transpose(1, 2, 0))


def test_one_band_is_grey(tmp_path):
    bands = values(1, np.float32, high=2.0)
    bands[0, 5, 5], bands[0, 5, 6] = np.nan, np.inf
    path = write_geotiff(tmp_path / "a.tif", bands)
    found = read_rgb(path, reading=Reading(range=(0.0, 2.0)))
    assert np.array_equal(found[..., 0], found[..., 2])
    assert (found[0, 0, 0], found[0, 1, 0], found[5, 5, 0], found[5, 6, 0]) == (0, 255, 0, 255)


@pytest.mark.parametrize("count", [1, 3])
def test_colours_of_a_map_are_read_as_ever(tmp_path, count):
    bands = values(count, np.uint8, high=255)
    path = write_geotiff(tmp_path / "a.tif", bands)
    tiff = tiff_of(path)
    assert tiff is not None
    assert tiff.geo
    found = read_rgb(path)
    assert np.array_equal(found, np.broadcast_to(bands, (3, 40, 50)).transpose(1, 2, 0))
    chosen = Reading(bands=(1, 1, 1) if count == 1 else (1, 2, 3))
    assert np.array_equal(read_rgb(path, reading=chosen), found)


@pytest.mark.parametrize(
    ("count", "kind", "says"),
    [
        (4, "uint8", r"4 bands of 8 bits.*data\.bands=\[1,2,3\]$"),
        (2, "uint8", r"2 bands of 8 bits.*data\.bands=\[1,2,3\]$"),
        (13, "uint8", r"13 bands of 8 bits.*data\.bands=\[1,2,3\]$"),
        (1, "uint16", r"1 band of 16 bits.*data\.range=\[low,high\] \(its own go from 0 to 200\)$"),
        (13, "uint16", r"13 bands of 16 bits.*data\.bands=.* and .*data\.range=.*0 to 200\)$"),
        (3, "float32", r"3 bands of 32 bits.*data\.range=.*0 to 200\)$"),
        (3, "int8", r"3 bands of 8 bits.*data\.range="),
    ],
)
def test_values_that_are_no_colours_are_refused_with_the_way_out(tmp_path, count, kind, says):
    high = 100 if kind == "int8" else 200
    path = write_geotiff(tmp_path / "a.tif", values(count, kind, high=high))
    for read in (read_image, read_rgb, as_rgb):
        with pytest.raises(InputError, match=says):
            read(path)
    (problem,) = read_facts(path, None, num_classes=2).problems
    assert problem[0] == "unreadable_images"


@pytest.mark.parametrize(
    ("count", "kind", "reading", "says"),
    [
        (3, "uint8", Reading(bands=(1, 2, 4)), r"has 3 bands, and data\.bands=\[1, 2, 4\] asks"),
        (1, "uint8", Reading(bands=(1, 2, 3)), r"has 1 band, and data\.bands"),
        (4, "uint16", Reading(range=(0, 9)), r"has 4 bands; name three of them with data\.bands"),
        (
            4,
            "uint16",
            Reading(bands=(1, 2, 3)),
            r"has values.*\(from 0 to 200\); name.*data\.range",
        ),
        (3, "uint8", Reading(1999, bands=(1, 2, 3)), r"too large: 50 x 40 = 2000 pixels"),
    ],
)
def test_keys_that_do_not_fit_are_refused(tmp_path, count, kind, reading, says):
    path = write_geotiff(tmp_path / "a.tif", values(count, kind, high=200))
    with pytest.raises(InputError, match=rf"a\.tif: {says}"):
        read_rgb(path, reading=reading)


def test_no_data_is_not_in_the_range_that_is_named(tmp_path):
    bands = values(3, np.int16, high=200)
    bands[:, 3] = -9999
    path = write_geotiff(tmp_path / "a.tif", bands, nodata=-9999)
    with pytest.raises(InputError, match="from 0 to 200"):
        read_rgb(path)


def test_a_broken_file_is_one_line(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", values(4, np.uint16, high=200))
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(InputError, match=r"a\.tif: image cannot be read"):
        read_rgb(path, reading=Reading(bands=(1, 2, 3), range=(0, 200)))


def test_without_rasterio_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    path = write_geotiff(tmp_path / "a.tif", values(4, np.uint16, high=200))
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    monkeypatch.setattr(bands_module, "has_rasterio", lambda: False)
    with pytest.raises(InputError, match=r"data\.range=\[low,high\]$"):
        read_rgb(path)
    with pytest.raises(InputError, match=r"rasterio is needed: pip install 'weclip\[geo\]'"):
        read_rgb(path, reading=Reading(bands=(1, 2, 3), range=(0, 200)))


def test_photographs_and_other_formats_are_left_alone(tmp_path):
    pixels = values(3, np.uint8, high=255).transpose(1, 2, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(read_rgb(tmp_path / "a.png", reading=Reading(bands=(3, 2, 1))), pixels)
    grey = Image.fromarray(values(1, np.uint16, high=60000)[0])
    grey.save(tmp_path / "b.tif")
    assert read_rgb(tmp_path / "b.tif").max() == 60000 >> 8


def test_the_cache_keeps_bands_apart(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", values(4, np.uint8, high=255))
    one, two = Reading(bands=(1, 2, 3)), Reading(bands=(4, 3, 2))
    for reading in (one, two, one):
        cache = DecodedCache(tmp_path / "cache", reading=reading)
        cache.bytes_needed([TaggedImage("a", path, ())])
        assert np.array_equal(np.asarray(cache(path)), read_rgb(path, reading=reading))
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2
