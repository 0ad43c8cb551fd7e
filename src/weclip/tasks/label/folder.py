"""The output folder of `weclip label`: what it was made with, which images are done, the manifest.

A mask carries its line of the manifest in itself, so that both appear at once; processes and
shards need not know of each other, and the manifest is collected from the masks at the end.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from weclip.config import Config
from weclip.config_file import flatten, to_yaml
from weclip.data.bands import count_ids
from weclip.data.batch import IGNORE_INDEX, TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.listing import AUTO
from weclip.data.masks.mask_files import read_note, save_mask
from weclip.inference.label_masks import LabelMask
from weclip.methods.retrieval import Retrieval
from weclip.system.files import at_home, sha256_of, write_atomically, write_json, write_text
from weclip.system.provenance import versions
from weclip.system.untrusted.documents import as_parsed, parse_json
from weclip.tasks.corrections.applied import Applied
from weclip.tasks.label.joining import make_or_join, require_same
from weclip.tasks.label.opening import Opened
from weclip.tasks.load.backbones import frozen_backbones
from weclip.tasks.load.model import LoadedModel

KIND = "labelling"
RECIPE_NAME = "label.json"
MANIFEST_NAME = "manifest.jsonl"
DECIDES = (
    "faithful quirks. data.format data.train_split clip.prompt_template clip.more_templates "
    "clip.description_ cam. affinity. regions. memory. par. label. windows."
).split()
"""Keys, or beginnings of keys, that masks depend on; paths are none, since machines differ."""

PATHS = ("label.model", "label.memory", "tags.memory", "regions.files")
"""Keys among them whose files count, not where these are."""

CORRECTED = "corrected"
"""Key of the recipe and of an image's line where a person corrected something."""

Record = dict[str, Any]


def make_recipe(
    config: Config,
    classes: ClassList,
    opened: Opened,
    applied: Applied | None,
) -> Record:
    """What `label.json` holds: everything that the masks are made with."""
    corrected = {} if applied is None else {CORRECTED: applied.record}
    refiner, regions = opened.refiner, opened.regions
    return {
        "kind": KIND,
        "method": _method_of(config, refiner),
        "files": {
            "label.model": refiner and sha256_of(refiner.path),
            "clip.descriptions": config.clip.descriptions and sha256_of(config.clip.descriptions),
            "label.memory": config.label.memory and sha256_of(at_home(config.label.memory)),
            "tags.memory": config.tags_memory and sha256_of(at_home(config.tags_memory)),
        },
        "classes": list(classes.names_with_background),
        "class_list": as_parsed(asdict(classes)),
        **{name: each._asdict() for name, each in frozen_backbones(opened.backbones).items()},
        "config": flatten(to_yaml(config)),
        "versions": versions(),
        **({} if regions is None else {"regions": regions.record}),
        **({"memories": opened.memories} if opened.memories else {}),
        **corrected,
    }


def _method_of(config: Config, refiner: LoadedModel | None) -> str:
    if refiner is not None and isinstance(refiner.method, Retrieval):
        return refiner.config.method.name
    over = " over windows" if config.label.windows else ""
    read = f", embedding of {config.cam.embedding}" if config.cam.embedding else ""
    return f"{config.cam.source}{over}, {config.affinity.source}{read}"


@dataclass(frozen=True)
class LabelFolder:
    """The folder `out` of one `label.json`.

    Attributes:
        out: The folder.
        root: The data set's folder, which files in the manifest are relative to.
        classes: Class list, for names and palette.
        recipe: Of `make_recipe`.
        overlays: Whether an image is done only with its overlay.
        soft: Whether it is only with its soft maps.
        corrected: Name of an image -> digest of its corrected mask, which is its mask.
        any_class: Whether no tags are read: those of a line are what its mask has.
        shares: As `Scorer.shares`, of soft maps.
    """

    out: Path
    root: Path
    classes: ClassList
    recipe: Record
    overlays: bool
    soft: bool = False
    corrected: Mapping[str, str] = field(default_factory=dict)
    any_class: bool = False
    shares: bool = False

    def enter(self, *, joins: bool, overwrite: bool, inputs: Iterable[Path]) -> None:
        """Make the folder, or join what is there.

        Args:
            joins: Whether an earlier or concurrent output with the same recipe is continued.
            overwrite: Whether an earlier output is deleted.
            inputs: Files and folders of the user's, which are never deleted.

        Raises:
            InputError: As `claim_folder`; or what is there was made with another recipe.
        """
        path = self.out / RECIPE_NAME
        make_or_join(
            path,
            self.recipe,
            what="masks of weclip label",
            joins=joins,
            overwrite=overwrite,
            inputs=inputs,
        )
        written = require_same(path, self.recipe, decisive, what="masks", long=LONG)
        if written.get(CORRECTED) != self.recipe.get(CORRECTED):
            write_json(path, self.recipe)

    def mask_path(self, image: TaggedImage) -> Path:
        """Where an image's mask is; sub-folders are kept."""
        return self.out / "masks" / f"{image.name}.png"

    def overlay_path(self, image: TaggedImage) -> Path:
        """Where an image's overlay is."""
        return self.out / "overlays" / f"{image.name}.png"

    def soft_path(self, image: TaggedImage) -> Path:
        """Where an image's soft maps are."""
        return self.out / "soft" / f"{image.name}.npz"

    def record(self, image: TaggedImage) -> Record | None:
        """The line of an image's mask; None if there is none, or one of other tags or bytes."""
        try:
            record = parse_json(read_note(self.mask_path(image)) or "", "note")
            same = record["name"] == image.name
            same = same and (self.any_class or record["tags"] == self._tag_names(image.tags))
            same = same and record.get(CORRECTED) == self.corrected.get(image.name)
            same = same and record["sha256"] == sha256_of(image.path)
        except (ValueError, KeyError, TypeError):
            return None
        return record if same else None

    def is_done(self, image: TaggedImage) -> bool:
        """Whether there is nothing left to do for an image."""
        if self.overlays and not self.overlay_path(image).exists():
            return False
        if self.soft and not self.soft_path(image).exists():
            return False
        return self.record(image) is not None

    def save_soft(self, image: TaggedImage, mask: LabelMask) -> None:
        """Write soft maps (docs/exports.md); no time of day is in the file."""
        if mask.soft is None:
            return
        maps, size = mask.soft, np.array(mask.label_map.shape, np.int32)
        class_ids = np.array([tag + 1 for tag in image.tags], np.uint8)

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez_compressed(
                    file,
                    allow_pickle=False,
                    maps=maps,
                    class_ids=class_ids,
                    size=size,
                    shares=np.array(self.shares),
                )

        write_atomically(self.soft_path(image), write)

    def save(self, image: TaggedImage, mask: LabelMask) -> None:
        """Write a mask with its line; both appear at once or not at all."""
        note = json.dumps(self._make_record(image, mask))
        save_mask(mask.label_map, self.mask_path(image), self.classes.palette, note)

    def write_manifest(self, records: Sequence[Record]) -> None:
        """Write the lines of all images in their order."""
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        write_text(self.out / MANIFEST_NAME, "".join(lines))

    def _make_record(self, image: TaggedImage, mask: LabelMask) -> Record:
        names, pixels = self.classes.names_with_background, mask.label_map.size
        counts = count_ids(mask.label_map)
        tags = [tag for tag in image.tags if counts[tag + 1] or not self.any_class]
        ids = [0, *(tag + 1 for tag in tags)]
        inside = image.path.is_relative_to(self.root)
        file = image.path.relative_to(self.root) if inside else image.path
        return {
            "name": image.name,
            "file": file.as_posix(),
            "sha256": sha256_of(image.path),
            "tags": self._tag_names(tags),
            "width": mask.label_map.shape[1],
            "height": mask.label_map.shape[0],
            "shares": {names[i]: round(int(counts[i]) / pixels, 6) for i in ids},
            "unsure": round(int(counts[IGNORE_INDEX]) / pixels, 6),
            "confidence": round(mask.confidence, 6),
            **({CORRECTED: self.corrected[image.name]} if image.name in self.corrected else {}),
        }

    def _tag_names(self, tags: Sequence[int]) -> list[str]:
        return [self.classes.names[tag] for tag in tags]


LONG = ("class_list",)
"""Parts of a recipe that are too long to be shown."""


def decisive(recipe: Mapping[str, Any]) -> Record:
    """Those parts of a recipe that masks depend on."""
    auto = recipe["config"].get("data.tags_file") == AUTO
    keys = (*DECIDES, "tags.", "data.tags_file") if auto else tuple(DECIDES)
    config = {
        key: value
        for key, value in recipe["config"].items()
        if key.startswith(keys) and key not in PATHS
    }
    return {
        **recipe["files"],
        "class_list": recipe["class_list"],
        "CLIP's SHA-256": recipe["clip"]["sha256"],
        "CLIP's computations": recipe["clip"]["computes"],
        "the second encoder's SHA-256": recipe.get("dino", {}).get("sha256"),
        "regions": str(recipe.get("regions")),
        **config,
    }
