"""Folders whose names say what part they play: a split, the images, or what is drawn of them.

Stage 1, for the format `folder`. Such a name is never a class, unless a class list names it. The
images' own folder adds nothing to a path; of masks, labels, overlays and annotations no file is an
image to learn from.
"""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from weclip.data.layouts.split_names import is_split

Role = Literal["images", "other"]

_IMAGES = frozenset("images image imgs img jpegimages jpgimages data leftimg8bit".split())
_OTHER = frozenset(
    "masks mask maskpng labels label labelids labelstxt labeltxt lbl annotations annotation "
    "annotated annos anno annots annot anns ann overlays overlay segmentation segmentations "
    "segmentationclass segmentationclassaug segmentationclassraw segmentationclasspng "
    "segmentationclassvisualization segmentationobject segmentationobjectaug segmasks segmask "
    "panoptic gt gts gtfine gtcoarse groundtruth groundtruths imagesets imageset "
    "xml xmls json jsons predictions prediction preds pred visualization visualizations "
    "superpixels colormaps colormap trimaps trimap thumbnails thumbnail".split()
)
_NEUTRAL = frozenset("set sets split splits all full folder dir raw png jpg jpeg obj".split())
_GLUED = re.compile(r"(train|val|valid|test|obj)(.+)")


class Part(NamedTuple):
    """What a folder's name says of it.

    Attributes:
        split: The name of a split in it, such as `train` of `train_images`; None if there is none.
        role: `images`, or `other` for what is no image to learn from; None if it says nothing.
    """

    split: str | None
    role: Role | None


@lru_cache(maxsize=1024)
def part_of(name: str) -> Part | None:
    """What part a folder plays, by its name; None if it is a name like any other.

    >>> part_of("Train"), part_of("JPEGImages"), part_of("test_labels")
    (Part(split='Train', role=None), Part(split=None, role='images'), \
Part(split='test', role='other'))
    >>> part_of("train station"), part_of("dog")
    (None, None)
    """
    if is_split(name):
        return Part(name, None)
    if (whole := _role(re.sub(r"[\W_]+", "", name.casefold()))) is not None:
        return Part(None, whole)
    split, roles = None, set[Role]()
    for word in _words(name):
        if is_split(word):
            split = word
        elif (role := _role(word)) is not None:
            roles.add(role)
        elif word not in _NEUTRAL:
            return None
    if split is None and not roles:
        return None
    return Part(split, "other" if "other" in roles else "images")


def _words(name: str) -> list[str]:
    """The words of a name in lower case; `trainannot` has two."""
    words = []
    for word in re.split(r"[\W_]+", name.casefold()):
        glued = _GLUED.fullmatch(word)
        known = is_split(word) or _role(word) is not None
        if glued and not known and (_role(glued[2]) is not None or glued[2] in _NEUTRAL):
            words += [glued[1], glued[2]]
        elif word and not re.fullmatch(r"(?:19|20)\d\d", word):
            words.append(word)
    return words


def _role(word: str) -> Role | None:
    if word in _IMAGES:
        return "images"
    return "other" if word in _OTHER else None
