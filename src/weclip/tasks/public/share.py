"""`weclip.export`, `weclip.bundle` and `weclip.push`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from weclip.inference.arguments import path_of, require_list
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.public.calls.arguments import (
    AnyPath,
    Overrides,
    called,
    changes_of,
    path_or_none,
    text_of,
)
from weclip.tasks.public.results import BundleResult, ExportResult, PushResult
from weclip.tasks.share.bundle import BundleOptions
from weclip.tasks.share.bundle import bundle as run_bundle
from weclip.tasks.share.export import ExportOptions
from weclip.tasks.share.export import export as run_export
from weclip.tasks.share.push import push as run_push


def export(
    run: AnyPath,
    *,
    out: AnyPath,
    format: str = "onnx",
    output: str = "logits",
    precision: str = "float32",
    clip: AnyPath | None = None,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
    overrides: Overrides = (),
    **changes: object,
) -> ExportResult:
    """Write a model as one file that runs without weclip, and verify it.

    Args:
        run: Run folder of `train`, its model file, or a bundle.
        out: The file, `.onnx` or `.pt2`.
        format: `onnx`, or `pt2`, a program of `torch.export`.
        output: `logits` at patch resolution, which `weclip.load` reads; `full_logits` of the
            image's size; or `label_map`, class ids.
        precision: Of the weights: `float32`, or `float16` for half the size.
        clip: CLIP weights, if they are no longer where they were.
        plugins: Python files with parts of your own that the model was trained with.
        overwrite: Replace the file if it is there.
        overrides: Changes of the configuration: `{"eval.long_side": 640}`, or texts as in the
            command; those of `eval` become the file's own test settings.
        changes: The same by keyword: a section, `eval={"long_side": 640}`.

    Raises:
        InputError: Anything given cannot be used, or a package is missing.
        RunError: The exported model computes something else; it is not kept.

    For example::

        weclip.export("runs/photos", out="photos.onnx")
        weclip.load("photos.onnx").predict("photo.jpg")  # needs no PyTorch
    """
    with called(progress=False, overwrite=overwrite) as console:
        options = ExportOptions(
            format=str(text_of(format, "format")),
            output=str(text_of(output, "output")),
            precision=str(text_of(precision, "precision")),
            overwrite=overwrite,
        )
        place = replace(_given(run, clip, plugins), overrides=changes_of({}, overrides, changes))
        return run_export(place, path_of(out, "out"), options, console=console)


def bundle(
    run: AnyPath,
    *,
    out: AnyPath,
    precision: str = "float16",
    scores: AnyPath | None = None,
    license: str = "other",
    clip: AnyPath | None = None,
    plugins: Sequence[AnyPath] = (),
    overwrite: bool = False,
) -> BundleResult:
    """Make one folder that needs nothing else: the model, its frozen towers, licences, a card.

    It predicts the same wherever it is moved. What it says is logged by the logger `weclip`.

    Args:
        run: Run folder of `train`, or its model file.
        out: The folder, new or empty.
        precision: Of the frozen towers: `float16`, or `float32`, with which it predicts the bits
            of the run.
        scores: `evaluation.json` of `evaluate`, for the card; by default what the run's log has.
        license: Of what you trained, as the hub writes it, such as `mit`.
        clip: CLIP weights, if they are no longer where they were.
        plugins: Python files with parts of your own that the model was trained with; they are not
            in the folder.
        overwrite: Replace an earlier bundle in `out`.

    Raises:
        InputError: Anything given cannot be used; the message names it.

    For example::

        weclip.bundle("runs/photos", out="photos-model", license="mit")
        weclip.load("photos-model").predict("photo.jpg")
    """
    with called(progress=False, overwrite=overwrite) as console:
        place, how = _given(run, clip, plugins), _options(precision, scores, license)
        return run_bundle(place, path_of(out, "out"), how, console=console, overwrite=overwrite)


def push(
    run: AnyPath,
    repository: str,
    *,
    private: bool = False,
    precision: str = "float16",
    scores: AnyPath | None = None,
    license: str = "other",
    clip: AnyPath | None = None,
    plugins: Sequence[AnyPath] = (),
) -> PushResult:
    """Send a model to the Hugging Face hub, as a bundle with a card.

    Args:
        run: Run folder of `train`, its model file, or a bundle, which is sent as it is.
        repository: `owner/name`; it is made if it is not there.
        private: Whether only you may see it.
        precision: As in `bundle`.
        scores: As in `bundle`.
        license: As in `bundle`.
        clip: As in `bundle`.
        plugins: As in `bundle`.

    Raises:
        InputError: Anything given cannot be used, nobody is logged in, or the hub refuses.

    For example::

        weclip.push("runs/photos", "me/photos", private=True)
        model = weclip.load("hf:me/photos")
    """
    with called(progress=False, private=private) as console:
        place, how = _given(run, clip, plugins), _options(precision, scores, license)
        name = str(text_of(repository, "repository"))
        return run_push(place, name, how, private=private, console=console)


def _given(run: AnyPath, clip: AnyPath | None, plugins: Sequence[AnyPath]) -> ModelAt:
    require_list(plugins, "plugins", (str, Path))
    files = [path_of(each, "plugins") for each in plugins]
    return ModelAt(path_of(run, "run"), path_or_none(clip, "clip"), plugins=files)


def _options(precision: object, scores: AnyPath | None, license: object) -> BundleOptions:
    return BundleOptions(
        precision=str(text_of(precision, "precision")),
        scores=path_or_none(scores, "scores"),
        licence=str(text_of(license, "license")),
    )
