"""Pictures for training the demo's tiny DINO: scenes of emoji of every kind, and nothing else.

Part of them are the demo's own training scenes. Drawings that the demo keeps for validation are
left out in every style, by code point and by name.
"""

import multiprocessing
import re
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from demo_drawings import load_file, vary
from weclip.demo.sprites import CLASS_DRAWINGS, drawings_folder, seen_drawings
from weclip.demo.world import (
    BACKGROUND_COLOURS,
    SCENE_SIZE,
    Sprite,
    paint_background,
    paint_sprite,
    random_scene,
)

KEPT_CODES = {
    code
    for name, codes in CLASS_DRAWINGS.items()
    for code in codes
    if code not in seen_drawings(name)
}
"""Code points of the drawings that the demo keeps for validation."""

KEPT_NAMES = (
    "airplanearriv dove speedboat lotion trolleybus recreationalvehicle sportutility wrysmile "
    "foxwry waterbuffalo poodle blond metro"
).split()
"""The same in words, for drawings that are filed by name."""

NEUTRAL_CODES = (
    (0x2600, 0x26F3),
    (0x2702, 0x2707),
    (0x270A, 0x27BF),
    (0x1F330, 0x1F331),
    (0x1F337, 0x1F375),
    (0x1F377, 0x1F37B),
    (0x1F380, 0x1F384),
    (0x1F386, 0x1F39F),
    (0x1F3A1, 0x1F3C1),
    (0x1F3C5, 0x1F3C6),
    (0x1F48B, 0x1F48E),
    (0x1F492, 0x1F4B9),
    (0x1F4BC, 0x1F4F9),
    (0x1F500, 0x1F573),
    (0x1F94A, 0x1F974),
    (0x1F9E0, 0x1F9F3),
)
"""Ranges of food, plants, games, tools and signs: nothing in them is of a class of the demo."""

TONE = re.compile("1f3f[b-f]")


def is_kept(path: Path) -> bool:
    """Whether a drawing is one that the demo keeps for validation, in whatever style."""
    words = re.sub("[^a-z]", "", path.stem.lower())
    return bool(KEPT_CODES & set(path.stem.lower().split("-"))) or any(
        name in words for name in KEPT_NAMES
    )


def is_neutral(path: Path) -> bool:
    """Whether a drawing, filed by code point, can be of no class of the demo."""
    first = int(path.stem.split("-")[0], 16)
    return any(low <= first <= high for low, high in NEUTRAL_CODES)


def is_variant(path: Path) -> bool:
    """Whether a drawing is a flag of letters, or a skin tone of a group."""
    name = path.stem.lower()
    return name.startswith(("1f1", "flag")) or ("200d" in name and TONE.search(name) is not None)


def training_drawings(styles: list[Path], neutral: list[Path]) -> list[list[Path]]:
    """The drawings of each style, the demo's own first.

    Args:
        styles: Folders of which every kind of drawing is used.
        neutral: Folders of `<code point>.png` of which only `NEUTRAL_CODES` are used.
    """
    chosen = []
    for folder in (drawings_folder(), *styles, *neutral):
        files = (p for p in sorted(folder.iterdir()) if p.suffix in (".png", ".webp"))
        kept = [p for p in files if not is_kept(p) and not is_variant(p)]
        chosen.append([p for p in kept if folder not in neutral or is_neutral(p)])
    return chosen


def random_sprite(
    drawings: list[list[Path]], rng: np.random.Generator, low: float, high: float
) -> Sprite:
    """A drawing of a random style in varied colours, of `low` to `high` of the scene's side."""
    style = drawings[0] if rng.random() < 0.3 else drawings[rng.integers(len(drawings))]
    drawing = vary(load_file(style[rng.integers(len(style))]), rng)
    return Sprite("", 0, SCENE_SIZE * float(rng.uniform(low, high)), drawing)


def clouds(rng: np.random.Generator) -> NDArray[np.float32]:
    """A random colour, with soft coloured noise at three scales, (S, S, 3) in 0..255."""
    canvas = np.full((SCENE_SIZE, SCENE_SIZE, 3), rng.uniform(20, 235, 3), dtype=np.float32)
    for cells in (3, 8, 24):
        noise = rng.normal(0, rng.uniform(2, 30), (cells, cells, 3)).clip(-127, 127) + 128
        layer = Image.fromarray(noise.astype(np.uint8)).resize(
            (SCENE_SIZE, SCENE_SIZE), Image.Resampling.BICUBIC
        )
        canvas += np.asarray(layer, dtype=np.float32) - 128
    return canvas


def random_canvas(drawings: list[list[Path]], rng: np.random.Generator) -> NDArray[np.float32]:
    """A background (S, S, 3) in 0..255: the demo's, clouds, or drawings so large that they blur."""
    kind = rng.random()
    if kind < 0.5:
        return paint_background(str(rng.choice(list(BACKGROUND_COLOURS))), SCENE_SIZE, rng)
    canvas = clouds(rng)
    if kind > 0.8:
        for _ in range(3):
            paint_sprite(canvas, random_sprite(drawings, rng, 1.2, 2.5), rng)
        blurred = Image.fromarray(canvas.clip(0, 255).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(float(rng.uniform(2, 8)))
        )
        canvas = np.asarray(blurred, dtype=np.float32) + rng.normal(0, 5, (*canvas.shape[:2], 1))
    return canvas.astype(np.float32)


def training_picture(drawings: list[list[Path]], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One picture (S, S, 3): a training scene of the demo, or up to five drawings of any kind."""
    if rng.random() < 0.3:
        return random_scene(rng, unseen=False).image
    canvas = random_canvas(drawings, rng)
    for _ in range(rng.choice((1, 2, 3, 5), p=(0.4, 0.25, 0.25, 0.1))):
        paint_sprite(canvas, random_sprite(drawings, rng, 0.25, 0.75), rng)
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


@cache
def _drawings(styles: tuple[Path, ...], neutral: tuple[Path, ...]) -> list[list[Path]]:
    return training_drawings(list(styles), list(neutral))


def _render(
    index: int, seed: int, styles: tuple[Path, ...], neutral: tuple[Path, ...]
) -> NDArray[np.uint8]:
    return training_picture(_drawings(styles, neutral), np.random.default_rng((seed, 17, index)))


def render_pictures(
    count: int, seed: int, styles: list[Path], neutral: list[Path], workers: int = 2
) -> NDArray[np.uint8]:
    """Render pictures (M, S, S, 3) with `workers` processes; folders as in `training_drawings`."""
    one = partial(_render, seed=seed, styles=tuple(styles), neutral=tuple(neutral))
    with multiprocessing.Pool(workers) as pool:
        return np.stack(pool.map(one, range(count), chunksize=64))
