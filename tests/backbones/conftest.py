import pytest
from tests.backbones.tiny_clip import tiny_state


@pytest.fixture
def state():
    """A tiny random CLIP, float16, OpenAI layout."""
    return tiny_state()
