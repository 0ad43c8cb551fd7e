"""CorrCLIP over windows, as the configuration builds it."""

import pytest
import torch

from weclip.backbones.positions import bicubic, bicubic_by_count
from weclip.build.windows import build_windowed, build_words
from weclip.config_file import load_config
from weclip.data.classes import load_classes
from weclip.tasks.load.backbones import open_clip, open_dino

GIVEN = ["data.root=.", "dino.weights=demo"]


def built(*changes):
    config = load_config("demo", [*GIVEN, *changes], method="corrclip")
    return build_windowed(config, open_clip(config), open_dino(config))


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ((), (320, 640)),  # own size, within label.max_side
        (("label.max_side=null",), (500, 1000)),
        (("label.any_class=true",), (336, 672)),
        (("label.any_class=true", "windows.long_side=400"), (200, 400)),
    ],
)
def test_the_size_that_images_are_seen_at(changes, size):
    assert built(*changes).windows.seen_size((500, 1000)) == size


def test_quirks():
    plain, released = built(), built("faithful=true")
    assert (plain.windows.ragged, released.windows.ragged) == (False, True)
    assert (plain.positions, released.positions) == (bicubic, bicubic_by_count)
    assert (plain.attention.least_id_is_none, released.attention.least_id_is_none) == (False, True)
    assert plain.attention.merge_regions


def test_words_are_those_of_the_class_list():
    config = load_config("demo", [*GIVEN, "clip.prompt_template=a {}."], method="corrclip")
    clip, classes = open_clip(config), load_classes("voc-corrclip")
    words = build_words(config, clip, classes)
    assert words.scale == 40
    assert words.classes == (*[0] * len(classes.background_words), *range(1, 21))
    assert classes.names == load_classes("voc").names
    ship = clip.text.encode(["a ship."])[0]
    torch.testing.assert_close(words.text[words.classes.index(4)], ship, atol=1e-6, rtol=0)
