"""Pseudo-labels for the tiny CLIP's own training scenes, from its CAMs and their captions."""

from pathlib import Path

import torch

from demo_captions import Pool
from demo_composition import LabelledPool
from weclip.backbones.clip.weights import load_clip
from weclip.backbones.loaded import LoadedBackbones
from weclip.build.method import build_method
from weclip.config_file import load_config
from weclip.data.classes import load_classes
from weclip.labels.tag_slots import pack_tags

BATCH = 32
LABEL_SETTINGS = (
    "data.root=.",
    "cam.background_power=3",
    "par.iterations=20",
    "par.dilations=[1,2,4,8]",
)
"""CAMs are too small: a background score to the third power corrects that."""

AREA = (0.02, 0.4)
"""An object that fills less or more of the image than sprites do has a failed CAM."""


@torch.no_grad()
def label_objects(weights: Path, pool: Pool) -> LabelledPool:
    """Run the label stage of WeCLIP on scenes of one object; drop those not to be trusted.

    Args:
        weights: Exported tiny CLIP.
        pool: Scenes with exactly one class in the caption.
    """
    config = load_config("demo", LABEL_SETTINGS)
    classes = load_classes("demo")
    method = build_method(config, LoadedBackbones(load_clip(weights)), classes).eval()
    maps = []
    for start in range(0, len(pool.images), BATCH):
        image = torch.from_numpy(pool.images[start : start + BATCH]).permute(0, 3, 1, 2)
        tags = torch.from_numpy(pool.captions[start : start + BATCH, : len(classes.names)])
        slots = pack_tags(tags)
        view = method.maps.see(image)
        refined = method.maps.spread(method.maps.make(view, slots), view, None)
        label = method.make_label(refined.cam, slots, image.float())
        maps.append(label.label_map.to(torch.uint8))
    labels = torch.cat(maps)
    area = (labels > 0).float().mean((1, 2))
    good = ((area > AREA[0]) & (area < AREA[1])).numpy()
    return LabelledPool(Pool(pool.images[good], pool.captions[good]), labels[good])


def label_scenery(pool: Pool) -> LabelledPool:
    """Scenes whose captions have no class: background everywhere."""
    labels = torch.zeros(pool.images.shape[:3], dtype=torch.uint8)
    return LabelledPool(pool, labels)


def object_scenes(pool: Pool, classes: int) -> Pool:
    """The scenes whose captions have exactly one class."""
    single = pool.captions[:, :classes].sum(1) == 1
    return Pool(pool.images[single], pool.captions[single])
