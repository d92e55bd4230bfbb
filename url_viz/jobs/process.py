"""Process identity by process id, start time and machine, since process ids are reused."""

import os
import platform
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

PROC = Path("/proc")
BOOT_ID = PROC / "sys/kernel/random/boot_id"
PID_NAMESPACE = PROC / "self/ns/pid"

STATE_FIELD, START_FIELD = 3, 22
"""Field numbers in /proc/PID/stat, counted from 1 as proc(5) does."""

DEAD = ("Z", "X")
"""States of a process that has exited and is not reaped yet (Z), or is about to vanish (X)."""


@dataclass(frozen=True)
class ProcessMark:
    """The identity of a process; a later process with the same id differs in `started`."""

    pid: int
    started: str
    machine: str

    def is_here(self) -> bool:
        """Whether the process was started on this machine, since its last boot, in this container.

        Otherwise its id means nothing here: a workspace may be on a disk that several machines share.
        """
        return self.machine == this_machine()

    def is_alive(self) -> bool:
        """Whether this very process runs on this machine; a zombie does not count."""
        status = _status_of(self.pid) if self.is_here() else None
        return status is not None and status.started == self.started and not status.state.startswith(DEAD)


@dataclass(frozen=True)
class ProcessStatus:
    """An entry of the process table: the state (first letter as in proc(5)) and when it started."""

    state: str
    started: str


def mark_of(pid: int) -> ProcessMark | None:
    """The identity of the process that has this id now; None if there is none."""
    status = _status_of(pid)
    return None if status is None else ProcessMark(pid, status.started, this_machine())


@lru_cache(maxsize=1)
def this_machine() -> str:
    """A name for this boot of this machine and this container: process ids are comparable only within it."""
    if BOOT_ID.exists() and PID_NAMESPACE.is_symlink():
        return f"{BOOT_ID.read_text().strip()} {os.readlink(PID_NAMESPACE)}"
    return platform.node()


def _status_of(pid: int) -> ProcessStatus | None:
    return status_in_proc(pid) if (PROC / "self/stat").exists() else status_by_ps(pid)


def status_in_proc(pid: int) -> ProcessStatus | None:
    """For Linux: a start time in clock ticks since the boot, which `this_machine` names."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets and may hold spaces and brackets itself.
    after_name = text[text.rindex(")") + 1 :].split()
    return ProcessStatus(after_name[STATE_FIELD - 3], after_name[START_FIELD - 3])


def status_by_ps(pid: int) -> ProcessStatus | None:
    """For macOS and the BSDs: one call of ps, whose start time has whole seconds."""
    listed = subprocess.run(
        ["ps", "-o", "state=", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,  # ps answers 1 if there is no such process
        env={**os.environ, "LC_ALL": "C"},
    )
    state, _, started = listed.stdout.strip().partition(" ")
    return ProcessStatus(state, " ".join(started.split())) if state else None
