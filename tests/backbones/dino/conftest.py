import pytest
from tests.backbones.tiny_dino import tiny_dino


@pytest.fixture
def dino():
    """A tiny random DINOv2, float16, names of torch.hub."""
    return tiny_dino()
