"""How a CLIP computes: from its SHA-256, from a configuration beside it, or assumed and said.

Stage 2. Weights do not tell their activation and heads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from weclip.backbones.clip.configuration.found import Configuration
from weclip.backbones.clip.configuration.hugging_face import read_hugging_face
from weclip.backbones.clip.configuration.keys import WAY_OUT
from weclip.backbones.clip.configuration.normalisation import Normalisation
from weclip.backbones.clip.configuration.open_clip import is_open_clip, read_open_clip
from weclip.backbones.clip.image_encoder import HEAD_WIDTH
from weclip.backbones.transformer import ACTIVATIONS, BlockSettings
from weclip.backbones.weight_files.folder import read_object
from weclip.backbones.weight_files.section import Section
from weclip.system.errors import InputError, did_you_mean

AUTO = "auto"
CHOICES = (AUTO, *ACTIVATIONS)
"""Values of `clip.activation`."""

KNOWN = {
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af": "OpenAI's ViT-B-32.pt",
    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f": "OpenAI's ViT-B-16.pt",
    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836": "OpenAI's ViT-L-14.pt",
    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02": "OpenAI's L-14-336px.pt",
    "f80b0b1ac188d6610b487e8b344fbd7429fc008cfc858a44410f312d99145564": "the demo's CLIP",
}
"""SHA-256 of weights that are known to compute OpenAI's way, with QuickGELU and heads of 64."""

IMAGE_HEADS = {1280: 16, 1408: 16, 1664: 16, 1792: 16}
"""Heads by width of OpenCLIP's H/14, g/14, bigG/14 and e/14, which are wider than 64 channels."""

CONFIGURATIONS = ("open_clip_config.json", "open_clip_model_config.json", "config.json")
BESIDE = "put config.json or open_clip_config.json beside the weights"


@dataclass(frozen=True)
class Computation:
    """How the two encoders' blocks compute.

    Attributes:
        image: Of the image encoder.
        text: Of the text encoder.
        note: What was assumed, or overruled, in one line with what to do about it.
    """

    image: BlockSettings
    text: BlockSettings
    note: str | None = None

    def in_words(self, normalisation: Normalisation) -> str:
        """All that decides features beside the weights, to be compared by those who keep it."""
        blocks = (blocks_in_words("image", self.image), blocks_in_words("text", self.text))
        by = (
            "OpenAI's"
            if normalisation.is_openais()
            else f"{normalisation.mean}, {normalisation.std}"
        )
        return "; ".join((*blocks, f"mean and deviation {by}"))


def blocks_in_words(name: str, blocks: BlockSettings) -> str:
    """How the blocks of an encoder compute, as `Computation.in_words` begins with the image's.

    >>> blocks_in_words("image", BlockSettings(12))
    'image quick_gelu, 12 heads, epsilon 1e-05'
    """
    return f"{name} {blocks.activation}, {blocks.heads} heads, epsilon {blocks.eps:g}"


def check_activation(activation: str) -> None:
    """Raise InputError for a value that is none of `CHOICES`."""
    if activation not in CHOICES:
        hint = did_you_mean(activation, CHOICES)
        allowed = f"it must be {' or '.join(CHOICES)}"
        raise InputError(f"clip.activation={activation} is not allowed; {allowed}. {hint}".strip())


def find_configuration(file: Path, *, hugging_face: bool) -> Configuration | None:
    """The configuration beside a weight file, if there is one.

    Args:
        file: The weights.
        hugging_face: Whether they have Transformers' names; then its `config.json` comes first,
            otherwise OpenCLIP's.

    Raises:
        InputError: It cannot be read, or asks for something that is not computed here.
    """
    for name in reversed(CONFIGURATIONS) if hugging_face else CONFIGURATIONS:
        path = file.with_name(name)
        if not path.is_file():
            continue
        document = Section(path, "", read_object(path), WAY_OUT)
        if is_open_clip(document):
            return read_open_clip(document)
        # Beside a file with other names, the configuration of another model lies by chance.
        if hugging_face or document.content.get("model_type") == "clip":
            return read_hugging_face(document)
    return None


def settle(
    file: Path,
    state: Mapping[str, Tensor],
    found: Configuration | None,
    *,
    known: str | None,
    activation: str,
) -> Computation:
    """Decide how the encoders compute.

    Args:
        file: The weights, for messages.
        state: Tensors in OpenAI layout.
        found: The configuration beside them.
        known: What they are, if their SHA-256 is one of `KNOWN`.
        activation: One of `CHOICES`.

    Raises:
        InputError: Nothing tells the number of heads.
    """
    if found:
        image, text = found.image, found.text
        source: str | None = f"{found.file} says"
    else:
        image = BlockSettings(heads_of(file, "visual.class_embedding", state, IMAGE_HEADS))
        text = BlockSettings(heads_of(file, "ln_final.weight", state, {}))
        source = f"{known} was trained with" if known else None
    if activation == AUTO:
        return Computation(image, text, None if source else assumed(file, image.activation))
    told = dict.fromkeys((image.activation, text.activation))
    note = None
    if source and list(told) != [activation]:
        note = (
            f"{file}: {source} {' and '.join(told)}, but clip.activation={activation} is computed; "
            f"clip.activation={AUTO} follows the weights"
        )
    return Computation(
        replace(image, activation=activation), replace(text, activation=activation), note
    )


def assumed(file: Path, activation: str) -> str:
    """The note on weights of which nothing tells the activation."""
    return (
        f"{file}: nothing tells its activation; {activation}, as in OpenAI's, is assumed. CLIPs of "
        f"LAION, DataComp and OpenCLIP mostly need gelu: set clip.activation=gelu, or {BESIDE}"
    )


def heads_of(
    file: Path, name: str, state: Mapping[str, Tensor], published: Mapping[int, int]
) -> int:
    """Heads by the width of a tensor: 64 channels each, but for some published widths."""
    width = len(state[name])
    if width > HEAD_WIDTH and width % HEAD_WIDTH and width not in published:
        raise InputError(
            f"{file}: {name} has width {width}, not a multiple of {HEAD_WIDTH}, so nothing tells "
            f"the number of heads; {BESIDE}"
        )
    return published.get(width, max(1, width // HEAD_WIDTH))
