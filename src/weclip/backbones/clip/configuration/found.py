"""What a configuration says of a CLIP, and whether it is the one of these weights.

Stage 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from weclip.backbones.clip.configuration.normalisation import CLIPS, Normalisation
from weclip.backbones.clip.image_encoder import count_blocks, hidden_width
from weclip.backbones.transformer import BlockSettings
from weclip.backbones.weight_files.section import require_sizes


@dataclass(frozen=True)
class Configuration:
    """A configuration file that was understood.

    Attributes:
        file: The file.
        image: How the image encoder's blocks compute.
        text: How the text encoder's blocks compute.
        sizes: By the names of `sizes_of`: the key in the file, and its value.
        normalisation: Of the images that it was trained with.
    """

    file: Path
    image: BlockSettings
    text: BlockSettings
    sizes: Mapping[str, tuple[str, int]]
    normalisation: Normalisation = CLIPS

    def require_match(self, state: Mapping[str, Tensor]) -> None:
        """Raise InputError, which names the first size that the weights have otherwise."""
        require_sizes(self.file, self.sizes, sizes_of(state))


def sizes_of(state: Mapping[str, Tensor]) -> dict[str, int | None]:
    """The sizes that a whole state dict in OpenAI layout has."""
    visual = {k.removeprefix("visual."): v for k, v in state.items() if k.startswith("visual.")}
    vocabulary, text_width = state["token_embedding.weight"].shape
    return {
        "image width": len(visual["class_embedding"]),
        "image blocks": count_blocks(visual),
        "image hidden": hidden_width(visual),
        "patch": visual["conv1.weight"].shape[-1],
        "grid": round((len(visual["positional_embedding"]) - 1) ** 0.5),
        "text width": text_width,
        "text blocks": count_blocks(state),
        "text hidden": hidden_width(state),
        "vocabulary": vocabulary,
        "context": len(state["positional_embedding"]),
        "joint": visual["proj"].shape[1],
    }
