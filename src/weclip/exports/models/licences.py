"""Under which licence the frozen towers of a bundle are, as far as their SHA-256 or name tells."""

from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Licence:
    """The licence of weights.

    Attributes:
        kind: Such as `MIT`; None where nothing here tells it.
        owner: Who published the weights, and as what.
        text: Name of the text beside this module; None: the publisher has it.
    """

    kind: str | None
    owner: str
    text: str | None = None

    def in_words(self) -> str:
        """For a table.

        >>> Licence("MIT", "OpenAI").in_words(), Licence(None, "hub repository a/b").in_words()
        ('MIT (OpenAI)', 'as its publisher states (hub repository a/b)')
        """
        return f"{self.kind or 'as its publisher states'} ({self.owner})"

    def read(self) -> str | None:
        """The whole text, if it is here."""
        if self.text is None:
            return None
        return resources.files(__package__).joinpath(self.text).read_text(encoding="utf-8")


OPENAI = Licence("MIT", "OpenAI, github.com/openai/CLIP", "mit-openai.txt")
META = Licence("Apache 2.0", "Meta, github.com/facebookresearch/dinov2", "apache-2.0.txt")
DEMO = Licence("MIT", "weclip, a tiny model for its demo")


def of_repository(name: str) -> Licence:
    """Of weights in a repository of the hub."""
    return Licence(None, f"on the page of the hub's {name}")


def of_file(name: str) -> Licence:
    """Of weights of which only a file is known."""
    return Licence(None, f"weights from a file, {name}")
