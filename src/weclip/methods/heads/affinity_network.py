"""AFA's network: a trained encoder with a classifier, an affinity and a segmentation head.

Stage 4, AFA section 3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weclip.backbones.mit.image_encoder import MitEncoder, MitFeatures
from weclip.data.batch import Share
from weclip.methods.heads.mlp_head import MlpHead, ScoreAffinity
from weclip.methods.loss_inputs import Total
from weclip.system.errors import InputError


@dataclass(frozen=True)
class Seen:
    """What the network makes of images.

    Attributes:
        logits: (B, C, h_1, w_1) at stride 4.
        class_logits: (B, C-1), a score of each tag.
        features: What the encoder made.
        affinity: (B, N, N) in (0, 1), symmetric; None where it was not asked for.
    """

    logits: Tensor
    class_logits: Tensor
    features: MitFeatures
    affinity: Tensor | None


class AffinityNetwork(nn.Module):
    """All that AFA trains.

    Args:
        encoder: The encoder; its normalisations stay as they are.
        num_classes: C, with background.
        width: Channels E of the segmentation head.
        dropout: Of the head's channels.
    """

    def __init__(
        self, encoder: MitEncoder, *, num_classes: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.encoder = encoder
        widths = encoder.settings.widths
        self.classifier = nn.Conv2d(widths[-1], num_classes - 1, kernel_size=1, bias=False)
        self.affinity = ScoreAffinity(encoder.settings.score_maps)
        self.segmenter = MlpHead(widths, width=width, num_classes=num_classes, dropout=dropout)
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad = "norm" not in name

    def forward(
        self, image: Tensor, share: Share | None, total: Total, *, pairs: bool = False
    ) -> Seen:
        """Segment and classify.

        Args:
            image: (B, 3, H, W), RGB in 0..255, any type.
            share: Which images of a training step these are; None: all of them.
            total: Sums a tensor over the processes of the step.
            pairs: Whether the affinity is wanted.
        """
        features = self.encoder(self.encoder.normalise(image), share=share, scores=pairs)
        pooled = features.maps[-1].amax(dim=(2, 3), keepdim=True)  # (B, D, 1, 1)
        return Seen(
            self.segmenter(features.maps, share, total),
            self.classifier(pooled).flatten(1),
            features,
            self.affinity(features.scores) if pairs else None,
        )

    def affinity_on(self, image: Tensor, patch_grid: tuple[int, int]) -> Tensor:
        """(B, N, N) of images (B, 3, H, W), between the patches of another encoder.

        Raises:
            InputError: That encoder's patches (h, w) are others.
        """
        grid = self.encoder.grid_of((image.shape[2], image.shape[3]))
        if grid != patch_grid:
            raise InputError(
                f"label.model: its affinity is between {grid[0]} x {grid[1]} patches, and the CLIP "
                f"has {patch_grid[0]} x {patch_grid[1]} of an image; leave label.square out"
            )
        features = self.encoder(self.encoder.normalise(image))
        affinity: Tensor = self.affinity(features.scores)
        return affinity

    def class_maps(self, features: MitFeatures) -> Tensor:
        """(B, C-1, h, w), the classifier on every token, in float32 or finer."""
        maps: Tensor = self.classifier(features.maps[-1])
        return maps.to(torch.promote_types(maps.dtype, torch.float32))


@contextmanager
def in_mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """A module, all of whose parts are in one mode, in training or eval mode for a while."""
    before = module.training
    module.train(training)
    try:
        yield
    finally:
        module.train(before)
