"""SAM 2 from a folder: a small random one, and what is no SAM 2. Its import takes seconds."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.labels.regions.tiny_sam2 import CONFIG, SIDE, write_sam2

from weclip.labels.regions.painting import by_area
from weclip.labels.regions.sam2.weights import load_sam2, prepared
from weclip.labels.regions.sources.sam2 import Sam2Masks
from weclip.system.errors import InputError
from weclip.system.files import sha256_of

pytestmark = pytest.mark.long
pytest.importorskip("transformers", reason="needs the extra 'regions'")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_sam2(tmp_path_factory.mktemp("sam2") / "tiny")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)


@pytest.mark.parametrize("three", [True, False])
def test_masks_of_the_images_size_the_same_again(folder, image, three):
    source = Sam2Masks(
        weights=str(folder), points=3, iou=0.0, stability=0.0, box_iou=1.0, three_masks=three
    )
    assert source.open() == sha256_of(folder / "model.safetensors")
    regions = source(image, None)
    assert regions.id_map.shape == (50, 70)
    assert 0 < len(regions.proposals.scores) <= (27 if three else 9)
    assert (regions.id_map == by_area(regions.proposals)).all()
    again = source(image, None)
    assert (again.id_map == regions.id_map).all()
    assert (again.proposals.masks == regions.proposals.masks).all()


def test_logits_are_those_of_the_model_that_is_called_at_once(folder, image):
    """The points' places are those of the square; the image is seen once for all points."""
    sam2 = load_sam2(folder)
    logits, ious = sam2.decoder(image, several=True)(torch.tensor([[0.25, 0.75]]))
    points = torch.tensor([[[[0.25 * SIDE, 0.75 * SIDE]]]])
    with torch.no_grad():
        whole = sam2.model(pixel_values=prepared(image, SIDE), input_points=points)
    assert torch.equal(logits, whole.pred_masks[0])
    assert torch.equal(ious, whole.iou_scores[0])


def test_it_is_frozen_and_in_eval_mode(folder):
    model = load_sam2(folder).model
    assert not model.training
    assert not any(each.requires_grad for each in model.parameters())


def changed(config, key, value):
    *sections, last = key.split("/")
    inner = config = copy.deepcopy(config)
    for section in sections:
        inner = inner[section]
    inner[last] = value
    return config


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model_type", "clip", "model_type 'clip', no SAM 2"),
        ("vision_config/backbone_config/model_type", "bert", "a backbone of type 'bert'"),
        ("vision_config/auto_map", {"AutoModel": "evil.py"}, r"names code to run \(auto_map\)"),
        ("prompt_encoder_config/hidden_size", 10**9, "1000000000 is no size of a SAM 2"),
        ("prompt_encoder_config/image_size", 128, "images of .* and 128 pixels"),
        ("vision_config/backbone_config/blocks_per_stage", [9999] * 4, "over 200 blocks"),
        ("mask_decoder_config/mlp_dim", "wide", "no configuration of SAM 2"),
        ("mask_decoder_config/mlp_dim", 16, "and config.json beside it says"),
        ("mask_decoder_config/num_hidden_layers", 2, "not a whole SAM 2: .* are missing"),
    ],
)
def test_a_configuration_that_is_none(folder, tmp_path, key, value, message):
    (tmp_path / "config.json").write_text(json.dumps(changed(CONFIG, key, value)))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(InputError, match=message):
        load_sam2(tmp_path)


def test_weights_that_are_none(folder, tmp_path):
    with pytest.raises(InputError, match=r"needs regions\.sam2\.weights=FOLDER; give"):
        Sam2Masks().open()
    with pytest.raises(InputError, match="no such folder"):
        load_sam2(tmp_path / "none")
    with pytest.raises(InputError, match=r"the folder has no model\.safetensors"):
        load_sam2(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(InputError, match="SAM 2 is read from safetensors alone"):
        load_sam2(tmp_path)
    state = load_file(folder / "model.safetensors")
    state["no_memory_embedding"][:] = torch.nan
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="no_memory_embedding"):
        load_sam2(tmp_path)
