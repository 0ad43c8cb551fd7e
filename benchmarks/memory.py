"""Peak memory of whole commands on large images: `predict` and `evaluate` of 81 classes, `label`.

python benchmarks/memory.py [--only NAME] [--out FILE]

The model is random, on the tiny CLIP of the demo; the image is a JPEG of smooth noise. What is
measured is the largest resident memory of the process, Python and PyTorch included.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from measuring import show, write
from weclip.build.method import build_method
from weclip.config_file import load_config, to_yaml
from weclip.data.classes import load_classes
from weclip.data.masks.mask_files import save_mask
from weclip.system.processes import cores
from weclip.tasks.load.backbones import frozen_backbones, open_backbones
from weclip.tasks.load.model import MODEL_NAME
from weclip.training.model_file import ModelFile, save_model_file

SIZES = {"predict": (6000, 9000), "label": (6300, 9524)}
"""Height and width by command: 54 and 60 million pixels; `evaluate` has the image of `predict`."""

LIMITS = {"predict": 1.2, "evaluate": 1.2, "label": 2.5}
"""GB that a command may take, whatever its options."""

CLASSES = "coco"
"""80 classes and the background."""

DATA = (
    "data.format=folder data.classes=voc clip.weights=demo data.workers=0 "
    "label.max_side=320"  # the demo's patches are half of ViT-B/16's: as many as it has at 640
).split()


def write_image(path: Path, size: tuple[int, int]) -> None:
    """A JPEG of `size` (H, W)."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC).save(path, quality=80)


def write_mask(path: Path, size: tuple[int, int], seed: int) -> None:
    """A mask of `size` (H, W): blocks of all classes, and of pixels that do not count."""
    ids = np.random.default_rng(seed).integers(0, len(load_classes(CLASSES).names) + 2, (60, 90))
    ids[ids > len(load_classes(CLASSES).names)] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = Image.fromarray(ids.astype(np.uint8))
    save_mask(np.asarray(blocks.resize(size[::-1], Image.Resampling.NEAREST)), path)


def write_model(folder: Path) -> Path:
    """A model file of a random decoder for `CLASSES`, trained for no step."""
    config = load_config("coco", ["data.root=.", "clip.weights=demo"])
    config.data.crop_size = 320
    backbones, classes = open_backbones(config), load_classes(CLASSES)
    torch.manual_seed(0)
    trained = build_method(config, backbones, classes).trained.state_dict()
    model = ModelFile(trained, to_yaml(config), classes, frozen_backbones(backbones), 0)
    save_model_file(folder / MODEL_NAME, model)
    return folder / MODEL_NAME


def commands(folder: Path) -> dict[str, list[str]]:
    """Arguments of `weclip` by what is measured; their inputs are made in `folder`."""
    images = folder / "photos"
    images.mkdir()
    for name, size in SIZES.items():
        write_image(folder / f"{name}.jpg", size)
    (folder / "label.jpg").rename(images / "label.jpg")
    tags = "image,tags\nlabel.jpg,{}\n"
    for count in (1, 4):
        text = tags.format(";".join(load_classes("voc").names[:count]))
        (folder / f"{count}.csv").write_text(text, encoding="utf-8")
    scored = folder / "scored"
    write_mask(scored / "masks" / "predict.png", SIZES["predict"], 0)
    (folder / "predict.jpg").rename(scored / "predict.jpg")
    (scored / "tags.csv").write_text("image,tags,split\npredict.jpg,cat,val\n", encoding="utf-8")
    given = []
    for seed in (1, 2):
        write_mask(folder / f"masks{seed}" / "predict.png", SIZES["predict"], seed)
        given += ["--masks", f"{seed}={folder / f'masks{seed}'}"]
    data = [f"data.root={scored}", "data.format=folder", f"data.classes={CLASSES}"]
    data += ["data.tags_file=null", "data.eval_split=val", "data.workers=0"]
    model = str(write_model(folder))
    label = ["label", "--config", "folder", *DATA, f"data.root={images}"]
    predict = ["predict", "--model", model, str(scored / "predict.jpg")]
    return {
        "predict, 81 classes": predict,
        "predict, 81 classes, overlay": [*predict, "--overlays"],
        "predict, 81 classes, confidence": [*predict, "--confidence"],
        "evaluate, 81 classes": ["evaluate", "--model", model, *data],
        "evaluate, 2 folders of masks": ["evaluate", *given, "--config", "folder", *data],
        "label, 1 tag": [*label, f"data.tags_file={folder / '1.csv'}"],
        "label, 4 tags": [*label, f"data.tags_file={folder / '4.csv'}"],
        "label, 4 tags, PAR": [*label, f"data.tags_file={folder / '4.csv'}", "label.par=true"],
    }


def measure(arguments: Sequence[str], out: Path) -> tuple[float, float, float]:
    """Peak in GB (10^9 bytes), seconds, and seconds of a core, of one command."""
    start = time.perf_counter()
    with (out.parent / f"{out.name}.log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "weclip", *arguments, "--out", str(out)], stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        log.seek(0)
        if status:
            raise SystemExit(f"{' '.join(arguments)} failed: {log.read()[-2000:]}")
    worked = usage.ru_utime + usage.ru_stime
    return usage.ru_maxrss * 1024 / 1e9, time.perf_counter() - start, worked


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="beginning of what is measured")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    rows, peaks = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for index, (name, arguments) in enumerate(commands(folder).items()):
            if name.startswith(args.only):
                peaks[name], *seconds = measure(arguments, folder / f"out{index}")
                rows.append((name, f"{peaks[name]:.2f}", *(f"{each:.0f}" for each in seconds)))
    title = f"peak memory of a command, 54 and 60 million pixels, {cores()} cores"
    show(title, ("command", "GB", "seconds", "of a core"), rows)
    write(args.out, {"what": title, "gigabytes": peaks})


if __name__ == "__main__":
    main()
