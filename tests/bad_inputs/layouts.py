"""Data layouts: folders, split lists and annotations of VOC, COCO and plain folders."""

import json
from pathlib import Path

from tests.bad_inputs.case import CHECK, TRAIN, TRAIN_COCO, TRAIN_FOLDER, Case

LIST = "VOC2012/ImageSets/Segmentation/train.txt"
INSTANCES = "MSCOCO/annotations/instances_train2014.json"
ANNOTATED = f"{TRAIN} data.tags_file=null data.eval_split=null"
XML = "<annotation><object><name>{}</name></object></annotation>"


def _annotate(first: str | bytes) -> None:
    """VOC annotations of all images; the first one's content is given."""
    Path("VOC2012/Annotations").mkdir()
    for index in range(8):
        content = first if index == 0 else XML.format("bird")
        content = content.encode() if isinstance(content, str) else content
        Path(f"VOC2012/Annotations/train_{index}.xml").write_bytes(content)


def _instances(**changes: object) -> None:
    """Change entries of COCO's instances of train."""
    document = json.loads(Path(INSTANCES).read_text())
    Path(INSTANCES).write_text(json.dumps(document | changes))


def _sort_into_class_folders(names: str) -> None:
    for path in Path("photos").glob("tags.*"):
        path.unlink()
    for name in names.split():
        Path("photos", name).mkdir()


CASES = (
    Case(
        "root-not-found",
        "A data root that is not there",
        f"{TRAIN} data.root=nowhere",
        "nowhere: data root not found; it must be an existing folder",
    ),
    Case(
        "root-is-file",
        "A file as data root",
        f"{TRAIN} data.root=voc.yaml",
        "voc.yaml: data root not found; it must be an existing folder",
    ),
    Case(
        "root-of-other-layout",
        "Photos as VOC",
        f"{TRAIN} data.root=photos",
        "photos: no VOC data set here: expected the folder ImageSets/Segmentation in it or in VOCdevkit/VOC2012 or VOC2012; set data.root to the folder that holds it",
    ),
    Case(
        "split-unknown",
        "A split that is not there",
        f"{TRAIN} data.train_split=trian",
        "VOC2012/ImageSets/Segmentation: no split 'trian'; available: train, val",
    ),
    Case(
        "list-empty",
        "An empty split list",
        TRAIN,
        "VOC2012/ImageSets/Segmentation/train.txt: the split list is empty",
        files={LIST: "\n\n"},
    ),
    Case(
        "list-with-repeats",
        "A name twice in a list",
        TRAIN,
        "VOC2012/ImageSets/Segmentation/train.txt, line 3: 'train_0' is already on line 1",
        files={LIST: "train_0\ntrain_1\ntrain_0\n"},
    ),
    Case(
        "list-with-suffixes",
        "File names in a list",
        TRAIN,
        "VOC2012/ImageSets/Segmentation/train.txt, line 1: 'train_0.png' is no image name; write one name a line, without folder and suffix",
        files={LIST: "train_0.png\ntrain_1.png\n"},
    ),
    Case(
        "list-with-paths",
        "A list of image and mask paths",
        TRAIN,
        "VOC2012/ImageSets/Segmentation/train.txt, line 1: '/JPEGImages/train_0.jpg /SegmentationClassAug/train_0.png' is no image name; write one name a line, without folder and suffix",
        files={LIST: "/JPEGImages/train_0.jpg /SegmentationClassAug/train_0.png\n"},
    ),
    Case(
        "list-windows",
        "A list with Windows line ends",
        "check --config voc.yaml data.classes=photos/classes.yaml data.eval_split=null",
        "no errors, no warnings",
        code=0,
        says="out",
        make=lambda: Path(LIST).write_bytes(Path(LIST).read_bytes().replace(b"\n", b"\r\n")),
    ),
    Case(
        "image-missing",
        "A listed image that is not there",
        TRAIN,
        "VOC2012/JPEGImages: 1 of 8 images of train.txt missing, the first is 'train_0'",
        make=lambda: Path("VOC2012/JPEGImages/train_0.png").unlink(),
    ),
    Case(
        "image-twice",
        "An image as .png and as .jpg",
        TRAIN,
        "VOC2012/JPEGImages: 'train_0.jpg' and 'train_0.png' have the same name; keep one of them",
        files={"VOC2012/JPEGImages/train_0.jpg": b""},
    ),
    Case(
        "tag-row-missing",
        "An image without a row of tags",
        TRAIN,
        "VOC2012/tags.csv: 7 of 8 images of split 'train' missing, the first is 'train_1'",
        files={"VOC2012/tags.csv": "image,tags\ntrain_0.png,bird\n"},
    ),
    Case(
        "annotations-missing",
        "No annotations and no tags",
        ANNOTATED,
        "VOC2012/Annotations: annotation folder not found; it must be an existing folder",
    ),
    Case(
        "annotation-broken",
        "An annotation cut off",
        ANNOTATED,
        "VOC2012/Annotations/train_0.xml: annotation is not valid XML (...)",
        make=lambda: _annotate("<annotation><object>"),
    ),
    Case(
        "annotation-unknown-class",
        "An annotation of an unknown class",
        ANNOTATED,
        "VOC2012/Annotations/train_0.xml: unknown class 'brid'; did you mean 'bird'?",
        make=lambda: _annotate(XML.format("brid")),
    ),
    Case(
        "annotation-encoding",
        "An annotation in GBK",
        ANNOTATED,
        "VOC2012/Annotations/train_0.xml: annotation is not valid XML (...)",
        make=lambda: _annotate('<?xml version="1.0" encoding="gbk"?><annotation/>'),
    ),
    Case(
        "instances-missing",
        "No instances file",
        TRAIN_COCO,
        "MSCOCO/annotations/instances_train2014.json: annotations not found; give data.tags_file instead?",
        make=lambda: Path(INSTANCES).unlink(),
    ),
    Case(
        "instances-cut-off",
        "An instances file cut off",
        TRAIN_COCO,
        "MSCOCO/annotations/instances_train2014.json: not valid JSON (...)",
        make=lambda: Path(INSTANCES).write_bytes(Path(INSTANCES).read_bytes()[:99]),
    ),
    Case(
        "instances-utf-16",
        "An instances file in UTF-16",
        TRAIN_COCO,
        "MSCOCO/annotations/instances_train2014.json: not valid JSON (...)",
        files={INSTANCES: '{"é": 1}'.encode("latin-1")},
    ),
    Case(
        "instances-unknown-category",
        "An annotation of no category",
        TRAIN_COCO,
        "MSCOCO/annotations/instances_train2014.json: not a COCO instances file: id 99 is used but not defined",
        make=lambda: _instances(annotations=[{"image_id": 0, "category_id": 99}]),
    ),
    Case(
        "instances-other-classes",
        "Categories that the class list lacks",
        TRAIN_COCO,
        "MSCOCO/annotations/instances_train2014.json: categories: unknown class 'dogs'; did you mean 'dog'?",
        make=lambda: _instances(
            categories=[{"id": i, "name": n} for i, n in enumerate(("bird", "cat", "dogs"))]
        ),
    ),
    Case(
        "instances-missing-image",
        "An annotated image that is not there",
        TRAIN_COCO,
        "MSCOCO/JPEGImages/train: 1 of 7 annotated images missing, the first is '000000000000'",
        make=lambda: Path("MSCOCO/JPEGImages/train/COCO_train2014_000000000000.jpg").unlink(),
    ),
    Case(
        "instances-no-annotation",
        "No annotation at all",
        TRAIN_COCO,
        "MSCOCO/annotations/instances_train2014.json: no image of MSCOCO/JPEGImages/train has tags in it",
        make=lambda: _instances(annotations=[]),
    ),
    Case(
        "no-tags-at-all",
        "Photos without tags",
        TRAIN_FOLDER,
        "photos: no tags (train, val: names of splits or of images, not of classes); give data.tags_file, or put one of tags.csv, tags.jsonl, metadata.csv, metadata.jsonl, labels.json, annotations.xml, _annotations.coco.json, _classes.csv there, or name it in dataset.yaml under 'tags', or sort the images into folders named after the classes",
        make=lambda: _sort_into_class_folders(""),
    ),
    Case(
        "class-folders-misspelt",
        "Class folders in capitals",
        TRAIN_FOLDER,
        "photos: no tags (train, val: names of splits or of images, not of classes); give data.tags_file, or put one of tags.csv, tags.jsonl, metadata.csv, metadata.jsonl, labels.json, annotations.xml, _annotations.coco.json, _classes.csv there, or name it in dataset.yaml under 'tags', or sort the images into folders named after the classes",
        make=lambda: _sort_into_class_folders("Bird Cat Dog"),
    ),
    Case(
        "class-folders-empty",
        "Class folders without images",
        TRAIN_FOLDER,
        "photos: no tags (train, val: names of splits or of images, not of classes); give data.tags_file, ...",
        make=lambda: _sort_into_class_folders("train/bird train/cat"),
    ),
    Case(
        "folder-photo-missing",
        "A tagged photo that is not there",
        TRAIN_FOLDER,
        "photos: 1 of 8 images of tags.jsonl missing, the first is 'train/train_2.jpg'",
        make=lambda: Path("photos/train/train_2.jpg").unlink(),
    ),
    Case(
        "photos-not-listed",
        "A photo that has no row",
        CHECK,
        "warning (1): images that neither a tags file nor the folder of a class tags; they are not used: add or move them",
        code=1,
        says="out",
        files={"photos/new.jpg": b"x"},
    ),
    Case(
        "name-not-utf-8",
        "A photo with a Latin-1 name",
        CHECK,
        "caf\\xe9.jpg",
        code=1,
        says="out",
        make=lambda: Path(b"photos/caf\xe9.jpg".decode("utf-8", "surrogateescape")).write_bytes(
            b""
        ),
    ),
)
