"""Where a result came from: versions, device and commit, kept beside every score."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from weclip.system.distributed import default_device, has_torch


def versions(engine: str = "torch", device: str | None = None) -> dict[str, str]:
    """What scores depend on: packages, Python, device and the git commit of the source.

    Args:
        engine: The package that computes: `torch` or `onnxruntime`.
        device: Where; None: the default of PyTorch.
    """
    return packages(engine) | {
        "python": platform.python_version(),
        "device": _device_name(device or default_device()),
        "commit": git_commit(),
    }


def packages(engine: str = "torch") -> dict[str, str]:
    """Versions of the packages that numbers depend on; arguments as in `versions`."""
    with_torch = ["torch"] if engine == "torch" else []
    named = ["weclip", *with_torch, "numpy", "pillow"]
    found = {name: metadata.version(name) for name in named}
    if engine == "onnxruntime":  # as it says of itself: it is installed under several names
        import onnxruntime

        found[engine] = str(onnxruntime.__version__)
    return found


def _device_name(device: str) -> str:
    """The GPU, or what the CPU is."""
    if device.startswith("cuda") and has_torch():
        import torch

        if torch.cuda.is_available():
            return torch.cuda.get_device_name(device)
    kind = {"cpu": "CPU", "mps": "GPU (mps)"}.get(device, f"GPU ({device})")
    return f"{platform.machine()} {kind}"


def git_commit() -> str:
    """Commit of the checkout that this file is in, with `+` for local changes; or `unknown`."""
    folder = Path(__file__).parent
    try:
        commit = ["git", "-C", str(folder), "rev-parse", "--short=12", "HEAD"]
        status = ["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no", "."]
        name = subprocess.run(commit, capture_output=True, text=True, check=True).stdout.strip()
        dirty = subprocess.run(status, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+" if dirty else "")
