"""Load a trained model, checked against the CLIP it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch

from weclip.backbones.clip.weights import Clip, load_clip
from weclip.build import build_predictor, build_weclip, demo_clip, load_decoder
from weclip.config import Config
from weclip.config_file import from_yaml, override
from weclip.inference.segmenter import SegmentationModel
from weclip.methods.weclip import WeClip
from weclip.system.errors import InputError
from weclip.training.model_file import ModelFile, read_model_file

MODEL_NAME = "model.safetensors"


@dataclass(frozen=True)
class LoadedModel:
    """A model file with everything that it needs.

    Attributes:
        path: The model file.
        file: Its content.
        config: Its configuration.
        method: The method with the trained decoder, in eval mode.
    """

    path: Path
    file: ModelFile
    config: Config
    method: WeClip


def load(
    run_or_file: str | PathLike[str],
    *,
    clip: str | PathLike[str] | None = None,
    device: str | None = None,
    overrides: Sequence[str] = (),
) -> SegmentationModel:
    """Load a trained model.

    Args:
        run_or_file: A run folder of `weclip train`, or its `model.safetensors`.
        clip: CLIP weights; by default those that it was trained with, where they were.
        device: Such as `cuda`; by default the GPU if there is one.
        overrides: Changes of the model's configuration, such as `data.max_pixels=400000000`.

    Raises:
        InputError: Not a model, a change that cannot be made, or the CLIP is missing or another.
    """
    model = load_model(run_or_file, clip=clip, overrides=overrides)
    model.method.to(device or default_device())
    predictor = build_predictor(model.config, model.method)
    names = model.file.classes.names_with_background
    return SegmentationModel(predictor, names, max_pixels=model.config.data.max_pixels)


def load_model(
    run_or_file: str | PathLike[str],
    *,
    clip: str | PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    maps: bool = False,
) -> LoadedModel:
    """As `load`, with the method and its configuration, on the CPU.

    Args:
        run_or_file: As in `load`.
        clip: As in `load`.
        overrides: As in `load`.
        maps: Whether maps of tags will be made, which texts decide: only then `clip.descriptions`
            is read, which may have been left behind.
    """
    path = Path(run_or_file)
    path = path / MODEL_NAME if path.is_dir() else path
    file = read_model_file(path)
    config = override(from_yaml(file.config, str(path)), overrides)
    if clip is not None:
        config.clip.weights = str(clip)
    if not clip_path(config).exists():
        raise InputError(
            f"{path} needs CLIP {file.clip_name}, which is not at {config.clip.weights}; "
            "tell with --clip where it is"
        )
    loaded = open_clip(config)
    if loaded.sha256 != file.clip_sha256:
        raise InputError(
            f"{path} was trained with CLIP {file.clip_name} (SHA-256 {file.clip_sha256[:12]}...), "
            f"but {config.clip.weights} is {loaded.name} ({loaded.sha256[:12]}...); "
            "give the right weights with --clip"
        )
    if not maps:
        config.clip.descriptions = None
    method = build_weclip(config, loaded, file.classes)
    load_decoder(method, file.decoder, path)
    return LoadedModel(path, file, config, method.eval())


def open_clip(config: Config) -> Clip:
    """The CLIP of a configuration."""
    return load_clip(clip_path(config))


def clip_path(config: Config) -> Path:
    """Where the CLIP of a configuration is; the name `demo` is the shipped tiny one."""
    weights = config.clip.weights
    return demo_clip() if weights == "demo" else Path(weights)


def default_device() -> str:
    """The first GPU, or else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
