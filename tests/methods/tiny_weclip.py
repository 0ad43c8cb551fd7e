"""A whole WeCLIP of random weights, small enough to train in a test."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from tests.backbones.tiny_clip import openai_shapes
from tests.configs import new_config

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.build.method import assemble
from weclip.data.batch import IGNORE_INDEX, NOT_CORRECTED, Batch, Corrected

PATCH, BLOCKS, WIDTH, JOINT, CLASSES = 8, 3, 64, 32, 6


def clip_state(seed=0, *, width=WIDTH, blocks=BLOCKS, patch=PATCH, grid=4, joint=JOINT):
    """Random vision weights in OpenAI layout."""
    generator = torch.Generator().manual_seed(seed)
    shapes = openai_shapes(
        width=width,
        blocks=blocks,
        patch=patch,
        grid=grid,
        joint=joint,
        text_width=8,
        text_blocks=1,
        words=2,
    )
    return {
        name: (0.3 if name.endswith("weight") else 0.1) * torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
        if name.startswith("visual.")
    }


def text_features(seed=0, *, classes=CLASSES, scale=10.0):
    """Random unit rows for `classes` - 1 names and 4 background words."""
    generator = torch.Generator().manual_seed(seed)
    rows = F.normalize(torch.randn(classes - 1 + 4, JOINT, generator=generator), dim=1)
    return TextFeatures(rows[:-4], rows[-4:], scale)


def tiny_config(**quirks):
    """Few PAR iterations, the refinement module on from the first step; quirks as given."""
    config = new_config()
    config.par.iterations, config.par.dilations = 2, (1, 2)
    config.method.weclip.refine_from = 0
    for name, value in quirks.items():
        assert hasattr(config.quirks, name)
        setattr(config.quirks, name, value)
    return config


def tiny_weclip(config=None, *, dropout=0.1):
    """WeCLIP on a random CLIP; the same weights every time."""
    torch.manual_seed(0)
    config = config or tiny_config()
    use = config.method.weclip
    use.width, use.blocks, use.heads, use.dropout = 16, 1, 2, dropout
    encoder = build_image_encoder(clip_state())
    guide = dino_encoder() if "guide" in config.reads() else None
    torch.manual_seed(0)
    return assemble(config, encoder, text_features(), CLASSES, guide)


def dino_encoder():
    """A random DINOv2 whose grid is another than CLIP's."""
    torch.manual_seed(1)
    dino = DinoImageEncoder(width=64, blocks=2, patch_size=7, native_grid=5)
    for name, weight in dino.named_parameters():
        torch.nn.init.normal_(weight, std=0.3 if name.endswith("weight") else 0.1)
    return dino


def plus_config(**quirks):
    """As `tiny_config`, of WeCLIP+."""
    config = tiny_config(**quirks)
    config.method.name = "weclip_plus"
    config.loss.terms = ("segmentation", "affinity", "cross", "dice")
    return config


def tiny_weclip_plus(config=None, *, dropout=0.1):
    """WeCLIP+ on a random CLIP and a random DINOv2; the same weights every time."""
    config, dino = config or plus_config(), dino_encoder()
    torch.manual_seed(0)
    use = config.method.weclip_plus
    use.width, use.blocks, use.heads, use.dropout = 16, 1, 2, dropout
    encoder = build_image_encoder(clip_state())
    return assemble(config, encoder, text_features(), CLASSES, dino)


def make_batch(tags=((0, 2), (), (4,)), size=(32, 48), *, classes=CLASSES, box=None, seed=0):
    """Random crops with the given class indices as tags; `box` is the content of every crop."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (len(tags), 3, *size), generator=generator, dtype=torch.uint8)
    y0, x0, y1, x1 = box or (0, 0, *size)
    inside = torch.zeros(size, dtype=torch.bool)
    inside[y0:y1, x0:x1] = True
    multi_hot = torch.zeros(len(tags), classes - 1, dtype=torch.bool)
    for row, indices in zip(multi_hot, tags, strict=True):
        row[list(indices)] = True
    content = torch.tensor([[y0, x0, y1, x1]] * len(tags))
    return Batch(image * inside, multi_hot, content, tuple(map(str, range(len(tags)))))


def corrected(batch, *, weight=2.0, seed=0):
    """The batch with a random mask, with ignored pixels, of every image but the first."""
    generator = torch.Generator().manual_seed(seed)
    count, _, *size = batch.image.shape
    label_map = torch.randint(0, CLASSES, (count, *size), generator=generator).short()
    label_map[torch.rand(label_map.shape, generator=generator) < 0.1] = IGNORE_INDEX
    label_map[0] = NOT_CORRECTED
    weights = torch.tensor([1.0, *[weight] * (count - 1)])
    return replace(batch, corrected=Corrected(label_map, None if weight == 1 else weights))
