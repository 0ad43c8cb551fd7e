"""Under which licence the frozen towers of a bundle are, as far as their SHA-256 or name tells."""

from dataclasses import dataclass
from importlib import resources

HUB_WORDS = frozenset(
    """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
    bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear
    c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0
    cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl
    ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl
    lgpl-2.1 lgpl-3.0 isc lppl-1.3c ms-pl mpl-2.0 odc-by odbl openrail++ osl-3.0 postgresql ofl-1.1
    ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license llama2 gemma unknown other
    """.split()
)
"""What the hub takes as `license` of a card (its documentation, "Licenses"); it refuses others."""


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
OF_MIT = "of which SegFormer's publisher, NVIDIA, allows non-commercial use only"
"""Said of weights that a MiT started from, whoever has trained it since."""

DEMO = Licence("MIT", "weclip, a tiny model for its demo")


def of_repository(name: str) -> Licence:
    """Of weights in a repository of the hub."""
    return Licence(None, f"on the page of the hub's {name}")


def of_file(name: str) -> Licence:
    """Of weights of which only a file is known."""
    return Licence(None, f"weights from a file, {name}")
