"""Labels in what Label Studio's controls give: their names, whatever the control.

Stage 1. Source: Label Studio's pages on its tags and on the format of results. A control that
labels a whole image or a region of it puts the names under its own type: `choices`, `taxonomy`,
`labels`, `rectanglelabels`, `polygonlabels`, `brushlabels` and so on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from weclip.data.tags.reading import TagsChoice, joined
from weclip.system.errors import InputError
from weclip.system.untrusted.text import listed, short

TOOL = "Label Studio"
TAXONOMY = "taxonomy"
WHOLE = ("choices", TAXONOMY)
"""Kinds that speak of a whole image, or tell more about a region that has a label."""

_GEOMETRY = ("x", "points", "rle", "vertices", "imageDataURL")


def label_kind(value: Mapping[str, Any]) -> str | None:
    """The key of a value that holds its labels, which is the kind of its control, or None."""
    return next((key for key in value if key in WHOLE or key.endswith("labels")), None)


def is_region(value: Mapping[str, Any]) -> bool:
    """Whether a value says where in the image something is."""
    return any(key in value for key in _GEOMETRY)


@dataclass
class Controls:
    """The controls of a file, as they are met, and which of them give tags.

    Attributes:
        path: The file, for messages.
        choice: How it is read.
        kinds: Kind of every control that labels, by its name.
        used: Names of those whose labels are tags.
        attributes: Names of those that told more about regions, and nothing else.
        others: Types of results that are no labels.
    """

    path: Path
    choice: TagsChoice
    kinds: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    _paths: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def names(self, control: str, value: Mapping[str, Any], where: str) -> list[str]:
        """The labels that a control gives, which are tags; of nested ones the ends of their paths.

        Raises:
            InputError: They are no names, or two paths end alike.
        """
        kind = label_kind(value)
        if kind is None:
            return []
        self.kinds[control] = kind
        if self.choice.control not in (None, control):
            return []
        self.used.add(control)
        labels = [] if value[kind] is None else value[kind]
        if isinstance(labels, str):
            labels = [labels]
        if kind in WHOLE and isinstance(labels, list):
            labels = [self._end(label, kind, where) for label in labels]
        if not isinstance(labels, list) or not all(isinstance(name, str) for name in labels):
            raise InputError(f"{where}: '{kind}' must be a list of names, not {short(labels)}")
        return [name.strip() for name in labels if name.strip()]

    def check(self) -> None:
        """InputError if the chosen control is not there, or nothing in the file labels."""
        chosen = self.choice.control
        if chosen is not None and chosen not in self.kinds:
            found = f"there are {listed(sorted(self.kinds))}" if self.kinds else "there is none"
            raise InputError(f"{self.path}: data.tags_control={chosen}: no such control; {found}")
        if not self.kinds and self.others:
            raise InputError(
                f"{self.path}: no labels in it, only {joined(sorted(self.others))}; tags need a "
                "control that labels, such as Choices or RectangleLabels"
            )

    def source(self) -> str:
        """What the tags are, for a line on the screen."""
        parts = [f"{self.kinds[name]} '{name}'" for name in sorted(self.used)]
        source = f"{TOOL}, {joined(parts)}" if parts else TOOL
        if len(parts) > 1:
            source += " (data.tags_control takes one of them)"
        if unused := self.attributes - self.used:
            source += f", without what {listed(sorted(unused))} tells about regions"
        return source

    def hint(self) -> str:
        """What ends the message on a label that is no class, where a control can be chosen."""
        if len(self.used) < 2:
            return ""
        return f"; data.tags_control takes one of {listed(sorted(self.used))}"

    def _end(self, label: object, kind: str, where: str) -> object:
        """The last name of a path, which may not end another path."""
        names = label if isinstance(label, list) else [label]
        path = tuple(name for name in names if isinstance(name, str))
        if not path or len(path) < len(names):
            return label
        other = self._paths.setdefault((kind, path[-1]), path)
        if other != path:
            raise InputError(
                f"{where}: the {kind} '{'/'.join(other)}' and '{'/'.join(path)}' end alike; rename "
                "one of them"
            )
        return path[-1]
