"""Captioned scenes for training the demo's tiny CLIP: what is drawn, and the words for it."""

import multiprocessing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from demo_drawings import choose_file, load_file, vary
from weclip.data.classes import load_classes
from weclip.demo.sprites import DISTRACTOR_DRAWINGS
from weclip.demo.world import BACKGROUND_COLOURS, CLASS_NAMES, Scene, Sprite, render_scene

SYNONYMS = {
    "water": ("water", "lake", "river", "sea", "ocean"),
    "ground": ("ground", "land"),
    "road": ("road", "street"),
    "grass": ("grass", "valley"),
}
"""Background words that mean the same colour and texture in this world."""

DISTRACTOR_CHANCE = {"any": 0.4, "object": 0.0, "scenery": 0.75}
"""Whether something that is not a class is drawn, by what a scene is to show."""

OBJECT_CHANCES = {64: (0.05, 0.95), 96: (0.1, 0.5, 0.4), 128: (0.1, 0.5, 0.25, 0.15)}
"""How many objects, by the side of the scene."""


@dataclass(frozen=True)
class Pool:
    """Rendered scenes: images (M, S, S, 3) uint8 and captions (M, concepts) bool."""

    images: NDArray[np.uint8]
    captions: NDArray[np.bool_]

    def pick(self, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Images (B, 3, S, S) in 0..1 and captions (B, V) of those scenes."""
        images = torch.from_numpy(self.images[chosen]).permute(0, 3, 1, 2).float() / 255
        return images, torch.from_numpy(self.captions[chosen])


class Vocabulary:
    """Concepts and the words that name them: classes first, then scenery, then unused words."""

    def __init__(self) -> None:
        classes = load_classes("demo")
        self.concepts: list[tuple[str, ...]] = list(classes.prompts)
        self.scenery: dict[str, int] = {}
        used: set[str] = set()
        for word in (*BACKGROUND_COLOURS, *DISTRACTOR_DRAWINGS):
            self.scenery[word] = len(self.concepts)
            self.concepts.append(SYNONYMS.get(word, (word,)))
            used.update(self.concepts[-1])
        self.concepts += [(word,) for word in classes.background_words if word not in used]
        self.words = [word for group in self.concepts for word in group]
        self.members = torch.zeros(len(self.words), len(self.concepts))
        owner = [i for i, group in enumerate(self.concepts) for _ in group]
        self.members[range(len(owner)), owner] = 1

    def caption(self, scene: Scene) -> NDArray[np.bool_]:
        """Multi-hot concepts (V,) of what a scene shows."""
        shown = np.zeros(len(self.concepts), dtype=bool)
        shown[list(scene.tags)] = True
        shown[self.scenery[scene.background]] = True
        for sprite in scene.visible:
            if sprite.class_id == 0:
                shown[self.scenery[sprite.code]] = True
        return shown


def training_scene(rng: np.random.Generator, size: int, show: str, styles: list[Path]) -> Scene:
    """A scene like the demo's, without the drawings that the demo keeps for validation.

    Args:
        rng: Source of every choice.
        size: Pixels per side.
        show: "any", or exactly one "object", or only "scenery".
        styles: Folders of drawings beside the demo's own.
    """

    def sprite(word: str, codes: str | tuple[str, ...], class_id: int) -> Sprite:
        drawing = vary(load_file(choose_file(codes, styles, rng)), rng)
        return Sprite(word, class_id, rng.uniform(32, min(84, size)), drawing)

    sprites = []
    if rng.random() < DISTRACTOR_CHANCE[show]:
        word = str(rng.choice(list(DISTRACTOR_DRAWINGS)))
        sprites.append(sprite(word, DISTRACTOR_DRAWINGS[word], 0))
    chances = {"object": (0, 1), "scenery": (1,), "any": OBJECT_CHANCES[size]}[show]
    count = int(rng.choice(len(chances), p=chances))
    for class_id in rng.choice(len(CLASS_NAMES), count, replace=False) + 1:
        name = CLASS_NAMES[class_id - 1]
        sprites.append(sprite(name, name, int(class_id)))
    return render_scene(str(rng.choice(list(BACKGROUND_COLOURS))), sprites, size, rng)


def _render(
    job: tuple[int, int, int, str, list[Path]],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    seed, index, size, show, styles = job
    stream = list(DISTRACTOR_CHANCE).index(show)
    scene = training_scene(
        np.random.default_rng((seed, 1_000_003 + stream, size, index)), size, show, styles
    )
    return scene.image, Vocabulary().caption(scene)


def render_pool(count: int, size: int, seed: int, show: str, styles: list[Path]) -> Pool:
    """Render `count` scenes over all cores; arguments as in `training_scene`."""
    jobs = [(seed, index, size, show, styles) for index in range(count)]
    with multiprocessing.Pool() as workers:
        images, captions = zip(*workers.imap(_render, jobs, chunksize=64), strict=True)
    return Pool(np.stack(images), np.stack(captions))
