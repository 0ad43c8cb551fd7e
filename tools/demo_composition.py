"""Scenes of several objects, composed of labelled scenes of one object (copy-paste).

A scene of one object is easily labelled from its caption. Pasting the labelled object onto other
scenes gives scenes of several objects with labels as good, again without a mask.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from demo_captions import Pool
from weclip.demo.world import MIN_VISIBLE

LAYER_CHANCES = ((0.1, 0.35, 0.35, 0.2), (0.4, 0.4, 0.2, 0.0))
"""Chances of 0 to 3 pasted objects, onto scenery and onto a scene of one object."""


@dataclass(frozen=True)
class LabelledPool:
    """Scenes and their pseudo-labels.

    Attributes:
        pool: The scenes.
        labels: (M, S, S) uint8 class ids, 0 for background.
    """

    pool: Pool
    labels: Tensor

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Images (B, 3, S, S) in 0..1, labels (B, S, S) and captions (B, V) of random scenes."""
        chosen = rng.integers(len(self.pool.images), size=count)
        images, captions = self.pool.pick(chosen)
        return images, self.labels[torch.from_numpy(chosen)], captions


def compose(
    objects: LabelledPool, scenery: LabelledPool, count: int, classes: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Paste zero to three objects onto scenes.

    Args:
        objects: Scenes of one object.
        scenery: Scenes of none.
        count: How many scenes to compose.
        classes: Number of classes, which are the first words of a caption.
        rng: Source of every choice.

    Returns:
        Images (B, 3, S, S) in 0..1, labels (B, S, S) uint8 and captions (B, V) bool.
    """
    half = count // 2
    parts = zip(scenery.draw(half, rng), objects.draw(count - half, rng), strict=True)
    images, labels, captions = (torch.cat(pair) for pair in parts)
    layers = np.array(
        [rng.choice(4, p=LAYER_CHANCES[int(index >= half)]) for index in range(count)]
    )
    for layer in range(3):
        pasted = torch.from_numpy(np.flatnonzero(layers > layer))
        if len(pasted):
            images[pasted], labels[pasted] = paste(
                images[pasted], labels[pasted], objects.draw(len(pasted), rng), rng
            )
    flip = torch.from_numpy(rng.random(count) < 0.5)
    images[flip], labels[flip] = images[flip].flip(-1), labels[flip].flip(-1)
    ids = torch.arange(1, classes + 1, dtype=labels.dtype)[None, :, None, None]
    area = (labels[:, None] == ids).float().mean((2, 3))
    captions[:, :classes] = area >= MIN_VISIBLE
    return images, labels, captions


def paste(
    images: Tensor,
    labels: Tensor,
    source: tuple[Tensor, Tensor, Tensor],
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Paste the labelled object of each source, turned, scaled, stretched, flipped, moved.

    Args:
        images: (B, 3, S, S).
        labels: (B, S, S).
        source: What `LabelledPool.draw` returns.
        rng: Source of every choice.

    Returns:
        Images and labels.
    """
    image, label, _ = source
    mask = (label > 0).float()[:, None]
    layers = torch.cat([image * mask, mask], dim=1)
    grid = F.affine_grid(_placements(mask, rng), list(mask.shape), align_corners=False)
    moved = F.grid_sample(layers, grid, align_corners=False)
    alpha = moved[:, 3:]
    ids = label.flatten(1).amax(1).view(-1, 1, 1)
    return images * (1 - alpha) + moved[:, :3], torch.where(alpha[:, 0] > 0.5, ids, labels)


def _placements(mask: Tensor, rng: np.random.Generator) -> Tensor:
    """Random maps (B, 2, 3) from where objects (B, 1, S, S) are to be, to where they are."""
    count, size = len(mask), mask.shape[-1]
    axis = (torch.arange(size) + 0.5) * 2 / size - 1
    mass = mask.sum((1, 2, 3)).clamp_min(1)
    x, y = ((mask * place).sum((1, 2, 3)) / mass for place in (axis, axis[:, None]))
    angle = torch.from_numpy(rng.uniform(-0.35, 0.35, count))
    zoom = torch.from_numpy(rng.uniform(0.8, 1.25, (count, 2)))
    mirror = torch.from_numpy(rng.choice([-1.0, 1.0], count))
    target = torch.from_numpy(rng.uniform(-0.85, 0.85, (count, 2)))
    turn = (
        torch.stack(
            [mirror * angle.cos(), -mirror * angle.sin(), angle.sin(), angle.cos()], dim=1
        ).view(-1, 2, 2)
        / zoom[..., None]
    )
    shift = torch.stack([x, y], dim=1) - (turn @ target[..., None])[..., 0]
    return torch.cat([turn, shift[..., None]], dim=2).float()


def patch_shares(labels: Tensor, side: int, num_classes: int) -> Tensor:
    """Which part of each of side x side patches has which label: (B, side**2, num_classes)."""
    ids = torch.arange(num_classes, dtype=labels.dtype)[None, :, None, None]
    one_hot = (labels[:, None] == ids).float()
    return F.adaptive_avg_pool2d(one_hot, side).flatten(2).transpose(1, 2)
