"""Fully connected CRF (Krähenbühl and Koltun, 2011) that pulls class probabilities to image edges.

Stage 3; used only in testing, after the softmax. The solver is `pydensecrf2`, an optional
dependency that is built from source: `pip install "weclip[crf]"`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.system.errors import InputError

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
    unary = -np.log(np.clip(probabilities, _SMALLEST_PROBABILITY, 1.0))
    crf.setUnaryEnergy(np.ascontiguousarray(unary.reshape(classes, -1), dtype=np.float32))
    crf.addPairwiseGaussian(sxy=gaussian_sxy, compat=gaussian_weight)
    crf.addPairwiseBilateral(
        sxy=bilateral_sxy,
        srgb=bilateral_srgb,
        rgbim=np.ascontiguousarray(image),
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
