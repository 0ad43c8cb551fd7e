"""mIoU of masks without training: every map source with every affinity, also with PAR and CRF.

python benchmarks/maps.py [--model RUN] [--images N] [--config FILE] [--out FILE] [KEY=VALUE ...]

Without `--config` on the held-out scenes of the demo world, which it draws itself (`--seed`).
`--model` is a run of `weclip train`, which is the refinement module. The CRF's rows need
`pip install "weclip[crf]"`.
"""

import argparse
import itertools
import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from measuring import device, show, write
from weclip.build.without_training import build_label_crf, build_training_free
from weclip.config import Config
from weclip.config_file import load_config
from weclip.data.images.full_images import EvalItem, full_images
from weclip.demo.run import VAL_SCENES
from weclip.demo.world import write_world
from weclip.inference.label_masks import Scores, label_mask
from weclip.inference.scores.evaluate import Tally
from weclip.methods.training_free import TrainingFree
from weclip.parts import AFFINITY, MAP_SOURCE
from weclip.tasks.datasets import open_configured
from weclip.tasks.load.backbones import open_clip
from weclip.tasks.load.for_labels import open_guide
from weclip.tasks.load.model import load_model

REFINED = "attention + refinement module"
FOREIGN_GRID = "region_attention"
"""A map source on the patches of the second encoder (`dino.weights`), which are spread by none."""
ENDS = {"plain": (), "PAR": ("label.par=true",), "CRF": ("label.crf=true",)}


def configuration(base: list[str], preset: str, source: str, affinity: str, end: str) -> Config:
    """The configuration of one cell of the table."""
    spread = "attention" if affinity == REFINED else affinity
    changes = [f"cam.source={source}", f"affinity.source={spread}"]
    if preset == "demo" and {source, affinity} & {FOREIGN_GRID, "guide"}:
        changes.append("dino.weights=demo")
    return load_config(preset, [*changes, *ENDS[end], *base])


def score(
    method: TrainingFree, config: Config, items: list[EvalItem], classes: int
) -> tuple[float, float]:
    """mIoU in per cent, and seconds an image."""
    tally, crf, seconds = Tally(classes), build_label_crf(config), 0.0
    for item in items:
        start = time.perf_counter()
        maps = method(item.image, item.tags or ())
        mask = label_mask(item.image, Scores(maps.scores), crf, 0.0)
        seconds += time.perf_counter() - start
        tally.add(item.name, mask.label_map, item.mask)
    return 100 * tally.result().scores.miou, seconds / len(items)


def main() -> None:
    """Parse, draw scenes, score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("changes", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--config", help="preset or file; default: demo, on a world of its own")
    parser.add_argument("--model", help="run folder, for the refinement module")
    parser.add_argument("--images", type=int, help="score this many only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = list(args.changes)
        if args.config is None:
            write_world(Path(folder), train_scenes=1, val_scenes=VAL_SCENES, seed=args.seed)
            base.append(f"data.root={json.dumps(folder)}")
        measure(args.config or "demo", base, args)


def measure(preset: str, base: list[str], args: argparse.Namespace) -> None:
    """Score every combination and show the table."""
    config = load_config(preset, base)
    dataset = open_configured(config)
    samples = dataset.read_masked_split(config.data.eval_split or "val")[: args.images]
    items = list(full_images(samples, num_classes=dataset.classes.num_classes, workers=0))
    clip = open_clip(config)
    trained = load_model(args.model).method.to(device()) if args.model else None
    affinities = [*AFFINITY.file_names(), *([REFINED] if trained is not None else [])]
    ends = [end for end in ENDS if end != "CRF" or find_spec("pydensecrf") is not None]
    rows, figures = [], {}
    for source, affinity in itertools.product(MAP_SOURCE.file_names(), affinities):
        if source == FOREIGN_GRID and affinity != "none":
            continue
        scores, spent = {}, np.inf
        for end in ends:
            config = configuration(base, preset, source, affinity, end)
            refines = trained if affinity == REFINED else None
            guide = open_guide(config)
            method = build_training_free(config, clip, dataset.classes, refines, guide).to(device())
            scores[end], seconds = score(method, config, items, dataset.classes.num_classes)
            spent = min(spent, seconds)
        figures[f"{source}, {affinity}"] = scores | {"milliseconds": 1000 * spent}
        cells = (f"{scores[end]:.1f}" if end in scores else "not run" for end in ENDS)
        rows.append((source, affinity, *cells, f"{1000 * spent:.0f}"))
    columns = ("map source", "affinity", *ENDS, "ms an image, plain")
    title = f"mIoU of masks without training, {len(items)} images, {device()}"
    show(title, columns, rows)
    write(args.out, {"what": title, "seed": args.seed, "mIoU": figures})


if __name__ == "__main__":
    main()
