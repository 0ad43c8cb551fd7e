"""What AFA's network says of a batch at several scales, without gradients.

Stage 4, AFA section 3.1 and its released code.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from weclip.data.batch import Share
from weclip.labels.tag_slots import TagSlots
from weclip.labels.two_scores.mirrored import (
    Mirrored,
    maps_of_tags,
    multi_scale_cam,
    resize,
    scale_size,
)
from weclip.methods.heads.affinity_network import AffinityNetwork, in_mode
from weclip.methods.loss_inputs import Total


@dataclass(frozen=True)
class CamSettings:
    """How maps are made.

    Attributes:
        scales: Factors of the image's size.
        eps: Added to the maximum where maps are scaled.
        in_training_mode: Whether the encoder's depth is random, where it is in training mode.
        feed_batchnorm: Whether the head's running statistics are updated, in training mode.
    """

    scales: tuple[float, ...]
    eps: float
    in_training_mode: bool
    feed_batchnorm: bool


@dataclass(frozen=True)
class CamRuns:
    """What the network says of a batch.

    Attributes:
        cam: (B, K, H, W) in [0, 1].
        affinity: (B, N, N) in (0, 1), of one of the scales.
        patch_grid: (h, w) of it.
    """

    cam: Tensor
    affinity: Tensor
    patch_grid: tuple[int, int]


@torch.no_grad()
def cam_runs(
    network: AffinityNetwork,
    image: Tensor,
    slots: TagSlots,
    settings: CamSettings,
    *,
    affinity_scale: float,
    share: Share | None,
    total: Total,
) -> CamRuns:
    """Maps of the tags, and the affinity at a scale.

    Image and mirror image go through the network one after the other, so that what is drawn does
    not depend on how processes share a batch.

    Args:
        network: The network.
        image: (B, 3, H, W), RGB in 0..255, any type.
        slots: The tags.
        settings: Constants.
        affinity_scale: One of the scales.
        share: As in the network's `forward`.
        total: As there.
    """
    encoder, size = network.encoder, (image.shape[2], image.shape[3])
    normalised, maps, kept = encoder.normalise(image), [], None
    with in_mode(encoder, training=encoder.training and settings.in_training_mode):
        for scale in settings.scales:
            wanted = kept is None and scale == affinity_scale
            scaled = resize(normalised, scale_size(size, scale, encoder.settings.least_side))
            straight = encoder(scaled, share=share, scores=wanted)
            mirrored = encoder(scaled.flip(-1), share=share, scores=False)
            both = [maps_of_tags(network.class_maps(each), slots) for each in (straight, mirrored)]
            maps.append(Mirrored(*both))
            if wanted:
                kept = network.affinity(straight.scores), straight.patch_grid
            if settings.feed_batchnorm and network.training:
                pairs = zip(straight.maps, mirrored.maps, strict=True)
                network.segmenter.normalised([torch.cat(pair) for pair in pairs], total)
    assert kept is not None  # the affinity's scale is one of them
    return CamRuns(multi_scale_cam(maps, size, slots.filled, settings.eps), *kept)
