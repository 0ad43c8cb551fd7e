"""Regions of an image, found in a folder by its name."""

import json

import numpy as np
import pytest
from PIL import Image

from weclip.data.regions.files import RegionFiles
from weclip.data.regions.id_maps import save_id_map
from weclip.data.regions.mask_lists import write_mask_list
from weclip.system.errors import InputError

IDS = np.array([[0, 1, 1], [2, 2, 2]], np.int32)
SIZE = (2, 3)
ONE = np.ones((1, *SIZE), bool), np.ones(1, np.float32)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photos" / "beach" / "1.jpg"
    path.parent.mkdir(parents=True)
    Image.new("RGB", (3, 2)).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    save_id_map(IDS, tmp_path / "maps" / "beach" / "1.png", "")
    return tmp_path / "maps"


def test_an_id_map_in_a_sub_folder(folder, photo):
    found = RegionFiles(folder).read("beach/1", photo, SIZE)
    assert (found.id_map == IDS).all()
    assert found.masks is None


def test_masks_that_overlap(folder, photo):
    write_mask_list(folder / "2.json", *ONE)
    found = RegionFiles(folder).read("2", photo, SIZE)
    assert found.id_map is None
    assert found.masks.all()
    assert found.scores.tolist() == [1.0]


def test_a_folder_of_ours_may_hold_both(folder, photo):
    out = folder.parent / "out"
    save_id_map(IDS, out / "maps" / "a.png", "")
    write_mask_list(out / "masks" / "a.json", *ONE)
    (out / "run.json").write_text(json.dumps({"kind": "regions"}))
    found = RegionFiles(out).read("a", photo, SIZE)
    assert (found.id_map == IDS).all()
    assert found.masks.all()
    with pytest.raises(InputError, match="no regions of image 'b'"):
        RegionFiles(out).read("b", photo, SIZE)


def test_what_is_not_there_or_there_twice(folder, photo):
    with pytest.raises(InputError, match=r"no such|not found; it must be an existing folder"):
        RegionFiles(folder / "none")
    with pytest.raises(InputError, match=r"no regions of image 'x', neither x.png .* nor x.json"):
        RegionFiles(folder).read("x", photo, SIZE)
    write_mask_list(folder / "beach" / "1.json", *ONE)
    with pytest.raises(InputError, match="are both there; which is meant"):
        RegionFiles(folder).read("beach/1", photo, SIZE)


def test_an_output_of_another_command_is_refused(folder):
    (folder / "run.json").write_text(json.dumps({"kind": "labelling"}))
    with pytest.raises(InputError, match="a labelling of weclip's, no regions"):
        RegionFiles(folder)


def test_another_size_names_both(folder, photo):
    with pytest.raises(InputError, match=r"regions of 2 x 3 pixels .* image has 4 x 6"):
        RegionFiles(folder).read("beach/1", photo, (4, 6))
    with pytest.raises(InputError, match=r"regions of 2 x 3 pixels .* image has 3 x 2"):
        RegionFiles(folder).read("beach/1", photo, (3, 2))


def test_regions_of_a_photo_that_exif_turns(folder, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (3, 2)).save(photo, exif=exif)
    with pytest.raises(InputError, match=r"made of the photo as it is stored; .* EXIF says"):
        RegionFiles(folder).read("beach/1", photo, (3, 2))
    write_mask_list(folder / "2.json", *ONE)
    with pytest.raises(InputError, match="turn the regions too"):
        RegionFiles(folder).read("2", photo, (3, 2))
