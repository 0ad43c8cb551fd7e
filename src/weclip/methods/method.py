"""What training, prediction and reports need of a method; they know nothing else of it.

Stage 4. Protocols, not base classes: a method is any module with these names. `Labeller` is what
methods without training speak too, `Tagger` what finds tags, `Method` what is trained.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.mit.weights import Mit
from weclip.data.batch import Batch
from weclip.labels.regions.regions import RegionSource
from weclip.labels.tag_maps import TagMaps
from weclip.labels.view import View
from weclip.methods.labelling import LabelMaps, LabelSettings
from weclip.methods.loss_inputs import Loss, LossInputs, Total
from weclip.system.errors import InputError


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are trained alike.

    Attributes:
        parameters: The parameters.
        rate_factor: Of the learning rate.
        weight_decay: Whether weights decay.
    """

    parameters: Iterable[nn.Parameter]
    rate_factor: float = 1.0
    weight_decay: bool = True


@dataclass(frozen=True)
class StepOutput:
    """What one training step computed.

    Attributes:
        loss: Scalar with graph.
        terms: The losses by name, detached scalars; `loss` is their sum.
        tags: (B, C-1) bool.
        logits: (B, C, h, w).
        cam: (B, K, h, w) in [0, 1], maps of the tags as the labels were made of them.
        target: (B, H, W), the label map with `IGNORE_INDEX` where nothing counts.
        detail: What only one method has, of a type of its own.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    tags: Tensor
    logits: Tensor
    cam: Tensor
    target: Tensor
    detail: Any = None


class Backbones(Protocol):
    """Something that reads frozen encoders."""

    @property
    def needs(self) -> Sequence[str]:
        """Names of the frozen backbones, such as `clip`."""

    @property
    def device(self) -> torch.device:
        """Where it is."""


class Labeller(Backbones, Protocol):
    """Makes label maps of an image from its tags."""

    def label_maps(
        self, image: Tensor, tags: tuple[int, ...], *, size: tuple[int, int], step: int
    ) -> LabelMaps:
        """Label one image.

        Args:
            image: (1, 3, H', W') float32, RGB in 0..255, as it is seen.
            tags: Sorted 0-based class indices.
            size: (H, W) of the label maps.
            step: Training step whose labels these are; methods without training have but one.
        """


class Tagger(Backbones, Protocol):
    """Scores classes of an image."""

    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """(C-1,) scores of (H, W, 3) uint8, RGB; higher where a class is likelier."""


class Method(Labeller, Protocol):
    """A method that is trained.

    It is an `nn.Module`; what loops, checkpoints and files need of that is named here too.
    """

    trained: nn.Module
    """What is optimised, saved and shared between processes."""

    def parameter_groups(self) -> list[ParameterGroup]:
        """The parameters of `trained`, in groups."""

    def training_step(self, batch: Batch, step: int, total: Total = ...) -> StepOutput:
        """From a batch of images and tags to the loss.

        Args:
            batch: B crops with tags.
            step: Training step, counted from 0.
            total: Sums a tensor over the processes that share the step's batch, whose losses add
                up to that of the whole batch.
        """

    def __call__(self, image: Tensor) -> Tensor:
        """Logits (B, C, h, w) at patch resolution of RGB images (B, 3, H, W) in 0..255."""

    def feature_affinity(self, view: View) -> Tensor | None:
        """(B, N, N) in (0, 1), which patches belong together as training has learnt; None: none.

        `label.model` refines the maps of methods without training by it.
        """

    def to(self, device: Any) -> Any:
        """Move the module."""

    def train(self, mode: bool = True) -> Any:
        """Turn training mode on or off; frozen parts stay in eval mode."""

    def eval(self) -> Any:
        """Turn training mode off."""


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What a method is made of, beside its own settings.

    Attributes:
        num_classes: C, with background.
        frozen_maps: Maps of tags from the frozen CLIP; None for methods without CLIP.
        labels: Constants of the pseudo-labels.
        losses: Terms of the loss by name, in the order of the configuration.
        mit: What the trained MiT starts from; None for methods without it.
        guide: The frozen second encoder; None where there is none.
        regions: What cuts images into regions; None for methods that read none.
    """

    num_classes: int
    frozen_maps: TagMaps | None
    labels: LabelSettings
    losses: Mapping[str, Loss]
    mit: Mit | None = None
    guide: DinoImageEncoder | None = None
    regions: RegionSource | None = None

    @property
    def maps(self) -> TagMaps:
        """Maps of tags from the frozen CLIP.

        Raises:
            InputError: The method does not say that it needs CLIP.
        """
        if self.frozen_maps is None:
            raise InputError("the method reads CLIP, but its `needs` does not name 'clip'; add it")
        return self.frozen_maps


def require_blocks(encoder: ClipImageEncoder, least: int) -> None:
    """InputError if a CLIP has too few blocks for a method to read."""
    if encoder.depth < least:
        raise InputError(
            f"clip.weights: the CLIP has {encoder.depth} blocks, and the method reads {least} or "
            "more; use a ViT CLIP of OpenAI or OpenCLIP"
        )


def total_of_one(count: Tensor) -> Tensor:
    """`Total` where one process has the whole batch."""
    return count


def sum_of_terms(
    losses: Mapping[str, Loss],
    given: LossInputs,
    total: Total,
    factors: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum of all terms, with graph; and each of them, and `loss`, detached.

    Args:
        losses: The terms by name.
        given: What they read.
        total: As in `Method.training_step`.
        factors: What the weight of a term is multiplied by at this step, where that is not 1.
    """
    with torch.autocast(given.logits.device.type, enabled=False):
        terms = {name: term(given, total) for name, term in losses.items()}
        weighted = [losses[n].weight * factors.get(n, 1) * term for n, term in terms.items()]
        loss = torch.stack(weighted).sum()
    return loss, {name: term.detach() for name, term in {**terms, "loss": loss}.items()}
