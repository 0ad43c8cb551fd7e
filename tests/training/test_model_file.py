import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tests.methods.tiny_weclip import tiny_weclip
from tests.training.tiny_run import same

from weclip.data.classes import ClassList
from weclip.system.errors import InputError
from weclip.training.model_file import FrozenBackbone, ModelFile, read_model_file, save_model_file

CLASSES = ClassList(
    ("cat", "Bär"), (("cat",), ("a bear", "Bär")), ("grass",), ((1, 2, 3), (4, 5, 6))
)


ONE_CLASS = {"names": ["a"], "prompts": [["a"]], "background_words": ["b"]}


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
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    refused(tmp_path / "x.safetensors", "no such model file; give a run folder")
    refused(tmp_path, "no such model file; give a run folder")


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
        {"backbones": None},
        {"backbones": "[]"},
        {"backbones": '{"clip": {}}'},
    ],
)
def test_damaged_header(path, change):
    with_header(path, **change)
    refused(path, "damaged model file")
