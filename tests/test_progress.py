"""Long steps show life: on a terminal, in a notebook with or without widgets, in a log."""
import math
import sys
from types import SimpleNamespace

import pytest
from tqdm import notebook
from tqdm.std import tqdm

from astromorph import progress
from astromorph.flags import MorphFlag
from astromorph.progress import PAUSE, LogLines, progress_bar
from astromorph.running.streaming import Outcomes


@pytest.fixture
def clock(monkeypatch):
    """Seconds, which pass only when they are added to."""
    seconds = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds.now)
    for moment in ("_alive", "_said"):
        monkeypatch.setattr(LogLines, moment, -math.inf)
    return seconds


@pytest.fixture
def in_notebook(monkeypatch):
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def test_a_log_gets_a_line_every_half_minute(clock, capsys):
    for _ in progress_bar(range(50), total=50, desc="adapting", unit=" epochs"):
        clock.now += 12
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert captured.out == "" and len(lines) == 50 // 3
    assert lines[0] == "adapting: 3 of 50 epochs, 00:36 gone, 09:24 to go"


def test_lines_of_long_runs_become_rare(clock, capsys):
    bar = LogLines(total=10_000, unit=" galaxies")
    for _ in range(10_000):
        clock.now += 10
        bar.update()
    assert 50 < capsys.readouterr().err.count("\n") < 120


def test_a_long_item_is_no_silence(clock, capsys):
    bar = progress_bar(range(2), total=2, unit=" epochs")
    for _ in bar:
        for _ in range(100):  # batches
            clock.now += 1
            bar.update(0)
    assert capsys.readouterr().err.splitlines() == [
        f"{done} of 2 epochs, {gone} gone, {left} to go" for done, gone, left in [
            (0, "00:30", "?"), (0, "01:00", "?"), (0, "01:30", "?"), (1, "02:00", "02:00"),
            (1, "02:30", "02:30"), (1, "03:00", "03:00")]]


def test_short_steps_say_nothing(clock, capsys):
    for _ in progress_bar(range(5), total=5):
        clock.now += PAUSE / 6
    assert capsys.readouterr().err == ""


def test_short_steps_one_after_the_other_are_no_silence(clock, capsys):
    for fold in range(4):
        for _ in progress_bar(range(2), total=2, desc=f"fold {fold}"):
            clock.now += 10
    assert [line[:6] for line in capsys.readouterr().err.splitlines()] == ["fold 1", "fold 2"]
    clock.now += 3600  # another run
    for _ in progress_bar(range(2), total=2):
        clock.now += 10
    assert capsys.readouterr().err == ""


def test_what_goes_wrong_is_in_the_line(clock, capsys):
    row = SimpleNamespace(flag=MorphFlag.UNREADABLE, error="no")
    with Outcomes(4, None, "galaxies") as outcomes:
        clock.now += 31
        list(outcomes.counting([row]))
    line = "1 of 4 galaxies, 00:31 gone, 01:33 to go, UNREADABLE=1\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("shown", [None, True])
def test_a_notebook_without_widgets_has_a_plain_bar(in_notebook, monkeypatch, capsys, shown):
    monkeypatch.setattr(notebook, "IProgress", None)
    assert type(progress_bar(range(3), progress=shown)) is tqdm
    assert list(progress_bar(range(3), progress=shown)) == [0, 1, 2]
    captured = capsys.readouterr()
    assert "3/3" in captured.err and "IProgress" not in captured.err + captured.out


def test_a_notebook_with_widgets_has_them(in_notebook, monkeypatch):
    monkeypatch.setattr(notebook, "IProgress", object)
    monkeypatch.setattr(notebook, "tqdm", lambda items, **options: ["widget", *items])
    assert progress_bar([1]) == ["widget", 1]


def test_a_bar_is_shown_or_not_as_is_asked(monkeypatch, capsys):
    assert type(progress_bar(range(3), progress=True)) is tqdm
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert type(progress_bar(range(3))) is tqdm
    capsys.readouterr()
    assert list(progress_bar(range(3), progress=False)) == [0, 1, 2]
    assert capsys.readouterr().err == ""
