"""A job: the files of its folder, and its state, which any process derives from these alone at any time."""

import os
import platform
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

import psutil

from url_viz.base.errors import JobError
from url_viz.base.files import replaced
from url_viz.base.records import Record, RecordFile
from url_viz.base.workspace import FileInside

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")
CLOCK_STEP_S = 2.0
"""How far a start time may be off when it is read again, as the system's clock is set."""


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


ID_FORM = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]{6}-[0-9a-f]{6}")
QUEUE_FORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")


@dataclass(frozen=True)
class JobPaths:
    """The files of one job; its folder's name is the job's id."""

    folder: Path
    config = FileInside("job.json")
    """The configuration of the job; written once, before the folder gets its name."""
    log = FileInside("log.txt")
    """Everything that the runner and its command print."""
    progress = FileInside("progress.jsonl")
    """One JSON line per progress record, appended by the command."""
    heartbeat = FileInside("heartbeat")
    """An empty file that the runner touches regularly."""
    processes = FileInside("process.json")
    """The processes of the job, each with its start time."""
    result = FileInside("result.json")
    """How the job ended."""
    cancelled = FileInside("cancelled")
    """The marker that the job was asked to stop."""


def new_job_id() -> str:
    """A new id, UTC time first, so that ids sort by time: `20261124-152249-123456-ab12cd`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{secrets.token_hex(3)}"


def new_output_folder(parent: Path, name: str) -> Path:
    """A new path below `parent` for what a job will write; different for two that start at one moment.

    Raises JobError if `parent` cannot be made.
    """
    with _raising_on_full_disk(parent):
        return parent / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


@contextmanager
def written_for_a_job(path: Path) -> Iterator[Path]:
    """As `replaced`, for a file that a job reads, in a folder that may be new. Raises JobError if it fails."""
    with _raising_on_full_disk(path.parent), replaced(path) as temporary:
        yield temporary


@contextmanager
def _raising_on_full_disk(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise JobError(f"Cannot write to {str(folder)!r} ({error.strerror}). Is the disk full?") from error


def is_job_id(name: str) -> bool:
    """Whether a name has the form of an id; only such names ever become part of a path."""
    return ID_FORM.fullmatch(name) is not None


def queue_lock(jobs_folder: Path, queue: str, slot: int = 0) -> Path:
    """The lock file of a slot of a queue, from 0. Raises JobError if the name is not plain."""
    if not QUEUE_FORM.fullmatch(queue):
        raise JobError(
            f"{queue!r} cannot name a queue. Use small letters, digits, - and _, at most 41, such as 'gpu-0'."
        )
    return jobs_folder / f".queue-{queue}{f'.{slot}' if slot else ''}.lock"


@dataclass(frozen=True)
class JobConfig:
    """What a job is: `command` are arguments to this Python, `created` is in Unix seconds.

    A job waits for those before it in its `queue`, for nobody if that is None; one that `is_light` may run beside
    another. `env` is added to the environment. Pages find their jobs by `about`.
    """

    command: tuple[str, ...]
    kind: str
    title: str
    created: float
    queue: str | None
    cwd: str
    env: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    is_light: bool = False


@dataclass(frozen=True)
class Processes:
    """A job's processes: the runner, which leads the process group, and the command once it has started."""

    runner: ProcessMark
    command: ProcessMark | None = None
    started: float | None = None


@dataclass(frozen=True)
class Result:
    """The end of a job: `finished` is Unix seconds, `reason` one sentence for the user ("" after success).

    `exit_status` is the command's, negative the number of the signal that ended it, None if it never ran.
    """

    state: str
    exit_status: int | None
    finished: float
    reason: str = ""


@dataclass(frozen=True)
class StopRequest:
    """What the marker of a cancelled job holds: seconds for the command to finish before it is killed."""

    grace_s: float


def write_record(path: Path, record: object) -> None:
    """Write one of these to `path`, in one step."""
    _file(type(record), path).write(record)


def read_record(kind: type[Record], path: Path) -> Record:
    """Read a record. Raises JobError if it is missing or damaged."""
    return _file(kind, path).read()


def find_record(kind: type[Record], path: Path) -> Record | None:
    """Read a record; None if its file is not there yet. Raises JobError if it is damaged."""
    return _file(kind, path).find()


def _file(kind: type[Record], path: Path) -> RecordFile[Record]:
    return RecordFile(path, kind, f"Delete the job {path.parent.name} and start it again.", error=JobError)


START_GRACE_S = 60.0
"""How long a job may be without a runner after its creation."""

SILENCE_S = 60.0
"""How long a runner on another machine may be silent before it counts as lost. Here, its process is checked."""


class JobState(StrEnum):
    """The states of a job."""

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
    """The state of a job at one moment, in Unix seconds; the command `started` after any waiting.

    `reason` says why a job is neither running nor has succeeded. `finished` of a killed job is its last heartbeat. It
    `has_leftover` if the runner is lost and its command still runs on this machine.
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
    """A job. `status()` and `state` read its files again each time.

    `damage` says what is wrong with job.json ("" for nothing); `config` holds placeholders then.
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
        """The status now, from a few small files, and the process table where there is no result."""
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
    if result is None:
        return None
    processes = find_record(Processes, paths.processes)
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
    if processes.runner.is_here():
        has_runner = processes.runner.is_alive()
    else:
        seen = _last_sign_of_life(paths)
        has_runner = seen is not None and time.time() - seen < SILENCE_S
    if not has_runner:
        return None
    return Status(JobState.QUEUED if processes.started is None else JobState.RUNNING, started=processes.started)


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
