import importlib
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch):
    """Import a module of `tools/` as its scripts do."""
    monkeypatch.syspath_prepend(TOOLS)
    known = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - known:
        if name.startswith(("demo_", "docs_", "train_demo")):
            del sys.modules[name]
