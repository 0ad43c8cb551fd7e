"""Open a trained model of any kind; what it needs, such as PyTorch, is imported then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from weclip.backbones.named import FrozenBackbone
from weclip.config import Config
from weclip.config_changes import Change
from weclip.data.classes import ClassList
from weclip.inference.arguments import path_of, require_list, short_errors
from weclip.inference.onnx.network import SUFFIX, can_compute_on
from weclip.inference.prediction import Predicts
from weclip.inference.segmentation.model import SegmentationModel
from weclip.plugins import Plugin, PluginFiles
from weclip.system.distributed import has_torch
from weclip.system.errors import InputError
from weclip.system.files import at_home, sha256_of
from weclip.tasks.public.calls.arguments import Overrides, changes_of

if TYPE_CHECKING:
    import torch

    from weclip.tasks.load.model import LoadedModel
    from weclip.tasks.regions.of_model import ModelRegions


HUB = "hf:"
"""What a name of a model on the hub begins with."""


@dataclass(frozen=True)
class ModelAt:
    """Where a trained model is, and how it is to be opened.

    Attributes:
        run_or_file: Run folder, bundle, model file, `hf:owner/name`, or ONNX file.
        clip: CLIP weights, if they have moved.
        overrides: Changes of its configuration, such as `eval.crf=true`.
        plugins: Python files with parts of the user's own that it was trained with.
    """

    run_or_file: str | PathLike[str]
    clip: str | PathLike[str] | None = None
    overrides: Sequence[Change] = ()
    plugins: PluginFiles = ()

    def open(self, *, maps: bool = False) -> "LoadedModel":
        """The model with its method, which an ONNX file has not; as `load_model`."""
        from weclip.tasks.load.model import load_model

        if self.is_onnx:
            raise InputError(
                f"{self.run_or_file}: an ONNX model predicts only; give the run that it was "
                "exported from"
            )
        return load_model(
            self.run_or_file,
            clip=self.clip,
            overrides=self.overrides,
            plugins=self.plugins,
            maps=maps,
        )

    @property
    def is_onnx(self) -> bool:
        """Whether it is an ONNX file, by its name."""
        return Path(self.run_or_file).suffix.lower() == SUFFIX


@dataclass(frozen=True)
class Opened:
    """A model that can predict, of whatever kind.

    Attributes:
        path: The model file.
        classes: Its class list.
        backbones: The frozen backbones in it, by the method's name for them.
        config: Its configuration, of which `eval`, whose precision is the chosen one, and how
            images are read count here.
        predictor: What predicts, where it computes.
        device: Where that is.
        engine: The package that computes.
        regions: The regions that it names, of a method that does; None of others.
    """

    path: Path
    classes: ClassList
    backbones: Mapping[str, FrozenBackbone]
    config: Config
    predictor: Predicts
    device: str
    engine: str
    regions: "ModelRegions | None" = None

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the model file."""
        return sha256_of(self.path)


def open_predictor(place: ModelAt, device: "str | torch.device | None" = None) -> Opened:
    """Open a model to predict with.

    Args:
        place: Where it is.
        device: Where it computes; None: the default.

    Raises:
        InputError: It cannot be opened.
    """
    if Path(place.run_or_file).suffix.lower() == ".pt2":
        raise InputError(
            f"{place.run_or_file}: a program for PyTorch alone (torch.export.load); weclip reads "
            "runs, model.safetensors, bundles and .onnx"
        )
    if place.is_onnx:
        from weclip.tasks.load.onnx import open_onnx

        if place.clip is not None or place.plugins:
            raise InputError(
                f"{place.run_or_file}: an ONNX model holds all it needs; leave out --clip and "
                "--plugin"
            )
        path = Path(at_home(str(place.run_or_file)))
        return open_onnx(path, place.overrides, None if device is None else str(device))
    from weclip.build.predictor import build_predictor
    from weclip.tasks.load.model import usable_device
    from weclip.tasks.regions.of_model import open_model_regions

    model = place.open()
    regions = open_model_regions(model.config, model.file)
    place_on = usable_device(device)
    model.method.to(place_on)
    predictor = build_predictor(model.config, model.method)
    model.config.eval.precision = predictor.precision
    return Opened(
        model.path,
        model.file.classes,
        model.file.backbones,
        model.config,
        predictor,
        str(place_on),
        "torch",
        regions,
    )


def require_no_region_files(opened: Opened) -> None:
    """InputError if regions are in files, where images come without their names in a data set."""
    if opened.regions is not None and opened.regions.reader is not None:
        raise InputError(
            f"regions.files={opened.config.regions.files}: regions in files go by the names of "
            "images, which are not known here; take weclip predict, or regions.files=null "
            "regions.source=NAME to cut images as they come"
        )


def require_device(device: object, name: str = "device=") -> None:
    """InputError unless PyTorch or onnxruntime can compute on a device.

    Which of them will is not known yet; the model that is opened says the rest.
    """
    if device == "cpu" or (isinstance(device, str) and can_compute_on(device)):
        return
    if not has_torch():
        raise InputError(
            f"{name}{str(device)[:40]}: there is no PyTorch; pip install 'weclip[torch]'"
        )
    from weclip.tasks.load.model import usable_device

    usable_device(device, name)


def load(
    run_or_file: str | PathLike[str],
    *,
    clip: str | PathLike[str] | None = None,
    device: "str | torch.device | None" = None,
    overrides: Overrides = (),
    plugins: PluginFiles = (),
    **changes: object,
) -> SegmentationModel:
    """Load a trained model.

    Args:
        run_or_file: A run folder of `weclip train`, or its `model.safetensors`; a folder of
            `weclip bundle`; `hf:owner/name` of the hub, perhaps with `@revision`; or a `.onnx` file
            of `weclip export`, which needs no PyTorch.
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
        place = ModelAt(
            path_of(run_or_file, "run_or_file"),
            None if clip is None else path_of(clip, "clip"),
            given,
            plugins,
        )
        opened = open_predictor(place, device)
        require_no_region_files(opened)
    classes, reading = opened.classes, opened.config.data.reading
    names, palette = classes.names_with_background, classes.palette
    return SegmentationModel(opened.predictor, names, palette=palette, reading=reading)
