"""The command `evaluate --masks` on small data, and what it wrote."""

import json

import numpy as np
from PIL import Image

from weclip.cli import app as cli

NAMES = ("val_8", "val_9", "val_10")
VOC = ("data.tags_file=tags.csv",)


def evaluate(masks, out, *arguments):
    line = ["evaluate", "--masks", masks, "--out", out, *arguments]
    return cli.run([*map(str, line)])


def evaluate_voc(masks, out, root, *arguments):
    return evaluate(masks, out, "--config", "voc", f"data.root={root}", *VOC, *arguments)


def records(out):
    return json.loads((out / "evaluation.json").read_text())


def record(out, name=None):
    """The record of this name, or the only one."""
    found = records(out)
    if name is None:
        (name,) = found
    return found[name]


def read(path):
    with Image.open(path) as image:
        return np.array(image)


def save(array, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
