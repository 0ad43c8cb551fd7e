"""The table of parts in docs/extending.md is made from the parts."""

from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


def test_the_page_has_the_table_of_now(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(TOOLS)
    import parts_table

    page = parts_table.PAGE.read_text(encoding="utf-8")
    assert parts_table.with_table(page) == page, "run python tools/parts_table.py"
    assert page.count("| affinity, `affinity.source` |") == 4
