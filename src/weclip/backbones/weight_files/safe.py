"""safetensors files: a header of bounded length, then the numbers; nothing can execute.

Stage 2. The library checks that offsets fill the file and fit shapes and types.
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

MOST_HEADER = 2**24
"""Bytes; the largest published ones have some hundred thousand."""


def read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors by name, and the texts in the header.

    Raises:
        SafetensorError: It is damaged, or none.
        OSError: It cannot be read.
    """
    with file.open("rb") as handle:
        if int.from_bytes(handle.read(8), "little") > MOST_HEADER:
            raise SafetensorError(f"its header is over {MOST_HEADER // 2**20} MiB")
    try:
        with safe_open(file, "pt") as content:
            names = content.keys()
            return {name: content.get_tensor(name) for name in names}, content.metadata() or {}
    except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        raise SafetensorError(f"its header is damaged ({type(error).__name__})") from None
