"""Write scenes of the demo's world with the drawings of another vendor, as a VOC folder.

    python tools/vendor_scenes.py DRAWINGS OUT [--scenes 60] [--seed 0]

DRAWINGS holds `<code point>.png` or `.webp` files, such as an npm package of emoji has. Classes,
sizes, backgrounds and distractors are chosen as for the demo's own scenes; every scene is in the
list `val`. `benchmarks/demo_plus.py --vendor NAME=OUT` scores models on it.
"""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.masks.mask_files import save_mask
from weclip.demo.sprites import CLASS_DRAWINGS, DISTRACTOR_DRAWINGS
from weclip.demo.world import (
    BACKGROUND_COLOURS,
    CLASS_NAMES,
    SCENE_SIZE,
    Scene,
    Sprite,
    render_scene,
)

SIDE = 72
"""Pixels of a drawing, as of the demo's own."""

SIZES = (0.3, 0.6)
"""Side of a sprite, as a share of the scene's."""


def load(path: Path) -> NDArray[np.uint8]:
    """A drawing as (SIDE, SIDE, 4) uint8 RGBA."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA").resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def sprites_of(
    codes: Sequence[str], class_id: int, folder: Path, rng: np.random.Generator
) -> list[Sprite]:
    """A drawing of one of the code points, or nothing where the folder has none of them."""
    places = [folder / f"{code}{ending}" for code in codes for ending in (".png", ".webp")]
    files = [path for path in places if path.exists()]
    if not files:
        return []
    path = files[rng.integers(len(files))]
    return [Sprite(path.stem, class_id, SCENE_SIZE * rng.uniform(*SIZES), load(path))]


def vendor_scene(folder: Path, rng: np.random.Generator) -> Scene:
    """A scene with one to three classes that can be seen, and perhaps a distractor."""
    while True:
        sprites = []
        if rng.random() < 0.4:
            word = str(rng.choice(list(DISTRACTOR_DRAWINGS)))
            sprites += sprites_of(DISTRACTOR_DRAWINGS[word], 0, folder, rng)
        for class_id in rng.choice(len(CLASS_NAMES), rng.integers(1, 4), replace=False) + 1:
            codes = CLASS_DRAWINGS[CLASS_NAMES[class_id - 1]]
            sprites += sprites_of(codes, int(class_id), folder, rng)
        word = str(rng.choice(list(BACKGROUND_COLOURS)))
        scene = render_scene(word, sprites, SCENE_SIZE, rng)
        if scene.tags:
            return scene


def main() -> None:
    """Parse the command line, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("drawings", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    lists = args.out / "ImageSets" / "Segmentation"
    for folder in (args.out / "JPEGImages", args.out / "SegmentationClass", lists):
        folder.mkdir(parents=True, exist_ok=True)
    rows = [("image", "tags")]
    for index in range(args.scenes):
        scene = vendor_scene(args.drawings, np.random.default_rng((args.seed, 3, index)))
        name = f"val_{index:05d}"
        Image.fromarray(scene.image).save(args.out / "JPEGImages" / f"{name}.jpg", quality=95)
        save_mask(scene.mask, args.out / "SegmentationClass" / f"{name}.png")
        rows.append((f"{name}.jpg", ";".join(CLASS_NAMES[tag] for tag in scene.tags)))
    names = "".join(f"{Path(name).stem}\n" for name, _ in rows[1:])
    (lists / "val.txt").write_text(names, encoding="utf-8")
    with (args.out / "tags.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


if __name__ == "__main__":
    main()
