"""Regions for the commands that read them: from files (`regions.files`), or by `regions.source`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from weclip.config import Config
from weclip.data.regions.files import RegionFiles, StoredRegions
from weclip.data.regions.id_maps import read_region_note
from weclip.labels.regions.painting import by_area, by_score
from weclip.labels.regions.regions import GuideOf, Proposals, Regions
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.system.files import sha256_of
from weclip.system.untrusted.documents import parse_json, read_json
from weclip.tasks.regions.folder import RECIPE_NAME, decisive, made_digest, made_with
from weclip.tasks.regions.opening import OpenedSource, open_source

UNKNOWN = "unknown: made elsewhere"
"""What records say of regions in files that another program made."""


class NamedImage(Protocol):
    """An image of a data set."""

    @property
    def name(self) -> str:
        """Its name, sub-folders with `/`, without suffix."""

    @property
    def path(self) -> Path:
        """Its file."""


@dataclass(frozen=True)
class RegionReader:
    """What gives the regions of an image.

    Attributes:
        record: What a record says of them: `source`, `saw_human_masks`, and more where it is known.
        files: The folder that they are read from; None where they are made.
        source: What makes them; None where they are read.
        made: What each id map says of the recipe of its folder; None of a folder made elsewhere.
    """

    record: dict[str, Any]
    files: RegionFiles | None = None
    source: OpenedSource | None = None
    made: str | None = None

    def __call__(self, image: NamedImage | None, pixels: NDArray[np.uint8]) -> Regions:
        """The regions of an image at its own size.

        Args:
            image: Its name and file; None for an image without, which files cannot serve.
            pixels: (H, W, 3) uint8, RGB, turned as its EXIF says.

        Raises:
            InputError: There are none in the files, or of another size.
        """
        if self.source is not None:
            return self.source(pixels)
        if self.files is None:
            raise TypeError("a reader of regions has files or a source")
        if image is None:
            raise InputError(
                f"regions.files={self.files.folder}: regions in files go by the names of images, "
                "and this one has none; leave regions.files out, so that regions.source makes them"
            )
        return self.read(image, (pixels.shape[0], pixels.shape[1]))

    def read(self, image: NamedImage, size: tuple[int, int]) -> Regions:
        """Those in files, of an image of this size (H, W); errors as in a call."""
        if self.files is None:
            raise TypeError("a reader of regions without files reads none")
        if self.made is not None:
            self._require_own(image, self.made)
        return as_regions(self.files.read(image.name, image.path, size))

    def _require_own(self, image: NamedImage, made: str) -> None:
        """InputError if an id map of weclip's is of another image, or of another command."""
        assert self.files is not None
        path, _ = self.files.files_of(image.name)
        assert path is not None  # in a folder of weclip's
        try:
            note = parse_json(read_region_note(path) or "", "note")
            same, of_recipe = note["sha256"] == sha256_of(image.path), note["made"] == made
        except (ValueError, KeyError, TypeError):
            same = of_recipe = False
        if not (same and of_recipe):
            of = f"of this recipe ({RECIPE_NAME})" if same else f"of {image.path}"
            raise InputError(
                f"{path}: not an id map that weclip regions made {of}; make it again, or give the "
                "folder of these images"
            )

    def read_ids(self, image: NamedImage, size: tuple[int, int]) -> NDArray[np.int32]:
        """(H, W) their numbers alone."""
        return self.read(image, size).id_map

    def require(self, images: Iterable[NamedImage]) -> None:
        """InputError if an image has no file of regions; nothing is opened."""
        for image in images:
            if self.files is not None:
                self.files.files_of(image.name)


def open_regions(
    config: Config, *, guide: GuideOf | None = None, console: Console = QUIET
) -> RegionReader:
    """What gives the regions that a configuration names; what fails, fails now.

    Args:
        config: Resolved configuration; `regions` is read, and more as in `open_source`.
        guide: As in `open_source`.
        console: As in `open_source`.

    Raises:
        InputError: The folder is missing or holds something else; or as `open_source`.
    """
    if config.regions.files is None:
        source = open_source(config, guide=guide, console=console)
        return RegionReader(source.record, source=source)
    files = RegionFiles(Path(config.regions.files), config.data.max_pixels)
    recipe = _recipe_of(files)
    if recipe is None:
        return RegionReader({"source": "files", "saw_human_masks": UNKNOWN}, files=files)
    record = {**made_with(recipe), "files": sha256_of(files.folder / RECIPE_NAME)}
    return RegionReader(record, files=files, made=made_digest(recipe))


def as_regions(stored: StoredRegions) -> Regions:
    """Regions as files have them; masks without an id map are painted as their scores say.

    By `score` surer ones lie on top, as EntitySeg's; else larger ones do, as SAM's.
    """
    if stored.masks is None or stored.scores is None:
        if stored.id_map is None:
            raise TypeError("regions in files have an id map or masks")
        return Regions(stored.id_map)
    proposals = Proposals(stored.masks, stored.scores)
    if stored.id_map is not None:
        return Regions(stored.id_map, proposals)
    return Regions(by_score(proposals) if stored.surer_on_top else by_area(proposals), proposals)


def _recipe_of(files: RegionFiles) -> dict[str, Any] | None:
    """The recipe of a folder of weclip regions; None of a folder made elsewhere."""
    if not files.own:
        return None
    path = files.folder / RECIPE_NAME
    try:
        recipe: dict[str, Any] = read_json(path, "record")
        decisive(recipe)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise InputError(
            f"{path}: no record of weclip regions; make the regions again, or move maps/ to a "
            "folder of its own"
        ) from None
    return recipe
