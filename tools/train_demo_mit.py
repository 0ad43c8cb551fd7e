"""Train the demo's tiny MiT on scenes of the demo by their image tags alone.

It stands for SegFormer's ImageNet weights, which nobody may ship: a classifier with global max
pooling, as in AFA, on scenes that the demo's generator draws from seeds of their own. No mask,
caption or other weights are read, and no drawing that the demo keeps for validation is shown. The
classifier is dropped at the end; scores are of other scenes, those that training never saw.

    python tools/train_demo_mit.py --out runs/mit
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from weclip.backbones.mit.image_encoder import MitEncoder, MitSettings
from weclip.demo.sprites import seen_drawings
from weclip.demo.world import (
    BACKGROUND_COLOURS,
    CLASS_NAMES,
    SCENE_SIZE,
    Scene,
    Sprite,
    random_scene,
    render_scene,
)

SETTINGS = MitSettings((16, 32, 80, 160))
"""Heads of 16 to 20 channels, 1.1 M parameters."""

TRAIN_STREAM, TEST_STREAM, OBJECT_STREAM = 101, 102, 103
"""They begin the seeds of scenes, where the demo's own have the number that `--seed` gives."""

COOLDOWN = 0.4
"""Share of all steps over which the rate falls to 0, at the end."""

FIRST_BIAS = -2.0
"""Of the classifier: the logit of a tag's share of the scenes, about."""


@dataclass(frozen=True)
class Phase:
    """A part of the training.

    Attributes:
        until: Share of all steps at which it ends.
        scenes: Whether it shows the demo's scenes; otherwise small ones of a single object, as
            ImageNet's pictures are.
        size: Pixels per side of a view.
        batch: Views of a step.
    """

    until: float
    scenes: bool
    size: int
    batch: int


OBJECT_SIZE = SCENE_SIZE // 2
"""Pixels per side of a picture of a single object, which has as many pixels as in a scene."""

PHASES = (
    Phase(0.68, False, OBJECT_SIZE, 32),
    Phase(0.92, True, SCENE_SIZE, 24),
    Phase(1.0, True, 3 * SCENE_SIZE // 2, 12),
)
"""A step of the first costs least; the last has the scale of AFA's largest CAMs."""


class TagClassifier(nn.Module):
    """The encoder, global max pooling, and a score of each class."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MitEncoder(SETTINGS, drop_path=0.05)
        self.classifier = nn.Linear(SETTINGS.widths[-1], len(CLASS_NAMES))
        nn.init.constant_(self.classifier.bias, FIRST_BIAS)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, 19) of images (B, 3, S, S), RGB in 0..255."""
        features = self.encoder(self.encoder.normalise(images), scores=False).maps[-1]
        logits: Tensor = self.classifier(features.amax((2, 3)))
        return logits


def object_scene(rng: np.random.Generator) -> Scene:
    """A small picture of one object, of a drawing that training may show."""
    while True:
        class_id = int(rng.integers(len(CLASS_NAMES))) + 1
        code = str(rng.choice(seen_drawings(CLASS_NAMES[class_id - 1])))
        sprite = Sprite(code, class_id, SCENE_SIZE * rng.uniform(0.3, 0.5))
        word = str(rng.choice(list(BACKGROUND_COLOURS)))
        scene = render_scene(word, [sprite], OBJECT_SIZE, rng)
        if scene.tags:
            return scene


def draw(scenes: Iterator[Scene], number: int) -> tuple[Tensor, Tensor]:
    """Images (N, 3, S, S) uint8 and tags (N, 19) of scenes; their masks are thrown away."""
    images, tags = [], torch.zeros(number, len(CLASS_NAMES))
    for index, scene in zip(range(number), scenes, strict=False):
        images.append(torch.from_numpy(scene.image).permute(2, 0, 1))
        tags[index, list(scene.tags)] = 1
    return torch.stack(images), tags


def scenes_of(stream: int, *, unseen: bool) -> Iterator[Scene]:
    """The demo's scenes without end; `unseen` as in `random_scene`."""
    return (random_scene(np.random.default_rng((stream, i)), unseen=unseen) for i in count())


def objects_of(stream: int) -> Iterator[Scene]:
    """Pictures of one object without end."""
    return (object_scene(np.random.default_rng((stream, i))) for i in count())


def view_of(images: Tensor, size: int) -> Tensor:
    """Views (B, 3, size, size) of whole scenes: flipped, turned, stretched, moved, other light."""
    number = len(images)
    angle = torch.empty(number).uniform_(-0.25, 0.25)
    sides = torch.empty(number, 2).uniform_(0.8, 1.25)
    flip = 1.0 - 2.0 * torch.randint(2, (number,))
    place = torch.zeros(number, 2, 3)
    place[:, 0, 0], place[:, 0, 1] = flip * sides[:, 0] * angle.cos(), -sides[:, 1] * angle.sin()
    place[:, 1, 0], place[:, 1, 1] = flip * sides[:, 0] * angle.sin(), sides[:, 1] * angle.cos()
    place[:, :, 2] = torch.empty(number, 2).uniform_(-0.1, 0.1)
    grid = F.affine_grid(place, [number, 3, size, size], align_corners=False)
    moved = F.grid_sample(images.float(), grid, padding_mode="reflection", align_corners=False)
    light = torch.empty(number, 3, 1, 1).uniform_(0.85, 1.15)
    return (moved * light * torch.empty(number, 1, 1, 1).uniform_(0.8, 1.2)).clamp(0, 255)


def train(args: argparse.Namespace) -> TagClassifier:
    """Train for `args.steps` steps; print the loss on the way."""
    torch.manual_seed(args.seed)
    pools = {
        False: draw(objects_of(OBJECT_STREAM), args.objects),
        True: draw(scenes_of(TRAIN_STREAM, unseen=False), args.scenes),
    }
    model, start = TagClassifier(), time.monotonic()
    decayed = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=args.rate, betas=(0.9, 0.98), fused=True)
    for step in range(args.steps):
        share = step / args.steps
        phase = next(phase for phase in PHASES if share < phase.until)
        for group in optimiser.param_groups:
            group["lr"] = args.rate * min(1.0, (step + 1) / 50, (1 - share) / COOLDOWN)
        images, tags = pools[phase.scenes]
        chosen = torch.randint(len(images), (phase.batch,))
        logits = model(view_of(images[chosen], phase.size))
        losses = F.binary_cross_entropy_with_logits(logits, tags[chosen], reduction="none")
        loss = losses.sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        if (step + 1) % 100 == 0:
            row = {"step": step + 1, "seconds": round(time.monotonic() - start)}
            row["processor seconds"] = round(time.process_time())
            print(json.dumps(row | {"loss": round(loss.item(), 3)}), flush=True)
    return model


@torch.no_grad()
def scores_of(model: TagClassifier, images: Tensor, tags: Tensor) -> dict[str, float]:
    """F1 over all tags, share of scenes whose tags are all right, mean average precision."""
    model.eval()
    logits = torch.cat([model(part) for part in images.split(50)])
    found = logits > 0
    right = (found & (tags > 0)).sum()
    precisions = []
    for scores, truth in zip(logits.T, tags.T, strict=True):
        ranked = truth[scores.argsort(descending=True)]
        precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
        precisions.append((precision * ranked).sum() / ranked.sum().clamp_min(1))
    return {
        "f1": round((2 * right / (found.sum() + tags.sum())).item(), 4),
        "all tags right": round((found == (tags > 0)).all(1).float().mean().item(), 4),
        "mean average precision": round(torch.stack(precisions).mean().item(), 4),
    }


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--objects", type=int, default=8000)
    parser.add_argument("--scenes", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=2900)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    model = train(args)
    state = {name: value.half() for name, value in model.encoder.state_dict().items()}
    save_file(state, args.out / "mit.safetensors")
    for what, unseen in (("seen drawings", False), ("with unseen drawings", True)):
        found = scores_of(model, *draw(scenes_of(TEST_STREAM, unseen=unseen), 400))
        print(json.dumps({"other scenes": what} | found), flush=True)


if __name__ == "__main__":
    main()
