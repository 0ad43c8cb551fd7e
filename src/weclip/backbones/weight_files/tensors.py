"""Tensors by name out of any weight file, never running code from it.

Stage 2. The format is recognised by the first bytes, not by the file's ending: safetensors,
TorchScript archives, and state dicts saved by `torch.save`.
"""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from weclip.backbones.weight_files.torchscript_archive import read_archive, require_stored
from weclip.system.errors import InputError
from weclip.system.files import what_it_is
from weclip.system.untrusted.text import short

HOLDERS = ("state_dict", "model_state_dict", "model")
"""Keys of a training's checkpoint that the state dict lies under, first to last choice."""


def read_tensors(file: Path) -> dict[str, Tensor]:
    """Read a weight file on the CPU.

    Args:
        file: safetensors, TorchScript archive or `torch.save`d state dict. A state dict may lie
            under one of `HOLDERS`; the prefix `module.` of parallel training is dropped.

    Returns:
        Tensors in their stored type.

    Raises:
        InputError: The file is not there, is of no known format or holds more than tensors.
    """
    try:
        with file.open("rb") as handle:
            start = handle.read(9)
        if start[8:] == b"{":  # a header length in eight bytes, then JSON
            return drop_prefix(load_file(file))
        if start.startswith(b"PK") and is_torchscript(file):
            return read_archive(file)
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}); give a weight file"
        ) from error
    except (SafetensorError, BadZipFile) as error:
        raise InputError(f"{file}: damaged ({error}); download the weights again") from error
    return drop_prefix(read_state_dict(file))


def is_torchscript(file: Path) -> bool:
    """Whether a zip is a TorchScript archive, which has constants, rather than a state dict.

    Raises:
        InputError: It holds something compressed, which `torch.load` would expand.
    """
    with ZipFile(file) as archive:
        require_stored(archive, file)
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """Read a state dict saved by `torch.save`, plain or under one of `HOLDERS`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the pickle's protocol: what it holds decides
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own text tells the user how to run the code after all
        if wanted := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise InputError(
                f"{file}: refused, its pickle asks for {wanted[1]}, which weights do not need and "
                "which may run code; save the state dict alone, or use safetensors"
            ) from error
        raise not_weights(file) from error
    except Exception as error:  # a hostile or damaged pickle can fail in any way
        raise not_weights(file) from error
    if isinstance(content, Mapping):
        content = next((content[key] for key in HOLDERS if is_filled(content.get(key))), content)
    if not isinstance(content, Mapping):
        raise InputError(
            f"{file}: holds a {type(content).__name__}, not a state dict (tensors by name)"
        )
    for name, value in content.items():
        if not (isinstance(name, str) and isinstance(value, Tensor)):
            raise InputError(
                f"{file}: entry {short(name)} is a {type(value).__name__}, not a tensor; "
                "save the state dict alone, or under the key 'state_dict'"
            )
    return dict(content)


def is_filled(content: object) -> bool:
    """Whether this is a mapping with something in it."""
    return isinstance(content, Mapping) and len(content) > 0


def not_weights(file: Path) -> InputError:
    """The error for a file of no known format."""
    found = what_it_is(file) or (
        "allowed: safetensors, an OpenAI .pt archive, or a state dict saved by torch.save"
    )
    return InputError(f"{file}: not a weight file; {found}")


def drop_prefix(state: dict[str, Tensor], prefix: str = "module.") -> dict[str, Tensor]:
    """Drop a prefix that every name has."""
    if not all(name.startswith(prefix) for name in state):
        return state
    return {name.removeprefix(prefix): value for name, value in state.items()}
