"""What a job has told so far: its progress, now and over time, and the end of its log, in bounded reads."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from url_viz.jobs.job import Job
from url_viz.progress import Progress

PROGRESS_TAIL_BYTES = 64 * 1024
LOG_TAIL_BYTES = 512 * 1024
HISTORY_BYTES = 4 * 1024 * 1024
LINE_BYTES = 8 * 1024
"""Longer than any progress line: what is read at each place of a long history."""

PROGRESS_FIELDS = tuple(field.name for field in fields(Progress))


@dataclass(frozen=True)
class TimedProgress:
    """A progress record and when it was made, in Unix seconds."""

    time: float
    progress: Progress


def progress(job: Job) -> Progress | None:
    """The latest progress; None where the job has told none yet. A half-written last line is passed over."""
    record = _record(_last_whole_line(job.paths.progress))
    return None if record is None else record.progress


def progress_history(job: Job, *, most: int = 2000) -> list[TimedProgress]:
    """Progress from the start to now, for curves; where there is more than `most`, evenly thinned, the last one kept.

    Of a file beyond some megabytes only as many places are read as records are wanted.
    """
    path = job.paths.progress
    size = path.stat().st_size if path.exists() else 0
    lines = _tail(path, size).split(b"\n") if size <= HISTORY_BYTES else _lines_across(path, size, most)
    return _thinned([record for record in map(_record, lines) if record is not None], most)


def log_tail(job: Job, lines: int = 200) -> str:
    """The last lines of the log. Of a bar that redraws its line only the last drawing is given."""
    text = _tail(job.paths.log, LOG_TAIL_BYTES).decode("utf-8", errors="replace")
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    shown = shown[:-1] if shown[-1] == "" else shown
    return "\n".join(shown[-lines:])


def _tail(path: Path, size: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - size))
        return file.read()


def _last_whole_line(path: Path) -> bytes:
    lines = reversed(_tail(path, PROGRESS_TAIL_BYTES).split(b"\n"))
    return next((line for line in lines if _record(line) is not None), b"")


def _lines_across(path: Path, size: int, count: int) -> list[bytes]:
    """The first whole line after each of `count` evenly spaced places, and the last whole line."""
    found: list[bytes] = []
    with path.open("rb") as file:
        for step in range(count):
            file.seek(step * size // count)
            if step:
                file.readline(LINE_BYTES)
            found.append(file.readline(LINE_BYTES).rstrip())
    # Two places may lead to the same line.
    return list(dict.fromkeys([*found, _last_whole_line(path)]))


def _record(line: bytes) -> TimedProgress | None:
    """The record in a line; None where the line is cut, at its end by its writer or at its start by our reading."""
    try:
        found = json.loads(line)
        told = {name: found[name] for name in PROGRESS_FIELDS if name in found}
        return TimedProgress(float(found["time"]), Progress(**told))
    except (ValueError, KeyError, TypeError):
        return None


def _thinned(records: list[TimedProgress], most: int) -> list[TimedProgress]:
    if len(records) <= most:
        return records
    last = len(records) - 1
    return [records[step * last // max(1, most - 1)] for step in range(most)] if most > 1 else records[-1:]
