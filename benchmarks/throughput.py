"""Processor time of whole commands on photographs: predict, evaluate, label, tag, and their start.

python benchmarks/throughput.py RUN PHOTOS WORLD [--against CHECKOUT] [--images 41] [--out FILE]

RUN is a run of the demo's preset, PHOTOS a folder of images with tags, WORLD that of `weclip demo`.
Each command is run on one image and on several; the first is its start, the difference is what an
image takes. With `--against` another checkout's commands are run in turn with these, and the median
of the ratios of each round is shown.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from measuring import show, write
from weclip.config_file import label_methods

HERE = Path(__file__).parents[1]
ONE_SCALE = ("eval.scales=[1.0]", "eval.flip=false")
SCALES = ("eval.scales=[1.0,0.75]", "eval.flip=true")


def commands(run: Path, photos: Path, world: Path) -> dict[str, list[str]]:
    """Arguments of `weclip` by what is measured."""
    predict = ["predict", "--model", str(run), str(photos)]
    scored = [f"data.root={world}", "data.format=voc", "data.eval_split=part", "data.workers=0"]
    labelled = [str(photos), "clip.weights=demo"]
    return {
        "predict, one scale": [*predict, *ONE_SCALE],
        "predict, scales and flip": [*predict, *SCALES],
        "evaluate, scales and flip": ["evaluate", "--model", str(run), *scored, *SCALES],
        **{f"label, {name}": ["label", *labelled, "--method", name] for name in label_methods()},
        "tag": ["tag", *labelled, f"data.classes={photos / 'classes.yaml'}"],
    }


def copy_some(photos: Path, world: Path, count: int, into: Path) -> tuple[Path, Path]:
    """The first images of both, with their tags and masks."""
    few, part = into / f"photos{count}", into / f"world{count}"
    few.mkdir()
    names = sorted(path.name for path in photos.glob("*.jpg"))[:count]
    for name in names:
        shutil.copy(photos / name, few)
    head, *rows = (photos / "tags.csv").read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if row.split(",")[0] in names]
    (few / "tags.csv").write_text("\n".join([head, *kept, ""]), encoding="utf-8")
    classes = sorted({name for row in rows for name in row.split(",")[1].split(";") if name})
    listed = f"classes: [{', '.join(classes)}]\nbackground_words: [ground, sky]\n"
    (few / "classes.yaml").write_text(listed, encoding="utf-8")
    shutil.copytree(world, part)
    lists = next(part.rglob("val.txt"))
    stems = [path.stem for path in sorted(part.rglob("SegmentationClass/*.png"))][:count]
    lists.with_name("part.txt").write_text("\n".join([*stems, ""]), encoding="utf-8")
    return few, part


def processor_seconds(arguments: list[str], checkout: Path, out: Path) -> float:
    """Of one command of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    call = [sys.executable, "-m", "weclip", *arguments, "--out", str(out), "--overwrite"]
    with out.with_suffix(".log").open("w+") as log:
        process = subprocess.Popen(call, stdout=log, stderr=log, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        log.seek(0)
        if status:
            raise SystemExit(f"{' '.join(arguments)} failed: {log.read()[-2000:]}")
    return usage.ru_utime + usage.ru_stime


def measure(args: argparse.Namespace, folder: Path) -> dict[str, dict[Path, list[list[float]]]]:
    """Seconds of each command on one image and on many, by checkout, a list of rounds."""
    few = commands(args.run, *copy_some(args.photos, args.world, 1, folder))
    many = commands(args.run, *copy_some(args.photos, args.world, args.images, folder))
    found: dict[str, dict[Path, list[list[float]]]] = {}
    for index, name in enumerate(few):
        if not name.startswith(args.only):
            continue
        out = folder / f"out{index}{'.csv' if name == 'tag' else ''}"
        rounds = found[name] = {checkout: [] for checkout in args.checkouts}
        for _ in range(args.rounds):
            for checkout, kept in rounds.items():
                kept.append([processor_seconds(each[name], checkout, out) for each in (few, many)])
    return found


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder or model file")
    parser.add_argument("photos", type=Path, help="folder of images with tags.csv")
    parser.add_argument("world", type=Path, help="VOC folder with masks")
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn")
    parser.add_argument("--images", type=int, default=41)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="beginning of what is measured")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    args.checkouts = [HERE] if args.against is None else [args.against.resolve(), HERE]
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(args, Path(temporary))
    rows = []
    for name, rounds in found.items():
        starts = [median(one for one, _ in kept) for kept in rounds.values()]
        each = [
            [(most - one) / (args.images - 1) for one, most in kept] for kept in rounds.values()
        ]
        speeds = [1 / median(kept) for kept in each]
        times = median(before / now for before, now in zip(each[0], each[-1], strict=True))
        shown = [*(f"{s:.1f}" for s in speeds), f"{times:.2f}", *(f"{s:.1f}" for s in starts)]
        rows.append((name, *shown))
    sides = ["before", "now"] if args.against else ["now"]
    heads = ["command", *(f"images per CPU second, {s}" for s in sides), "times"]
    title = f"{args.images - 1} photographs, processor time, {args.rounds} rounds"
    show(title, [*heads, *(f"start, CPU s, {s}" for s in sides)], rows)
    rounds = {name: {str(c): kept for c, kept in each.items()} for name, each in found.items()}
    write(args.out, {"what": title, "seconds": rounds})


if __name__ == "__main__":
    main()
