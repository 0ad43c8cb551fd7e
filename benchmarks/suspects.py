"""How right the list of doubtful tags is: `weclip check --suspects` where 10 % of tags are spoilt.

python benchmarks/suspects.py [--images 300] [--out FILE]

The demo's scenes and its tiny CLIP. A tag in ten is replaced by another, left out, or another is
added beside it; each image is scored once, tags are spoilt with several seeds. A suspect is right
if its tag is wrong or what is seen is missing.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from measuring import show, write
from weclip.config_file import load_config
from weclip.demo.world import write_world
from weclip.inference.scores.suspects import Suspect, find_suspects
from weclip.system.console import QUIET
from weclip.tasks.datasets import open_configured
from weclip.tasks.load.backbones import open_clip
from weclip.tasks.tag.auto_tags import make_tags
from weclip.tasks.tag.suspects import given_tags

KINDS = ("replaced", "left out", "added", "a third of each")
SHARE = 0.1
SEEDS = range(5)


def scored(images: int) -> tuple[Tensor, Tensor]:
    """(M, K) scores by CLIP and true tags of so many scenes."""
    with tempfile.TemporaryDirectory() as folder:
        write_world(Path(folder), train_scenes=images, val_scenes=1, seed=5)
        config = load_config("demo", [f"data.root={folder}"])
        dataset = open_configured(config)
        listed = dataset.read_split("train")
        made = make_tags(config, dataset.classes, listed, open_clip(config), QUIET)
        return made.scores, given_tags(listed, len(dataset.classes.names))


def spoilt(true: Tensor, kind: str, seed: int, share: float = SHARE) -> Tensor:
    """The tags with a share of them wrong."""
    rng, given = np.random.default_rng(seed), true.clone()
    places = true.nonzero().tolist()
    for number, place in enumerate(rng.choice(len(places), int(share * len(places)), False)):
        image, tag = places[place]
        how = KINDS[number % 3] if kind == KINDS[3] else kind
        free = (~true[image] & ~given[image]).nonzero()[:, 0].tolist()
        if how != "added":
            given[image, tag] = False
        if how != "left out":
            given[image, rng.choice(free)] = True
    return given


def rates(found: Sequence[Suspect], given: Tensor, true: Tensor) -> tuple[float, float, int]:
    """Share of the suspects that are right, share of the mistakes that are found, suspects."""
    wrong = {(image, tag) for image, tag in (given != true).nonzero().tolist()}
    named = [{(e.image, tag) for tag in (e.tag, e.seen)} & wrong for e in found]
    caught = set().union(*named)
    return sum(map(bool, named)) / max(1, len(found)), len(caught) / len(wrong), len(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    scores, true = scored(options.images)
    rows = []
    for kind in KINDS:
        results = []
        for seed in SEEDS:
            given = spoilt(true, kind, seed)
            results.append(rates(find_suspects(scores, given), given, true))
        precision, recall, length = np.mean(results, axis=0)
        rows.append([kind, f"{precision:.2f}", f"{recall:.2f}", f"{length:.0f}"])
    rows.append(["none", "-", "-", str(len(find_suspects(scores, true)))])
    columns = ["spoilt", "precision", "recall", "suspects"]
    title = f"Doubtful tags of {len(true)} scenes, {int(SHARE * int(true.sum()))} tags spoilt"
    show(title, columns, rows)
    write(options.out, {"rows": rows, "images": len(true)})


if __name__ == "__main__":
    main()
