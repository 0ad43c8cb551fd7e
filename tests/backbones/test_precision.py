"""What a precision means on a device, and that nothing but the encoders leaves float32."""

import numpy as np
import pytest
import torch
from tests.methods.tiny_weclip import clip_state, text_features, tiny_config, tiny_weclip

from weclip.backbones import precision
from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.precision import DTYPES, chosen_precision, computing_in
from weclip.build.without_training import tag_clip, training_free
from weclip.config_file import load_config, presets
from weclip.config_rules import PRECISIONS
from weclip.data.images.full_images import EvalItem
from weclip.inference.label_maps import make_label_maps
from weclip.labels.view import View
from weclip.system.errors import InputError

KEY = "label.precision"


@pytest.fixture(autouse=True)
def untried():
    """Nothing is known of any device."""
    precision._why_not.cache_clear()
    yield
    precision._why_not.cache_clear()


def processor(monkeypatch, *units):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(units, True))


def test_the_configuration_knows_the_same_names():
    assert ("auto", *DTYPES) == PRECISIONS


@pytest.mark.parametrize("key", ["train", "label", "tags", "eval"])
def test_another_name_is_one_line(key):
    given = ["data.root=.", "clip.weights=.", f"{key}.precision=fp8"]
    said = rf"{key}\.precision=fp8 is not allowed; it must be auto or float32 or bf16 or fp16"
    with pytest.raises(InputError, match=said):
        load_config("voc", given)


@pytest.mark.parametrize("key", ["label", "tags", "eval"])
def test_published_recipes_stay_in_float32(key):
    """For one's own images and the demo, the device decides."""
    given = ["data.root=.", "clip.weights=.", "dino.weights=."]
    found = {name: getattr(load_config(name, given), key).precision for name in presets()}
    ours = {name for name in found if name.startswith(("folder", "demo"))}
    assert found == {name: "auto" if name in ours else "float32" for name in found}
    assert len(ours) == 7


@pytest.mark.parametrize(
    ("units", "meant"),
    [
        ((), "float32"),
        (("avx512_f",), "float32"),
        (("avx512_bf16",), "bf16"),
        (("amx_bf16",), "bf16"),
    ],
)
def test_auto_on_a_processor_asks_for_its_units(monkeypatch, units, meant):
    processor(monkeypatch, *units)
    assert chosen_precision("auto", KEY, "cpu") == meant


def test_auto_on_apples_gpu_is_float32(monkeypatch):
    processor(monkeypatch, "avx512_bf16")
    assert chosen_precision("auto", KEY, "mps") == "float32"


@pytest.mark.parametrize(("has", "meant"), [(True, "bf16"), (False, "float32")])
def test_auto_on_a_gpu_does_not_take_emulation(monkeypatch, has, meant):
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: has or including_emulation
    )
    assert chosen_precision("auto", KEY, "cuda:1") == meant


def test_bf16_on_a_gpu_without_it_is_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    said = r"label\.precision=bf16: the device cuda cannot .* \(the GPU has no bf16\); use auto or"
    with pytest.raises(InputError, match=said):
        chosen_precision("bf16", KEY, "cuda")


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_each_is_understood_on_a_processor(monkeypatch, name):
    processor(monkeypatch)
    assert chosen_precision(name, KEY, "cpu") == name
    with computing_in(name, "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == DTYPES[name]


def test_an_operator_that_a_device_lacks_is_one_line(monkeypatch):
    def lacking(image):
        raise NotImplementedError("no Half kernel\nin this build")

    monkeypatch.setattr(precision, "_tried", lacking)
    with pytest.raises(InputError, match=r"fp16: the device cpu .* \(no Half kernel"):
        chosen_precision("fp16", KEY, "cpu")
    assert chosen_precision("float32", KEY, "cpu") == "float32"


def test_a_precision_that_is_ignored_is_one_line(monkeypatch):
    """As PyTorch does, with a warning, on Apple's GPUs that lack a type."""
    monkeypatch.setattr(precision, "_tried", lambda image: image)
    with pytest.raises(InputError, match=r"PyTorch takes torch\.float32 instead"):
        chosen_precision("bf16", KEY, "cpu")


@pytest.fixture
def encoders_in_float32(monkeypatch):
    """What still differs under autocast then leaks from it."""
    whole = lambda self: torch.autocast("cpu", enabled=False)  # noqa: E731
    monkeypatch.setattr(View, "precision", whole)
    monkeypatch.setattr(View, "backward_precision", whole)


IMAGE = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
ITEM = EvalItem("a", IMAGE, np.zeros(IMAGE.shape[:2], np.uint8), (0, 2))


def labels(**changes):
    config = tiny_config()
    config.label.par = True
    for name, value in changes.items():
        section, _, key = name.partition("_")
        setattr(getattr(config, section), key, value)
    return training_free(config, build_image_encoder(clip_state()), text_features())


def found_by(kind):
    """What a method finds in an image, as numbers."""
    if kind in ("plain", "released"):
        config = tiny_config()
        config.tags.released = kind == "released"
        return lambda: tag_clip(config, build_image_encoder(clip_state()), text_features())(IMAGE)
    if kind == "weclip":
        method = tiny_weclip().eval()
        return lambda: method.label_maps(
            torch.from_numpy(IMAGE[None]).permute(0, 3, 1, 2).float(),
            ITEM.tags,
            size=IMAGE.shape[:2],
            step=10**6,
        ).label_map["pseudo_label"]
    method = labels(cam_source=kind, affinity_source="class_distribution")
    return lambda: method(IMAGE, ITEM.tags).scores.whole()


@pytest.mark.parametrize("kind", ["gradcam", "patch_text", "plain", "released", "weclip"])
def test_only_the_encoders_leave_float32(kind, encoders_in_float32):
    find = found_by(kind)
    exact = find()
    with computing_in("bf16", "cpu"):
        assert torch.equal(find(), exact)


@pytest.mark.parametrize("kind", ["gradcam", "patch_text", "plain", "released"])
def test_the_encoders_do(kind):
    find = found_by(kind)
    exact = find()
    with computing_in("bf16", "cpu"):
        lower = find()
    assert lower.dtype == torch.float32
    assert not torch.equal(lower, exact)
    torch.testing.assert_close(lower, exact, atol=0.2, rtol=0)


def test_label_maps_of_a_method_are_made_in_the_given_precision(monkeypatch):
    seen = []
    method = labels()
    forward = method.maps.image_encoder.forward
    monkeypatch.setattr(
        method.maps.image_encoder,
        "forward",
        lambda *given: seen.append(torch.is_autocast_enabled("cpu")) or forward(*given),
    )
    for name in ("float32", "bf16"):
        make_label_maps(method, ITEM, long_side=None, step=0, precision=name)
    assert seen == [False, True]
