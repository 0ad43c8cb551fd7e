"""The weights that cut images into regions, such as SAM 2's: opened, and named in model files."""

from pathlib import Path

from weclip import parts
from weclip.backbones.named import FrozenBackbone
from weclip.config import Config
from weclip.config_changes import Change
from weclip.labels.regions.regions import Opens
from weclip.system.errors import InputError

REGIONS = "regions"
"""The name of these weights in model files."""


def cuts_images(config: Config) -> bool:
    """Whether predictions of the configured method read regions."""
    return parts.fills(config.KNOWN[parts.METHOD.name, config.method.name])


def open_cutter(config: Config, *, maps: bool) -> FrozenBackbone | None:
    """The weights that cut images; None where nothing that has some does.

    Args:
        config: Resolved configuration.
        maps: Whether maps of tags are made, for which more methods read regions.

    Raises:
        InputError: They cannot be read, or a package is missing.
    """
    read = cuts_images(config) or (maps and "regions" in config.reads())
    if config.regions.files is not None or not read:
        return None
    name = config.regions.source
    source = config.part(parts.REGION_SOURCE, name)
    sha256 = source.open() if isinstance(source, Opens) else None
    return None if sha256 is None else FrozenBackbone(name, sha256, "regions of images")


def require_same_cutter(
    wanted: FrozenBackbone | None, found: FrozenBackbone | None, path: Path
) -> None:
    """InputError if weights that cut images are others than a model had; other sources are not."""
    if wanted is None or found is None or wanted.name != found.name:
        return
    if found.sha256 != wanted.sha256:
        raise InputError(
            f"{path} was trained with regions of {wanted.name} (SHA-256 {wanted.sha256[:12]}...), "
            f"but its weights here are others ({found.sha256[:12]}...); give the right ones with "
            f"regions.{wanted.name}.weights=PATH"
        )


def where_weights_lie(config: Config) -> list[Change]:
    """The weights of the chosen source, as a change of a configuration that has lost its paths."""
    name = config.regions.source
    path = getattr(getattr(config.regions, name, None), "weights", None)
    return [] if path is None else [{f"regions.{name}.weights": path}]
