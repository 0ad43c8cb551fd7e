"""`weclip.check`."""

from weclip.inference.arguments import path_of
from weclip.system.files import require_writable
from weclip.tasks.check import UNUSED, examine, record
from weclip.tasks.datasets import configuration
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    path_or_none,
    text_of,
)
from weclip.tasks.public.results import CheckResult


def check(
    data: AnyPath | None = None,
    *,
    config: AnyPath | None = None,
    tags: AnyPath | None = None,
    clip: AnyPath | None = None,
    suspects: AnyPath | None = None,
    json: AnyPath | None = None,
    overrides: Overrides = (),
    progress: bool = False,
    **changes: object,
) -> CheckResult:
    """Read all images, masks and tags that `train` would read, and say what is wrong with them.

    Needs no weights and no PyTorch, unless `suspects` are asked for, and changes nothing.

    Args:
        data: Your folder of images, or its `dataset.yaml`.
        config: Preset (`voc`, `coco`, `folder`, `demo`) or YAML file; `folder` by default.
        tags: Tags file; by default the one in the folder. `"auto"`: CLIP will make them.
        clip: CLIP weights for `suspects`: short for `clip.weights`.
        suspects: Where the tags that CLIP doubts are listed, a `.csv`.
        json: Where the record is written too.
        overrides: Changes of the configuration: `{"data.eval_split": "val"}`, or texts as in the
            command, `["data.eval_split=val"]`.
        progress: Whether a bar is shown.
        changes: The same by keyword, `**{"data.eval_split": "val"}`, or a section.

    Raises:
        InputError: Lists, tags or files are missing or wrong, as in training.

    For example::

        found = weclip.check("photos")
        for finding in found.findings:
            print(finding.severity, finding.text, finding.examples[:3])
    """
    with called(progress=progress) as console:
        target = None if json is None else path_of(json, "json")
        if target is not None:
            require_writable(target, "json")
        listed = None if suspects is None else path_of(suspects, "suspects")
        short = {"clip.weights": text_of(clip, "clip"), "data.tags_file": text_of(tags, "tags")}
        resolved = configuration(
            text_of(config, "config"),
            path_or_none(data, "data"),
            changes_of(short, overrides, changes),
            unused=UNUSED if listed is None else (),
        )
        report = examine(resolved, console=console, json_file=target, suspects=listed)
    return CheckResult(
        report.count("error"), report.count("warning"), report.findings, record(report, resolved)
    )
