"""Parts: what can be chosen by name. One file each, declared by a decorator, listed nowhere.

A part is a frozen dataclass: its fields are its settings, each with its source, and calling it
computes. `weclip.config` makes a section of the configuration of every part; error messages,
`--help` and the table in `docs/extending.md` come from the same place. The shipped parts lie in the
rooms of `KINDS`; a person outside the package adds others with a plugin (`weclip.plugins`).
"""

import keyword
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from functools import cache
from importlib import import_module, resources
from typing import Any, TypeVar

from weclip.system.errors import InputError

Declared = TypeVar("Declared", bound=type)
Rule = tuple[Callable[[Any], bool], str]
"""Whether a value is allowed, and what is."""


@dataclass(frozen=True)
class Kind:
    """A kind of part.

    Attributes:
        name: What it is called in messages.
        key: The key of the configuration that chooses; its section holds the parts' settings.
        room: The package whose modules declare the shipped ones.
        several: Whether the key holds a list of names.
    """

    name: str
    key: str
    room: str
    several: bool = False

    @property
    def section(self) -> str:
        """The section of the configuration."""
        return self.key.partition(".")[0]

    def file_names(self) -> list[str]:
        """Names of the files of the room: its shipped parts, without importing them."""
        files = resources.files(self.room).iterdir()
        return sorted(f.name.removesuffix(".py") for f in files if is_module(f.name))


def is_module(file: str) -> bool:
    """Whether a file of a room is a module of its own."""
    return file.endswith(".py") and not file.startswith("_")


MAP_SOURCE = Kind("map source", "cam.source", "weclip.labels.maps")
AFFINITY = Kind("affinity", "affinity.source", "weclip.labels.affinity")
REGION_SOURCE = Kind("region source", "regions.source", "weclip.labels.regions.sources")
LOSS = Kind("loss", "loss.terms", "weclip.methods.losses", several=True)
METHOD = Kind("method", "method.name", "weclip.methods")
KINDS = (MAP_SOURCE, AFFINITY, REGION_SOURCE, LOSS, METHOD)

OF_CLIP = ("rgb", "tokens", "attention", "last_block", "patch_embedding", "embedding")
"""What every view (`labels/view.py`) has; `embedding` is that of `cam.embedding`."""

PROVIDED = ("guide", "regions", "branches", "class_logits")
"""What there is where the configuration provides it: a view's second encoder (`dino.weights`) and
regions, and the branches and tag scores of a method, which losses read."""

READABLE = OF_CLIP + PROVIDED

Parts = Mapping[tuple[str, str], type]
"""(kind's name, part's name) -> its class."""

_current: dict[tuple[str, str], type] = {}
"""Where decorators write: shipped parts, or those of the plugin that is being read."""


def map_source(name: str) -> Callable[[Declared], Declared]:
    """Declare where maps of tags come from: `(view, slots) -> (B, K, h, w)` in [0, 1]."""
    return _declare(MAP_SOURCE, name)


def affinity(name: str) -> Callable[[Declared], Declared]:
    """Declare what spreads maps: `(cam, view, feature_affinity) -> Refined`."""
    return _declare(AFFINITY, name)


def region_source(name: str) -> Callable[[Declared], Declared]:
    """Declare what cuts an image into regions: `(image, guide) -> Regions`."""
    return _declare(REGION_SOURCE, name)


def loss(name: str) -> Callable[[Declared], Declared]:
    """Declare a term of the loss: `(given: LossInputs, total) -> scalar`; it has a `weight`."""
    return _declare(LOSS, name)


def method(name: str) -> Callable[[Declared], Declared]:
    """Declare a method: `(ingredients) -> Method`."""
    return _declare(METHOD, name)


def setting(
    default: Any,
    *,
    source: str,
    above: float | None = None,
    least: float | None = None,
    most: float | None = None,
    many: int | None = None,
    among: tuple[str, ...] | None = None,
) -> Any:
    """A field of a part: its default, where that comes from, and the values that are allowed.

    Args:
        default: Of a type that YAML has, or a tuple of such values.
        source: The paper or released code that fixed it; `ours`, with how it was chosen.
        above: Values are more than this.
        least: Values are at least this.
        most: Values are at most this.
        many: Of a tuple: how many values it has at most; at least one.
        among: Of a text: the only ones.
    """
    rule = _rule(above, least, most)
    if rule is not None and many is not None:
        rule = _of_all(*rule, many)
    if among is not None:
        rule = among.__contains__, " or ".join(among)
    return field(default=default, metadata={"source": source, "rule": rule})


def quirk(source: str) -> Any:
    """A field that is true where a mistake of released code is wanted.

    It is a key of the section `quirks` and follows `faithful` where it is null; parts that name the
    same quirk share it.
    """
    return field(default=False, metadata={"source": source, "quirk": True})


def is_quirk(each: "Field[Any]") -> bool:
    """Whether a field was made by `quirk`."""
    return bool(each.metadata.get("quirk"))


def settings_of(part: type) -> Iterator["Field[Any]"]:
    """The fields of a part that are keys of its own section: all but quirks."""
    return (each for each in fields(part) if not is_quirk(each))


def rules_of(part: type) -> Iterator[tuple[str, Rule]]:
    """Field and rule of every setting that has one."""
    for each in settings_of(part):
        if each.metadata.get("rule"):
            yield each.name, each.metadata["rule"]


def _rule(above: float | None, least: float | None, most: float | None) -> Rule | None:
    words = [
        text
        for text, given in ((f"more than {above}", above), (f"{least} or more", least))
        if given is not None
    ]
    if most is not None:
        words = [f"from {least} to {most}"] if least is not None else [*words, f"up to {most}"]
    if not words:
        return None

    def allowed(value: Any) -> bool:
        # `auto` or null, which only keys that may be it have
        return (value is None or isinstance(value, str)) or (
            (above is None or value > above)
            and (least is None or value >= least)
            and (most is None or value <= most)
        )

    return allowed, " and ".join(words)


def _of_all(allowed: Callable[[Any], bool], words: str, many: int) -> Rule:
    """The rule of a tuple, from that of its values."""
    return lambda values: 0 < len(values) <= many and all(map(allowed, values)), (
        f"up to {many} numbers, each {words}"
    )


def _declare(kind: Kind, name: str) -> Callable[[Declared], Declared]:
    def declared(part: Declared) -> Declared:
        _check(kind, name, part)
        if (kind.name, name) in _current:
            raise InputError(f"{kind.name} '{name}' is declared twice; give each a name of its own")
        _current[kind.name, name] = part
        return part

    return declared


def _check(kind: Kind, name: str, part: type) -> None:
    """InputError unless the class can be a part; its author reads this."""
    what = f"{kind.name} '{name}' ({part.__name__})"
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise InputError(f"{what}: its name must be a word of letters, digits and _")
    if not (is_dataclass(part) and part.__dataclass_params__.frozen):  # type: ignore[attr-defined]
        raise InputError(f"{what}: put @dataclass(frozen=True) under its decorator")
    if not any("__call__" in vars(each) for each in part.__mro__):
        raise InputError(f"{what}: it has no __call__, which computes")
    for each in fields(part):
        if each.default is MISSING:
            raise InputError(f"{what}: its setting '{each.name}' has no default; give it one")
    names = {each.name for each in fields(part)}
    if kind is LOSS and "weight" not in names:
        raise InputError(f"{what}: a loss has a setting 'weight', which it is multiplied by")
    if kind in (MAP_SOURCE, AFFINITY, REGION_SOURCE) and not isinstance(
        getattr(part, "reads", None), tuple
    ):
        raise InputError(
            f"{what}: say what it reads of the view: reads: ClassVar = ('attention',), or ()"
        )
    if "embedding" in getattr(part, "reads", ()) and "self_self_blocks" not in names:
        raise InputError(f"{what}: what reads 'embedding' has a setting 'self_self_blocks'")


def needs_of(method: type) -> tuple[str, ...]:
    """Names of the frozen backbones that a method needs; CLIP alone where it does not say."""
    needs: tuple[str, ...] = getattr(method, "needs", ("clip",))
    return needs


def start_of(method: type) -> str | None:
    """Name of the backbone whose weights a method starts from and trains; None: there is none."""
    start: str | None = getattr(method, "starts_from", None)
    return start


def fills(method: type) -> bool:
    """Whether the training of a method has no steps, but fills a bank."""
    return bool(getattr(method, "fills", False))


def require_readable(what: str, reads: Iterable[str], provided: Iterable[str] = ()) -> None:
    """InputError if a part reads what no view has, or none of this configuration.

    Args:
        what: The part, for the message.
        reads: What it says that it reads.
        provided: What there is of `PROVIDED`.
    """
    for name in reads:
        if name not in READABLE:
            raise InputError(
                f"{what} reads '{name}', which no view has; there are {', '.join(READABLE)}"
            )
        if name in PROVIDED and name not in provided:
            raise InputError(not_provided(what, name))


def not_provided(what: str, name: str) -> str:
    """What is said where a part reads what this configuration does not have."""
    return f"{what} reads '{name}', which this configuration does not provide; choose another part"


@cache
def shipped() -> Parts:
    """All parts of the package. Imports PyTorch."""
    found: dict[tuple[str, str], type] = {}
    for kind in KINDS:
        for name in kind.file_names():
            module = import_module(f"{kind.room}.{name}")
            found |= declared_in(module.__name__)
    return found


def declared_in(module: str) -> dict[tuple[str, str], type]:
    """Parts that a module which has been imported declares."""
    return {key: part for key, part in _current.items() if part.__module__ == module}


def forget(module: str) -> None:
    """Take what a plugin declared off the list; the plugin keeps it (`weclip.plugins`)."""
    for key in declared_in(module):
        del _current[key]
