"""OpenCLIP's `open_clip_config.json`, or one of its model configurations.

Stage 2. What a file leaves out is OpenCLIP's default: exact GELU, heads of 64 channels.
"""

from weclip.backbones.clip.configuration.found import Configuration
from weclip.backbones.clip.configuration.keys import WAY_OUT, settings_of
from weclip.backbones.clip.configuration.normalisation import read_normalisation
from weclip.backbones.transformer import BlockSettings
from weclip.backbones.weight_files.section import Section

READ = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu")
MODEL_IGNORED = (
    "custom_text init_logit_scale init_logit_bias nonscalar_logit_scale output_dict cast_dtype"
).split()

NO = (False, None)
BLOCKS_COMPUTED: dict[str, tuple[object, ...]] = {
    "ls_init_value": (None,),
    "act_kwargs": (None, {}, {"approximate": "none"}),
    "block_type": (None, "default"),
    "qk_norm": NO,
    "scaled_cosine_attn": NO,
    "scale_heads": NO,
    "scale_attn_inner": NO,
    "scale_attn": NO,
    "scale_fc": NO,
}
VISION_COMPUTED = BLOCKS_COMPUTED | {
    "attentional_pool": NO,
    "global_average_pool": NO,
    "input_patchnorm": NO,
    "no_ln_pre": NO,
    "pos_embed_type": ("learnable",),
    "pool_type": ("tok",),
    "timm_model_name": (None, ""),
}
VISION_READ = "layers width head_width mlp_ratio patch_size image_size norm_kwargs act".split()
VISION_IGNORED = (
    "patch_dropout attn_pooler_queries attn_pooler_heads n_queries output_tokens "
    "final_ln_after_pool timm_model_pretrained timm_pool timm_proj timm_proj_bias timm_drop "
    "timm_drop_path"
).split()
TEXT_COMPUTED = BLOCKS_COMPUTED | {
    "embed_cls": NO,
    "no_causal_mask": NO,
    "use_pad_mask": NO,
    "pool_type": ("argmax",),
    "proj_type": ("linear",),
    "proj_bias": NO,
    "hf_model_name": (None, ""),
    "tokenizer_mode": (None,),
    "tokenizer_kwargs": (None, {}, {"clean": "lower"}),
}
TEXT_READ = (
    "context_length vocab_size width heads layers mlp_ratio norm_kwargs act hf_tokenizer_name"
).split()
TEXT_IGNORED = (
    "pad_id eos_id output_tokens final_ln_after_pool correct_cls_mask hf_model_pretrained "
    "hf_proj_type hf_pooler_type"
).split()
"""Pads come after the end, where a causal encoder does not look; a normalisation of single tokens
may come before or after one of them is chosen."""

OPENAIS_TOKENIZERS = ("openai/clip-vit-", "laion/CLIP-ViT-")


def is_open_clip(content: Section) -> bool:
    """Whether a document has the keys of OpenCLIP."""
    return not content.content.keys().isdisjoint(("model_cfg", "vision_cfg", "text_cfg"))


def read_open_clip(document: Section) -> Configuration:
    """What a document says, with `model_cfg` or its content alone.

    Raises:
        InputError: It asks for something that is not computed here; the message names the key.
    """
    model = document.inner("model_cfg") if "model_cfg" in document.content else document
    model.require(
        read=(*READ, "preprocess_cfg", "model_cfg"),
        computed={"multimodal_cfg": (None,), "audio_cfg": (None,)},
        ignored=MODEL_IGNORED,
    )
    quick = model.content.get("quick_gelu") or False
    if not isinstance(quick, bool):
        raise model.error("quick_gelu", f"only true and false are understood; {WAY_OUT}")
    activation = "quick_gelu" if quick else "gelu"
    image, image_sizes = read_vision(model.inner("vision_cfg"), activation)
    text, text_sizes = read_text(model.inner("text_cfg"), activation)
    joint = {"joint": (f"{model.name}embed_dim", model.count("embed_dim"))}
    return Configuration(
        file=document.file,
        image=image,
        text=text,
        sizes=image_sizes | text_sizes | joint,
        normalisation=read_normalisation(document.inner("preprocess_cfg"), "mean", "std"),
    )


Sizes = dict[str, tuple[str, int]]


def read_vision(tower: Section, activation: str) -> tuple[BlockSettings, Sizes]:
    """Settings and sizes of the image encoder."""
    if isinstance(tower.content.get("layers"), list):
        raise tower.error("layers", f"a ResNet; {WAY_OUT}")
    tower.require(read=VISION_READ, computed=VISION_COMPUTED, ignored=VISION_IGNORED)
    width, head_width = tower.count("width", 768), tower.count("head_width", 64)
    heads = width // head_width if width % head_width == 0 else width + 1  # refused
    patch = tower.side("patch_size", 16)
    sizes = {
        "image width": (f"{tower.name}width", width),
        "image blocks": (f"{tower.name}layers", tower.count("layers", 12)),
        "image hidden": (f"{tower.name}width x mlp_ratio", hidden(tower, width)),
        "patch": (f"{tower.name}patch_size", patch),
        "grid": (f"{tower.name}image_size / patch_size", tower.side("image_size", 224) // patch),
    }
    return settings_of(tower, width, "head_width", blocks_of(tower, heads, activation)), sizes


def read_text(tower: Section, activation: str) -> tuple[BlockSettings, Sizes]:
    """Settings and sizes of the text encoder."""
    tower.require(read=TEXT_READ, computed=TEXT_COMPUTED, ignored=TEXT_IGNORED)
    tokenizer = tower.content.get("hf_tokenizer_name") or OPENAIS_TOKENIZERS[0]
    if not isinstance(tokenizer, str) or not tokenizer.startswith(OPENAIS_TOKENIZERS):
        raise tower.error("hf_tokenizer_name", f"only OpenAI's tokenizer is read here; {WAY_OUT}")
    width = tower.count("width", 512)
    sizes = {
        "text width": (f"{tower.name}width", width),
        "text blocks": (f"{tower.name}layers", tower.count("layers", 12)),
        "text hidden": (f"{tower.name}width x mlp_ratio", hidden(tower, width)),
        "vocabulary": (f"{tower.name}vocab_size", tower.count("vocab_size", 49408)),
        "context": (f"{tower.name}context_length", tower.count("context_length", 77)),
    }
    settings = blocks_of(tower, tower.count("heads", 8), activation)
    return settings_of(tower, width, "heads", settings), sizes


def hidden(tower: Section, width: int) -> int:
    """Channels of the wider layer."""
    return int(width * tower.number("mlp_ratio", 4.0))


def blocks_of(tower: Section, heads: int, activation: str) -> BlockSettings:
    """Settings of a tower's blocks; its own activation and epsilon where it gives them."""
    norm = tower.inner("norm_kwargs")
    norm.require(read=("eps",), computed={}, ignored=())
    return BlockSettings(heads, tower.activation("act", activation), norm.number("eps", 1e-5))
