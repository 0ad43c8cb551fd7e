"""In what the frozen encoders and the trained part compute: decided and applied here, once for all.

Stage 2. `auto` is decided by the device alone. Large products, convolutions and attention then run
in the precision of the surrounding `computing_in`; labels, scores and pixels stay in float32.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weclip.backbones.transformer import Attention, Frozen
from weclip.system.errors import InputError
from weclip.system.untrusted.text import one_line

AUTO = "auto"
FLOAT32 = "float32"
DTYPES = {FLOAT32: torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""The precisions by the names that a configuration has for them."""


def chosen_precision(choice: str, key: str, device: torch.device | str) -> str:
    """What a precision means on a device: `auto` is bf16 where it is fast, and float32 elsewhere.

    Args:
        choice: `auto`, or a key of `DTYPES`.
        key: The key that it is of, for the message.
        device: Where it computes.

    Returns:
        A key of `DTYPES`.

    Raises:
        InputError: The device cannot compute in it.
    """
    kind = torch.device(device).type
    if choice == AUTO:
        return "bf16" if has_fast_bf16(kind) else FLOAT32
    if choice != FLOAT32 and (reason := _why_not(choice, kind)) is not None:
        raise InputError(
            f"{key}={choice}: the device {kind} cannot compute in it here ({reason}); use auto or "
            "float32"
        )
    return choice


def has_fast_bf16(kind: str) -> bool:
    """Whether a device, `cpu` or `cuda` or `mps`, has units for products in bf16.

    On Apple's GPUs nothing was measured.
    """
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    processor = torch.cpu.get_capabilities() if kind == "cpu" else {}
    return bool(processor.get("avx512_bf16") or processor.get("amx_bf16"))


def computing_in(precision: str, device: torch.device | str) -> torch.autocast:
    """Compute in a key of `DTYPES` meanwhile, in this thread."""
    kind, lower = torch.device(device).type, precision != FLOAT32
    return torch.autocast(kind, dtype=DTYPES[precision] if lower else None, enabled=lower)


def store_frozen(module: object, precision: str) -> None:
    """Store what frozen encoders multiply by in a key of `DTYPES`, for good.

    Otherwise `computing_in` casts it anew in each pass. Norms, embeddings and projections to a
    joint space stay as they are, as they do there.

    Args:
        module: A module, whose frozen parts compute in this precision alone from here on.
        precision: That in which they run.
    """
    assert isinstance(module, nn.Module)
    for frozen in (part for part in module.modules() if isinstance(part, Frozen)):
        for part in frozen.modules():
            if isinstance(part, nn.Linear | nn.Conv2d | Attention):
                for weight in part.parameters(recurse=False):
                    weight.data = weight.data.to(DTYPES[precision])


@cache
def _why_not(precision: str, kind: str) -> str | None:
    """Why a device cannot compute in a precision; None where it can."""
    if kind == "cuda" and precision == "bf16" and not has_fast_bf16(kind):
        return "the GPU has no bf16"
    try:
        with torch.no_grad(), computing_in(precision, kind):
            found = _tried(torch.ones(1, 3, 8, 8, device=kind)).dtype
    except (RuntimeError, NotImplementedError, TypeError) as error:
        return one_line(error, 100)
    return None if found == DTYPES[precision] else f"PyTorch takes {found} instead"


def _tried(image: Tensor) -> Tensor:
    """What transformers are made of, on an image (1, 3, 8, 8): a convolution, attention, a gate."""
    tokens = F.conv2d(image, image.new_ones(4, 3, 2, 2), stride=2).flatten(2).transpose(1, 2)
    attended = F.scaled_dot_product_attention(tokens, tokens, tokens)
    (attended @ attended.transpose(1, 2)).float().softmax(dim=-1)
    gated = F.gelu(attended) * torch.sigmoid(attended) + torch.erf(attended)
    return F.linear(gated, image.new_ones(4, 4))
