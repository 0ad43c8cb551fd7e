"""Which images `weclip predict` reads, and where each result goes inside the output folder.

Stage 6. Files, folders (searched to any depth, sub-folders kept) and glob patterns.
"""

import glob
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from weclip.data.images.listing import IMAGE_SUFFIXES
from weclip.system.errors import InputError


def collect_images(inputs: Sequence[str | Path]) -> list[tuple[Path, Path]]:
    """Find the images that the inputs name, in order, each with its relative output file.

    A file's output is its own name; a folder's files keep their path below the folder; a
    pattern's files keep their path below its last part without wildcards. All end in `.png`, and
    none leaves the output folder. Hidden files and links to folders are passed over.

    Args:
        inputs: Files, folders or patterns such as `photos/**/*.jpg`.

    Returns:
        Pairs of image file and output file; an image named twice for one output appears once.

    Raises:
        InputError: An input does not exist, holds no image or is no image, or two images would
            write the same output.
    """
    found: dict[Path, Path] = {}  # output -> image
    for given in inputs:
        for path, output in _expand(str(given)):
            other = found.setdefault(output, path)
            if other.resolve() != path.resolve():
                raise InputError(
                    f"{other} and {path} would both write {output}: rename one, or predict them "
                    "into two output folders"
                )
    if not found:
        raise InputError("no input was given: name image files, folders or patterns")
    return [(path, output) for output, path in found.items()]


def _expand(given: str) -> list[tuple[Path, Path]]:
    """Images of one input as (image, output), sorted."""
    path = Path(given)
    if not given:
        raise InputError("an input is an empty text: name an image file, a folder or a pattern")
    if path.is_file():
        if not _is_image(path):
            raise InputError(f"{path} is not an image: allowed are {', '.join(IMAGE_SUFFIXES)}")
        return [(path, Path(path.name).with_suffix(".png"))]
    if path.is_dir():
        pairs = list(_below(path, path.rglob("*")))
    elif glob.has_magic(given):
        root, pattern = _split_pattern(path)
        pairs = list(_below(root, _matches(root, pattern)))
    else:
        raise InputError(f"{path} does not exist: give an image file, a folder or a pattern")
    if not pairs:
        raise InputError(f"{given} holds no image: looked for {', '.join(IMAGE_SUFFIXES)}")
    return sorted(pairs)


def _below(root: Path, paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    for path in paths:
        relative = path.relative_to(root)
        if ".." in relative.parts:
            raise InputError(f"{path}: `..` after a wildcard would leave the output folder")
        hidden = any(part.startswith(".") for part in relative.parts)
        if not hidden and path.is_file() and _is_image(path):
            yield path, relative.with_suffix(".png")


def _split_pattern(pattern: Path) -> tuple[Path, str]:
    """The folders before the first wildcard, and the rest of the pattern."""
    parts = pattern.parts
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[:first]), str(Path(*parts[first:]))


def _matches(root: Path, pattern: str) -> list[Path]:
    try:
        return list(root.glob(pattern))
    except ValueError as error:
        raise InputError(f"{pattern}: {error}; in a pattern `**` stands alone") from error


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
