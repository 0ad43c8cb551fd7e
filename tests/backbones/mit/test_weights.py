"""Every weight format gives the same MiT, and every published size is read from the weights."""

import hashlib
import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tests.backbones.tiny_mit import (
    HUGGING_FACE,
    PROCESSOR,
    mit_shapes,
    tiny_mit,
    to_afa,
    to_hugging_face,
)

from weclip.backbones.mit.image_encoder import SIZES
from weclip.backbones.mit.weights import read_mit
from weclip.backbones.mit.whole import settings_of


def under(prefix, state):
    return {prefix + name: value for name, value in state.items()}


HEAD = {"head.weight": torch.zeros(1000, 64), "head.bias": torch.zeros(1000)}
CLASSIFIER = {"classifier.weight": torch.zeros(1000, 64), "classifier.bias": torch.zeros(1000)}
DECODER = {"decode_head.linear_c.0.proj.weight": torch.zeros(8, 64)}

FORMATS = {
    "mit_b1.pth": lambda s, f: torch.save(s | HEAD, f),
    "plain.pth": torch.save,
    "legacy.pth": lambda s, f: torch.save(s, f, _use_new_zipfile_serialization=False),
    "parallel.pth": lambda s, f: torch.save(under("module.", s | HEAD), f),
    "float32.pth": lambda s, f: torch.save({k: v.float() for k, v in s.items()}, f),
    "plain.safetensors": save_file,
    "wetr_iter_20000.pth": lambda s, f: torch.save(to_afa(s), f),
    "segmenter.pth": lambda s, f: torch.save({"state_dict": under("backbone.", s) | DECODER}, f),
    "classes.bin": lambda s, f: torch.save(
        under("segformer.encoder.", to_hugging_face(s)) | CLASSIFIER, f
    ),
    "segmenter.safetensors": lambda s, f: save_file(
        under("segformer.encoder.", to_hugging_face(s)) | DECODER, f
    ),
    "encoder.safetensors": lambda s, f: save_file(under("encoder.", to_hugging_face(s)), f),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_equal_weights(name, tmp_path):
    file, expected = tmp_path / name, tiny_mit()
    FORMATS[name](expected, file)
    found = read_mit(str(file))
    assert found.state.keys() == expected.keys()
    assert all(torch.equal(found.state[key], expected[key].float()) for key in expected)
    assert {value.dtype for value in found.state.values()} == {torch.float32}
    assert found.name == name
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_hugging_face_folder(tmp_path):
    folder = tmp_path / "mit-b1"
    folder.mkdir()
    state = under("segformer.encoder.", to_hugging_face(tiny_mit())) | CLASSIFIER
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "config.json").write_text(json.dumps(HUGGING_FACE))
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    assert read_mit(folder).settings.widths == (16, 32, 40, 64)


def test_what_is_saved_is_read_again(tmp_path):
    torch.save(tiny_mit(), tmp_path / "mit.pth")
    encoder = read_mit(tmp_path / "mit.pth").make_encoder(drop_path=0.2)
    assert encoder.stages()[3][1][1].drop_path.probability == 0.2
    save_file(encoder.state_dict(), tmp_path / "ours.safetensors")
    again = read_mit(tmp_path / "ours.safetensors").make_encoder()
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(again.eval()(image).scores, encoder.eval()(image).scores)


def test_encoders_of_one_reading_are_apart(tmp_path):
    torch.save(tiny_mit(), tmp_path / "mit.pth")
    mit = read_mit(tmp_path / "mit.pth")
    one, other = mit.make_encoder(), mit.make_encoder()
    with torch.no_grad():
        one.norm4.weight.zero_()
    assert other.norm4.weight.all()
    assert mit.state["norm4.weight"].all()


@pytest.mark.parametrize("size", SIZES)
def test_published_sizes_are_read_from_the_weights(size):
    settings = SIZES[size]
    shapes = mit_shapes(settings.widths, settings.depths)
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    assert settings_of(state, Path("meta")) == settings
    if size == "b1":
        assert (len(shapes), sum(map(math.prod, shapes.values()))) == (176, 13_151_424)
