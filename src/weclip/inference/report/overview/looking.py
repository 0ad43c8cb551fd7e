"""Looking at an image with a model: its label map, and how sure the model is of it.

Stage 6. One pass of the model, and full-size probabilities window by window, as in prediction.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from weclip.data.windows import windows
from weclip.inference.prediction import beside
from weclip.inference.predictor import Predictor
from weclip.labels.regions.regions import Regions
from weclip.labels.resizing import resized


def look(
    predictor: Predictor, image: NDArray[np.uint8], regions: Regions | None = None
) -> tuple[NDArray[np.uint8], float]:
    """The label map (H, W) that the predictor gives without CRF, and the mean best probability.

    Args:
        predictor: The model with its test protocol; its CRF is left out.
        image: (H, W, 3) uint8, RGB.
        regions: Of it, for a model that reads regions in files.
    """
    size = (image.shape[0], image.shape[1])
    found = predictor.logits([beside(predictor.prepare(image), regions)])[0]
    logits = torch.from_numpy(found).to(predictor.device)  # (C, h, w)
    label_map, total = np.empty(size, np.uint8), 0.0
    for window in windows(size, len(logits)):
        best, ids = resized(logits, size, window).softmax(0).max(0)
        label_map[window] = ids.cpu().numpy().astype(np.uint8)
        total += float(best.cpu().double().sum())  # Apple's GPUs have no float64
    return label_map, total / label_map.size
