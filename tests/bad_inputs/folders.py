"""Plain folders that are nearly understood: names of splits and roles, links, what is no file."""

import os
import shutil
from pathlib import Path

from tests.bad_inputs.case import CHECK, Case

OWN = "check album"
NO_TAGS = "give data.tags_file, or put one of tags.csv, ... the classes"
SPLITS = f"album: no tags (train, val: names of splits or of images, not of classes); {NO_TAGS}"
PHOTOS = sorted(f"train_{i}" for i in range(4))


def _album(*files: str) -> None:
    """Copies of photos under other names; files of other suffixes are empty."""
    for index, name in enumerate(files):
        path = Path("album", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".jpg":
            shutil.copy(f"photos/train/{PHOTOS[index % 4]}.jpg", path)
        else:
            path.touch()


def _case(name: str, wrong: str, line: str, *files: str, **more: object) -> Case:
    """A case of the folder album, made of copies of photos."""
    extra = more.pop("then", None)

    def make() -> None:
        _album(*files)
        if callable(extra):
            extra()

    command = str(more.pop("command", OWN))
    return Case(name, wrong, command, line, make=make, **more)  # type: ignore[arg-type]


def _found(name: str, wrong: str, line: str, *files: str, **more: object) -> Case:
    """As `_case`, a finding of `weclip check` and no more than a warning."""
    return _case(name, wrong, line, *files, **{"code": 1, "says": "out", **more})


CASES = (
    _case(
        "splits-only", "Images in train/ and val/, without tags", SPLITS, "train/1.jpg", "val/2.jpg"
    ),
    _case(
        "splits-of-coco",
        "COCO as it is downloaded, as a plain folder",
        f"album: no tags (train2017, val2017: names of splits or of images, not of classes; annotations: names of masks, labels or the like; nothing reads annotations/instances_train2017.json); {NO_TAGS}",
        *("train2017/1.jpg", "val2017/2.jpg", "annotations/instances_train2017.json"),
    ),
    _case(
        "yolo",
        "A YOLO data set",
        f"album: no tags (images: names of splits or of images, not of classes; labels: names of masks, labels or the like); {NO_TAGS}",
        *("images/train/1.jpg", "images/val/2.jpg", "labels/train/1.txt", "data.yaml"),
    ),
    _case(
        "xml-beside-images",
        "VOC's XML beside the images",
        f"album: no tags (train: names of splits or of images, not of classes; nothing reads train/1.xml); {NO_TAGS}",
        *("train/1.jpg", "train/1.xml"),
    ),
    _case(
        "class-or-split",
        "A folder test beside folders of classes",
        "album: 'test' is the name of a split, but beside it lies the class folder 'cat'; list the classes in classes.yaml if it is one of them, or rename it",
        *("cat/1.jpg", "dog/2.jpg", "test/3.jpg"),
    ),
    _case(
        "two-classes-in-a-path",
        "A folder of a class in that of another",
        "album/dog/cat/1.jpg: its folders name two classes, 'dog' and 'cat'; leave one, or write a table of tags",
        "dog/cat/1.jpg",
        command=f"{OWN} data.classes=photos/classes.yaml",
    ),
    _case(
        "split-of-table-and-folder",
        "A table that puts an image of train/ into val",
        "album/train/tags.csv, line 2: split 'val' in the folder of split 'train'",
        "train/1.jpg",
        files={"album/train/tags.csv": "image,tags,split\n1.jpg,dog,val\n"},
    ),
    _case(
        "some-in-split-folders",
        "A table without splits, images in val/ and elsewhere",
        "album/tags.csv: '1.jpg' lies in no folder of a split, but others lie in val; add a column 'split' with the split of every image",
        *("1.jpg", "val/2.jpg"),
        files={"album/tags.csv": "image,tags\n1.jpg,dog\nval/2.jpg,dog\n"},
    ),
    _case(
        "row-of-two-files",
        "A row that may mean two files",
        "album/tags.csv, line 2: '1.jpg' may be ...images/1.jpg or ...images/1.jpg; write the path with its folder",
        *("train_images/1.jpg", "val_images/1.jpg"),
        files={"album/tags.csv": "image,tags\n1.jpg,dog\n"},
    ),
    _case(
        "no-tag-in-training",
        "A table without a single tag",
        "album/tags.csv: no image has a tag; there is nothing to learn from",
        "1.jpg",
        files={"album/tags.csv": "image,tags\n1.jpg,\n"},
    ),
    _case(
        "no-tag-in-training-split",
        "Tags in val only",
        "album/tags.csv (table, column 'tags'; 1 label): no image of split 'train' has a tag, so there is nothing to learn from; tag some images, or let CLIP do it with data.tags_file=auto",
        *("1.jpg", "2.jpg"),
        files={"album/tags.csv": "image,tags,split\n1.jpg,,train\n2.jpg,dog,val\n"},
    ),
    *(
        _case(
            f"{name.partition('.')[0]}-is-{kind}",
            f"A {kind} named {name}",
            f"album/{name}: is {said}, not a file; remove or rename it",
            "dog/1.jpg",
            then=lambda name=name, make=make: make(Path("album", name)),
        )
        for name in ("dataset.yaml", "classes.yaml", "tags.csv")
        for kind, said, make in (
            ("folder", "a folder", Path.mkdir),
            ("link", "a link that leads nowhere", lambda path: path.symlink_to("gone")),
            ("pipe", "a pipe", os.mkfifo),
        )
    ),
    *(
        _case(
            f"image-is-{kind}-in-a-class",
            f"A {kind} among the images of a class",
            f"album/dog/2.jpg: is {said}, not a file; remove or rename it",
            "dog/1.jpg",
            then=lambda make=make: make(Path("album/dog/2.jpg")),
        )
        for kind, said, make in (
            ("folder", "a folder", Path.mkdir),
            ("link", "a link that leads nowhere", lambda path: path.symlink_to("gone")),
            ("pipe", "a pipe", os.mkfifo),
            ("device", "a device", lambda path: path.symlink_to("/dev/zero")),
        )
    ),
    _case(
        "predict-pipe",
        "A pipe named as image",
        "album/2.jpg: is a pipe, not a file; remove or rename it",
        "1.jpg",
        command="predict --model run --out out album/2.jpg",
        then=lambda: os.mkfifo("album/2.jpg"),
    ),
    _case(
        "predict-heic",
        "A HEIC without the package for it",
        "album/1.heic: needs the package pillow-heif (pip install pillow-heif); or save it as JPEG",
        "1.heic",
        command="predict --model run --out out album/1.heic",
    ),
    _case(
        "root-with-line-break",
        "A folder whose name has a line break",
        "the name 'al\\nbum' is not UTF-8 or holds control characters; rename it",
        "1.jpg",
        command="check 'al\nbum'",
        then=lambda: Path("album").rename("al\nbum"),
    ),
    _found(
        "loose-image",
        "An image beside the folders of classes",
        "loose.jpg",
        "dog/1.jpg",
        "loose.jpg",
    ),
    _found(
        "heic-in-a-class",
        "A HEIC without the package for it, among others",
        "dog/2.HEIC: needs the package pillow-heif (pip install pillow-heif); or save it as JPEG",
        *("dog/1.jpg", "dog/2.HEIC"),
    ),
    _found(
        "two-tables",
        "Two usual tags files",
        "warning (1): files that look like annotations, but that nothing reads; name the tags file in dataset.yaml under 'tags', or move them elsewhere",
        "1.jpg",
        files={"album/tags.csv": "image,tags\n1.jpg,dog\n", "album/metadata.csv": "x"},
    ),
    _found(
        "link-upwards",
        "A link to the folder that it lies in",
        "dog/up",
        "dog/1.jpg",
        then=lambda: Path("album/dog/up").symlink_to(".."),
    ),
    _found(
        "name-with-escape",
        "A name that would colour the terminal",
        "dog/\\x1b[31m.jpg",
        *("dog/1.jpg", "dog/\x1b[31m.jpg"),
    ),
    Case(
        "masks-of-other-names",
        "Masks under names that are no image's",
        f"{CHECK}",
        "warning (1): files in the mask folder that are the mask of no image; a mask is a PNG under its image's name: 1.png for 1.jpg",
        code=1,
        says="out",
        make=lambda: shutil.copy("photos/masks/val/val_8.png", "photos/masks/val/val_8_mask.png"),
    ),
)
