"""What every export gets: the finished masks of `weclip label`, read one at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.batch import IGNORE_INDEX
from weclip.data.classes import ClassList
from weclip.data.masks.mask_files import read_mask
from weclip.system.files import write_atomically

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class LabelledImage:
    """One image that has its mask.

    Attributes:
        name: Unique; sub-folders use `/`, no file extension.
        path: Image file.
        file: The same, relative to the data set's folder, with `/`.
        size: Height and width in pixels.
        confidence: Of the mask, in [0, 1].
    """

    name: str
    path: Path
    file: str
    size: tuple[int, int]
    confidence: float

    @property
    def file_name(self) -> str:
        """Name with the file's extension."""
        return f"{self.name}{self.path.suffix}"


@dataclass(frozen=True)
class Labelled:
    """All masks of a finished output.

    Attributes:
        out: Its folder, which exports are written in.
        classes: Class list of the masks.
        method: What made them.
        images: All images, in their order.
    """

    out: Path
    classes: ClassList
    method: str
    images: Sequence[LabelledImage]

    def masks(self) -> Iterator[tuple[LabelledImage, Mask]]:
        """Each image with its mask (H, W) uint8; only one is held at a time."""
        for image in self.images:
            path = self.out / "masks" / f"{image.name}.png"
            yield image, read_mask(path, num_classes=self.classes.num_classes)

    @property
    def unsure(self) -> str:
        """What formats that name all pixels call those of 255; no class has this name."""
        name = "unsure"
        while name in self.classes.names:
            name += "_"
        return name


def foreground(mask: Mask) -> list[int]:
    """Class ids in a mask, without background and 255.

    >>> foreground(np.array([[0, 3, 255, 1]], np.uint8))
    [1, 3]
    """
    return [int(i) for i in np.unique(mask) if i not in (0, IGNORE_INDEX)]


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines in UTF-8 as they come, as `write_atomically` does."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)

    write_atomically(path, write)


def write_grey(path: Path, mask: Mask) -> None:
    """Write class ids as an 8-bit greyscale PNG, whose pixels no reader takes for colours."""
    picture = Image.fromarray(mask)
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG"))


def link_image(image: LabelledImage, target: Path) -> None:
    """Give an image a second name: a hard link; a copy where the disk is another or has none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    source = image.path.resolve()
    try:
        target.hardlink_to(source)
    except OSError:
        write_atomically(target, lambda temporary: copyfile(source, temporary))
