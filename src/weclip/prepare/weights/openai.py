"""CLIP's published weights, as they are: nothing is converted and nothing in them is executed."""

import shutil
from pathlib import Path

from weclip.prepare.archives import Archives
from weclip.prepare.sources import require_match
from weclip.system.errors import InputError, did_you_mean
from weclip.system.files import write_atomically

NAMES = ("ViT-B/16", "ViT-L/14")
"""Weights that can be fetched."""


def check_name(name: str) -> None:
    """Raise InputError for weights that are not known."""
    if name not in NAMES:
        hint = did_you_mean(name, NAMES)
        known = f"{', '.join(NAMES)}, or OWNER/NAME of the Hugging Face hub"
        raise InputError(f"--name {name}: unknown; known: {known}. {hint}".strip())


def prepare_clip(root: Path, archives: Archives, name: str) -> Path:
    """Put weights into a folder.

    Args:
        root: Folder for the file; `archives.folder` too, so that fetching it is all.
        archives: Where the file comes from.
        name: One of `NAMES`.

    Returns:
        The file, whose SHA-256 is the published one.

    Raises:
        InputError: The file cannot be had, or another one is in its place.
    """
    source = archives.sources[name]
    target = root / source.name
    if target.exists():
        require_match(target, source)
        return target
    found = archives.get(name)
    if found != target:
        write_atomically(target, lambda temporary: shutil.copyfile(found, temporary))
    return target
