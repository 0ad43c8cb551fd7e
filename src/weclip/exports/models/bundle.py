"""The manifest of a bundle: which files it has, by their SHA-256, and how its towers compute.

A bundle is a folder with a model file and the frozen image towers that it needs. The manifest is
its `run.json`, as every output folder of ours has one. It is written last, so a folder without it
is no bundle.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from weclip.backbones.transformer import ACTIVATIONS, BlockSettings
from weclip.system.errors import InputError, missing_or_wrong
from weclip.system.files import RUN_MARKER, sha256_of, write_json
from weclip.system.untrusted.documents import read_json
from weclip.system.untrusted.text import short

KIND = "bundle"
FORMAT = "weclip-bundle-1"
PRECISIONS = ("float16", "float32")

FILE_NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_FILES = 20
MOST_HEADS = 1024


@dataclass(frozen=True)
class Tower:
    """A frozen image encoder in a bundle.

    Attributes:
        file: Name of its file.
        name: What the weights are called that it was taken from, such as `ViT-B-16.pt`.
        original: SHA-256 of those weights, which the model file names.
        blocks: How its blocks compute; None: as in every model of its kind.
    """

    file: str
    name: str
    original: str
    blocks: BlockSettings | None = None


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself.

    Attributes:
        precision: Of the towers' weights, one of `PRECISIONS`.
        towers: By the method's name for them, such as `clip`.
        files: SHA-256 by file name.
        versions: Of the packages that made it.
    """

    precision: str
    towers: Mapping[str, Tower]
    files: Mapping[str, str]
    versions: Mapping[str, str]


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a folder whose other files are there."""
    write_json(folder / RUN_MARKER, {"kind": KIND, "format": FORMAT, **asdict(manifest)})


def read_manifest(path: Path, shown: str) -> Manifest:
    """Read a manifest.

    Args:
        path: The file.
        shown: What it belongs to, for messages.

    Raises:
        InputError: It is none, damaged, or of another version's format.
    """
    content = read_json(path, "manifest of a bundle")
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise InputError(f"{shown}: no bundle of weclip; make one with 'weclip bundle RUN'")
    if content.get("format") != FORMAT:
        raise InputError(
            f"{shown}: a bundle in the format {short(content.get('format'))}, which this version "
            f"does not know (it knows '{FORMAT}'); update weclip"
        )
    try:
        return Manifest(
            precision=_one_of(content["precision"], PRECISIONS),
            towers={name: _tower(each) for name, each in content["towers"].items()},
            files=_files(content["files"]),
            versions={str(name): str(each) for name, each in content["versions"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{shown}: its {RUN_MARKER} is damaged ({short(missing_or_wrong(error), 150)}); make "
            "or download the bundle again"
        ) from None


def require_same_file(folder: Path, name: str, manifest: Manifest, shown: str) -> Path:
    """A file of a bundle.

    Raises:
        InputError: It is not listed, not there, or not the one that was written.
    """
    wanted, path = manifest.files.get(name), folder / name
    if wanted is None or not path.is_file():
        raise InputError(f"{shown}: its {name} is missing; make or download the bundle again")
    if (found := sha256_of(path)) != wanted:
        raise InputError(
            f"{shown}: its {name} is damaged or another file (SHA-256 {found[:12]}..., and "
            f"{RUN_MARKER} says {wanted[:12]}...); make or download the bundle again"
        )
    return path


def _tower(content: Mapping[str, Any]) -> Tower:
    blocks, name = content["blocks"], content["name"]
    if not isinstance(name, str) or len(name) > 300 or not name.isprintable():
        raise ValueError("the name of a tower is none")
    return Tower(
        file=_matched(content["file"], FILE_NAME),
        name=name,
        original=_matched(content["original"], SHA256),
        blocks=None if blocks is None else _blocks(blocks),
    )


def _blocks(content: Mapping[str, Any]) -> BlockSettings:
    heads, eps = content["heads"], content["eps"]
    if type(heads) is not int or not 1 <= heads <= MOST_HEADS:
        raise ValueError(f"heads {short(heads)}")
    if type(eps) is not float or not 0 < eps < 1:
        raise ValueError(f"eps {short(eps)}")
    return BlockSettings(heads, _one_of(content["activation"], ACTIVATIONS), eps)


def _files(content: Mapping[str, str]) -> dict[str, str]:
    if len(content) > MOST_FILES:
        raise ValueError(f"over {MOST_FILES} files")
    return {_matched(k, FILE_NAME): _matched(v, SHA256) for k, v in content.items()}


def _matched(text: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"{short(text)} is not of the form {pattern.pattern}")
    return text


def _one_of(value: object, known: Any) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{short(value)} is none of {', '.join(known)}")
    return value
