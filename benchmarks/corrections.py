"""Which images to correct first: a model's mIoU after an oracle has corrected k of them.

python benchmarks/corrections.py --out FILE.jsonl [--images 2000] [--ks 0 100] [--seeds 0 1]
    [--orders confidence disagreement suspects random] [--kinds tags masks both]
    [--spoilt 0.1] [--weight 1] [--change KEY=VALUE ...] [--work DIR]

The demo's scenes, a share of whose tags is spoilt (a third each replaced, left out and added). The
oracle corrects the first k images of an order: their tags, their masks (what a mask shows becomes a
tag, what it does not show stays one), or both. Orders: least confident masks of `weclip label`
first; masks of two methods that differ most; doubtful tags first, worst first; at random. Every
training is a line of FILE, with mIoU on held-out scenes; those that FILE holds are not made again.
`--work` keeps scenes and orders. Needs `weclip[demo]`.
"""

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from torch import Tensor

from demo_plus import measure
from measuring import show
from suspects import KINDS as MISTAKES
from suspects import spoilt
from weclip.config import Config
from weclip.config_file import load_config
from weclip.data.batch import TaggedImage
from weclip.data.classes import load_classes
from weclip.data.corrections.writing import Accepted, open_for_writing
from weclip.data.masks.mask_files import read_mask
from weclip.demo.run import VAL_SCENES
from weclip.demo.world import write_world
from weclip.inference.scores.suspects import find_suspects
from weclip.system.console import QUIET
from weclip.tasks.datasets import open_configured
from weclip.tasks.label.run import LabelOptions, label
from weclip.tasks.load.backbones import open_clip
from weclip.tasks.tag.auto_tags import make_tags
from weclip.tasks.tag.suspects import given_tags

CLASSES = load_classes("demo")
KINDS = ("tags", "masks", "both")
SECOND = "cam.source=patch_text"
"""What the second of two methods does otherwise."""

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """The scenes of a seed.

    Attributes:
        root: VOC folder with the spoilt tags.
        work: Folder beside it, for labels and corrections.
        images: Training images with these tags.
        true: (M, C-1) bool, their true tags.
        seed: Of scenes, mistakes and random order.
    """

    root: Path
    work: Path
    images: Sequence[TaggedImage]
    true: Tensor
    seed: int

    def config(self, *changes: str) -> Config:
        """The demo's configuration for these scenes."""
        return load_config("demo", [f"data.root={self.root}", *changes])

    def true_tags(self, index: int) -> tuple[int, ...]:
        """Of an image."""
        return tuple(self.true[index].nonzero()[:, 0].tolist())


def make_world(folder: Path, seed: int, options: argparse.Namespace) -> World:
    """Draw the scenes, or find them, and spoil their tags."""
    root = folder / "world"
    true_file = folder / "tags.csv"
    if not true_file.exists():
        shutil.rmtree(folder, ignore_errors=True)
        write_world(root, train_scenes=options.images, val_scenes=options.val, seed=seed)
        shutil.copy(root / "tags.csv", true_file)
    names = CLASSES.names
    given = load_config("demo", [f"data.root={root}", f"data.tags_file={true_file}"])
    images = open_configured(given).read_split("train")
    true = given_tags(images, len(names))
    wrong = spoilt(true, MISTAKES[-1], seed, options.spoilt)
    rows = [
        f"{image.path.name},{';'.join(names[tag] for tag in row.nonzero()[:, 0].tolist())}"
        for image, row in zip(images, wrong, strict=True)
    ]
    scored = [line for line in true_file.read_text().splitlines() if line.startswith("val_")]
    (root / "tags.csv").write_text("\n".join(["image,tags", *rows, *scored]) + "\n")
    spoilt_images = open_configured(load_config("demo", [f"data.root={root}"])).read_split("train")
    return World(root, folder, spoilt_images, true, seed)


def labelled(world: World, name: str, *changes: str) -> Path:
    """Masks by a method without training, made once."""
    out = world.work / name
    label(world.config(*changes), out, LabelOptions(resume=True), console=QUIET)
    return out


def by_confidence(world: World) -> list[int]:
    """Least confident masks first."""
    lines = (labelled(world, "labels") / "manifest.jsonl").read_text().splitlines()
    return sorted(range(len(lines)), key=lambda i: json.loads(lines[i])["confidence"])


def by_disagreement(world: World) -> list[int]:
    """Masks of two methods that differ on most pixels first."""
    one, other = labelled(world, "labels"), labelled(world, "second", SECOND)
    differ = [
        float(np.mean(read_mask(one / file) != read_mask(other / file)))
        for file in (f"masks/{image.name}.png" for image in world.images)
    ]
    return sorted(range(len(differ)), key=lambda i: -differ[i])


def by_suspects(world: World) -> list[int]:
    """Images with the most doubtful tag first; those without a doubt last, as they come."""
    config = world.config()
    clip = open_clip(config)
    scores = make_tags(config, CLASSES, world.images, clip, QUIET).scores
    found = find_suspects(scores, given_tags(world.images, len(CLASSES.names)), confidence=1e-9)
    return list(dict.fromkeys([*(each.image for each in found), *range(len(world.images))]))


def at_random(world: World) -> list[int]:
    """Any order."""
    return np.random.default_rng((world.seed, 7)).permutation(len(world.images)).tolist()


ORDERS: Mapping[str, Callable[[World], list[int]]] = {
    "confidence": by_confidence,
    "disagreement": by_disagreement,
    "suspects": by_suspects,
    "random": at_random,
}


def ordered(world: World, name: str) -> list[int]:
    """An order of the images' numbers, made once."""
    path = world.work / f"order-{name}.json"
    if not path.exists():
        path.write_text(json.dumps(ORDERS[name](world)))
    return list(json.loads(path.read_text()))


def correct(world: World, chosen: Sequence[int], kind: str) -> Path:
    """What an oracle corrects of some images, as `weclip review` would keep it."""
    folder = world.work / "corrected"
    shutil.rmtree(folder, ignore_errors=True)
    with open_for_writing(folder, CLASSES, "simulation") as writer:
        if kind == "tags":
            for index in chosen:
                writer.edit_tags(world.images[index], world.true_tags(index), seen=0)
            return folder
        accepted = []
        for index in chosen:
            image = world.images[index]
            tags = image.tags if kind == "masks" else world.true_tags(index)
            mask = read_mask(world.root / "SegmentationClass" / f"{image.name}.png")
            accepted.append(Accepted(image, tags, mask))
        writer.accept_all(accepted)
    return folder


def trained(world: World, row: Row, changes: Sequence[str]) -> Row:
    """Train after the corrections of a row, and score."""
    given = [*changes, f"loss.corrected_weight={row['weight']}"]
    wrong = 0
    if row["k"]:
        chosen = ordered(world, row["order"])[: row["k"]]
        wrong = sum(world.images[i].tags != world.true_tags(i) for i in chosen)
        given.append(f"data.corrected={correct(world, chosen, row['kind'])}")
    found = measure("demo", given, world.seed, world.root, {})
    return row | {"wrong_tags": wrong, "miou": found["own"], "seconds": found["seconds"]}


def wanted(options: argparse.Namespace) -> Iterator[Row]:
    """The trainings, a seed after the other; without a correction order and kind do not matter."""
    fixed = {
        "images": options.images,
        "val": options.val,
        "spoilt": options.spoilt,
        "weight": options.weight,
        "changes": options.change,
    }
    for seed in options.seeds:
        if 0 in options.ks:
            yield {"order": "none", "kind": "none", "k": 0, "seed": seed, **fixed, "weight": 1.0}
        for k in (k for k in options.ks if k):
            for order in options.orders:
                for kind in options.kinds:
                    yield {"order": order, "kind": kind, "k": k, "seed": seed, **fixed}


def read_rows(path: Path) -> list[Row]:
    """The trainings that a file holds; half a line of a killed run is cut off."""
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return [json.loads(line) for line in whole.splitlines()]


def table(rows: Sequence[Row]) -> list[list[str]]:
    """Mean mIoU of the seeds for each order and kind, and what was gained over none."""
    none = [row["miou"] for row in rows if not row["k"]]
    lines = []
    for key in sorted({(row["k"], row["kind"], row["order"]) for row in rows}):
        own = [row for row in rows if (row["k"], row["kind"], row["order"]) == key]
        score = 100 * mean(row["miou"] for row in own)
        gain = f"{score - 100 * mean(none):+.1f}" if none else "-"
        wrong = f"{mean(row['wrong_tags'] for row in own):.0f}"
        lines.append([str(key[0]), *key[1:], f"{score:.1f}", gain, wrong, str(len(own))])
    return lines


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--val", type=int, default=VAL_SCENES)
    parser.add_argument("--ks", type=int, nargs="+", default=[0, 100])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--orders", nargs="+", choices=ORDERS, default=[*ORDERS])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=[*KINDS])
    parser.add_argument("--spoilt", type=float, default=0.1, help="share of the tags")
    parser.add_argument("--weight", type=float, default=1.0, help="loss.corrected_weight")
    parser.add_argument("--change", action="append", default=[], help="of all trainings")
    parser.add_argument("--work", type=Path, help="keeps scenes and orders")
    return parser.parse_args()


def main() -> None:
    """Train what is missing, and print what there is."""
    options = parse()
    done = read_rows(options.out)
    plan = list(wanted(options))
    missing = [row for row in plan if not any(row.items() <= each.items() for each in done)]
    with tempfile.TemporaryDirectory() as folder:
        worlds: dict[int, World] = {}
        for number, row in enumerate(missing, 1):
            seed, work = row["seed"], options.work or Path(folder)
            if seed not in worlds:
                name = f"{options.images}-{options.val}-{options.spoilt}-{seed}"
                worlds[seed] = make_world(work / name, seed, options)
            done.append(trained(worlds[seed], row, options.change))
            with options.out.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(f"{number}/{len(missing)}", done[-1], flush=True)
    own = [each for each in done if any(row.items() <= each.items() for row in plan)]
    columns = ("k", "kind", "order", "mIoU", "gain", "wrong tags of k", "seeds")
    show(f"mIoU after corrections, {options.images} scenes", columns, table(own))


if __name__ == "__main__":
    main()
