import io
from pathlib import Path

import pytest
from rich.console import Console

from weclip.system.console import Screen
from weclip.tasks.train import shown
from weclip.tasks.train.result import TrainResult
from weclip.tasks.train.shown import StepView, forecast, has_bar, next_commands, show_result

RESULT = TrainResult(
    out=Path("my runs"),
    model=Path("my runs/model.safetensors"),
    steps=4,
    scores={"miou": 0.5},
    report=None,
    images=Path("my photos"),
)


def told(**options):
    """A screen of 80 columns that keeps its text."""
    return Screen(file=io.StringIO(), width=80, **options)


def lines(screen):
    return screen.file.getvalue().splitlines()


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr(shown.time, "monotonic", lambda: now[0])
    return now


def test_a_file_gets_a_line_at_once_and_then_by_time(clock):
    screen = told()
    with StepView(screen, 100, on_cpu=False) as view:
        view.begin(0)
        for step in range(1, 101):
            clock[0] += 1 if step > 1 else 50  # the first step compiles
            view.advance(step, 0.25)
    steps = [line for line in lines(screen) if line.startswith("step")]
    assert steps[0] == "step 1/100  loss 0.250"
    assert steps[1] == "step 31/100  loss 0.250  69 s left"
    assert steps[-1] == "step 100/100  loss 0.250"
    assert len(steps) == 5


def test_the_forecast_leaves_out_the_first_step(clock, monkeypatch):
    monkeypatch.setattr(shown, "used_memory", lambda on_cpu: 10**9)
    screen = told()
    with StepView(screen, 3011, on_cpu=True) as view:
        view.begin(0)
        for step in range(1, 13):
            clock[0] += 2 if step > 1 else 500
            view.advance(step, 0.25)
    said = "\n".join(lines(screen))
    assert said.count("2 s a step: about 1 h 40 min for the 3000 steps left; 1.0 GB") == 1
    assert "Quicker: masks without training (weclip label)" in said


def test_no_hint_where_it_is_short_or_on_a_gpu(monkeypatch):
    monkeypatch.setattr(shown, "used_memory", lambda on_cpu: 0)
    assert len(forecast(1.0, 60, True)) == len(forecast(100.0, 6000, False)) == 1
    assert len(forecast(100.0, 6000, True)) == 3
    assert all(len(line) < 80 for line in forecast(100.0, 10**6, True))


def test_the_bar_of_a_terminal_fits_80_columns_and_lines_stand_above(clock):
    screen = told(force_terminal=True, color_system=None, legacy_windows=False)
    with StepView(screen, 30_000, on_cpu=True) as view:
        view.begin(29_990)
        for step in range(29_991, 30_001):
            clock[0] += 1
            view.advance(step, 0.2534)
        view.scored(30_000, {"miou": 0.5231, "pixel_accuracy": 0.8}, best=True)
    text = screen.file.getvalue()
    assert "30000/30000" in text
    assert "loss 0.253" in text
    assert "step 30000: mIoU 52.3 %, pixel accuracy 80.0 %  <- best" in text
    assert "step 29991/" not in text


def test_a_notebook_has_a_bar_where_it_can_move(monkeypatch):
    notebook = Console(force_jupyter=True)
    for found in (None, object()):
        monkeypatch.setattr(shown, "find_spec", lambda name, found=found: found)
        assert has_bar(notebook) == (found is not None)


def test_the_next_commands_can_be_copied():
    assert next_commands(RESULT) == [
        "weclip predict 'my photos' --model 'my runs' --out 'my runs-predictions'",
        "weclip evaluate --model 'my runs' --out 'my runs-scores'",
    ]


def test_the_next_commands_name_the_regions_of_files():
    result = TrainResult(**vars(RESULT) | {"regions": Path("my regions")})
    assert all(line.endswith("'regions.files=my regions'") for line in next_commands(result))


def test_without_masks_the_loss_stands_for_scores(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 9, "loss": 0.5}\n')
    screen = told()
    fields = vars(RESULT) | {"out": tmp_path, "scores": None, "report": tmp_path / "report.html"}
    show_result(TrainResult(**fields), screen)
    said = "\n".join(lines(screen))
    assert "2.000 at first, 0.500 at last; no masks to score on" in said
    assert f"report: {tmp_path / 'report.html'}" in said
    assert "weclip predict" in said
    assert "weclip evaluate" not in said


def test_the_last_scores_and_the_best_are_told(tmp_path):
    rows = ['{"step": 1, "eval_miou": 0.6}', '{"step": 2, "eval_miou": 0.4}']
    (tmp_path / "log.jsonl").write_text("\n".join(rows))
    screen = told()
    show_result(TrainResult(**vars(RESULT) | {"out": tmp_path, "scores": {"miou": 0.6}}), screen)
    assert lines(screen)[:2] == [
        "last      step 2: mIoU 40.0 %",
        "best      mIoU 60.0 %  <- the model",
    ]
