"""Class lists: names, prompts and background words, as data.

Stage 1. A list is a YAML file; `voc`, `coco` and `demo` ship with the package. Facts from the
released WeCLIP and CLIP-ES prompt lists. The format:

    classes:
      - name: bird
        prompt: bird avian        # optional, the name by default
      - name: boat
    background_words: [ground, sky]
"""

from collections import Counter
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from weclip.errors import InputError, did_you_mean

SHIPPED = ("voc", "coco", "demo")
MAX_CLASSES = 254  # ids 1..254: 0 is the background and 255 is ignored
_FILE_KEYS = ("classes", "background_words")
_ENTRY_KEYS = ("name", "prompt", "faithful_prompt")


@dataclass(frozen=True)
class ClassList:
    """The foreground classes of a data set, in the order of their ids 1..C-1.

    Attributes:
        names: C-1 class names.
        prompts: C-1 texts that stand for the classes in the prompt template.
        background_words: Texts that compete with the tags inside the CAM softmax.
    """

    names: tuple[str, ...]
    prompts: tuple[str, ...]
    background_words: tuple[str, ...]

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
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{path}: class list not found") from None
        except UnicodeDecodeError:
            raise InputError(f"{path}: class list cannot be read; save it as UTF-8 text") from None
        except OSError as error:
            raise InputError(f"{path}: class list cannot be read ({error.strerror})") from None
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: class list is not valid YAML ({reason})") from None
        return _parse(document, path, faithful)

    @property
    def num_classes(self) -> int:
        """C: the number of classes with background."""
        return len(self.names) + 1

    @property
    def names_with_background(self) -> tuple[str, ...]:
        """C names; index equals class id."""
        return ("background", *self.names)

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
            raise InputError(f"{where}: unknown class '{name}'; {allowed}") from None


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
        with resources.as_file(resources.files(__package__) / f"{name_or_path}.yaml") as path:
            return ClassList.from_file(path, faithful=faithful)
    if not Path(name_or_path).is_file():
        hint = did_you_mean(str(name_or_path), SHIPPED)
        raise InputError(
            f"class list '{name_or_path}' is neither a file nor one of {', '.join(SHIPPED)}"
            + (f"; {hint}" if hint else "; give the path of a YAML file")
        )
    return ClassList.from_file(name_or_path, faithful=faithful)


def _parse(document: Any, path: Path, faithful: bool) -> ClassList:
    """Check the parsed YAML `document` of the file `path` and build the list."""
    if not isinstance(document, dict):
        raise InputError(f"{path}: expected the keys {' and '.join(_FILE_KEYS)}")
    _check_keys(document, _FILE_KEYS, str(path))
    entries = _filled_list(document, "classes", path)
    words = _filled_list(document, "background_words", path)
    pairs = [_entry(entry, f"{path}: class {i}", faithful) for i, entry in enumerate(entries, 1)]
    names, prompts = zip(*pairs, strict=True)
    background_words = tuple(
        _text(word, f"{path}: background word {i}") for i, word in enumerate(words, 1)
    )
    _check_unique(names, f"{path}: class name")
    _check_unique(prompts, f"{path}: prompt")
    _check_unique(background_words, f"{path}: background word")
    if len(names) > MAX_CLASSES:
        raise InputError(f"{path}: {len(names)} classes; at most {MAX_CLASSES} fit a uint8 mask")
    return ClassList(names, prompts, background_words)


def _entry(entry: Any, where: str, faithful: bool) -> tuple[str, str]:
    """Return name and prompt of one item of `classes`."""
    if not isinstance(entry, dict) or "name" not in entry:
        raise InputError(f"{where}: expected 'name: ...' and optionally 'prompt: ...'")
    _check_keys(entry, _ENTRY_KEYS, where)
    texts = {key: _text(value, f"{where}: {key}") for key, value in entry.items()}
    name = texts["name"]
    if name == "background":
        raise InputError(f"{where}: the name 'background' is taken by id 0; leave it out")
    if ";" in name:
        raise InputError(f"{where}: '{name}' contains ';', which separates tags in tags files")
    prompt = texts.get("prompt", name)
    return name, texts.get("faithful_prompt", prompt) if faithful else prompt


def _filled_list(document: dict[str, Any], key: str, path: Path) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list) or not value:
        raise InputError(f"{path}: '{key}' must be a list with at least one item")
    return value


def _check_keys(mapping: dict[Any, Any], known: tuple[str, ...], where: str) -> None:
    for key in mapping:
        if key not in known:
            hint = did_you_mean(str(key), known) or f"known keys: {', '.join(known)}"
            raise InputError(f"{where}: unknown key '{key}'; {hint}")


def _check_unique(texts: tuple[str, ...], what: str) -> None:
    text, count = Counter(texts).most_common(1)[0]
    if count > 1:
        raise InputError(f"{what} '{text}' appears {count} times; each may appear once")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {value!r} is not a text; write it in quotes")
    return value.strip()
