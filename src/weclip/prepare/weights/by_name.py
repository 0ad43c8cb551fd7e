"""CLIP weights by name: `ViT-B/16`, `ViT-L/14`, or a repository of the Hugging Face hub.

A path that is there wins over a name. What is fetched is kept in the cache of `huggingface_hub`.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import cached_assets_path
from rich.console import Console

from weclip.prepare.archives import Archives
from weclip.prepare.download import Patience
from weclip.prepare.sources import PUBLISHED, Source
from weclip.prepare.weights import hub
from weclip.prepare.weights.openai import NAMES, prepare_clip
from weclip.system.console import QUIET
from weclip.system.errors import InputError

PATIENCE = Patience(timeout=20.0, attempts=3)


def find_clip(
    given: str,
    *,
    console: Console = QUIET,
    sources: Mapping[str, Source] = PUBLISHED,
    patience: Patience = PATIENCE,
) -> Path:
    """The file or folder that `clip.weights` names; a published CLIP is fetched once.

    Args:
        given: A path, one of `NAMES`, or a repository of the hub.
        console: Where it is told that something is fetched.
        sources: Table of OpenAI's files.
        patience: Timeouts and attempts of their download.

    Returns:
        A path; of what can only be a path, itself, there or not.

    Raises:
        InputError: It cannot be fetched; the message has the command that does it elsewhere.
    """
    if Path(given).exists():
        return Path(given)
    try:
        if given in NAMES:
            return _of_openai(given, console, sources, patience)
        repository = hub.repository_of(given)
        if repository is None:
            return Path(given)
        return hub.cached(repository) or hub.fetch(repository, console=console)
    except InputError as error:
        if "cannot be fetched" not in str(error):
            raise
        raise InputError(f"{error}; where there is a network: {_command(given)}") from None


def pinned(given: str, found: Path) -> str:
    """How a configuration keeps a CLIP: of the hub with the commit that was fetched.

    >>> pinned("a/b", Path("cache/snapshots/" + 40 * "0"))[:12], pinned("ViT-B/16", Path("x.pt"))
    ('a/b@00000000', 'ViT-B/16')
    """
    repository = None if given in NAMES else hub.repository_of(given)
    if repository is None or Path(given).exists() or not hub.COMMIT.fullmatch(found.name):
        return given
    return f"{repository.name}@{found.name}"


def _of_openai(
    name: str, console: Console, sources: Mapping[str, Source], patience: Patience
) -> Path:
    """OpenAI's file, from the cache or fetched into it, with the published SHA-256."""
    folder = cached_assets_path("weclip", "clip", "openai")
    source = sources[name]
    if not (folder / source.name).exists():
        console.print(f"fetching {name} of OpenAI", markup=False, highlight=False)
    try:
        return prepare_clip(folder, Archives(sources, folder, {}, _say_nothing, patience), name)
    except InputError as error:
        if (folder / source.name).exists():
            raise
        raise InputError(f"{name}: not on this machine, and cannot be fetched ({error})") from None


def _say_nothing(what: str, done: int, of: int | None) -> None:
    pass


def _command(given: str) -> str:
    """What fetches a CLIP on a machine with a network, and how it is used then."""
    repository = hub.repository_of(given) if given not in NAMES else None
    if repository is None:
        name = given
        place = f"weights/{PUBLISHED[given].name}"
    else:
        name = str(repository)
        place = f"weights/{repository.name.rpartition('/')[2]}"
    command = shlex.join(["weclip", "prepare", "clip", "--name", name, "--root", "weights"])
    return f"{command}, then clip.weights={place}"
