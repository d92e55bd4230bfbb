"""Listing, progress, log, cancelling and deleting of the jobs of a workspace."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from url_viz.base.errors import JobError
from url_viz.base.files import record_in
from url_viz.base.progress import Progress
from url_viz.base.records import read_plain
from url_viz.base.workspace import Workspace
from url_viz.jobs.job import (
    Job,
    JobPaths,
    JobState,
    Processes,
    StopRequest,
    alive_processes,
    find_record,
    is_job_id,
    read_job,
    write_record,
)


def list_jobs(workspace: Workspace, *, kind: str | None = None, about: Mapping[str, str] | None = None) -> list[Job]:
    """The jobs of a workspace, newest first, of one `kind` and with all pairs of `about`, if given.

    Damaged jobs are listed too, unless `kind` or `about` is given.
    """
    wanted = set((about or {}).items())
    return [
        job
        for job in jobs_in(workspace.jobs)
        if (kind is None or job.kind == kind) and wanted <= set(job.about.items())
    ]


def latest_job(workspace: Workspace, *, kind: str, set_id: str) -> Job | None:
    """The latest job of a kind on an image set, in any state."""
    return next(iter(list_jobs(workspace, kind=kind, about={"set_id": set_id})), None)


def find_job(workspace: Workspace, job_id: str) -> Job:
    """The job with this id. Raises JobError if there is none."""
    if not is_job_id(job_id):
        raise JobError(
            f"{job_id!r} is not a job id (such as 20261124-152249-123456-ab12cd). Choose a job from the list."
        )
    paths = JobPaths(workspace.jobs / job_id)
    if not paths.folder.is_dir():
        raise JobError(f"There is no job {job_id} in {workspace.jobs}. It may have been deleted; look at the list.")
    return read_job(paths)


def jobs_in(jobs_folder: Path) -> list[Job]:
    """All jobs in a folder, newest first."""
    return list(map(read_job, _paths_in(jobs_folder)))


def _paths_in(jobs_folder: Path) -> list[JobPaths]:
    names = [path.name for path in jobs_folder.iterdir() if is_job_id(path.name)] if jobs_folder.is_dir() else []
    return [JobPaths(jobs_folder / name) for name in sorted(names, reverse=True)]


def live_jobs(workspace: Workspace) -> list[Job]:
    """The jobs that wait or run, newest first; nothing is read of those that have ended."""
    paths = _paths_in(workspace.jobs)
    return [job for path in paths if not path.result.exists() and (job := read_job(path)).status().is_live]


def queue_mates(job: Job) -> list[Job]:
    """The other jobs of a job's queue, newest first, ended ones too."""
    if job.config.queue is None:
        return []
    others = jobs_in(job.paths.folder.parent)
    return [other for other in others if other.config.queue == job.config.queue and other.id != job.id]


def jobs_ahead(job: Job) -> list[Job]:
    """The jobs that a job waits for: older ones of its queue that wait or run."""
    return [other for other in queue_mates(job) if other.id < job.id and other.status().is_live]


PROGRESS_TAIL_BYTES = 64 * 1024
LOG_TAIL_BYTES = 512 * 1024
HISTORY_BYTES = 4 * 1024 * 1024


def progress(job: Job) -> Progress | None:
    """The latest progress; None if there is none yet."""
    records = map(_record, reversed(_tail(job.paths.progress, PROGRESS_TAIL_BYTES).split(b"\n")))
    return next((record for record in records if record is not None), None)


def progress_history(job: Job) -> list[Progress]:
    """Progress from the start to now; of a file of more than `HISTORY_BYTES`, its end."""
    records = map(_record, _tail(job.paths.progress, HISTORY_BYTES).split(b"\n"))
    return [record for record in records if record is not None]


def log_tail(job: Job, lines: int = 200) -> str:
    """The last lines of the log; of a progress bar, its last state."""
    text = _tail(job.paths.log, LOG_TAIL_BYTES).decode("utf-8", errors="replace")
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    shown = shown[:-1] if shown[-1] == "" else shown
    return "\n".join(shown[-lines:])


def why_it_failed(job: Job) -> str:
    """The last error that the command of a job printed, else how it ended."""
    last = next((line for line in reversed(log_tail(job).splitlines()) if line.startswith("error:")), "")
    return last.removeprefix("error: ") or job.status().reason


def _tail(path: Path, size: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - size))
        return file.read()


def _record(line: bytes) -> Progress | None:
    """The record in a line; None if its end is not written yet, or its start was not read."""
    try:
        return read_plain(Progress, record_in(line))
    except ValueError:
        return None


STOP_GRACE_S = 10.0
"""Time for a command to finish after SIGTERM (training saves a checkpoint) before it is killed."""

RUNNER_GRACE_S = 1.5
"""Additional time for the runner, to write the result."""

POLL_S = 0.02


def cancel_job(job: Job, *, grace_s: float = STOP_GRACE_S) -> None:
    """Stop a job that waits or runs, and return when it has stopped.

    The marker file comes first, so that even a killed job counts as cancelled. Then the job's process group gets
    SIGTERM, and SIGKILL after `grace_s`. A job on another machine reads the marker itself. If the runner is lost and
    its command still runs, the command is ended. Raises JobError if there is nothing to stop, or it does not stop.
    """
    if not _is_at_work(job):
        raise JobError(f"The job {job.id} ({job.title}) is {job.state}: there is nothing to stop.")
    write_record(job.paths.cancelled, StopRequest(grace_s))
    if not end_processes(job, grace_s=grace_s, is_over=lambda: not job.status().is_live):
        raise JobError(
            f"The job {job.id} ({job.title}) has been asked to stop and has not answered for {grace_s:.0f} seconds. "
            "It runs on another machine or belongs to another user: look again in a minute, or stop it there."
        )


def end_processes(job: Job, *, grace_s: float, is_over: Callable[[], bool] = lambda: True) -> bool:
    """SIGTERM, then SIGKILL, to the job's processes on this machine; whether all ended and `is_over` became true."""

    def has_ended() -> bool:
        return is_over() and not alive_processes(_processes(job))

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
        # Renamed first, so that a half-deleted folder is not listed as a damaged job.
        job.paths.folder.rename(leaving)
        shutil.rmtree(leaving)
    except FileNotFoundError as error:
        raise JobError(f"The job {job.id} ({job.title}) has been deleted already. Look at the list again.") from error
    except OSError as error:
        raise JobError(f"Cannot delete {job.paths.folder} ({error.strerror}). Delete it by hand.") from error


def _is_at_work(job: Job) -> bool:
    status = job.status()
    is_damaged = status.state is JobState.DAMAGED
    return status.is_live or status.has_leftover or (is_damaged and bool(alive_processes(_processes(job))))


def _processes(job: Job) -> Processes | None:
    try:
        return find_record(Processes, job.paths.processes)
    except JobError:
        return None  # the job is listed as damaged with this error; its processes are unknown


def _signal_group(job: Job, number: signal.Signals) -> None:
    """Signal the job's process group, if one of its recorded processes is certainly still alive.

    The group keeps the runner's id after the runner has ended: no new process gets the id of an existing group.
    """
    processes = _processes(job)
    if processes is None or not alive_processes(processes):
        return
    try:
        os.killpg(processes.runner.pid, number)
    except ProcessLookupError:
        return  # ended meanwhile
    except PermissionError:
        return  # another user's job: its runner reads the marker, and the caller checks whether it ended


def _wait_until(is_true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True
