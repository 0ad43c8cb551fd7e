"""Weights of the second encoder, and methods that do not read it."""

import torch
from safetensors.torch import save
from tests.backbones.tiny_dino import tiny_dino
from tests.backbones.tiny_mit import tiny_mit
from tests.bad_inputs.case import TRAIN, Case

PLUS = f"{TRAIN} method.name=weclip_plus"
FILE = "dino.safetensors"


def _dino(name: str, wrong: str, state: dict[str, torch.Tensor], line: str) -> Case:
    command = f"{PLUS} dino.weights={FILE}"
    return Case(f"dino-{name}", wrong, command, line, files={FILE: save(state)})


CASES = (
    Case(
        "dino-none",
        "WeCLIP+ without a second encoder",
        PLUS,
        "a second encoder is read here (by the method, map source, affinity, regions or a memory); add dino.weights=dinov2_vits14, or the path of DINOv2 weights",
    ),
    Case(
        "dino-not-read",
        "A second encoder for a method that reads none",
        f"{TRAIN} dino.weights=clip.safetensors",
        "dino.weights=clip.safetensors: method 'weclip' has no second encoder; leave it out, or choose a method that reads it, such as --config folder-plus in a training",
    ),
    Case(
        "dino-not-read-by-label",
        "A second encoder for masks by CLIP alone",
        "label --config voc.yaml --out out dino.weights=dino.safetensors",
        "dino.weights=dino.safetensors: CLIP alone is read here; leave it out, or choose a method that reads it, such as --config folder-plus in a training",
    ),
    Case(
        "dino-not-read-by-a-model",
        "A second encoder for a model that has none",
        "predict photos --model run --out out dino.weights=dino.safetensors",
        "dino.weights=dino.safetensors: the model has no second encoder; leave it out, or choose a method that reads it, such as --config folder-plus in a training",
    ),
    Case(
        "dino-is-a-model",
        "A trained model for the second encoder",
        f"{PLUS} dino.weights=run/model.safetensors",
        "run/model.safetensors: a trained model of weclip, not an encoder; use a DINOv2 ViT-S, B or L of torch.hub or Hugging Face",
    ),
    Case(
        "dino-not-found",
        "Weights of the second encoder that are not there",
        f"{PLUS} dino.weights=dinov2.pth",
        "dinov2.pth: no such file or folder; give the path of weights",
    ),
    Case(
        "dino-misspelt",
        "A name of DINOv2, misspelt",
        f"{PLUS} dino.weights=dinov2_vits15",
        "dino.weights=dinov2_vits15: neither a file here nor a known name; did you mean 'dinov2_vits14'?",
    ),
    _dino(
        "is-a-mit",
        "A MiT for the second encoder",
        tiny_mit(),
        "dino.safetensors: a MiT, which is given as mit.weights; use a DINOv2 ViT-S, B or L of torch.hub or Hugging Face",
    ),
    _dino(
        "missing",
        "A DINOv2 that lacks a tensor",
        {name: value for name, value in tiny_dino().items() if name != "norm.bias"},
        "dino.safetensors: ...norm.bias...",
    ),
    _dino(
        "nan",
        "A DINOv2 with NaN in it",
        tiny_dino() | {"norm.bias": torch.full((128,), torch.nan)},
        "dino.safetensors: norm.bias is not finite; download the weights again",
    ),
    Case(
        "dino-another-hash",
        "A second encoder whose SHA-256 is not the pinned one",
        f"{PLUS} dino.weights={FILE} dino.sha256={'0' * 64}",
        "dino.weights=dino.safetensors: its SHA-256 is ..., and dino.sha256 says another; give the file that it was, or leave it out",
        files={FILE: save(tiny_dino())},
    ),
    Case(
        "loss-without-branches",
        "A loss between branches that the method does not have",
        f"{TRAIN} loss.terms=[segmentation,cross]",
        "loss 'cross' reads 'branches', which this configuration does not provide; choose another part",
    ),
)
