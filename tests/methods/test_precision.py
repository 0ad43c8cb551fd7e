"""What half precision may change, and where float32 stays exact."""

import numpy as np
import pytest
import torch
from tests.methods.tiny_weclip import make_batch, tiny_weclip

from weclip.backbones.precision import computing_in
from weclip.build.method import build_method
from weclip.build.without_training import build_training_free
from weclip.config_file import label_methods, load_config
from weclip.data.batch import Batch
from weclip.data.classes import load_classes
from weclip.demo.world import random_scene
from weclip.tasks.load.backbones import open_backbones, open_clip


def test_bf16_labels_agree_with_float32():
    """Measured on the demo world."""
    config = load_config("demo", ["data.root=."])
    method = build_method(config, open_backbones(config), load_classes("demo")).eval()
    scenes = [random_scene(np.random.default_rng((3, i)), unseen=False) for i in range(24)]
    tags = torch.zeros(len(scenes), 19, dtype=torch.bool)
    for row, scene in zip(tags, scenes, strict=True):
        row[list(scene.tags)] = True
    image = torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2)
    box = torch.tensor([[0, 0, *image.shape[2:]]] * len(scenes))
    batch = Batch(image, tags, box, tuple(map(str, range(len(scenes)))))
    with torch.no_grad():
        exact = method.training_step(batch, 0).target
        with torch.autocast("cpu", torch.bfloat16):
            rounded = method.training_step(batch, 0).target
    assert (exact > 0).float().mean() > 0.05
    assert (exact == rounded).float().mean() >= 0.99


@pytest.mark.parametrize("name", [each for each in label_methods() if each != "corrclip"])
def test_bf16_masks_agree_with_float32(name):
    """Measured on the demo world; the whole of it is in docs/benchmarks.md."""
    config = load_config("demo", ["data.root=."], method=name)
    method = build_training_free(config, open_clip(config), load_classes("demo"))
    same, found = [], []
    for index in range(6):
        scene = random_scene(np.random.default_rng((3, index)), unseen=False)
        masks = []
        for precision in ("float32", "bf16"):
            with computing_in(precision, "cpu"):
                maps = method(scene.image, tuple(sorted(scene.tags)))
            masks.append(maps.scores.label_map())
        same.append((masks[0] == masks[1]).float().mean())
        found.append((masks[0] > 0).float().mean())
    assert np.mean(found) > 0.05
    assert np.mean(same) > 0.97


def test_nothing_is_rounded_to_float16():
    """The released code rounds positions and attention outputs to float16: about 1e-3."""
    method = tiny_weclip(dropout=0.0).eval()
    image = make_batch().image
    single = method(image)
    positions = method.image_encoder.positions((4, 6))
    assert not torch.equal(positions, positions.half().float())
    double = method.double()(image)
    error = (single - double).abs().max() / double.abs().max()
    assert error < 2e-5
