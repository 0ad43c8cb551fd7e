"""Retrieval: regions are named by their nearest neighbours in a bank of pseudo-masks.

Stage 4. He, Liu, Zhang, Wei, Tang, "ModuSeg", arXiv 2604.07021. Nothing is trained: what stands in
the place of a decoder is the bank. Constants are those of its released code.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.guide import Guide
from weclip.data.batch import Batch
from weclip.data.windows import whole
from weclip.labels.banks.naming import Find, Namer, NamingSettings, pixels_of
from weclip.labels.banks.pseudo_regions import pseudo_regions
from weclip.labels.banks.region_features import aggregated, mask_weights, padded
from weclip.labels.banks.voting import fitting_count
from weclip.labels.regions.given import at_size
from weclip.labels.regions.regions import Regions, RegionSource
from weclip.labels.resizing import planes, resized
from weclip.labels.view import View
from weclip.methods.heads.bank_rows import BankRows
from weclip.methods.labelling import LABEL_KINDS, LabelMaps
from weclip.methods.loss_inputs import Total
from weclip.methods.method import Ingredients, ParameterGroup, StepOutput, total_of_one
from weclip.parts import method, setting
from weclip.system.errors import InputError

LEAST = 1e-6
"""The smallest probability, of classes that no neighbour voted for; its logarithm is a logit."""


@method("retrieval")
@dataclass(frozen=True, kw_only=True)
class RetrievalSettings:
    """Regions named by their neighbours in a bank of pseudo-masks; nothing is trained (ModuSeg)."""

    needs: ClassVar = ("dino",)
    fills: ClassVar = True
    """Its training fills a bank: it has no steps."""

    masks: str | None = setting(
        None, source="ours; folder of class masks, such as of weclip label; null: they are made"
    )
    neighbours: int = setting(25, source="ModuSeg, released code", above=0, most=10_000)
    most_share: float = setting(
        0.5,
        source="ours; ModuSeg has no limit; neighbours are at most this share of the rows of a "
        "class (median)",
        above=0,
    )
    erosion: float = setting(
        0.05, source="ours; ModuSeg: 20 pixels; below 1 a share of the shorter side", least=0
    )
    least_area: float = setting(
        0.0016, source="ours; ModuSeg: 300 pixels; below 1 a share of the image", least=0
    )
    drop_share: float = setting(
        0.25, source="ModuSeg, released code; farthest rows of a class", least=0, most=1
    )
    background_drop_share: float = setting(0.0, source="ModuSeg, released code", least=0, most=1)
    least_score: float = setting(
        0.6, source="ModuSeg, released code; of regions that have a score", least=0, most=1
    )
    most_overlap: float = setting(
        0.4, source="ModuSeg, released code; of two regions of a class", least=0, most=1
    )

    def __call__(self, given: Ingredients) -> "Retrieval":
        """The method with an empty bank."""
        if given.guide is None or given.regions is None:
            raise InputError("method 'retrieval' reads a second encoder; add dino.weights=PATH")
        return Retrieval(
            encoder=given.guide,
            regions=given.regions,
            settings=self,
            num_classes=given.num_classes,
        )


class Retrieval(nn.Module):
    """Retrieval.

    Args:
        encoder: Frozen second encoder.
        regions: What cuts images.
        settings: Constants.
        num_classes: C, with background.
    """

    needs: Sequence[str] = RetrievalSettings.needs
    stride = 1
    """Pixels of a logit's side."""

    def __init__(
        self,
        *,
        encoder: DinoImageEncoder,
        regions: RegionSource,
        settings: RetrievalSettings,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.regions = regions
        self.settings = settings
        self.num_classes = num_classes
        self.trained: nn.Module = BankRows(encoder.width, num_classes)
        naming = NamingSettings(
            least_area=settings.least_area,
            least_score=settings.least_score,
            most_overlap=settings.most_overlap,
        )
        self.namer = Namer(naming, num_classes, encoder.patch_size)

    @property
    def bank(self) -> BankRows:
        """What is filled."""
        assert isinstance(self.trained, BankRows)
        return self.trained

    @property
    def device(self) -> torch.device:
        """Where the method is."""
        return self.encoder.mean.device

    @property
    def patch_size(self) -> int:
        """Pixels of a side of what the encoder computes of, which decides the memory it takes."""
        return self.encoder.patch_size

    @property
    def neighbours(self) -> int:
        """How many vote."""
        use = self.settings
        return fitting_count(use.neighbours, self.bank.classes, use.most_share)

    def tokens(self, image: NDArray[np.uint8]) -> Tensor:
        """(N, J) of an image (H, W, 3), black where patches reach beyond it."""
        rgb = padded(planes(image).float(), self.encoder.patch_size).to(self.device)
        guide: Guide = self.encoder(rgb[None])
        return guide.features[0].float()

    def guide(self, image: NDArray[np.uint8]) -> Guide:
        """What region sources may read of an image (H, W, 3)."""
        guide: Guide = self.encoder(planes(image)[None].to(self.device))
        return guide

    @torch.no_grad()
    def rows_of(self, image: NDArray[np.uint8], label_map: Tensor) -> tuple[Tensor, Tensor]:
        """What the bank takes of an image (H, W, 3) and its pseudo-mask (H, W).

        Returns:
            Unit features (r, J) float32 and class ids (r,) uint8, one row a class at the most.
        """
        use, (height, width) = self.settings, label_map.shape
        found = pseudo_regions(
            label_map,
            reach=pixels_of(use.erosion, min(height, width)),
            least=max(1, pixels_of(use.least_area, height * width)),
        )
        if not found:
            return torch.empty(0, self.encoder.width), torch.empty(0, dtype=torch.uint8)
        weights = mask_weights(found.values(), self.encoder.patch_size).to(self.device)
        features, usable = aggregated(weights, self.tokens(image))
        classes = torch.tensor(list(found), dtype=torch.uint8)
        return features[usable].cpu(), classes[usable.cpu()]

    @torch.no_grad()
    def probabilities(
        self,
        image: NDArray[np.uint8],
        *,
        regions: Regions | None = None,
        find: Find | None = None,
        allowed: Sequence[int] | None = None,
    ) -> Tensor:
        """Class probabilities (C, H, W) of an image's pixels.

        Args:
            image: (H, W, 3) uint8, RGB.
            regions: Of it, of any size; None: the region source cuts it.
            find: As in `Namer`; None: among the rows of the bank.
            allowed: Class ids that may be there, where `find` is not given; None: all.
        """
        # 1. Regions: masks (P, H, W), or a number for each pixel (H, W)
        size = (image.shape[0], image.shape[1])
        cut = self.regions(image, self.guide) if regions is None else at_size(regions, size)
        # 2. Frozen encoder: a feature for each patch
        tokens = self.tokens(image)  # (N, J)
        # 3. Neighbours of each region vote; regions paint their pixels
        find = find or partial(self.bank.find, count=self.neighbours, allowed=allowed)
        return self.namer(tokens, cut, find)  # (C, H, W)

    def forward(self, image: Tensor, regions: Sequence[Regions] | None = None) -> Tensor:
        """Logits (B, C, H, W) of RGB images (B, 3, H, W) in 0..255: logarithms of vote shares.

        Args:
            image: The images.
            regions: Of each, as in `probabilities`.
        """
        given = [None] * len(image) if regions is None else regions
        found = [
            self.probabilities(_levels(each), regions=cut)
            for each, cut in zip(image, given, strict=True)
        ]
        return torch.stack(found).clamp(min=LEAST).log()

    @torch.no_grad()
    def label_maps(
        self,
        image: Tensor,
        tags: tuple[int, ...],
        *,
        size: tuple[int, int],
        step: int,
        regions: Regions | None = None,
    ) -> LabelMaps:
        """As `Labeller.label_maps`: only rows of tags and background have a vote."""
        allowed = [0, *(tag + 1 for tag in tags)]
        scores = self.probabilities(_levels(image[0]), regions=regions, allowed=allowed)
        best = resized(scores, size, whole(size)).argmax(dim=0).to(torch.uint8).cpu()
        return LabelMaps(scores[1:].amax(0).cpu().numpy(), dict.fromkeys(LABEL_KINDS, best))

    def parameter_groups(self) -> list[ParameterGroup]:
        """None: nothing is trained."""
        return []

    def training_step(self, batch: Batch, step: int, total: Total = total_of_one) -> StepOutput:
        """There is none.

        Raises:
            InputError: Always.
        """
        raise InputError("method 'retrieval' has no training steps: its bank is filled")

    def feature_affinity(self, view: View) -> Tensor | None:
        """None: nothing is learnt of pairs of patches."""
        return None


def _levels(image: Tensor) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 of an image (3, H, W) in 0..255 of any type."""
    levels: NDArray[np.uint8] = (
        image.float().round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    )
    return levels
