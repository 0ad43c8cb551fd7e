"""Weights by name: `ViT-B/16`, `dinov2_vits14`, or a repository of the Hugging Face hub.

A path that is there wins over a name. What is fetched is kept in the cache of `huggingface_hub`,
which is imported only where there is a name.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from weclip.prepare.archives import Archives
from weclip.prepare.download import Patience
from weclip.prepare.sources import PUBLISHED, Source
from weclip.prepare.weights.published import (
    CLIP,
    DINO,
    FAMILIES,
    MIT,
    Family,
    prepare_weights,
)
from weclip.system.console import QUIET
from weclip.system.errors import InputError, did_you_mean

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
        given: A path, one of `CLIP.names`, or a repository of the hub.
        console: Where it is told that something is fetched.
        sources: Table of the published files.
        patience: Timeouts and attempts of their download.

    Returns:
        A path; of what can only be a path, itself, there or not.

    Raises:
        InputError: It cannot be fetched; the message has the command that does it elsewhere.
    """
    return _find(CLIP, given, console, sources, patience)


def find_dino(
    given: str,
    *,
    console: Console = QUIET,
    sources: Mapping[str, Source] = PUBLISHED,
    patience: Patience = PATIENCE,
) -> Path:
    """The file or folder that `dino.weights` names: as `find_clip`, with `DINO.names`."""
    return _find(DINO, given, console, sources, patience)


def find_mit(
    given: str,
    *,
    console: Console = QUIET,
    sources: Mapping[str, Source] = PUBLISHED,
    patience: Patience = PATIENCE,
) -> Path:
    """The file or folder that `mit.weights` names: as `find_clip`, with `MIT.names`.

    The licence is told before they are fetched.
    """
    return _find(MIT, given, console, sources, patience)


def pinned(given: str, found: Path) -> str:
    """How a configuration keeps weights: those of the hub with the commit that was fetched.

    >>> pinned("a/b", Path("cache/snapshots/" + 40 * "0"))[:12], pinned("ViT-B/16", Path("x.pt"))
    ('a/b@00000000', 'ViT-B/16')
    """
    from weclip.prepare.weights import hub

    by_name = any(family.has_file(given) for family in FAMILIES.values())
    repository = None if by_name else hub.repository_of(given)
    if repository is None or Path(given).exists() or not hub.COMMIT.fullmatch(found.name):
        return given
    return f"{repository.name}@{found.name}"


def _find(
    family: Family,
    given: str,
    console: Console,
    sources: Mapping[str, Source],
    patience: Patience,
) -> Path:
    """See `find_clip`."""
    if Path(given).exists():
        return Path(given)
    from weclip.prepare.weights import hub

    try:
        if family.has_file(given):
            return _published(family, given, console, sources, patience)
        repository = hub.repository_for(family, given)
        if repository is None:
            require_no_slip(family, given)
            return Path(given)
        return hub.cached(repository) or hub.fetch(repository, family, console=console)
    except InputError as error:
        if "cannot be fetched" not in str(error):
            raise
        command = _command(family, given)
        raise InputError(f"{error}; where there is a network: {command}") from None


def require_no_slip(family: Family, given: str) -> None:
    """InputError, with the right name, for what looks like one of a family's and is none."""
    hint = did_you_mean(given, family.names)
    if hint and Path(given).name == given and not Path(given).suffix:
        raise InputError(f"{family.key}={given}: neither a file here nor a known name; {hint}")


def _published(
    family: Family,
    name: str,
    console: Console,
    sources: Mapping[str, Source],
    patience: Patience,
) -> Path:
    """The publisher's file, from the cache or fetched into it, with the published SHA-256."""
    from huggingface_hub import cached_assets_path, constants

    cache = constants.HF_ASSETS_CACHE
    folder = cached_assets_path("weclip", family.word, family.publisher.lower(), assets_dir=cache)
    source = sources[name]
    if not (folder / source.name).exists():
        console.print(f"fetching {name} of {family.publisher}", markup=False, highlight=False)
    try:
        return prepare_weights(folder, Archives(sources, folder, {}, _say_nothing, patience), name)
    except InputError as error:
        if (folder / source.name).exists():
            raise
        raise InputError(f"{name}: not on this machine, and cannot be fetched ({error})") from None


def _say_nothing(what: str, done: int, of: int | None) -> None:
    pass


def _command(family: Family, given: str) -> str:
    """What fetches weights on a machine with a network, and how they are used then."""
    from weclip.prepare.weights import hub

    repository = hub.repository_for(family, given)
    if repository is None:
        name = given
        place = f"weights/{PUBLISHED[given].name}"
    else:
        name = str(repository)
        place = f"weights/{repository.name.rpartition('/')[2]}"
    command = shlex.join(["weclip", "prepare", family.word, "--name", name, "--root", "weights"])
    return f"{command}, then {family.key}={place}"
