"""What tasks print becomes log records; nothing is shown unless a bar is asked for."""

import io
import logging

import pytest
from rich.table import Table
from rich.text import Text

from weclip.system.console import warnings_of
from weclip.tasks.public.calls import logs
from weclip.tasks.public.calls.logs import LogScreen
from weclip.training.runlog import progress_bar


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, "weclip")
    return lambda: [(each.levelname, each.getMessage()) for each in caplog.records]


def test_lines_are_logged_by_their_weight(said):
    screen = LogScreen()
    screen.print("12 images in train", soft_wrap=True, markup=False)
    screen.print("[yellow]warning:[/] no masks", soft_wrap=True)
    screen.print("skipped: a.png", style="yellow", markup=False)
    screen.print("[red]error[/] (2): broken files", soft_wrap=True)
    screen.print("errorless: fine")
    screen.print("\x1b[2Jmoved")
    warnings_of(screen).print("an example")
    assert said() == [
        ("INFO", "12 images in train"),
        ("WARNING", "no masks"),
        ("WARNING", "skipped: a.png"),
        ("WARNING", "error (2): broken files"),
        ("INFO", "errorless: fine"),
        ("INFO", r"\x1b[2Jmoved"),
        ("WARNING", "an example"),
    ]


def test_a_table_is_one_record(said):
    table = Table(title="Scores")
    table.add_column("mIoU")
    table.add_row("0.5")
    LogScreen().print(table)
    ((level, text),) = said()
    assert level == "INFO"
    assert "0.5" in text
    assert text.startswith("\n")


def run_bar(screen):
    with progress_bar(screen) as progress:
        task = progress.add_task("reading", total=2, status="")
        progress.console.print("between")
        progress.advance(task, 2)


def test_a_bar_is_drawn_only_if_asked_for(said, capfd):
    run_bar(LogScreen())
    assert capfd.readouterr() == ("", "")
    run_bar(LogScreen(progress=True))
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "reading" in shown.err
    assert "between" not in shown.err
    assert said() == [("INFO", "between")] * 2


def test_what_others_print_beside_the_bar_is_shown(said, monkeypatch):
    """Python prints warnings to the stream that the bar has taken over."""
    screen, shown = LogScreen(progress=True), io.StringIO()
    monkeypatch.setattr(type(screen), "file", property(lambda _: shown, lambda *_: None))
    screen.print(Text("another's line"))
    assert "another's line" in shown.getvalue()
    assert said() == []


def test_the_logger_is_silent_until_it_is_set_up(capfd):
    logger = logging.getLogger("weclip")
    assert logger is logs.LOGGER
    LogScreen().print("[yellow]warning:[/] no masks")
    assert capfd.readouterr() == ("", "")
