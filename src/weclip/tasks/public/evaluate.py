"""`weclip.evaluate`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from weclip.inference.arguments import kind_of, path_of, require_list
from weclip.inference.report.overview.page import REPORT_NAME
from weclip.system.errors import InputError
from weclip.tasks.datasets import root_change
from weclip.tasks.evaluate.masks import evaluate_masks, masks_configuration
from weclip.tasks.evaluate.model import evaluate as evaluate_model
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    path_or_none,
    text_of,
)
from weclip.tasks.public.results import EvaluateResult

Masks = AnyPath | Sequence[AnyPath] | Mapping[str, AnyPath]


def evaluate(
    model: AnyPath | None = None,
    *,
    out: AnyPath,
    data: AnyPath | None = None,
    masks: Masks = (),
    config: AnyPath | None = None,
    labels: bool = False,
    clip: AnyPath | None = None,
    device: str | None = None,
    allow_missing: bool = False,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
    overrides: Overrides = (),
    progress: bool = False,
    **changes: object,
) -> EvaluateResult:
    """Score a trained model, or folders of masks, on a split with masks.

    What it says is logged by the logger `weclip`.

    Args:
        model: Run folder of `train`, its model file, a bundle, or `hf:owner/name` of the hub.
        out: Output folder, new or empty: `evaluation.json` and `report.html`.
        data: Your folder of images, or its `dataset.yaml`; of a model by default what it was
            trained with.
        masks: In place of a model: a folder of PNGs of ids or colours, or several, to compare, in a
            list or by name: `{"mine": "masks", "theirs": "others"}`.
        config: For masks: preset or YAML file; `folder` by default.
        labels: Score the CAMs and pseudo-labels made from tags, not the model.
        clip: CLIP weights, if they are no longer where they were.
        device: Such as `cpu` or `cuda`; by default the GPU if there is one.
        allow_missing: Score the masks that are there.
        plugins: Python files with parts of your own that the model was trained with.
        overwrite: Replace an earlier output in `out`.
        overrides: Changes of the configuration: `{"eval.crf": True}`, or texts as in the
            command, `["eval.crf=true"]`.
        progress: Whether a bar is shown.
        changes: The same by keyword: a section, `eval={"crf": True}`.

    Raises:
        InputError: Anything given cannot be used; the message names it.

    For example::

        scored = weclip.evaluate("runs/photos", out="runs/scores", overrides=["eval.crf=true"])
        print(scored.scores["Segmentation"]["miou"])
    """
    flags = {"labels": labels, "allow_missing": allow_missing, "overwrite": overwrite}
    with called(progress=progress, device=device, **flags) as console:
        require_list(plugins, "plugins", (str, Path))
        folder, given = path_of(out, "out"), changes_of({}, overrides, changes)
        named = named_masks(masks)
        of_model = {"labels": labels, "clip": clip, "plugins": plugins, "device": device}
        require_one_of(
            {"model": model, **of_model},
            {"masks": named, "config": config, "allow_missing": allow_missing},
        )
        if named:
            resolved = masks_configuration(
                text_of(config, "config"), path_or_none(data, "data"), given
            )
            how = {"allow_missing": allow_missing, "overwrite": overwrite}
            scores = evaluate_masks(named, resolved, folder, console=console, **how)
        else:
            files = [path_of(each, "plugins") for each in plugins]
            moved = [*root_change(path_or_none(data, "data")), *given]
            place = ModelAt(path_of(model, "model"), path_or_none(clip, "clip"), moved, files)
            scores = evaluate_model(
                place, folder, console=console, labels=labels, overwrite=overwrite
            )
        report = folder / REPORT_NAME
        return EvaluateResult(folder, scores, report if report.is_file() else None)


def named_masks(masks: Masks) -> list[str]:
    """Folders as the command takes them: `DIR`, or `NAME=DIR`."""
    if isinstance(masks, Mapping):
        return [f"{name}={path_of(folder, 'masks')}" for name, folder in masks.items()]
    if isinstance(masks, str | Path):
        return [str(path_of(masks, "masks"))]
    if not isinstance(masks, Sequence):
        raise InputError(f"masks is {kind_of(masks)}; give a folder, a list, or folders by name")
    return [str(path_of(folder, "masks")) for folder in masks]


def require_one_of(model: Mapping[str, object], masks: Mapping[str, object]) -> None:
    """InputError unless a model or masks are to be scored, with no argument of the other's.

    Args:
        model: The model, first, and the arguments that go with it, by name.
        masks: The same of masks.
    """
    if (model["model"] is None) == (not masks["masks"]):
        raise InputError(
            "give either a model, or masks=... with data=... or config=..., to score masks that "
            "are there"
        )
    one, others = ("masks", model) if model["model"] is None else ("a model", masks)
    wrong = [name for name, value in others.items() if value]
    if wrong:
        raise InputError(f"with {one} there is no {' and no '.join(wrong)}")
