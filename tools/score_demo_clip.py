"""Zero-shot accuracy of the demo's CLIP on scenes with one sprite, for its model card.

python tools/score_demo_clip.py [--clip FILE] [--scenes 500]
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD
from weclip.backbones.clip.weights import Clip, load_clip
from weclip.backbones.named import demo_weights
from weclip.class_texts import encode_classes
from weclip.config import ClipConfig
from weclip.data.classes import load_classes
from weclip.demo.sprites import CLASS_DRAWINGS, seen_drawings
from weclip.demo.world import BACKGROUND_COLOURS, CLASS_NAMES, SCENE_SIZE, Sprite, render_scene


def drawings(kind: str) -> list[tuple[int, str]]:
    """Class index and code point of the drawings that training showed, or kept back."""
    return [
        (index, code)
        for index, name in enumerate(CLASS_NAMES)
        for code in CLASS_DRAWINGS[name]
        if (code in seen_drawings(name)) == (kind == "seen")
    ]


@torch.no_grad()
def accuracy(clip: Clip, kind: str, scenes: int) -> float:
    """Share of scenes whose sprite's class has the most similar text among the 19 classes."""
    classes = load_classes("demo")
    text = encode_classes(ClipConfig(), clip.text, classes, scale=clip.scale).classes
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (CLIP_MEAN, CLIP_STD))
    pool, correct = drawings(kind), 0
    for index in range(scenes):
        rng = np.random.default_rng((99, index))
        class_index, code = pool[index % len(pool)]
        sprite = Sprite(code, class_index + 1, SCENE_SIZE * rng.uniform(0.3, 0.6))
        scene = render_scene(str(rng.choice(list(BACKGROUND_COLOURS))), [sprite], SCENE_SIZE, rng)
        image = (torch.from_numpy(scene.image).permute(2, 0, 1) / 255 - mean) / std
        tokens = clip.image(image[None]).tokens[-1]
        embedding = F.normalize(clip.image.run_last_block(tokens).embedding, dim=-1)
        correct += int((embedding @ text.T).argmax()) == class_index
    return correct / scenes


def main() -> None:
    """Parse and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, default=demo_weights("clip"))
    parser.add_argument("--scenes", type=int, default=500)
    args = parser.parse_args()
    clip = load_clip(args.clip)
    record = {kind: accuracy(clip, kind, args.scenes) for kind in ("seen", "unseen")}
    print(json.dumps({"zero_shot": record, "scenes": args.scenes, "sha256": clip.sha256}))


if __name__ == "__main__":
    main()
