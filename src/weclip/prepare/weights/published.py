"""Published weights of CLIP, DINOv2 and MiT, as they are: nothing is converted or executed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from weclip.prepare.archives import Archives
from weclip.prepare.sources import require_match
from weclip.system.errors import InputError, did_you_mean
from weclip.system.files import write_atomically


@dataclass(frozen=True)
class Family:
    """Weights of one kind.

    Attributes:
        word: What `weclip prepare` and the section of a configuration call it.
        title: What people call it.
        publisher: Who publishes the files under `names`.
        names: Those that can be fetched by name, the usual one first: keys of `PUBLISHED`, or
            repositories of the hub.
        on_hub: Whether they are repositories.
        notice: What is said before any are fetched from the hub, such as their licence.
    """

    word: str
    title: str
    publisher: str
    names: tuple[str, ...]
    on_hub: bool = False
    notice: str = ""

    @property
    def key(self) -> str:
        """Of the configuration: where the weights are."""
        return f"{self.word}.weights"

    def has_file(self, name: str) -> bool:
        """Whether a name is one of the publisher's own files, not on the hub."""
        return not self.on_hub and name in self.names


CLIP = Family("clip", "CLIP", "OpenAI", ("ViT-B/16", "ViT-L/14"))
DINO = Family(
    "dino",
    "DINOv2",
    "Meta",
    tuple(f"dinov2_vit{size}14{reg}" for reg in ("", "_reg") for size in "sbl"),
)
MIT = Family(
    "mit",
    "MiT",
    "NVIDIA",
    tuple(f"nvidia/mit-b{size}" for size in (1, 0, 2, 3, 4, 5)),
    on_hub=True,
    notice="NVIDIA's licence for the weights of MiT allows no commercial use, of works derived "
    "from them neither: https://github.com/NVlabs/SegFormer/blob/master/LICENSE",
)
FAMILIES = {family.word: family for family in (CLIP, DINO, MIT)}


def check_name(family: Family, name: str) -> None:
    """Raise InputError for weights that are not known."""
    if name not in family.names:
        hint = did_you_mean(name, family.names)
        known = f"{', '.join(family.names)}, or OWNER/NAME of the Hugging Face hub"
        raise InputError(f"--name {name}: unknown; known: {known}. {hint}".strip())


def prepare_weights(root: Path, archives: Archives, name: str) -> Path:
    """Put weights into a folder.

    Args:
        root: Folder for the file; `archives.folder` too, so that fetching it is all.
        archives: Where the file comes from.
        name: Of a family's `names`.

    Returns:
        The file, whose SHA-256 is the published one.

    Raises:
        InputError: The file cannot be had, or another one is in its place.
    """
    source = archives.sources[name]
    target = root / source.name
    if target.exists():
        require_match(target, source)
        return target
    found = archives.get(name)
    if found != target:
        write_atomically(target, lambda temporary: shutil.copyfile(found, temporary))
    return target
