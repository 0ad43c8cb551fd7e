"""Large images in tiles: memory and time of `weclip predict`, and how tiles differ from the whole.

python benchmarks/large.py cost [--sides 1000,2000,5000,10000] [--geotiff] [--out FILE]
python benchmarks/large.py seams RUN [--side 1024] [--images 3] [--out FILE]

`cost`: a random decoder of 81 classes on the demo's CLIP (patches of 8 pixels), one scale, no flip,
native size; the largest resident memory of the whole command. With `--geotiff` the image has four
bands of 16 bits, and its mask lies on the map. `seams`: a model trained on scenes
of the demo, on mosaics of other scenes at one scale, each whole and in tiles.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import weclip
from measuring import now, show, write
from memory import measure, write_image, write_model
from weclip.demo.world import CLASS_NAMES, SCENE_SIZE, random_scene
from weclip.inference.large.tiles import strips
from weclip.inference.scores.metrics import confusion_matrix, scores_from_confusion

CLASSES, PATCH, TILE = 81, 8, 256
"""Of the demo's CLIP: a tile has as many patches as one of 512 pixels has of ViT-B/16."""

BANDS = ["data.bands=[3,2,1]", "data.range=[0,4000]"]

NATIVE = ["eval.long_side=null", "eval.scales=[1.0]", "eval.flip=false"]

TILES = ((128, 0.0), (128, 0.25), (256, 0.0), (256, 0.25), (256, 0.5), (512, 0.0), (512, 0.25))
"""Tile in pixels and overlap."""

Ids = NDArray[np.uint8]


def cost(args: argparse.Namespace) -> None:
    """Memory and time of the command by the image's side."""
    rows, figures = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = str(write_model(folder))
        for side in map(int, args.sides.split(",")):
            image = folder / f"{side}.{'tif' if args.geotiff else 'jpg'}"
            (write_geotiff if args.geotiff else write_image)(image, (side, side))
            tiles = [*NATIVE, f"eval.tile={TILE}", *(BANDS if args.geotiff else [])]
            command = ["predict", str(image), *tiles, "--model", model]
            figures[side] = measure(command, folder / f"out{side}")
            gigabytes, *seconds = figures[side]
            rows.append((str(side), f"{gigabytes:.2f}", *(f"{each:.0f}" for each in seconds)))
    title = f"predict in tiles of {TILE} pixels, {CLASSES} classes, patches of {PATCH} pixels"
    show(title, ("side", "GB", "seconds", "of a core"), rows)
    write(args.out, {"what": title, "gigabytes_and_seconds": figures})


def write_geotiff(path: Path, size: tuple[int, int]) -> None:
    """Four bands of 16 bits in tiles, as satellites' products have them."""
    import rasterio

    noise = np.random.default_rng(0).integers(0, 4000, (4, 512, size[1]), dtype=np.uint16)
    settings = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    place = {"crs": "EPSG:32632", "transform": rasterio.Affine(10, 0, 500000, 0, -10, 5000000)}
    shape = {"count": 4, "height": size[0], "width": size[1], "dtype": "uint16"}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place, **settings) as file:
        for top in range(0, size[0], 512):
            rows = noise[:, : min(512, size[0] - top)]
            file.write(rows, window=((top, top + rows.shape[1]), (0, size[1])))


def mosaic(side: int, seed: int) -> tuple[Ids, Ids]:
    """Scenes side by side: (S, S, 3) image and (S, S) ids of `CLASS_NAMES`."""
    rows, masks = [], []
    for row in range(side // SCENE_SIZE):
        scenes = [
            random_scene(np.random.default_rng((99, seed, row, column)), unseen=False)
            for column in range(side // SCENE_SIZE)
        ]
        rows.append(np.concatenate([scene.image for scene in scenes], axis=1))
        masks.append(np.concatenate([scene.mask for scene in scenes], axis=1))
    shift = (SCENE_SIZE // 3, SCENE_SIZE // 5)  # no tile is to end where a scene does
    image, mask = (np.concatenate(parts) for parts in (rows, masks))
    return np.roll(image, shift, (0, 1)), np.roll(mask, shift, (0, 1))


def seam_lines(side: int, tile: int, overlap: float) -> list[int]:
    """Pixels of a side at which one tile weighs as much as the next."""
    placed = strips(side // PATCH, tile // PATCH, overlap)
    ends = [(strip.patches.start, strip.patches.stop) for strip in placed]
    return [(a[1] + b[0]) * PATCH // 2 for a, b in itertools.pairwise(ends)]


def at_seams(side: int, lines: list[int]) -> NDArray[np.bool_]:
    """(S, S), within a patch of a line, across or along."""
    near = np.zeros(side, bool)
    for line in lines:
        near[line - PATCH : line + PATCH] = True
    return near[:, None] | near


def jumps(ids: Ids, lines: list[int]) -> tuple[float, float]:
    """Share of neighbours across the lines that differ, and of all other neighbours."""
    differ = np.concatenate([ids[1:] != ids[:-1], (ids[:, 1:] != ids[:, :-1]).T], axis=1)
    at = np.zeros(len(differ), bool)
    at[[line - 1 for line in lines]] = True
    return float(differ[at].mean()), float(differ[~at].mean())


def compared(run: str, side: int, images: int) -> Iterator[tuple[str, list[float]]]:
    """Of the whole and of each tiling: mIoU, equal pixels, jumps, seconds."""
    pictures = [mosaic(side, seed) for seed in range(images)]
    protocol = {"long_side": None, "scales": [1.0], "flip": False}
    whole = weclip.load(run, eval=protocol)
    known = np.array([0, *(whole.class_names.index(name) for name in CLASS_NAMES)], np.uint8)
    truths = [known[mask] for _, mask in pictures]
    began = now()
    wholes = [whole.predict(image).label_map for image, _ in pictures]
    yield "whole", [miou(wholes, truths, len(whole.class_names)), now() - began]
    for tile, overlap in (each for each in TILES if each[0] < side):
        model = weclip.load(run, eval={**protocol, "tile": tile, "overlap": overlap})
        lines, began = seam_lines(side, tile, overlap), now()
        found = [model.predict(image).label_map for image, _ in pictures]
        seconds, near = now() - began, at_seams(side, lines)
        equal = np.stack([a == b for a, b in zip(found, wholes, strict=True)])
        across, elsewhere = np.mean([jumps(ids, lines) for ids in found], axis=0)
        figures = [miou(found, truths, len(whole.class_names)), seconds, equal.mean()]
        seams = [equal[:, near].mean(), equal[:, ~near].mean(), across, elsewhere]
        yield f"{tile}, {overlap:g}", [*map(float, figures), *map(float, seams)]


def miou(found: list[Ids], truths: list[Ids], classes: int) -> float:
    """Of all images together."""
    pairs = zip(found, truths, strict=True)
    total = sum(confusion_matrix(a, b, num_classes=classes) for a, b in pairs)
    return scores_from_confusion(total, num_images=len(found)).miou


def seams(args: argparse.Namespace) -> None:
    """Tiles against the whole."""
    figures = dict(compared(args.run, args.side, args.images))
    rows = []
    for name, (score, seconds, *shares) in figures.items():
        shown = [f"{100 * share:.1f}" for share in shares] or ["-"] * 5
        rows.append((name, f"{100 * score:.1f}", f"{seconds:.1f}", *shown))
    title = f"{args.images} mosaics of {args.side} x {args.side} pixels, in %"
    columns = ("tile, overlap", "mIoU", "seconds", "equal", "at seams", "inside", "jumps", "other")
    show(title, columns, rows)
    write(args.out, {"what": title, "figures": figures})


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("cost")
    one.add_argument("--sides", default="1000,2000,5000,10000")
    one.add_argument("--geotiff", action="store_true", help="four bands of 16 bits")
    one.set_defaults(run_it=cost)
    two = commands.add_parser("seams")
    two.add_argument("run", help="run folder of a training on scenes of the demo")
    two.add_argument("--side", type=int, default=1024)
    two.add_argument("--images", type=int, default=3)
    two.set_defaults(run_it=seams)
    for each in (one, two):
        each.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    args.run_it(args)


if __name__ == "__main__":
    main()
