"""Images per second of prediction at ViT-B/16: single scale, and multi-scale with flip.

python benchmarks/predict.py [--out FILE]
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from full_size import full_size_method
from measuring import device, seconds, show, write
from weclip.inference.predictor import Predictor
from weclip.system.memory import keep_freed_memory

PROTOCOLS = {"single scale": ((1.0,), False), "multi-scale and flip": ((1.0, 0.75), True)}


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    method, _ = full_size_method()
    method.to(device())
    image = np.random.default_rng(0).integers(0, 256, (375, 500, 3), dtype=np.uint8)
    rows, speeds = [], {}
    for name, (scales, flip) in PROTOCOLS.items():
        for kind in ("float32", "bf16"):
            how = {"device": device(), "precision": kind}
            predictor = Predictor(method, 512, scales, flip, **how)
            speed = 1 / seconds(lambda p=predictor: p(image), 3)
            speeds[f"{name}, {kind}"] = speed
            rows.append((name, kind, f"{speed:.2f}"))
    title = f"prediction, ViT-B/16, long side 512, {device()}"
    show(title, ("protocol", "precision", "images per second"), rows)
    write(args.out, {"what": title, "images_per_second": speeds})


if __name__ == "__main__":
    main()
