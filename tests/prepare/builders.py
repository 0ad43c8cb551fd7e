"""The published archives in miniature, in their real layouts, and a table that points to them."""

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import savemat
from scipy.sparse import csc_matrix
from tests.data.builders import write_annotation, write_image
from tests.prepare.server import FileServer

from weclip.data.masks.mask_files import save_mask
from weclip.prepare.sources import PUBLISHED, Source
from weclip.prepare.weights.published import DINO

SIZE = (12, 8)  # width, height
VOC_TRAIN, VOC_VAL = ["2007_1", "2007_2"], ["2007_3", "2007_4"]
SBD_TRAIN, SBD_VAL = ["2007_1", "2008_5", "2007_3"], ["2008_6"]
WEIGHTS = b"not really a CLIP" * 1000


def mask_of(name: str, kind: str) -> np.ndarray:
    """A mask that tells where it is from: VOC's has a band of 255."""
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[2:6, 2:9] = int(name[-1]) + (10 if kind == "sbd" else 0)
    if kind == "voc":
        mask[2, 2:9] = 255
    return mask


def voc_tar(folder: Path) -> bytes:
    """VOCtrainval, with parts that are not wanted."""
    voc = folder / "VOCdevkit" / "VOC2012"
    for name in {*VOC_TRAIN, *VOC_VAL, *SBD_TRAIN, *SBD_VAL, "2009_9"}:
        write_image(voc / "JPEGImages" / f"{name}.jpg", SIZE)
        write_annotation(voc / "Annotations" / f"{name}.xml", "dog", "person")
    lists = {"train": VOC_TRAIN, "val": VOC_VAL, "trainval": VOC_TRAIN + VOC_VAL}
    for split, names in lists.items():
        path = voc / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(names) + "\n")
        for name in names:
            save_mask(mask_of(name, "voc"), voc / "SegmentationClass" / f"{name}.png")
            save_mask(mask_of(name, "voc"), voc / "SegmentationObject" / f"{name}.png")
    (voc / "ImageSets" / "Main").mkdir()
    (voc / "ImageSets" / "Main" / "dog_train.txt").write_text("2007_1 1\n")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.add(folder / "VOCdevkit", "VOCdevkit")
    return buffer.getvalue()


def write_sbd(path: Path, mask: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    boundaries = np.empty((20, 1), object)  # the published files hold them, sparse
    boundaries[:, 0] = [csc_matrix(np.eye(3))] * 20
    record = {"Segmentation": mask, "Boundaries": boundaries, "CategoriesPresent": np.unique(mask)}
    savemat(path, {"GTcls": record}, do_compression=True)
    return path


def sbd_tgz(folder: Path) -> bytes:
    """benchmark.tgz, with code and images that are not wanted."""
    data = folder / "benchmark_RELEASE" / "dataset"
    for name in {*SBD_TRAIN, *SBD_VAL}:
        write_sbd(data / "cls" / f"{name}.mat", mask_of(name, "sbd"))
        write_image(data / "img" / f"{name}.jpg", SIZE)
    (data / "train.txt").write_text("\n".join(SBD_TRAIN) + "\n")
    (data / "val.txt").write_text("\n".join(SBD_VAL) + "\n")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        file.add(folder / "benchmark_RELEASE", "benchmark_RELEASE")
    return buffer.getvalue()


CATEGORIES = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}, {"id": 90, "name": "cat"}]


def rectangle(top: int, left: int, bottom: int, right: int) -> list[float]:
    """Polygon round the pixels [top, bottom) x [left, right)."""
    return [left, top, right, top, right, bottom, left, bottom]


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """COCO's uncompressed run lengths: down the columns, beginning with zeros."""
    flat = mask.astype(bool).ravel(order="F")
    counts, value, length = [], False, 0
    for pixel in flat:
        if pixel != value:
            counts.append(length)
            value, length = pixel, 0
        length += 1
    return {"size": list(mask.shape), "counts": [*counts, length]}


def instance(category: int, area: float, segmentation: Any, image: int = 1) -> dict[str, Any]:
    return {
        "image_id": image,
        "category_id": category,
        "area": area,
        "segmentation": segmentation,
        "iscrowd": int(isinstance(segmentation, dict)),
    }


def instances(split: str) -> dict[str, Any]:
    """Image 1: a dog on a person; image 2: nothing; image 3: a crowd of cats."""
    crowd = np.zeros(SIZE[::-1], np.uint8)
    crowd[1:3, 1:4] = 1
    name = "COCO_{}2014_{:012d}.jpg".format
    return {
        "categories": CATEGORIES,
        "images": [
            {"id": i, "file_name": name(split, i), "width": SIZE[0], "height": SIZE[1]}
            for i in (1, 2, 3)
        ],
        "annotations": [
            instance(18, 6, [rectangle(2, 2, 4, 5)]),
            instance(1, 40, [rectangle(1, 1, 6, 9)]),
            instance(90, 6, run_lengths(crowd), image=3),
        ],
    }


def coco_zips(folder: Path) -> dict[str, bytes]:
    """The three archives, by key."""
    archives = {}
    for split in ("train", "val"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr(f"{split}2014/", b"")
            for image in instances(split)["images"]:
                path = write_image(folder / image["file_name"], SIZE)
                file.write(path, f"{split}2014/{path.name}")
        archives[f"coco_{split}"] = buffer.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for split in ("train", "val"):
            file.writestr(f"annotations/instances_{split}2014.json", json.dumps(instances(split)))
            file.writestr(f"annotations/captions_{split}2014.json", "{}")
    archives["coco_annotations"] = buffer.getvalue()
    return archives


def serve_all(server: FileServer, folder: Path) -> dict[str, Source]:
    """Serve all archives; returns a table like the published one."""
    contents = {
        "voc": voc_tar(folder / "voc"),
        "sbd": sbd_tgz(folder / "sbd"),
        **coco_zips(folder / "coco"),
        "ViT-B/16": WEIGHTS,
        "ViT-L/14": WEIGHTS[::-1],
        **{name: f"{name} ".encode() * 1000 for name in DINO.names},
    }
    table = {}
    for key, published in PUBLISHED.items():
        url = server.serve(published.name, contents[key], etag=f'"{key}"')
        checksum = published.checksum
        if checksum:
            algorithm = checksum.split(":")[0]
            checksum = f"{algorithm}:{hashlib.new(algorithm, contents[key]).hexdigest()}"
        table[key] = Source(published.name, (url,), checksum)
    return table
