"""The demo world: emoji scenes with exact masks, written as a VOC-style folder.

A scene is a textured background that stands for a background word, maybe one distractor, and one
to three sprites of VOC classes, in random places, sizes and angles. The mask is the drawings'
alpha over one half, painted in the same order. Everything is a pure function of the seed.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.data.masks.mask_files import save_mask
from weclip.demo.sprites import (
    CLASS_DRAWINGS,
    DISTRACTOR_DRAWINGS,
    load_drawing,
    seen_drawings,
)

CLASS_NAMES = tuple(CLASS_DRAWINGS)
BACKGROUND_COLOURS = {
    "grass": (96, 152, 64),
    "sky": (164, 206, 240),
    "water": (32, 84, 148),
    "ground": (142, 106, 70),
    "wall": (226, 216, 196),
    "road": (118, 118, 124),
}
"""Mean RGB of the background that stands for each word."""

MIN_VISIBLE = 0.01
"""Share of the scene's pixels under which a class is neither tag nor mask."""

SCENE_SIZE = 128
"""Pixels per side of a scene of the demo."""


@dataclass(frozen=True)
class Sprite:
    """A drawing to be painted.

    Attributes:
        code: Its code point in hexadecimal.
        class_id: 0 for background.
        side: Pixels.
        drawing: (H, W, 4) uint8 RGBA to paint instead of the emoji of that code, or None.
    """

    code: str
    class_id: int
    side: float
    drawing: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Scene:
    """One rendered scene.

    Attributes:
        image: (S, S, 3) uint8 RGB.
        mask: (S, S) uint8 class ids.
        background: Word of the background.
        visible: Sprites that show at least `MIN_VISIBLE`, in painting order.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    background: str
    visible: tuple[Sprite, ...]

    @property
    def tags(self) -> tuple[int, ...]:
        """Sorted class indices (class id minus 1) of the visible classes."""
        return tuple(sorted({s.class_id - 1 for s in self.visible if s.class_id > 0}))

    @property
    def has_unseen_drawing(self) -> bool:
        """Whether any sprite is a drawing that training never shows."""
        return any(
            s.code not in seen_drawings(CLASS_NAMES[s.class_id - 1])
            for s in self.visible
            if s.class_id > 0
        )


def paint_background(word: str, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A background (size, size, 3) in 0..255: the word's colour, soft clouds and fine noise."""
    colour = np.array(BACKGROUND_COLOURS[word]) + rng.normal(0, 8, 3)
    soft = Image.fromarray(rng.normal(0, 12, (5, 5)).astype(np.float32))
    texture = np.asarray(soft.resize((size, size), Image.Resampling.BICUBIC))
    grain = rng.normal(0, 5, (size, size))
    return (colour + (texture + grain)[..., None]).astype(np.float32)


def paint_sprite(
    canvas: NDArray[np.float32], sprite: Sprite, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Paint a sprite on `canvas` in place, flipped, rotated and placed at random.

    Up to a quarter of its side may lie beyond the border.

    Returns:
        (S, S) bool, where its alpha is over one half.
    """
    size = canvas.shape[0]
    rgba = load_drawing(sprite.code) if sprite.drawing is None else sprite.drawing
    drawing = Image.fromarray(rgba)
    if rng.random() < 0.5:
        drawing = drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = max(8, round(sprite.side))
    drawing = drawing.resize((side, side), Image.Resampling.BICUBIC)
    drawing = drawing.rotate(rng.uniform(-20, 20), Image.Resampling.BICUBIC, expand=True)
    width, height = drawing.size
    overhang = side // 4
    x = int(rng.integers(-overhang, max(1 - overhang, size - width + overhang)))
    y = int(rng.integers(-overhang, max(1 - overhang, size - height + overhang)))
    layer = Image.new("RGBA", (size, size))
    layer.paste(drawing, (x, y))
    painted = np.asarray(layer, dtype=np.float32)
    alpha = painted[..., 3:] / 255
    canvas *= 1 - alpha
    canvas += alpha * painted[..., :3]
    return alpha[..., 0] > 0.5


def render_scene(
    background: str, sprites: Sequence[Sprite], size: int, rng: np.random.Generator
) -> Scene:
    """Paint a background and then the sprites in order; sprites of class 0 are background."""
    canvas = paint_background(background, size, rng)
    owner = np.zeros((size, size), dtype=np.uint8)  # 0 background, i+1 sprite i
    for index, sprite in enumerate(sprites):
        owner[paint_sprite(canvas, sprite, rng)] = index + 1
    pixels = np.bincount(owner.reshape(-1), minlength=len(sprites) + 1)[1:]
    shown = pixels >= MIN_VISIBLE * size * size
    ids = [0, *(s.class_id if ok else 0 for s, ok in zip(sprites, shown, strict=True))]
    return Scene(
        image=np.clip(canvas + 0.5, 0, 255).astype(np.uint8),
        mask=np.array(ids, dtype=np.uint8)[owner],
        background=background,
        visible=tuple(s for s, ok in zip(sprites, shown, strict=True) if ok),
    )


def random_scene(rng: np.random.Generator, *, unseen: bool, size: int = SCENE_SIZE) -> Scene:
    """A scene of the demo world with at least one visible class.

    Args:
        rng: Source of every choice.
        unseen: Whether drawings that are kept from training may appear.
        size: Pixels per side; sprites are 0.3 to 0.6 of it.
    """
    while True:
        sprites = []
        if rng.random() < 0.4:
            word = str(rng.choice(list(DISTRACTOR_DRAWINGS)))
            code = str(rng.choice(DISTRACTOR_DRAWINGS[word]))
            sprites.append(Sprite(code, 0, size * rng.uniform(0.3, 0.6)))
        for class_id in rng.choice(len(CLASS_NAMES), rng.integers(1, 4), replace=False) + 1:
            name = CLASS_NAMES[class_id - 1]
            code = str(rng.choice(CLASS_DRAWINGS[name] if unseen else seen_drawings(name)))
            sprites.append(Sprite(code, int(class_id), size * rng.uniform(0.3, 0.6)))
        scene = render_scene(str(rng.choice(list(BACKGROUND_COLOURS))), sprites, size, rng)
        if scene.tags:
            return scene


def write_world(root: Path, *, train_scenes: int, val_scenes: int, seed: int) -> None:
    """Write scenes as a VOC-style folder.

    Makes `JPEGImages`, `SegmentationClass`, `tags.csv` and the lists `train`, `val`, and of the
    latter `val_seen` and `val_unseen` (scenes without and with a drawing never trained on).
    """
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    lists: dict[str, list[str]] = {"train": [], "val": [], "val_seen": [], "val_unseen": []}
    rows = []
    for stream, (split, count) in enumerate((("train", train_scenes), ("val", val_scenes))):
        for index in range(count):
            rng = np.random.default_rng((seed, stream, index))
            scene = random_scene(rng, unseen=split == "val")
            name = f"{split}_{index:05d}"
            Image.fromarray(scene.image).save(root / "JPEGImages" / f"{name}.jpg", quality=95)
            save_mask(scene.mask, root / "SegmentationClass" / f"{name}.png")
            rows.append((f"{name}.jpg", ";".join(CLASS_NAMES[tag] for tag in scene.tags)))
            lists[split].append(name)
            if split == "val":
                lists["val_unseen" if scene.has_unseen_drawing else "val_seen"].append(name)
    for split, names in lists.items():
        path = root / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    with (root / "tags.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "tags"), *rows])
