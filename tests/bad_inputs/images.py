"""Images and masks: cut off, empty, of another kind, of another size, of other ids."""

import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from tests.bad_inputs.case import CHECK, EVALUATE, PREDICT, TRAIN, Case

MASK = "VOC2012/SegmentationClass/val_8.png"
SCORED = ("out",)
"""Evaluation and prediction meet a file when its turn comes: the folder is made by then."""


def encoded(image: Image.Image, format: str) -> bytes:
    """An image file's bytes."""
    buffer = BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def _noise(side: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))


def _huge() -> bytes:
    """A PNG whose header promises 4 gigapixels."""
    content = bytearray(encoded(Image.new("L", (1, 1)), "PNG"))
    content[16:24] = (65536).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def _photo(name: str, wrong: str, file: str, content: bytes | str, line: str) -> Case:
    files = {f"album/{file}": content}
    return Case(f"image-{name}", wrong, f"{PREDICT} album", line, files=files, writes=SCORED)


def _mask(name: str, wrong: str, content: bytes | str, line: str) -> Case:
    return Case(f"mask-{name}", wrong, EVALUATE, line, files={MASK: content}, writes=SCORED)


def _png(values: object, kind: str = "u1") -> bytes:
    return encoded(Image.fromarray(np.asarray(values, kind)), "PNG")


def _unreadable(path: str) -> None:
    Path(path).chmod(0)


def _break_training_images() -> None:
    for path in Path("VOC2012/JPEGImages").glob("train_*.png"):
        path.write_bytes(path.read_bytes()[:200])


def _link(name: str, target: str) -> None:
    Path(name).unlink(missing_ok=True)
    Path(name).symlink_to(target)


JPEG = encoded(_noise(), "JPEG")
PNG = encoded(_noise(), "PNG")
GREY = encoded(_noise().convert("L"), "PNG")

CASES = (
    _photo(
        "jpeg-cut-off",
        "A JPEG cut off",
        "a.jpg",
        JPEG[:900],
        "album/a.jpg: image cannot be read (...)",
    ),
    _photo(
        "png-cut-off",
        "A PNG cut off",
        "a.png",
        PNG[:900],
        "album/a.png: image cannot be read (...)",
    ),
    _photo(
        "png-damaged",
        "A PNG with a wrong byte",
        "a.png",
        PNG[:600] + bytes([PNG[600] ^ 255]) + PNG[601:],
        "album/a.png: image cannot be read (...)",
    ),
    _photo(
        "empty",
        "No bytes",
        "a.jpg",
        b"",
        "album/a.jpg: image cannot be read (no known image format)",
    ),
    _photo(
        "float",
        "A TIFF of floating-point numbers",
        "a.tif",
        encoded(Image.fromarray(np.zeros((48, 48), "f4")), "TIFF"),
        "album/a.tif: image cannot be read (floating-point pixels have no known range; save it with 8 or 16 bits)",
    ),
    _photo(
        "bomb",
        "A PNG that promises gigapixels",
        "a.png",
        _huge(),
        "album/a.png: too large: 65536 x 65536 = 4294967296 pixels, more than data.max_pixels=178956970 allows; raise data.max_pixels, or scale the file down",
    ),
    _photo(
        "name-not-utf-8",
        "A broken photo with a Latin-1 name",
        b"caf\xe9.jpg".decode("utf-8", "surrogateescape"),
        b"",
        "album holds no image: looked for JPEG, PNG, WebP, TIFF and what else the installed Pillow decodes; left out: names that are not UTF-8 or hold control characters: 1 (caf\\xe9.jpg)",
    ),
    Case(
        "image-no-permission",
        "A photo without permission to read",
        f"{PREDICT} album",
        "album/a.png: image cannot be read (...Permission denied...)",
        files={"album/a.png": PNG},
        make=lambda: _unreadable("album/a.png"),
        writes=SCORED,
        needs_permissions=True,
    ),
    Case(
        "image-is-folder",
        "A folder named .jpg among the photos",
        CHECK,
        "photos/train/train_0.jpg: is a folder, not a file; remove or rename it",
        make=lambda: (
            Path("photos/train/train_0.jpg").unlink(),
            Path("photos/train/train_0.jpg").mkdir(),
        ),
    ),
    Case(
        "image-dangling-link",
        "A link to a photo that is gone",
        CHECK,
        "photos/train/train_0.jpg: is a link that leads nowhere, not a file; remove or rename it",
        make=lambda: _link("photos/train/train_0.jpg", "gone.jpg"),
    ),
    Case(
        "images-broken-check",
        "Broken photos, before training",
        CHECK,
        "error (2): images that cannot be read; training skips a few and ends at more: replace or remove them",
        says="out",
        files={"photos/train/train_0.jpg": b"", "photos/train/train_1.jpg": JPEG[:500]},
    ),
    Case(
        "images-broken-train",
        "Broken photos, in training",
        TRAIN,
        "VOC2012/JPEGImages/train_....png: image cannot be read (...); nor can 10 further images of the list be read",
        make=_break_training_images,
        writes=SCORED,
    ),
    Case(
        "images-broken-workers",
        "The same with a worker process",
        f"{TRAIN} data.workers=1",
        "VOC2012/JPEGImages/train_....png: image cannot be read (...); nor can 10 further images of the list be read",
        make=_break_training_images,
        writes=SCORED,
    ),
    Case(
        "image-broken-evaluate",
        "A broken photo, in evaluation",
        EVALUATE,
        "VOC2012/JPEGImages/val_9.png: image cannot be read (...)",
        files={"VOC2012/JPEGImages/val_9.png": PNG[:300]},
        writes=SCORED,
    ),
    Case(
        "image-twice-check",
        "A photo of two splits",
        CHECK,
        "val/val_8 is train/train_0, with other tags",
        code=1,
        says="out",
        make=lambda: Path("photos/val/val_8.jpg").write_bytes(
            Path("photos/train/train_0.jpg").read_bytes()
        ),
    ),
    _mask(
        "wrong-size",
        "A mask of another size",
        _png(np.zeros((5, 7))),
        "VOC2012/SegmentationClass/val_8.png: mask is 7 x 5 but its image VOC2012/JPEGImages/val_8.png is 48 x 48 (width x height); they must be equal",
    ),
    _mask(
        "colours",
        "Colours in place of ids",
        encoded(_noise(), "PNG"),
        "VOC2012/SegmentationClass/val_8.png: mask has the unknown colour #..., on ... % of its pixels and ... more unknown colours; make it the 'colour' of a class in the class list, or for masks of the data set say in mask_labels what it stands for",
    ),
    _mask(
        "16-bit",
        "A mask of 16 bits",
        _png(np.ones((48, 48)), "u2"),
        "VOC2012/SegmentationClass/val_8.png: a mask must be a PNG of class ids (palette or 8-bit greyscale) or of class colours (RGB or RGBA); this is PNG with mode I;16",
    ),
    _mask(
        "unknown-ids",
        "An id beyond the class list",
        _png(np.full((48, 48), 99)),
        "VOC2012/SegmentationClass/val_8.png: mask has class ids [99]; allowed are 0 to 20 and 255 (no class); is this the right class list?",
    ),
    _mask(
        "gapped-ids",
        "COCO's ids with gaps, in a list of 20",
        _png(np.arange(48 * 48).reshape(48, 48) % 91),
        "VOC2012/SegmentationClass/val_8.png: mask has class ids [21, 22, ...]; allowed are 0 to 20 and 255 (no class); is this the right class list?",
    ),
    _mask(
        "cut-off",
        "A mask cut off",
        GREY[:900],
        "VOC2012/SegmentationClass/val_8.png: mask is broken (...)",
    ),
    Case(
        "mask-missing",
        "An image of the split without mask",
        EVALUATE,
        "VOC2012/SegmentationClass: 1 of 3 masks missing, the first is 'val_8'",
        make=lambda: Path(MASK).unlink(),
    ),
    Case(
        "masks-missing",
        "No folder of masks",
        EVALUATE,
        "VOC2012/SegmentationClass: mask folder not found; it must be an existing folder",
        make=lambda: Path("VOC2012/SegmentationClass").rename("VOC2012/Masks"),
    ),
    Case(
        "masks-none",
        "No mask for any photo",
        f"{CHECK} data.eval_split=train",
        "photos/masks: no mask for any of the 8 images of split 'train', expected for example train/train_0.png",
        code=1,
        says="out",
    ),
)
