"""The frozen backbones of a configuration: found, opened, pinned, and those that a model needs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console

from weclip import parts
from weclip.backbones.clip.weights import Clip, load_clip
from weclip.backbones.dino.weights import Dino, load_dino
from weclip.backbones.loaded import LoadedBackbones
from weclip.backbones.named import FrozenBackbone, demo_weights
from weclip.backbones.weight_files.folder import find_weights
from weclip.config import ClipConfig, Config, DinoConfig, MitConfig
from weclip.data.images.listing import AUTO
from weclip.prepare.weights.by_name import find_clip, find_dino, find_mit, pinned
from weclip.system.console import QUIET, warnings_of
from weclip.system.errors import InputError
from weclip.system.untrusted.documents import read_yaml
from weclip.tasks.load.cutter import REGIONS, open_cutter, require_same_cutter
from weclip.tasks.load.pinned import require_pinned
from weclip.tasks.load.start import (
    DEMO,
    mit_of_model,
    open_mit,
    require_mit_file,
    starts_from_mit,
)
from weclip.training.model_file import ModelFile

Pinnable = TypeVar("Pinnable", ClipConfig, DinoConfig, MitConfig)


@dataclass(frozen=True)
class Towers:
    """Image encoders that a model brings along, in place of the weights of its configuration.

    Attributes:
        clip: The CLIP, without texts; None: not brought along.
        dino: The second encoder.
    """

    clip: Clip | None = None
    dino: Dino | None = None

    def items(self) -> Iterator[tuple[str, Clip | Dino]]:
        """Each that there is, as of `LoadedBackbones`."""
        if self.clip is not None:
            yield "clip", self.clip
        if self.dino is not None:
            yield "dino", self.dino


NO_TOWERS = Towers()


class Find(Protocol):
    """Finds weights by path or name."""

    def __call__(self, given: str, *, console: Console) -> Path:
        """Where they are."""


CALLED = {"clip": "CLIP", "dino": "DINOv2"}
"""What the backbones are called in messages, by the methods' names for them."""

TELL = {"clip": "--clip", "dino": "dino.weights=PATH"}
"""How a command is told where a backbone of a trained model is now."""


def needs(config: Config) -> Sequence[str]:
    """Names of the backbones that the configured method and its parts need."""
    own = parts.needs_of(config.KNOWN[parts.METHOD.name, config.method.name])
    if "clip" in own and "dino" not in own and "guide" in config.reads(losses=True):
        return (*own, "dino")
    return own


def reads_dino(config: Config) -> bool:
    """Whether a training reads a second encoder: for its method, or for tags by CLIP."""
    return "dino" in needs(config) or config.tags_memory is not None


def open_backbones(config: Config, console: Console = QUIET) -> LoadedBackbones:
    """The backbones that a training reads; what had to be assumed of them is told.

    Raises:
        InputError: One cannot be had or read, or is not that of its `sha256`.
    """
    return replace(open_frozen(config, console), mit=open_mit(config, console))


def open_frozen(
    config: Config, console: Console = QUIET, towers: Towers = NO_TOWERS, *, maps: bool = True
) -> LoadedBackbones:
    """The frozen ones of these; those of `towers` are open already.

    Without `maps` of tags, of what cuts images only that which predictions read is opened.
    """
    wanted = needs(config)
    clip = (towers.clip or open_clip(config, console)) if "clip" in wanted else None
    dino = (towers.dino or open_dino(config, console)) if "dino" in wanted else None
    return LoadedBackbones(clip, dino, regions=open_cutter(config, maps=maps))


def open_clip(config: Config, console: Console = QUIET) -> Clip:
    """The CLIP of a configuration, as `open_backbones`."""
    clip = load_clip(clip_path(config, console), config.clip.activation)
    require_pinned("clip", config.clip, clip.sha256)
    if clip.note is not None:
        warning = f"warning: {clip.note}"
        warnings_of(console).print(warning, style="yellow", soft_wrap=True, markup=False)
    return clip


def open_dino(config: Config, console: Console = QUIET) -> Dino:
    """The second encoder of a configuration, as `open_backbones`."""
    dino = load_dino(dino_path(config, console))
    require_pinned("dino", config.dino, dino.sha256)
    return dino


def require_clip(config: Config) -> None:
    """InputError if CLIP, or its file of descriptions, is not there."""
    find_weights(clip_path(config))
    path = config.clip.descriptions
    if path and not Path(path).is_file():
        raise InputError(f"{path}: file of descriptions (clip.descriptions) not found")


def require_files(config: Config) -> None:
    """InputError if a file that training reads is not there, or one is given in vain."""
    require_mit_file(config)
    require_frozen_files(config)


def require_frozen_files(config: Config) -> None:
    """The same of the frozen backbones."""
    if "clip" in needs(config) or config.data.tags_file == AUTO:
        require_clip(config)
    if reads_dino(config):
        find_weights(dino_path(config))
    else:
        require_no_dino(config, f"method '{config.method.name}' has no second encoder")


def require_no_dino(config: Config, why: str) -> None:
    """InputError if a second encoder is given; a preset's own, the demo's, does not count."""
    for key, given in (("weights", config.dino.weights), ("sha256", config.dino.sha256)):
        if given not in (None, DEMO):
            raise InputError(
                f"dino.{key}={given}: {why}; leave it out, or choose a method that reads it, such "
                "as --config folder-plus in a training"
            )


def clip_path(config: Config, console: Console = QUIET) -> Path:
    """Where the CLIP of a configuration is; a published one is fetched where it is not yet.

    Raises:
        InputError: None is named, which only methods without CLIP allow.
    """
    given = config.clip.weights
    if not given:
        raise InputError("a CLIP is read here; add clip.weights=ViT-B/16, or the path of weights")
    return demo_weights("clip") if given == DEMO else find_clip(given, console=console)


def dino_path(config: Config, console: Console = QUIET) -> Path:
    """The same of the second encoder.

    Raises:
        InputError: None is named.
    """
    given = config.dino.weights
    if given is None:
        raise InputError(
            "a second encoder is read here (by the method, map source, affinity, regions or a "
            "memory); add dino.weights=dinov2_vits14, or the path of DINOv2 weights"
        )
    return demo_weights("dino") if given == DEMO else find_dino(given, console=console)


def with_pinned_backbones(config: Config, console: Console, earlier: Path | None = None) -> Config:
    """A copy that names its backbones for good: a repository with its commit, and the SHA-256.

    Args:
        config: Its backbones may be names or paths; paths are left as they are.
        console: Where it is told that something is fetched.
        earlier: `config.yaml` of the run that goes on, whose commits are kept.
    """
    before: Mapping[str, Mapping[str, object]] = {}
    if earlier is not None and earlier.is_file():
        before = read_yaml(earlier, "configuration")
    copy = config
    if config.clip.weights:
        copy = replace(copy, clip=_pinned(config.clip, before.get("clip", {}), find_clip, console))
    if starts_from_mit(config) and config.mit.weights is not None:
        copy = replace(copy, mit=_pinned(config.mit, before.get("mit", {}), find_mit, console))
    if not reads_dino(config) or config.dino.weights is None:
        return copy
    return replace(copy, dino=_pinned(config.dino, before.get("dino", {}), find_dino, console))


def _pinned(
    given: Pinnable, before: Mapping[str, object], find: Find, console: Console
) -> Pinnable:
    """A section whose weights are named for good; `before`: as the run that goes on has it."""
    name = str(given.weights)
    then = str(before.get("weights"))
    name = then if then.startswith(f"{name}@") else name
    if name == DEMO or Path(name).exists():
        return given
    path = find(name, console=console)
    return replace(given, weights=pinned(name, path), sha256=find_weights(path).sha256())


def open_needed(
    config: Config, file: ModelFile, path: Path, towers: Towers = NO_TOWERS, *, maps: bool = True
) -> LoadedBackbones:
    """The frozen backbones that a model file names.

    Args:
        config: The model's configuration.
        file: Content of the model file.
        path: Where it is.
        towers: Those that are open already, and checked.
        maps: As in `open_frozen`.

    Raises:
        InputError: One is missing, is another than the model was trained with, or is unknown here.
    """
    for name in file.backbones:
        if name not in (*CALLED, REGIONS):
            raise InputError(
                f"{path} needs a backbone '{name}', which this version does not know; update weclip"
            )
    if lacking := [CALLED[name] for name in needs(config) if name not in file.backbones]:
        raise InputError(
            f"{path}: names no {lacking[0]}, which method '{config.method.name}' needs; leave "
            "method.name as it was trained with"
        )
    if "dino" not in file.backbones and config.tags_memory is None:
        require_no_dino(config, "the model has no second encoder")
    for name, find in (("clip", clip_path), ("dino", dino_path)):
        here = getattr(towers, name) is None and name in file.backbones
        if here and not find(config).exists():
            raise InputError(
                f"{path} needs {CALLED[name]} {file.backbones[name].name}, which is not at "
                f"{getattr(config, name).weights}; tell with {TELL[name]} where it is"
            )
    loaded = open_frozen(config, towers=towers, maps=maps)
    require_same_cutter(file.backbones.get(REGIONS), loaded.regions, path)
    for name, backbone in loaded.items():
        if getattr(towers, name) is None:
            _require_same(name, file.backbones[name], backbone, config, path)
    return replace(loaded, mit=mit_of_model(file.trained, config, path))


def _require_same(
    name: str, wanted: FrozenBackbone, found: Clip | Dino, config: Config, path: Path
) -> None:
    """InputError if a backbone is not the one that a model was trained with."""
    called, given = CALLED[name], getattr(config, name).weights
    if found.sha256 != wanted.sha256:
        raise InputError(
            f"{path} was trained with {called} {wanted.name} (SHA-256 {wanted.sha256[:12]}...), "
            f"but {given} is {found.name} ({found.sha256[:12]}...); "
            f"give the right weights with {TELL[name]}"
        )
    if found.computes != wanted.computes:
        way_out = "" if name == "dino" else ", or set clip.activation"
        raise InputError(
            f"{path} was trained with {wanted.name} as ({wanted.computes}), but it is read as "
            f"({found.computes}) now; put its configuration back beside it{way_out}"
        )


def frozen_backbones(backbones: LoadedBackbones | Towers) -> dict[str, FrozenBackbone]:
    """What a model file says of the frozen backbones that a method was built on."""
    found = {
        name: FrozenBackbone(each.name, each.sha256, each.computes)
        for name, each in backbones.items()
    }
    cutter = backbones.regions if isinstance(backbones, LoadedBackbones) else None
    return found if cutter is None else {**found, REGIONS: cutter}


def moved_backbones(stored: Config, config: Config) -> list[str]:
    """Backbones whose weights a change of the model's configuration names."""
    sections = ((name, getattr(stored, name), getattr(config, name)) for name in CALLED)
    return [name for name, before, now in sections if before.weights != now.weights]
