"""The progress of long work, and its display: terminal bar, plain lines, or JSON lines for a job."""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

PROGRESS_VARIABLE = "URL_VIZ_PROGRESS"
"""Environment variable naming the file to which a command appends its progress as JSON lines."""


@dataclass(frozen=True)
class Progress:
    """How far a stage of long work is: `done` of `total` items, None if that is not known yet.

    `metrics` are live figures by name, such as a training loss.
    """

    stage: str
    done: int
    total: int | None = None
    failures: int = 0
    rate_per_s: float | None = None
    seconds_left: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


ProgressCallback = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """Show nothing."""


@dataclass
class Clock:
    """Gives counts a rate and the time left; one clock a stage. `already` items do not count towards the rate."""

    stage: str
    total: int | None
    already: int = 0
    started: float = field(default_factory=time.monotonic)

    def at(self, done: int, *, failures: int = 0, metrics: Mapping[str, float] | None = None) -> Progress:
        """The progress with `done` items, now."""
        seconds = time.monotonic() - self.started
        rate = (done - self.already) / seconds if seconds > 0.2 and done > self.already else None
        left = (self.total - done) / rate if rate and self.total is not None else None
        return Progress(self.stage, done, self.total, failures, rate, left, metrics or {})


class TerminalReport:
    """A bar with rate and time left on a terminal; elsewhere a plain line per stage, and every ten seconds."""

    def __init__(self) -> None:
        self._stage: str | None = None
        self._bar: tqdm | None = None
        self._last_line = 0.0

    def __call__(self, progress: Progress) -> None:
        is_next_stage = progress.stage != self._stage
        if sys.stderr.isatty():
            self._draw(progress)
        elif is_next_stage or time.monotonic() - self._last_line > 10 or progress.done == progress.total:
            print(as_line(progress), file=sys.stderr, flush=True)
            self._last_line = time.monotonic()
        self._stage = progress.stage

    def _draw(self, progress: Progress) -> None:
        if self._bar is None or progress.stage != self._stage:
            from tqdm import tqdm  # most processes, the runner of each job among them, draw no bar

            self.close()
            self._bar = tqdm(total=progress.total, desc=progress.stage, dynamic_ncols=True)
        self._bar.total = progress.total
        figures = {name: f"{value:.4g}" for name, value in progress.metrics.items()}
        if progress.failures:
            figures["unreadable"] = str(progress.failures)
        self._bar.set_postfix(figures, refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def close(self) -> None:
        """End the bar, so that later output starts on its own line."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def as_line(progress: Progress) -> str:
    """One line for a log: `read 120 of 400, 35.2 a second, 8 s left, 2 unreadable`."""
    parts = [f"{progress.stage} {progress.done}" + (f" of {progress.total}" if progress.total is not None else "")]
    if progress.rate_per_s is not None:
        parts.append(f"{progress.rate_per_s:.1f} a second")
    if progress.seconds_left is not None and progress.done != progress.total:
        parts.append(f"{progress.seconds_left:.0f} s left")
    if progress.failures:
        parts.append(f"{progress.failures} unreadable")
    parts += [f"{name} {value:.4g}" for name, value in progress.metrics.items()]
    return ", ".join(parts)


def appended_to(path: Path, then: ProgressCallback) -> ProgressCallback:
    """A callback that calls `then`, and appends the progress to `path` as a JSON line, at most five a second."""
    last_stage, last_at = "", 0.0

    def report(progress: Progress) -> None:
        nonlocal last_stage, last_at
        now = time.monotonic()
        if progress.stage != last_stage or now - last_at > 0.2 or progress.done == progress.total:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"time": time.time(), **asdict(progress)}) + "\n")
            last_stage, last_at = progress.stage, now
        then(progress)

    return report


def command_report() -> ProgressCallback:
    """The callback of a command: the terminal, and the file named by `$URL_VIZ_PROGRESS` if a job set it."""
    shown = TerminalReport()
    named = os.environ.get(PROGRESS_VARIABLE)
    return appended_to(Path(named), shown) if named else shown
