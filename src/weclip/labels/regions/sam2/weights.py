"""SAM 2 from a folder as Hugging Face publishes it: `config.json` and safetensors, nothing else.

Stage 3. Sizes are read from `config.json` and bounded, names and shapes are compared, and only then
is the model made. No code of the folder is run, and nothing is fetched.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from weclip.backbones.imagenet import IMAGENET_MEAN, IMAGENET_STD
from weclip.backbones.weight_files.folder import WeightFiles, find_weights, read_object
from weclip.backbones.weight_files.whole import finite
from weclip.labels.regions.sam2.masks import Decode
from weclip.labels.resizing import planes
from weclip.system.errors import InputError
from weclip.system.untrusted.text import one_line, short

TYPES = ("sam2", "sam2_video")
"""`model_type` of published folders; a video model holds the image model."""

BACKBONE = "sam2_hiera_det_model"
SECTIONS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
CODE = ("auto_map", "custom_pipelines", "_attn_implementation", "attn_implementation")
LARGEST = 2**15
"""Of any number in `config.json`; the largest published one is 2048."""

MOST_BLOCKS = 200
FETCH = "give a folder of facebook/sam2.1-hiera-tiny, -small, -base-plus or -large"


@dataclass(frozen=True)
class Sam2:
    """A frozen SAM 2.

    Attributes:
        model: `Sam2Model` of transformers, or what behaves like it.
        side: Pixels of the square that images are resized to.
        sha256: Digest of the weights.
    """

    model: Any
    side: int
    sha256: str

    def decoder(self, image: NDArray[Any], *, several: bool) -> Decode:
        """What decodes points of an image (H, W, 3) uint8, RGB.

        Args:
            image: Its encoder runs at once.
            several: Whether a point gets three masks, not one.
        """
        device = next(self.model.parameters()).device
        with torch.no_grad():
            seen = self.model.get_image_embeddings(prepared(image, self.side).to(device))

        def decode(points: Tensor) -> tuple[Tensor, Tensor]:
            given = (points * self.side).to(device)[None, :, None]  # (1, n, 1, 2)
            with torch.no_grad():
                out = self.model(
                    image_embeddings=[*seen], input_points=given, multimask_output=several
                )
            return out.pred_masks[0], out.iou_scores[0]  # (n, m, h, w), (n, m)

        return decode


def prepared(image: NDArray[Any], side: int) -> Tensor:
    """(1, 3, side, side) of an image (H, W, 3) uint8: stretched to a square, as SAM 2 sees it."""
    pixels = planes(image)[None].float() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (IMAGENET_MEAN, IMAGENET_STD))
    square = F.interpolate(
        pixels, (side, side), mode="bilinear", align_corners=False, antialias=True
    )
    return (square - mean) / std


def load_sam2(folder: Path) -> Sam2:
    """Read SAM 2 in float32 on the CPU.

    Raises:
        InputError: No such folder, no SAM 2 in it, no safetensors, or weights that do not fit.
    """
    if not folder.is_dir():
        raise InputError(f"regions.sam2.weights={folder}: no such folder; {FETCH}")
    files = find_weights(folder)
    if not all(part.suffix == ".safetensors" for part in files.parts):
        raise InputError(f"{files.file}: SAM 2 is read from safetensors alone; {FETCH}")
    config = _configuration(folder / "config.json")
    return Sam2(_model(config, files), int(config.prompt_encoder_config.image_size), files.sha256())


def _configuration(path: Path) -> Any:
    """The `Sam2Config` of a `config.json`, of bounded sizes."""
    from transformers.models.sam2.configuration_sam2 import Sam2Config

    found = read_object(path)
    if found.get("model_type") not in TYPES:
        raise InputError(f"{path}: model_type {short(found.get('model_type'))}, no SAM 2; {FETCH}")
    sections: dict[str, Any] = {name: found.get(name) or {} for name in SECTIONS}
    _require_bounded(sections, path)
    backbone = sections["vision_config"].get("backbone_config") or {}
    if backbone.get("model_type", BACKBONE) != BACKBONE:
        raise InputError(
            f"{path}: a backbone of type {short(backbone['model_type'])}, not {BACKBONE}; {FETCH}"
        )
    sections["vision_config"] = {
        **sections["vision_config"],
        "model_type": "sam2_vision_model",
        "backbone_config": {**backbone, "model_type": BACKBONE},
    }
    try:
        config: Any = Sam2Config(**sections)
        _require_square(config, path)
        if sum(config.vision_config.backbone_config.blocks_per_stage) > MOST_BLOCKS:
            raise ValueError(f"over {MOST_BLOCKS} blocks")
    except InputError:
        raise
    except Exception as error:
        reason = one_line(error)
        raise InputError(f"{path}: no configuration of SAM 2 ({reason}); {FETCH}") from None
    return config


def _require_bounded(value: Any, path: Path) -> None:
    """InputError unless all that a configuration holds is plain and small."""
    if isinstance(value, Mapping):
        if code := sorted(set(CODE) & value.keys()):
            raise InputError(f"{path}: names code to run ({code[0]}); remove it, or {FETCH}")
        inner = list(value.values())
    else:
        inner = list(value) if isinstance(value, list) else []
    if len(inner) > MOST_BLOCKS or (isinstance(value, int | float) and not 0 <= value <= LARGEST):
        raise InputError(f"{path}: {short(value)} is no size of a SAM 2; {FETCH}")
    for each in inner:
        _require_bounded(each, path)


def _require_square(config: Any, path: Path) -> None:
    """InputError unless both halves see squares of one size."""
    side = config.prompt_encoder_config.image_size
    seen = config.vision_config.backbone_config.image_size
    if not isinstance(side, int) or seen not in (side, [side, side], (side, side)):
        raise InputError(f"{path}: images of {short(seen)} and {short(side)} pixels; {FETCH}")


def _model(config: Any, files: WeightFiles) -> Any:
    """The model with its weights, frozen; those of the video's half are left out."""
    from transformers.models.sam2.modeling_sam2 import Sam2Model

    state = files.read()
    try:
        with torch.device("meta"):
            expected = Sam2Model(config).state_dict()
    except Exception as error:
        raise InputError(
            f"{files.file}: config.json beside it describes no SAM 2 ({one_line(error)}); {FETCH}"
        ) from None
    _require_fitting(state, expected, files.file)
    model: Any = Sam2Model(config)
    model.float().eval().requires_grad_(False)
    model.load_state_dict(
        finite({name: state[name].float() for name in expected}, files.file), strict=True
    )
    return model


def _require_fitting(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], file: Path
) -> None:
    """InputError for a tensor that is missing, or has another shape."""
    missing = [name for name in expected if name not in state]
    if missing:
        raise InputError(
            f"{file}: not a whole SAM 2: {len(missing)} of {len(expected)} tensors are missing, "
            f"{missing[0]} first; download it again"
        )
    for name, wanted in expected.items():
        if state[name].shape != wanted.shape:
            raise InputError(
                f"{file}: {name} is {tuple(state[name].shape)}, and config.json beside it says "
                f"{tuple(wanted.shape)}; download both again"
            )
