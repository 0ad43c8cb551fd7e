"""A hub on this machine; the shipped tiny CLIP stands for published ones."""

import pytest
from huggingface_hub import constants
from tests.prepare.weights.hub_server import HubServer

from weclip.backbones.named import demo_weights


@pytest.fixture
def demo_clip_file():
    """The weight file of the demo's CLIP."""
    return demo_weights("clip")


@pytest.fixture
def own_hub(monkeypatch, tmp_path, own_ports):
    """A hub that is asked instead of the real one, with a cache of its own."""
    hub_server = HubServer()
    own_ports.add(hub_server.server_address[1])
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", hub_server.url)
    template = hub_server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    for name in ("HF_HUB_CACHE", "HF_ASSETS_CACHE"):
        monkeypatch.setattr(constants, name, str(tmp_path / name))
    yield hub_server
    hub_server.shutdown()
    hub_server.server_close()
