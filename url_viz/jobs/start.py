"""Starting of jobs: a folder, and a runner, often ready beforehand, that outlives page, browser tab and server."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from url_viz.base.errors import JobError
from url_viz.base.processes import child_variables
from url_viz.base.records import as_json
from url_viz.base.workspace import HOME_VARIABLE, Workspace
from url_viz.jobs.control import log_tail
from url_viz.jobs.job import Job, JobConfig, JobPaths, JobState, Result, new_job_id, queue_lock, write_record

IDLE_S = 600.0
"""How long a runner waits for a job: its command holds memory."""
COMMAND = ("-m", "url_viz")
"""How the commands begin that a waiting one can run."""

Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Task:
    """What a waiting command is to run: arguments of `python -m url_viz`, its folder, variables and log."""

    arguments: tuple[str, ...]
    folder: str
    variables: Mapping[str, str]
    log: str


class ReadyRunner:
    """A runner that waits for a job, with a command whose imports are done: a job begins seconds earlier. Thread-safe.

    The server starts one as it begins and when the first page is shown, and ends it after IDLE_S. The runner
    (`python -m url_viz.jobs.runner`) waits on standard input for the folder of its job, its command
    (`python -m url_viz.cli.waiting`) for a `Task`; each ends if that closes without a word.
    """

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
        """The waiting runner, given a job's folder; None if there is none, or it cannot run the job's command."""
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
    """Start a command that waits for its task."""
    return _waiting("url_viz.cli.waiting", {**os.environ, "PYTHONUNBUFFERED": "1"})


def give_task(task: Task, command: Process) -> bool:
    """Have a waiting command run a task; False if it is gone."""
    return hand_over(as_json(task).encode(), command)


def hand_over(words: bytes, process: Process) -> bool:
    """Write what a process waits for, and close its input; False if it is gone."""
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
    """Send what this process and its children print to a log, and let them read nothing."""
    with log.open("ab") as file, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


START_TIMEOUT_S = 50.0
"""How long the runner may take to report: a cold Python on a slow disk; less than job.START_GRACE_S."""

POLL_S = 0.01
DEFAULT_QUEUE = "default"


def start_job(
    command: Sequence[str],
    *,
    kind: str,
    title: str,
    workspace: Workspace,
    queue: str | None = DEFAULT_QUEUE,
    is_light: bool = False,
    about: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Job:
    """Start `command`, arguments to this Python such as `["-m", "url_viz", "embed", FOLDER]`, as a job.

    Jobs of one `queue` run one after another, in the order of their start, but that two which are `is_light` run side
    by side where the memory allows and they are of different image sets (`Turn`); with None the job does not wait.
    `about` ({"set_id": …}) is stored for `list_jobs`; `env` is added to the environment. The command runs in the
    caller's current folder, with `$URL_VIZ_HOME` set to `workspace`. Returns once the runner has reported. Raises
    JobError if it cannot start.
    """
    if isinstance(command, str) or not command:
        raise JobError(f"{command!r} is not a command. Give a list of arguments, such as ['-m', 'url_viz', 'models'].")
    if any("\0" in part for part in command):
        raise JobError(f"The command {command!r} holds a null byte. Leave it out.")
    config = JobConfig(
        command=tuple(command),
        kind=kind,
        title=title,
        created=time.time(),
        queue=queue,
        cwd=str(Path.cwd()),
        env={HOME_VARIABLE: str(workspace.root), **(env or {})},
        about=dict(about or {}),
        is_light=is_light,
    )
    return _launch(config, workspace.jobs)


def run_again(job: Job) -> Job:
    """Start a new job with the command of `job`. Raises JobError if `job` still runs, or is damaged."""
    if job.damage:
        raise JobError(f"What the job {job.id} did is no longer known: {job.damage}")
    status = job.status()
    if status.is_live or status.has_leftover:
        raise JobError(f"The job {job.id} ({job.title}) still runs. Cancel it, or wait for its end.")
    return _launch(replace(job.config, created=time.time()), job.paths.folder.parent)


def _launch(config: JobConfig, jobs_folder: Path) -> Job:
    if config.queue is not None:
        queue_lock(jobs_folder, config.queue)  # raises for a bad name
    job = Job(_new_folder(config, jobs_folder), config)
    runner = ready_runner.take(job.paths.folder, job.command) or _spawn_runner(job)
    _await_report(runner, job)
    # A thread avoids a zombie. A double fork would make the runner a child of process 1, which in a container is often
    # this server, and does not reap.
    threading.Thread(target=runner.wait, name=f"reaper of job {job.id}", daemon=True).start()
    return job


def _new_folder(config: JobConfig, jobs_folder: Path) -> JobPaths:
    """Make the job's folder, named once job.json is in it, so that no job is listed without one."""
    try:
        jobs_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=jobs_folder) as unnamed:
            paths = JobPaths(Path(unnamed) / "job")
            write_record(paths.config, config)
            return JobPaths(paths.folder.rename(jobs_folder / new_job_id()))
    except OSError as error:
        raise JobError(f"Cannot write a job to {jobs_folder} ({error.strerror}). Is the disk full?") from error


def _spawn_runner(job: Job) -> subprocess.Popen[bytes]:
    try:
        with job.paths.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "url_viz.jobs.runner", str(job.paths.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **child_variables()},
                start_new_session=True,  # not affected by the terminal's Ctrl-C or its closing
            )
    except OSError as error:
        raise _failed_start(job, f"The runner could not be started ({error}).") from error


def _await_report(runner: subprocess.Popen[bytes], job: Job) -> None:
    """Wait for process.json, so that a returned job has a runner. Raises JobError if the runner ends before."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not job.paths.processes.exists():
        if runner.poll() is not None or time.monotonic() > deadline:
            runner.kill()
            runner.wait()
            raise _failed_start(job, f"The runner did not report (exit status {runner.returncode}).")
        time.sleep(POLL_S)


def _failed_start(job: Job, reason: str) -> JobError:
    """Record the job as failed; returns the error with the end of its log."""
    write_record(job.paths.result, Result(JobState.FAILED, None, time.time(), reason))
    log = f" Its log {job.paths.log} ends: {log_tail(job, 5) or 'empty'}" if job.paths.log.exists() else ""
    return JobError(f"Cannot start {job.title!r}. {reason}{log}")
