"""Configurations as text: presets, YAML files, `key=value` overrides, and back.

A configuration is a preset (differences only), plus overrides. It is resolved once, and saved in
the run folder and in every model file.
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from weclip.config import Config, validate
from weclip.errors import InputError, did_you_mean


def presets() -> list[str]:
    """Names of the shipped presets."""
    folder = resources.files("weclip.presets")
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith("yaml"))


def load_config(name_or_path: str, overrides: Sequence[str] = ()) -> Config:
    """Read a preset or a YAML file, and apply `section.key=value` overrides.

    Raises:
        InputError: Unknown preset, file or key, or a value of the wrong type or range.
    """
    origin, text = _read(name_or_path)
    try:
        document = OmegaConf.create(text)
    except (yaml.YAMLError, OmegaConfBaseException) as error:
        raise InputError(f"{origin}: not valid YAML ({_one_line(error)})") from None
    if not isinstance(document, DictConfig):
        raise InputError(f"{origin}: must hold sections with keys, such as 'data: {{root: ...}}'")
    return _resolve(_merge(OmegaConf.structured(Config), document, origin), overrides, origin)


def override(config: Config, overrides: Sequence[str]) -> Config:
    """A copy with `section.key=value` overrides applied; errors as in `load_config`."""
    return _resolve(OmegaConf.structured(config), overrides, "configuration")


def _resolve(config: DictConfig, overrides: Sequence[str], origin: str) -> Config:
    for text in overrides:
        key, equals, _ = text.partition("=")
        if not equals or not key:
            raise InputError(f"'{text}' is not of the form section.key=value")
        try:
            change = OmegaConf.from_dotlist([text])
        except (yaml.YAMLError, OmegaConfBaseException) as error:
            raise InputError(f"'{text}': not a valid value ({_one_line(error)})") from None
        config = _merge(config, change, f"'{text}'")
    missing = sorted(str(key) for key in OmegaConf.missing_keys(config))
    if missing:
        raise InputError(
            f"{origin}: no value for {', '.join(missing)}; add {missing[0]}=... to the command"
        )
    resolved = cast(Config, OmegaConf.to_object(config))
    validate(resolved)
    return resolved


def to_yaml(config: Config) -> str:
    """The whole configuration as YAML that `load_config` reads back to an equal one."""
    return str(OmegaConf.to_yaml(OmegaConf.structured(config)))


def from_yaml(text: str, origin: str) -> Config:
    """A configuration from the YAML of `to_yaml`; `origin` names it in errors."""
    config = _merge(OmegaConf.structured(Config), OmegaConf.create(text), origin)
    return cast(Config, OmegaConf.to_object(config))


def _read(name_or_path: str) -> tuple[str, str]:
    """Where a configuration comes from, for errors, and its text."""
    if name_or_path in presets():
        file = resources.files("weclip.presets").joinpath(f"{name_or_path}.yaml")
        return f"preset {name_or_path}", file.read_text(encoding="utf-8")
    path = Path(name_or_path)
    if not path.is_file():
        hint = did_you_mean(name_or_path, presets())
        raise InputError(
            f"--config {name_or_path}: neither a file nor a preset ({', '.join(presets())}); {hint}"
        )
    try:
        return str(path), path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file; --config wants YAML") from None


def _merge(config: DictConfig, change: Any, origin: str) -> DictConfig:
    _check_keys(change, Config, origin, "")
    try:
        return cast(DictConfig, OmegaConf.merge(config, change))
    except OmegaConfBaseException as error:
        raise InputError(f"{origin}: {error.full_key}: {_one_line(error)}") from None


def _check_keys(change: Any, section: Any, origin: str, prefix: str) -> None:
    known = {f.name: f.type for f in fields(section)}
    if not isinstance(change, DictConfig):
        section_name = prefix.rstrip(".") or "the document"
        raise InputError(f"{origin}: {section_name} is a section; its keys are {', '.join(known)}")
    for key in map(str, change):
        if key not in known:
            where = f"under {prefix.rstrip('.')}" if prefix else "at the top"
            hint = did_you_mean(key, known)
            raise InputError(
                f"{origin}: unknown key {prefix}{key}; {hint} known {where}: {', '.join(known)}"
            )
        if is_dataclass(known[key]):
            _check_keys(change[key], known[key], origin, f"{prefix}{key}.")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).splitlines()[0].split())
