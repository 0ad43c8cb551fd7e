"""A frozen CLIP from weights and configuration, in whatever format they are published.

Stage 2. Read the tensors, bring their names to the OpenAI layout, check every name and shape, learn
from the configuration beside them how they compute, build both encoders. No code in a weight file
is ever run. What is not computed here is refused by name.
"""

import math
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from torch import Tensor

from weclip.backbones.clip.configuration.computation import (
    AUTO,
    KNOWN,
    Computation,
    check_activation,
    find_configuration,
    settle,
)
from weclip.backbones.clip.configuration.normalisation import CLIPS, Normalisation, normalised_for
from weclip.backbones.clip.configuration.vocabulary import require_openais_merges
from weclip.backbones.clip.image_encoder import ClipImageEncoder, build_image_encoder
from weclip.backbones.clip.layouts.hugging_face import is_hugging_face, to_openai_layout
from weclip.backbones.clip.layouts.names import plain_names, refuse_others, without_extras
from weclip.backbones.clip.layouts.whole import check_state
from weclip.backbones.clip.text_encoder import ClipTextEncoder, build_text_encoder
from weclip.backbones.clip.tower import NoTexts
from weclip.backbones.weight_files.folder import WeightFiles, find_weights
from weclip.backbones.weight_files.whole import finite


@dataclass(frozen=True)
class Clip:
    """Both frozen encoders of a CLIP, and what identifies it.

    Attributes:
        image: Image encoder, float32.
        text: Text encoder, float32; of a tower alone, what stands for it.
        scale: Factor of the cosines before the softmax, exp(`logit_scale`), about 100.
        sha256: Hexadecimal digest of the weight file's bytes; of several parts, see
            `WeightFiles.sha256`.
        name: Name of the file or folder it was read from.
        computes: What decides its features beside the weights, in words.
        note: What was assumed of its activation, or overruled, in one line that says what to do;
            None where nothing was.
    """

    image: ClipImageEncoder
    text: ClipTextEncoder | NoTexts
    scale: float
    sha256: str
    name: str
    computes: str
    note: str | None = None


def load_clip(path: str | PathLike[str], activation: str = AUTO) -> Clip:
    """Read a ViT CLIP in float32 on the CPU.

    Sizes are read from the weights. Activation, heads, epsilon and normalisation of the images come
    from `config.json` (Transformers) or `open_clip_config.json` (OpenCLIP) beside them. Without one
    they are OpenAI's, and unless the SHA-256 is known to be, `note` says so.

    Args:
        path: An OpenAI `.pt` archive; a state dict saved by `torch.save`; a safetensors file; the
            index of its parts; all in OpenAI, OpenCLIP or Transformers names; or a folder of
            Hugging Face or OpenCLIP.
        activation: `quick_gelu` or `gelu` overrules; `auto` takes what is published.

    Raises:
        InputError: Nothing there, not weights, not the weights of a whole ViT CLIP, or of one that
            computes in another way; the message names what it is.
    """
    check_activation(activation)
    path = Path(path)
    files = find_weights(path)
    sha256 = files.sha256()
    state, how, normalisation = read_clip(files, KNOWN.get(sha256), activation)
    return Clip(
        image=build_image_encoder(state, how.image),
        text=build_text_encoder(state, how.text),
        scale=math.exp(state["logit_scale"].item()),
        sha256=sha256,
        name=path.absolute().name,
        computes=how.in_words(normalisation),
        note=how.note,
    )


def read_clip(
    files: WeightFiles, known: str | None, activation: str
) -> tuple[dict[str, Tensor], Computation, Normalisation]:
    """Float32 tensors in OpenAI layout, how they compute, and the images that they were made for.

    Args:
        files: Where they lie.
        known: What they are, if their SHA-256 tells; then nothing beside them is read.
        activation: As in `load_clip`.
    """
    file = files.file
    state = plain_names(files.read(), file)
    theirs = is_hugging_face(state)
    found = None if known else find_configuration(file, hugging_face=theirs)
    refuse_others(state, file)
    state = without_extras(state, file)
    if theirs:
        state = to_openai_layout(state, file)
    check_state(state, file)
    if found:
        found.require_match(state)
    if not known:
        require_openais_merges(file.parent)
    how = settle(file, state, found, known=known, activation=activation)
    state = finite(state, file)
    normalisation = found.normalisation if found else CLIPS
    return normalised_for(state, normalisation), how, normalisation
