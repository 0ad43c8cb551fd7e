"""A small random SAM 2 in the form that Hugging Face publishes."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

SIDE = 64

CONFIG = {
    "model_type": "sam2_video",
    "architectures": ["Sam2VideoModel"],
    "vision_config": {
        "model_type": "sam2_vision_model",
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 16,
            "num_attention_heads": 1,
            "image_size": [SIDE, SIDE],
            "blocks_per_stage": [1, 1, 2, 1],
            "embed_dim_per_stage": [16, 32, 64, 128],
            "num_attention_heads_per_stage": [1, 2, 4, 8],
            "window_size_per_stage": [8, 4, 4, 4],
            "global_attention_blocks": [3],
            "window_positional_embedding_background_size": [4, 4],
        },
        "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 32,
    },
    "prompt_encoder_config": {
        "hidden_size": 32,
        "image_size": SIDE,
        "patch_size": 16,
        "mask_input_channels": 4,
    },
    "mask_decoder_config": {
        "hidden_size": 32,
        "mlp_dim": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "iou_head_hidden_dim": 16,
    },
}


def write_sam2(folder: Path, seed: int = 0) -> Path:
    """A folder with config.json and model.safetensors, with a tensor of the video model too."""
    from transformers.models.sam2.configuration_sam2 import Sam2Config
    from transformers.models.sam2.modeling_sam2 import Sam2Model

    folder.mkdir(parents=True)
    sections = {name: value for name, value in CONFIG.items() if name.endswith("_config")}
    generator = torch.Generator().manual_seed(seed)
    shapes = Sam2Model(Sam2Config(**sections)).state_dict()
    state = {
        name: 0.3 * torch.randn(value.shape, generator=generator) for name, value in shapes.items()
    }
    save_file(state | {"memory_attention.weight": torch.zeros(2)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder
