"""`convert` and `prepare`: pickles, archives, and files that are not what their names say."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from tests.bad_inputs.case import Case
from tests.bad_inputs.csv_tables import HTML
from tests.bad_inputs.weights import Attack

TAGS = "image,tags\na.jpg,bird\n"
NPY = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (), }"


def _npy(content: bytes) -> bytes:
    """An object array's file whose pickle is given."""
    return NPY.ljust(127) + b"\n" + content


def _saved(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)  # type: ignore[arg-type]
    return buffer.getvalue()


def _convert(name: str, wrong: str, file: str, content: bytes | str, line: str) -> Case:
    command = f"convert {file} tags.csv --classes voc"
    return Case(f"convert-{name}", wrong, command, line, files={file: content})


def _zip(member: str, content: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, content)
    return buffer.getvalue()


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add("voc.yaml")
    return buffer.getvalue()


def _coco(name: str, wrong: str, content: bytes | str, line: str) -> Case:
    """COCO's archives have no published checksum, so their content is looked at."""
    file = "annotations_trainval2014.zip"
    command = f"prepare coco --root data --from {file}"
    return Case(f"prepare-{name}", wrong, command, line, files={file: content}, writes=("data",))


CASES = (
    _convert(
        "code",
        "A pickle that would run code",
        "a.npy",
        _npy(pickle.dumps(Attack())),
        "a.npy: not a pickled .npy of tags (asks for '....system', which tags do not need; nothing was executed)",
    ),
    _convert(
        "cut-off",
        "A pickle cut off",
        "a.npy",
        _saved({"a": np.zeros(20)})[:200],
        "a.npy: not a pickled .npy of tags (...)",
    ),
    _convert(
        "numbers",
        "Numbers in place of a dictionary",
        "a.npy",
        _saved(np.zeros(3)),
        "a.npy: holds an array and no dictionary from image name to tags",
    ),
    _convert(
        "other-classes",
        "Tags of another class list",
        "a.npy",
        _saved({"a": np.zeros(80)}),
        "a.npy: a: expected 20 numbers, one for each class; is this the right --classes?",
    ),
    _convert(
        "html", "An error page as .npy", "a.npy", HTML, "a.npy: not a pickled .npy of tags (...)"
    ),
    Case(
        "convert-no-xml",
        "A folder without annotations",
        "convert photos tags.csv --classes voc",
        "photos: no .xml files in this folder",
    ),
    Case(
        "convert-xml-broken",
        "A broken annotation",
        "convert xml tags.csv --classes voc",
        "xml/a.xml: annotation is not valid XML (...)",
        files={"xml/a.xml": "<annotation>"},
    ),
    Case(
        "convert-xml-other",
        "XML of something else",
        "convert xml tags.csv --classes voc",
        "xml/a.xml: no annotation of PASCAL VOC, which begins with <annotation>; found 'html'",
        files={"xml/a.xml": "<html/>"},
    ),
    Case(
        "convert-no-tags",
        "Annotations without any object",
        "convert xml tags.csv --classes voc",
        "xml: no image has a tag (read as PASCAL VOC annotations; 0 labels); nothing written",
        files={"xml/a.xml": "<annotation/>"},
    ),
    _convert(
        "numbers-for-names",
        "Keys that name no image",
        "a.npy",
        _saved({7: np.zeros(20)}),
        "a.npy: the key 7 names no image; expected names such as 2007_000032, or the numbers 2007000032 for VOC and 9 for COCO's 000000000009",
    ),
    Case(
        "convert-to-text",
        "Another suffix to write",
        "convert a.csv tags.txt --classes voc",
        "tags.txt: the tags file to write must end in .csv or .jsonl",
        files={"a.csv": TAGS},
    ),
    Case(
        "convert-exists",
        "A target that exists",
        "convert a.csv b.csv --classes voc",
        "b.csv exists; choose another name or add --overwrite",
        files={"a.csv": TAGS, "b.csv": TAGS},
    ),
    Case(
        "convert-to-folder",
        "A folder as target, with --overwrite",
        "convert a.csv b.csv --classes voc --overwrite",
        "b.csv: cannot be written; give the path of a file",
        files={"a.csv": TAGS},
        make=lambda: Path("b.csv").mkdir(),
    ),
    Case(
        "convert-below-file",
        "A target below a file",
        "convert a.csv a.csv/b.csv --classes voc",
        "a.csv/b.csv: cannot be written; give the path of a file",
        files={"a.csv": TAGS},
    ),
    Case(
        "prepare-unknown",
        "A data set that is not known",
        "prepare vok --root data",
        "prepare vok: unknown; known: voc, coco, clip, dino, mit. did you mean 'voc'?",
    ),
    Case(
        "prepare-border",
        "--void-border for VOC",
        "prepare voc --root data --void-border",
        "--void-border is for coco only; leave it out",
    ),
    Case(
        "prepare-name",
        "A CLIP that is not known",
        "prepare clip --root data --name ViT-B-16",
        "--name ViT-B-16: unknown; known: ViT-B/16, ViT-L/14, or OWNER/NAME of the Hugging Face hub. did you mean 'ViT-B/16'?",
    ),
    Case(
        "prepare-dino-name",
        "A DINOv2 that is not known",
        "prepare dino --root data --name vits14",
        "--name vits14: unknown; known: dinov2_vits14, dinov2_vitb14, dinov2_vitl14, dinov2_vits14_reg, dinov2_vitb14_reg, dinov2_vitl14_reg, or OWNER/NAME of the Hugging Face hub. did you mean 'dinov2_vits14'?",
    ),
    Case(
        "prepare-from-missing",
        "A file that is not there",
        "prepare clip --root data --from ViT-B-16.pt",
        "--from ViT-B-16.pt: no such file",
    ),
    Case(
        "prepare-from-other",
        "A file that is not needed",
        "prepare clip --root data --from RN50.pt",
        "--from RN50.pt: not a file that is needed here; these are, by name: ViT-B-16.pt.",
        files={"RN50.pt": b"x"},
    ),
    Case(
        "prepare-from-html",
        "An error page as weights",
        "prepare clip --root data --from ViT-B-16.pt",
        "ViT-B-16.pt is not the published ViT-B-16.pt (its sha256:5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f is expected): incomplete, broken or another file; delete it or move it away, and run again",
        files={"ViT-B-16.pt": HTML},
    ),
    Case(
        "prepare-from-twice",
        "A file given twice",
        "prepare coco --root data --from train2014.zip --from a/train2014.zip",
        "--from: train2014.zip and a/train2014.zip are the same file; give one",
        files={"train2014.zip": b"x", "a/train2014.zip": b"x"},
    ),
    Case(
        "prepare-tar-cut-off",
        "An archive cut off",
        "prepare voc --root data --from VOCtrainval_11-May-2012.tar",
        "VOCtrainval_11-May-2012.tar is not the published VOCtrainval_11-May-2012.tar (its md5:6cd6e144f989b92b3379bac3b3de84fd is expected): incomplete, broken or another file; delete it or move it away, and run again",
        make=lambda: Path("VOCtrainval_11-May-2012.tar").write_bytes(_tar()[:700]),
    ),
    Case(
        "prepare-root-is-file",
        "A file as --root",
        "prepare voc --root voc.yaml",
        "--root voc.yaml is a file; give a folder",
    ),
    Case(
        "prepare-in-place",
        "Another file where the weights belong",
        "prepare clip --root .",
        "ViT-B-16.pt is not the published ViT-B-16.pt (its sha256:5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f is expected): incomplete, broken or another file; delete it or move it away, and run again",
        files={"ViT-B-16.pt": HTML},
    ),
    Case(
        "prepare-masks-there",
        "Masks made by something else",
        "prepare coco --root .",
        "MSCOCO/SegmentationClass holds masks made by something else; move it away, and run again",
    ),
    _coco(
        "html",
        "An error page as archive",
        HTML,
        "annotations_trainval2014.zip: not a whole tar or zip archive (...); delete it and run again",
    ),
    _coco(
        "zip-upwards",
        "A zip that would write outside",
        _zip("../annotations/instances_train2014.json"),
        "annotations_trainval2014.zip: member '../annotations/instances_train2014.json' would be written outside the folder; nothing was unpacked, fetch the archive anew from a place that you trust",
    ),
    _coco(
        "zip-other",
        "A zip of something else",
        _zip("readme.txt"),
        "annotations_trainval2014.zip: nothing in it begins with annotations/instances_train2014.json or annotations/instances_val2014.json",
    ),
)
