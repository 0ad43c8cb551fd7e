"""Exports of annotation tools: FiftyOne, Label Studio, CVAT, COCO, Hugging Face."""

import json

from tests.bad_inputs.case import TRAIN_FOLDER, Case

IMAGE = "train/train_0.jpg"


def _json(name: str, wrong: str, document: object, line: str) -> Case:
    content = document if isinstance(document, str) else json.dumps(document)
    command = f"{TRAIN_FOLDER} data.tags_file=labels.json"
    return Case(name, wrong, command, line, files={"photos/labels.json": content})


def _cvat(name: str, wrong: str, content: str | bytes, line: str) -> Case:
    command = f"{TRAIN_FOLDER} data.tags_file=annotations.xml"
    return Case(f"cvat-{name}", wrong, command, line, files={"photos/annotations.xml": content})


def _task(image: str, *choices: str) -> dict[str, object]:
    result = [{"type": "choices", "value": {"choices": choices}}]
    return {"data": {"image": image}, "annotations": [{"result": result}]}


def _coco(category: int = 1, image: int = 1, name: str = "bird") -> dict[str, object]:
    return {
        "categories": [{"id": 1, "name": name}],
        "images": [{"id": 1, "file_name": IMAGE}],
        "annotations": [{"image_id": image, "category_id": category}],
    }


CASES = (
    _json(
        "json-cut-off",
        "An export cut off",
        '{"classes": ["bird"], "labels": {',
        "photos/labels.json: not valid JSON (...)",
    ),
    _json(
        "json-number",
        "A number as export",
        "3",
        "photos/labels.json: no FiftyOne classifications, Label Studio choices or COCO annotations: something in it is of the wrong type (...)",
    ),
    _json(
        "fiftyone-no-classes",
        "Numbers without names",
        {"labels": {"a": 0}},
        "photos/labels.json: no FiftyOne classifications, Label Studio choices or COCO annotations: id 0 is used but not defined",
    ),
    _json(
        "fiftyone-number-too-large",
        "A number beyond the names",
        {"classes": ["bird"], "labels": {"a": 7}},
        "photos/labels.json: no FiftyOne classifications, Label Studio choices or COCO annotations: id 7 is used but not defined",
    ),
    _json(
        "fiftyone-detections",
        "Detections, not classifications",
        {"classes": ["bird"], "labels": {"a": [{"bounding_box": [0, 0, 1, 1]}]}},
        "photos/labels.json: no FiftyOne classifications, Label Studio choices or COCO annotations: 'label' is missing",
    ),
    _json(
        "fiftyone-unknown-class",
        "A class that the list lacks",
        {"classes": ["brid"], "labels": {"a": 0}},
        "photos/labels.json, image 1: unknown class 'brid'; did you mean 'bird'?",
    ),
    _json(
        "fiftyone-images-elsewhere",
        "Images that are not in data/",
        {"classes": ["bird"], "labels": {"a": 0}},
        "photos: 1 of 1 images of labels.json missing, the first is 'data/a'",
    ),
    _json(
        "label-studio-min",
        "JSON-MIN, which has other keys",
        [{"image": IMAGE, "choice": "bird"}],
        "photos/labels.json: no FiftyOne classifications, Label Studio choices or COCO annotations: 'annotations' is missing",
    ),
    _json(
        "label-studio-other-key",
        "Images under another key",
        [{"data": {"photo": IMAGE}, "annotations": []}],
        "photos/labels.json: no FiftyOne classifications, Label Studio choices or COCO annotations: 'image' is missing",
    ),
    _json(
        "label-studio-unknown-class",
        "A choice that the list lacks",
        [_task(IMAGE, "Dogs")],
        "photos/labels.json, image 1: unknown class 'Dogs'; did you mean 'dog'?",
    ),
    _json(
        "label-studio-upload",
        "Uploaded images that are elsewhere",
        [_task("/data/upload/1/9f-a.jpg", "bird")],
        "photos: 1 of 1 images of labels.json missing, the first is '9f-a.jpg'",
    ),
    _json(
        "coco-unknown-category",
        "An annotation of no category",
        _coco(category=5),
        "photos/labels.json: no FiftyOne classifications, Label Studio choices or COCO annotations: id 5 is used but not defined",
    ),
    _json(
        "coco-unknown-class",
        "A category that the list lacks",
        _coco(name="birds"),
        "photos/labels.json, image 1: unknown class 'birds'; did you mean 'bird'?",
    ),
    _cvat(
        "cut-off",
        "An export cut off",
        "<annotations><image name=",
        "photos/annotations.xml: not valid XML (...)",
    ),
    _cvat(
        "video",
        "CVAT for video",
        "<annotations><track/></annotations>",
        "photos/annotations.xml: no <image> in it; export as 'CVAT for images'",
    ),
    _cvat(
        "no-label",
        "A tag without label",
        f'<annotations><image name="{IMAGE}"><tag/></image></annotations>',
        "photos/annotations.xml, image 1: an image needs a name, a tag its label",
    ),
    _cvat(
        "unknown-class",
        "A label that the list lacks",
        f'<annotations><image name="{IMAGE}"><tag label="kat"/></image></annotations>',
        "photos/annotations.xml, image 1: unknown class 'kat'; did you mean 'cat'?",
    ),
    _cvat(
        "encoding",
        "XML in Shift-JIS",
        b'<?xml version="1.0" encoding="shift-jis"?><annotations/>',
        "photos/annotations.xml: not valid XML (...)",
    ),
    _cvat(
        "unknown-encoding",
        "XML in an unknown encoding",
        b'<?xml version="1.0" encoding="abc"?><annotations/>',
        "photos/annotations.xml: not valid XML (...)",
    ),
    _cvat(
        "bombs",
        "XML whose entities explode",
        '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "'
        + "&b;" * 50
        + '"><!ENTITY d "'
        + "&c;" * 5000
        + '"><!ENTITY e "'
        + "&d;" * 5000
        + '">]><a>&e;</a>',
        "photos/annotations.xml: not valid XML (...)",
    ),
    Case(
        "hugging-face-no-tags",
        "metadata.csv without tags",
        f"{TRAIN_FOLDER} data.tags_file=metadata.csv",
        "photos/metadata.csv, line 1: field 'tags' is missing; expected image, tags[, split]; found 'file_name,text'",
        files={"photos/metadata.csv": f"file_name,text\n{IMAGE},a bird\n"},
    ),
)
