"""Whose turn it is in a queue: one heavy job alone, or two light ones side by side where the memory allows."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from url_viz.jobs.control import jobs_ahead
from url_viz.jobs.job import Job, JobState
from url_viz.jobs.job_files import queue_lock

CGROUP = Path("/sys/fs/cgroup")
MOST_LIGHT_JOBS = 2
SMALL_QUEUE = "small"
"""The queue of jobs that only read what is stored of an image set: two of one set run side by side, too."""
LIGHT_NEEDS_MB = 2048
"""What must be available for a light job to start alongside another: more than twice what reading 1,818 photographs
(500 MiB; 700 with a second model) and training a head on 1,296 (900) were seen to take at most."""


@dataclass(frozen=True)
class Waiting:
    """Why a job waits: for the end of `jobs`, of which the first runs; with none of them, for the memory of `mb`."""

    jobs: tuple[Job, ...]
    seconds: float
    mb: int | None = None


def waiting_for(job: Job) -> Waiting | None:
    """What a job waits for, and for how long it has; None if it does not wait in a queue of ours."""
    if job.config.queue is None or job.status().state is not JobState.QUEUED:
        return None
    ahead = jobs_ahead(job)
    in_order = sorted(ahead, key=lambda other: other.id)
    seconds = max(0.0, time.time() - job.created)
    if ahead and can_run_alongside(job, ahead):
        return Waiting((), seconds, available_mb())
    return Waiting(tuple(in_order), seconds)


def can_run_alongside(job: Job, ahead: Sequence[Job]) -> bool:
    """Whether a job may run alongside all jobs that are before it, if there is enough memory.

    It and they are light, of different image sets unless in SMALL_QUEUE, and none of them waits: whoever waits longer
    begins first.
    """
    if not job.config.is_light or len(ahead) >= MOST_LIGHT_JOBS:
        return False
    return all(_tolerates(job, other) for other in ahead)


def _tolerates(job: Job, other: Job) -> bool:
    is_apart = job.config.queue == SMALL_QUEUE or job.about.get("set_id", job.id) != other.about.get("set_id")
    return other.config.is_light and is_apart and other.state is JobState.RUNNING


class Turn:
    """The turn of a job in its queue: a light job takes one of the locks of the queue, a heavy one all of them."""

    def __init__(self, job: Job) -> None:
        assert job.config.queue is not None
        self._job = job
        folder, queue = job.paths.folder.parent, job.config.queue
        self._locks = [FileLock(queue_lock(folder, queue, slot)) for slot in range(MOST_LIGHT_JOBS)]

    def take(self, ahead: Sequence[Job]) -> bool:
        """Take the turn if it has come, where the jobs `ahead` are still live; return whether it was taken."""
        if ahead and not (can_run_alongside(self._job, ahead) and available_mb() >= LIGHT_NEEDS_MB):
            return False
        if self._job.config.is_light:
            return any(map(_has, self._locks))
        if all(map(_has, self._locks)):
            return True
        self.leave()
        return False

    def leave(self) -> None:
        for lock in self._locks:
            lock.release()


def _has(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def available_mb() -> int:
    """MiB that a new process can have: what the system has available, within the limit of this container."""
    available: int = psutil.virtual_memory().available
    with suppress(OSError):  # there is no control group
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        if limit != "max":
            available = min(available, max(0, int(limit) - int(used)))
    return available // 2**20
