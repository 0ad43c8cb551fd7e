"""Presets of methods, differences to any other preset; and folders, however they are called."""

import pytest

from weclip.config_file import label_methods, load_config
from weclip.system.errors import InputError


def test_a_method_is_a_difference_to_any_preset():
    base = ["data.root=x", "clip.weights=y"]
    voc = load_config("voc", base)
    assert label_methods() == ["cd-clip", "clip-es", "corrclip", "excel"]
    assert load_config("voc", base, method="clip-es") == voc
    excel = load_config("voc", base, method="excel")
    assert (excel.cam.source, excel.affinity.attention.box_threshold) == ("patch_text", 0.79)
    assert load_config("voc", [*base, "cam.source=gradcam"], method="excel").cam.source == "gradcam"
    assert load_config("voc", base, method="cd-clip").affinity.source == "class_distribution"
    with pytest.raises(InputError, match=r"--method exel: there is none .* did you mean 'excel'"):
        load_config("voc", base, method="exel")


@pytest.mark.parametrize(
    ("changes", "side", "under"),
    [
        ([], None, 0.0),
        (["label.any_class=true"], 336, 0.2),
        (["label.any_class=true", "data.classes=coco"], 336, 0.25),
    ],
)
def test_corrclip_with_and_without_tags(changes, side, under):
    base = ["data.root=x", "clip.weights=y", *changes]
    config = load_config("demo", base, method="corrclip")
    assert (config.label.windows, config.label.scale) == (True, 1.0)
    assert (config.windows.short_side, config.label.background_under) == (side, under)
    assert config.cam.region_attention.merge_regions
    assert len(config.clip.templates) == 80
    assert (config.regions.vote, config.regions.sam2.iou) == (True, 0.4)


@pytest.mark.parametrize(
    ("preset", "changes", "box"),
    [("voc", [], 0.79), ("coco", [], 0.88), ("coco", ["data.train_split=val"], 0.75)],
)
def test_excel_as_released(preset, changes, box):
    base = ["data.root=x", "clip.weights=y", *changes]
    plain = load_config(preset, base, method="excel")
    assert (plain.affinity.attention.box_threshold, plain.label.square) == (0.79, None)
    assert (plain.affinity.attention.summed_layers, plain.label.par) == (0, False)
    released = load_config(preset, [*base, "faithful=true"], method="excel")
    use = released.affinity.attention
    assert (use.box_threshold, use.summed_layers, use.layers) == (box, 5, 6)
    label = released.label
    assert (label.square, label.imagenet_normalisation, label.par) == (320, True, True)
    own = load_config(preset, [*base, "faithful=true", "label.par=false"], method="excel")
    assert not own.label.par


@pytest.mark.parametrize(
    "root", ["my photos #1", "a: b", "%x", "50%", "a;b", "007", "[x]", "é", "-"]
)
def test_a_path_is_taken_as_it_is(root: str):
    config = load_config("folder", [f"data.root={root}", "clip.weights=demo"])
    assert config.data.root == root
    quoted = load_config("folder", [f'data.root="{root}"', "clip.weights=demo"])
    assert quoted.data.root == root
