"""A MiT's ImageNet weights, in whatever format they are published: what the encoder starts from.

Stage 2. Read the tensors, bring their names to SegFormer's, check every name and shape, compare
with the configuration beside them. No code in a weight file is ever run. What is not computed here
is refused by name.
"""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from torch import Tensor

from weclip.backbones.mit.configuration import require_computed
from weclip.backbones.mit.image_encoder import MitEncoder, MitSettings
from weclip.backbones.mit.layouts import is_hugging_face, own_names
from weclip.backbones.mit.names import plain_names
from weclip.backbones.mit.whole import settings_of
from weclip.backbones.weight_files.folder import find_weights
from weclip.backbones.weight_files.whole import finite


@dataclass(frozen=True)
class Mit:
    """Weights of a MiT, and what identifies them.

    Attributes:
        settings: Sizes.
        state: Tensors of `MitEncoder`, float32 on the CPU.
        sha256: Hexadecimal digest of the weight file's bytes; of several parts, see
            `WeightFiles.sha256`.
        name: Name of the file or folder it was read from.
    """

    settings: MitSettings
    state: dict[str, Tensor]
    sha256: str
    name: str

    def make_encoder(self, drop_path: float = 0.1) -> MitEncoder:
        """A new encoder that starts from these weights."""
        encoder = MitEncoder(self.settings, drop_path=drop_path)
        encoder.load_state_dict(self.state)
        return encoder


def read_mit(path: str | PathLike[str]) -> Mit:
    """Read a MiT in float32 on the CPU. All sizes are read from the weights.

    Args:
        path: A state dict saved by `torch.save`, such as SegFormer's `mit_b1.pth` or a published
            checkpoint of AFA, whose encoder is taken; a safetensors file; the index of its parts;
            in the names of SegFormer or Transformers; or a folder of Hugging Face.

    Raises:
        InputError: Nothing there, not weights, not the weights of a whole MiT, or of one that
            computes in another way; the message names what it is.
    """
    path = Path(path)
    files = find_weights(path)
    state = plain_names(files.read(), files.file)
    theirs = is_hugging_face(state)
    if theirs:
        state = own_names(state, files.file)
    settings = settings_of(state, files.file)
    if theirs:
        require_computed(files.file, settings)
    return Mit(settings, finite(state, files.file), files.sha256(), path.absolute().name)
