"""`weclip label`: options, folders of other masks, and images that cannot be labelled."""

from pathlib import Path

from tests.bad_inputs.case import Case
from tests.end_to_end import worlds

from weclip.cli import app as cli

LABEL = "label --config voc.yaml --out out"
MANY = "label --config folder.yaml --out out"


def _labelled() -> None:
    assert cli.run(LABEL.split()) == 0


def _name_like_a_comment() -> None:
    Path("photos/#1.jpg").write_bytes(Path("photos/train/train_0.jpg").read_bytes())
    with Path("photos/tags.jsonl").open("a") as file:
        file.write('\n{"image": "#1.jpg", "tags": ["dog"], "split": "train"}')


def _other_weights() -> None:
    _labelled()
    worlds.write_clip(Path("other.safetensors"), seed=1)


CASES = (
    Case(
        "label-no-data",
        "`label` without data",
        "label --out out",
        "no data: give a folder of images or a dataset.yaml, or --config with a preset or a YAML file",
    ),
    Case(
        "label-two-data",
        "Two data sets",
        "label photos album --out out",
        "'album': one data set at a time, and changes as section.key=value",
    ),
    Case(
        "label-no-clip",
        "`label` without weights",
        "label photos --out out",
        "preset folder: no value for clip.weights; add clip.weights=... to the command",
    ),
    Case(
        "label-no-out",
        "`label` without --out",
        "label --config voc.yaml",
        "Missing option '--out'. (see weclip --help)",
    ),
    Case(
        "label-method-unknown",
        "A misspelt method",
        f"{LABEL} --method clipes",
        "--method clipes: there is none of this name; did you mean 'clip-es'?",
    ),
    Case(
        "label-export-unknown",
        "An export that there is not",
        f"{LABEL} --export coco,yoloo",
        "--export yoloo: there is none of this name; did you mean 'yolo'?",
    ),
    Case(
        "label-export-other",
        "An export of another kind",
        f"{LABEL} --export 7",
        "--export 7: there is none of this name; known: coco, yolo, cvat, label-studio, fiftyone, huggingface",
    ),
    Case(
        "label-export-class-name",
        "A class name that CVAT's label map cannot hold",
        f"{LABEL} --export cvat data.classes=classes.yaml",
        "--export cvat: the class 'cat:tabby' has ':' or '#' at the front, which labelmap.txt cannot hold; rename it, or leave the export out",
        files={
            "classes.yaml": "classes: [bird, cat, dog, 'cat:tabby']\nbackground_words: [grass]\n"
        },
    ),
    Case(
        "label-export-control-character",
        "A class name that XML cannot hold",
        f"{LABEL} --export label-studio data.classes=classes.yaml",
        "classes.yaml: class 4: name: 'cat\\x07' holds control characters; leave them out",
        files={"classes.yaml": 'classes: [bird, cat, dog, "cat\\a"]\nbackground_words: [grass]\n'},
    ),
    Case(
        "label-export-image-name",
        "An image name that CVAT's list cannot hold",
        f"{MANY} --export yolo,cvat",
        "--export cvat: the image '#1' has a space at an end or '#' at the front, which ImageSets/Segmentation/default.txt cannot hold; rename it, or leave the export out",
        make=_name_like_a_comment,
    ),
    Case(
        "label-shard-zero",
        "Shards counted from 0",
        f"{LABEL} --shard 0/2",
        "--shard 0/2: give i/n with i from 1 to n, such as 2/4",
    ),
    Case(
        "label-shard-beyond",
        "Shard 3 of 2",
        f"{LABEL} --shard 3/2",
        "--shard 3/2: give i/n with i from 1 to n, such as 2/4",
    ),
    Case(
        "label-shard-text",
        "A shard without its number",
        f"{LABEL} --shard 2",
        "--shard 2: give i/n with i from 1 to n, such as 2/4",
    ),
    Case(
        "label-resume-overwrite",
        "--resume with --overwrite",
        f"{LABEL} --resume --overwrite",
        "--resume and --overwrite contradict each other; give one of them",
    ),
    Case(
        "label-shard-overwrite",
        "A shard that would delete the others' masks",
        f"{LABEL} --shard 1/2 --overwrite",
        "--shard and --overwrite contradict each other; give one of them",
    ),
    Case(
        "label-crf-and-par",
        "Two refinements",
        f"{LABEL} label.crf=true label.par=true",
        "label.crf and label.par are both true; one of them refines the masks",
    ),
    Case(
        "label-confidence",
        "A confidence in percent",
        f"{LABEL} label.confidence=95",
        "label.confidence=95.0 is not allowed; it must be from 0 to 1, or null",
    ),
    Case(
        "label-max-side",
        "Images of 8 pixels",
        f"{LABEL} label.max_side=8",
        "label.max_side=8 is not allowed; it must be from 32 to 8192, or null",
    ),
    Case(
        "label-crf-width",
        "A CRF without width",
        f"{LABEL} label.crf_bilateral_srgb=0",
        "label.crf_bilateral_srgb=0.0 is not allowed; it must be more than 0",
    ),
    Case(
        "label-split-unknown",
        "No such split",
        f"{LABEL} data.train_split=test",
        "VOC2012/ImageSets/Segmentation: no split 'test'; available: train, val",
    ),
    Case(
        "label-clip-gone",
        "No weights there",
        f"{LABEL} clip.weights=gone.pt",
        "gone.pt: no such file or folder; give the path of weights",
    ),
    Case(
        "label-out-foreign",
        "Photos as --out",
        "label --config voc.yaml --out photos",
        "--out photos is not empty; choose another folder or add --overwrite",
    ),
    Case(
        "label-out-holds-images",
        "The images' folder as --out",
        "label --config voc.yaml --out VOC2012 --resume",
        "VOC2012/JPEGImages/train_0.png lies in --out VOC2012; choose an output folder elsewhere",
    ),
    Case(
        "label-resume-training",
        "--resume of a training",
        "label --config voc.yaml --out run --resume",
        "--out run holds no masks of weclip label to go on with; choose another folder",
    ),
    Case(
        "label-again",
        "Masks are there",
        LABEL,
        "--out out is not empty; choose another folder or add --overwrite",
        make=_labelled,
    ),
    Case(
        "label-resume-other",
        "--resume with another configuration",
        f"{LABEL} --resume cam.background_power=2 data.classes=classes.yaml",
        "--out out holds masks that were made otherwise (cam.background_power was 1.0, now 2.0; other class_list); give the same, or choose another --out",
        files={
            "classes.yaml": "classes: [bird, cat, dog]\nbackground_words: [grass]\n",
        },
        make=_labelled,
    ),
    Case(
        "label-resume-other-clip",
        "--resume with other weights",
        f"{LABEL} --resume clip.weights=other.safetensors",
        "--out out holds masks that were made otherwise (CLIP's SHA-256 was ..., now ...); give the same, or choose another --out",
        make=_other_weights,
    ),
    Case(
        "label-recipe-broken",
        "A damaged label.json",
        f"{LABEL} --resume",
        "out/label.json cannot be read; choose another --out",
        files={"out/run.json": '{"kind": "labelling"}', "out/label.json": "{"},
    ),
    Case(
        "label-image-broken",
        "An image that cannot be read",
        f"{MANY} --overlays",
        "photos/train/train_1.jpg: image cannot be read (no known image format)",
        files={"photos/train/train_1.jpg": "no image"},
        writes=("out",),
    ),
    Case(
        "label-name-leads-out",
        "A name in a list that would lead out of --out",
        LABEL,
        "VOC2012/ImageSets/Segmentation/train.txt, line 1: '../JPEGImages/train_0' is no image name; write one name a line, without folder and suffix",
        files={"VOC2012/ImageSets/Segmentation/train.txt": "../JPEGImages/train_0\n"},
    ),
)
