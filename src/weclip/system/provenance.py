"""Where a result came from: versions, device and commit, kept beside every score."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from weclip.system.distributed import default_device, has_torch


def versions() -> dict[str, str]:
    """What scores depend on: packages, Python, device and the git commit of the source."""
    return packages() | {
        "python": platform.python_version(),
        "device": _device_name(),
        "commit": git_commit(),
    }


def packages() -> dict[str, str]:
    """Versions of the packages that numbers depend on."""
    needed = ("weclip", "torch" if has_torch() else "onnxruntime", "numpy", "pillow")
    return {name: metadata.version(name) for name in needed}


def _device_name() -> str:
    """The GPU, or what the CPU is."""
    kind = default_device()
    if kind.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name()
    return f"{platform.machine()} {'GPU (mps)' if kind == 'mps' else 'CPU'}"


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
