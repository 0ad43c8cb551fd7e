"""The picture of the README, from a finished demo: four held-out scenes, from good to poor.

python tools/readme_picture.py runs/demo docs/demo.png
"""

import argparse
from pathlib import Path

from PIL import Image
from rich.console import Console

from weclip.demo.run import scene_row
from weclip.inference.visualize import picture_row
from weclip.tasks.evaluate.model import masked_images, score_segmentation
from weclip.tasks.load.model import load_model

RANKS = (0.05, 0.25, 0.5, 0.75)
"""Which scenes, as shares of the list from the best to the worst."""


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
        rows.append(picture_row([picture for _, picture in scene.images], height=128))
    page = Image.new("RGB", (rows[0].width, sum(row.height + 6 for row in rows) - 6), "white")
    for index, row in enumerate(rows):
        page.paste(row, (0, index * (row.height + 6)))
    page.save(args.picture, optimize=True)


if __name__ == "__main__":
    main()
