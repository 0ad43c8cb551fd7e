"""Published numbers, and what is run to get them again: read from `presets/published/`.

One file per name; nothing else lists them. A number stands there with where it was published.
"""

from dataclasses import dataclass
from importlib import resources
from typing import Any

from weclip.system.errors import InputError, did_you_mean
from weclip.system.untrusted.documents import parse_yaml

SPLITS = {
    "voc": {"train_aug": 10_582, "train": 1_464, "val": 1_449},
    "coco": {"train": 82_081, "val": 40_137},
}
"""Images of the published splits, by data set (docs/data.md)."""

MAPS = "maps"
"""What is scored of a method without training."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table of results.

    Attributes:
        scored: `Segmentation`, `CAM`, `Refined CAM`, `Pseudo-label`, or `maps` of a method without
            training.
        split: Of the data set.
        crf: Whether the dense CRF comes last.
        variant: What else tells it from other rows.
        changes: Of the configuration, beside the recipe.
        needs: What must be there, of `weclip.tasks.reproduce.lacking.NEEDS`, beside the CRF.
        published: mIoU in %; None where none is published.
        source: Where it was published.
        also: What else is known of it.
    """

    scored: str
    split: str
    crf: bool = False
    variant: str = ""
    changes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    published: float | None = None
    source: str = ""
    also: str = ""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A table of results, and how it is made.

    Attributes:
        name: What `weclip reproduce` calls it.
        title: Method, paper and data.
        preset: Configuration.
        data: `voc` or `coco`.
        weights: Families of weights that are read.
        method: Of `weclip label`; None: it is trained.
        recipe: Changes of the preset that the published code needs.
        rows: The numbers.
    """

    name: str
    title: str
    preset: str
    data: str
    weights: tuple[str, ...] = ("clip",)
    method: str | None = None
    recipe: tuple[str, ...] = ()
    rows: tuple[Row, ...]


FILES = {
    "descriptions": "clip.descriptions",
    "guide": "dino.weights",
    "regions": "regions.sam2.weights",
}
"""Keys of files that a user gives, by what a row needs."""


def needed_keys(table: Published) -> set[str]:
    """Keys of what the rows need, which is no change of the recipe."""
    return {FILES[need] for row in table.rows for need in row.needs if need in FILES}


def published_names() -> list[str]:
    """What can be reproduced."""
    files = resources.files("weclip.presets").joinpath("published").iterdir()
    return sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml"))


def read_published(name: str) -> Published:
    """The table of a name; InputError if there is none."""
    known = published_names()
    if name not in known:
        hint = did_you_mean(name, known)
        raise InputError(
            f"reproduce {name}: nothing is published under this name; known: {', '.join(known)}. "
            f"{hint}".strip()
        )
    file = resources.files("weclip.presets").joinpath(f"published/{name}.yaml")
    document = parse_yaml(file.read_text(encoding="utf-8"), f"published/{name}.yaml")
    rows = tuple(Row(**_tuples(row)) for row in document.pop("rows"))
    return Published(name=name, rows=rows, **_tuples(document))


def _tuples(document: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
