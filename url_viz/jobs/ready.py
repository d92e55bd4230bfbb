"""A runner that was started before there is a job, with a command whose imports are done: a job begins seconds earlier.

The server starts one as it begins and when the first page is shown, and ends it after IDLE_S. The runner
(`python -m url_viz.jobs.runner`) waits for the folder of its job, its command (`python -m url_viz.cli.waiting`) for a
`Task`, on standard input; each ends if that closes without a word.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from url_viz.base.processes import child_variables
from url_viz.base.records import as_json

IDLE_S = 600.0
"""How long a runner waits for a job: its command holds memory."""
COMMAND = ("-m", "url_viz")
"""How the commands begin that a waiting one can run."""

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Task:
    """What a waiting command is to run: arguments of `python -m url_viz`, where, with which variables, to which log."""

    arguments: tuple[str, ...]
    folder: str
    variables: Mapping[str, str]
    log: str


class ReadyRunner:
    """The waiting runner of this process, if there is one. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_kept = False
        self._process: Process | None = None

    def keep(self) -> None:
        """Start one, and again whenever `prepare` is called from now on."""
        self._is_kept = True
        self.prepare()

    def prepare(self) -> bool:
        """Start one if none waits, in a process that keeps one; whether this is such a process."""
        with self._lock, suppress(OSError):  # without one, a job starts its own
            if self._is_kept and (self._process is None or self._process.poll() is not None):
                variables = {**os.environ, **child_variables()}
                self._process = _waiting("url_viz.jobs.runner", variables, start_new_session=True)
                idle = threading.Timer(IDLE_S, self._end_idle, args=(self._process,))
                idle.daemon = True
                idle.start()
        return self._is_kept

    def take(self, folder: Path, command: Sequence[str]) -> Process | None:
        """The waiting runner, told the folder of a job; None if there is none, or it cannot run the job's command."""
        if tuple(command[: len(COMMAND)]) != COMMAND:
            return None
        with self._lock:
            process, self._process = self._process, None
        return process if process is not None and hand_over(os.fsencode(folder), process) else None

    def _end_idle(self, process: Process) -> None:
        with self._lock:
            if self._process is process:
                self._process = None
                hand_over(b"", process)
                process.wait()


ready_runner = ReadyRunner()
"""The one that the server of this process keeps."""


def start_command() -> Process:
    """Start the command that waits for a task, as a runner does that waits for a job."""
    return _waiting("url_viz.cli.waiting", {**os.environ, "PYTHONUNBUFFERED": "1"})


def give_task(task: Task, command: Process) -> bool:
    """Have a waiting command run something; whether it is there to do so."""
    return hand_over(as_json(task).encode(), command)


def hand_over(words: bytes, process: Process) -> bool:
    """Write what a process waits for, and close its input; whether it is there to read it."""
    assert process.stdin is not None
    try:
        with process.stdin as its_input:
            its_input.write(words)
    except OSError:
        return False
    return process.poll() is None


def _waiting(module: str, environment: Mapping[str, str], *, start_new_session: bool = False) -> Process:
    return subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=start_new_session,  # not affected by the terminal's Ctrl-C or its closing
    )


def write_to(log: Path) -> None:
    """Have what this process prints, and its children do, in a log; what it reads is empty."""
    with log.open("ab") as file, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
