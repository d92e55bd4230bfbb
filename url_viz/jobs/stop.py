"""Ends jobs: cancel one that waits or runs, end what a killed runner left behind, delete one that is over."""

import os
import shutil
import signal
import time
from collections.abc import Callable

from url_viz.errors import JobError
from url_viz.jobs import slurm
from url_viz.jobs.job import Job, JobState, living
from url_viz.jobs.process import ProcessMark
from url_viz.jobs.records import Processes, StopRequest, read_processes, write_record

STOP_GRACE_S = 10.0
"""How long a command may tidy up after SIGTERM (a training saves its checkpoint) before it is killed."""

RUNNER_GRACE_S = 1.5
"""How much longer than its command the runner may take, to write the result."""

POLL_S = 0.02


def cancel_job(job: Job, *, grace_s: float = STOP_GRACE_S) -> None:
    """Stop a job that waits or runs, and return when it has stopped.

    The marker comes first, so that even a killed job counts as cancelled. Then the job's process group gets SIGTERM,
    and SIGKILL after `grace_s`. A job on another machine sees the marker itself, and one of SLURM's is taken out of its
    queue or off its node. Of a lost job whose command still runs, the command is ended. Raises JobError where there is
    nothing to stop, or it would not stop.
    """
    if not _is_at_work(job):
        raise JobError(f"The job {job.id} ({job.title}) is {job.state}: there is nothing to stop.")
    write_record(job.paths.cancelled, StopRequest(grace_s))
    slurm.cancel(job.paths)
    if not end_processes(job, grace_s=grace_s, is_over=lambda: not job.status().is_live):
        raise JobError(
            f"The job {job.id} ({job.title}) has been asked to stop and has not answered for {grace_s:.0f} seconds. "
            "It runs on another machine or belongs to another user: look again in a minute, or stop it there."
        )


def end_processes(job: Job, *, grace_s: float, is_over: Callable[[], bool] = lambda: True) -> bool:
    """SIGTERM, then SIGKILL, to what works for this job here; whether all of it ended and `is_over` came true."""

    def has_ended() -> bool:
        return is_over() and not _living_of(job)

    _signal_group(job, signal.SIGTERM)
    if _wait_until(has_ended, grace_s + RUNNER_GRACE_S):
        return True
    _signal_group(job, signal.SIGKILL)
    return _wait_until(has_ended, RUNNER_GRACE_S)


def delete_job(job: Job) -> None:
    """Delete a job's folder with its log. Raises JobError while the job waits or runs, or its command still does."""
    if _is_at_work(job):
        raise JobError(f"The job {job.id} ({job.title}) still runs. Cancel it, then delete it.")
    leaving = job.paths.folder.with_name(f".gone-{job.id}")
    try:
        # Renamed first: a folder that is half deleted never shows up as a damaged job.
        job.paths.folder.rename(leaving)
        shutil.rmtree(leaving)
    except FileNotFoundError as error:
        raise JobError(f"The job {job.id} ({job.title}) has been deleted already. Look at the list again.") from error
    except OSError as error:
        raise JobError(f"Cannot delete {job.paths.folder} ({error.strerror}). Delete it by hand.") from error


def _is_at_work(job: Job) -> bool:
    """Whether there is something to stop. A runner that has written its result only has itself to end."""
    status = job.status()
    is_unclear = status.state is JobState.DAMAGED
    return status.is_live or status.has_leftover or (is_unclear and bool(_living_of(job)))


def _processes_of(job: Job) -> Processes | None:
    try:
        return read_processes(job.paths.processes)
    except JobError:
        return None  # the job shows as damaged with this very error; no process of it is known


def _living_of(job: Job) -> list[ProcessMark]:
    return living(_processes_of(job))


def _signal_group(job: Job, number: signal.Signals) -> None:
    """Signal the job's process group, if one of its processes surely still is the one that was started.

    The group has the runner's id, also after the runner is gone: no new process gets an id that names a group.
    """
    processes = _processes_of(job)
    if processes is None or not living(processes):
        return
    try:
        os.killpg(processes.runner.pid, number)
    except ProcessLookupError:
        return  # ended since the look
    except PermissionError:
        return  # another user's: its runner sees the marker, and the caller sees whether it ended


def _wait_until(is_true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
