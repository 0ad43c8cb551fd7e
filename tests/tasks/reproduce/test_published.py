"""Published numbers are those of the documentation, and can all be asked for."""

import re

import pytest
from tests.test_layout import ROOT

from weclip.config_file import label_methods, presets
from weclip.system.errors import InputError
from weclip.tasks.reproduce.costs import COSTS
from weclip.tasks.reproduce.published import published_names, read_published
from weclip.tasks.reproduce.stages import Request, stages

TEXTS = [*(ROOT / "docs").glob("*.md"), *(ROOT / "src/weclip/presets").rglob("*.yaml")]
TOLD = "".join(
    path.read_text(encoding="utf-8")
    for path in TEXTS
    if path.name != "reproduce.md" and path.parent.name != "published"
)
TABLES = [read_published(name) for name in published_names()]


def test_every_preset_with_a_published_number_has_a_table():
    told = set()
    for name in (*presets(), *label_methods()):
        folder = "" if name in presets() else "methods/"
        path = ROOT / f"src/weclip/presets/{folder}{name}.yaml"
        if re.search(r"^# Score.* published \d", path.read_text(encoding="utf-8"), re.MULTILINE):
            told.add(name)
    assert told == {table.name for table in TABLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_number_stands_in_the_documentation_and_has_a_source(table):
    assert any(row.published for row in table.rows)
    for row in table.rows:
        assert row.published is None or str(row.published) in TOLD
        assert (row.published is None) == (row.source == "")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_page_has_every_number(table):
    page = (ROOT / "docs" / "reproduce.md").read_text(encoding="utf-8")
    lines = [line for line in page.splitlines() if line.startswith(f"| `{table.name}` |")]
    numbers = [f"{row.published:.1f}" for row in table.rows if row.published]
    assert [line.split("|")[3].strip() for line in lines] == numbers


def test_costs_are_of_stages_that_there_are(tmp_path):
    known = set()
    for table in TABLES:
        for stage in stages(Request(table=table, root=tmp_path, out=tmp_path)):
            known |= {(stage.kind, stage.source or table.name), (stage.kind, table.name)}
    assert COSTS.keys() <= known


def test_a_name_that_is_not_known():
    known = "known: cd-clip, clip-es, coco, .* did you mean 'voc-plus'"
    with pytest.raises(InputError, match=rf"reproduce voc-pluss: nothing .* {known}"):
        read_published("voc-pluss")
