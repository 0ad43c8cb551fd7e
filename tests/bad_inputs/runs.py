"""Model files, checkpoints and released checkpoints: moved, damaged, exchanged, or with code."""

import hashlib
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.bad_inputs.case import EVALUATE, TRAIN, Case
from tests.bad_inputs.csv_tables import HTML
from tests.bad_inputs.weights import CLIP, Attack, keep, saved
from tests.end_to_end import worlds

from weclip.training.checkpoint import MAGIC, read_checked, write_checked

MODEL = "run/model.safetensors"
FIRST, LAST = (f"run/checkpoints/step-{step:09}.ckpt" for step in (2, 4))
RESUME = "train --config voc.yaml --out run --resume"


def _change_model(**metadata: str) -> None:
    with safe_open(MODEL, "pt") as file:
        before = file.metadata()
    save_file(load_file(MODEL), MODEL, metadata=before | metadata)


def _cut_checkpoints() -> None:
    for path in (FIRST, LAST):
        keep(path, 0.5)


def _checked(content: dict[str, object]) -> dict[str, str | bytes]:
    """Both checkpoints of the run, replaced by something with a right checksum."""
    archive = saved(content)
    digest = hashlib.sha256(archive).hexdigest().encode()
    whole = MAGIC + digest + b"\n" + archive
    return {FIRST: whole, LAST: whole}


def _change_checkpoint(**changes: object) -> None:
    write_checked(Path(LAST), read_checked(Path(LAST)) | changes)


def _retag() -> None:
    tags = Path("VOC2012/tags.csv")
    tags.write_text(tags.read_text().replace("train_0.png,bird", "train_0.png,cat"))


CASES = (
    Case(
        "model-not-found",
        "A run that is not there",
        "evaluate --model runs/voc --out out",
        "runs/voc: no such model file; give a run folder or its model.safetensors",
    ),
    Case(
        "model-is-clip",
        "CLIP in place of a model",
        f"evaluate --model {CLIP} --out out",
        "clip.safetensors: not a weclip model (its format is None, not 'weclip-2'); give the model.safetensors that 'weclip train' wrote",
    ),
    Case(
        "model-cut-off",
        "A model cut off",
        EVALUATE,
        "run/model.safetensors: not a safetensors file (...)",
        make=lambda: keep(MODEL, 0.3),
    ),
    Case(
        "model-html",
        "An error page as model",
        EVALUATE,
        "run/model.safetensors: not a safetensors file (it is a web page, perhaps of a failed download)",
        files={MODEL: HTML},
    ),
    Case(
        "model-bad-config",
        "A model with a damaged configuration",
        EVALUATE,
        "run/model.safetensors: not valid YAML (line 2: ...",
        make=lambda: _change_model(config="data: ["),
    ),
    Case(
        "model-other-classes",
        "Another class list for a model",
        f"{EVALUATE} data.classes=coco",
        "coco: its classes (...) are not those of the model (...), in this order; mask ids would mean something else: give the model's list with data.classes=FILE",
    ),
    Case(
        "model-other-decoder",
        "Another decoder for a model",
        f"{EVALUATE} method.weclip.width=32",
        "run/model.safetensors: its weights do not fit the configuration (...; check data.classes, method.* and clip.weights",
    ),
    Case(
        "model-clip-moved",
        "A CLIP that has moved",
        f"{EVALUATE} --clip {CLIP}",
        "run/model.safetensors needs CLIP clip.safetensors, which is not at clip.safetensors; tell with --clip where it is",
        make=lambda: Path(CLIP).rename("moved.safetensors"),
    ),
    Case(
        "model-clip-exchanged",
        "Another CLIP under the same name",
        f"{EVALUATE} --clip {CLIP}",
        "run/model.safetensors was trained with CLIP clip.safetensors (SHA-256 ...), but clip.safetensors is clip.safetensors (...); give the right weights with --clip",
        make=lambda: worlds.write_clip(Path(CLIP), seed=1),
    ),
    Case(
        "model-no-split",
        "No split to score",
        f"{EVALUATE} data.eval_split=null",
        "data.eval_split is null; add data.eval_split=NAME of a split with masks",
    ),
    Case(
        "model-data-moved",
        "Data that have moved",
        EVALUATE,
        "VOC2012: data root not found; it must be an existing folder",
        make=lambda: Path("VOC2012").rename("VOC"),
    ),
    Case(
        "resume-foreign-folder",
        "A folder of something else to resume in",
        "train --config voc.yaml --out MSCOCO --resume",
        "--out MSCOCO is not empty; choose another folder or add --overwrite",
    ),
    Case(
        "resume-changed",
        "Another configuration",
        f"{RESUME} train.steps=9",
        "--resume run: not the same run as before step 4 (train.steps was 4, now 9); give the same, start anew in another --out, or add --accept-changes",
    ),
    Case(
        "resume-cut-off",
        "Checkpoints cut off",
        RESUME,
        f"{LAST}: not a readable weclip checkpoint (damaged: its checksum differs); none before it is whole; start anew in another --out",
        make=_cut_checkpoints,
    ),
    Case(
        "resume-code",
        "A checkpoint with code",
        RESUME,
        f"{LAST}: not a readable weclip checkpoint (it asks for more than tensors; nothing in it was executed); none before it is whole; start anew in another --out",
        files=_checked({"step": Attack()}),
    ),
    Case(
        "resume-foreign",
        "Another project's checkpoint",
        RESUME,
        f"{LAST}: not a readable weclip checkpoint (it holds other things); none before it is whole; start anew in another --out",
        files=_checked({"epoch": 3}),
    ),
    Case(
        "resume-no-decoder",
        "A checkpoint without tensors",
        RESUME,
        "--resume run: its checkpoint of step 4 does not fit the model of this configuration; start anew in another --out",
        make=lambda: _change_checkpoint(trained={}),
    ),
    Case(
        "resume-clip-exchanged",
        "Another CLIP under the same name",
        RESUME,
        "--resume run: not the same run as before step 4 (the CLIP weights are others); give the same, start anew in another --out, or add --accept-changes",
        make=lambda: worlds.write_clip(Path(CLIP), seed=1),
    ),
    Case(
        "resume-tags-changed",
        "Other tags",
        RESUME,
        "--resume run: not the same run as before step 4 (the images and tags are others); give the same, start anew in another --out, or add --accept-changes",
        make=_retag,
    ),
    Case(
        "seeds-one",
        "One seed where several are compared",
        f"{TRAIN} --seeds 3",
        "--seeds 3: give two or more different numbers, such as 0,1,2",
    ),
    Case(
        "seeds-words",
        "Seeds that are no numbers",
        f"{TRAIN} --seeds one,two",
        "--seeds one,two: give two or more different numbers, such as 0,1,2",
    ),
    Case(
        "replay-nothing",
        "A step to replay that is not there",
        "replay run/replay.ckpt",
        "run/replay.ckpt: checkpoint not found",
    ),
    Case(
        "replay-checkpoint",
        "A checkpoint where a failed step belongs",
        f"replay {LAST}",
        f"{LAST}: not a replay file; give the replay.ckpt of a run that stopped at NaN (it holds other things)",
    ),
    Case(
        "import-html",
        "An error page as checkpoint",
        "import a.pth --config voc.yaml --out out",
        "a.pth: not a weight file; it is a web page, perhaps of a failed download",
        files={"a.pth": HTML},
    ),
    Case(
        "import-code",
        "A checkpoint with code",
        "import a.pth --config voc.yaml --out out",
        "a.pth: refused, its pickle asks for ....system, which weights do not need and which may run code; save the state dict alone, or use safetensors",
        files={"a.pth": saved({"w": Attack()})},
    ),
    Case(
        "import-other-config",
        "Another configuration",
        "import a.pth --config voc.yaml --out out method.weclip.width=32",
        "a.pth: its weights do not fit the configuration (...; check data.classes, method.* and clip.weights",
        make=lambda: worlds.write_released(Path("run"), Path("a.pth")),
    ),
)
