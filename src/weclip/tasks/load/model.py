"""Load a trained model, checked against the frozen backbones it needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from weclip.backbones.loaded import LoadedBackbones
from weclip.build.method import build_method, load_trained
from weclip.config import Config
from weclip.config_changes import Change
from weclip.config_file import from_yaml, override
from weclip.inference.arguments import kind_of
from weclip.methods.method import Method
from weclip.plugins import PluginFiles, load_plugins
from weclip.system.distributed import default_device
from weclip.system.errors import InputError
from weclip.system.files import at_home, is_output
from weclip.tasks.load.backbones import (
    NO_TOWERS,
    frozen_backbones,
    moved_backbones,
    open_needed,
)
from weclip.tasks.load.bundle import bundle_of, open_towers
from weclip.tasks.load.opening import HUB
from weclip.tasks.regions.of_model import without_files
from weclip.training.model_file import ModelFile, read_model_file

MODEL_NAME = "model.safetensors"


@dataclass(frozen=True)
class LoadedModel:
    """A model file with everything that it needs.

    Attributes:
        path: The model file.
        file: Its content; of a bundle, the backbones are the towers that lie in it.
        config: Its configuration.
        method: The trained method, in eval mode.
        backbones: The frozen backbones that it was built on.
    """

    path: Path
    file: ModelFile
    config: Config
    method: Method
    backbones: LoadedBackbones


def usable_device(given: Any, name: str = "device=") -> torch.device:
    """A device of PyTorch that computes here; the default if none is given.

    Args:
        given: The device.
        name: What it was given as, for the message.

    Raises:
        InputError: There is no such device, or this PyTorch cannot use it.
    """
    try:
        device = torch.device(default_device() if given is None else given)
        torch.zeros(1, device=device).cpu()  # "meta" computes nothing
    except (RuntimeError, AssertionError, TypeError, NotImplementedError):
        named = isinstance(given, str | torch.device)
        what = f"{name}{str(given)[:40]}" if named else f"device is {kind_of(given)}"
        gpus = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        known = ["cpu", *(name for name, there in gpus.items() if there)]
        raise InputError(
            f"{what}: not a device that PyTorch can use here; known: {', '.join(known)}"
        ) from None
    return device


def load_model(
    run_or_file: str | PathLike[str],
    *,
    clip: str | PathLike[str] | None = None,
    overrides: Sequence[Change] = (),
    plugins: PluginFiles = (),
    maps: bool = False,
) -> LoadedModel:
    """A trained model with its method and configuration, on the CPU.

    Args:
        run_or_file: A run folder of `weclip train`, or its `model.safetensors`; a folder of
            `weclip bundle`; or `hf:owner/name`.
        clip: As in `opening.ModelAt`.
        overrides: As there.
        plugins: As there.
        maps: Whether maps of tags will be made, which texts decide: only then `clip.descriptions`
            is read, which may have been left behind.

    Raises:
        InputError: Not a model, a change that cannot be made, or a backbone is missing or another.
    """
    path = model_path(Path(at_home(str(Path(run_or_file)))))
    bundle, file = bundle_of(path), read_model_file(path)
    stored = from_yaml(file.config, str(path), load_plugins(plugins))
    config = override(without_files(stored), overrides)
    if clip is not None:
        config.clip.weights = at_home(str(Path(clip)))
    towers = NO_TOWERS
    if bundle is not None:
        elsewhere = {*moved_backbones(stored, config), *(["clip"] if clip is not None else [])}
        towers = open_towers(bundle, file, config, elsewhere, maps=maps)
    loaded = open_needed(config, file, path, towers, maps=maps)
    file = replace(file, backbones=file.backbones | frozen_backbones(towers))
    if not maps:
        config.clip.descriptions = None
    method = build_method(config, loaded, file.classes)
    load_trained(method, file.trained, path)
    return LoadedModel(path, file, config, method.eval(), loaded)


def model_path(given: Path) -> Path:
    """The model file of a run folder, a bundle or of itself; one of the hub is fetched.

    Raises:
        InputError: A checkpoint was given, or a folder without a model; with what to do.
    """
    if given.as_posix().startswith(HUB):
        from weclip.tasks.load.hub import from_hub  # imports the hub's library

        given = from_hub(given)
    if given.suffix == ".ckpt":
        near = [folder / MODEL_NAME for folder in given.parents[:2]]
        there = next((path for path in near if path.is_file()), None)
        hint = f"give {there}" if there else "continue its run with --resume, which writes one"
        raise InputError(f"{given}: a checkpoint of a training, not a model; {hint}")
    if not given.is_dir():
        return given
    path = given / MODEL_NAME
    if not path.is_file() and is_output(given, "training"):
        raise InputError(
            f"{given}: this training has no {MODEL_NAME} yet; continue it with --resume, and wait "
            "for its first checkpoint"
        )
    near = [given.parent / MODEL_NAME, *sorted(given.glob(f"*/{MODEL_NAME}"))]
    there = next((model for model in near if model.is_file()), None)
    if not path.is_file() and there is not None:
        raise InputError(f"{given}: a folder without a {MODEL_NAME}; give {there}")
    return path
