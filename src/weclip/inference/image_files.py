"""Which images `weclip predict` reads, and where each result goes inside the output folder.

Stage 6. Files, folders (searched to any depth, sub-folders kept) and glob patterns.
"""

import glob
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

from weclip.data.images.file_names import require_usable
from weclip.data.images.image_kinds import USUAL, is_image, why_unread
from weclip.data.images.listing import existing_folder
from weclip.data.images.tree import Tree, walk
from weclip.data.summary import first, left_out_line
from weclip.system.errors import InputError
from weclip.system.untrusted.files import is_file


@dataclass(frozen=True)
class Collected:
    """The images that inputs name.

    Attributes:
        files: Pairs of image file and output file.
        left_out: Why something in the inputs is left out -> its names, as they are shown.
    """

    files: list[tuple[Path, Path]]
    left_out: dict[str, list[str]]

    def understood(self, inputs: Sequence[str | Path]) -> list[str]:
        """How many images from where, and what was left out: one line or two."""
        count = len(self.files)
        where = first([str(given) for given in inputs])
        line = f"{count} image{'' if count == 1 else 's'} from {where}"
        return [line, *left_out_line(self.left_out)]


def collect_images(inputs: Sequence[str | Path]) -> Collected:
    """Find the images that the inputs name, in order, each with its relative output file.

    A file's output is its own name; a folder's files keep their path below the folder; a
    pattern's files keep their path below its last part without wildcards. All end in `.png`, and
    none leaves the output folder. Hidden files are passed over; links are followed as in a data
    set (`data/images/tree.py`).

    Args:
        inputs: Files, folders or patterns such as `photos/**/*.jpg`.

    Returns:
        The images; one that is named twice for one output appears once.

    Raises:
        InputError: An input does not exist, holds no image or is no image, or two images would
            write the same output.
    """
    found: dict[Path, Path] = {}  # output -> image
    left_out: dict[str, list[str]] = {}
    for given in inputs:
        for path, output in _expand(str(given), left_out):
            other = found.setdefault(output, path)
            if other.resolve() != path.resolve():
                raise InputError(
                    f"{other} and {path} would both write {output}: rename one, or predict them "
                    "into two output folders"
                )
    if not found:
        raise InputError("no input was given: name image files, folders or patterns")
    return Collected([(path, output) for output, path in found.items()], left_out)


def images_in(given: str) -> list[Path]:
    """The images that one input names, in order; errors as in `collect_images`."""
    return [path for path, _ in _expand(given, {})]


def _expand(given: str, left_out: dict[str, list[str]]) -> list[tuple[Path, Path]]:
    """Images of one input as (image, output), sorted."""
    require_usable(given)
    path = Path(given)
    if not given:
        raise InputError("an input is an empty text: name an image file, a folder or a pattern")
    if path.is_dir():
        pairs = _below(walk(path), lambda _: True, left_out)
    elif is_file(path):
        if not is_image(path.name):
            reason = why_unread(path.name)
            raise InputError(
                f"{path}: {reason}" if reason else f"{path} is not an image: allowed are {USUAL}"
            )
        return [(path, Path(path.name).with_suffix(".png"))]
    elif glob.has_magic(given):
        root, pattern = _split_pattern(path)
        existing_folder(root, f"the folder of the pattern {path.name}")
        deep = "**" in pattern
        tree = walk(root, lambda inside: not deep and inside.count("/") + 1 >= len(pattern))
        pairs = _below(tree, partial(_matches, pattern=pattern), left_out)
    else:
        raise InputError(f"{path} does not exist: give an image file, a folder or a pattern")
    if not pairs:
        raise InputError(f"{given} holds no image: looked for {USUAL}{_instead(left_out)}")
    return pairs


def _instead(left_out: dict[str, list[str]]) -> str:
    return "".join(f"; {line}" for line in left_out_line(left_out))


def _below(
    tree: Tree, wanted: Callable[[str], bool], left_out: dict[str, list[str]]
) -> list[tuple[Path, Path]]:
    """The images of a tree that are wanted; what is not read goes to `left_out`."""
    pairs = []
    for file in filter(wanted, tree.files):
        if is_image(file):
            pairs.append((tree.root / file, Path(file).with_suffix(".png")))
        elif (reason := why_unread(file)) is not None:
            left_out.setdefault(f"pictures that are not read: {reason}", []).append(file)
        else:
            left_out.setdefault("files that are no images", []).append(file)
    for reason, names in {
        "names that are not UTF-8 or hold control characters": tree.unusable,
        "links to a folder that they lie in": tree.loops,
        "outputs of weclip": tree.outputs,
    }.items():
        if names:
            left_out.setdefault(reason, []).extend(names)
    return sorted(pairs)


def _split_pattern(pattern: Path) -> tuple[Path, tuple[str, ...]]:
    """The folders before the first wildcard, and the rest of the pattern.

    Raises:
        InputError: The rest leaves these folders, or has `**` beside other signs.
    """
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    if ".." in parts[first:]:
        raise InputError(f"{pattern}: `..` after a wildcard would leave the output folder")
    if any("**" in part and part != "**" for part in parts[first:]):
        raise InputError(f"{pattern}: in a pattern `**` stands alone")
    return Path(*parts[:first]), parts[first:]


def _matches(file: str, pattern: tuple[str, ...]) -> bool:
    """Whether a relative path fits a pattern, whose `**` stands for any folders."""
    return _fits(tuple(file.split("/")), pattern)


def _fits(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(parts)
        return any(_fits(parts[i:], pattern[1:]) for i in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _fits(parts[1:], pattern[1:])
