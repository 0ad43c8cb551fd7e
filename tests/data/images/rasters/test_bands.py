from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps
from tests.data.images.geotiffs import values, write_geotiff

from weclip.data.batch import TaggedImage
from weclip.data.images.decoded_cache import DecodedCache
from weclip.data.images.decoding import read_image, read_rgb, size_of
from weclip.data.images.rasters import bands as bands_module
from weclip.data.images.rasters.tiff import tiff_of
from weclip.data.images.reading import PLAIN, Reading
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


def test_a_range_is_of_16_bit_grey_of_any_format_too(tmp_path):
    values_ = values(1, np.uint16, high=4095)[0]
    grey = Image.fromarray(values_)
    for name in ("a.png", "b.tif", "c.pgm"):
        grey.save(tmp_path / name)
        assert read_rgb(tmp_path / name).max() == 4095 >> 8
        found = read_rgb(tmp_path / name, reading=Reading(range=(0, 4095)))
        assert np.abs(found[..., 1] - values_ * (255 / 4095)).max() <= 0.51
    assert np.array_equal(as_rgb(grey, reading=Reading(range=(0, 4095))), found)
    with pytest.raises(InputError, match=r"a\.png: has 1 band of 16 bits; name .*data\.range"):
        read_rgb(tmp_path / "a.png", reading=Reading(bands=(1, 1, 1)))


@pytest.mark.parametrize("reading", [Reading(bands=(3, 2, 1)), Reading(range=(0, 4095))])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_keys_that_mean_nothing_for_an_image_are_refused(tmp_path, name, reading):
    Image.new("RGB", (5, 4)).save(tmp_path / name, format="PNG" if name == "a.tif" else None)
    with pytest.raises(InputError, match=rf"{name}: data\.bands and data\.range are of TIFFs"):
        read_image(tmp_path / name, reading=reading)


@pytest.mark.parametrize("mode", ["P", "CMYK", "LAB"])
def test_numbers_that_no_range_explains_are_refused(tmp_path, mode):
    Image.new(mode, (5, 4)).save(tmp_path / "a.tif")
    for reading in (Reading(range=(0, 255)), Reading(bands=(1, 1, 1))):
        with pytest.raises(InputError, match=r"numbers that are .*add data\.bands=null data\.ran"):
            read_rgb(tmp_path / "a.tif", reading=reading)


def test_complex_numbers_are_refused(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", values(1, np.complex64, high=9))
    for reading in (PLAIN, Reading(range=(0, 255))):
        with pytest.raises(InputError, match=r"numbers that are complex; .*as RGB"):
            read_rgb(path, reading=reading)


def test_a_least_value_that_is_white_stays_white(tmp_path):
    path = tmp_path / "a.tif"
    bands = values(1, np.uint8, high=255)
    write_geotiff(path, bands, photometric="MINISWHITE")
    expected = read_rgb(path)
    assert np.array_equal(expected[..., 0], 255 - bands[0])
    for reading in (Reading(range=(0, 255)), Reading(bands=(1, 1, 1))):
        assert np.array_equal(read_rgb(path, reading=reading), expected)


def test_one_bit_is_black_or_white(tmp_path):
    Image.fromarray(values(1, np.uint8, high=255)[0]).convert("1").save(tmp_path / "a.tif")
    found = read_rgb(tmp_path / "a.tif", reading=Reading(bands=(1, 1, 1)))
    assert np.array_equal(found, read_rgb(tmp_path / "a.tif"))


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiffs_are_turned_however_they_are_read(tmp_path, orientation, compression):
    grey, path = values(1, np.uint16, high=65535)[0] // 256 * 256, tmp_path / "a.tif"
    eight = Image.fromarray((grey // 256).astype(np.uint8))
    jpeg_way = exif_turned(eight, orientation)
    for picture in (eight, Image.fromarray(grey)):
        picture.save(path, tiffinfo={274: orientation}, compression=compression)
        top = 255 if picture is eight else 65280
        for reading in (PLAIN, Reading(range=(0, top))):
            found = read_rgb(path, reading=reading)[..., 0]
            assert found.shape == jpeg_way.shape
            assert np.abs(found.astype(int) - jpeg_way).max() <= 1
        assert size_of(path) == jpeg_way.shape[::-1]


def exif_turned(picture, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    content = BytesIO()
    picture.save(content, "PNG", exif=exif)
    return np.asarray(ImageOps.exif_transpose(Image.open(content)))


def test_of_a_large_file_parts_tell_the_range(tmp_path, monkeypatch):
    bands = np.zeros((1, 60, 70), np.uint16)
    bands[0, 59, 69], bands[0, 15, 0] = 900, 1000  # a corner, and what lies between the parts
    path = write_geotiff(tmp_path / "a.tif", bands)
    monkeypatch.setattr(bands_module, "SAMPLE", 30)
    with pytest.raises(InputError, match=r"its own go from about 0 to about 900\)"):
        read_rgb(path)


def test_a_truncated_file_is_told_with_gdals_reason(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", values(4, np.uint16, high=200, size=(200, 200)))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"cannot be read \((?!.*See previous).*\)"):
        read_rgb(path, reading=Reading(bands=(1, 2, 3), range=(0, 200)))


def test_the_cache_keeps_bands_apart(tmp_path):
    path = write_geotiff(tmp_path / "a.tif", values(4, np.uint8, high=255))
    one, two = Reading(bands=(1, 2, 3)), Reading(bands=(4, 3, 2))
    for reading in (one, two, one):
        cache = DecodedCache(tmp_path / "cache", reading=reading)
        cache.bytes_needed([TaggedImage("a", path, ())])
        assert np.array_equal(np.asarray(cache(path)), read_rgb(path, reading=reading))
    assert len(list((tmp_path / "cache").glob("*.npy"))) == 2
