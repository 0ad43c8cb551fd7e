"""How many steps a training needs: mIoU on held-out scenes against steps, by number of images.

python benchmarks/steps.py [--points 150:120,150:250,...] [--out FILE] [--chart FILE.svg]

Trains on the demo world with the settings for own folders (preset `folder`), the shipped tiny CLIP
and crops of 128 pixels; each point is a training of its own, from tags alone, scored on the same 60
held-out scenes at one scale. Points that FILE holds already are not trained again. Needs
`weclip[demo]`.
"""

import argparse
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring import now, show, write
from weclip.config_file import load_config
from weclip.demo.world import write_world
from weclip.tasks.train.run import train
from weclip.training.runlog import LOG_NAME, read_log

SIZES = (50, 150, 500, 2000)
HELD_OUT = 60
STEPS = (60, 120, 250, 500, 1000)
LISTS = Path("ImageSets", "Segmentation")
COLOURS = ("#7f7f7f", "#1f77b4", "#2ca02c", "#d62728")

LINE = 13
"""Pixels from one name to the next."""

Point = dict[str, float]


def make_world(root: Path) -> None:
    """One world; a smaller training list is the beginning of a larger one."""
    write_world(root, train_scenes=max(SIZES), val_scenes=HELD_OUT, seed=0)
    names = (root / LISTS / "train.txt").read_text(encoding="utf-8").split()
    for size in SIZES:
        text = "".join(f"{name}\n" for name in names[:size])
        (root / LISTS / f"train_{size}.txt").write_text(text, encoding="utf-8")


def measure(world: Path, out: Path, images: int, steps: int) -> Point:
    """Train and score; seconds include the scores."""
    changes = [
        *("data.format=voc", "data.classes=demo", "data.tags_file=tags.csv", "clip.weights=demo"),
        *(f"data.root={world}", f"data.train_split=train_{images}", "data.eval_split=val"),
        *("data.crop_size=128", "train.batch_size=4", "data.workers=0", f"train.steps={steps}"),
        *("train.eval_every=0", "eval.long_side=160", f"optim.warmup_steps={min(50, steps // 10)}"),
    ]
    then = now()
    train(load_config("folder", changes), out, overwrite=True)
    last = read_log(out / LOG_NAME)[-1]
    return {
        "images": images,
        "steps": steps,
        "miou": last["eval_miou"],
        "seconds": round(now() - then),
    }


def chart(points: Sequence[Point]) -> str:
    """mIoU against steps on a scale of logarithms, one line for each number of images: an SVG."""
    width, height, left, bottom = 560, 320, 50, 270
    most = max((point["miou"] for point in points), default=1.0)
    low, high = math.log(STEPS[0]), math.log(STEPS[-1])

    def place(point: Point) -> str:
        x = left + (math.log(point["steps"]) - low) / (high - low) * (width - left - 90)
        return f"{x:.0f},{bottom - point['miou'] / most * (bottom - 20):.0f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
    ]
    for steps in STEPS:
        x, _ = place({"steps": steps, "miou": 0}).split(",")
        parts.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{steps}</text>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = bottom - share * (bottom - 20)
        parts.append(
            f'<line x1="{left}" x2="{width - 90}" y1="{y}" y2="{y}" stroke="#ddd"/>'
            f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{100 * share * most:.0f}</text>'
        )
    labels: list[int] = []
    for size, colour in zip(SIZES, COLOURS, strict=True):
        own = sorted((p for p in points if p["images"] == size), key=lambda p: p["steps"])
        if own:
            line = " ".join(map(place, own))
            x, y = map(int, line.split()[-1].split(","))
            label = y + 4
            while any(abs(label - other) < LINE for other in labels):
                label -= 1  # above the names that stand there
            labels.append(label)
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
                f'<text x="{x + 6}" y="{label}" fill="{colour}">{size} images</text>'
            )
            for place_x, place_y in (pair.split(",") for pair in line.split()):
                parts.append(f'<circle cx="{place_x}" cy="{place_y}" r="3" fill="{colour}"/>')
    parts.append(
        f'<text x="{(left + width - 90) / 2}" y="{height - 8}" text-anchor="middle">steps of 4 '
        "images; mIoU (%) on 60 held-out scenes</text></svg>\n"
    )
    return "".join(parts)


def table(points: Sequence[Point]) -> list[list[str]]:
    """A row for each number of images; what was not trained is `not run`."""
    found = {(p["images"], p["steps"]): f"{100 * p['miou']:.1f}" for p in points}
    return [[str(size), *(found.get((size, n), "not run") for n in STEPS)] for size in SIZES]


def main() -> None:
    """Parse, train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = ",".join(f"{size}:{steps}" for size in SIZES for steps in STEPS)
    parser.add_argument("--points", default=every, help="images:steps,...")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--chart", type=Path)
    arguments = parser.parse_args()
    known = arguments.out is not None and arguments.out.exists()
    points: list[Point] = json.loads(arguments.out.read_text())["points"] if known else []
    done = {(point["images"], point["steps"]) for point in points}
    wanted = [tuple(map(int, text.split(":"))) for text in arguments.points.split(",") if text]
    todo = [point for point in wanted if point not in done]
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        if todo:
            make_world(world)
        for images, steps in todo:
            points.append(measure(world, Path(folder) / "run", images, steps))
            print(points[-1], flush=True)
            write(arguments.out, {"points": points})
    show("mIoU by images and steps", ("images", *map(str, STEPS)), table(points))
    if arguments.chart is not None:
        arguments.chart.write_text(chart(points), encoding="utf-8")


if __name__ == "__main__":
    main()
