"""Masks whose content cannot be right: what they hold is compared with the tags of their images.

Stage 1, for `weclip check`, and for one line before training and evaluation.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from weclip.data.bands import ids_in
from weclip.data.batch import IGNORE_INDEX, MaskedImage
from weclip.data.images.reading import MAX_PIXELS
from weclip.data.masks.mask_files import read_mask
from weclip.system.errors import InputError
from weclip.system.processes import cores

Contents = Mapping[Path, frozenset[int]]
"""Mask file -> the class ids in it, of masks that can be read."""

LOOKED_AT = 200
"""Masks that are read before training and evaluation begin; `weclip check` reads all."""


def content_findings(
    samples: Sequence[MaskedImage], contents: Contents, class_names: Sequence[str]
) -> dict[str, list[str]]:
    """What cannot be right, by the kind of finding.

    Args:
        samples: Images with masks.
        contents: Of their masks; what is not there is not judged.
        class_names: C-1 names, in the order of their ids.
    """
    seen = [sample for sample in samples if sample.mask in contents]
    holding = [contents[sample.mask] for sample in seen]
    binary = [s.name for s, ids in zip(seen, holding, strict=True) if ids == {0, IGNORE_INDEX}]
    void = [s.name for s, ids in zip(seen, holding, strict=True) if ids == {IGNORE_INDEX}]
    found = {"binary_masks": binary, "void_masks": void}
    if any(ids - {0, IGNORE_INDEX} for ids in holding):
        found |= _classes(seen, holding, class_names)
    elif any(sample.tags != () for sample in seen):
        found["no_class_drawn"] = [f"{len(seen)} masks, such as {seen[0].mask}"]
    return {kind: examples for kind, examples in found.items() if examples}


def _classes(
    seen: Sequence[MaskedImage], holding: Sequence[frozenset[int]], names: Sequence[str]
) -> dict[str, list[str]]:
    """Classes that tags and masks do not agree on, over all images whose tags are known."""
    if any(sample.tags is None for sample in seen):
        return {}
    tagged = Counter(tag for sample in seen for tag in sample.tags or ())
    drawn = Counter(i - 1 for ids in holding for i in ids if 0 < i <= len(names))
    right = {
        tag
        for sample, ids in zip(seen, holding, strict=True)
        for tag in sample.tags or ()
        if tag + 1 in ids
    }
    return {
        "undrawn_classes": [
            f"{names[tag]} (tagged in {count} images with masks, drawn in none of these)"
            for tag, count in sorted(tagged.items())
            if tag not in right
        ],
        "untagged_classes": [
            f"{names[tag]} (drawn in {count} masks, tagged in no image of them)"
            for tag, count in sorted(drawn.items())
            if tag not in tagged
        ],
    }


def look_at_masks(
    samples: Sequence[MaskedImage], *, num_classes: int, max_pixels: int = MAX_PIXELS
) -> tuple[list[MaskedImage], Contents]:
    """Read some masks, spread evenly over the list, the same in every run.

    Returns:
        The images looked at, and what is in the masks that can be read.
    """
    step = max(len(samples) / LOOKED_AT, 1.0)
    chosen = [samples[int(i * step)] for i in range(min(len(samples), LOOKED_AT))]

    def read(sample: MaskedImage) -> frozenset[int] | None:
        try:
            mask = read_mask(
                sample.mask, labels=sample.labels, num_classes=num_classes, max_pixels=max_pixels
            )
        except (InputError, OSError):  # evaluation says so when its turn comes, `check` at once
            return None
        return frozenset(ids_in(mask))

    with ThreadPoolExecutor(cores()) as executor:
        found = list(executor.map(read, chosen))
    return chosen, {s.mask: ids for s, ids in zip(chosen, found, strict=True) if ids is not None}
