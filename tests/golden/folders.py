"""Where golden tensors lie, and which cases are there.

`WECLIP_GOLDEN`, `WECLIP_GOLDEN_LABEL`, `WECLIP_GOLDEN_PLUS`, `WECLIP_GOLDEN_AFA` and
`WECLIP_GOLDEN_REGIONS` name other folders than those beside the project; tests run on every case
that they find, and skip with a reason where there is none.
"""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

BESIDE = Path(__file__).parents[3] / "shared"
GOLDEN = Path(os.environ.get("WECLIP_GOLDEN", BESIDE / "golden"))
GOLDEN_LABEL = Path(os.environ.get("WECLIP_GOLDEN_LABEL", BESIDE / "golden_label"))
GOLDEN_PLUS = Path(os.environ.get("WECLIP_GOLDEN_PLUS", BESIDE / "golden_plus"))
GOLDEN_AFA = Path(os.environ.get("WECLIP_GOLDEN_AFA", BESIDE / "golden_afa"))

GOLDEN_REGIONS = Path(os.environ.get("WECLIP_GOLDEN_REGIONS", BESIDE / "golden_regions"))


def region_cases(method: str) -> list[Path]:
    """Folders of `GOLDEN_REGIONS` whose `meta.json` names the method."""
    metas = sorted(GOLDEN_REGIONS.glob("*/meta.json"))
    return [path.parent for path in metas if json.loads(path.read_text())["method"] == method]


def label_cases(method: str) -> list[Path]:
    """Folders of a method in `GOLDEN_LABEL`: its name, perhaps with `_` and more behind it."""
    return sorted(
        path
        for path in GOLDEN_LABEL.glob("*")
        if path.is_dir() and path.name.split("_")[0] == method
    )


def needs_cases(method: str) -> pytest.MarkDecorator:
    """Skips where there is no case of the method, or no CLIP."""
    there = bool(label_cases(method)) and (GOLDEN / "clip.safetensors").exists()
    return pytest.mark.skipif(
        not there,
        reason=f"no golden case of {method} in {GOLDEN_LABEL}, or no CLIP in {GOLDEN}; set "
        "WECLIP_GOLDEN_LABEL and WECLIP_GOLDEN to their folders",
    )


def clip_state() -> dict[str, Tensor]:
    """The weights that all folders share, in float32."""
    return {name: value.float() for name, value in load_file(GOLDEN / "clip.safetensors").items()}


def images_of(case: dict[str, Tensor]) -> list[int]:
    """Numbers of the images of a case."""
    return sorted(int(key.split("_")[1]) for key in case if key.startswith("image_"))


def close(actual: Tensor, expected: Tensor, atol: float = 1e-4) -> None:
    """Equal to 1e-4."""
    torch.testing.assert_close(actual.float(), expected.float(), rtol=atol, atol=atol)


def agree(actual: Tensor, expected: Tensor, share: float = 0.999) -> None:
    """Equal masks, but for a share of the pixels."""
    assert actual.shape == expected.shape
    equal = (actual.long() == expected.long()).float().mean().item()
    assert equal >= share, f"{equal:.5f} of the pixels agree"
