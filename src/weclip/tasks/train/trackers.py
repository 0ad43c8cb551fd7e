"""Trackers of experiments, through `accelerate`: TensorBoard, Weights & Biases, MLflow.

`log.jsonl` is always written and is what the program itself reads; a tracker shows the same numbers
elsewhere. A resumed run goes on in the same run of its tracker.
"""

import secrets
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray

from weclip.config import Config
from weclip.config_file import flatten, to_yaml
from weclip.system.errors import InputError
from weclip.system.files import write_json
from weclip.system.untrusted.documents import parse_json
from weclip.system.untrusted.files import read_text
from weclip.system.untrusted.text import one_line

PROJECT = "weclip"
TRACKER_NAME = "tracker.json"
"""File of a run folder: which run of the tracker it is."""


def require_tracker(name: str | None) -> None:
    """InputError unless the package of a tracker is installed."""
    if name is None or find_spec(name) is not None:
        return
    command = "'weclip[tracking]'" if name == "tensorboard" else name
    raise InputError(
        f"train.tracker={name}: the package {name} is not installed; pip install {command}, or "
        "leave train.tracker out (log.jsonl is always written)"
    )


def open_tracker(
    config: Config,
    accelerator: Accelerator,
    out: Path,
    *,
    first_step: int,
    warn: Callable[[str], None],
) -> "Tracker | None":
    """The tracker of a configuration; None without, and in all processes but the first."""
    name = config.train.tracker
    if name is None or not accelerator.is_main_process:
        return None
    settings = flatten(to_yaml(config))
    return Tracker(accelerator, name, out, settings=settings, first_step=first_step, warn=warn)


class Tracker:
    """One run of a tracker, which never ends the training: where it fails, it is left.

    Args:
        accelerator: Made with the tracker's name.
        name: tensorboard, wandb or mlflow.
        out: Run folder.
        settings: Configuration, flat; kept with a new run.
        first_step: Steps that are done.
        warn: Tells that the tracker failed.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        name: str,
        out: Path,
        *,
        settings: Mapping[str, object],
        first_step: int,
        warn: Callable[[str], None],
    ) -> None:
        self.accelerator, self.name, self.warn = accelerator, name, warn
        run = stored_run(out, name)
        options, project = _options(name, out, run, first_step)
        keeps = run is None and name != "tensorboard"  # whose table of settings is a run of its own
        texts = {key: str(value) for key, value in settings.items()} if keeps else None
        try:
            accelerator.init_trackers(project, config=texts, init_kwargs={name: options})
        except Exception as error:  # no server, no account, a store that it cannot read
            raise InputError(
                f"train.tracker={name} cannot be opened ({one_line(error, 160)}); set {name} up as "
                "its documentation says, or leave train.tracker out"
            ) from None
        self.tracker: Any = accelerator.get_tracker(name)
        if name == "mlflow":
            run = self.tracker.tracker.info.run_id
        write_json(out / TRACKER_NAME, {"tracker": name, "run": options.get("id", run)})
        self.lost = False

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Show numbers of a step."""
        self._try(lambda: self.tracker.log(dict(values), step=step))

    def picture(self, step: int, name: str, image: NDArray[np.uint8], file: Path) -> None:
        """Show an (H, W, 3) uint8 picture, which also is in a file."""
        if self.name == "mlflow":
            self._try(lambda: self.tracker.log_artifact(str(file), artifact_path="pictures"))
        elif self.name == "tensorboard":
            self._try(
                lambda: self.tracker.log_images({name: image[None]}, step=step, dataformats="NHWC")
            )
        else:
            self._try(lambda: self.tracker.log_images({name: [image]}, step=step))

    def close(self) -> None:
        """End the tracker's run."""
        self._try(self.tracker.finish)

    def _try(self, call: Callable[[], object]) -> None:
        if self.lost:
            return
        try:
            call()
        except Exception as error:  # a server, a disk, a quota: whatever the tracker meets
            self.lost = True
            reason = one_line(error, 160)
            self.warn(f"{self.name} failed and is left ({reason}); log.jsonl has all numbers")


def stored_run(out: Path, name: str) -> str | None:
    """The tracker's run that a run folder belongs to; None if it has none there yet."""
    path = out / TRACKER_NAME
    try:
        content = parse_json(read_text(path, "run of a tracker"), str(path))
    except InputError:
        return None
    if not isinstance(content, dict) or content.get("tracker") != name:
        return None
    run = content.get("run")
    return run if isinstance(run, str) else None


def _options(name: str, out: Path, run: str | None, first_step: int) -> tuple[dict[str, Any], str]:
    """What `accelerate` hands on to the tracker, and the name of the project."""
    if name == "tensorboard":
        return {"purge_step": first_step + 1}, "tensorboard"  # its folder in the run folder
    if name == "wandb":
        own = {"id": run or secrets.token_hex(8), "resume": "allow", "name": out.name}
        return own | {"dir": str(out)}, PROJECT
    return ({"run_name": out.name} if run is None else {"run_id": run}), PROJECT
