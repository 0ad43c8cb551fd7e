"""Load a trained model, checked against the CLIP it needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import torch
from rich.console import Console

from weclip.backbones.clip.weights import Clip, load_clip
from weclip.backbones.weight_files.folder import find_weights
from weclip.build import build_method, build_predictor, demo_clip, load_trained
from weclip.config import Config
from weclip.config_file import Change, from_yaml, override
from weclip.inference.arguments import kind_of, path_of, require_list, short_errors
from weclip.inference.segmentation.model import SegmentationModel
from weclip.methods.method import Method
from weclip.plugins import Plugin, PluginFiles, load_plugins
from weclip.prepare.weights.by_name import find_clip, pinned
from weclip.system.console import QUIET, warnings_of
from weclip.system.distributed import default_device
from weclip.system.errors import InputError
from weclip.system.files import at_home, is_output
from weclip.system.untrusted.documents import read_yaml
from weclip.tasks.public.arguments import Overrides, changes_of
from weclip.training.model_file import FrozenBackbone, ModelFile, read_model_file

MODEL_NAME = "model.safetensors"
BACKBONES = ("clip",)
"""Frozen backbones that methods may need."""


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


def open_needed(config: Config, file: ModelFile, path: Path) -> Clip:
    """The frozen backbones that a model file names.

    Raises:
        InputError: One is missing, is another than the model was trained with, or is unknown here.
    """
    for name in file.backbones:
        if name not in BACKBONES:
            raise InputError(
                f"{path} needs a backbone '{name}', which this version does not know; update weclip"
            )
    wanted = file.backbones.get("clip")
    if wanted is None:
        raise InputError(f"{path}: damaged model file (it names no CLIP)")
    if not clip_path(config).exists():
        raise InputError(
            f"{path} needs CLIP {wanted.name}, which is not at {config.clip.weights}; "
            "tell with --clip where it is"
        )
    loaded = open_clip(config)
    if loaded.sha256 != wanted.sha256:
        raise InputError(
            f"{path} was trained with CLIP {wanted.name} (SHA-256 {wanted.sha256[:12]}...), "
            f"but {config.clip.weights} is {loaded.name} ({loaded.sha256[:12]}...); "
            "give the right weights with --clip"
        )
    if loaded.computes != wanted.computes:
        raise InputError(
            f"{path} was trained with {wanted.name} as ({wanted.computes}), but it is read as "
            f"({loaded.computes}) now; put its configuration back beside it, or set clip.activation"
        )
    return loaded


def frozen_backbones(clip: Clip) -> dict[str, FrozenBackbone]:
    """What a model file says of the frozen backbones that a method was built on."""
    return {"clip": FrozenBackbone(clip.name, clip.sha256, clip.computes)}


def open_clip(config: Config, console: Console = QUIET) -> Clip:
    """The CLIP of a configuration; what had to be assumed of it is told.

    Raises:
        InputError: It cannot be had or read, or is not that of `clip.sha256`.
    """
    clip = load_clip(clip_path(config, console), config.clip.activation)
    if config.clip.sha256 not in (None, clip.sha256):
        raise InputError(
            f"clip.weights={config.clip.weights}: its SHA-256 is {clip.sha256}, and clip.sha256 "
            "says another; give the file that it was, or leave clip.sha256 out"
        )
    if clip.note is not None:
        warning = f"warning: {clip.note}"
        warnings_of(console).print(warning, style="yellow", soft_wrap=True, markup=False)
    return clip


def require_files(config: Config) -> None:
    """InputError if a file that CLIP needs is not there; said before data are read or told."""
    find_weights(clip_path(config))
    path = config.clip.descriptions
    if path and not Path(path).is_file():
        raise InputError(f"{path}: file of descriptions (clip.descriptions) not found")


def clip_path(config: Config, console: Console = QUIET) -> Path:
    """Where the CLIP of a configuration is; a published one is fetched where it is not yet.

    The name `demo` is the shipped tiny one.
    """
    weights = config.clip.weights
    return demo_clip() if weights == "demo" else find_clip(weights, console=console)


def with_pinned_clip(config: Config, console: Console, earlier: Path | None = None) -> Config:
    """A copy that names its CLIP for good: a repository with its commit, and the SHA-256.

    Args:
        config: Its CLIP may be a name or a path; paths are left as they are.
        console: Where it is told that something is fetched.
        earlier: `config.yaml` of the run that goes on, whose commit is kept.
    """
    given = config.clip.weights
    if earlier is not None and earlier.is_file():
        before = str(read_yaml(earlier, "configuration")["clip"]["weights"])
        given = before if before.startswith(f"{given}@") else given
    if given == "demo" or Path(given).exists():
        return config
    path = find_clip(given, console=console)
    clip = replace(config.clip, weights=pinned(given, path), sha256=find_weights(path).sha256())
    return replace(config, clip=clip)
