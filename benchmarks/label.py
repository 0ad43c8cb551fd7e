"""Images per second of the methods without training at ViT-B/16, float32.

python benchmarks/label.py [--images 6] [--out FILE]

Random weights and pixels, images of 375 x 500 with one, two or three tags; from pixels to a mask,
without reading and writing. PAR as in `label.par=true`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from full_size import full_size_method
from measuring import device, seconds, show, write
from weclip.backbones.clip.text_features import TextFeatures
from weclip.build.without_training import training_free
from weclip.config_file import label_methods, load_config
from weclip.inference.label_masks import Scores, label_mask
from weclip.methods.training_free import TrainingFree
from weclip.methods.weclip import WeClip
from weclip.system.memory import keep_freed_memory

SIZE = (375, 500)
"""Height and width of a typical VOC image."""

ENDS = {"plain": (), "with PAR": ("label.par=true",)}

GUIDED = ("corrclip",)
"""Methods that read a second encoder: `region_cost.py`."""

Tagged = tuple[NDArray[np.uint8], tuple[int, ...]]
"""An image and its tags."""


def random_images(count: int, classes: int) -> list[Tagged]:
    """Random pixels with one, two or three tags in turn."""
    rng = np.random.default_rng(0)
    return [
        (
            rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8),
            tuple(sorted(rng.permutation(classes)[: 1 + index % 3].tolist())),
        )
        for index in range(count)
    ]


def build(parts: WeClip, name: str, changes: tuple[str, ...]) -> TrainingFree:
    """A method on the CLIP of `parts`, as `weclip label --method NAME` on VOC makes it."""
    given = ("data.root=.", "clip.weights=random", *changes)
    config = load_config("voc", given, method=name)
    maps = parts.maps
    text = TextFeatures(maps.class_text, maps.background_text, maps.scale)
    return training_free(config, parts.image_encoder, text)


def label(method: TrainingFree, images: list[Tagged]) -> None:
    """Make the masks, as `weclip label` does without a CRF."""
    for image, tags in images:
        maps = method(image, tags)
        label_mask(image, Scores(maps.scores), None, 0.0)


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=6, help="of a pass; a multiple of 3")
    parser.add_argument("--repeats", type=int, default=3, help="passes after one that warms up")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    keep_freed_memory()  # as the command line does
    torch.manual_seed(0)
    parts, _ = full_size_method()
    images = random_images(args.images, len(parts.maps.class_text))
    rows, speeds = [], {}
    for name in (each for each in label_methods() if each not in GUIDED):
        for end, changes in ENDS.items():
            method = build(parts, name, changes).to(device())
            spent = seconds(lambda m=method: label(m, images), args.repeats)
            speeds[f"{name}, {end}"] = len(images) / spent
        rows.append((name, *(f"{speeds[f'{name}, {end}']:.2f}" for end in ENDS)))
    title = f"masks without training, ViT-B/16, {SIZE[0]} x {SIZE[1]}, float32, {device()}"
    show(f"{title}, images per second", ("method", *ENDS), rows)
    write(args.out, {"what": title, "images": args.images, "images_per_second": speeds})


if __name__ == "__main__":
    main()
