"""What the images of a report are, in numbers."""

from collections import Counter
from collections.abc import Sequence

from weclip.data.batch import TaggedImage
from weclip.inference.report.overview.scene import Scene

MANY = 6
"""Tags of an image from which on they are counted together."""


def images_by_class(images: Sequence[TaggedImage], count: int) -> list[int]:
    """Images with each tag, of `count` classes without background."""
    found = Counter(tag for image in images for tag in image.tags)
    return [found[index] for index in range(count)]


def images_by_tags(images: Sequence[TaggedImage]) -> list[int]:
    """Images by number of tags, from 0 to the most; `MANY` or more together."""
    found = Counter(min(len(image.tags), MANY) for image in images)
    return [found[number] for number in range(max(found, default=0) + 1)]


def tags_found(scenes: Sequence[Scene]) -> tuple[str, str, str]:
    """The headline of how many tags are found in the label maps."""
    tags = sum(len(scene.tag_ids) for scene in scenes)
    lost = sum(len(scene.nowhere) for scene in scenes)
    share = f"{100 * (tags - lost) / tags:.0f} %" if tags else "–"
    return "tags found", share, f"{lost:,} of {tags:,} are nowhere"
