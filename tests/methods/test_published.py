import os
import re

import pytest
import torch
from safetensors.torch import save_file

from weclip.methods.decoder import Decoder
from weclip.methods.published import decoder_key, decoder_state, load_published_decoder
from weclip.system.errors import InputError


def tiny_decoder():
    return Decoder(
        clip_width=8, clip_blocks=2, num_classes=3, width=4, blocks=1, heads=2, dropout=0.1
    )


def published_state(decoder, prefix=""):
    """A released state dict around a decoder, with names by the released modules."""
    names = (
        (r"projections\.(\d+)\.0\.", r"decoder_fts_fuse.linears_modulelist.\1.proj."),
        (r"projections\.(\d+)\.2\.", r"decoder_fts_fuse.linears_modulelist.\1.proj_2."),
        (r"fuse\.", "decoder_fts_fuse.linear_fuse."),
        (r"transformer\.", "decoder.transformer."),
        (r"classifier\.", "decoder.linear_pred."),
    )
    state = {
        "encoder.visual.conv1.weight": torch.zeros(2, 3, 4, 4).half(),
        "encoder.logit_scale": torch.tensor(4.6).half(),
        "par.kernel": torch.ones(8, 1, 3, 3),
    }
    for ours, value in decoder.state_dict().items():
        theirs = ours
        for pattern, replacement in names:
            theirs = re.sub("^" + pattern, replacement, ours)
            if theirs != ours:
                break
        assert theirs != ours
        state[prefix + theirs] = value
    return state


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ("decoder_fts_fuse.linears_modulelist.10.proj.weight", "projections.10.0.weight"),
        ("decoder_fts_fuse.linears_modulelist.0.proj_2.bias", "projections.0.2.bias"),
        ("decoder_fts_fuse.linear_fuse.weight", "fuse.weight"),
        (
            "decoder.transformer.resblocks.2.attn.in_proj_weight",
            "transformer.resblocks.2.attn.in_proj_weight",
        ),
        ("decoder.linear_pred.bias", "classifier.bias"),
        ("encoder.visual.proj", None),
        ("encoder.decoder.linear_pred.bias", None),
        ("par.pos", None),
    ],
)
def test_key_map(published, ours):
    assert decoder_key(published) == ours


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_released_checkpoint_is_imported(tmp_path, prefix, ending):
    decoder, file = tiny_decoder(), tmp_path / f"WeCLIP_model_iter_30000.{ending}"
    state = published_state(decoder, prefix)
    save_file(state, file) if ending == "safetensors" else torch.save(state, file)
    found = load_published_decoder(file)
    assert found.keys() == decoder.state_dict().keys()
    fresh = tiny_decoder()
    fresh.load_state_dict(found)
    assert all(torch.equal(v, fresh.state_dict()[k]) for k, v in decoder.state_dict().items())


def test_half_precision_becomes_float32():
    state = {name: value.half() for name, value in published_state(tiny_decoder()).items()}
    assert {value.dtype for value in decoder_state(state).values()} == {torch.float32}


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
        load_published_decoder(file)
    assert not proof.exists()
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # no advice to run it after all


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"encoder.visual.proj": torch.zeros(1)}, r"holds no WeCLIP decoder; .*linear_pred"),
        ({"decoder.linear_pred.weight": 3}, r"'decoder.linear_pred.weight' is a int, not a tensor"),
        ({5: torch.zeros(1)}, r"entry 5 is a Tensor"),
        ([torch.zeros(1)], r"holds a list, not a state dict"),
    ],
)
def test_wrong_content(tmp_path, content, message):
    file = tmp_path / "wrong.pth"
    torch.save(content, file)
    with pytest.raises(InputError, match=message):
        load_published_decoder(file)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"not weights at all"])
@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_damaged_file(tmp_path, content, ending):
    file = tmp_path / f"damaged.{ending}"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged\.\w+: "):
        load_published_decoder(file)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth: cannot be read"):
        load_published_decoder(tmp_path / "none.pth")
    with pytest.raises(InputError, match="cannot be read"):
        load_published_decoder(tmp_path)
