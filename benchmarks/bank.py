"""How large a bank is, and how long a search takes.

python benchmarks/bank.py [--images 10000] [--regions 20] [--width 384]
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F

from weclip.labels.banks.bank_file import save_bank
from weclip.labels.banks.feature_bank import DIGEST_BYTES, FeatureBank

QUERIES = 20
"""Regions of an image that is asked about."""


def random_bank(images: int, regions: int, width: int, joint: int | None) -> FeatureBank:
    """A bank of random features; without `joint` its values are class ids."""
    generator, rows = torch.Generator().manual_seed(0), images * regions
    keys = F.normalize(torch.randn(rows, width, generator=generator)).half()
    values = torch.zeros(rows, dtype=torch.uint8) if joint is None else torch.zeros(rows, joint)
    image = torch.arange(rows, dtype=torch.int32) // regions
    names = [f"folder/image-{number:06d}" for number in range(images)]
    digests = [number.to_bytes(DIGEST_BYTES, "big") for number in range(images)]
    return FeatureBank(keys, values, image, names, digests, {}, "random")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--regions", type=int, default=20)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--joint", type=int, default=512)
    use = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for what, joint in (("memory", use.joint), ("retrieval", None)):
            bank = random_bank(use.images, use.regions, use.width, joint)
            save_bank(Path(folder) / what, bank)
            size = (Path(folder) / what).stat().st_size
            print(f"{what}: {len(bank)} rows, {size / 1e6:.0f} MB, {size / len(bank):.0f} B a row")
    queries = F.normalize(torch.randn(QUERIES, use.width))
    times = []
    for _ in range(5):
        start = time.perf_counter()
        bank.nearest(queries, QUERIES, but=bank.digests[3])
        times.append(time.perf_counter() - start)
    print(f"search of {QUERIES} regions: {1000 * min(times):.0f} ms")


if __name__ == "__main__":
    main()
