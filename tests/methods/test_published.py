import os

import pytest
import torch
from safetensors.torch import save_file
from tests.end_to_end.worlds import released_name

from weclip.methods.decoder import Decoder, TwoBranchDecoder
from weclip.methods.heads.published import (
    decoder_key,
    decoder_of,
    decoder_state,
    read_published,
    require_same_encoders,
)
from weclip.methods.weclip import WeClipSettings
from weclip.methods.weclip_plus import WeClipPlusSettings
from weclip.system.errors import InputError


def tiny_decoder():
    return Decoder(
        clip_width=8, clip_blocks=2, num_classes=3, width=4, blocks=1, heads=2, dropout=0.1
    )


def tiny_plus():
    return TwoBranchDecoder(
        clip_width=8, guide_width=6, num_classes=3, width=4, blocks=1, heads=2, dropout=0.1
    )


METHODS = {"weclip": (tiny_decoder, WeClipSettings), "plus": (tiny_plus, WeClipPlusSettings)}


def published_state(decoder, prefix=""):
    """A released state dict around a decoder, with names by the released modules."""
    state = {
        "encoder.visual.conv1.weight": torch.zeros(2, 3, 4, 4).half(),
        "encoder.visual.positional_embedding_new": torch.zeros(7, 8),
        "encoder.logit_scale": torch.tensor(4.6).half(),
        "par.kernel": torch.ones(8, 1, 3, 3),
    }
    for ours, value in decoder.state_dict().items():
        state[prefix + released_name(ours)] = value
    return state


@pytest.mark.parametrize(
    ("released", "ours"),
    [
        ("decoder_fts_fuse.linears_modulelist.10.proj.weight", "fusion.projections.10.0.weight"),
        ("decoder_fts_fuse.linears_modulelist.0.proj_2.bias", "fusion.projections.0.2.bias"),
        ("decoder_fts_fuse.linear_fuse.weight", "fusion.fuse.weight"),
        (
            "decoder.transformer.resblocks.2.attn.in_proj_weight",
            "segmenter.transformer.resblocks.2.attn.in_proj_weight",
        ),
        ("decoder.linear_pred.bias", "segmenter.classifier.bias"),
        ("encoder.visual.proj", None),
        ("encoder.decoder.linear_pred.bias", None),
        ("dino_decoder_fts_fuse.linear_fuse.weight", None),
        ("par.pos", None),
    ],
)
def test_key_map(released, ours):
    assert decoder_key(released, WeClipSettings.published) == ours


def test_the_second_head_is_not_taken_for_the_first():
    names = [
        "dino_decoder_fts_fuse.linears_modulelist.0.proj.weight",
        "decoder_fts_fuse.linears_modulelist.0.proj.weight",
    ]
    ours = [decoder_key(name, WeClipPlusSettings.published) for name in names]
    assert ours == ["guide_head.projections.0.0.weight", "clip_head.projections.0.0.weight"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_released_checkpoint_is_imported(tmp_path, method, prefix, ending):
    make, settings = METHODS[method]
    decoder, file = make(), tmp_path / f"WeCLIP_model_iter_30000.{ending}"
    state = published_state(decoder, prefix)
    save_file(state, file) if ending == "safetensors" else torch.save(state, file)
    found = decoder_of(read_published(file), settings.published, file)
    assert found.keys() == decoder.state_dict().keys()
    fresh = make()
    fresh.load_state_dict(found)
    assert all(torch.equal(v, fresh.state_dict()[k]) for k, v in decoder.state_dict().items())


def test_half_precision_becomes_float32():
    state = {name: value.half() for name, value in published_state(tiny_decoder()).items()}
    found = decoder_state(state, WeClipSettings.published)
    assert {value.dtype for value in found.values()} == {torch.float32}


class Attack:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def test_malicious_pickle_is_refused_and_not_run(tmp_path):
    file, proof = tmp_path / "evil.pth", tmp_path / "proof"
    state = published_state(tiny_decoder()) | {
        "decoder.linear_pred.extra": Attack(f"touch {proof}")
    }
    torch.save(state, file)
    with pytest.raises(InputError, match=r"evil\.pth: .*refused.*may run code") as caught:
        read_published(file)
    assert not proof.exists()
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # no advice to run it after all


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"decoder.linear_pred.weight": 3}, r"'decoder.linear_pred.weight' is a int, not a tensor"),
        ({5: torch.zeros(1)}, r"entry 5 is a Tensor"),
        ([torch.zeros(1)], r"holds a list, not a state dict"),
    ],
)
def test_wrong_content(tmp_path, content, message):
    file = tmp_path / "wrong.pth"
    torch.save(content, file)
    with pytest.raises(InputError, match=message):
        read_published(file)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"not weights at all"])
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_damaged_file(tmp_path, content, ending):
    file = tmp_path / f"damaged.{ending}"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.\w+: "):
        read_published(file)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth: cannot be read"):
        read_published(tmp_path / "none.pth")
    with pytest.raises(InputError, match="cannot be read"):
        read_published(tmp_path)


def test_a_checkpoint_without_a_decoder_is_refused(tmp_path):
    state = {"encoder.visual.proj": torch.zeros(1)}
    with pytest.raises(InputError, match=r"x\.pth: holds no decoder of WeCLIP.*linear_pred"):
        decoder_of(state, WeClipSettings.published, tmp_path / "x.pth")


@pytest.mark.parametrize(("given", "other"), [("weclip", "plus"), ("plus", "weclip")])
def test_a_checkpoint_of_the_other_method_names_its_preset(given, other):
    state = published_state(METHODS[given][0]())
    preset = "voc or coco" if given == "weclip" else "voc-plus or coco-plus"
    with pytest.raises(InputError, match=f"give --config {preset}"):
        decoder_of(state, METHODS[other][1].published, "x.pth")


@pytest.mark.parametrize("scaled", [False, True], ids=["as hub", "rounded"])
def test_encoders_of_a_checkpoint_are_those_that_are_given(scaled):
    """A decoder fits any encoder of the same width; only the copy in the dump tells."""
    gamma = torch.full((4,), 0.5)
    weight = torch.randn(4, 4)
    dump = {
        "dino_encoder.blocks.0.attn.proj.weight": weight.half().float() if scaled else weight,
        "dino_encoder.blocks.0.attn.proj.bias": torch.zeros(4),
        "dino_encoder.blocks.0.ls1.gamma": gamma,
        "encoder.visual.conv1.weight": torch.ones(2, 3, 4, 4),
        "encoder.visual.positional_embedding_new": torch.zeros(7, 8),
    }
    dino = {"transformer.resblocks.0.attn.out_proj.weight": gamma[:, None] * weight}
    clip = {"conv1.weight": torch.ones(2, 3, 4, 4), "proj": torch.ones(3)}
    require_same_encoders(dump, {"clip": clip, "dino": dino}, "x.pth")
    wrong = {name: value + 1 for name, value in dino.items()}
    with pytest.raises(InputError, match=r"another encoder than dino\.weights \(its transformer"):
        require_same_encoders(dump, {"dino": wrong}, "x.pth")
    with pytest.raises(InputError, match=r"another encoder than clip\.weights \(its conv1"):
        require_same_encoders(dump, {"clip": {"conv1.weight": torch.zeros(2, 3, 2, 2)}}, "x.pth")


@pytest.mark.parametrize("bias", [None, torch.zeros(3)], ids=["missing", "another length"])
def test_a_damaged_copy_of_an_encoder_is_one_line(bias):
    dump = {
        "dino_encoder.blocks.0.attn.proj.weight": torch.ones(4, 4),
        "dino_encoder.blocks.0.ls1.gamma": torch.ones(4),
    }
    if bias is not None:
        dump["dino_encoder.blocks.0.attn.proj.bias"] = bias
    with pytest.raises(InputError, match=r"x\.pth: its copy of DINOv2 is damaged"):
        require_same_encoders(dump, {"dino": {}}, "x.pth")
