"""Images per second of parts that read a guide, regions or a memory, at ViT-B/16 and ViT-S/14.

python benchmarks/region_cost.py [--images 3] [--repeats 2] [--only NAME ...] [--out FILE]

Random weights and smooth random images of 375 x 500 with one, two or three tags, float32; from
pixels to a mask, without reading and writing, PAR in none of them. The memory is of 10,000 images
with 20 regions each. Needs `weclip[regions]`.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from bank import random_bank
from full_size import full_size_method
from label import SIZE, random_images
from measuring import device, seconds, show, write
from weclip.backbones.clip.image_encoder import ClipImageEncoder
from weclip.backbones.clip.text_features import TextFeatures
from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.image_encoder import DinoImageEncoder
from weclip.backbones.dino.weights import Dino
from weclip.build.windows import build_windowed
from weclip.build.without_training import training_free
from weclip.config_file import load_config
from weclip.data.batch import TaggedImage
from weclip.inference.label_masks import Named, Scorer, label_mask
from weclip.labels.banks.memory import Memory
from weclip.labels.region_attention.words import Words
from weclip.system.console import QUIET
from weclip.system.memory import keep_freed_memory
from weclip.tasks.label.opening import open_label_regions
from weclip.tasks.label.scored import Scored
from weclip.tasks.label.windowed import Windowed

NONE = "affinity.source=none"
TEXT = ("cam.source=text_probability", NONE)
ATTENTION = ("cam.source=region_attention", NONE)
VOTE = "regions.vote=true"
GRAPH, MERGED = "regions.source=graph", "regions.source=merged"
WINDOWS = (*ATTENTION, "label.windows=true", VOTE)

ROWS: Mapping[str, tuple[str, ...]] = {
    "Grad-CAM, attention (clip-es)": (),
    "Grad-CAM, guide affinity": ("affinity.source=guide",),
    "text probability": TEXT,
    "text probability, memory": (*TEXT, "label.memory=x"),
    "region attention, superpixels": ATTENTION,
    "region attention, graph": (*ATTENTION, GRAPH),
    "region attention, merged": (*ATTENTION, MERGED),
    "clip-es, vote, superpixels": (VOTE,),
    "clip-es, vote, graph": (VOTE, GRAPH),
    "clip-es, vote, merged": (VOTE, MERGED),
    "CorrCLIP over windows, superpixels, own size": (*WINDOWS, "windows.short_side=null"),
    "CorrCLIP over windows, superpixels, shorter side 336": WINDOWS,
}
"""Changes of the preset `voc` by name."""


def smooth(images: Sequence[tuple[NDArray[np.uint8], tuple[int, ...]]]) -> list[Named]:
    """The images, blurred, since regions of noise are as many as pixels."""
    found = []
    for number, (image, tags) in enumerate(images):
        low = torch.from_numpy(image[::25, ::25].copy()).permute(2, 0, 1)[None].float()
        wide = F.interpolate(low, SIZE, mode="bicubic").clamp(0, 255)[0].permute(1, 2, 0)
        name = str(number)
        found.append((TaggedImage(name, Path(name), tags), wide.byte().numpy()))
    return found


def scorer(changes: Sequence[str], encoder: ClipImageEncoder, text: TextFeatures) -> Scorer:
    """What `weclip label` would score with."""
    paths = ["data.root=.", "clip.weights=.", "dino.weights=."]
    config = load_config("voc", [*paths, *changes])
    image = DinoImageEncoder(width=384, blocks=12, patch_size=14, native_grid=37)
    dino = Dino(image.to(device()), "", "random", "")
    regions = open_label_regions(config, None, dino, QUIET)
    if config.label.windows:
        clip = Clip(encoder, None, text.scale, "", "random", "", None)  # type: ignore[arg-type]
        words = torch.cat([text.background, text.classes]).to(device())
        ids = (*(0 for _ in text.background), *range(1, 1 + len(text.classes)))
        method = build_windowed(config, clip, dino).to(device())
        assert regions is not None
        return Windowed(method, Words(words, ids, 40.0), regions, False, "float32", True)
    whole = training_free(config, encoder, text, guide=dino.image).to(device())
    if config.label.memory is not None:
        whole.maps.memory = Memory(random_bank(10_000, 20, 384, 512), 20, 0.5)
    return Scored(whole, False, "float32", regions, config.regions.vote)


def passes(score: Scorer, images: Sequence[Named]) -> Callable[[], None]:
    """Makes the masks, one image after another."""

    def run() -> None:
        for named in images:
            label_mask(named[1], score([named])[0], None, 0.0)

    return run


def main() -> None:
    """Parse, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=3, help="of a pass; a multiple of 3")
    parser.add_argument("--repeats", type=int, default=2, help="passes after one that warms up")
    parser.add_argument("--only", action="append", choices=ROWS)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    args = parser.parse_args()
    keep_freed_memory()  # as the command line does
    torch.manual_seed(0)
    parts: Any = full_size_method()[0]
    maps = parts.maps
    text = TextFeatures(maps.class_text, maps.background_text, maps.scale)
    images = smooth(random_images(args.images, len(text.classes)))
    speeds = {}
    for name in args.only or ROWS:
        run = passes(scorer(ROWS[name], parts.image_encoder, text), images)
        speeds[name] = len(images) / seconds(run, args.repeats)
        print(f"{name}: {speeds[name]:.3f} images a second", flush=True)
    title = f"ViT-B/16 with ViT-S/14, {SIZE[0]} x {SIZE[1]}, float32, {device()}"
    rows = [(name, f"{speed:.2f}") for name, speed in speeds.items()]
    show(title, ("parts", "images per second"), rows)
    write(args.out, {"what": title, "images": args.images, "images_per_second": speeds})


if __name__ == "__main__":
    main()
