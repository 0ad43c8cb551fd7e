"""`weclip export`: a trained model in one file that runs without weclip, verified."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from rich.console import Console
from torch import nn

from weclip.exports.models.formats import Format, format_of
from weclip.exports.models.graph import Graph
from weclip.exports.models.verify import verify
from weclip.inference.onnx.header import LOGITS, OUTPUTS, PRECISIONS, OnnxHeader
from weclip.parts import METHOD, fills
from weclip.system.console import QUIET
from weclip.system.errors import InputError, RunError
from weclip.system.files import require_writable, write_atomically
from weclip.system.locks import working_on
from weclip.system.provenance import versions
from weclip.system.untrusted.text import one_line
from weclip.tasks.load.model import LoadedModel
from weclip.tasks.load.opening import ModelAt
from weclip.tasks.public.results import ExportResult
from weclip.tasks.share.facts import towers_of


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """How a model is exported.

    Attributes:
        format: A key of `FORMATS`.
        output: One of `OUTPUTS`.
        precision: One of `PRECISIONS`.
        overwrite: Replace the file if it is there.
    """

    format: str = "onnx"
    output: str = LOGITS
    precision: str = "float32"
    overwrite: bool = False


DEFAULTS = ExportOptions()

SMALLEST_SIDE = 32
"""Pixels that every method takes."""

READ = ("bands", "range", "max_side")
"""Keys of `data` that say how the model is used to its images."""


def export(
    model_at: ModelAt, out: Path, options: ExportOptions = DEFAULTS, *, console: Console = QUIET
) -> ExportResult:
    """Write a model as one file, and verify that it computes what the model does.

    Args:
        model_at: The model.
        out: The file; it appears verified or not at all.
        options: See there.
        console: Where progress is told.

    Raises:
        InputError: Anything given cannot be used, or a package is missing.
        RunError: The exported model computes something else.
    """
    kind = _checked(out, options)
    with working_on(out, "export"):
        model = model_at.open()
        require_a_network(model)
        header = header_of_model(model, options)
        console.print(f"exporting to {options.format}, and running it to compare", highlight=False)
        method = cast(nn.Module, model.method)
        graph = Graph(deepcopy(method), options.output, half=options.precision == "float16")
        exact, found = Graph(method, options.output), []
        least = getattr(method, "program_side", 1) if options.format == "pt2" else 1
        if least > SMALLEST_SIDE:
            console.print(f"the program takes images with sides of {least} pixels or more")

        def write(temporary: Path) -> None:
            with told_in_one_line(options.format):
                kind.write(graph, header, temporary)
            found.append(verify(kind.open(temporary), exact, options.precision, least))

        write_atomically(out, write)
    seen = found[0]
    return ExportResult(out, out.stat().st_size, seen.shapes, seen.largest, seen.equal)


@contextmanager
def told_in_one_line(format: str) -> Iterator[None]:
    """Turn what PyTorch's exporters raise, of many classes, into a `RunError`."""
    try:
        yield
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise RunError(
            f"PyTorch cannot export this model as {format} ({one_line(error)}); nothing is kept"
        ) from error


def require_a_network(model: LoadedModel) -> None:
    """InputError for a method that no graph of tensors computes."""
    name = model.config.method.name
    if fills(model.config.KNOWN[METHOD.name, name]):
        raise InputError(
            f"{model.path}: method '{name}' cuts images into regions and searches a bank, which no "
            "exported graph does; weclip bundle makes a folder to share"
        )


def _checked(out: Path, options: ExportOptions) -> Format:
    """The format, once everything that can be wrong has been looked at."""
    kind = format_of(options.format)
    for name, given, known in (
        ("--output", options.output, OUTPUTS),
        ("--precision", options.precision, PRECISIONS),
    ):
        if given not in known:
            raise InputError(f"{name} {given}: must be one of {', '.join(known)}")
    if out.suffix.lower() != kind.suffix:
        raise InputError(f"--out {out}: a file of --format {options.format} ends in {kind.suffix}")
    if missing := [name for name in kind.needs if find_spec(name) is None]:
        raise InputError(
            f"--format {options.format} needs {' and '.join(missing)}: pip install 'weclip[export]'"
        )
    if out.exists() and not options.overwrite:
        raise InputError(f"--out {out}: there is a file already; add --overwrite")
    require_writable(out, "--out")
    return kind


def header_of_model(model: LoadedModel, options: ExportOptions) -> OnnxHeader:
    """What the exported file says of itself; no path of this machine is in it."""
    tested = {**asdict(model.config.eval), "long_side": model.config.eval.side}
    del tested["precision"]  # the file has its own
    return OnnxHeader(
        classes=model.file.classes,
        backbones=model.file.backbones,
        tested=tested,
        data={key: getattr(model.config.data, key) for key in READ},
        step=model.file.step,
        output=options.output,
        precision=options.precision,
        versions=versions(),
        licences="; ".join(
            f"{tower.name}: {tower.licence.in_words()}"
            for tower in towers_of(model, model.config).values()
        ),
    )


def described(done: ExportResult) -> Sequence[str]:
    """What the command says of an export."""
    logits = f"logits differ by at most {done.largest:.1e}, " if done.largest else ""
    return [
        f"{done.path}: {done.size / 1e6:.1f} MB",
        f"verified on {done.shapes} shapes of images: {logits}the class is the same in at least "
        f"{100 * done.equal:.2f} %",
    ]
