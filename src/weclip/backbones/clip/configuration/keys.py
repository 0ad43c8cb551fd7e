"""Keys of a configuration: read, ignored since they change nothing, or refused by name.

Stage 2. A configuration may ask for a computation that is not ours. Every key is therefore known
here: as one that is read, one that changes nothing, or one whose value must mean what is computed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weclip.backbones.transformer import ACTIVATIONS, BlockSettings
from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

WAY_OUT = "use a ViT CLIP of OpenAI or OpenCLIP"
OWN = "put the weights' own configuration beside them"


@dataclass(frozen=True)
class Section:
    """One object of a configuration file.

    Attributes:
        file: The file, for messages.
        name: Its place in the file, with a dot at the end; empty for the whole.
        content: Keys and values.
    """

    file: Path
    name: str
    content: Mapping[str, Any]

    def inner(self, key: str) -> "Section":
        """The object under a key, empty where it is null or not there."""
        value = self.content.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.error(key, "is no object; download the file again")
        return Section(self.file, f"{self.name}{key}.", value or {})

    def error(self, key: str, fault: str) -> InputError:
        """What is wrong with a key."""
        value = short(self.content.get(key))
        return InputError(f"{self.file}: {self.name}{key} is {value}: {fault}")

    def require(
        self,
        *,
        read: Collection[str],
        computed: Mapping[str, tuple[object, ...]],
        ignored: Collection[str],
    ) -> None:
        """Refuse every key that asks for something else.

        Args:
            read: Keys that are looked at one by one.
            computed: Keys with the values that mean what is computed here.
            ignored: Keys that change nothing.

        Raises:
            InputError: Another value, or a key that is none of these and has a value.
        """
        for key, value in self.content.items():
            if key in read or key in ignored:
                continue
            if key in computed and value not in computed[key]:
                allowed = " or ".join(short(each) for each in computed[key])
                raise self.error(key, f"only {allowed} is computed here; {WAY_OUT}")
            if key not in computed and value is not None:
                raise self.error(key, f"this key is not understood here; {WAY_OUT}")

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number over 0."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
            raise self.error(key, f"no whole number over 0; {OWN}")
        return value

    def side(self, key: str, default: int) -> int:
        """A whole number over 0, or two equal ones."""
        value = self.content.get(key, default)
        if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
            return Section(self.file, self.name, {key: value[0]}).count(key)
        return self.count(key, default)

    def number(self, key: str, default: float) -> float:
        """A number over 0."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise self.error(key, f"no number over 0; {OWN}")
        return float(value)

    def activation(self, key: str, default: str) -> str:
        """The name of an activation that is computed here."""
        value = self.content.get(key, default)
        if not isinstance(value, str) or value not in ACTIVATIONS:
            raise self.error(key, f"only {' and '.join(ACTIVATIONS)} are computed here; {WAY_OUT}")
        return value


def settings_of(section: Section, width: int, key: str, settings: BlockSettings) -> BlockSettings:
    """The settings, whose number of heads must divide the width."""
    if width % settings.heads:
        raise section.error(key, f"{settings.heads} heads do not divide the width {width}; {OWN}")
    return settings
