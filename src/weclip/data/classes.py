"""Class lists: names, prompts, colours and background words, as data.

Stage 1. A list is a YAML file; `voc`, `coco` and `demo` ship with the package. Facts from the
released WeCLIP and CLIP-ES prompt lists. The format:

    classes:
      - name: bird
        prompt: bird avian        # optional, the name by default, `_` read as a space
      - name: boat
        prompts: [boat, ship]     # or several, whose features are averaged
        colour: [0, 64, 255]      # optional, or '#0040FF'; the PASCAL colour of the id by default
      - dog                       # the same as name: dog
    background_words: [ground, sky]   # optional, those of voc by default
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from weclip.data.images.file_names import require_usable
from weclip.data.masks.colours import (
    BACKGROUND_COLOUR,
    RGB,
    VOC_COLOURS,
    VOID_COLOUR,
    colour_text,
    parse_colour,
    voc_colours,
)
from weclip.system.errors import InputError, did_you_mean
from weclip.system.untrusted.documents import read_yaml
from weclip.system.untrusted.files import is_file
from weclip.system.untrusted.text import is_usable, short

SHIPPED = ("voc", "voc-corrclip", "coco", "demo")
CLASSES_FILE = "classes.yaml"
MAX_CLASSES = 254  # ids 1..254: 0 is the background and 255 is ignored
MAX_LETTERS = 1000
"""Of a name, a prompt or a background word; CLIP reads 77 tokens."""
MAX_ITEMS = 1000
"""Of a list in a class list: classes, prompts of one, background words; CLIP reads them all."""

_FILE_KEYS = ("classes", "background_words")
_ENTRY_KEYS = ("name", "prompt", "prompts", "faithful_prompt", "colour")


@dataclass(frozen=True)
class ClassList:
    """The foreground classes of a data set, in the order of their ids 1..C-1.

    Attributes:
        names: C-1 class names.
        prompts: C-1 tuples of texts, each at least one, that stand for the classes in the prompt
            template; their features are averaged.
        background_words: Texts that compete with the tags inside the CAM softmax.
        colours: C-1 colours in masks and pictures; those of PASCAL if left out.

    Raises:
        ValueError: Not as many prompts or colours as names.
    """

    names: tuple[str, ...]
    prompts: tuple[tuple[str, ...], ...]
    background_words: tuple[str, ...]
    colours: tuple[RGB, ...] = ()

    def __post_init__(self) -> None:
        if not self.colours:
            object.__setattr__(self, "colours", voc_colours(len(self.names)))
        if not len(self.names) == len(self.prompts) == len(self.colours):
            raise ValueError(
                f"{len(self.names)} names, {len(self.prompts)} prompts and {len(self.colours)} "
                "colours; there must be as many of each"
            )

    @classmethod
    def from_file(cls, path: str | Path, *, faithful: bool = False) -> "ClassList":
        """Read a class list from a YAML file (format: see the module).

        Args:
            path: The YAML file.
            faithful: Take an entry's `faithful_prompt`, the released code's misspelling, where
                it has one.

        Raises:
            InputError: The file is missing or malformed; the message names it.
        """
        path = Path(path)
        return parse_classes(read_yaml(path, "class list"), str(path), faithful=faithful)

    @property
    def num_classes(self) -> int:
        """C: the number of classes with background."""
        return len(self.names) + 1

    @property
    def names_with_background(self) -> tuple[str, ...]:
        """C names; index equals class id."""
        return ("background", *self.names)

    @property
    def palette(self) -> npt.NDArray[np.uint8]:
        """(256, 3) colours by class id; 0 is black, ids from C on are as in PASCAL."""
        palette = VOC_COLOURS.copy()
        palette[1 : self.num_classes] = self.colours
        return palette

    @property
    def colours_by_name(self) -> dict[str, RGB]:
        """C names with their colours, background first."""
        colours = (BACKGROUND_COLOUR, *self.colours)
        return dict(zip(self.names_with_background, colours, strict=True))

    def index(self, name: str) -> int:
        """0-based class index (class id minus 1) of `name`; KeyError if there is none."""
        try:
            return self.names.index(name)
        except ValueError:
            raise KeyError(name) from None

    def index_of_tag(self, name: str, where: str) -> int:
        """`index` for a tag that a file gives; InputError starts with `where` if it is unknown."""
        try:
            return self.index(name)
        except KeyError:
            hint = did_you_mean(name, self.names)
            allowed = hint or f"known classes: {', '.join(self.names)}"
            raise InputError(f"{where}: unknown class {short(name)}; {allowed}") from None


def load_classes(name_or_path: str | Path, *, faithful: bool = False) -> ClassList:
    """Load a shipped class list by its name (`voc`, `coco`, `demo`), or a YAML file by its path.

    Args:
        name_or_path: A shipped name, or the path of a file as `ClassList.from_file` reads it.
        faithful: Keep the released code's misspelt prompts.

    Raises:
        InputError: Neither a shipped name nor a readable class list.

    >>> load_classes("voc").names[:3]
    ('aeroplane', 'bicycle', 'bird')
    """
    if str(name_or_path) in SHIPPED:
        with resources.as_file(
            resources.files(__package__) / f"class_lists/{name_or_path}.yaml"
        ) as path:
            return ClassList.from_file(path, faithful=faithful)
    require_usable(name_or_path)
    if not is_file(Path(name_or_path)):
        hint = did_you_mean(str(name_or_path), SHIPPED)
        raise InputError(
            f"class list '{name_or_path}' is neither a file nor one of {', '.join(SHIPPED)}"
            + (f"; {hint}" if hint else "; give the path of a YAML file")
        )
    return ClassList.from_file(name_or_path, faithful=faithful)


def parse_classes(document: Any, where: str, *, faithful: bool = False) -> ClassList:
    """Make a class list from a parsed document, such as YAML gives (format: see the module).

    Args:
        document: Mapping with the keys `classes` and `background_words`.
        where: What error messages start with: the file, and the place in it.
        faithful: As in `ClassList.from_file`.

    Raises:
        InputError: The document is malformed, or two classes share a name, prompt or colour.
    """
    if not isinstance(document, dict):
        raise InputError(f"{where}: expected the keys {' and '.join(_FILE_KEYS)}")
    check_keys(document, _FILE_KEYS, where)
    items = _filled_list(document, "classes", where)
    entries = [_entry(item, f"{where}: class {i}", faithful) for i, item in enumerate(items, 1)]
    names = tuple(entry.name for entry in entries)
    prompts = tuple(entry.prompts for entry in entries)
    _check_unique(names, f"{where}: class name")
    texts = tuple(text for each in prompts for text in each)
    _check_unique(texts, f"{where}: prompt")
    if len(names) > MAX_CLASSES:
        raise InputError(f"{where}: {len(names)} classes; at most {MAX_CLASSES} fit a uint8 mask")
    defaults = voc_colours(len(names))
    colours = tuple(e.colour or default for e, default in zip(entries, defaults, strict=True))
    _check_colours(names, colours, where)
    return ClassList(names, prompts, _background_words(document, texts, where), colours)


def _background_words(
    document: dict[str, Any], prompts: tuple[str, ...], where: str
) -> tuple[str, ...]:
    """The words given, or else those of the list `voc` that no prompt holds."""
    if "background_words" not in document:
        used = {word for prompt in prompts for word in re.split(r"\W+", prompt.lower())}
        return tuple(word for word in load_classes("voc").background_words if word not in used)
    listed = _filled_list(document, "background_words", where)
    words = tuple(_text(word, f"{where}: background word {i}") for i, word in enumerate(listed, 1))
    _check_unique(words, f"{where}: background word")
    return words


@dataclass(frozen=True)
class _Entry:
    """One item of `classes`, checked by itself; `colour` is None where it is not given."""

    name: str
    prompts: tuple[str, ...]
    colour: RGB | None = None


def _entry(item: Any, where: str, faithful: bool) -> _Entry:
    if isinstance(item, str):
        item = {"name": item}
    if not isinstance(item, dict) or "name" not in item:
        raise InputError(f"{where}: expected a name, or 'name: ...' with prompts and colour")
    check_keys(item, _ENTRY_KEYS, where)
    name = _text(item["name"], f"{where}: name")
    if name == "background":
        raise InputError(f"{where}: the name 'background' is taken by id 0; leave it out")
    if ";" in name:
        raise InputError(f"{where}: '{name}' contains ';', which separates tags in tags files")
    prompts = _prompts(item, name, where)
    if "faithful_prompt" in item:
        text = _text(item["faithful_prompt"], f"{where}: faithful_prompt")
        prompts = (text,) if faithful else prompts
    colour = parse_colour(item["colour"], f"{where}: colour") if "colour" in item else None
    return _Entry(name, prompts, colour)


def _prompts(item: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    """The texts of a class: `prompts`, or the one of `prompt`, or its name."""
    if "prompts" not in item:
        return (_text(item.get("prompt", name.replace("_", " ")), f"{where}: prompt"),)
    if "prompt" in item:
        raise InputError(f"{where}: give either 'prompt' or 'prompts', not both")
    values = _filled_list(item, "prompts", where)
    prompts = tuple(_text(v, f"{where}: prompts: item {i}") for i, v in enumerate(values, 1))
    _check_unique(prompts, f"{where}: prompt")
    return prompts


def _check_colours(names: tuple[str, ...], colours: tuple[RGB, ...], where: str) -> None:
    """Two classes of one colour could not be told apart in a mask."""
    owners = {BACKGROUND_COLOUR: "the background", VOID_COLOUR: "ignored pixels (255)"}
    for name, colour in zip(names, colours, strict=True):
        if colour in owners:
            raise InputError(
                f"{where}: class '{name}' has the colour {list(colour)} ({colour_text(colour)}) "
                f"of {owners[colour]}; give another 'colour'"
            )
        owners[colour] = f"class '{name}'"


def _filled_list(document: dict[str, Any], key: str, where: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list) or not value:
        raise InputError(f"{where}: '{key}' must be a list with at least one item")
    if len(value) > MAX_ITEMS:
        raise InputError(f"{where}: '{key}' has {len(value)} items; at most {MAX_ITEMS} are read")
    return value


def check_keys(mapping: dict[Any, Any], known: Collection[str], where: str) -> None:
    """InputError, with the nearest known key, if a mapping from a file has another key."""
    for key in mapping:
        if key not in known:
            hint = did_you_mean(str(key)[:MAX_LETTERS], known)
            hint = hint or f"known keys: {', '.join(known)}"
            raise InputError(f"{where}: unknown key {short(str(key))}; {hint}")


def _check_unique(texts: tuple[str, ...], what: str) -> None:
    text, count = Counter(texts).most_common(1)[0]
    if count > 1:
        raise InputError(f"{what} '{text}' appears {count} times; each may appear once")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {short(value)} is not a text; write it in quotes")
    if not is_usable(value.strip()):
        raise InputError(f"{where}: {short(value)} holds control characters; leave them out")
    if len(value) > MAX_LETTERS:
        raise InputError(f"{where}: {short(value)} has over {MAX_LETTERS} characters; shorten it")
    return value.strip()
