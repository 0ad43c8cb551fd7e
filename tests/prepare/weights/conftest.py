"""The shipped tiny CLIP stands for published ones."""

import pytest

from weclip.build import demo_clip


@pytest.fixture
def demo_clip_file():
    """The weight file of the demo's CLIP."""
    return demo_clip()
