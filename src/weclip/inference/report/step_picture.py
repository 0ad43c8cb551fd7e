"""The picture of a training step, `pictures/step-*.png`.

Stage 6.
"""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from weclip.data.batch import Batch
from weclip.data.masks.colours import VOC_COLOURS
from weclip.inference.visualize import heat_overlay, overlay, picture_row
from weclip.methods.method import StepOutput


def draw_step(
    batch: Batch, output: StepOutput, *, palette: NDArray[np.uint8] = VOC_COLOURS
) -> NDArray[np.uint8]:
    """The first image of a training step beside its CAM, pseudo-label and prediction.

    Args:
        batch: The batch of the step.
        output: What the step computed.
        palette: (256, 3) colours by class id.

    Returns:
        (H', W', 3) uint8 RGB.
    """
    image = batch.image[0].permute(1, 2, 0).cpu().numpy()
    cam = output.cam[0].amax(dim=0).cpu().numpy()
    logits = output.logits[:1].detach().float()
    logits = F.interpolate(logits, size=image.shape[:2], mode="bilinear", align_corners=False)
    label_maps = (output.target[0], logits[0].argmax(dim=0))
    pictures = (
        Image.fromarray(image),
        heat_overlay(image, cam),
        *(overlay(image, m.cpu().numpy().astype(np.uint8), palette=palette) for m in label_maps),
    )
    return np.asarray(picture_row(pictures))
