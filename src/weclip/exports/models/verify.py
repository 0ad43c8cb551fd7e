"""Whether an exported model computes what the model does, on images of usual and odd sizes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from weclip.exports.models.formats import Run
from weclip.exports.models.graph import Graph
from weclip.inference.onnx.header import LABEL_MAP
from weclip.system.errors import RunError

SHAPES = (
    *((1, 224, 224), (1, 375, 500), (1, 333, 500), (2, 128, 128), (3, 97, 211)),
    *((1, 512, 384), (1, 65, 33), (4, 64, 64), (1, 32, 301), (2, 240, 320)),
)
"""(B, H, W) of the images."""

TOLERANCE = {"float32": 1e-4, "float16": 0.05}
"""The largest difference of a logit that is allowed, as a share of the logits' range."""

EQUAL = {"float32": 0.999, "float16": 0.97}
"""The least share of pixels whose class is the same."""


SMALLEST = 1e-3
"""The least range that logits are taken to have: those of an untrained model may be all alike."""


@dataclass(frozen=True)
class Verified:
    """How far an exported model is from the model.

    Attributes:
        shapes: How many sizes and numbers of images were tried.
        largest: The largest difference of a logit; 0 for class ids.
        equal: The least share of pixels (or patches) with the same class.
    """

    shapes: int
    largest: float
    equal: float


def verify(run: Run, graph: Graph, precision: str, least: int = 1) -> Verified:
    """Compare an exported model with the graph in float32.

    Args:
        run: The exported model.
        graph: The graph that it should compute, in float32.
        precision: Of the exported model.
        least: Pixels that a side of its images must have.

    Raises:
        RunError: They differ by more than is allowed.
    """
    largest = share = 0.0
    equal = 1.0
    shown = [image for image in images() if min(image.shape[2:]) >= least]
    for image in shown:
        with torch.no_grad():
            expected = graph(torch.from_numpy(image)).numpy()
        found = run(image)
        if found.shape != expected.shape:
            raise RunError(
                f"the exported model gives {found.shape} and not {expected.shape} for images "
                f"{image.shape}; it is not kept"
            )
        if not np.isfinite(found).all():
            raise RunError(
                "the exported model gives numbers that are not finite for images "
                f"{image.shape}; it is not kept"
            )
        if graph.output == LABEL_MAP:
            equal = min(equal, float((found == expected).mean()))
            continue
        difference = float(np.abs(found - expected).max())
        largest = max(largest, difference)
        share = max(share, difference / max(float(np.ptp(expected)), SMALLEST))
        equal = min(equal, float((found.argmax(1) == expected.argmax(1)).mean()))
    if share > TOLERANCE[precision] or equal < EQUAL[precision]:
        raise RunError(
            f"the exported model computes something else: logits differ by {largest:.2g}, "
            f"{100 * share:.2g} % of their range, {100 * equal:.1f} % of the classes are the same; "
            "it is not kept"
        )
    return Verified(len(shown), largest, equal)


def images() -> Iterator[NDArray[np.float32]]:
    """Images (B, 3, H, W) float32 in [0, 255], with large and small forms, always the same."""
    rng = np.random.default_rng(0)
    for batch, height, width in SHAPES:
        y, x = np.mgrid[:height, :width].astype(np.float32)
        waves = [
            np.sin(x / rng.uniform(3, 60) + rng.uniform(0, 6))
            + np.sin(y / rng.uniform(3, 60) + rng.uniform(0, 6))
            for _ in range(3 * batch)
        ]
        noise = rng.normal(0, 12, (batch, 3, height, width))
        image = 127 + 50 * np.reshape(waves, (batch, 3, height, width)) + noise
        yield image.clip(0, 255).astype(np.float32)
