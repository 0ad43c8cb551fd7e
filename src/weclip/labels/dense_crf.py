"""Fully connected CRF (Krähenbühl and Koltun, 2011) that pulls class probabilities to image edges.

Stage 3; used only in testing, after the softmax. The solver is `pydensecrf2`, an optional
dependency that is built from source: `pip install "weclip[crf]"`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.system.errors import InputError, RunError
from weclip.system.memory import free_memory

PIXEL, OF_CLASS = 150, 21
"""Bytes of a pixel, and of each class of it, that the solver takes of an image of one colour; of
noise three times as many (pydensecrf2 1.1, measured)."""

_SMALLEST_PROBABILITY = 1e-5  # keeps the unary energy -log(p) finite


def dense_crf(
    image: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    *,
    iterations: int = 10,
    gaussian_sxy: float = 3,
    gaussian_weight: float = 3,
    bilateral_sxy: float = 64,
    bilateral_srgb: float = 5,
    bilateral_weight: float = 4,
) -> NDArray[np.float32]:
    """Refine class probabilities with mean-field inference; the defaults are the released code's.

    Args:
        image: (H, W, 3) uint8, RGB.
        probabilities: (C, H, W) float32 in [0, 1], summing to 1 over C.
        iterations: Mean-field updates.
        gaussian_sxy: Width of the smoothness kernel, pixels.
        gaussian_weight: Potts penalty of the smoothness kernel.
        bilateral_sxy: Width of the appearance kernel in position, pixels.
        bilateral_srgb: Width of the appearance kernel in colour, grey levels.
        bilateral_weight: Potts penalty of the appearance kernel.

    Returns:
        (C, H, W) float32 probabilities.

    Raises:
        InputError: `pydensecrf2` is not installed.
        ValueError: The image and the probabilities differ in size.
    """
    classes, height, width = probabilities.shape
    if image.shape != (height, width, 3):
        raise ValueError(
            f"image of shape {image.shape} does not fit probabilities of shape "
            f"{probabilities.shape}: expected ({height}, {width}, 3)"
        )
    crf = load_solver().DenseCRF2D(width, height, classes)
    unary = np.clip(probabilities, _SMALLEST_PROBABILITY, 1.0, dtype=np.float32)
    np.negative(np.log(unary, out=unary), out=unary)
    crf.setUnaryEnergy(np.ascontiguousarray(unary.reshape(classes, -1)))
    del unary  # the solver has its own copy
    crf.addPairwiseGaussian(sxy=gaussian_sxy, compat=gaussian_weight)
    crf.addPairwiseBilateral(
        sxy=bilateral_sxy,
        srgb=bilateral_srgb,
        rgbim=np.require(image, requirements=("C", "W")),  # as the solver wants it
        compat=bilateral_weight,
    )
    marginals = np.asarray(crf.inference(iterations), dtype=np.float32)  # C,H*W
    return marginals.reshape(classes, height, width)


def load_solver() -> Any:
    """Import the compiled module; InputError that says how to get it, if it is not installed."""
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise InputError(
            "the dense CRF was asked for, but pydensecrf2 is not installed: run "
            '`pip install "weclip[crf]"`, or go without the CRF'
        ) from error
    return densecrf


def installed_crf() -> Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.float32]]:
    """`dense_crf` with its defaults; errors as in `load_solver`, before there is an image."""
    load_solver()
    return dense_crf


def require_memory(classes: int, size: tuple[int, int]) -> None:
    """Say so before the work where an image (H, W) is too large: the CRF takes all of it at once.

    Raises:
        RunError: It takes more memory than there is.
    """
    needed, free = size[0] * size[1] * (PIXEL + OF_CLASS * classes), free_memory()
    if free is not None and needed > free:
        raise RunError(
            f"out of memory: an image of {size[1]} x {size[0]} pixels with {classes} classes takes "
            f"{needed / 1e9:.0f} GB or more in the dense CRF, and {free / 1e9:.1f} GB are free; go "
            "without the CRF, or scale large images down"
        )
