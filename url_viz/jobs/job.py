"""A job and its state, derived only from the files of its folder, so that any process can read it at any time."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from url_viz.base.errors import JobError
from url_viz.jobs.job_files import JobConfig, JobPaths, Processes, ProcessMark, Result, find_record, read_record

START_GRACE_S = 60.0
"""How long a job may be without a runner after its creation."""

SILENCE_S = 60.0
"""How long a runner on another machine may be silent before it counts as lost. Here, its process is checked."""


class JobState(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    """The runner was killed: its process is gone and left no result."""
    DAMAGED = "damaged"
    """A file of the job cannot be read, or its folder is gone."""


LIVE = frozenset({JobState.QUEUED, JobState.RUNNING})


@dataclass(frozen=True)
class Status:
    """The state of a job at one moment. Times are Unix seconds; `started` is when the command began, after any waiting.

    `reason` says in a sentence or two why the job is not running and has not succeeded. `finished` of a job that was
    killed is its last heartbeat. `has_leftover`: the runner is lost and its command still runs on this machine.
    """

    state: JobState
    reason: str = ""
    started: float | None = None
    finished: float | None = None
    exit_status: int | None = None
    has_leftover: bool = False

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


@dataclass(frozen=True)
class Job:
    """One job. `config` is fixed; `status()` and `state` read the files again each time.

    `damage` says what is wrong with job.json, "" for nothing; with damage, `config` holds placeholders.
    """

    paths: JobPaths
    config: JobConfig
    damage: str = ""

    @property
    def id(self) -> str:
        """The name of the job's folder; ids sort by time."""
        return self.paths.folder.name

    @property
    def kind(self) -> str:
        return self.config.kind

    @property
    def title(self) -> str:
        return self.config.title

    @property
    def command(self) -> tuple[str, ...]:
        return self.config.command

    @property
    def about(self) -> Mapping[str, str]:
        """What the job works on, such as {"set_id": …}, as given at its start."""
        return self.config.about

    @property
    def created(self) -> float:
        """When the job was created, in Unix seconds."""
        return self.config.created

    @property
    def state(self) -> JobState:
        return self.status().state

    def status(self) -> Status:
        """The current status. Reads a few small files, and the process table if there is no result."""
        if self.damage:
            return Status(JobState.DAMAGED, self.damage)
        if not self.paths.folder.exists():
            return Status(JobState.DAMAGED, f"The job {self.id} has been deleted. Look at the list again.")
        try:
            # A job may end between two reads, so a missing result is read again once its process is gone.
            return _ended(self.paths) or _live(self.paths, self.created) or _ended(self.paths) or _gone(self.paths)
        except JobError as damage:
            return Status(JobState.DAMAGED, str(damage))


def read_job(paths: JobPaths) -> Job:
    """The job in this folder; if it is damaged, with `damage` set."""
    try:
        return Job(paths, read_record(JobConfig, paths.config))
    except JobError as damage:
        nothing = JobConfig(command=(), kind="", title=paths.folder.name, created=0.0, queue=None, cwd="")
        return Job(paths, nothing, str(damage))


def alive_processes(processes: Processes | None) -> list[ProcessMark]:
    """The processes of a job that run on this machine."""
    marks = [] if processes is None else [processes.runner, processes.command]
    return [mark for mark in marks if mark is not None and mark.is_alive()]


def _ended(paths: JobPaths) -> Status | None:
    result = find_record(Result, paths.result)
    return None if result is None else _status_of(result, find_record(Processes, paths.processes), paths)


def _status_of(result: Result, processes: Processes | None, paths: JobPaths) -> Status:
    try:
        state = JobState(result.state)
    except ValueError as error:
        raise JobError(
            f"{paths.result} has the unknown state {result.state!r}. Update URL-Viz, or delete this job."
        ) from error
    started = None if processes is None else processes.started
    return Status(state, result.reason, started, result.finished, result.exit_status)


def _live(paths: JobPaths, created: float) -> Status | None:
    processes = find_record(Processes, paths.processes)
    if processes is None:
        return Status(JobState.QUEUED) if time.time() - created < START_GRACE_S else None
    if not _has_runner(processes.runner, paths):
        return None
    return Status(JobState.QUEUED if processes.started is None else JobState.RUNNING, started=processes.started)


def _has_runner(runner: ProcessMark, paths: JobPaths) -> bool:
    if runner.is_here():
        return runner.is_alive()
    seen = _last_sign_of_life(paths)
    return seen is not None and time.time() - seen < SILENCE_S


def _gone(paths: JobPaths) -> Status:
    processes = find_record(Processes, paths.processes)
    leftover = bool(alive_processes(processes))
    state = JobState.CANCELLED if paths.cancelled.exists() else JobState.LOST
    reason = ""
    if leftover:
        reason = "Its runner was killed, and its command still runs. Cancel the job to end it."
    elif state is JobState.LOST:
        reason = "Killed: its process is gone and left no result. Run it again."
    started = None if processes is None else processes.started
    return Status(state, reason, started, _last_sign_of_life(paths), has_leftover=leftover)


def _last_sign_of_life(paths: JobPaths) -> float | None:
    try:
        return paths.heartbeat.stat().st_mtime
    except FileNotFoundError:
        return None
