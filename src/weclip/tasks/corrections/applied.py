"""Corrections that were handed over by name (`data.corrected`), applied to a list of images."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.corrections.folder import Corrections, read_corrections
from weclip.data.corrections.masks import CorrectedMasks, SeenMasks, look_at_corrected
from weclip.data.summary import first
from weclip.system.console import warn
from weclip.system.errors import InputError


@dataclass(frozen=True)
class Applied:
    """Corrections and what they change.

    Attributes:
        found: All that they say.
        masks: Of accepted images.
        seen: What a look at the masks gave.
        retagged: Images whose tags are corrected, those with a mask among them.
        rejected: Images that are left out.
    """

    found: Corrections
    masks: CorrectedMasks
    seen: SeenMasks
    retagged: int
    rejected: int

    @property
    def classes(self) -> ClassList:
        """The classes, with renamed and new ones."""
        return self.found.classes

    def correct(self, images: Sequence[TaggedImage], console: Console) -> list[TaggedImage]:
        """The images that stay, with the tags that are right: those of its mask, too."""
        kept = [image for image in images if not self.found.of(image.name).rejected]
        tagged = [with_tags(image, self.found) for image in kept]
        widened = [with_shown(image, self.seen) for image in tagged]
        count = sum(before != after for before, after in zip(tagged, widened, strict=True))
        if count:
            warn(console, f"{count} corrected masks show a class that is no tag; it is now")
        return widened

    @property
    def line(self) -> str:
        """What they are, for people."""
        return (
            f"{len(self.seen.digests)} masks, tags of {self.retagged} images, "
            f"{self.rejected} images left out; {self.found.folder}"
        )

    @property
    def record(self) -> dict[str, object]:
        """The same for a record."""
        return {
            "folder": str(self.found.folder),
            "masks": len(self.seen.digests),
            "tags": self.retagged,
            "rejected": self.rejected,
            "masks_sha256": self.seen.digest,
        }


def apply_corrections(
    config: Config, classes: ClassList, images: Sequence[TaggedImage], console: Console
) -> Applied | None:
    """Read the corrections of a split; every mask is read and checked.

    Args:
        config: Resolved configuration; `data` and `loss.corrected_weight` are read.
        classes: Class list of the data, which is that of the images' tags.
        images: The split; its tags are not looked at.
        console: Where is told what the user should know.

    Returns:
        What they gave; None where `data.corrected` is null.

    Raises:
        InputError: As `read_corrections` and `look_at_corrected`; or they are of none of the
            images, or leave none.
    """
    data = config.data
    if data.corrected is None:
        return None
    found = read_corrections(Path(data.corrected), classes)
    require_of_these(found, {image.name for image in images}, data.train_split, console)
    kept = [image for image in images if not found.of(image.name).rejected]
    if not kept:
        raise InputError(f"{data.corrected}: all {len(images)} images are rejected; open some")
    accepted = {n: each.mask for n, each in found.images.items() if each.accepted and each.mask}
    masks = CorrectedMasks(accepted, config.loss.corrected_weight, data.max_pixels)
    seen = look_at_corrected(masks, kept, found.classes.num_classes)
    retagged = sum(found.of(image.name).tags is not None for image in kept)
    return Applied(found, masks, seen, retagged, len(images) - len(kept))


def require_of_these(
    found: Corrections, names: Collection[str], split: str, console: Console
) -> None:
    """Warn of corrected images that are not in the split; InputError where none is."""
    strangers = [name for name in found.images if name not in names]
    if strangers and len(strangers) == len(found.images):
        raise InputError(
            f"{found.folder}: none of its {len(strangers)} images ({first(strangers)}) is in split "
            f"'{split}'; give the corrections of these data"
        )
    if strangers:
        what = f"{len(strangers)} corrected images are not in split '{split}'"
        warn(console, f"{what}, and not used: {first(strangers)}")


def with_tags(image: TaggedImage, found: Corrections) -> TaggedImage:
    """The image with its corrected tags, if it has any."""
    tags = found.of(image.name).tags
    return image if tags is None else replace(image, tags=tags)


def with_shown(image: TaggedImage, seen: SeenMasks) -> TaggedImage:
    """The image with the classes in its corrected mask as further tags."""
    shown = seen.shown.get(image.name, ())
    return replace(image, tags=tuple(sorted({*image.tags, *shown})))
