"""Progress is counted right, and shown where it belongs: a bar on a terminal, plain lines and JSON elsewhere."""

import json
import os
import pty
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pytest

from url_viz.base.progress import (
    PROGRESS_VARIABLE,
    Clock,
    Progress,
    TerminalReport,
    appended_to,
    as_line,
    command_report,
    silent,
)


class TestClock:
    """Counts become a rate and the time left."""

    def test_rate_and_time_left_of_what_was_not_there_before(self) -> None:
        clock = Clock("read", total=100, started=time.monotonic() - 10)
        progress = clock.at(20, failures=3, metrics={"loss": 0.5})
        assert progress.rate_per_s == pytest.approx(2, rel=0.01)
        assert progress.seconds_left == pytest.approx(40, rel=0.01)
        assert (progress.stage, progress.done, progress.total, progress.failures) == ("read", 20, 100, 3)
        assert progress.metrics == {"loss": 0.5}
        progress = Clock("read", total=100, already=80, started=time.monotonic() - 10).at(90)
        assert progress.rate_per_s == pytest.approx(1, rel=0.01)
        assert progress.seconds_left == pytest.approx(10, rel=0.01)

    def test_no_rate_before_there_is_one_and_no_end_without_a_total(self) -> None:
        assert Clock("read", total=5).at(3).rate_per_s is None
        assert Clock("read", total=5, already=3, started=time.monotonic() - 9).at(3).rate_per_s is None
        endless = Clock("read", total=None, started=time.monotonic() - 1).at(3)
        assert endless.rate_per_s is not None
        assert endless.seconds_left is None


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress("scan", 0), "scan 0"),
        (Progress("read", 120, 400, 2, 35.16, 7.9), "read 120 of 400, 35.2 a second, 8 s left, 2 unreadable"),
        (Progress("read", 4, 4, rate_per_s=2.0, seconds_left=0.0), "read 4 of 4, 2.0 a second"),
        (Progress("train", 1, 2, metrics={"loss": 0.123456}), "train 1 of 2, loss 0.1235"),
    ],
)
def test_one_line_for_a_log(progress: Progress, line: str) -> None:
    assert as_line(progress) == line


def test_without_a_terminal_a_stage_has_a_first_and_a_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    report = TerminalReport()
    for done in range(6):
        report(Progress("read", done, 5))
    report(Progress("map", 0))
    report.close()
    shown = capsys.readouterr()
    assert shown.err.splitlines() == ["read 0 of 5", "read 5 of 5", "map 0"]
    assert shown.out == ""


def test_on_a_terminal_there_is_a_bar_a_stage_and_the_last_one_ends_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 120))
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        report = TerminalReport()
        for done in (0, 2, 5):
            report(Progress("read", done, 5, failures=1, metrics={"loss": 0.25}))
        report(Progress("map", 1, 1))
        report.close()
        report.close()
        terminal.flush()
        shown = _all_of(ours)
    os.close(ours)
    assert "5/5" in shown
    assert "unreadable=1" in shown
    assert "loss=0.25" in shown
    assert "map: 100%" in shown
    assert shown.endswith("\n")


def _all_of(terminal: int) -> str:
    os.set_blocking(terminal, False)
    pieces = []
    with suppress(BlockingIOError):
        while True:
            pieces.append(os.read(terminal, 4096))
    return b"".join(pieces).decode()


class TestFile:
    """A job's progress file: one JSON line a record, few enough."""

    def lines(self, path: Path) -> list[dict[str, object]]:
        return [json.loads(line) for line in path.read_text().splitlines()]

    def test_first_last_and_no_more_than_a_few_between(self, tmp_path: Path) -> None:
        seen: list[Progress] = []
        report = appended_to(tmp_path / "p.jsonl", seen.append)
        for done in range(1001):
            report(Progress("read", done, 1000))
        lines = self.lines(tmp_path / "p.jsonl")
        assert len(seen) == 1001
        assert (lines[0]["done"], lines[-1]["done"]) == (0, 1000)
        assert len(lines) < 20

    def test_a_new_stage_is_told_at_once_with_everything_known_of_it(self, tmp_path: Path) -> None:
        report = appended_to(tmp_path / "p.jsonl", silent)
        report(Progress("scan", 0))
        report(Progress("read", 1, 9, 2, 3.0, 4.0, {"loss": 0.5}))
        last = self.lines(tmp_path / "p.jsonl")[-1]
        assert isinstance(last.pop("time"), float)
        assert last == {
            "stage": "read",
            "done": 1,
            "total": 9,
            "failures": 2,
            "rate_per_s": 3.0,
            "seconds_left": 4.0,
            "metrics": {"loss": 0.5},
        }

    def test_a_command_writes_it_where_a_job_asked_for_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv(PROGRESS_VARIABLE, str(tmp_path / "p.jsonl"))
        command_report()(Progress("read", 1, 1))
        assert len(self.lines(tmp_path / "p.jsonl")) == 1
        assert capsys.readouterr().err == "read 1 of 1\n"
        monkeypatch.delenv(PROGRESS_VARIABLE)
        command_report()(Progress("read", 1, 1))
        assert len(self.lines(tmp_path / "p.jsonl")) == 1
