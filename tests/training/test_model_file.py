import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tests.methods.tiny_weclip import tiny_weclip
from tests.training.tiny_run import same

from weclip.backbones.named import FrozenBackbone
from weclip.data.classes import ClassList
from weclip.system.errors import InputError
from weclip.training.model_file import ModelFile, read_model_file, save_model_file

CLASSES = ClassList(
    ("cat", "Bär"), (("cat",), ("a bear", "Bär")), ("grass",), ((1, 2, 3), (4, 5, 6))
)


ONE_CLASS = {"names": ["a"], "prompts": [["a"]], "background_words": ["b"]}
TWO = {
    "names": ["a", "b"],
    "prompts": [["a"], ["b"]],
    "background_words": ["c"],
    "colours": [[1, 2, 3], [4, 5, 6]],
}
NUMBERS = [str(number) for number in range(255)]
MANY = {
    "names": NUMBERS,
    "prompts": [[each] for each in NUMBERS],
    "background_words": ["c"],
    "colours": [[1, 2, number] for number in range(255)],
}


@pytest.fixture
def model():
    clip = FrozenBackbone("ViT-B-16.pt", "ab" * 32, "image quick_gelu")
    trained = tiny_weclip().trained.state_dict()
    return ModelFile(trained, "data:\n  root: 'é'\n", CLASSES, {"clip": clip}, 30)


@pytest.fixture
def path(tmp_path, model):
    save_model_file(tmp_path / "model.safetensors", model)
    return tmp_path / "model.safetensors"


def test_round_trip(path, model):
    read = read_model_file(path)
    assert same(read.trained, model.trained)
    assert vars(read) | {"trained": None} == vars(model) | {"trained": None}


def with_header(path, **change):
    with safe_open(path, "pt") as file:
        header = file.metadata()
    changed = {k: v for k, v in (header | change).items() if v is not None}
    save_file({"a": torch.zeros(1)}, path, metadata=changed)


def test_one_class_is_no_damage(path):
    with_header(path, classes=json.dumps(ONE_CLASS | {"colours": [[1, 2, 3]]}))
    assert read_model_file(path).classes.colours == ((1, 2, 3),)


def test_a_file_of_an_earlier_format_gets_one_line(path):
    with_header(path, format="weclip-1")
    refused(path, r"made by an earlier development version; train or label again$")


def test_it_holds_the_trained_part_and_nothing_of_the_clip(path, model):
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == set(model.trained)
    weights = sum(value.numel() * value.element_size() for value in model.trained.values())
    assert path.stat().st_size < weights + 20_000
    frozen = tiny_weclip().image_encoder.state_dict()
    content = path.read_bytes()
    assert not any(value.numpy().tobytes() in content for value in frozen.values())


def refused(path, pattern):
    with pytest.raises(InputError, match=pattern) as caught:
        read_model_file(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500 + len(str(path))
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    refused(tmp_path / "x.safetensors", "no such model file; give a run folder")
    refused(tmp_path, "no such model file; give a run folder")


def test_a_header_of_any_length(path):
    path.write_bytes((2**40).to_bytes(8, "little") + path.read_bytes()[8:])
    refused(path, "not a safetensors file .its header is over 16 MiB")


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_truncated(path, share):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    refused(path, "not a safetensors file")


def test_a_pickle_is_not_opened(tmp_path):
    torch.save({"decoder": torch.zeros(1)}, tmp_path / "model.pt")
    refused(tmp_path / "model.pt", "not a safetensors file")


def test_foreign_safetensors(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors")
    refused(tmp_path / "x.safetensors", r"not a weclip model \(its format is None, not 'weclip-2'")


@pytest.mark.parametrize(
    "change",
    [
        {"step": "many"},
        {"classes": "["},
        {"classes": "[]"},
        {"classes": json.dumps({"names": ["a"]})},
        {"classes": json.dumps(ONE_CLASS | {"prompts": []})},
        {"classes": json.dumps(ONE_CLASS | {"colours": [[1, 2]]})},
        {"classes": json.dumps(ONE_CLASS | {"colours": [[1, 2, 256]]})},
        {"step": "-1"},
        {"step": "9" * 5000},
        {"classes": "[" * 100_000},
        {"classes": json.dumps(TWO | {"names": ["a", "a"]})},
        {"classes": json.dumps(TWO | {"names": ["a", 7]})},
        {"classes": json.dumps(TWO | {"names": ["a", "b\x1b[2J"]})},
        {"classes": json.dumps(TWO | {"names": ["a", "background"]})},
        {"classes": json.dumps(TWO | {"names": ["a", "x" * 999]})},
        {"classes": json.dumps(TWO | {"prompts": [["a"], ["a"]]})},
        {"classes": json.dumps(TWO | {"prompts": [["a"], "b"]})},
        {"classes": json.dumps(TWO | {"background_words": [str(i) for i in range(200_000)]})},
        {"classes": json.dumps(MANY)},
        {"backbones": '{"clip": {"name": "\\u001b[2J", "sha256": "", "computes": ""}}'},
        {"backbones": '{"clip": {"name": ["a"], "sha256": "", "computes": ""}}'},
        {"backbones": None},
        {"backbones": "[]"},
        {"backbones": '{"clip": {}}'},
    ],
)
def test_damaged_header(path, change):
    with_header(path, **change)
    refused(path, "damaged model file")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_that_are_no_numbers(path, model, value, dtype):
    broken = {name: each.clone() for name, each in model.trained.items()}
    broken["segmenter.classifier.bias"] = broken["segmenter.classifier.bias"].to(dtype)
    broken["segmenter.classifier.bias"][1] = value
    save_model_file(path, replace(model, trained=broken))
    refused(path, r"its weight segmenter\.classifier\.bias has NaN or infinite values; train again")


OTHER_TYPES = [torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn]


@pytest.mark.parametrize("dtype", OTHER_TYPES)
def test_weights_of_other_types(path, model, dtype):
    cast = {name: each.to(dtype) for name, each in model.trained.items()}
    save_model_file(path, replace(model, trained=cast))
    kind = str(dtype).removeprefix("torch.")
    refused(path, f"is of type {kind}, and only floating-point weights are read")


@pytest.mark.parametrize("name", ["x" * 9999, "\x1b[2J"])
def test_names_of_weights_are_shown_shortly(path, model, name):
    save_model_file(path, replace(model, trained={name: torch.zeros(1, dtype=torch.int32)}))
    refused(path, "is of type int32")


def test_halves_are_read(path, model):
    halves = {name: each.half() for name, each in model.trained.items()}
    save_model_file(path, replace(model, trained=halves))
    assert same(read_model_file(path).trained, halves)
