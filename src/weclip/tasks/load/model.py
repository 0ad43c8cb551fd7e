"""Load a trained model, checked against the frozen backbones it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch

from weclip.build import build_method, build_predictor, load_trained
from weclip.config import Config
from weclip.config_changes import Change
from weclip.config_file import from_yaml, override
from weclip.inference.arguments import kind_of, path_of, require_list, short_errors
from weclip.inference.segmentation.model import SegmentationModel
from weclip.methods.method import Method
from weclip.plugins import Plugin, PluginFiles, load_plugins
from weclip.system.distributed import default_device
from weclip.system.errors import InputError
from weclip.system.files import at_home, is_output
from weclip.tasks.load.backbones import open_needed
from weclip.tasks.public.arguments import Overrides, changes_of
from weclip.training.model_file import ModelFile, read_model_file

MODEL_NAME = "model.safetensors"


@dataclass(frozen=True)
class LoadedModel:
    """A model file with everything that it needs.

    Attributes:
        path: The model file.
        file: Its content.
        config: Its configuration.
        method: The trained method, in eval mode.
    """

    path: Path
    file: ModelFile
    config: Config
    method: Method


@dataclass(frozen=True)
class ModelAt:
    """Where a trained model is, and how it is to be opened.

    Attributes:
        run_or_file: Run folder or model file.
        clip: CLIP weights, if they have moved.
        overrides: Changes of its configuration, such as `eval.crf=true`.
        plugins: Python files with parts of the user's own that it was trained with.
    """

    run_or_file: str | PathLike[str]
    clip: str | PathLike[str] | None = None
    overrides: Sequence[Change] = ()
    plugins: PluginFiles = ()

    def open(self, *, maps: bool = False) -> LoadedModel:
        """As `load_model`."""
        return load_model(
            self.run_or_file,
            clip=self.clip,
            overrides=self.overrides,
            plugins=self.plugins,
            maps=maps,
        )


def load(
    run_or_file: str | PathLike[str],
    *,
    clip: str | PathLike[str] | None = None,
    device: str | torch.device | None = None,
    overrides: Overrides = (),
    plugins: PluginFiles = (),
    **changes: object,
) -> SegmentationModel:
    """Load a trained model.

    Args:
        run_or_file: A run folder of `weclip train`, or its `model.safetensors`.
        clip: CLIP weights; by default those that it was trained with, where they were.
        device: Such as `cuda`; by default the GPU if there is one.
        overrides: Changes of the model's configuration: `{"data.max_pixels": 400_000_000}`, or
            texts, `["data.max_pixels=400000000"]`.
        plugins: Python files with parts of the user's own, which a model was trained with.
        changes: The same by keyword: a section, `eval={"crf": True}`.

    Raises:
        InputError: Not a model, a change that cannot be made, the CLIP is missing or another, or
            an argument of another type; in at most 300 letters.

    For example::

        model = weclip.load("runs/photos")
        found = model.predict("photo.jpg")
        found.save("photo.png")
        for each in model.stream("photos"):
            print(each.image, each.classes)
    """
    with short_errors():
        given = changes_of({}, overrides, changes)
        require_list(plugins, "plugins", (str, PathLike, Plugin))
        place = usable_device(device)
        model = load_model(
            path_of(run_or_file, "run_or_file"),
            clip=None if clip is None else path_of(clip, "clip"),
            overrides=given,
            plugins=plugins,
        )
    model.method.to(place)
    predictor = build_predictor(model.config, model.method)
    classes, limit = model.file.classes, model.config.data.max_pixels
    names, palette = classes.names_with_background, classes.palette
    return SegmentationModel(predictor, names, palette=palette, max_pixels=limit)


def usable_device(given: str | torch.device | None, name: str = "device=") -> torch.device:
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
        known = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
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
    """As `load`, with the method and its configuration, on the CPU.

    Args:
        run_or_file: As in `load`.
        clip: As in `load`.
        overrides: As in `load`.
        plugins: As in `load`.
        maps: Whether maps of tags will be made, which texts decide: only then `clip.descriptions`
            is read, which may have been left behind.
    """
    path = model_path(Path(at_home(str(Path(run_or_file)))))
    file = read_model_file(path)
    config = override(from_yaml(file.config, str(path), load_plugins(plugins)), overrides)
    if clip is not None:
        config.clip.weights = at_home(str(Path(clip)))
    loaded = open_needed(config, file, path)
    if not maps:
        config.clip.descriptions = None
    method = build_method(config, loaded, file.classes)
    load_trained(method, file.trained, path)
    return LoadedModel(path, file, config, method.eval())


def model_path(given: Path) -> Path:
    """The model file of a run folder or of itself.

    Raises:
        InputError: A checkpoint was given, or a folder without a model; with what to do.
    """
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
