"""Configurations as text: presets, YAML files, `key=value` overrides, and back.

A configuration is a preset (differences only), plus overrides. It is resolved once, and saved in
the run folder and in every model file.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict
from functools import cache
from importlib import resources
from pathlib import Path, PureWindowsPath
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from weclip import parts
from weclip.config import Config
from weclip.config_changes import Change, apply_change, apply_overrides
from weclip.config_rules import validate
from weclip.config_schema import PART_SECTIONS, schema
from weclip.plugins import Plugin, PluginFiles, load_plugins, require_plugins
from weclip.system.errors import InputError, did_you_mean
from weclip.system.files import at_home
from weclip.system.untrusted.documents import parse_yaml
from weclip.system.untrusted.files import read_text

PATHS = (
    ("data", "root"),
    ("data", "classes"),
    ("data", "tags_file"),
    ("data", "corrected"),
    ("data", "decoded_cache"),
    ("clip", "weights"),
    ("clip", "descriptions"),
    ("dino", "weights"),
    ("mit", "weights"),
    ("label", "model"),
    ("label", "memory"),
    ("tags", "memory"),
    ("regions", "files"),
)
"""Keys of files and folders, which may begin with `~`."""

PART_PATHS = (("regions", "sam2", "weights"), ("method", "retrieval", "masks"))
"""The same in sections of parts, which read `~` themselves."""

_defaults = cache(OmegaConf.structured)  # of a kind; not to be changed: a copy is quicker to make

ENCODERS = ("clip", "dino", "mit")
"""Sections of weights, which may be given by name."""

WHEN = "when "
"""Begins a section of a method's preset that counts only where all its `key=value` are so."""


def presets() -> list[str]:
    """Names of the shipped presets."""
    return _yaml_names(".")


def _yaml_names(folder: str) -> list[str]:
    files = resources.files("weclip.presets").joinpath(folder).iterdir()
    return sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith("yaml"))


def _shipped(name: str) -> str:
    """The text of a preset."""
    return resources.files("weclip.presets").joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def label_methods() -> list[str]:
    """Names of the methods without training: shipped differences to any preset."""
    return _yaml_names("methods")


def load_config(
    name_or_path: str,
    overrides: Sequence[Change] = (),
    *,
    method: str | None = None,
    unused: Collection[str] = (),
    plugins: PluginFiles = (),
) -> Config:
    """Read a preset or a YAML file, and apply changes.

    Args:
        name_or_path: Preset or file.
        overrides: Changes, applied in turn.
        method: One of `label_methods`, applied before them.
        unused: What the caller does not read: dotted keys of texts, which may lack a value, and
            sections, whose keys are not looked at. Without `PART_SECTIONS` PyTorch is not needed.
        plugins: Python files with parts of the user's own.

    Raises:
        InputError: Unknown preset, method, file or key, or a value of the wrong type or range; or a
            plugin that does not run or that the file was not made with.
    """
    origin, text = _read(name_or_path)
    loaded = load_plugins(plugins)
    kind = Config if set(PART_SECTIONS) <= set(unused) else schema(loaded)
    config = _from_text(text, origin, kind, unused)
    if method is not None:
        _apply_method(config, method, overrides, kind)
    return _resolve(config, overrides, origin, kind, unused)


def _apply_method(
    config: DictConfig, method: str, overrides: Sequence[Change], kind: type[Config]
) -> None:
    """Apply a method's differences, and those that it has only under conditions."""
    if method not in label_methods():
        known = label_methods()
        hint = did_you_mean(method, known) or f"known: {', '.join(known)}"
        raise InputError(f"--method {method}: there is none of this name; {hint}")
    document = parse_yaml(_shipped(f"methods/{method}"), f"method {method}")
    always = {key: value for key, value in document.items() if not key.startswith(WHEN)}
    apply_change(config, always, f"method {method}", kind)
    final = config.copy()
    apply_overrides(final, overrides, kind)
    for key in (key for key in document if key not in always):  # in the order of the file
        if all(_is(final, condition) for condition in key.removeprefix(WHEN).split()):
            apply_change(config, document[key], f"method {method}", kind)


def _is(config: DictConfig, condition: str) -> bool:
    """Whether a configuration has what `key=value` says."""
    key, _, value = condition.partition("=")
    return str(OmegaConf.select(config, key)).lower() == value


def override(config: Config, overrides: Sequence[Change]) -> Config:
    """A copy with `section.key=value` overrides applied; errors as in `load_config`."""
    return _resolve(OmegaConf.structured(config), overrides, "configuration", type(config))


def _resolve(
    config: DictConfig,
    overrides: Sequence[Change],
    origin: str,
    kind: type[Config],
    unused: Collection[str] = (),
) -> Config:
    apply_overrides(config, overrides, kind, unused)
    unread = {*unused, *_unread(config, kind)}
    missing = sorted(str(key) for key in OmegaConf.missing_keys(config) if key not in unread)
    if missing:
        raise InputError(
            f"{origin}: no value for {', '.join(missing)}; add {missing[0]}=... to the command"
        )
    for key in OmegaConf.missing_keys(config):
        OmegaConf.update(config, key, "")
    resolved = cast(Config, OmegaConf.to_object(config))
    for section, key in PATHS:
        value = getattr(getattr(resolved, section), key)
        setattr(getattr(resolved, section), key, value and at_home(value))
    resolved.plugins = {plugin.name: plugin.sha256 for plugin in kind.PLUGINS}
    validate(resolved)
    return resolved


def _unread(config: DictConfig, kind: type[Config]) -> tuple[str, ...]:
    """Keys that may lack a value, since the method has no such backbone."""
    method = kind.KNOWN.get((parts.METHOD.name, config.method.name))
    reads_clip = method is None or "clip" in parts.needs_of(method)
    return () if reads_clip else ("clip.weights",)


def to_yaml(config: Config) -> str:
    """The whole configuration as YAML that `load_config` reads back to an equal one."""
    return str(OmegaConf.to_yaml(asdict(config)))


def flatten(config_yaml: str) -> dict[str, object]:
    """Dotted key -> value of a configuration's YAML."""
    found: dict[str, object] = {}

    def visit(prefix: str, value: object) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                visit(f"{prefix}{key}.", inner)
        else:
            found[prefix.rstrip(".")] = value

    visit("", parse_yaml(config_yaml, "configuration"))
    return found


def with_whole_paths(config: Config) -> Config:
    """A copy for a model file, which finds its encoders from whatever folder it is used in.

    The data stay as they were given, since a project is moved together with them.
    """
    copy = deepcopy(config)
    for section, key in (path for path in PATHS if path[0] in ENCODERS):
        value = getattr(getattr(copy, section), key)
        if value and value != "demo" and Path(value).exists():
            setattr(getattr(copy, section), key, str(Path(value).absolute()))
    for place, key, value in _part_paths(copy):
        if Path(at_home(value)).exists():
            setattr(place, key, str(Path(at_home(value)).absolute()))
    return copy


def _part_paths(config: Config) -> Iterator[tuple[Any, str, str]]:
    """Section, key and value of each of `PART_PATHS` that is given."""
    for section, part, key in PART_PATHS:
        place = getattr(getattr(config, section), part, None)
        if value := getattr(place, key, None):
            yield place, key, value


def without_places(config: Config) -> Config:
    """A copy for others: files and folders only by their last names, caches not at all.

    Names that are no paths stay: weights by name, `OWNER/NAME@COMMIT` of the hub, class lists.
    """
    copy = deepcopy(config)
    for section, key in PATHS:
        value = getattr(getattr(copy, section), key)
        is_name = section in ENCODERS and key == "weights" and not is_whole_path(value)
        if value and not is_name:
            setattr(getattr(copy, section), key, last_name(value))
    for place, key, value in _part_paths(copy):
        setattr(place, key, last_name(value))
    copy.data.decoded_cache = copy.label.model = None
    return copy


def is_whole_path(text: str | None) -> bool:
    """Whether a text is a path from the root, of this system or another.

    >>> is_whole_path("/a/b.pt"), is_whole_path("C:\\\\a"), is_whole_path("ViT-B/16")
    (True, True, False)
    """
    return text is not None and (Path(text).is_absolute() or PureWindowsPath(text).is_absolute())


def last_name(path: str) -> str:
    """The last name of a path of any system.

    >>> last_name("a/b.pt"), last_name("C:\\\\a\\\\b.pt"), last_name("/")
    ('b.pt', 'b.pt', '.')
    """
    return PureWindowsPath(path).name or "."


def from_yaml(text: str, origin: str, plugins: Sequence[Plugin] = ()) -> Config:
    """A configuration from the YAML of `to_yaml`; `origin` names it in errors."""
    kind = schema(plugins)
    return _resolve(_from_text(text, origin, kind), (), origin, kind)


def config_without_parts(
    document: Mapping[str, object], overrides: Sequence[Change], origin: str
) -> Config:
    """A configuration of what needs no parts, data or backbones, such as `eval`; without PyTorch.

    Args:
        document: Sections, each with keys that differ from the defaults.
        overrides: As in `load_config`.
        origin: Names the document in errors.
    """
    unused = (*PART_SECTIONS, "data.root", "clip.weights")
    config: DictConfig = deepcopy(_defaults(cast(Any, Config)))
    apply_change(config, document, origin, Config, unused)
    return _resolve(config, overrides, origin, Config, unused)


def _read(name_or_path: str) -> tuple[str, str]:
    """Where a configuration comes from, for errors, and its text."""
    if name_or_path in presets():
        return f"preset {name_or_path}", _shipped(name_or_path)
    path = Path(at_home(name_or_path))
    if not path.is_file():
        hint = did_you_mean(name_or_path, presets()) or "give the path of a YAML file"
        raise InputError(
            f"--config {name_or_path}: neither a file nor a preset ({', '.join(presets())}); {hint}"
        )
    return str(path), read_text(path, "configuration")


def _from_text(
    text: str, origin: str, kind: type[Config], unused: Collection[str] = ()
) -> DictConfig:
    """The defaults with the differences that a YAML document gives."""
    document = parse_yaml(text, origin)
    if not isinstance(document, dict | None):
        raise InputError(f"{origin}: must hold sections with keys, as in 'data: {{root: ...}}'")
    document = document or {}
    made_with = document.pop("plugins", None)
    if kind is not Config:
        require_plugins(made_with, kind.PLUGINS, origin)
    config: DictConfig = deepcopy(_defaults(cast(Any, kind)))
    apply_change(config, document, origin, kind, unused)
    return config
