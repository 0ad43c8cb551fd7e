"""Weights of CLIP: failed downloads, other models, damage, and code in pickles."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save, save_file
from tests.backbones.tiny_dino import tiny_dino
from tests.backbones.tiny_mit import tiny_mit
from tests.bad_inputs.case import TRAIN, Case
from tests.bad_inputs.csv_tables import HTML, LFS

CLIP = "clip.safetensors"
MARKER = "code-was-run"
"""A file that an obeyed pickle would make; the snapshot would see it."""


class Attack:
    """Its pickle calls `os.system`, were it ever obeyed."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {MARKER}",)


def saved(content: object) -> bytes:
    """The bytes that `torch.save` writes."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _archive() -> bytes:
    """A TorchScript archive whose pickle attacks."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("clip/data.pkl", pickle.dumps({"w": Attack()}, protocol=2))
        archive.writestr("clip/constants.pkl", b"\x80\x02).")
    return buffer.getvalue()


def keep(path: str, part: float) -> None:
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(len(content) * part)])


def _change_clip(**changes: torch.Tensor | None) -> None:
    """Replace or drop tensors of the CLIP; names with `__` for `.`."""
    state = load_file(CLIP)
    for name, value in changes.items():
        state.pop(name.replace("__", "."), None)
        if value is not None:
            state[name.replace("__", ".")] = value
    save_file(state, CLIP)


def _resnet() -> bytes:
    shapes = {"visual.conv1.weight": (8, 3, 3, 3), "visual.layer1.0.conv1.weight": (8, 8, 1, 1)}
    return save({name: torch.zeros(shape) for name, shape in shapes.items()})


def _weights(name: str, wrong: str, file: str, content: bytes | str, line: str) -> Case:
    command = f"{TRAIN} clip.weights={file}"
    return Case(f"weights-{name}", wrong, command, line, files={file: content})


CASES = (
    Case(
        "weights-not-found",
        "Weights that are not there",
        f"{TRAIN} clip.weights=ViT-B-16.pt",
        "ViT-B-16.pt: no such file or folder; give the path of weights",
    ),
    Case(
        "weights-is-data",
        "A folder without weights",
        f"{TRAIN} clip.weights=photos",
        "photos: the folder has no model.safetensors, pytorch_model.bin or OpenCLIP weights; give a Hugging Face folder or a weight file",
    ),
    _weights(
        "html",
        "An error page saved as .pt",
        "ViT-B-16.pt",
        HTML,
        "ViT-B-16.pt: not a weight file; it is a web page, perhaps of a failed download",
    ),
    _weights(
        "lfs",
        "A pointer of git-LFS",
        "model.safetensors",
        LFS,
        "model.safetensors: not a weight file; it is a pointer of git-LFS; run git lfs pull where it is from",
    ),
    _weights(
        "empty", "No bytes", "ViT-B-16.pt", b"", "ViT-B-16.pt: not a weight file; it is empty"
    ),
    _weights(
        "zip-cut-off",
        "A .pt cut off",
        "ViT-B-16.pt",
        saved({"a": torch.zeros(999)})[:900],
        "ViT-B-16.pt: damaged (...); download the weights again",
    ),
    _weights(
        "resnet",
        "A ResNet CLIP",
        "RN50.safetensors",
        _resnet(),
        "RN50.safetensors: a ResNet CLIP; use a ViT CLIP of OpenAI or OpenCLIP",
    ),
    _weights(
        "siglip",
        "A SigLIP of timm's layout",
        "siglip.safetensors",
        save({"visual.trunk.norm.weight": torch.zeros(1)}),
        "siglip.safetensors: its image encoder is none of CLIP's ViTs but one of timm (SigLIP, ConvNeXt, MobileCLIP); use a ViT CLIP of OpenAI or OpenCLIP",
    ),
    _weights(
        "part",
        "One part of several",
        "model-00001-of-00002.safetensors",
        save({"a": torch.zeros(1)}),
        "model-00001-of-00002.safetensors: one part of several; give model.safetensors.index.json, or the folder",
    ),
    _weights(
        "index",
        "An index whose parts are missing",
        "model.safetensors.index.json",
        '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}',
        "model.safetensors.index.json: 1 of 1 parts are missing, model-00001-of-00002.safetensors first; download them into the same folder",
    ),
    _weights(
        "index-elsewhere",
        "An index that names a file outside its folder",
        "model.safetensors.index.json",
        '{"weight_map": {"a": "../../etc/passwd"}}',
        "model.safetensors.index.json: weight_map names '../../etc/passwd', which is no file beside it; download the index again",
    ),
    Case(
        "weights-vocabulary",
        "A vocabulary of another tokenizer",
        TRAIN,
        "clip.safetensors: its vocabulary has 32000 tokens, not CLIP's 49408, so another tokenizer cuts its prompts; use a ViT CLIP of OpenAI or OpenCLIP",
        make=lambda: _change_clip(token_embedding__weight=torch.zeros(32000, 16)),
    ),
    Case(
        "weights-not-computed",
        "A configuration beside the weights that asks for another pooling",
        TRAIN,
        "open_clip_config.json: vision_cfg.pool_type is 'avg': only 'tok' is computed here; use a ViT CLIP of OpenAI or OpenCLIP",
        files={"open_clip_config.json": '{"embed_dim": 16, "vision_cfg": {"pool_type": "avg"}}'},
    ),
    Case(
        "weights-of-another-configuration",
        "The configuration of other weights",
        TRAIN,
        "open_clip_config.json: vision_cfg.width is 768 (a default where it is left out), but the weights beside it have 64; put the weights' own configuration beside them",
        files={"open_clip_config.json": '{"embed_dim": 16, "vision_cfg": {}}'},
    ),
    _weights(
        "dino",
        "A DINOv2 as CLIP",
        "dinov2_vits14_pretrain.pth",
        saved(tiny_dino()),
        "dinov2_vits14_pretrain.pth: a DINOv2, which is given as dino.weights; use a ViT CLIP of OpenAI or OpenCLIP",
    ),
    _weights(
        "mit",
        "A MiT as CLIP",
        "mit_b1.pth",
        saved(tiny_mit()),
        "mit_b1.pth: a MiT, which is given as mit.weights; use a ViT CLIP of OpenAI or OpenCLIP",
    ),
    Case(
        "weights-activation",
        "An activation that there is not",
        f"{TRAIN} clip.activation=relu",
        "clip.activation=relu is not allowed; it must be auto or quick_gelu or gelu",
    ),
    _weights(
        "of-nothing",
        "A safetensors file of another model",
        "vit.safetensors",
        save({"a": torch.zeros(1)}),
        "vit.safetensors: not a whole ViT CLIP (names in OpenAI layout): missing visual.conv1.weight, visual.positional_embedding, visual.proj, visual.transformer.resblocks.0.attn.in_proj_weight, token_embedding.weight, positional_embedding, transformer.resblocks.0.attn.in_proj_weight",
    ),
    _weights(
        "pickle-code",
        "A state dict with code",
        "ViT-B-16.pt",
        saved({"w": Attack()}),
        "ViT-B-16.pt: refused, its pickle asks for ....system, which weights do not need and which may run code; save the state dict alone, or use safetensors",
    ),
    _weights(
        "archive-code",
        "A TorchScript archive with code",
        "ViT-B-16.pt",
        _archive(),
        "ViT-B-16.pt: refused, its pickle asks for ....system, which weights do not need and which may run code; get the weights from their publisher",
    ),
    _weights(
        "plain-pickle-code",
        "A plain pickle with code",
        "ViT-B-16.pt",
        pickle.dumps(Attack()),
        "ViT-B-16.pt: refused, its pickle asks for ....system, which weights do not need and which may run code; save the state dict alone, or use safetensors",
    ),
    _weights(
        "training-state",
        "A checkpoint with more than weights",
        "ViT-B-16.pt",
        saved({"epoch": 3, "model": {}}),
        "ViT-B-16.pt: entry 'epoch' is a int, not a tensor; save the state dict alone, or under the key 'state_dict'",
    ),
    Case(
        "weights-half",
        "Half a safetensors file",
        TRAIN,
        "clip.safetensors: damaged (...); download the weights again",
        make=lambda: keep(CLIP, 0.5),
    ),
    Case(
        "weights-part-missing",
        "A tensor is missing",
        TRAIN,
        "clip.safetensors: not a whole ViT CLIP (names in OpenAI layout): missing visual.proj",
        make=lambda: _change_clip(visual__proj=None),
    ),
    Case(
        "weights-nan",
        "Weights that are not numbers",
        TRAIN,
        "clip.safetensors: visual.proj is not finite; download the weights again",
        make=lambda: _change_clip(visual__proj=torch.full((64, 16), torch.nan)),
    ),
    Case(
        "weights-whole-numbers",
        "Weights of 8-bit integers",
        TRAIN,
        "clip.safetensors: not a whole ViT CLIP (names in OpenAI layout): misshapen visual.proj (found torch.int8, expected floating point)",
        make=lambda: _change_clip(visual__proj=torch.zeros(64, 16, dtype=torch.int8)),
    ),
)
