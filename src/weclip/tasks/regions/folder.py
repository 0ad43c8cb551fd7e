"""The output folder of `weclip regions`: what it was made with, and which images are done.

An id map carries its line of the manifest in itself, as the masks of `weclip label` do.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.config import Config
from weclip.data.batch import TaggedImage
from weclip.data.masks.colours import VOC_COLOURS
from weclip.data.regions.files import KIND, MAPS, MASKS
from weclip.data.regions.id_maps import numbered, read_region_note, save_id_map
from weclip.data.regions.mask_lists import write_mask_list
from weclip.labels.regions.regions import IN_NONE, Regions
from weclip.system.files import sha256_of, write_text
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import as_parsed, parse_json
from weclip.system.untrusted.files import read_bytes
from weclip.tasks.label.joining import make_or_join, require_same
from weclip.tasks.predict import write_overlay

RECIPE_NAME = "regions.json"
MANIFEST_NAME = "manifest.jsonl"
OVERLAYS = "overlays"
COLOURS = 254
"""Of an overlay; 0 is no region, and 255 is not painted."""

Record = dict[str, Any]


def make_recipe(config: Config, made: Record) -> Record:
    """What `regions.json` holds: everything that the regions are made with.

    Args:
        config: Resolved configuration.
        made: What a record says of the source.
    """
    data = config.data
    read = {"bands": data.bands, "range": data.range}
    return {"kind": KIND, **as_parsed(made), "data": as_parsed(read), "versions": _versions()}


def _versions() -> dict[str, str]:
    """What regions depend on: as other outputs, and packages that cut."""
    found = versions()
    for name in ("scikit-image", "transformers"):
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def made_with(recipe: Mapping[str, Any]) -> Record:
    """What other records say of the regions of a recipe; KeyError if it is none."""
    keys = ("source", "settings", "saw_human_masks", "sha256")
    guide = {"guide": recipe["guide"]} if "guide" in recipe else {}
    return {key: recipe[key] for key in keys} | guide


def made_digest(recipe: Mapping[str, Any]) -> str:
    """What id maps say of the recipe that they were made with; KeyError if it is none."""
    return hashlib.sha256(json.dumps(decisive(recipe), sort_keys=True).encode()).hexdigest()


def decisive(recipe: Mapping[str, Any]) -> Record:
    """Those parts of a recipe that regions depend on."""
    made = made_with(recipe)
    settings = {f"regions.{made['source']}.{k}": v for k, v in made["settings"].items()}
    guide = made.get("guide") or {}
    return {
        "regions.source": made["source"],
        **settings,
        "weights' SHA-256": made["sha256"],
        "guide's SHA-256": guide.get("sha256"),
        "guide's computations": guide.get("computes"),
        **{f"data.{key}": value for key, value in recipe["data"].items()},
    }


@dataclass(frozen=True)
class RegionFolder:
    """The folder `out` of one `regions.json`.

    Attributes:
        out: The folder.
        recipe: Of `make_recipe`.
        overlays: Whether an image is done only with its overlay.
    """

    out: Path
    recipe: Record
    overlays: bool

    def enter(self, *, joins: bool, overwrite: bool, inputs: Iterable[Path]) -> None:
        """Make the folder, or join what is there.

        Args:
            joins: As in `make_or_join`, and so the others.

        Raises:
            InputError: As `make_or_join`; or what is there was made with another recipe.
        """
        path = self.out / RECIPE_NAME
        make_or_join(
            path,
            self.recipe,
            what="regions of weclip regions",
            joins=joins,
            overwrite=overwrite,
            inputs=inputs,
        )
        require_same(path, self.recipe, decisive, what="regions")

    def map_path(self, image: TaggedImage) -> Path:
        """Where an image's id map is; sub-folders are kept."""
        return self.out / MAPS / f"{image.name}.png"

    def masks_path(self, image: TaggedImage) -> Path:
        """Where its masks are, of a source whose masks overlap."""
        return self.out / MASKS / f"{image.name}.json"

    def overlay_path(self, image: TaggedImage) -> Path:
        """Where its overlay is."""
        return self.out / OVERLAYS / f"{image.name}.png"

    def record(self, image: TaggedImage) -> Record | None:
        """The line of an image's id map; None if there is none, or one of other bytes."""
        try:
            record: Record = parse_json(read_region_note(self.map_path(image)) or "", "note")
            same = record["name"] == image.name and record["sha256"] == sha256_of(image.path)
            return record if same and record["regions"] >= 0 else None
        except (ValueError, KeyError, TypeError):
            return None

    def is_done(self, image: TaggedImage) -> bool:
        """Whether there is nothing left to do for an image."""
        record = self.record(image)
        if record is None or (self.overlays and not self.overlay_path(image).exists()):
            return False
        return not record.get("masks") or self.masks_path(image).exists()

    def write(self, image: TaggedImage, pixels: NDArray[np.uint8], regions: Regions) -> None:
        """Write an image's id map last: where it is, all is; `pixels` (H, W, 3) are its own."""
        ids = numbered(regions.id_map)
        found = regions.proposals
        if found is not None:
            write_mask_list(self.masks_path(image), found.masks, found.scores)
        if self.overlays:
            colours = np.where(ids == IN_NONE, 0, 1 + ids % COLOURS).astype(np.uint8)
            write_overlay(pixels, colours, self.overlay_path(image), VOC_COLOURS)
        inside = ids != IN_NONE
        record = {
            "name": image.name,
            "sha256": sha256_of(image.path),
            "width": ids.shape[1],
            "height": ids.shape[0],
            "regions": len(np.unique(ids[inside])),
            "covered": round(float(inside.mean()), 6),
            "made": made_digest(self.recipe),
            **({} if found is None else {"masks": len(found.scores)}),
        }
        save_id_map(ids, self.map_path(image), json.dumps(record))

    def write_manifest(self, records: Sequence[Record]) -> None:
        """Write the lines of all images in their order, then those of other commands' images."""
        named = {record["name"] for record in records}
        earlier = [each for each in self._manifest() if each["name"] not in named]
        records = [*records, *earlier]
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        write_text(self.out / MANIFEST_NAME, "".join(lines))

    def _manifest(self) -> list[Record]:
        """The lines that are there, of id maps that are there."""
        path = self.out / MANIFEST_NAME
        if not path.is_file():
            return []
        lines = read_bytes(path, "manifest").splitlines()
        records: list[Record] = [parse_json(line, str(path)) for line in lines]
        return [each for each in records if (self.out / MAPS / f"{each['name']}.png").is_file()]
