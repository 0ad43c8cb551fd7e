"""Parts that read a guide, regions or a memory: mIoU of masks with tags, each alone and together.

python benchmarks/region_parts.py --out FILE.jsonl [--seed 0] [--images 200] [--memory 300]
    [--split val] [--only NAME ...] [KEY=VALUE ...]

On scenes of the demo world, which it draws itself; `--memory` training scenes, without their tags,
are the bank. Every row is a line of FILE; those that FILE holds are not made again. Needs
`weclip[demo,regions]`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from measuring import device, show
from weclip.config import Config
from weclip.config_file import load_config
from weclip.data.batch import TaggedImage
from weclip.data.images.full_images import EvalItem, full_images
from weclip.demo.run import VAL_SCENES
from weclip.demo.world import write_world
from weclip.inference.label_masks import label_stream
from weclip.inference.scores.evaluate import Tally
from weclip.system.console import QUIET
from weclip.tasks.banks.memory import MemoryOptions, memory
from weclip.tasks.datasets import open_configured
from weclip.tasks.label.opening import open_method

PAR = "label.par=true"
NONE = "affinity.source=none"
TEXT = ("cam.source=text_probability", NONE)
ATTENTION = ("cam.source=region_attention", NONE)
EMBEDDING = "cam.embedding=region_attention"
VOTE = "regions.vote=true"
GRAPH, MERGED = "regions.source=graph", "regions.source=merged"
MEMORY = "label.memory=BANK"
WINDOWS = (*ATTENTION, VOTE, "label.windows=true", "label.scale=1.0", "windows.short_side=null")
FREE = ("label.any_class=true", "label.background_under=0.2")

ROWS: Mapping[str, tuple[str, ...]] = {
    "default: Grad-CAM, class distributions, PAR": (PAR,),
    "guide affinity in place of class distributions": ("affinity.source=guide", PAR),
    "text probability": (*TEXT, PAR),
    "region attention, superpixels": (*ATTENTION, PAR),
    "region attention, graph": (*ATTENTION, GRAPH, PAR),
    "patch-text": ("cam.source=patch_text", NONE, PAR),
    "patch-text, region attention": ("cam.source=patch_text", EMBEDDING, NONE, PAR),
    "patch-text, region attention, graph": ("cam.source=patch_text", EMBEDDING, NONE, GRAPH, PAR),
    "patch-text, region attention, memory": (
        "cam.source=patch_text",
        EMBEDDING,
        NONE,
        MEMORY,
        PAR,
    ),
    "default, distributions of region attention": (EMBEDDING, PAR),
    "text probability, memory": (*TEXT, MEMORY, PAR),
    "vote, superpixels": (PAR, VOTE),
    "vote, graph": (PAR, VOTE, GRAPH),
    "vote, merged": (PAR, VOTE, MERGED),
    "vote, graph, without PAR": (VOTE, GRAPH),
    "vote, graph, without an affinity": (NONE, PAR, VOTE, GRAPH),
    "vote, graph, patch-text without an affinity": (
        "cam.source=patch_text",
        NONE,
        PAR,
        VOTE,
        GRAPH,
    ),
    "vote, graph, text probability": (*TEXT, PAR, VOTE, GRAPH),
    "vote, graph, region attention": (*ATTENTION, PAR, VOTE, GRAPH),
    "vote, graph, text probability, memory": (*TEXT, MEMORY, PAR, VOTE, GRAPH),
    "guide affinity alone": ("affinity.source=guide", "affinity.guide.attention=false", PAR),
    "region attention, memory": (*ATTENTION, MEMORY, PAR),
    "region attention, superpixels, vote, no PAR": (*ATTENTION, VOTE),
    "CorrCLIP over windows, superpixels": WINDOWS,
    "CorrCLIP over windows, graph": (*WINDOWS, GRAPH),
    "no tags: text probability": (*TEXT, *FREE),
    "no tags: text probability, memory": (*TEXT, MEMORY, *FREE),
    "no tags: CorrCLIP over windows, superpixels": (*WINDOWS, *FREE),
}
"""Changes of the demo's configuration by name."""

Row = dict[str, Any]


def score(config: Config, items: Sequence[EvalItem], bank: Path | None) -> tuple[float, float]:
    """mIoU in per cent, and seconds an image."""
    classes, use = open_configured(config).classes, config.label
    given = replace(config, label=replace(use, memory=None if bank is None else str(bank)))
    scorer = open_method(given, classes, QUIET, soft=False).scorer
    tally, seconds = Tally(classes.num_classes), 0.0
    for item in items:
        tags = tuple(range(len(classes.names))) if use.any_class else item.tags or ()
        named = TaggedImage(item.name, Path(item.name), tags), item.image
        start = time.perf_counter()
        made = label_stream(
            scorer, [named], crf=None, threshold=0.0, background_under=use.background_under
        )
        ((_, mask),) = made
        seconds += time.perf_counter() - start
        tally.add(item.name, mask.label_map, item.mask)
    return 100 * tally.result().scores.miou, seconds / len(items)


def filled(config: Config, folder: Path) -> Path:
    """The bank of the training scenes, made once for each way to fill it."""
    way = f"{config.cam.source}-{config.cam.embedding}-{config.regions.source}"
    path = folder / f"{way}.safetensors"
    if not path.exists():
        memory(config, path, MemoryOptions(resume=True))
    return path


def made(changes: Sequence[str], base: Sequence[str], folder: Path, images: int) -> Row:
    """One row."""
    given = [each.replace("BANK", "bank") for each in changes]
    config = load_config("demo", [*base, "label.precision=float32", *given])
    split = config.data.eval_split or "val"
    dataset = open_configured(config)
    samples = dataset.read_masked_split(split)[:images]
    items = list(full_images(samples, num_classes=dataset.classes.num_classes, workers=0))
    bank = filled(config, folder) if config.label.memory is not None else None
    miou, seconds = score(config, items, bank)
    return {"miou": miou, "seconds": seconds, "images": len(items)}


def main() -> None:
    """Make what is missing, and print what there is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=VAL_SCENES)
    parser.add_argument("--memory", type=int, default=300, help="training scenes")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--only", action="append", choices=ROWS)
    args = parser.parse_args()
    lines = args.out.read_text().splitlines() if args.out.exists() else []
    fixed = {"seed": args.seed, "split": args.split, "changes": args.changes}
    done = [each for each in map(json.loads, lines) if fixed.items() <= each.items()]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "world"
        write_world(root, train_scenes=args.memory, val_scenes=VAL_SCENES, seed=args.seed)
        base = [f"data.root={json.dumps(str(root))}", f"data.eval_split={args.split}"]
        for name in args.only or ROWS:
            if any(each["name"] == name for each in done):
                continue
            dino = ["dino.weights=demo"] if needs_dino(ROWS[name]) else []
            row = made([*ROWS[name], *args.changes], [*base, *dino], Path(folder), args.images)
            done.append({"name": name, **fixed, **row})
            with args.out.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
            print(done[-1], flush=True)
    rows = [(r["name"], f"{r['miou']:.1f}", f"{1000 * r['seconds']:.0f}") for r in done]
    show(f"mIoU of masks with tags, {device()}", ("parts", "mIoU", "ms an image"), rows)


def needs_dino(changes: Sequence[str]) -> bool:
    """Whether a row reads the second encoder."""
    return any(
        each in (MERGED, MEMORY, "affinity.source=guide", ATTENTION[0], EMBEDDING)
        for each in changes
    )


if __name__ == "__main__":
    main()
