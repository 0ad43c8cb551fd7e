"""`weclip.tag`."""

from collections.abc import Sequence
from pathlib import Path

from weclip.inference.arguments import path_of, require_list
from weclip.system.untrusted.documents import read_json
from weclip.tasks.datasets import configuration
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    path_or_none,
    text_of,
)
from weclip.tasks.public.results import TagResult
from weclip.tasks.tag.run import record_path
from weclip.tasks.tag.run import tag as run


def tag(
    data: AnyPath | None = None,
    *,
    out: AnyPath,
    clip: AnyPath | None = None,
    config: AnyPath | None = None,
    classes: AnyPath | None = None,
    device: str | None = None,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
    overrides: Overrides = (),
    progress: bool = False,
    **changes: object,
) -> TagResult:
    """Tag images by a frozen CLIP from class names alone, and score the tags if true ones exist.

    What it says is logged by the logger `weclip`.

    Args:
        data: Your folder of images, or its `dataset.yaml`.
        out: Tags file to write, `.csv`; how it was made lies beside it.
        clip: CLIP weights: short for `clip.weights`.
        config: Preset (`voc`, `coco`, `folder`, `demo`) or YAML file; `folder` by default.
        classes: `voc`, `coco`, `demo` or a YAML file: short for `data.classes`.
        device: Such as `cpu` or `cuda`; by default the GPU if there is one.
        plugins: Python files with parts of your own. They are run.
        overwrite: Replace an earlier tags file of this function or command.
        overrides: Changes of the configuration: `{"tags.threshold": "split"}`, or texts as in the
            command, `["tags.threshold=split"]`.
        progress: Whether a bar is shown.
        changes: The same by keyword, `**{"data.eval_split": "val"}`, or a section.

    Raises:
        InputError: Anything given cannot be used, or an image cannot be read.

    For example::

        made = weclip.tag("photos", classes="voc", clip="ViT-B-16.pt", out="tags.csv")
        weclip.train("photos", tags=made.out, clip="ViT-B-16.pt", out="runs/photos")
    """
    with called(progress=progress, device=device, overwrite=overwrite) as console:
        require_list(plugins, "plugins", (str, Path))
        short = {
            "clip.weights": text_of(clip, "clip"),
            "data.classes": text_of(classes, "classes"),
        }
        resolved = configuration(
            text_of(config, "config"),
            path_or_none(data, "data"),
            changes_of(short, overrides, changes),
            plugins=[path_of(each, "plugins") for each in plugins],
        )
        file = path_of(out, "out")
        count = run(resolved, file, console=console, overwrite=overwrite)
        return TagResult(file, count, read_json(record_path(file), "record")["scores"])
