"""Output folders, what `predict` is given, and runs that end in failure."""

import shutil
from pathlib import Path

from tests.bad_inputs.case import EVALUATE, PREDICT, TRAIN, Case
from tests.bad_inputs.images import PNG

PHOTO = "VOC2012/JPEGImages/val_8.png"


def _read_only() -> None:
    Path("locked").mkdir()
    Path("locked").chmod(0o500)


CASES = (
    Case(
        "out-is-file",
        "A file as --out",
        "train --config voc.yaml --out voc.yaml",
        "--out voc.yaml is a file; give a folder",
    ),
    Case(
        "out-below-file",
        "--out below a file",
        "train --config voc.yaml --out voc.yaml/run",
        "--out voc.yaml/run cannot be made (Not a directory)",
    ),
    Case(
        "out-is-foreign",
        "A folder of the user's as --out",
        "train --config voc.yaml --out VOC2012",
        "--out VOC2012 is not empty; choose another folder or add --overwrite",
    ),
    Case(
        "out-is-foreign-overwrite",
        "The same with --overwrite",
        "train --config voc.yaml --out VOC2012 --overwrite",
        "--out VOC2012 holds other files and no training of weclip's, so --overwrite does not delete it; choose another folder",
    ),
    Case(
        "out-is-empty-text",
        "An empty variable of the shell",
        'train --config voc.yaml --out "" --overwrite',
        "--out . holds other files and no training of weclip's, so --overwrite does not delete it; choose another folder",
    ),
    Case(
        "out-is-run",
        "An earlier run without --overwrite",
        "train --config voc.yaml --out run",
        "--out run is not empty; choose another folder or add --overwrite",
    ),
    Case(
        "out-of-other-kind",
        "A training replaced by a prediction",
        f"predict --model run --out run --overwrite {PHOTO}",
        "--out run holds a training and no prediction of weclip's, so --overwrite does not delete it; choose another folder",
    ),
    Case(
        "out-name-too-long",
        "A name of 300 letters",
        f"train --config voc.yaml --out {'x' * 300}",
        "x...x: File name too long",
    ),
    Case(
        "out-is-dangling-link",
        "A link to nowhere as --out",
        TRAIN,
        "--out out cannot be made (File exists)",
        make=lambda: Path("out").symlink_to("gone"),
    ),
    Case(
        "out-not-writable",
        "--out in a read-only folder",
        "train --config voc.yaml --out locked/run",
        "--out locked/run cannot be made (Permission denied)",
        make=_read_only,
        needs_permissions=True,
    ),
    Case(
        "out-holds-weights",
        "--overwrite of a run that holds the weights",
        "train --config voc.yaml --out run --overwrite clip.weights=run/clip.safetensors",
        "run/clip.safetensors lies in --out run; choose an output folder elsewhere",
        make=lambda: shutil.copy("clip.safetensors", "run"),
    ),
    Case(
        "out-holds-data",
        "--overwrite of a run that holds the data",
        "train --config voc.yaml --out run --overwrite data.root=run/VOC2012",
        "run/VOC2012 lies in --out run; choose an output folder elsewhere",
        make=lambda: shutil.copytree("VOC2012", "run/VOC2012"),
    ),
    Case(
        "out-holds-model",
        "--overwrite of scores that hold the model",
        "evaluate --model scores/model.safetensors --out scores --overwrite",
        "scores/model.safetensors lies in --out scores; choose an output folder elsewhere",
        files={"scores/run.json": '{"kind": "evaluation"}'},
        make=lambda: shutil.copy("run/model.safetensors", "scores"),
    ),
    Case(
        "predict-nothing",
        "No input",
        PREDICT,
        "Missing argument 'IMAGES|SECTION.KEY=VALUE'. (see weclip --help)",
    ),
    Case(
        "predict-not-found",
        "A photo that is not there",
        f"{PREDICT} none.jpg",
        "none.jpg does not exist: give an image file, a folder or a pattern",
    ),
    Case(
        "predict-no-image",
        "A text file",
        f"{PREDICT} voc.yaml",
        "voc.yaml is not an image: allowed are JPEG, PNG, WebP, TIFF and what else the installed Pillow decodes",
    ),
    Case(
        "predict-no-match",
        "A pattern that nothing matches",
        f"{PREDICT} 'photos/*.gif'",
        "photos/*.gif holds no image: looked for JPEG, PNG, WebP, TIFF and what else the installed Pillow decodes",
    ),
    Case(
        "predict-no-images",
        "A folder without images",
        f"{PREDICT} album",
        "album holds no image: looked for JPEG, PNG, WebP, TIFF and what else the installed Pillow decodes; left out: files that are no images: 1 (notes.txt)",
        files={"album/notes.txt": "x"},
    ),
    Case(
        "predict-empty-text",
        "An empty variable of the shell",
        f'{PREDICT} ""',
        "an input is an empty text: name an image file, a folder or a pattern",
    ),
    Case(
        "predict-stars",
        "A pattern that is none",
        f"{PREDICT} 'photos/**.jpg'",
        "photos/**.jpg: in a pattern `**` stands alone",
    ),
    Case(
        "predict-upwards",
        "`..` after a wildcard",
        f"{PREDICT} 'photos/*/../*/*.jpg'",
        "photos/*/../*/*.jpg: `..` after a wildcard would leave the output folder",
    ),
    Case(
        "predict-same-output",
        "Two photos of one name",
        f"{PREDICT} {PHOTO} VOC2012/SegmentationClass/val_8.png",
        "VOC2012/JPEGImages/val_8.png and VOC2012/SegmentationClass/val_8.png would both write val_8.png: rename one, or predict them into two output folders",
    ),
    Case(
        "predict-same-stem",
        "a.png and a.jpg in one folder",
        f"{PREDICT} album",
        "album/a.jpg and album/a.png would both write a.png: rename one, or predict them into two output folders",
        files={"album/a.png": PNG, "album/a.jpg": PNG},
    ),
    Case(
        "predict-own-output",
        "Photos inside --out",
        "predict --model run --out album album",
        "album/a.png lies in --out album; choose an output folder elsewhere",
        files={"album/a.png": PNG},
    ),
    Case(
        "evaluate-split-unknown",
        "A split that is not there",
        f"{EVALUATE} data.eval_split=test",
        "VOC2012/ImageSets/Segmentation: no split 'test'; available: train, val",
    ),
    Case(
        "evaluate-labels-no-tags",
        "`--labels` without tags",
        f"{EVALUATE} --labels data.tags_file=null",
        "image val_8: its data set has no tags, which CAM scores need",
        writes=("out",),
    ),
    Case(
        "train-diverges",
        "A learning rate that breaks the run",
        f"{TRAIN} optim.learning_rate=1e9 optim.warmup_steps=0",
        "step ...: the ... loss is nan; try a lower optim.learning_rate or train.precision=float32; no checkpoint was written yet; weclip replay out/replay.ckpt runs this step again",
        code=1,
        writes=("out",),
    ),
    Case(
        "cache-below-file",
        "A cache below a file",
        f"{TRAIN} data.decoded_cache=voc.yaml/cache",
        "data.decoded_cache=voc.yaml/cache: cannot be made (Not a directory)",
    ),
)
