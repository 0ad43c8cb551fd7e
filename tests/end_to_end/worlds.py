"""Small data sets of drawn boxes, a tiny random CLIP, and the command line that trains on them."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.backbones.tiny_clip import openai_shapes
from tests.backbones.tiny_dino import hub_shapes

from weclip.cli import app as cli
from weclip.data.classes import load_classes
from weclip.training.model_file import read_model_file

COLOURS = {"bird": (230, 40, 40), "cat": (40, 200, 60), "dog": (60, 60, 230)}
SIZE = 48

SMALL = (
    "data.crop_size=48 data.workers=0 data.scale_range=[1.0,1.5] method.weclip.width=16 "
    "method.weclip.blocks=1 method.weclip.heads=2 par.iterations=2 par.dilations=[1,2] "
    "method.weclip.refine_from=2 method.weclip_plus.width=16 method.weclip_plus.blocks=1 "
    "method.weclip_plus.heads=2 method.weclip_plus.confident_from=2 train.batch_size=2 "
    "train.steps=4 train.log_every=1 train.image_every=100 train.eval_every=0 train.save_every=2 "
    "eval.long_side=48 "
    "eval.scales=[1.0] eval.flip=false"
).split()
"""Changes that make a run of any preset take about a second."""


def write_clip(path: Path, seed: int = 0, patch: int = 8) -> Path:
    """A random ViT of width 64 and 3 blocks, with a real vocabulary of narrow vectors."""
    generator = torch.Generator().manual_seed(seed)
    shapes = openai_shapes(
        width=64, blocks=3, patch=patch, grid=6, joint=16, text_width=16, text_blocks=1
    )
    tensors = {
        name: 0.2 * torch.randn(shape, generator=generator) for name, shape in shapes.items()
    }
    save_file(tensors | {"logit_scale": torch.tensor(2.0)}, path)
    return path


def write_dino(path: Path, seed: int = 0) -> Path:
    """A random DINOv2 in the hub's names: width 64, 2 blocks, patch 7."""
    generator = torch.Generator().manual_seed(seed)
    shapes = hub_shapes(width=64, blocks=2, patch=7, grid=5)
    save_file(
        {k: 0.3 * torch.randn(shape, generator=generator) for k, shape in shapes.items()}, path
    )
    return path


def draw(names: tuple[str, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image (SIZE, SIZE, 3) with a box per class name, and its mask of VOC class ids."""
    rng = np.random.default_rng(seed)
    image = rng.integers(90, 160, (SIZE, SIZE, 3)).astype(np.uint8)
    mask = np.zeros((SIZE, SIZE), np.uint8)
    for slot, name in enumerate(names):
        y, x = rng.integers(0, 20), 24 * slot
        image[y : y + 22, x : x + 22] = COLOURS[name]
        mask[y : y + 22, x : x + 22] = load_classes("voc").index(name) + 1
    return image, mask


def scenes() -> list[tuple[str, tuple[str, ...]]]:
    """Names and tags: eight for training, three to score on."""
    tags = [("bird",), ("cat",), ("dog",), ("bird", "dog"), ("cat", "dog"), ()]
    return [(f"{'train' if i < 8 else 'val'}_{i}", tags[i % len(tags)]) for i in range(11)]


def write_voc(root: Path) -> Path:
    """A VOC folder with a tags file."""
    lists: dict[str, list[str]] = {"train": [], "val": []}
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    rows = ["image,tags"]
    for index, (name, tags) in enumerate(scenes()):
        image, mask = draw(tags, index)
        Image.fromarray(image).save(root / "JPEGImages" / f"{name}.png")
        Image.fromarray(mask).save(root / "SegmentationClass" / f"{name}.png")
        lists[name.split("_")[0]].append(name)
        rows.append(f"{name}.png,{';'.join(tags)}")
    for split, names in lists.items():
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(names))
    (root / "tags.csv").write_text("\n".join(rows))
    return root


def own_ids(mask: np.ndarray) -> np.ndarray:
    """A mask of VOC ids as one of the ids of `COLOURS`."""
    ids = np.zeros(256, np.uint8)
    for own_id, name_of_class in enumerate(COLOURS, 1):
        ids[load_classes("voc").index(name_of_class) + 1] = own_id
    return ids[mask]


def write_folder(root: Path) -> Path:
    """A plain folder with sub-folders, tags in JSON lines, its own classes, and masks for `val`."""
    rows = []
    for index, (name, tags) in enumerate(scenes()):
        image, mask = draw(tags, index)
        split = name.split("_")[0]
        for folder in (root / split, root / "masks" / split):
            folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / split / f"{name}.jpg")
        if split == "val":
            Image.fromarray(own_ids(mask)).save(root / "masks" / split / f"{name}.png")
        rows.append({"image": f"{split}/{name}.jpg", "tags": list(tags), "split": split})
    (root / "tags.jsonl").write_text("\n".join(map(json.dumps, rows)))
    entries = "".join(f"  - name: {name}\n" for name in COLOURS)
    (root / "classes.yaml").write_text(f"classes:\n{entries}background_words: [grass, sky]\n")
    return root


def write_coco(root: Path) -> Path:
    """A COCO folder with instances files, masks for `val` only."""
    names = list(COLOURS)
    for index, (name, tags) in enumerate(scenes()):
        split = name.split("_")[0]
        image, mask = draw(tags, index)
        for folder in ("JPEGImages", "SegmentationClass", "annotations"):
            (root / folder / (split if folder != "annotations" else "")).mkdir(
                parents=True, exist_ok=True
            )
        file = root / "JPEGImages" / split / f"COCO_{split}2014_{index:012}.jpg"
        Image.fromarray(image).save(file)
        path = root / "annotations" / f"instances_{split}2014.json"
        document = json.loads(path.read_text()) if path.exists() else {}
        document.setdefault("images", []).append({"id": index, "file_name": file.name})
        document.setdefault("annotations", []).extend(
            {"image_id": index, "category_id": names.index(tag)} for tag in tags
        )
        document["categories"] = [{"id": i, "name": name} for i, name in enumerate(names)]
        path.write_text(json.dumps(document))
        if split == "val":
            Image.fromarray(own_ids(mask)).save(
                root / "SegmentationClass" / split / f"{index:012}.png"
            )
    return root


def voc_changes(root: Path, clip: Path) -> list[str]:
    """The configuration of a run on `write_voc`."""
    return [
        f"data.root={root}",
        f"clip.weights={clip}",
        "data.tags_file=tags.csv",
        "data.train_split=train",
        *SMALL,
    ]


def train(out: Path, *arguments: object, config: str = "voc") -> int:
    """`weclip train --config CONFIG --out OUT ...` in this process; its exit code."""
    return cli.run(["train", "--config", config, "--out", str(out), *map(str, arguments)])


def folder_content(folder: Path) -> dict[str, bytes]:
    """Relative path -> bytes of every file."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def write_released(run: Path, path: Path, encoders: dict[str, torch.Tensor] | None = None) -> Path:
    """The decoder of a run, and perhaps encoders, as the released code would have saved it."""
    state = read_model_file(run / "model.safetensors").trained
    released = {released_name(name): value for name, value in state.items()}
    other = {"encoder.logit_scale": torch.ones(()), "par.kernel": torch.ones(8)}
    torch.save(released | other | (encoders or {}), path)
    return path


def released_name(ours: str) -> str:
    """The released name of a decoder entry, written down independently of the package's map."""
    parts = {
        "fusion": "decoder_fts_fuse",
        "clip_head": "decoder_fts_fuse",
        "guide_head": "dino_decoder_fts_fuse",
        "segmenter": "decoder",
    }
    part, layer, rest = ours.split(".", 2)
    if layer == "projections":
        block, number, kind = rest.split(".")
        name = {"0": "proj", "2": "proj_2"}[number]
        return f"{parts[part]}.linears_modulelist.{block}.{name}.{kind}"
    layers = {"fuse": "linear_fuse", "transformer": "transformer", "classifier": "linear_pred"}
    return f"{parts[part]}.{layers[layer]}.{rest}"
