"""ONNX beside PyTorch: difference of the logits, file size, images per second.

python benchmarks/export.py [--model RUN] [--out FILE]

Of a random ViT-B/16 of full size, or of a trained run. Needs `weclip[export]`.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from full_size import full_size_method
from measuring import seconds, show, write
from weclip.data.classes import load_classes
from weclip.exports.models.formats import FORMATS
from weclip.exports.models.graph import Graph
from weclip.exports.models.verify import verify
from weclip.inference.onnx.header import LOGITS, OnnxHeader
from weclip.system.provenance import versions
from weclip.tasks.load.model import load_model

SHAPE = (1, 3, 384, 512)
KINDS = (("onnx", "float32"), ("onnx", "float16"), ("pt2", "float32"))


def opened(run: Path | None) -> nn.Module:
    """The method of a run, or one of full size with random weights."""
    if run is None:
        torch.manual_seed(0)
        return full_size_method()[0].eval()
    method = load_model(run).method
    assert isinstance(method, nn.Module)
    return method


def header(precision: str) -> OnnxHeader:
    """A header that any model will do with."""
    return OnnxHeader(load_classes("voc"), {}, {}, {}, 0, LOGITS, precision, versions(), "")


def main() -> None:
    """Parse, export, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="run folder; by default random weights")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    image = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.float32)
    exact = Graph(opened(args.model), LOGITS)
    with torch.no_grad():
        speed = 1 / seconds(lambda: exact(torch.from_numpy(image)), 3)
    rows, found = [("PyTorch", "float32", "", "", "", f"{speed:.2f}")], {"PyTorch": speed}
    for kind, precision in KINDS:
        form = FORMATS[kind]
        graph = Graph(opened(args.model), LOGITS, half=precision == "float16")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"model{form.suffix}")
            form.write(graph, header(precision), path)
            size, run = path.stat().st_size / 1e6, form.open(path)
            seen = verify(run, exact, precision)
            speed = 1 / seconds(lambda run=run: run(image), 3)
        equal = f"{100 * seen.equal:.2f} %"
        rows.append((kind, precision, f"{size:.1f}", f"{seen.largest:.1e}", equal, f"{speed:.2f}"))
        found[f"{kind}, {precision}"] = [size, seen.largest, seen.equal, speed]
    title = f"exports, {args.model or 'random ViT-B/16'}, CPU, {SHAPE[2]} x {SHAPE[3]} pixels"
    columns = ("form", "precision", "MB", "largest difference", "same class", "images per second")
    show(title, columns, rows)
    write(args.out, {"what": title, "found": found})


if __name__ == "__main__":
    main()
