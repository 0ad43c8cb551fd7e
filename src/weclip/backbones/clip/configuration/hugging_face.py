"""Transformers' `config.json` of a CLIP.

Stage 2. What a file leaves out is Transformers' default, which is OpenAI's ViT-B/32: files are
often stored without their defaults.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from weclip.backbones.clip.configuration.found import Configuration
from weclip.backbones.clip.configuration.keys import WAY_OUT, settings_of
from weclip.backbones.clip.configuration.normalisation import (
    CLIPS,
    Normalisation,
    read_normalisation,
)
from weclip.backbones.transformer import BlockSettings
from weclip.backbones.weight_files.folder import read_object
from weclip.backbones.weight_files.section import GENERIC, Section

VISION = {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}
TEXT = {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8}
"""Defaults that differ between the two encoders."""

TOWER_READ = (
    "hidden_size intermediate_size num_hidden_layers num_attention_heads hidden_act layer_norm_eps "
    "image_size patch_size vocab_size max_position_embeddings"
).split()
TOP_READ = ("projection_dim", "text_config", "vision_config")

PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def read_hugging_face(document: Section) -> Configuration:
    """What a document says; the images' normalisation stands in a file beside it.

    Raises:
        InputError: It asks for something that is not computed here; the message names the key.
    """
    document.require(
        read=(*TOP_READ, "text_config_dict", "vision_config_dict"),
        computed={"model_type": ("clip",), "pruned_heads": ({},)},
        ignored=GENERIC,
    )
    vision = tower(document, "vision_config", VISION)
    text = tower(document, "text_config", TEXT)
    require_tower(
        vision, {"model_type": ("clip_vision_model", ""), "num_channels": (3,)}, "eos_token_id"
    )
    require_tower(text, {"model_type": ("clip_text_model", ""), "eos_token_id": (2, 49407, None)})
    patch = vision.side("patch_size", 32)
    return Configuration(
        file=document.file,
        image=blocks_of(vision),
        text=blocks_of(text),
        sizes={
            **sizes_of_blocks(vision, "image"),
            **sizes_of_blocks(text, "text"),
            "patch": ("vision_config.patch_size", patch),
            "grid": (
                "vision_config.image_size / patch_size",
                vision.side("image_size", 224) // patch,
            ),
            "vocabulary": ("text_config.vocab_size", text.count("vocab_size", 49408)),
            "context": (
                "text_config.max_position_embeddings",
                text.count("max_position_embeddings", 77),
            ),
            "joint": ("projection_dim", document.count("projection_dim", 512)),
        },
        normalisation=of_processor(document.file.parent),
    )


def tower(document: Section, name: str, defaults: dict[str, int]) -> Section:
    """An encoder's section with defaults; `..._dict` of older files replaces it, defaults too."""
    content: dict[str, Any] = defaults | dict(document.inner(name).content)
    if document.content.get(f"{name}_dict") is not None:
        older = document.inner(f"{name}_dict")
        standard = {"num_hidden_layers": 12, "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5}
        content |= defaults | standard | dict(older.content)
    return replace(document, name=f"{name}.", content=content)


def require_tower(section: Section, computed: dict[str, tuple[object, ...]], *ignored: str) -> None:
    """Refuse what an encoder's section asks for beyond its sizes."""
    section.require(
        read=TOWER_READ,
        computed={"pruned_heads": ({},), **computed},
        ignored=(*GENERIC, "projection_dim", *ignored),
    )


def blocks_of(section: Section) -> BlockSettings:
    """How an encoder's blocks compute."""
    settings = BlockSettings(
        heads=section.count("num_attention_heads"),
        activation=section.activation("hidden_act", "quick_gelu"),
        eps=section.number("layer_norm_eps", 1e-5),
    )
    return settings_of(section, section.count("hidden_size"), "num_attention_heads", settings)


def sizes_of_blocks(section: Section, name: str) -> dict[str, tuple[str, int]]:
    """Width, hidden width and number of an encoder's blocks."""
    keys = {"width": "hidden_size", "hidden": "intermediate_size"}
    found = {f"{name} {k}": (section.name + key, section.count(key)) for k, key in keys.items()}
    blocks = section.count("num_hidden_layers", 12)
    return found | {f"{name} blocks": (f"{section.name}num_hidden_layers", blocks)}


def of_processor(folder: Path) -> Normalisation:
    """The normalisation in the file of the image processor; OpenAI's where there is none."""
    for name in PROCESSORS:
        if (folder / name).is_file():
            section = Section(folder / name, "", read_object(folder / name), WAY_OUT)
            if name == PROCESSORS[1]:
                section = section.inner("image_processor")
            return read_normalisation(section, "image_mean", "image_std")
    return CLIPS
