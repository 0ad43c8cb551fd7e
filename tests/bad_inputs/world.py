"""The user's folder that every case starts from: three data sets, a CLIP, and a finished run."""

import contextlib
import stat
from pathlib import Path

from tests.end_to_end import worlds

SMALL = """\
clip: {weights: clip.safetensors}
method: {weclip: {width: 16, blocks: 1, heads: 2, refine_from: 2}}
par: {iterations: 2, dilations: [1, 2]}
train: {batch_size: 2, steps: 4, log_every: 1, image_every: 100, eval_every: 0, save_every: 2}
eval: {long_side: 48, scales: [1.0], flip: false}
data:
  crop_size: 48
  workers: 0
  scale_range: [1.0, 1.5]
  train_split: train
"""
VOC = "  format: voc\n  root: VOC2012\n  classes: voc\n  tags_file: tags.csv\n  eval_split: val\n"
FOLDER = "  format: folder\n  root: photos\n  classes: photos/classes.yaml\n  eval_split: val\n"
COCO = "  format: coco\n  root: MSCOCO\n  classes: photos/classes.yaml\n  eval_split: val\n"

State = tuple[str, int, int, int, str]
"""Kind, size in bytes, times of change of content and of anything in ns, target of a link."""


def build(folder: Path) -> Path:
    """Make the folder; every path in it is relative, so that copies of it work."""
    folder.mkdir()
    worlds.write_voc(folder / "VOC2012")
    worlds.write_folder(folder / "photos")
    worlds.write_coco(folder / "MSCOCO")
    worlds.write_clip(folder / "clip.safetensors")
    for name, data in {"voc": VOC, "folder": FOLDER, "coco": COCO}.items():
        (folder / f"{name}.yaml").write_text(SMALL + data)
    with contextlib.chdir(folder):
        assert worlds.train(Path("run"), config="voc.yaml") == 0
    return folder


def snapshot(folder: Path) -> dict[str, State]:
    """State of everything below a folder, by relative path."""
    return {str(path.relative_to(folder)): _state(path) for path in sorted(folder.rglob("*"))}


def _state(path: Path) -> State:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "link", 0, found.st_mtime_ns, 0, str(path.readlink())
    if stat.S_ISDIR(found.st_mode):
        return "folder", 0, 0, 0, ""  # its time changes with what is in it, which is listed itself
    if not stat.S_ISREG(found.st_mode):
        return "neither file nor folder", 0, found.st_mtime_ns, 0, ""
    return "file", found.st_size, found.st_mtime_ns, found.st_ctime_ns, ""
