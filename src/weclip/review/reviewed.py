"""What is reviewed: images with tags, and the masks that somebody made of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.reading import PLAIN, Reading
from weclip.inference.prediction import Prediction

Predict = Callable[[NDArray[np.uint8]], Prediction]
"""(H, W, 3) uint8 RGB -> label map and confidence."""


@dataclass(frozen=True)
class Item:
    """One image of the queue.

    Attributes:
        image: Its name, file and given tags.
        mask: The mask that was made of it, a PNG of ids; None where it is predicted when shown.
        confidence: Mean confidence of the mask in [0, 1]; None where nobody knows it yet.
        soft: Maps of `weclip label --soft`; need not be there.
        sure: Confidence of each pixel as `weclip predict --confidence` writes it; need not be.
    """

    image: TaggedImage
    mask: Path | None = None
    confidence: float | None = None
    soft: Path | None = None
    sure: Path | None = None


@dataclass(frozen=True)
class Doubt:
    """A suspected tag of `weclip check --suspects`.

    Attributes:
        text: What is doubted, for people.
        confidence: In (0, 1], that something is wrong.
    """

    text: str
    confidence: float


@dataclass(frozen=True)
class Reviewed:
    """A folder that is reviewed.

    Attributes:
        title: What it is, for people.
        folder: The folder, in which `corrected/` is written.
        classes: Class list of masks and tags.
        items: The images.
        reading: How image files are read.
        predict: The model, where masks are predicted when an image is shown.
        doubts: Name of an image -> what is suspected of its tags.
        differ: Name of an image -> share of pixels in which another method's mask differs.
        no_cam: Why there are no CAMs, in one line; empty where there are.
        no_confidence: The same of the confidence of pixels.
    """

    title: str
    folder: Path
    classes: ClassList
    items: Sequence[Item]
    reading: Reading = PLAIN
    predict: Predict | None = None
    doubts: Mapping[str, Sequence[Doubt]] = field(default_factory=dict)
    differ: Mapping[str, float] = field(default_factory=dict)
    no_cam: str = ""
    no_confidence: str = ""
