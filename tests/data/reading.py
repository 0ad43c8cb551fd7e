"""Reading one split of a layout in one call, for tests."""

from pathlib import Path
from types import SimpleNamespace

from weclip.data.classes import ClassList
from weclip.data.dataset import LAYOUTS


def reader(name: str) -> SimpleNamespace:
    """What a layout reads, opened anew each time."""
    make = LAYOUTS[name]

    def read_split(root: str | Path, classes: ClassList, split: str, *tags: object):
        return make(root, classes, *tags).read_split(split)

    def read_masked_split(root: str | Path, classes: ClassList, split: str, *tags: object):
        return make(root, classes, *tags).read_masked_split(split)

    def unlisted_images(root: str | Path, classes: ClassList, *tags: object):
        return list(make(root, classes, *tags).holdings().unused)

    return SimpleNamespace(
        read_split=read_split,
        read_masked_split=read_masked_split,
        unlisted_images=unlisted_images,
    )
