"""Tensors by name out of any weight file, never running code from it.

Stage 2. The format is recognised by the first bytes, not by the file's ending: safetensors,
TorchScript archives, and state dicts saved by `torch.save`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from weclip.backbones.weight_files.archives import Archive, NoArchiveError, script_tensors
from weclip.backbones.weight_files.legacy import read_legacy
from weclip.backbones.weight_files.safe import read_safetensors
from weclip.backbones.weight_files.stored import RefusedNameError, with_tensors
from weclip.system.errors import InputError
from weclip.system.files import what_it_is
from weclip.system.untrusted.text import one_line, short

HOLDERS = ("state_dict", "model_state_dict", "model")
"""Keys of a training's checkpoint that the state dict lies under, first to last choice."""


LONGEST_NAME = 200


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
    state = read_any(file)
    for name in state:
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise InputError(
                f"{file}: the name of a tensor is no text of up to {LONGEST_NAME} printable "
                f"letters ({name[:40]!a}...); download the weights again"
            )
    return drop_prefix(state)


def read_any(file: Path) -> dict[str, Tensor]:
    """The tensors of a file of any format, under the names in it."""
    if file.exists() and not file.is_file():
        raise InputError(f"{file}: cannot be read (no regular file); give a weight file")
    try:
        with file.open("rb") as handle:
            start = handle.read(9)
        if start[8:] == b"{":  # a header length in eight bytes, then JSON
            return read_safetensors(file)[0]
        if start.startswith(b"PK"):
            return read_archive(file)
    except OSError as error:
        raise InputError(
            f"{file}: cannot be read ({error.strerror}); give a weight file"
        ) from error
    except SafetensorError as error:
        raise damaged(file, error) from error
    return state_dict(read_old(file), file)


def read_archive(file: Path) -> dict[str, Tensor]:
    """The tensors of a zip of PyTorch, TorchScript or a state dict."""
    advice = "save the state dict alone, or use safetensors"
    try:
        with Archive(file) as archive:
            if archive.is_script:
                advice = "get the weights from their publisher"
                return script_tensors(archive)
            content = with_tensors(archive.description(), archive.storages())
    except (InputError, OSError):
        raise
    except NoArchiveError as error:
        raise not_weights(file) from error
    except RefusedNameError as error:
        raise refused(file, error, advice) from error
    except Exception as error:  # a hostile or damaged pickle can fail in any way
        raise damaged(file, error) from error
    return state_dict(content, file)


def read_old(file: Path) -> Any:
    """What an old `torch.save` wrote."""
    try:
        return read_legacy(file)
    except OSError:
        raise
    except RefusedNameError as error:
        advice = "save the state dict alone, or use safetensors"
        raise refused(file, error, advice) from error
    except Exception as error:  # a hostile or damaged pickle can fail in any way
        raise not_weights(file) from error


def state_dict(content: object, file: Path) -> dict[str, Tensor]:
    """The tensors by name that a saved object is, or holds under one of `HOLDERS`."""
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


def refused(file: Path, error: RefusedNameError, advice: str) -> InputError:
    """The error for a pickle that asks for code."""
    return InputError(
        f"{file}: refused, its pickle asks for {error.name}, which weights do not need and which "
        f"may run code; {advice}"
    )


def damaged(file: Path, error: Exception) -> InputError:
    """The error for a file of a known format that is not whole."""
    reason = one_line(error) or type(error).__name__
    return InputError(f"{file}: damaged ({reason}); download the weights again")


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
