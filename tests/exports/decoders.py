"""A finished output with every trap in it, and a slow decoder of each format."""

import io
import json
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import yaml
from PIL import Image

from weclip.data.classes import parse_classes
from weclip.data.masks.mask_files import save_mask
from weclip.exports.labelled import Labelled, LabelledImage

CLASSES = parse_classes({"classes": ["dog", "sofa & <bed>", "vélo"]}, "test")
NAMES = ("a", "train/dog b", "val/Zoë 犬.v2", "images/images/c", "labels/c")
IDS = (0, 1, 2, 3, 255)


def make_masks() -> dict[str, np.ndarray]:
    """Noise (holes, single pixels, corners that touch), a ring in a ring, and nothing."""
    rng = np.random.default_rng(3)
    rings = np.zeros((17, 23), np.uint8)
    for inset, class_id in enumerate((1, 1, 0, 3, 3, 0, 1)):
        rings[inset : 17 - inset, inset : 23 - inset] = class_id
    noise = [rng.choice(IDS, (h, w)).astype(np.uint8) for h, w in ((31, 20), (1, 1), (40, 9))]
    return dict(zip(NAMES, [*noise, rings, np.zeros((5, 4), np.uint8)], strict=True))


def write_output(folder: Path) -> tuple[Labelled, dict[str, np.ndarray]]:
    """Images in `folder/photos`, masks in `folder/out`."""
    masks, images = make_masks(), []
    for number, (name, mask) in enumerate(masks.items()):
        path = folder / "photos" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", mask.shape[::-1], (number, 0, 0)).save(path)
        save_mask(mask, folder / "out" / "masks" / f"{name}.png", CLASSES.palette)
        place = path.relative_to(folder / "photos").as_posix()
        images.append(LabelledImage(name, path, place, mask.shape, 0.5 + number / 16))
    return Labelled(folder / "out", CLASSES, "clip-es", images), masks


def without_unsure(mask: np.ndarray) -> np.ndarray:
    return np.where(mask == 255, 0, mask)


def coco(path: Path) -> dict[str, np.ndarray]:
    """By hand: LEB-like run lengths of columns."""
    document = json.loads(path.read_text())
    images = {each["id"]: each for each in document["images"]}
    found = {i["file_name"]: np.zeros((i["height"], i["width"]), np.uint8) for i in images.values()}
    for each in document["annotations"]:
        image = images[each["image_id"]]
        runs, text = [], each["segmentation"]["counts"].encode()
        while text:
            value = shift = 0
            more = True
            while more:
                byte, text = text[0] - 48, text[1:]
                value |= (byte & 31) << shift
                shift += 5
                more = bool(byte & 32)
            value -= (1 << shift) if byte & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        region = flat.reshape(image["width"], image["height"]).T
        found[image["file_name"]][region] = each["category_id"]
    return found


def fill(corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose centres a polygon goes round an odd number of times."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    inside = np.zeros(shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    return inside


def yolo(folder: Path, name: str, shape: tuple[int, int]) -> np.ndarray:
    """Finds the labels as Ultralytics does."""
    document = yaml.safe_load((folder / "data.yaml").read_text())
    assert document["names"] == dict(enumerate(CLASSES.names))
    image = str(folder / document["train"] / f"{name}.png")
    assert Path(image).is_file()
    label = "/labels/".join(image.rsplit("/images/", 1)).rsplit(".", 1)[0] + ".txt"
    found = np.zeros(shape, np.uint8)
    for line in Path(label).read_text().splitlines():
        class_id, *shares = line.split()
        region = fill(np.array(shares, float).reshape(-1, 2) * shape[::-1], shape)
        assert not found[region].any()
        found[region] = int(class_id) + 1
    return found


def cvat(path: Path, name: str) -> np.ndarray:
    with ZipFile(path) as archive:
        rows = archive.read("labelmap.txt").decode().splitlines()[1:]
        colours = {row.split(":")[1]: i for i, row in enumerate(rows)}
        colours["224,224,192"] = 255
        assert archive.read("ImageSets/Segmentation/default.txt").decode().splitlines() == [*NAMES]
        parts = [
            np.asarray(Image.open(io.BytesIO(archive.read(f"Segmentation{kind}/{name}.png"))))
            for kind in ("Class", "Object")
        ]
    ids = [colours[",".join(map(str, pixel))] for pixel in parts[0].reshape(-1, 3).tolist()]
    assert ((parts[1] != 0).any(-1).ravel() == (np.array(ids) != 0)).all()
    return np.array(ids, np.uint8).reshape(parts[0].shape[:2])


def label_studio(task: dict, shape: tuple[int, int]) -> np.ndarray:
    found = np.zeros(shape, np.uint8)
    ids = {name: i for i, name in enumerate(CLASSES.names, 1)} | {"unsure": 255}
    for region in task["predictions"][0]["result"]:
        bits = iter("".join(f"{byte:08b}" for byte in region["value"]["rle"]))

        def take(count: int, bits=bits) -> int:
            return int("".join(next(bits) for _ in range(count)), 2)

        total, word = take(32), take(5) + 1
        sizes, values = [take(4) + 1 for _ in range(4)], []
        while len(values) < total:
            assert take(1) == 1
            length = take(sizes[take(2)]) + 1
            values += [take(word)] * length
        pixels = np.array(values).reshape(*shape, 4)
        assert (pixels == pixels[..., :1]).all()
        found[pixels[..., 3] == 255] = ids[region["value"]["brushlabels"][0]]
    return found
