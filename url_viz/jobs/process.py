"""Process identity by process id, start time and machine, since process ids are reused."""

import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")
CLOCK_STEP_S = 2.0
"""By so much a start time may differ when it is read again, as the system's clock is set."""


@dataclass(frozen=True)
class ProcessMark:
    """The identity of a process; a later process with the same id differs in `started`, Unix seconds."""

    pid: int
    started: float
    machine: str

    def is_here(self) -> bool:
        """Whether the process was started on this machine, since its last boot, in this container.

        Otherwise its id means nothing here: a workspace may be on a disk that several machines share.
        """
        return self.machine == this_machine()

    def is_alive(self) -> bool:
        """Whether this very process runs on this machine; a zombie does not count."""
        if not self.is_here():
            return False
        try:
            process = psutil.Process(self.pid)
            is_same = abs(process.create_time() - self.started) <= CLOCK_STEP_S
            return is_same and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.NoSuchProcess:
            return False


def mark_of(pid: int) -> ProcessMark | None:
    """The identity of the process that has this id now; None if there is none."""
    try:
        return ProcessMark(pid, psutil.Process(pid).create_time(), this_machine())
    except psutil.NoSuchProcess:
        return None


@lru_cache(maxsize=1)
def this_machine() -> str:
    """A name for this boot of this machine and this container: process ids are comparable only within it."""
    if BOOT_ID.exists() and PID_NAMESPACE.is_symlink():
        return f"{BOOT_ID.read_text().strip()} {os.readlink(PID_NAMESPACE)}"
    return platform.node()
