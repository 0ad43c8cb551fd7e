"""Transformers' `config.json` beside a MiT: it asks for what is computed here, or is refused.

Stage 2. What a file leaves out is Transformers' default, which is B0.
"""

from pathlib import Path

from weclip.backbones.imagenet import require_processor
from weclip.backbones.mit.image_encoder import KERNELS, STRIDES, MitSettings
from weclip.backbones.mit.names import WAY_OUT
from weclip.backbones.weight_files.folder import read_object
from weclip.backbones.weight_files.section import GENERIC, Section, require_sizes

CONFIG = "config.json"
SEGFORMERS_STRIDES = (4, 2, 2, 2)
"""What the weights were trained with; here the last is 1, as in AFA."""

READ = "depths hidden_sizes mlp_ratios num_attention_heads sr_ratios".split()
IGNORED = (
    "attention_probs_dropout_prob classifier_dropout_prob decoder_hidden_size downsampling_rates "
    "drop_path_rate hidden_dropout_prob image_size layer_norm_eps reshape_last_stage "
    "semantic_loss_ignore_index"
).split()
"""Of training and of heads; `layer_norm_eps` is read by nobody, Transformers' SegFormer neither."""

COMPUTED: dict[str, tuple[object, ...]] = {
    "hidden_act": ("gelu",),
    "model_type": ("segformer",),
    "num_channels": (3,),
    "num_encoder_blocks": (4,),
    "patch_sizes": (list(KERNELS),),
    "strides": (list(SEGFORMERS_STRIDES), list(STRIDES)),
}


def require_computed(file: Path, settings: MitSettings) -> None:
    """Read what lies beside weights in Transformers' names.

    Args:
        file: The weights.
        settings: What their shapes tell.

    Raises:
        InputError: It cannot be read, asks for something that is not computed here, or is that of
            other weights; the message names the key.
    """
    path = file.with_name(CONFIG)
    if path.is_file():
        require_config(Section(path, "", read_object(path), WAY_OUT), settings)
    require_processor(file, WAY_OUT)


def require_config(section: Section, settings: MitSettings) -> None:
    """Compare a `config.json` with what is computed, and with the weights."""
    section.require(read=READ, computed=COMPUTED, ignored=(*GENERIC, *IGNORED))
    measured = {
        "widths": list(settings.widths),
        "depths": list(settings.depths),
        "heads": list(settings.heads),
        "reductions": list(settings.reductions),
        "ratios": [settings.mlp_ratio] * len(settings.widths),
    }
    wanted = {
        "widths": ("hidden_sizes", [32, 64, 160, 256]),
        "depths": ("depths", [2, 2, 2, 2]),
        "heads": ("num_attention_heads", [1, 2, 5, 8]),
        "reductions": ("sr_ratios", [8, 4, 2, 1]),
        "ratios": ("mlp_ratios", [4, 4, 4, 4]),
    }
    given = {
        name: (key, section.content.get(key, default)) for name, (key, default) in wanted.items()
    }
    require_sizes(section.file, given, measured)
