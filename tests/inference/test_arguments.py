"""Wrong arguments of the Python functions are an `InputError` of at most 300 letters."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.end_to_end.conftest import clip_file, run_folder, voc_world

import weclip

__all__ = ["clip_file", "run_folder", "voc_world"]

ENDLESS = "x" * 9000
PATH = r"is {}; give a path: a text or a pathlib\.Path"
LISTS = [([], "of type list"), (["a.png"], "of type list")]
NO_PATHS = [
    (None, "None"),
    (3, "of type int"),
    (True, "of type bool"),
    (float("nan"), "of type float"),
    (b"\xff" * 9000, "of type bytes"),
    (object(), "of type object"),
]
WRONG_PATHS = [
    *((given, PATH.format(kind)) for given, kind in (*NO_PATHS, *LISTS)),
    ("", "is an empty text; give a path"),
    (ENDLESS, "xxx"),
]
DEVICE = "not a device that PyTorch can use here; known: cpu"
LIST = "give a list, such as"
KEYWORDS = [
    ("device", "nonsense", f"device=nonsense: {DEVICE}"),
    ("device", "cuda:99", f"device=cuda:99: {DEVICE}"),
    ("device", "meta", f"device=meta: {DEVICE}"),
    ("device", "", f"device=: {DEVICE}"),
    ("device", ENDLESS, DEVICE),
    ("device", ["cpu"], f"device is of type list: {DEVICE}"),
    ("overrides", "eval.flip=true", f"overrides is of type str; {LIST}"),
    ("overrides", None, f"overrides is None; {LIST}"),
    ("overrides", {"eval.flip": ENDLESS}, r"eval\.flip must be true or false"),
    ("overrides", {3: True}, "unknown key 3"),
    ("overrides", [3], "one of overrides is of type int; give str only"),
    ("overrides", [ENDLESS], "is not of the form section.key=value"),
    ("overrides", [f"eval.flip={ENDLESS}"], "eval.flip=xxx"),
    ("plugins", "a.py", f"plugins is of type str; {LIST}"),
    ("plugins", Path("a.py"), f"plugins is of type PosixPath; {LIST}"),
    ("plugins", [3], "one of plugins is of type int; give str or PathLike or Plugin only"),
    ("plugins", [ENDLESS], "xxx"),
]


@pytest.fixture(scope="module")
def model(run_folder):
    return weclip.load(run_folder)


def refused(call, match):
    with pytest.raises(weclip.InputError, match=match) as error:
        call()
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize(("given", "match"), WRONG_PATHS)
def test_no_model(given, match):
    refused(lambda: weclip.load(given), match)


@pytest.mark.parametrize(("given", "match"), [row for row in NO_PATHS if row[0] is not None])
def test_no_clip(run_folder, given, match):
    refused(lambda: weclip.load(run_folder, clip=given), match)


@pytest.mark.parametrize(("name", "given", "match"), KEYWORDS)
def test_other_arguments(run_folder, name, given, match):
    refused(lambda: weclip.load(run_folder, **{name: given}), match)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(run_folder):
    refused(lambda: weclip.load(run_folder, device="cuda"), f"device=cuda: {DEVICE}")


def test_a_device_may_be_one_of_pytorch(run_folder):
    weclip.load(run_folder, device=torch.device("cpu"))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        *((given, f"images is {kind}; give an image .*, a folder") for given, kind in NO_PATHS),
        ("", "image is an empty text"),
        (ENDLESS, "xxx"),
        (["a.png"], "a.png: image not found"),
        ([3], r"image is of type int; give a path"),
        ([Path()], "a folder; give it alone, or one image file at a time"),
        ("nothing/*.png", "the folder of the pattern"),
        (Path(__file__).parent, "holds no image"),
    ],
)
def test_no_images(model, given, match):
    refused(lambda: list(model.predict(given)), match)


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "8", None])
def test_wrong_sizes_of_batches(model, size):
    refused(lambda: model.stream([], batch_size=size), "batch_size must be a whole number from 1")


def array(shape, kind=np.uint8):
    return np.zeros(shape, kind)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (array((0, 0)), r"image of \(0, 0\) has no pixels"),
        (array((0, 5, 3)), r"image of \(0, 5, 3\) has no pixels"),
        (array((5, 0, 3)), "has no pixels"),
        (array((5, 5, 4)), r"image array is \(5, 5, 4\) uint8; give \(H, W, 3\) or \(H, W\) uint8"),
        (array((3, 5, 5)), "give"),
        (array(5), "give"),
        (array(()), "give"),
        (array((1,) * 32), "give"),
        (array((5, 5, 3), np.float32), "float32; give"),
        (np.full((5, 5, 3), np.nan), "float64; give"),
        (array((5, 5, 3), object), "object; give"),
        (np.array([ENDLESS]), "give"),
        (object, "images is of type type; give an image"),
        (Image.new("RGB", (0, 5)), r"image of \(0, 5\) has no pixels"),
        (Image.new("F", (5, 5)), "PIL image of mode F: floating-point pixels"),
        (Path("nothing.png"), "nothing.png: image not found"),
        ("\0", "image cannot be read"),
    ],
)
def test_wrong_images(model, given, match):
    refused(lambda: model.predict(given), match)


def test_views_of_arrays_are_images(model):
    """OpenCV's BGR is mostly turned round by a view."""
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    for view in (image[..., ::-1], image[::-1], np.asfortranarray(image)):
        assert np.array_equal(model.predict(view), model.predict(view.copy()))


def test_folders_without_a_model(run_folder):
    there = run_folder / "model.safetensors"
    refused(lambda: weclip.load(run_folder / "checkpoints"), f"without a .* give {there}")
    refused(lambda: weclip.load(run_folder.parent), f"without a .*; give {there}")


def test_public_names():
    assert dir(weclip) == sorted(weclip.__all__)
    assert all(hasattr(weclip, name) for name in dir(weclip))
