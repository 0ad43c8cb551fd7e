"""What an encoder computes, read from its modules; and how refusals look."""

import pytest

from weclip.backbones.transformer import GELU, BlockSettings, QuickGELU
from weclip.system.errors import InputError


def settings_in(encoder):
    """What an encoder's first block computes, read from its modules."""
    block = encoder.transformer.blocks[0]
    names = {GELU: "gelu", QuickGELU: "quick_gelu"}
    assert {b.attn.heads for b in encoder.transformer.blocks} == {block.attn.heads}
    return BlockSettings(block.attn.heads, names[type(block.mlp.gelu)], block.ln_1.eps)


def assert_refused(message, tmp_path, run):
    with pytest.raises(InputError, match=message) as caught:
        run()
    text = str(caught.value)
    assert text.startswith(str(tmp_path))
    assert "\n" not in text
    assert len(text) < 500
    assert ";" in text  # a way out
