"""Images per second that `weclip check` reads, beside decoding alone in as many processes.

python benchmarks/check.py [--images 2000] [--rounds 3] [--out FILE]

The images, about 69 kB each, lie in the temporary folder (TMPDIR) meanwhile.
"""

import argparse
import io
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console

from loader import SIZE, write_images
from measuring import now, show, write
from weclip.config import Config, DataConfig
from weclip.data.images.decoding import read_image
from weclip.data.inspection.file_facts import CHUNK
from weclip.system.processes import cores
from weclip.tasks.check import check

CLASSES = "classes: [{name: bird}]\nbackground_words: [grass]\n"


def write_folder(root: Path, count: int) -> Config:
    """Write images with their tags and classes, and return the configuration to check them."""
    samples = write_images(root, count)
    rows = "".join(f"{sample.path.name},bird\n" for sample in samples)
    (root / "tags.csv").write_text(f"image,tags\n{rows}", encoding="utf-8")
    (root / "classes.yaml").write_text(CLASSES, encoding="utf-8")
    given = {"root": str(root), "classes": str(root / "classes.yaml"), "tags_file": "tags.csv"}
    data = DataConfig(format="folder", train_split="train", eval_split=None, **given)
    return Config(data=data)


def decode(path: Path) -> None:
    read_image(path)


def decoding_seconds(paths: list[Path], processes: int) -> float:
    """Time to decode all images and throw them away, with the start of the processes."""
    start = now()
    with ProcessPoolExecutor(processes) as executor:
        for _ in executor.map(decode, paths, chunksize=CHUNK):
            pass
    return now() - start


def checking_seconds(config: Config) -> float:
    """Time of the whole command but for the start of Python."""
    start = now()
    check(config, console=Console(file=io.StringIO()))
    return now() - start


def main() -> None:
    """Parse, measure in turn, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = now()
        config = write_folder(Path(folder), args.images)
        writing = now() - start
        paths = sorted(Path(folder).glob("*.jpg"))
        decoding, checking = [], []
        for _ in range(args.rounds):
            decoding.append(decoding_seconds(paths, cores()))
            checking.append(checking_seconds(config))
    speeds = {
        "decoding alone": args.images / sorted(decoding)[args.rounds // 2],
        "weclip check": args.images / sorted(checking)[args.rounds // 2],
    }
    share = speeds["weclip check"] / speeds["decoding alone"]
    title = f"{args.images} JPEGs of {SIZE[0]} x {SIZE[1]}, {cores()} processes"
    show(title, ("", "images per second"), [(n, f"{v:.0f}") for n, v in speeds.items()])
    Console().print(f"check runs at {share:.0%} of the speed of decoding")
    figures = {"what": title, "images_per_second": speeds, "share": share, "cores": cores()}
    Console().print(f"writing the images took {writing:.1f} s")
    write(args.out, {**figures, "decoding_seconds": decoding, "checking_seconds": checking})


if __name__ == "__main__":
    main()
