"""The picture of the README, from a finished demo: four held-out scenes, from good to poor.

python tools/readme_picture.py runs/demo docs/demo.png
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from weclip.demo.run import scene_row
from weclip.inference.visualize import picture_row
from weclip.tasks.evaluate.model import masked_images, score_segmentation
from weclip.tasks.load.model import load_model

RANKS = (0.05, 0.25, 0.5, 0.75)
"""Which scenes, as shares of the list from the best to the worst."""

SIDE, GAP, HEAD = 192, 6, 34
"""Pixels: of a scene, between two, and of the line of words above the columns."""

WORDS = {"CAM": "activation map", "truth": "drawn truth"}
"""What stands above a column, where it is not the name that the report has."""


def main() -> None:
    """Parse, score, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path)
    parser.add_argument("picture", type=Path)
    args = parser.parse_args()
    model = load_model(args.demo / "run", overrides=[f"data.root={args.demo / 'world'}"])
    samples = masked_images(model, Console())
    result = score_segmentation(model, samples, console=Console())["Segmentation"].result
    ranked = result.ranked()
    by_name = {sample.name: sample for sample in samples}
    rows = []
    for rank in RANKS:
        scene = scene_row(model, by_name[ranked[int(rank * len(ranked))]], note="")
        rows.append(picture_row([p for _, p in scene.images], height=SIDE, gap=GAP, smooth=True))
        names = [WORDS.get(name, name) for name, _ in scene.images]
    page_of(rows, names).save(args.picture, optimize=True)


def page_of(rows: Sequence[Image.Image], names: Sequence[str]) -> Image.Image:
    """Rows under each other, with a name above each column."""
    page = Image.new("RGB", (rows[0].width, HEAD + len(rows) * (SIDE + GAP) - GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(20)
    for column, name in enumerate(names):
        middle = column * (SIDE + GAP) + SIDE / 2
        draw.text((middle, HEAD / 2), name, fill="black", font=font, anchor="mm")
    for index, row in enumerate(rows):
        page.paste(row, (0, HEAD + index * (SIDE + GAP)))
    return page


if __name__ == "__main__":
    main()
