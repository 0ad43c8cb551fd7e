"""Folders of predicted masks that `evaluate --masks` is given, and options that go with a model."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from tests.bad_inputs.case import EVALUATE, Case

SCORE = "evaluate --masks masks --config voc.yaml --out out"
FIRST = Path("masks/val_8.png")


def _predict() -> None:
    """The true masks of the split as predictions."""
    FIRST.parent.mkdir()
    for path in Path("VOC2012/SegmentationClass").glob("val_*.png"):
        shutil.copy(path, FIRST.parent)


def _missing(*names: str) -> None:
    _predict()
    for name in names:
        (FIRST.parent / f"{name}.png").unlink()


def _two(missing_in_other: tuple[str, ...], missing: tuple[str, ...]) -> None:
    """Masks in two folders, without some of them."""
    _predict()
    shutil.copytree(FIRST.parent, "other")
    for folder, names in {Path("other"): missing_in_other, FIRST.parent: missing}.items():
        for name in names:
            (folder / f"{name}.png").unlink()


def _first(values: np.ndarray) -> None:
    """Another first mask: ids (H, W) or colours (H, W, 3)."""
    _predict()
    Image.fromarray(values.astype(np.uint8)).save(FIRST)


def _cut_off() -> None:
    _predict()
    FIRST.write_bytes(FIRST.read_bytes()[:60])


def _masks_only() -> None:
    _predict()
    Path("clip.safetensors").unlink()
    shutil.rmtree("run")


CASES = (
    Case(
        "evaluate-nothing",
        "`evaluate` without a model and without masks",
        "evaluate --out out",
        "give either --model RUN, to score a model, or --masks DIR with data or --config, to score masks that are there",
    ),
    Case(
        "evaluate-both",
        "A model and masks",
        f"{EVALUATE} --masks masks",
        "give either --model RUN, to score a model, or --masks DIR with data or --config, to score masks that are there",
    ),
    Case(
        "evaluate-model-data",
        "--config with a model",
        f"{EVALUATE} --config voc --allow-missing",
        "--model takes no --config and no --allow-missing, which is for --masks",
    ),
    Case(
        "evaluate-masks-labels",
        "--labels with masks",
        f"{SCORE} --labels",
        "--masks takes no --labels, which is for --model",
    ),
    Case(
        "evaluate-masks-no-data",
        "Masks, and no data set",
        "evaluate --masks masks --out out",
        "no data: give a folder of images or a dataset.yaml, or --config with a preset or a YAML file",
    ),
    Case(
        "evaluate-masks-no-split",
        "Masks, and no split to score",
        "evaluate photos --masks masks --out out",
        "data.eval_split is null; add data.eval_split=NAME of a split with masks",
    ),
    Case(
        "evaluate-masks-empty",
        "A name without a folder",
        f"{SCORE} --masks best=",
        "--masks 'best=' names no folder; give DIR or NAME=DIR",
    ),
    Case(
        "evaluate-masks-same-name",
        "Two folders of one name",
        "evaluate --masks a/masks --masks other/a --config voc.yaml --out out",
        "--masks a/masks and other/a are both called 'a'; give them names: --masks NAME=DIR",
    ),
    Case(
        "evaluate-masks-name-of-crf",
        "A folder called as another one after the CRF",
        "evaluate --masks a=masks --masks 'a + CRF=masks' --config voc.yaml --out out eval.crf=true",
        "--masks: 'a + CRF' is what 'a' is called after the CRF; give the folder another name: --masks NAME=DIR",
    ),
    Case(
        "predicted-no-folder",
        "A folder of masks that is not there",
        SCORE,
        "masks: folder of predicted masks (--masks) not found; it must be an existing folder",
    ),
    Case(
        "predicted-missing",
        "An image without predicted mask",
        SCORE,
        "masks: 2 of 3 masks are missing: val_8.png, val_10.png; add them, or score those that are there with --allow-missing",
        make=lambda: _missing("val_8", "val_10"),
    ),
    Case(
        "predicted-none",
        "No predicted mask for any image",
        f"{SCORE} --allow-missing",
        "masks: 3 of 3 masks are missing: val_8.png, val_9.png, val_10.png; a mask has its image's name, in the same sub-folder, as .png",
        make=lambda: _missing("val_8", "val_9", "val_10"),
    ),
    Case(
        "predicted-folder-of-folders",
        "The folder in which the masks' folder is",
        "evaluate --masks labels --config voc.yaml --out out",
        "labels: 3 of 3 masks are missing: val_8.png, val_9.png, val_10.png; a mask has its image's name, in the same sub-folder, as .png; is it labels/masks?",
        make=lambda: (_predict(), Path("labels").mkdir(), shutil.move("masks", "labels/masks")),
    ),
    Case(
        "predicted-second-no-folder",
        "The second of two folders is not there",
        f"{SCORE} --masks b=other",
        "other: folder of predicted masks (--masks) not found; it must be an existing folder",
        make=_predict,
    ),
    Case(
        "predicted-second-missing",
        "The second of two folders lacks a mask",
        f"{SCORE} --masks b=other",
        "other: 1 of 3 masks are missing: val_8.png; add them, or score those that are there with --allow-missing",
        make=lambda: _two(("val_8",), ()),
    ),
    Case(
        "predicted-nothing-in-common",
        "Two folders with masks of different images",
        f"{SCORE} --masks b=other --allow-missing",
        "no image has a mask in each of the 2 folders of --masks; score them one by one",
        make=lambda: _two(("val_8",), ("val_9", "val_10")),
    ),
    Case(
        "predicted-missing-allowed",
        "An image without predicted mask, with --allow-missing",
        f"{SCORE} --allow-missing",
        "warning: masks: 1 of 3 masks are missing: val_9.png",
        code=0,
        make=lambda: _missing("val_9"),
        says="out",
        writes=("out",),
    ),
    Case(
        "predicted-without-clip",
        "Neither CLIP nor a run, which masks do not need",
        SCORE,
        "...mIoU...100.0...",
        code=0,
        make=_masks_only,
        says="out",
        writes=("out",),
    ),
    Case(
        "predicted-size",
        "A predicted mask of another size",
        SCORE,
        "masks/val_8.png: predicted mask is 7 x 5 but the true one, VOC2012/SegmentationClass/val_8.png, is 48 x 48 (width x height); save predictions at their image's own size",
        make=lambda: _first(np.zeros((5, 7))),
        writes=("out",),
    ),
    Case(
        "predicted-unknown-ids",
        "A predicted id beyond the class list",
        SCORE,
        "masks/val_8.png: mask has class ids [99]; allowed are 0 to 20 and 255 (no class); is this the right class list?",
        make=lambda: _first(np.full((48, 48), 99)),
        writes=("out",),
    ),
    Case(
        "predicted-colours",
        "A predicted colour of no class",
        SCORE,
        "masks/val_8.png: mask has the unknown colour #010203, [1, 2, 3], on 100 % of its pixels; make it the 'colour' of a class in the class list, or for masks of the data set say in mask_labels what it stands for",
        make=lambda: _first(np.full((48, 48, 3), (1, 2, 3))),
        writes=("out",),
    ),
    Case(
        "predicted-second-colours",
        "A predicted colour of no class in the second of two folders",
        "evaluate --masks VOC2012/SegmentationClass --masks masks --config voc.yaml --out out",
        "masks/val_8.png: mask has the unknown colour #010203, [1, 2, 3], on 100 % of its pixels; make it the 'colour' of a class in the class list, or for masks of the data set say in mask_labels what it stands for",
        make=lambda: _first(np.full((48, 48, 3), (1, 2, 3))),
        writes=("out",),
    ),
    Case(
        "predicted-image-broken",
        "An image that is broken, which only the report needs",
        SCORE,
        "warning: VOC2012/JPEGImages/val_8.png: image cannot be read (...); so there is no report.html",
        files={"VOC2012/JPEGImages/val_8.png": b"no image"},
        make=_predict,
        code=0,
        says="out",
        writes=("out",),
    ),
    Case(
        "predicted-cut-off",
        "A predicted mask cut off",
        SCORE,
        "masks/val_8.png: mask is broken (...)",
        make=_cut_off,
        writes=("out",),
    ),
    Case(
        "predicted-in-out",
        "Masks inside an earlier evaluation, with --overwrite",
        "evaluate --masks out/masks --config voc.yaml --out out --overwrite",
        "out/masks lies in --out out; choose an output folder elsewhere",
        files={"out/run.json": '{"kind": "evaluation"}'},
        make=lambda: (_predict(), shutil.move("masks", "out/masks")),
    ),
)
