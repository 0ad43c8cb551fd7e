"""Weights that a configuration names for good, by their SHA-256."""

from weclip.config import ClipConfig, DinoConfig, MitConfig
from weclip.system.errors import InputError


def require_pinned(name: str, given: ClipConfig | DinoConfig | MitConfig, sha256: str) -> None:
    """InputError if weights, of this SHA-256, are not those that the section `name` says."""
    if given.sha256 not in (None, sha256):
        raise InputError(
            f"{name}.weights={given.weights}: its SHA-256 is {sha256}, and {name}.sha256 says "
            "another; give the file that it was, or leave it out"
        )
