"""A tiny clean data set, and what spoils it, one thing at a time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from tests.data.builders import write_mask

TAGS = {
    "t/1.png": "cat",
    "t/2.png": "cat;dog",
    "t/3.png": "dog;traffic light;cat",
    "v/1.png": "dog;cat",
    "v/2.png": "traffic light",
}
"""Images of the splits train and val, named by their folders, with tags."""


ALL = "cat;dog;traffic light"


def noise(path: Path, seed: int, size: tuple[int, int] = (12, 8), **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def write_tags(root: Path, tags: dict[str, str]) -> None:
    rows = [f"{name},{text},{'train' if name[0] == 't' else 'val'}" for name, text in tags.items()]
    (root / "tags.csv").write_text("\n".join(["image,tags,split", *rows]))


def draw_mask(path: Path, width: int, ids: tuple[int, ...]) -> None:
    """A mask of 8 rows, of stripes of ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = np.array(ids, np.uint8)[np.arange(width) * len(ids) // width]
    Image.fromarray(np.stack([columns] * 8)).save(path)


def write_world(root: Path) -> Path:
    for seed, name in enumerate(TAGS):
        noise(root / name, seed, size=(12 + seed, 8))
    draw_mask(root / "masks" / "v" / "1.png", 15, (0, 1, 2))
    draw_mask(root / "masks" / "v" / "2.png", 16, (0, 3, 255))
    write_tags(root, TAGS)
    return root


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def tags(**changes: str) -> Callable[[Path], None]:
    """Change tags; `t1` stands for t/1.png."""
    renamed = {f"{name[0]}/{name[1]}.png": text for name, text in changes.items()}
    return lambda root: write_tags(root, TAGS | renamed)


def turn(root: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(root / "v/1.png", 3, size=(15, 8), exif=exif)


def draw(name: str, *ids: int) -> Callable[[Path], None]:
    """Draw a mask anew, of stripes of ids; of `v/1` or `v/2`."""
    width = {"v/1": 15, "v/2": 16}[name]
    return lambda root: draw_mask(root / "masks" / f"{name}.png", width, ids)


def both(*spoil: Callable[[Path], object]) -> Callable[[Path], None]:
    """Spoil it in several ways that are one fault."""

    def all_of_them(root: Path) -> None:
        for each in spoil:
            each(root)

    return all_of_them


FAULTS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated image": (
        "unreadable_images",
        lambda root: truncate(root / "t/2.png"),
        "t/2.png: image cannot be read (",
    ),
    "text for an image": (
        "unreadable_images",
        lambda root: (root / "v/2.png").write_text("hello"),
        "v/2.png: image cannot be read (no known image format)",
    ),
    "truncated mask": (
        "unreadable_masks",
        lambda root: (root / "masks/v/2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 50),
        "masks/v/2.png: mask is",
    ),
    "unknown colours in a mask": (
        "unknown_mask_ids",
        lambda root: noise(root / "masks/v/2.png", 0, size=(16, 8)),
        "v/2.png: mask has the unknown colour #",
    ),
    "mask of 16 bits": (
        "unreadable_masks",
        lambda root: Image.new("I;16", (16, 8)).save(root / "masks/v/2.png"),
        "with mode I;16",
    ),
    "transparent mask": (
        "unreadable_masks",
        lambda root: Image.new("RGBA", (16, 8)).save(root / "masks/v/2.png"),
        "mask is transparent on 100 % of its pixels",
    ),
    "unknown mask id": (
        "unknown_mask_ids",
        lambda root: write_mask(root / "masks/v/2.png", (16, 8), class_id=4),
        "v/2.png: mask has class ids [4]; allowed are 0 to 3 and 255",
    ),
    "mask of another size": (
        "wrong_mask_sizes",
        lambda root: write_mask(root / "masks/v/2.png", (8, 16), class_id=3),
        "v/2.png is 16 x 8",
    ),
    "duplicate": (
        "duplicate_images",
        lambda root: shutil.copy(root / "t/1.png", root / "t/2.png"),
        "t/2 is t/1, with other tags",
    ),
    "leak": (
        "leaked_images",
        lambda root: shutil.copy(root / "v/1.png", root / "t/2.png"),
        "v/1 is t/2",
    ),
    "class without training image": (
        "untrained_classes",
        both(tags(t3="dog;cat", v2="dog"), draw("v/2", 2)),
        "traffic light",
    ),
    "class not scored": (
        "one_sided_classes",
        both(tags(v2="dog"), draw("v/2", 2)),
        "traffic light (only in train)",
    ),
    "no tags": ("untagged_images", tags(t1=""), "t/1"),
    "no class in any mask": (
        "no_class_drawn",
        both(draw("v/1", 0), draw("v/2", 0)),
        "2 masks, such as ",
    ),
    "mask of 0 and 255": (
        "binary_masks",
        both(tags(v1=ALL, v2="dog"), draw("v/2", 0, 255), draw("v/1", 0, 1, 2, 3)),
        "v/2",
    ),
    "mask of 255": (
        "void_masks",
        both(tags(v1=ALL), draw("v/1", 0, 1, 2, 3), draw("v/2", 255)),
        "v/2",
    ),
    "tagged, never drawn": (
        "undrawn_classes",
        draw("v/1", 0, 2),
        "cat (tagged in 1 images with masks, drawn in none of these)",
    ),
    "mask of no image": (
        "orphan_masks",
        lambda root: shutil.copy(root / "masks/v/1.png", root / "masks/v/1_mask.png"),
        "masks/v/1_mask.png",
    ),
    "annotation beside": (
        "unread_annotations",
        lambda root: (root / "v" / "_annotations.coco.json").write_text("{}"),
        "v/_annotations.coco.json",
    ),
    "HEIC": (
        "unread_pictures",
        lambda root: (root / "v" / "3.DNG").write_bytes(b""),
        "v/3.DNG: a raw file of a camera; develop it",
    ),
    "overlays": (
        "other_pictures",
        lambda root: noise(root / "overlays" / "1.png", 3),
        "overlays/1.png",
    ),
    "name with a line break": (
        "unusable_names",
        lambda root: (root / "v" / "a\nb.jpg").write_bytes(b""),
        "v/a\\nb.jpg",
    ),
    "a link upwards": (
        "looping_links",
        lambda root: (root / "v" / "up").symlink_to(".."),
        "v/up",
    ),
    "an archive": ("other_files", lambda root: (root / "all.zip").write_bytes(b""), "all.zip"),
    "unlisted": ("unlisted_images", lambda root: noise(root / "new/x.JPEG.png", 9), "new/x.JPEG"),
    "turned": ("turned_images", turn, "v/1"),
    "8 bits saved as 16": (
        "dark_images",
        lambda root: Image.fromarray(np.full((8, 13), 255, np.uint16)).save(root / "t/2.png"),
        "t/2",
    ),
    "EXIF of two bytes": (
        "complaints",
        lambda root: noise(
            root / "t/2.png", 1, exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x05\x00"
        ),
        "t/2: Corrupt EXIF data.",
    ),
}
