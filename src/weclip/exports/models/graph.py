"""The graph that is exported: images in, logits or class ids out.

Of any number of images and any size; `torch.export` traces it.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim

from weclip.inference.onnx.header import LABEL_MAP, LOGITS

TRACED_SIZE = (2, 3, 144, 176)
"""Shape of the images that the graph is traced with; any other will do."""

FREE: Mapping[int, Any] = {0: Dim.DYNAMIC, 2: Dim.DYNAMIC, 3: Dim.DYNAMIC}


class Graph(nn.Module):
    """What is exported.

    Args:
        method: Maps RGB (B, 3, H, W) in 0..255 to logits (B, C, h, w) at patch resolution. It is
            put in eval mode, and in half precision if that is asked for.
        output: One of `OUTPUTS`.
        half: Whether weights are float16.
    """

    def __init__(self, method: nn.Module, output: str, *, half: bool = False) -> None:
        super().__init__()
        self.method = (method.half() if half else method.float()).eval()
        self.output = output
        self.half_precision = half

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """The output of RGB images (B, 3, H, W) float32 in 0..255; logits are float32."""
        logits: Tensor = self.method(image.half() if self.half_precision else image).float()
        if self.output == LOGITS:
            return logits
        size = (image.shape[2], image.shape[3])
        full = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return full.argmax(dim=1).to(torch.uint8) if self.output == LABEL_MAP else full


def traced_image() -> Tensor:
    """Images to trace with, of `TRACED_SIZE`."""
    generator = torch.Generator().manual_seed(0)
    return 255 * torch.rand(TRACED_SIZE, generator=generator)


@contextmanager
def in_silence() -> Iterator[None]:
    """Leave out what PyTorch's exporters tell of themselves; errors are raised all the same."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
