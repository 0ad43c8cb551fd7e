"""The frozen encoders of what is made without training: masks and tags."""

from rich.console import Console

from weclip import parts
from weclip.backbones.dino.weights import Dino
from weclip.backbones.weight_files.folder import find_weights
from weclip.config import Config
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.tasks.load.backbones import dino_path, open_dino, require_clip, require_no_dino

PROVIDED = ("guide", "regions")
"""What there is for maps, of `parts.PROVIDED`."""


def require_clip_files(config: Config) -> None:
    """InputError if a file that is read is not there; said before data are read or told.

    A second encoder is given where a part reads it, and only there.
    """
    chosen = ((parts.MAP_SOURCE, config.cam.source), (parts.AFFINITY, config.affinity.source))
    for kind, name in chosen:
        reads = getattr(config.KNOWN.get((kind.name, name)), "reads", ())
        parts.require_readable(f"{kind.name} '{name}'", reads, PROVIDED)
    if config.label.memory is not None:
        require_embedded(config)
    if is_guided(config):
        find_weights(dino_path(config))
    elif config.label.model is None:
        require_no_dino(config, "CLIP alone is read here")
    require_clip(config)


def require_embedded(config: Config) -> None:
    """InputError if the chosen parts read no embedding, which is what a memory lends to."""
    source = config.KNOWN[parts.MAP_SOURCE.name, config.cam.source]
    if not hasattr(source, "embedded") and "embedding" not in config.reads():
        raise InputError(
            f"label.memory={config.label.memory}: neither cam.source={config.cam.source} nor "
            f"affinity.source={config.affinity.source} reads a memory; add cam.source=patch_text, "
            "cam.source=text_probability or cam.source=region_attention"
        )


def is_guided(config: Config) -> bool:
    """Whether what makes maps or tags, or cuts regions, reads a second encoder."""
    remembers = config.label.memory is not None or config.tags_memory is not None
    return remembers or "guide" in config.reads()


def reads_regions(config: Config) -> bool:
    """Whether something reads regions: maps, the vote, or a memory."""
    asked = config.regions.vote or config.label.memory is not None
    return asked or "regions" in config.reads()


def open_guide(config: Config, console: Console = QUIET) -> Dino | None:
    """The second encoder, where maps or tags read it; errors as in `open_dino`."""
    return open_dino(config, console) if is_guided(config) else None
