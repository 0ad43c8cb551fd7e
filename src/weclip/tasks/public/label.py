"""`weclip.label`."""

from collections.abc import Sequence
from pathlib import Path

from weclip.inference.arguments import path_of, require_list
from weclip.tasks.datasets import configuration
from weclip.tasks.label.run import LabelOptions
from weclip.tasks.label.run import label as run
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    path_or_none,
    text_of,
)
from weclip.tasks.public.results import LabelResult


def label(
    data: AnyPath | None = None,
    *,
    out: AnyPath,
    clip: AnyPath | None = None,
    config: AnyPath | None = None,
    method: str | None = None,
    tags: AnyPath | None = None,
    device: str | None = None,
    overlays: bool = False,
    soft: bool = False,
    export: Sequence[str] = (),
    resume: bool = False,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
    overrides: Overrides = (),
    progress: bool = False,
    **changes: object,
) -> LabelResult:
    """Make masks of images with tags, by a frozen CLIP alone: no training, no decoder.

    What it says is logged by the logger `weclip`.

    Args:
        data: Your folder of images, or its `dataset.yaml`.
        out: Output folder, new or empty.
        clip: CLIP weights: short for `clip.weights`.
        config: Preset (`voc`, `coco`, `folder`, `demo`) or YAML file; `folder` by default.
        method: What makes the masks: `clip-es` (the default), `excel`, `cd-clip`.
        tags: Tags file, or `"auto"` for tags by CLIP; by default the one in the folder.
        device: Such as `cpu` or `cuda`; by default the GPU if there is one.
        overlays: Also write the images with their masks painted on.
        soft: Also write soft maps, small and 8-bit.
        export: Also for other tools: `coco`, `yolo`, `cvat`, `label-studio`, `fiftyone`,
            `huggingface`.
        resume: Do only what is missing in `out`.
        plugins: Python files with parts of your own. They are run.
        overwrite: Replace an earlier output in `out`.
        overrides: Changes of the configuration: `{"label.crf": True}`, or texts as in the
            command, `["label.crf=true"]`; `data.corrected` is a folder whose masks are kept.
        progress: Whether a bar is shown.
        changes: The same by keyword: a section, `label={"crf": True}`.

    Raises:
        InputError: Anything given cannot be used, or an image cannot be read; finished masks stay.

    For example::

        made = weclip.label("photos", clip="ViT-B-16.pt", out="runs/labels", export=["coco"])
        print(made.count, "masks in", made.masks)
    """
    flags = {"overlays": overlays, "soft": soft, "resume": resume, "overwrite": overwrite}
    with called(progress=progress, device=device, **flags) as console:
        require_list(export, "export", (str,))
        require_list(plugins, "plugins", (str, Path))
        short = {"clip.weights": text_of(clip, "clip"), "data.tags_file": text_of(tags, "tags")}
        resolved = configuration(
            text_of(config, "config"),
            path_or_none(data, "data"),
            changes_of(short, overrides, changes),
            method=text_of(method, "method"),
            plugins=[path_of(each, "plugins") for each in plugins],
        )
        folder = path_of(out, "out")
        how = LabelOptions(
            overlays=overlays, soft=soft, export=tuple(export), resume=resume, overwrite=overwrite
        )
        count = run(resolved, folder, how, console=console)
        return LabelResult(folder, folder / "masks", count)
