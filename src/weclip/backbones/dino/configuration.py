"""Transformers' `config.json` beside a DINOv2: it asks for what is computed here, or is refused.

Stage 2. What a file leaves out is Transformers' default.
"""

from pathlib import Path

from weclip.backbones.dino.image_encoder import EPS
from weclip.backbones.dino.names import WAY_OUT
from weclip.backbones.dino.whole import Sizes
from weclip.backbones.imagenet import require_processor
from weclip.backbones.positions import OFFSET
from weclip.backbones.weight_files.folder import read_object
from weclip.backbones.weight_files.section import GENERIC, Section, require_sizes

CONFIG = "config.json"
REGISTERS = "dinov2_with_registers"

READ = (
    "hidden_size num_hidden_layers num_attention_heads mlp_ratio patch_size image_size "
    "num_register_tokens"
).split()
IGNORED = (
    "apply_layernorm attention_probs_dropout_prob drop_path_rate hidden_dropout_prob "
    "layerscale_value out_features out_indices reshape_hidden_states stage_names use_mask_token"
).split()
"""Of training, of features at several blocks, and of how LayerScale started."""

COMPUTED: dict[str, tuple[object, ...]] = {
    "model_type": ("dinov2", REGISTERS),
    "hidden_act": ("gelu",),
    "layer_norm_eps": (EPS,),
    "num_channels": (3,),
    "pruned_heads": ({},),
    "qkv_bias": (True,),
    "use_swiglu_ffn": (False, None),
}


def require_computed(file: Path, sizes: Sizes) -> None:
    """Read what lies beside weights in Transformers' names.

    Args:
        file: The weights.
        sizes: What their shapes tell.

    Raises:
        InputError: It cannot be read, asks for something that is not computed here, or is that of
            other weights; the message names the key.
    """
    path = file.with_name(CONFIG)
    if path.is_file():
        require_config(Section(path, "", read_object(path), WAY_OUT), sizes)
    require_processor(file, WAY_OUT)


def require_config(section: Section, sizes: Sizes) -> None:
    """Compare a `config.json` with what is computed, and with the weights."""
    with_registers = section.content.get("model_type") == REGISTERS
    resized = {
        "interpolate_antialias": (with_registers,),
        "interpolate_offset": (0 if with_registers else OFFSET,),
    }
    section.require(read=READ, computed=COMPUTED | resized, ignored=(*GENERIC, *IGNORED))
    width = section.count("hidden_size", 768)
    patch = section.side("patch_size", 16 if with_registers else 14)
    registers = section.count("num_register_tokens", 4) if with_registers else 0
    wanted = {
        "width": ("hidden_size", width),
        "blocks": ("num_hidden_layers", section.count("num_hidden_layers", 12)),
        "heads": ("num_attention_heads", section.count("num_attention_heads", 12)),
        "hidden": ("hidden_size x mlp_ratio", int(width * section.number("mlp_ratio", 4))),
        "patch": ("patch_size", patch),
        "grid": ("image_size / patch_size", section.side("image_size", 224) // patch),
        "registers": ("num_register_tokens", registers),
    }
    require_sizes(section.file, wanted, vars(sizes) | {"heads": sizes.heads})
