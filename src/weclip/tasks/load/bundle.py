"""Bundles, read: the model file's own image towers in place of the weights it was trained with."""

from collections.abc import Collection
from dataclasses import dataclass
from math import nan
from pathlib import Path

from weclip.backbones.clip import tower as clip_tower
from weclip.backbones.clip.configuration.computation import blocks_in_words
from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino import tower as dino_tower
from weclip.backbones.dino.weights import Dino
from weclip.config import Config
from weclip.exports.models.bundle import KIND, Manifest, Tower, read_manifest, require_same_file
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, is_output
from weclip.tasks.load.backbones import CALLED, Towers
from weclip.training.model_file import ModelFile


@dataclass(frozen=True)
class Bundle:
    """A folder with a model and its towers.

    Attributes:
        folder: The folder.
        manifest: What it says of itself.
    """

    folder: Path
    manifest: Manifest


def bundle_of(model: Path) -> Bundle | None:
    """The bundle that a model file lies in; None if it lies in none.

    Raises:
        InputError: The manifest is damaged or of another version, or the model file is not its own.
    """
    folder = model.parent
    if not is_output(folder, KIND):
        return None
    manifest = read_manifest(folder / RUN_MARKER, str(folder))
    require_same_file(folder, model.name, manifest, str(folder))
    return Bundle(folder, manifest)


def open_towers(
    bundle: Bundle, file: ModelFile, config: Config, elsewhere: Collection[str], *, maps: bool
) -> Towers:
    """The towers of a bundle that its model needs.

    Args:
        bundle: The bundle.
        file: Its model file.
        config: The model's configuration, for its activation.
        elsewhere: Backbones that the user gives otherwise, which are not read here.
        maps: Whether maps of tags will be made, for which texts are needed.

    Raises:
        InputError: A tower is missing, damaged or another; or texts are needed.
    """
    needed = [name for name in file.backbones if name in CALLED and name not in elsewhere]
    if maps and "clip" in needed:
        clip = file.backbones["clip"]
        raise InputError(
            f"{bundle.folder}: a bundle holds no texts, of which labels are made; give the CLIP it "
            f"was trained with, as --clip {config.clip.weights} (SHA-256 {clip.sha256[:12]}...)"
        )
    if "clip" in needed and config.clip.activation != "auto":
        _require_same_activation(bundle, config.clip.activation)
    towers = {name: _tower(bundle, file, name) for name in needed}
    return Towers(
        _clip(bundle, file, towers["clip"]) if "clip" in towers else None,
        _dino(bundle, file, towers["dino"]) if "dino" in towers else None,
    )


def _require_same_activation(bundle: Bundle, wanted: str) -> None:
    blocks = bundle.manifest.towers["clip"].blocks if "clip" in bundle.manifest.towers else None
    if blocks is not None and blocks.activation != wanted:
        raise InputError(
            f"{bundle.folder}: its CLIP computes with {blocks.activation}, and clip.activation="
            f"{wanted} is asked for; leave it out"
        )


def _tower(bundle: Bundle, file: ModelFile, name: str) -> Tower:
    """How the manifest describes a tower; it must be of the weights that the model file names."""
    tower = bundle.manifest.towers.get(name)
    if tower is None:
        raise InputError(
            f"{bundle.folder}: holds no {CALLED[name]}, which its model needs; make it again"
        )
    if tower.original != file.backbones[name].sha256:
        raise InputError(
            f"{bundle.folder}: its {tower.file} is of {tower.name} ({tower.original[:12]}...), but "
            f"its model was trained with {file.backbones[name].name} "
            f"({file.backbones[name].sha256[:12]}...); make the bundle again"
        )
    return tower


def _clip(bundle: Bundle, file: ModelFile, tower: Tower) -> Clip:
    path = require_same_file(bundle.folder, tower.file, bundle.manifest, str(bundle.folder))
    trained_on = file.backbones["clip"].computes
    if tower.blocks is None or not trained_on.startswith(blocks_in_words("image", tower.blocks)):
        raise InputError(
            f"{bundle.folder}: its CLIP computes otherwise than its model was trained with "
            f"({trained_on}); make or download the bundle again"
        )
    return Clip(
        image=clip_tower.read_tower(path, tower.blocks),
        text=clip_tower.NoTexts(),
        scale=nan,  # of texts
        sha256=bundle.manifest.files[tower.file],
        name=_called(bundle, tower),
        computes=trained_on,
    )


def _dino(bundle: Bundle, file: ModelFile, tower: Tower) -> Dino:
    path = require_same_file(bundle.folder, tower.file, bundle.manifest, str(bundle.folder))
    return Dino(
        image=dino_tower.read_tower(path),
        sha256=bundle.manifest.files[tower.file],
        name=_called(bundle, tower),
        computes=file.backbones["dino"].computes,
    )


def _called(bundle: Bundle, tower: Tower) -> str:
    return f"{tower.file} ({tower.name} in {bundle.manifest.precision})"
