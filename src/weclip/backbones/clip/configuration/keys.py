"""What is said of a key of a CLIP's configuration.

Stage 2.
"""

from weclip.backbones.transformer import BlockSettings
from weclip.backbones.weight_files.section import OWN, Section

WAY_OUT = "use a ViT CLIP of OpenAI or OpenCLIP"


def settings_of(section: Section, width: int, key: str, settings: BlockSettings) -> BlockSettings:
    """The settings, whose number of heads must divide the width."""
    if width % settings.heads:
        raise section.error(key, f"{settings.heads} heads do not divide the width {width}; {OWN}")
    return settings
