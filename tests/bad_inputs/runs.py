"""Model files, checkpoints and released checkpoints: moved, damaged, exchanged, or with code."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tests.bad_inputs.case import EVALUATE, TRAIN, Case
from tests.bad_inputs.csv_tables import HTML
from tests.bad_inputs.weights import CLIP, Attack, keep, saved
from tests.end_to_end import worlds

MODEL = "run/model.safetensors"
LAST = "run/checkpoints/last.pt"
RESUME = "train --config voc.yaml --out run --resume"


def _change_model(**metadata: str) -> None:
    with safe_open(MODEL, "pt") as file:
        before = file.metadata()
    save_file(load_file(MODEL), MODEL, metadata=before | metadata)


def _change_checkpoint(**changes: object) -> None:
    content = torch.load(LAST, weights_only=True)
    torch.save(content | changes, LAST)


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
        "clip.safetensors: not a weclip model (its format is None, not 'weclip-1'); give the model.safetensors that 'weclip train' wrote",
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
        "run/model.safetensors: not valid YAML (line 1: expected the node content, but found '<stream end>')",
        make=lambda: _change_model(config="data: ["),
    ),
    Case(
        "model-other-classes",
        "Another class list for a model",
        f"{EVALUATE} data.classes=coco",
        "data.classes=coco: run/model.safetensors knows the classes that it was trained for, and no others; leave it out",
    ),
    Case(
        "model-other-decoder",
        "Another decoder for a model",
        f"{EVALUATE} decoder.width=32",
        "run/model.safetensors: its decoder does not fit the configuration (...; check data.classes, decoder.* and clip.weights",
    ),
    Case(
        "model-clip-moved",
        "A CLIP that has moved",
        EVALUATE,
        "run/model.safetensors needs CLIP clip.safetensors, which is not at clip.safetensors; tell with --clip where it is",
        make=lambda: Path(CLIP).rename("moved.safetensors"),
    ),
    Case(
        "model-clip-exchanged",
        "Another CLIP under the same name",
        EVALUATE,
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
        "resume-nothing",
        "No run to resume",
        f"{TRAIN} --resume",
        "out/checkpoints/last.pt: no checkpoint to resume from; start without --resume",
    ),
    Case(
        "resume-changed",
        "Another configuration",
        f"{RESUME} train.steps=9",
        "--resume run: the configuration has changed (train.steps was 4, now 9); give the same one, or start anew in another --out",
    ),
    Case(
        "resume-cut-off",
        "A checkpoint cut off",
        RESUME,
        "run/checkpoints/last.pt: not a readable weclip checkpoint (damaged: ...); start anew in another --out",
        make=lambda: keep(LAST, 0.5),
    ),
    Case(
        "resume-code",
        "A checkpoint with code",
        RESUME,
        "run/checkpoints/last.pt: not a readable weclip checkpoint (damaged, or it asks for more than tensors; nothing in it was executed); start anew in another --out",
        files={LAST: saved({"step": Attack()})},
    ),
    Case(
        "resume-foreign",
        "Another project's checkpoint",
        RESUME,
        "run/checkpoints/last.pt: not a readable weclip checkpoint (it holds other things); start anew in another --out",
        files={LAST: saved({"epoch": 3})},
    ),
    Case(
        "resume-no-decoder",
        "A checkpoint without tensors",
        RESUME,
        "run/checkpoints/last.pt: does not fit the model of this configuration: damaged, or of another version; start anew in another --out",
        make=lambda: _change_checkpoint(decoder={}),
    ),
    Case(
        "resume-clip-exchanged",
        "Another CLIP under the same name",
        RESUME,
        "--resume run: it was begun with another CLIP (SHA-256 ...) than clip.safetensors (...); give that one, or start anew in another --out",
        make=lambda: worlds.write_clip(Path(CLIP), seed=1),
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
        "import a.pth --config voc.yaml --out out decoder.width=32",
        "a.pth: its decoder does not fit the configuration (...; check data.classes, decoder.* and clip.weights",
        make=lambda: worlds.write_released(Path("run"), Path("a.pth")),
    ),
)
