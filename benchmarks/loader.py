"""Images per second that the training loader decodes, crops and collates, per core.

python benchmarks/loader.py [--images 200] [--out FILE]
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import torch
from PIL import Image

from measuring import now, seconds, show, write
from par import natural_image
from weclip.data.batch import TaggedImage
from weclip.data.classes import load_classes
from weclip.data.images.crops import Augmentation
from weclip.data.images.decoded_cache import DecodedCache
from weclip.data.images.decoding import read_image
from weclip.data.loader import CropDataset, ReadImage, train_loader

SIZE = (500, 375)
"""Width and height of a typical VOC image."""


def write_images(folder: Path, count: int) -> list[TaggedImage]:
    """JPEGs of quality 90, each with a comment of its own, so that no two files are the same."""
    pixels = natural_image(1, 512)[0, :, : SIZE[1], : SIZE[0]].permute(1, 2, 0).to(torch.uint8)
    samples = []
    for index in range(count):
        path = folder / f"{index:05d}.jpg"
        image = Image.fromarray(pixels.roll(7 * index, 1).numpy())
        image.save(path, quality=90, comment=str(index))
        samples.append(TaggedImage(path.stem, path, (index % 20,)))
    return samples


def images_per_second(
    samples: list[TaggedImage], *, batch_size: int, workers: int, read: ReadImage = read_image
) -> float:
    """Throughput of the loader, after its first batches."""
    loader = train_loader(
        CropDataset(samples, Augmentation(320, (0.5, 2.0), 0.5), seed=0, read=read),
        classes=load_classes("voc"),
        batch_size=batch_size,
        workers=workers,
    )
    batches = iter(loader)
    for _ in itertools.islice(batches, 4):
        pass
    steps = len(samples) // batch_size
    start = now()
    for _ in itertools.islice(batches, steps):
        pass
    return steps * batch_size / (now() - start)


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 2])
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        samples = write_images(Path(folder), args.images)
        decode = seconds(lambda: [read_image(s.path) for s in samples[:50]]) / 50
        speeds = {
            f"{w} workers": images_per_second(samples, batch_size=4, workers=w)
            for w in args.workers
        }
        cache = DecodedCache(Path(folder) / "cache")
        for sample in samples:
            cache(sample.path)
        speeds["0 workers, decoded cache"] = images_per_second(
            samples, batch_size=4, workers=0, read=cache
        )
    rows = [
        (name, f"{speed:.0f}", f"{speed / max(1, int(name[0])):.0f}")
        for name, speed in speeds.items()
    ]
    rows.append(("decoding alone", f"{1 / decode:.0f}", f"{1 / decode:.0f}"))
    title = f"JPEG {SIZE[0]} x {SIZE[1]} to crops of 320 px"
    show(title, ("loader", "images per second", "per process"), rows)
    write(args.out, {"what": title, "images_per_second": speeds, "decode_seconds": decode})


if __name__ == "__main__":
    main()
