"""What is known of one scene in numbers, and how doubtful it is.

Stage 6. A scene is an image with its label map. Doubt compares the label map with the tags, so it
needs no mask; it orders scenes and is no score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weclip.data.bands import count_ids
from weclip.data.batch import IGNORE_INDEX

NOWHERE = 0.001
"""A tag with a smaller share of the pixels is nowhere."""

UNTAGGED = 0.01
"""A class that no tag says is told from this share of the pixels on."""

UNSURE = 0.6
"""A mean confidence below it is told."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An image and its label map, in numbers.

    Attributes:
        name: The image's name.
        split: The split it is of; empty where there is none.
        size: (H, W) of the image.
        tags: Sorted 0-based class indices; None where no tags are known.
        shares: Share of the pixels by class id, of the ids that are there; background is 0.
        unsure: Share of the pixels that are 255.
        no_data: Share of the pixels that the image knows nothing of; they are 255, and not unsure.
        confidence: Mean over all pixels of the best probability, in [0, 1]; None if unknown.
        miou: Mean IoU over the classes of its mask, in [0, 1]; None without a mask.
    """

    name: str
    size: tuple[int, int]
    shares: Mapping[int, float]
    split: str = ""
    tags: tuple[int, ...] | None = None
    unsure: float = 0.0
    no_data: float = 0.0
    confidence: float | None = None
    miou: float | None = None

    @property
    def tag_ids(self) -> tuple[int, ...]:
        """Class ids of the tags; none where no tags are known."""
        return tuple(tag + 1 for tag in self.tags or ())

    @property
    def nowhere(self) -> tuple[int, ...]:
        """Class ids of tags that are nowhere in the label map."""
        return tuple(i for i in self.tag_ids if self.shares.get(i, 0.0) < NOWHERE)

    @property
    def untagged(self) -> tuple[int, ...]:
        """Class ids in the label map that no tag says, the largest first."""
        if self.tags is None:
            return ()
        known = {0, *self.tag_ids}
        found = [i for i, share in self.shares.items() if i not in known and share >= UNTAGGED]
        return tuple(sorted(found, key=lambda i: (-self.shares[i], i)))

    @property
    def empty(self) -> bool:
        """Whether nothing but background is found."""
        return all(share < NOWHERE for i, share in self.shares.items() if i != 0)

    @property
    def doubt(self) -> float:
        """How much there is to look at; 0: nothing.

        Each tag that is nowhere counts 1. To this come, together below 1: four times the share of
        the pixels that no tag says, at most 0.5, and 0.4 times what is unsure: one minus the
        confidence, or the share of the pixels that are 255 if that is more.

        >>> Scene(name="a", size=(1, 1), shares={0: 0.9, 2: 0.1}, tags=(0,)).doubt
        1.4
        """
        untagged = min(0.5, 4 * sum(self.shares[i] for i in self.untagged))
        unsure = max(self.unsure, 0.0 if self.confidence is None else 1 - self.confidence)
        return len(self.nowhere) + untagged + 0.4 * min(1.0, max(0.0, unsure))

    def reasons(self, names: Sequence[str]) -> list[str]:
        """Why to look at it, in a few words each; `names` are C, background first."""
        found = [f"tag nowhere: {names[i]}" for i in self.nowhere]
        found += [f"no tag says: {names[i]}" for i in self.untagged]
        if self.tags is None and self.empty:
            found.append("nothing found")
        if self.confidence is not None and self.confidence < UNSURE:
            found.append("low confidence")
        return found


def shares_of(label_map: NDArray[np.uint8]) -> tuple[dict[int, float], float]:
    """Share of the pixels of each id in a label map (H, W), and of 255.

    >>> shares_of(np.array([[0, 1], [1, 255]], np.uint8))
    ({0: 0.25, 1: 0.5}, 0.25)
    """
    counts = count_ids(label_map) / label_map.size
    there = {int(i): float(counts[i]) for i in np.flatnonzero(counts) if i != IGNORE_INDEX}
    return there, float(counts[IGNORE_INDEX])


def most_doubtful(scenes: Sequence[Scene]) -> list[Scene]:
    """The scenes, those with most to look at first."""
    return sorted(scenes, key=lambda scene: (-scene.doubt, scene.name))


def worst_scored(scenes: Sequence[Scene]) -> list[Scene]:
    """The scenes that have a mask, those with the lowest mean IoU first."""
    scored = [(scene.miou, scene) for scene in scenes if scene.miou is not None]
    return [scene for _, scene in sorted(scored, key=lambda pair: (pair[0], pair[1].name))]
