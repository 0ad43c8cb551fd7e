"""What a trained encoder starts from: MiT's weights of a configuration, or those of a model."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from torch import Tensor

from weclip import parts
from weclip.backbones.mit.weights import Mit, read_mit
from weclip.backbones.mit.whole import settings_of
from weclip.backbones.named import demo_weights
from weclip.backbones.weight_files.folder import find_weights
from weclip.config import Config
from weclip.prepare.weights.by_name import find_mit
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.tasks.load.pinned import require_pinned

DEMO = "demo"
"""The name of the tiny weights that ship."""

ENCODER = "encoder."
"""What names of the encoder's weights begin with in a model."""


def starts_from_mit(config: Config) -> bool:
    """Whether the configured method trains a MiT."""
    method = config.KNOWN[parts.METHOD.name, config.method.name]
    return parts.start_of(method) == "mit"


def open_mit(config: Config, console: Console = QUIET) -> Mit | None:
    """The weights that training starts from; None where the method trains no MiT.

    Raises:
        InputError: They cannot be had or read, or are not those of `mit.sha256`.
    """
    if not starts_from_mit(config):
        return None
    mit = read_mit(mit_path(config, console))
    require_pinned("mit", config.mit, mit.sha256)
    return mit


def require_mit_file(config: Config) -> None:
    """InputError if MiT's weights are not there, or are given in vain."""
    if starts_from_mit(config):
        find_weights(mit_path(config))
    elif config.mit.weights not in (None, DEMO):
        raise InputError(
            f"mit.weights={config.mit.weights}: method '{config.method.name}' trains no MiT; leave "
            "it out, or choose a method that does, such as --config voc-afa"
        )


def mit_path(config: Config, console: Console = QUIET) -> Path:
    """Where the weights are; published ones are fetched where they are not yet.

    Raises:
        InputError: None are named.
    """
    given = config.mit.weights
    if given is None:
        raise InputError(
            f"method '{config.method.name}' starts from weights of MiT; add "
            "mit.weights=nvidia/mit-b1, or the path of such weights"
        )
    return demo_weights("mit") if given == DEMO else find_mit(given, console=console)


def mit_of_model(trained: Mapping[str, Tensor], config: Config, path: Path) -> Mit | None:
    """The encoder of a trained model, whose weights are all in its file.

    Raises:
        InputError: They are not a whole MiT.
    """
    if not starts_from_mit(config):
        return None
    state = {k.removeprefix(ENCODER): v for k, v in trained.items() if k.startswith(ENCODER)}
    return Mit(settings_of(state, path), state, "", path.name)
