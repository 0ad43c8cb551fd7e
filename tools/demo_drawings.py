"""The drawings that the tiny CLIP learns from: more of each class than the demo shows.

Drawings that the demo keeps for validation are left out, in every style and skin tone.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from weclip.demo.sprites import drawings_folder, seen_drawings

SKIN_TONES = ("", "-1f3fb", "-1f3fc", "-1f3fd", "-1f3fe", "-1f3ff")
PEOPLE = "1f468 1f469 1f466 1f467 1f9d1 1f9d2 1f474 1f475 1f9d3 1f9cd 1f935"
MORE_DRAWINGS: dict[str, tuple[str, ...]] = {
    "bird": tuple("1f423 1f424 1f425 1f983 1f9a2 1f9a9 1f99a 1f9a4 1fabf 1f426-200d-2b1b".split()),
    "boat": ("26f4", "1f6f6"),
    "bottle": ("1f376", "1fad9"),
    "bus": ("1f690",),
    "car": ("1f6fb",),
    "cat": tuple("1f638 1f639 1f63b 1f63d 1f640 1f63f 1f63e 1f408-200d-2b1b".split()),
    "cow": ("1f9ac",),
    "dog": ("1f415-200d-1f9ba",),
    "person": (
        *(code + tone for code in PEOPLE.split() for tone in SKIN_TONES),
        *"1f477 1f46e 1f472 1f473 1f478 1f934 1f57a 1f483 1f6b6 1f3c3".split(),
    ),
    "train": tuple("1f688 1f689 1f69d 1f69e 1f683 1f68b 1f69f".split()),
}
"""Code points that belong to a class but are not drawings of the demo."""


def class_drawings(class_name: str, folder: Path, *, demo: bool) -> list[Path]:
    """Files of a class in a folder of `<code point>.png` or `.webp`.

    Args:
        class_name: One of the demo's classes.
        folder: The drawings of one style.
        demo: Whether only the drawings that the demo's training shows.
    """
    codes = seen_drawings(class_name)
    if not demo:
        codes += tuple(c for c in MORE_DRAWINGS.get(class_name, ()) if c not in codes)
    return find_files(folder, codes)


def find_files(folder: Path, codes: tuple[str, ...]) -> list[Path]:
    """The files of those code points that the folder has."""
    names = (
        folder / f"{code}{variant}{suffix}"
        for code in codes
        for variant in ("", "-fe0f")
        for suffix in (".png", ".webp")
    )
    return [path for path in names if path.exists()]


def choose_file(
    codes_of_class: str | tuple[str, ...], styles: list[Path], rng: np.random.Generator
) -> Path:
    """A drawing of a class, or of code points of scenery; nearly half the time the demo's own."""
    folder, demo = drawings_folder(), bool(rng.random() < 0.45)
    if not demo and rng.random() < len(styles) / (len(styles) + 1):
        folder = styles[rng.integers(len(styles))]
    if isinstance(codes_of_class, str):
        files = class_drawings(codes_of_class, folder, demo=demo)
    else:
        files = find_files(folder, codes_of_class)
    if not files:
        return choose_file(codes_of_class, [], rng)
    return files[rng.integers(len(files))]


@cache
def load_file(path: Path) -> NDArray[np.uint8]:
    """A drawing as (72, 72, 4) uint8 RGBA."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA").resize((72, 72), Image.Resampling.BICUBIC))


def vary(drawing: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change hue, saturation and brightness, and make it narrower or lower, at random.

    Args:
        drawing: (H, W, 4) uint8 RGBA.
        rng: Source of every choice.

    Returns:
        (H', W', 4) uint8 RGBA with transparent margins, to be squeezed to a square.
    """
    if rng.random() < 0.35:
        return drawing
    angle = rng.normal(0, 0.3) if rng.random() < 0.85 else rng.uniform(-np.pi, np.pi)
    rgb = drawing[..., :3].astype(np.float32)
    grey = rgb.mean(-1, keepdims=True)
    colour = rgb - grey
    axis = np.full(3, 3**-0.5)
    turned = colour * np.cos(angle) + np.cross(axis, colour) * np.sin(angle)
    rgb = (grey + turned * rng.uniform(0.6, 1.3)) * rng.uniform(0.75, 1.15, 1)
    rgb *= rng.uniform(0.92, 1.08, 3)
    rgba = np.concatenate([rgb.clip(0, 255).astype(np.uint8), drawing[..., 3:]], axis=-1)
    height, width = (int(part * rng.uniform(0, 0.15)) for part in drawing.shape[:2])
    return np.pad(rgba, ((height, height), (width, width), (0, 0)))
