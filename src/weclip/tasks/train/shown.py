"""What `weclip train` tells a person: before, after ten steps, on the way, and at the end.

Lines have under 80 columns. On a terminal and in a notebook a bar shows the steps; elsewhere, as in
a file, a line does so every so often.
"""

import os
import shlex
import time
from collections.abc import Mapping
from importlib.util import find_spec
from statistics import mean

import torch
from accelerate import Accelerator
from rich.console import Console
from torch.nn import Module

from weclip.backbones.clip.weights import Clip
from weclip.backbones.dino.weights import Dino
from weclip.config import Config, whole
from weclip.methods.method import Method
from weclip.system.console import warn
from weclip.system.memory import most_memory
from weclip.tasks.load.backbones import CALLED
from weclip.tasks.train.inputs import Inputs
from weclip.tasks.train.result import TrainResult, scores_of
from weclip.training.runlog import LOG_NAME, is_evaluation, progress_bar, read_log

WIDTH = 79
LINES_EVERY = 30.0
"""Seconds between two lines where there is no bar."""

TIMED_STEPS = 10
"""Steps that the forecast is made from; the first one, which compiles, is not among them."""

LONG = 3600.0
"""Seconds; longer runs on a CPU get a hint."""

QUICKER = (
    "Over an hour on a CPU. Quicker: masks without training (weclip label),",
    "fewer steps (train.steps=N, which may do for a first look), or a GPU.",
)
METRICS = {
    "miou": "mIoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_class_accuracy": "class accuracy",
}


def show_start(
    config: Config,
    inputs: Inputs,
    method: Method,
    accelerator: Accelerator,
    precisions: Mapping[str, str],
    console: Console,
) -> None:
    """Say in one block what was understood, and what will be done."""
    run, images, mit = config.train, inputs.images, inputs.backbones.mit
    steps, batch = whole(run.steps), whole(run.batch_size)
    tags = [len(image.tags) for image in images]
    used = len({index for image in images for index in image.tags})
    scores = "none: no masks"
    if inputs.masked:
        scores = f"on {len(inputs.masked)} images with masks, in {precisions['eval']}"
    side = f"a long side of {config.eval.side}" if config.eval.side else "their own size"
    rows = {
        "images": f"{len(images)}, of {used} classes; {min(tags)} to {max(tags)} tags each, "
        f"{mean(tags):.1f} on average",
        **({} if inputs.corrected is None else {"corrected": inputs.corrected.line}),
        "training": f"{steps} steps of {batch} images = {steps * batch / len(images):.1f} epochs",
        "pixels": f"crops of {whole(config.data.crop_size)}; tested at {side}",
        "machine": machine(accelerator) + (", CUDA graphs" if run.cuda_graphs else ""),
        **{CALLED[name]: frozen(each) for name, each in inputs.backbones.items()},
        **({} if mit is None else {"MiT": f"{mit.name}, which training starts from"}),
        "trained": f"{millions(parameters(method.trained))} ({config.method.name})",
        "scores": scores,
    }
    for name, text in rows.items():
        line = f"{name:9} {text}"
        console.print(line[:WIDTH], markup=False, highlight=False, soft_wrap=True)


def frozen(backbone: Clip | Dino) -> str:
    """Name and size of a frozen backbone."""
    encoders = [backbone.image, backbone.text] if isinstance(backbone, Clip) else [backbone.image]
    return f"{backbone.name}, {millions(sum(map(parameters, encoders)))}, frozen"


def machine(accelerator: Accelerator) -> str:
    """Device, precision and processes of a run."""
    device = accelerator.device.type
    named = torch.cuda.get_device_name() if device == "cuda" else device
    mixed = accelerator.mixed_precision
    precision = "float32" if mixed == "no" else mixed
    return f"{named}, {precision}, processes: {accelerator.num_processes}"


def parameters(module: Module) -> int:
    """Number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def millions(count: int) -> str:
    """A number of parameters in words.

    >>> millions(3_300_000), millions(149_000_000)
    ('3.3 million parameters', '149 million parameters')
    """
    value = count / 1e6
    return f"{value:.{0 if value >= 100 else 1}f} million parameters"


class StepView:
    """What is shown of the steps of a run.

    Args:
        console: Where.
        steps: Training steps in all.
        on_cpu: Whether the steps are computed on a CPU, which gets a hint where it takes long.
    """

    def __init__(self, console: Console, steps: int, *, on_cpu: bool) -> None:
        self.console, self.steps, self.on_cpu = console, steps, on_cpu
        self.live = has_bar(console)
        self.progress = progress_bar(console)
        self.progress.disable = not self.live
        self.task = self.progress.add_task("training", total=steps, status="")
        self.start, self.shown = 0, 0.0
        self.begun: float | None = None  # when the first step had ended

    def __enter__(self) -> "StepView":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def begin(self, step: int) -> None:
        """The run goes on after a number of steps."""
        self.start = step
        self.progress.update(self.task, completed=step)

    def advance(self, step: int, loss: float) -> None:
        """A step has ended: their number, and its loss."""
        now = time.monotonic()
        if self.begun is None:
            self.begun = now
        done = step - self.start - 1  # since the first one
        if done == TIMED_STEPS:
            for line in forecast((now - self.begun) / done, self.steps - step, self.on_cpu):
                self.say(line)
        self.progress.update(self.task, completed=step, status=f"loss {loss:.3f}")
        last = step == self.steps
        if not self.live and (last or done == 0 or now - self.shown >= LINES_EVERY):
            left = (now - self.begun) / done * (self.steps - step) if done else None
            ending = "" if left is None or last else f"  {spoken(left)} left"
            self.say(f"step {step}/{self.steps}  loss {loss:.3f}{ending}")
            self.shown = now

    def scored(self, step: int, scores: Mapping[str, float], *, best: bool) -> None:
        """The model was scored."""
        self.say(f"step {step}: {in_percent(scores)}{'  <- best' if best else ''}")

    def warn(self, message: str) -> None:
        """Something that the user should know."""
        warn(self.console, message)

    def say(self, line: str) -> None:
        """Print a line, over the bar if there is one."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def has_bar(console: Console) -> bool:
    """Whether a bar can move there: on a terminal, or in a notebook that has ipywidgets."""
    if console.is_jupyter:
        return find_spec("ipywidgets") is not None
    return console.is_terminal


def forecast(seconds: float, left: int, on_cpu: bool) -> list[str]:
    """What the rest will take, in lines.

    Args:
        seconds: Of a step.
        left: Steps that are left.
        on_cpu: Whether a GPU would be quicker.

    Returns:
        Time and memory, and where it takes long on a CPU, what is quicker.
    """
    held = used_memory(on_cpu)
    memory = "" if held is None else f"; {held / 1e9:.1f} GB of memory"
    needed = f"{seconds:.2g} s a step: about {spoken(seconds * left)} for the {left} steps left"
    hint = QUICKER if on_cpu and seconds * left > LONG else ()
    return [needed + memory, *hint]


def used_memory(on_cpu: bool) -> int | None:
    """Most bytes held so far, of the GPU where it computes there; None if the system hides it."""
    if on_cpu:
        return most_memory()
    apple = torch.backends.mps.is_available()
    return int((torch.mps.driver_allocated_memory if apple else torch.cuda.max_memory_allocated)())


def spoken(seconds: float) -> str:
    """A time in words.

    >>> spoken(40), spoken(600), spoken(4000), spoken(58 * 3600)
    ('40 s', '10 min', '1 h 7 min', '58 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" if hours >= 10 or not minutes else f"{hours} h {minutes} min"


def in_percent(scores: Mapping[str, float]) -> str:
    """Scores in one line.

    >>> in_percent({"miou": 0.523, "pixel_accuracy": 0.8})
    'mIoU 52.3 %, pixel accuracy 80.0 %'
    """
    return ", ".join(
        f"{METRICS.get(name, name)} {100 * value:.1f} %" for name, value in scores.items()
    )


def show_result(result: TrainResult, console: Console) -> None:
    """Say how the run ended, where things are, and what comes next, ready to copy."""

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    rows = read_log(result.out / LOG_NAME)
    scored = [row for row in rows if is_evaluation(row)]
    losses = [row["loss"] for row in rows if "loss" in row]
    for row in scored[-1:]:
        last = scores_of(row)
        say(f"last      step {int(row['step'])}: {in_percent(last)}")
        if result.scores is not None and result.scores != last:
            say(f"best      {in_percent(result.scores)}  <- the model")
    if not scored and losses:
        part = max(1, len(losses) // 10)
        first, last_ones = mean(losses[:part]), mean(losses[-part:])
        say(f"loss      {first:.3f} at first, {last_ones:.3f} at last; no masks to score on")
    say(f"model: {result.model}")
    if result.report is not None:
        say(f"report: {result.report}")
    say("next:")
    for command in next_commands(result):
        say(f"  {command}")


def next_commands(result: TrainResult) -> list[str]:
    """Commands for the shell that use the model."""
    out, images = str(result.out).rstrip(os.sep), str(result.images)
    files = [] if result.regions is None else [f"regions.files={result.regions}"]
    commands = [["predict", images, "--model", out, "--out", f"{out}-predictions", *files]]
    if result.scores is not None:
        commands.append(["evaluate", "--model", out, "--out", f"{out}-scores", *files])
    return [shlex.join(["weclip", *command]) for command in commands]
