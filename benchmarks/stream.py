"""Images per second of a loaded model: one by one, and as a stream in batches.

python benchmarks/stream.py RUN IMAGES [--rounds N] [--out FILE]
"""

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

import weclip
from measuring import device, show, write
from weclip.system.memory import keep_freed_memory

BATCHES = (1, 8)


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="run folder or model file")
    parser.add_argument("images", help="quoted pattern of image files")
    parser.add_argument("--rounds", type=int, default=2, help="the best round counts")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    keep_freed_memory()
    model = weclip.load(args.run, device=device())
    single = list(model.stream(args.images, batch_size=1))  # each alone, and a first warm round
    paths = [each.image for each in single]
    ways: dict[str, Callable[[], Iterable[weclip.Segmentation]]] = {
        "one by one": lambda: map(model.predict, paths)
    }
    for size in BATCHES:
        ways[f"stream, batches of {size}"] = lambda b=size: model.stream(paths, batch_size=b)
    times = {name: [measure(way, single) for _ in range(args.rounds)] for name, way in ways.items()}
    rows, results = [], {}
    for name, found in times.items():
        wall, cpu, other = (min(column) for column in zip(*found, strict=True))
        results[name] = {"images_per_second": len(paths) / wall, "cpu_seconds": cpu}
        rows.append((name, f"{len(paths) / wall:.1f}", f"{1000 * cpu / len(paths):.0f}", other))
    title = f"{len(paths)} images, {device()}"
    heads = ("way", "images per second", "CPU ms per image", "other pixels")
    show(title, heads, [tuple(map(str, row)) for row in rows])
    write(args.out, {"what": title, "ways": results})


def measure(
    way: Callable[[], Iterable[weclip.Segmentation]], single: list[weclip.Segmentation]
) -> tuple[float, float, int]:
    """Seconds, seconds of the processor, and pixels that are not those of single predictions."""
    wall, cpu = time.monotonic(), time.process_time()
    found = list(way())
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    both = zip(found, single, strict=True)
    return wall, cpu, sum(int((np.asarray(a) != np.asarray(b)).sum()) for a, b in both)


if __name__ == "__main__":
    main()
