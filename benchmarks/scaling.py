"""How cost grows: PAR with pixels and maps, Grad-CAM with tags, the step with the batch.

python benchmarks/scaling.py [--out FILE]
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from full_size import full_size_method, random_batch
from measuring import device, seconds, show, write
from par import natural_image
from weclip.build.maps import label_settings
from weclip.config import Config, whole
from weclip.labels.pixel_refine import pixel_adaptive_refinement
from weclip.labels.tag_slots import pack_tags
from weclip.methods.weclip import WeClip
from weclip.system.memory import keep_freed_memory

Job = Callable[[], Any]


def par_job(side: int, maps: int) -> Job:
    """PAR of one image."""
    scores, image = torch.rand(1, maps, side, side), natural_image(1, side)
    scores, image = scores.to(device()), image.to(device())
    settings = label_settings(Config()).par
    return lambda: pixel_adaptive_refinement(scores, image, settings)


def cam_job(method: WeClip, tags: int) -> Job:
    """Grad-CAM of four images with so many tags each."""
    size = whole(Config().data.crop_size)
    view = method.maps.see(torch.randint(0, 256, (4, 3, size, size), device=device()))
    assert view.tokens  # the encoder has run
    rows = torch.zeros(4, len(method.maps.class_text), dtype=torch.bool, device=device())
    rows[:, :tags] = True

    def run() -> None:
        view.__dict__.pop("last_block", None)
        method.maps.make(view, pack_tags(rows))

    return run


def step_job(method: WeClip, batch_size: int) -> Job:
    """Forward and backward of a batch, under bf16."""
    config = Config()
    config.train.batch_size = batch_size
    batch = random_batch(config).to(device())

    def run() -> None:
        with torch.autocast(device(), torch.bfloat16):
            output = method.training_step(batch, step=0)
        output.loss.backward()

    return run


def grow(name: str, unit: str, sizes: list[int], make: Callable[[int], Job]) -> dict[str, Any]:
    """Time each size, and fit a straight line."""
    times = [seconds(make(size), 3) for size in sizes]
    slope, start = np.polyfit(sizes, times, 1)
    fitted = slope * np.array(sizes) + start
    worst = float(np.abs(fitted / np.array(times) - 1).max())
    rows = [(f"{size:,}", f"{1000 * t:.1f}") for size, t in zip(sizes, times, strict=True)]
    show(name, (unit, "ms"), rows)
    print(f"{1e3 * start:.1f} ms + {1e6 * slope:.4g} us per unit; off by at most {worst:.0%}\n")
    return {"sizes": sizes, "seconds": times, "slope": slope, "start": start, "worst": worst}


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    method, _ = full_size_method()
    method.to(device())
    figures = {
        "PAR by pixels": grow(
            "PAR, 4 maps",
            "pixels",
            [side * side for side in (160, 240, 320, 480, 640)],
            lambda pixels: par_job(round(pixels**0.5), 4),
        ),
        "PAR by maps": grow("PAR, 320 px", "maps", [1, 2, 4, 8], lambda maps: par_job(320, maps)),
        "Grad-CAM by tags": grow(
            "Grad-CAM, 4 images", "tags each", [1, 2, 4, 8], lambda tags: cam_job(method, tags)
        ),
        "step by batch": grow(
            "Step, bf16", "images", [1, 2, 4, 8], lambda size: step_job(method, size)
        ),
    }
    write(args.out, {"what": f"scaling, {device()}", **figures})


if __name__ == "__main__":
    main()
