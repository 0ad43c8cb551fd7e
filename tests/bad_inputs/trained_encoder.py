"""Weights of MiT, which AFA starts from, and methods that do not read it."""

import torch
from safetensors.torch import save
from tests.backbones.tiny_mit import mit_shapes, tiny_mit
from tests.bad_inputs.case import TRAIN, Case

AFA = f"{TRAIN} method.name=afa"
FILE = "mit.safetensors"
WAY_OUT = "use a MiT-B0 to B5 of SegFormer (mit_b1.pth) or Hugging Face (nvidia/mit-b1)"


def _mit(name: str, wrong: str, state: dict[str, torch.Tensor], line: str) -> Case:
    command = f"{AFA} mit.weights={FILE}"
    return Case(f"mit-{name}", wrong, command, line, files={FILE: save(state)})


CASES = (
    Case(
        "mit-none",
        "AFA without weights of MiT",
        AFA,
        "method 'afa' starts from weights of MiT; add mit.weights=nvidia/mit-b1, or the path of such weights",
    ),
    Case(
        "mit-not-read",
        "Weights of MiT for a method that trains none",
        f"{TRAIN} mit.weights=clip.safetensors",
        "mit.weights=clip.safetensors: method 'weclip' trains no MiT; leave it out, or choose a method that does, such as --config voc-afa",
    ),
    Case(
        "mit-not-found",
        "Weights of MiT that are not there",
        f"{AFA} mit.weights=mit_b1.pth",
        "mit_b1.pth: no such file or folder; give the path of weights",
    ),
    Case(
        "mit-is-a-clip",
        "A CLIP as MiT",
        f"{AFA} mit.weights=clip.safetensors",
        f"clip.safetensors: a CLIP, which is given as clip.weights; {WAY_OUT}",
    ),
    _mit(
        "pvt",
        "A PVT v2, whose names are the same",
        {name: torch.zeros(shape) for name, shape in mit_shapes(ratio=8).items()},
        f"mit.safetensors: the wider layers have 8 times the width, as in PVT v2, whose names are the same; {WAY_OUT}",
    ),
    _mit(
        "without-a-layer",
        "Weights of MiT that lack a tensor",
        {name: value for name, value in tiny_mit().items() if name != "norm2.bias"},
        "mit.safetensors: not a whole MiT (names of SegFormer): missing norm2.bias",
    ),
    _mit(
        "not-finite",
        "Weights of MiT that hold NaN",
        tiny_mit() | {"norm2.bias": torch.full((32,), torch.nan)},
        "mit.safetensors: norm2.bias is not finite; download the weights again",
    ),
    Case(
        "mit-another-hash",
        "Other weights of MiT than mit.sha256 says",
        f"{AFA} mit.weights={FILE} mit.sha256={'0' * 64}",
        "mit.weights=mit.safetensors: its SHA-256 is ..., and mit.sha256 says another; give the file that it was, or leave it out",
        files={FILE: save(tiny_mit())},
    ),
)
