"""Pixel refinement: ours, plain PyTorch and the published form, in one run.

python benchmarks/par.py [--size 320] [--batch 4] [--tags 3] [--out FILE]
"""

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from measuring import device, seconds, show, write
from published_form import par as published
from weclip.build.maps import label_settings
from weclip.config import Config
from weclip.labels.pixel_refine import pixel_adaptive_refinement, portable
from weclip.system.memory import keep_freed_memory


def natural_image(batch: int, size: int) -> torch.Tensor:
    """Colours 0..255 that vary smoothly, with noise."""
    coarse = torch.randint(0, 256, (batch, 3, size // 8, size // 8)).float()
    smooth = F.interpolate(coarse, (size, size), mode="bicubic")
    return (smooth + 4 * torch.randn(batch, 3, size, size)).clamp(0, 255)


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--tags", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    torch.manual_seed(0)
    settings = label_settings(Config()).par
    maps = torch.rand(args.batch, args.tags + 1, args.size, args.size).to(device())
    image = natural_image(args.batch, args.size).to(device())
    filled = torch.ones(maps.shape[:2], dtype=torch.bool, device=device())
    start = time.perf_counter()
    ours = pixel_adaptive_refinement(maps, image, settings)
    first = time.perf_counter() - start

    difference = (ours - published(maps, image, settings)).abs().max().item()
    slowest = seconds(lambda: published(maps, image, settings), 3)
    keep_freed_memory()  # as the command line does
    times = {
        "ours": seconds(lambda: pixel_adaptive_refinement(maps, image, settings)),
        "plain PyTorch": seconds(lambda: portable.spread(maps, image, filled, settings), 3),
        "published form": slowest,
    }
    title = f"PAR, batch {args.batch}, {args.tags} tags, {args.size} px, {device()}"
    rows = [(name, f"{1000 * t:.1f}", f"{slowest / t:.1f}") for name, t in times.items()]
    show(title, ("form", "ms", "times faster"), rows)
    print(f"first call (may compile): {first:.1f} s; largest difference: {difference:.1e}")
    write(args.out, {"what": title, "seconds": times, "first_call": first, "differs": difference})


if __name__ == "__main__":
    main()
