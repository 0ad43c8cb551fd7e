"""`weclip import-masks`: masks that were corrected in another tool become corrections."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from rich.console import Console

from weclip.config import Config
from weclip.data.bands import ids_in
from weclip.data.batch import IGNORE_INDEX, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.corrections.folder import UNTOUCHED, Corrections, read_corrections
from weclip.data.corrections.log import LOG_NAME
from weclip.data.corrections.writing import Accepted, open_for_writing
from weclip.data.images.decoding import DECODE_ERRORS, size_of
from weclip.data.images.file_names import nfc
from weclip.data.masks.tools.imported import ImportedMask
from weclip.data.masks.tools.source import read_masks
from weclip.data.summary import first
from weclip.prepare.unpack import unpack
from weclip.system.console import QUIET, warn
from weclip.system.errors import InputError
from weclip.system.files import require_outside
from weclip.system.untrusted.files import is_file
from weclip.tasks.datasets import open_configured

KIND = "import-masks"
TOGETHER = 64
"""Masks that are held and written together."""


@dataclass(frozen=True)
class Pair:
    """A mask with the image that it is of."""

    mask: ImportedMask
    image: TaggedImage


def import_masks(
    source: Path,
    config: Config,
    out: Path,
    *,
    console: Console = QUIET,
    overwrite: bool = False,
) -> int:
    """Write masks of another tool, with the tags that they show, as accepted corrections.

    Args:
        source: A folder, a zip, or a file `.xml` or `.json`.
        config: Resolved configuration; only `data` is read.
        out: Folder of corrections, new or with others.
        console: Where is told what was understood; by default nowhere.
        overwrite: Whether masks of images that are corrected already are replaced.

    Returns:
        Number of masks.

    Raises:
        InputError: Anything is not understood; nothing was written.
    """
    dataset = open_configured(config, console, looks_at_masks=False)
    images = dataset.read_split(config.data.train_split)
    require_outside(out, (image.path for image in images))
    before = earlier(out, dataset.classes)
    with unpacked(source) as folder:
        what, masks = read_masks(folder, before.classes)
        pairs, strangers = matched(masks, images)
        if not pairs:
            told = f" ({first([each.where for each in strangers])})" if strangers else ""
            raise InputError(
                f"{source}: no mask of an image of split '{config.data.train_split}'{told}; masks "
                "are named as their images are, with folders: give the data that they are of"
            )
        if strangers:
            names = first([each.where for each in strangers])
            warn(console, f"{len(strangers)} masks are of no image, and left out: {names}")
        if not overwrite:
            require_new(pairs, before, out)
        for pair in pairs:  # all are drawn once before one is written
            accepted(pair)
        with open_for_writing(out, dataset.classes, KIND) as writer:
            if not overwrite:  # a page may have corrected some until the folder was held
                require_new(pairs, earlier(out, dataset.classes), out)
            for start in range(0, len(pairs), TOGETHER):
                writer.accept_all([accepted(each) for each in pairs[start : start + TOGETHER]])
    told = f"{len(pairs)} masks ({what}) in {out}"
    console.print(told, soft_wrap=True, markup=False, highlight=False)
    return len(pairs)


def earlier(out: Path, classes: ClassList) -> Corrections:
    """What a folder of corrections says already; nothing where there is none."""
    return read_corrections(out, classes) if is_file(out / LOG_NAME) else Corrections(out, classes)


@contextmanager
def unpacked(source: Path) -> Iterator[Path]:
    """The source, or the folder that a zip was unpacked into; errors as `unpack`."""
    if source.suffix.lower() != ".zip" or not is_file(source):
        yield source
        return
    with TemporaryDirectory() as folder:
        unpack(source, Path(folder), {"": ""}, lambda *_: None)
        yield Path(folder)


def matched(
    masks: Iterator[ImportedMask], images: Sequence[TaggedImage]
) -> tuple[list[Pair], list[ImportedMask]]:
    """Masks with the images that they are of, and those that are of none.

    Raises:
        InputError: Two masks are of one image.
    """
    known = {image.name: image for image in images}
    pairs: dict[str, Pair] = {}
    strangers = []
    for mask in masks:
        names = (nfc(PurePosixPath(file).with_suffix("").as_posix()) for file in mask.files)
        name = next((each for each in names if each in known), None)
        if name is None:
            strangers.append(mask)
            continue
        if name in pairs:
            raise InputError(
                f"{mask.where}: a second mask of the image '{name}', beside that of "
                f"{pairs[name].mask.where}; remove one of them"
            )
        pairs[name] = Pair(mask, known[name])
    return [*pairs.values()], strangers


def require_new(pairs: Sequence[Pair], before: Corrections, out: Path) -> None:
    """InputError if an image is corrected already."""
    names = [p.image.name for p in pairs if before.of(p.image.name) != UNTOUCHED]
    if names:
        raise InputError(
            f"--out {out}: {len(names)} of these images are corrected already ({first(names)}); "
            "add --overwrite to replace that, or choose another folder"
        )


def accepted(pair: Pair) -> Accepted:
    """A mask, drawn, with the classes in it as tags; where it is unsure, the image's own stay.

    Raises:
        InputError: It is not understood, or is not of its image's size.
    """
    image = pair.image
    try:
        width, height = size_of(image.path)
    except DECODE_ERRORS as error:
        raise InputError(f"{image.path}: image cannot be read ({error})") from None
    mask = pair.mask.draw((height, width))
    ids = ids_in(mask)
    shown = {i - 1 for i in ids if i not in (0, IGNORE_INDEX)}
    tags = shown | {*image.tags} if IGNORE_INDEX in ids else shown
    return Accepted(image, tuple(sorted(tags)), mask)
