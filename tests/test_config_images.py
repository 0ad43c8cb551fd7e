"""Keys that say how images are read, and how large ones are cut."""

import re

import pytest
from tests.test_config import NEEDED, refused

from weclip.config_file import from_yaml, load_config, to_yaml
from weclip.data.images.reading import PLAIN, Reading
from weclip.inference.large.tiles import Tiling
from weclip.system.errors import InputError
from weclip.tasks.train.fit_to_data import with_numbers


@pytest.mark.parametrize(
    "change",
    [
        "eval.tile=63",
        "eval.tile=9000",
        "eval.overlap=0.8",
        "eval.overlap=-0.1",
        "data.bands=[1,2]",
        "data.bands=[0,1,2]",
        "data.bands=[1,2,3,4]",
        "data.range=[0]",
        "data.range=[5,5]",
        "data.range=[0,1,2]",
    ],
)
def test_values_out_of_range(change):
    key = change.partition("=")[0]
    refused(rf"^{re.escape(key)}=.* is not allowed; it must be \S+", change)


def test_a_tile_holds_a_patch_at_every_scale():
    refused(
        r"eval\.tile=64 at scale 0\.25 of eval\.scales", "eval.tile=64", "eval.scales=[1.0,0.25]"
    )


@pytest.mark.parametrize("tile", [512, 600])
def test_tiles_that_cut_nothing_are_refused(tile):
    refused(rf"eval\.tile={tile} cuts nothing.*eval\.long_side=512; add", f"eval.tile={tile}")
    load_config("voc", [*NEEDED, f"eval.tile={tile}", "eval.long_side=null"])
    config = load_config("folder", [*NEEDED, f"eval.tile={tile}"])  # it is chosen from the images
    with pytest.raises(InputError, match="cuts nothing"):
        with_numbers(config, {"eval.long_side": 512})


def test_what_is_said_reaches_readers_and_predictors():
    config = load_config("voc", NEEDED)
    assert (config.data.reading, config.eval.tiling) == (PLAIN, None)
    changes = ["data.bands=[4,3,2]", "data.range=[0,3000]", "eval.tile=256", "eval.overlap=0.5"]
    config = load_config("voc", [*NEEDED, *changes])
    config = from_yaml(to_yaml(config), "it")
    assert config.data.reading == Reading(bands=(4, 3, 2), range=(0, 3000))
    assert config.eval.tiling == Tiling(256, 0.5)
