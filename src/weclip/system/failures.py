"""What the system does to a command, in one line each: memory, disk, helper and sister processes.

What is none of these is a bug of ours, and keeps its traceback.
"""

import errno
from collections.abc import Mapping

from weclip.system.errors import InputError, unwritable

_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "annot allocate memory",
    "bad_alloc",
    "can't start new thread",
    "failed to map segment",
    "STATUS_ALLOC_FAILED",
)
"""In messages of PyTorch's allocators, C++, Python's threads, the loader of libraries, CUDA."""

_READER = "a process that reads images died (often for lack of memory: lower data.workers)"
_HELPERS = {
    "DataLoader worker": _READER,
    "Pin memory thread": _READER,  # it took what the process sent, and went with it
    "process pool": "a process that computes the CRF died (often for lack of memory)",
}
"""What a dead process did, by what is in the message."""

_SISTER = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "process group")

EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(("torch", "accelerate", "tokenizers", "huggingface_hub"), "torch"),
    "onnxruntime": "onnx",
    **dict.fromkeys(("starlette", "uvicorn"), "review"),
    **dict.fromkeys(("skimage", "transformers"), "regions"),
}
"""What of ours a package is installed with, where the base install lacks it."""

SCALE_DOWN = "scale large images down"

ADVICE: Mapping[str, str] = {
    "train": "lower train.batch_size or data.crop_size, or take train.precision=bf16",
    "evaluate": (
        "lower data.workers or eval.long_side, add eval.tile=512, take fewer eval.scales, add "
        f"eval.crf=false, score fewer folders of --masks at once, or {SCALE_DOWN}"
    ),
    "predict": (
        "lower eval.long_side (eval.long_side=320), add eval.tile=512, take fewer eval.scales, add "
        f"eval.crf=false, or {SCALE_DOWN}"
    ),
    "label": (
        f"lower label.max_side or label.scale, leave out label.crf and label.par, or {SCALE_DOWN}"
    ),
    "regions": f"lower regions.graph.max_side and the like, or {SCALE_DOWN}",
    "tag": f"lower tags.max_side, or {SCALE_DOWN}",
    "demo": "it needs about 1 GB: close other programs",
}
"""What to lower where memory ends, by command."""

FREE_SOME = "close other programs, or use a machine with more"
"""What to do in the other commands."""


def missing_package(error: ModuleNotFoundError) -> InputError | None:
    """What to install where a package of an extra is not there; None for a bug of ours."""
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    called = "PyTorch" if package == "torch" else package
    return InputError(
        f"this needs {called}, which is not installed: pip install 'weclip[{EXTRAS[package]}]', or "
        "'weclip[all]' for everything"
    )


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error says that there is no memory left, on the processor or on a GPU."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    told = isinstance(error, RuntimeError | ImportError) and _has(str(error), _MEMORY)
    return told or isinstance(error, MemoryError)


def failure(error: Exception, command: str, unnamed: str = "a file") -> str | None:
    """What the system did, and what to do; None if it did nothing.

    Args:
        error: What ended the work.
        command: A name in `ADVICE`, or another.
        unnamed: What is written, where an error of the disk does not name it.

    >>> failure(MemoryError(), "tag")
    'out of memory; lower tags.max_side, or scale large images down'
    """
    text = str(error)
    if is_out_of_memory(error):
        return f"out of memory; {ADVICE.get(command, FREE_SOME)}"
    if isinstance(error, OSError):
        return unwritable(error, unnamed)
    for part, died in _HELPERS.items():
        if part in text:
            return f"{died}; {text.splitlines()[0]}"
    if _has(text, _SISTER):
        return f"another process of this run has ended ({text.splitlines()[0][:160]})"
    return None


def _has(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)
