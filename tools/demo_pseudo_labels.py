"""Pseudo-labels for the tiny CLIP's own training scenes, from its CAMs and their captions."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from weclip.backbones.clip_weights import load_clip
from weclip.build import build_weclip
from weclip.config_file import load_config
from weclip.data.classes import load_classes
from weclip.labels.cam import pack_tags

BATCH = 32
LARGEST_SHARE = 0.4
"""A class that fills more of the image than any sprite can is a failed CAM."""


@torch.no_grad()
def patch_shares(
    weights: Path, images: NDArray[np.uint8], captions: NDArray[np.bool_]
) -> NDArray[np.float16]:
    """Run the label stage of WeCLIP; its attention affinity only where a scene has one object.

    Where there are several, CAMs tell them apart better than refined ones. Both are too small: a
    background score to the third power corrects that.

    Args:
        weights: Exported tiny CLIP.
        images: (M, S, S, 3).
        captions: (M, V), classes first.

    Returns:
        (M, N, 1+classes): which part of each patch has which label, background first; all 0 for
        images whose labels are not to be trusted.
    """
    config = load_config("demo", ["data.root=.", "cam.background_power=3"])
    classes = load_classes("demo")
    method = build_weclip(config, load_clip(weights), classes).eval()
    shares = []
    for start in range(0, len(images), BATCH):
        image = torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2)
        tags = torch.from_numpy(captions[start : start + BATCH, : len(classes.names)])
        slots = pack_tags(tags)
        features = method.image_encoder(method.normalise(image))
        cam, attention = method.make_cam(features, slots)
        refined = method.refine(cam.cam, attention, torch.empty(0), step=0)
        alone = torch.from_numpy(captions[start : start + BATCH].sum(1) == 2)  # class, background
        chosen = torch.where(alone[:, None, None, None], refined.cam, cam.cam)
        label_map = method.make_label(chosen, slots, image.float()).label_map
        one_hot = F.one_hot(label_map, classes.num_classes).permute(0, 3, 1, 2).float()
        area = F.adaptive_avg_pool2d(one_hot, features.patch_grid).flatten(2)  # (B, C, N)
        trusted = (area[:, 1:].mean(2) < LARGEST_SHARE).all(1)
        shares.append((area * trusted[:, None, None]).transpose(1, 2).half().numpy())
    return np.concatenate(shares)
