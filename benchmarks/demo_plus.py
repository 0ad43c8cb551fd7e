"""WeCLIP and WeCLIP+ on the demo: mIoU by seed, on its own drawings and on those of other vendors.

python benchmarks/demo_plus.py [--seeds 0,1,2] [--presets demo,demo-plus] [--change KEY=VALUE ...]
                               [--vendor NAME=FOLDER ...] [--out FILE]

Each seed draws its own scenes and trains once for each preset, from tags alone. Scored as the demo
is: 200 held-out scenes, one scale, no tags. A vendor's FOLDER is a VOC folder of scenes with its
drawings, split `val`. Trainings that FILE holds already are not made again. Needs `weclip[demo]`.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measuring import now, show, write
from weclip.config_file import load_config
from weclip.demo.run import TRAIN_SCENES, VAL_SCENES, drawing_groups
from weclip.demo.world import write_world
from weclip.system.console import QUIET
from weclip.tasks.evaluate.model import masked_images, score_segmentation
from weclip.tasks.load.model import load_model
from weclip.tasks.train.run import train

GROUPS = ("seen drawings", "unseen drawings")


def measure(
    preset: str, changes: Sequence[str], seed: int, world: Path, vendors: Mapping[str, Path]
) -> dict[str, Any]:
    """Train once, and score on everything."""
    given = [f"data.root={world}", f"train.seed={seed}", "data.eval_split=null", *changes]
    with tempfile.TemporaryDirectory() as folder:
        run, then = Path(folder) / "run", now()
        train(load_config(preset, given), run)
        seconds = now() - then
        own = load_model(run, overrides=["data.eval_split=val"])
        samples = masked_images(own, QUIET)
        groups = drawing_groups(world)
        record = score_segmentation(own, samples, console=QUIET, group_of=groups)
        scores = record["Segmentation"].record
        found = {"own": scores["miou"], **{name: scores["groups"][name]["miou"] for name in GROUPS}}
        for name, place in vendors.items():
            model = load_model(run, overrides=[f"data.root={place}", "data.eval_split=val"])
            samples = masked_images(model, QUIET)
            found[name] = score_segmentation(model, samples, console=QUIET)["Segmentation"].record[
                "miou"
            ]
    return {"preset": preset, "changes": list(changes), "seed": seed, "seconds": seconds, **found}


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[str]]:
    """A row for each training, and the mean of each preset with its changes."""
    lines = []
    kinds = dict.fromkeys((row["preset"], *row["changes"]) for row in rows)
    for kind in kinds:
        own = [row for row in rows if (row["preset"], *row["changes"]) == kind]
        name = " ".join(kind)
        for row in own:
            scores = (f"{100 * row[column]:.1f}" if column in row else "-" for column in columns)
            lines.append([name, str(row["seed"]), *scores, f"{row['seconds']:.0f}"])
        means = [[100 * row[column] for row in own if column in row] for column in columns]
        of_all = (f"{statistics.mean(each):.1f}" if each else "-" for each in means)
        lines.append([name, "mean", *of_all, ""])
    return lines


def main() -> None:
    """Parse, train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--presets", default="demo,demo-plus")
    parser.add_argument("--change", action="append", default=[], help="of all presets")
    parser.add_argument("--vendor", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    known = arguments.out is not None and arguments.out.exists()
    rows = json.loads(arguments.out.read_text())["trainings"] if known else []
    vendors = {name: Path(place) for name, _, place in (v.partition("=") for v in arguments.vendor)}
    with tempfile.TemporaryDirectory() as folder:
        for seed in map(int, arguments.seeds.split(",")):
            world = Path(folder) / str(seed)
            for preset in arguments.presets.split(","):
                same = (preset, arguments.change, seed)
                if any((row["preset"], row["changes"], row["seed"]) == same for row in rows):
                    continue
                if not world.exists():
                    scenes = {"train_scenes": TRAIN_SCENES, "val_scenes": VAL_SCENES}
                    write_world(world, **scenes, seed=seed)
                rows.append(measure(preset, arguments.change, seed, world, vendors))
                print(rows[-1], flush=True)
                write(arguments.out, {"trainings": rows})
    columns = ("own", *GROUPS, *vendors)
    show("mIoU", ("preset", "seed", *columns, "training, s"), table(rows, columns))


if __name__ == "__main__":
    main()
