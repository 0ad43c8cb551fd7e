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
        "photos/labels.json: 3 is none of Label Studio tasks, COCO annotations, FiftyOne labels or a list of images and tags",
    ),
    _json(
        "fiftyone-no-classes",
        "Numbers without names",
        {"labels": {"a": 0}},
        "photos/labels.json: damaged FiftyOne labels: id 0 is used but not defined",
    ),
    _json(
        "fiftyone-number-too-large",
        "A number beyond the names",
        {"classes": ["bird"], "labels": {"a": 7}},
        "photos/labels.json: damaged FiftyOne labels: id 7 is used but not defined",
    ),
    _json(
        "fiftyone-detections",
        "Detections without labels",
        {"classes": ["bird"], "labels": {"a": [{"bounding_box": [0, 0, 1, 1]}]}},
        "photos/labels.json: damaged FiftyOne labels: 'label' is missing",
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
        "records-other-key",
        "A list of records without tags",
        [{"image": IMAGE, "choice": "bird"}],
        'photos/labels.json, image 1: field \'tags\' is missing; write {"image": "a.jpg", "tags": ["dog"]} on each line; found \'image,choice\'',
    ),
    _json(
        "label-studio-not-annotated",
        "A project that nobody has annotated",
        [{"data": {"photo": IMAGE}, "annotations": [], "predictions": []}],
        "photos/labels.json: no image in it can be used: 1 not annotated",
    ),
    _json(
        "label-studio-cancelled",
        "Only cancelled annotations",
        [_task(IMAGE, "bird") | {"annotations": [{"was_cancelled": True, "result": []}]}],
        "photos/labels.json: no image in it can be used: 1 only cancelled annotations",
    ),
    _json(
        "label-studio-two-images",
        "Two images in a task",
        [_task(IMAGE, "bird") | {"data": {"before": IMAGE, "after": IMAGE}}],
        "photos/labels.json, task 1: the keys 'before', 'after' may all be the image; call one of them image",
    ),
    _json(
        "label-studio-no-image",
        "Tasks of texts",
        [_task(IMAGE, "bird") | {"data": {"text": "a bird"}}],
        "photos/labels.json, task 1: no image in it; its keys are 'text'; one must be called image, or hold an address that ends as images do",
    ),
    _json(
        "label-studio-no-labels",
        "Only texts and ratings",
        [
            {
                "data": {"image": IMAGE},
                "annotations": [{"result": [{"type": "rating", "value": {"rating": 3}}]}],
            }
        ],
        "photos/labels.json: no labels in it, only rating; tags need a control that labels, such as Choices or RectangleLabels",
    ),
    _json(
        "label-studio-short-rows",
        "A short export in which two columns may be labels",
        [{"image": IMAGE, "annotation_id": 1, "annotator": 1, "lead_time": 1, "a": "x", "b": "y"}],
        "photos/labels.json: the columns 'a', 'b' may all be labels, or texts of the task; choose one: data.tags_control=a",
    ),
    _json(
        "json-labelme",
        "An image of LabelMe",
        {"version": "5", "shapes": [], "imagePath": "a.jpg"},
        "photos/labels.json: one image of LabelMe; write a table with the header image,tags",
    ),
    _json(
        "json-fiftyone-own",
        "FiftyOne's own format",
        {"samples": []},
        "photos/labels.json: FiftyOne's own format; export it as FiftyOneImageClassificationDataset",
    ),
    _json(
        "json-nested",
        "JSON nested too deep",
        "[" * 100_000,
        "photos/labels.json: not valid JSON (nested too deep)",
    ),
    _json(
        "json-huge-number",
        "A number of 5,000 digits",
        '{"labels": {"a": ' + "9" * 5000 + "}}",
        "photos/labels.json: not valid JSON (...)",
    ),
    _json(
        "coco-no-objects",
        "Images without any annotation",
        _coco() | {"annotations": []},
        "photos/labels.json: no image in it can be used: 1 no object or tag; with data.untagged=background they are pictures of background",
    ),
    _json(
        "coco-id-twice",
        "Two images of one id",
        _coco() | {"images": [{"id": 1, "file_name": IMAGE}, {"id": 1, "file_name": "b.jpg"}]},
        "photos/labels.json: two images have the id 1; number them anew",
    ),
    _json(
        "coco-captions",
        "Captions in place of instances",
        {"images": [], "annotations": [{"image_id": 1, "caption": "a bird"}]},
        "photos/labels.json: captions; give the instances file in their place",
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
        "photos/labels.json: damaged COCO annotations: id 5 is used but not defined",
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
        "photos/annotations.xml: tracks of a video (<track>); export as 'CVAT for images'",
    ),
    _cvat(
        "no-label",
        "A tag without label",
        f'<annotations><image name="{IMAGE}"><tag/></image></annotations>',
        "photos/annotations.xml, image 1: a shape or tag needs its label; <tag> has none",
    ),
    _cvat(
        "no-object",
        "Images without any object",
        f'<annotations><image name="{IMAGE}"/></annotations>',
        "photos/annotations.xml: no image in it can be used: 1 no object or tag; with data.untagged=background they are pictures of background",
    ),
    _cvat(
        "html",
        "A web page as XML",
        "<html><image name='a.jpg'/></html>",
        "photos/annotations.xml: not written by CVAT, whose XML begins with <annotations>; found 'html'",
    ),
    _cvat(
        "voc",
        "An annotation of PASCAL VOC",
        "<annotation><object><name>bird</name></object></annotation>",
        "photos/annotations.xml: the annotation of one image, as in PASCAL VOC; give the folder of all to weclip convert",
    ),
    _cvat(
        "unknown-shape",
        "A shape that is not known",
        f'<annotations><image name="{IMAGE}"><blob label="bird"/></image></annotations>',
        "photos/annotations.xml, image 1: <blob> is no shape of CVAT that is known here",
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
        "photos/annotations.xml: not valid XML of annotations (it has a <!DOCTYPE ...>)",
    ),
    Case(
        "hugging-face-no-tags",
        "metadata.csv without tags",
        f"{TRAIN_FOLDER} data.tags_file=metadata.csv",
        "photos/metadata.csv, line 1: field 'tags' is missing; write the header image,tags or image,tags,split, or image and one column of 0 and 1 for each class; found 'file_name,text'",
        files={"photos/metadata.csv": f"file_name,text\n{IMAGE},a bird\n"},
    ),
)
