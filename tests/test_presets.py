"""Presets of methods: differences to any other preset."""

import pytest

from weclip.config_file import label_methods, load_config
from weclip.system.errors import InputError


def test_a_method_is_a_difference_to_any_preset():
    base = ["data.root=x", "clip.weights=y"]
    voc = load_config("voc", base)
    assert label_methods() == ["cd-clip", "clip-es", "excel"]
    assert load_config("voc", base, method="clip-es") == voc
    excel = load_config("voc", base, method="excel")
    assert (excel.cam.source, excel.affinity.attention.box_threshold) == ("patch_text", 0.79)
    assert load_config("voc", [*base, "cam.source=gradcam"], method="excel").cam.source == "gradcam"
    assert load_config("voc", base, method="cd-clip").affinity.source == "class_distribution"
    with pytest.raises(InputError, match=r"--method exel: there is none .* did you mean 'excel'"):
        load_config("voc", base, method="exel")
