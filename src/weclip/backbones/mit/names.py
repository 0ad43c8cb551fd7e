"""Names in a MiT's weight file without prefixes and heads, and models that are others.

Stage 2.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from weclip.backbones.weight_files.names import (
    prefix_before,
    refuse_foreign,
    without_wrappers,
)
from weclip.backbones.weight_files.whole import listing
from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

FIRST = ("patch_embed1.proj.weight", "patch_embeddings.0.proj.weight")
"""The first layer's name: what stands before it stands before all of the encoder's names."""

HEADS = ("head.", "classifier.", "attn_proj.", "decoder.", "decode_head.", "auxiliary_head.")
"""What stands beside the encoder in published files: a head of SegFormer's pretraining, of AFA, of
Transformers, of MMSegmentation. It is left out."""

WAY_OUT = "use a MiT-B0 to B5 of SegFormer (mit_b1.pth) or Hugging Face (nvidia/mit-b1)"

FOREIGN = {
    r"(clip_head|guide_head|segmenter|fusion)\.": "a trained model of weclip, not an encoder",
    r"(visual|vision_model|text_model|transformer\.resblocks|token_embedding)\.|logit_scale$": "a "
    "CLIP, which is given as clip.weights",
    r"ls[12]\.gamma|layer_scale[12]\.|mask_token$": "a DINOv2, which is given as dino.weights",
    r"cls_token$|pos_embed\d?$|position_embeddings$": "a transformer with positions; a MiT has "
    "none",
    r"relative_position_bias_table$": "a Swin or BEiT",
    r"layer[1-4]\.\d+\.(conv|bn)\d": "a ResNet",
    r"layers\.\d+\.\d+\.projection\.": "MMSegmentation's own copy, whose attention is stored "
    "otherwise",
    r"stages\.\d+\.(blocks\.\d+|patch_embeddings)\.": "names that Transformers 5 has in memory; "
    "store it with save_pretrained",
}
"""Parts of names, from a dot or the start on, that only other models have, and what they are."""


def plain_names(state: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Names as the encoder itself gives them, without wrappers, prefix and heads.

    Args:
        state: Tensors by name.
        file: Where they come from, for messages.

    Raises:
        InputError: Two names become one, it is another model, or more than one MiT.
    """
    plain = without_wrappers(state, file)
    refuse_foreign(plain, FOREIGN, WAY_OUT, file)
    prefix = prefix_before(FIRST, plain, file, "models")
    kept = {name: value for name, value in plain.items() if not name.startswith(HEADS)}
    if others := [name for name in kept if not name.startswith(prefix)]:
        raise InputError(
            f"{file}: holds more than the encoder under {short(prefix)} and known heads: "
            f"{listing(others)}; save the encoder alone"
        )
    return {name.removeprefix(prefix): value for name, value in kept.items()}
