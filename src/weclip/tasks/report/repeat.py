"""The command that makes the same again, for a shell."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from weclip.config_changes import Change
from weclip.config_file import flatten, load_config, presets, to_yaml
from weclip.plugins import Plugin, PluginFiles
from weclip.tasks.load.opening import ModelAt

_PLAIN = re.compile(r"[A-Za-z_./~][\w ./@+-]*")
_REQUIRED = ("data.root=data", "clip.weights=clip")  # some presets leave them to the user


def repeat_command(
    command: str,
    settings: Mapping[str, Any],
    out: Path | None,
    *,
    plugins: PluginFiles = (),
    options: Sequence[str] = (),
) -> str:
    """A command line whose configuration is this one, whatever it was made of.

    It is written as the nearest preset for data of this kind, and all that differs from it.

    Args:
        command: Such as `train`.
        settings: The resolved configuration, flat.
        out: The output folder; None: the command has none.
        plugins: Plugins that it was made with.
        options: Further options.

    Returns:
        The line, quoted for a POSIX shell.
    """
    bases = {name: _base(name, tuple(plugins)) for name in presets()}
    differences = {
        name: {
            key: value
            for key, value in settings.items()
            if not key.startswith("plugins") and (key not in base or base[key] != value)
        }
        for name, base in bases.items()
    }
    other = {name: "data.format" in changed for name, changed in differences.items()}
    nearest = min(sorted(bases), key=lambda name: (other[name], len(differences[name])))
    changes = [f"{key}={_written(value)}" for key, value in differences[nearest].items()]
    names = [name for key in settings if (name := _plugin(key)) is not None]
    for name in names:
        options = [*options, "--plugin", name]
    place = [] if out is None else ["--out", str(out)]
    return shlex.join(["weclip", command, "--config", nearest, *changes, *options, *place])


def predict_command(
    model_at: ModelAt, inputs: Sequence[str], out: Path, options: Sequence[str]
) -> str:
    """The command line of a prediction, quoted for a POSIX shell.

    Args:
        model_at: The model.
        inputs: As they were given.
        out: The output folder.
        options: Further options.
    """
    clip = [] if model_at.clip is None else ["--clip", str(model_at.clip)]
    names = [each.name if isinstance(each, Plugin) else str(each) for each in model_at.plugins]
    plugins = [text for name in names for text in ("--plugin", name)]
    where = ["--model", str(model_at.run_or_file), *clip, *plugins, "--out", str(out)]
    changes = [text for each in model_at.overrides for text in _change_texts(each)]
    return shlex.join(["weclip", "predict", *inputs, *changes, *where, *options])


def _change_texts(change: Change) -> list[str]:
    """A change as the command line writes it; a mapping of keys comes from Python."""
    if isinstance(change, str):
        return [change]
    return [f"{key}={json.dumps(value)}" for key, value in change.items()]


def suspects_command(settings: Mapping[str, Any], out: Path, plugins: PluginFiles) -> str:
    """The command that lists the tags that CLIP doubts, beside an output folder."""
    read = {key: value for key, value in settings.items() if key.startswith(("data.", "clip."))}
    options = ["--suspects", str(out.with_name(f"{out.name}-suspects.csv"))]
    return repeat_command("check", read, None, plugins=plugins, options=options)


@cache
def _base(name: str, plugins: PluginFiles) -> Mapping[str, Any]:
    """A preset, flat."""
    return flatten(to_yaml(load_config(name, _REQUIRED, plugins=plugins)))


def _plugin(key: str) -> str | None:
    """The file name of a plugin that a flat configuration names."""
    return key.removeprefix("plugins.") if key.startswith("plugins.") else None


def _written(value: Any) -> str:
    """A value as YAML in one line; texts that need no quotes have none."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in ("~", "null"):
        return value
    return json.dumps(value, ensure_ascii=False)
