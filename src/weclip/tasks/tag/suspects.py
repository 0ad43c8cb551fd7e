"""`weclip check --suspects`: the user's tags compared with CLIP's, and the doubtful ones listed."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.dataset import Dataset
from weclip.data.images.listing import AUTO
from weclip.inference.scores.suspects import Suspect, find_suspects
from weclip.system.errors import InputError
from weclip.system.files import require_writable, write_text
from weclip.system.locks import working_on
from weclip.system.untrusted.files import read_bytes
from weclip.tasks.datasets import untagged
from weclip.tasks.load.backbones import open_clip
from weclip.tasks.tag.auto_tags import make_tags
from weclip.tasks.tag.memory import open_tags_memory

HEADER = "image,tag,seen,confidence"
OPTION = "--suspects"
FEW = 50
"""Images under which the comparison has little to go by."""
SHOWN = 3


def require_free(path: Path) -> None:
    """InputError unless a new `.csv`, or an earlier list of ours, can be written."""
    if path.suffix.lower() != ".csv":
        raise InputError(f"{OPTION} {path}: the list to write must end in .csv")
    require_writable(path, OPTION)
    if path.exists() and read_bytes(path, "list of suspects")[: len(HEADER)] != HEADER.encode():
        raise InputError(f"{OPTION} {path} exists and is no such list; choose another name")


def list_suspects(config: Config, dataset: Dataset, console: Console, path: Path) -> int:
    """Write the doubtful tags of the training split, worst first; how many there are.

    Args:
        config: Resolved configuration; `data`, `clip` and `tags` are read.
        dataset: Opened.
        console: Where progress and the worst are shown.
        path: The list, `.csv`: image, tag that CLIP does not see, what it sees instead, confidence.

    Raises:
        InputError: The tags are CLIP's own, the images cannot be read, or `path` is in use.
    """
    if config.data.tags_file == AUTO:
        raise InputError(
            f"{OPTION} {path}: the tags are CLIP's own (data.tags_file=auto); give yours"
        )
    images = dataset.read_split(config.data.train_split)
    with working_on(path, "check", option=OPTION):
        clip = open_clip(config, console)
        memory = open_tags_memory(untagged(config), clip, console)
        made = make_tags(
            config, dataset.classes, images, clip, console, memory=memory, skip_unreadable=True
        )
        found = find_suspects(made.scores, given_tags(images, len(dataset.classes.names)))
        write_text(path, table(found, images, dataset.classes.names))
    show(found, images, dataset.classes.names, console, path)
    return len(found)


def given_tags(images: Sequence[TaggedImage], count: int) -> torch.Tensor:
    """(M, K) bool: which image has which of `count` tags."""
    given = torch.zeros(len(images), count, dtype=torch.bool)
    for row, image in enumerate(images):
        given[row, list(image.tags)] = True
    return given


def table(found: Sequence[Suspect], images: Sequence[TaggedImage], names: Sequence[str]) -> str:
    """The list as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    for each in found:
        image = images[each.image]
        words = ["" if index is None else names[index] for index in (each.tag, each.seen)]
        writer.writerow([f"{image.name}{image.path.suffix}", *words, f"{each.confidence:.4f}"])
    return text.getvalue()


def show(
    found: Sequence[Suspect],
    images: Sequence[TaggedImage],
    names: Sequence[str],
    console: Console,
    path: Path,
) -> None:
    """Print how many tags are doubtful, and the worst."""
    count = f"{len(found)} doubtful tags in {len(images)} images"
    console.print(f"{count}, worst first: {path}", soft_wrap=True, markup=False)
    for each in found[:SHOWN]:
        tag = "no tag" if each.tag is None else f"tag {names[each.tag]}"
        seen = "nothing instead" if each.seen is None else names[each.seen]
        line = f"    {images[each.image].name}: {tag}, CLIP sees {seen} ({each.confidence:.2f})"
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if len(images) < FEW:
        console.print(f"    (under {FEW} images: little to compare with)")
