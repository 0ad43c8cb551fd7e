"""`weclip replay`: run the step again at which a training stopped, and look into it."""

from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from weclip.build.method import build_method, load_trained
from weclip.config_file import from_yaml, override
from weclip.data.batch import Batch
from weclip.methods.method import StepOutput
from weclip.plugins import PluginFiles, load_plugins
from weclip.system.console import QUIET, warn
from weclip.system.distributed import make_accelerator
from weclip.system.errors import InputError
from weclip.tasks.tag.auto_tags import AUTO_TAGS
from weclip.tasks.train.inputs import make_loader, read_inputs
from weclip.tasks.train.resume import digests
from weclip.tasks.train.run import precision, seed_everything
from weclip.training.replay import Replay, load_replay
from weclip.training.schedule import step_seed


def replay(
    path: Path,
    *,
    console: Console = QUIET,
    overrides: Sequence[str] = (),
    plugins: PluginFiles = (),
) -> int:
    """Run a failed step again and show losses, images and weights.

    Args:
        path: `replay.ckpt` of a run that stopped at NaN.
        console: Where the tables are shown; by default nowhere.
        overrides: Changes of the run's configuration, such as `train.precision=float32`.
        plugins: Python files with parts of the user's own that the run was made with.

    Returns:
        0 if a loss is not finite again, 1 if all are.

    Raises:
        InputError: Not a replay file, or the data or the CLIP are not there or others.
    """
    state = load_replay(path)
    config = override(from_yaml(state.config, str(path), load_plugins(plugins)), overrides)
    inputs = read_inputs(config, console, path.parent / AUTO_TAGS)
    changed = [what for what, digest in digests(inputs).items() if state.inputs.get(what) != digest]
    for what in changed:
        warn(console, f"the {what} are not those of the run")
    seed_everything(config)
    method = build_method(config, inputs.backbones, inputs.classes)
    load_trained(method, state.trained, path)
    accelerator = make_accelerator(precision(config.train.precision))
    batch = next(make_loader(config, inputs).batches(start_step=state.step))
    require_same_images(batch, state, path)
    method.to(accelerator.device).train()
    torch.manual_seed(step_seed(config.train.seed, state.step))
    with accelerator.autocast():
        output = method.training_step(batch.to(accelerator.device), state.step)
    show(state, batch, output, console)
    broken = [name for name, value in output.terms.items() if not value.isfinite()]
    verdict = f"{', '.join(broken)} not finite again" if broken else "all losses are finite here"
    console.print(f"step {state.step}: {verdict}")
    return 0 if broken else 1


def require_same_images(batch: Batch, state: Replay, path: Path) -> None:
    """InputError unless the step's batch holds the images that it held in the run."""
    if list(batch.names) != state.names:
        raise InputError(
            f"{path}: step {state.step} had the images {', '.join(state.names)}, now "
            f"{', '.join(batch.names)}; the data or train.batch_size have changed since"
        )


def show(state: Replay, batch: Batch, output: StepOutput, console: Console) -> None:
    """Tables of the losses, the images and the weights that are out of the ordinary."""
    losses = Table(title="losses")
    for name in output.terms:
        losses.add_column(name)
    losses.add_row(*(f"{value.item():.6g}" for value in output.terms.values()))
    images = Table(title="images")
    for name in ("image", "tags", "largest CAM", "largest logit", "labelled pixels"):
        images.add_column(name)
    for row, name in enumerate(batch.names):
        labelled = (output.target[row] != 255).float().mean().item()
        cam, logits = output.cam[row], output.logits[row]
        tags = str(int(batch.tags[row].sum()))
        images.add_row(name, tags, largest(cam), largest(logits), f"{labelled:.0%}")
    weights = Table(title="largest trained weights")
    for name in ("tensor", "largest"):
        weights.add_column(name)
    order = sorted(state.trained, key=lambda name: -size_of(state.trained[name]))
    for name in order[:5]:
        weights.add_row(name, largest(state.trained[name]))
    for table in (losses, images, weights):
        console.print(table)


def largest(values: Tensor) -> str:
    """The largest magnitude, and how many values are not finite."""
    broken = int((~values.isfinite()).sum())
    size = f"{values.detach().float().nan_to_num(0, 0, 0).abs().amax().item():.4g}"
    return size + (f", {broken} not finite" if broken else "")


def size_of(values: Tensor) -> float:
    """The largest magnitude; infinite if a value is not finite."""
    return values.abs().amax().item() if bool(values.isfinite().all()) else float("inf")
