"""The runner process of a job (`python -m url_viz.jobs.runner FOLDER`): its turn in the queue, running, the result."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import psutil
from filelock import FileLock, Timeout

from url_viz.base.errors import JobError
from url_viz.base.progress import PROGRESS_VARIABLE
from url_viz.jobs.control import STOP_GRACE_S, end_processes, jobs_ahead, queue_mates
from url_viz.jobs.job import (
    Job,
    JobPaths,
    JobState,
    Processes,
    ProcessMark,
    Result,
    StopRequest,
    find_record,
    mark_of,
    queue_lock,
    read_job,
    write_record,
)
from url_viz.jobs.start import COMMAND, Process, Task, give_task, start_command, write_to

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
    """What a job waits for, and since how many seconds; None if it does not wait."""
    if job.config.queue is None or job.status().state is not JobState.QUEUED:
        return None
    ahead, seconds = jobs_ahead(job), max(0.0, time.time() - job.created)
    if ahead and can_run_alongside(job, ahead):
        return Waiting((), seconds, available_mb())
    return Waiting(tuple(sorted(ahead, key=lambda other: other.id)), seconds)


def can_run_alongside(job: Job, ahead: Sequence[Job]) -> bool:
    """Whether a job may run alongside all jobs that are before it, if there is enough memory.

    All are light, on different image sets unless in SMALL_QUEUE, and none of the others waits: first come, first
    served.
    """
    if not job.config.is_light or len(ahead) >= MOST_LIGHT_JOBS:
        return False
    return all(
        other.config.is_light
        and (job.config.queue == SMALL_QUEUE or job.about.get("set_id", job.id) != other.about.get("set_id"))
        and other.state is JobState.RUNNING
        for other in ahead
    )


class Turn:
    """The turn of a job in its queue: a light job takes one of the locks of the queue, a heavy one all of them."""

    def __init__(self, job: Job) -> None:
        assert job.config.queue is not None
        self._job = job
        folder, queue = job.paths.folder.parent, job.config.queue
        self._locks = [FileLock(queue_lock(folder, queue, slot)) for slot in range(MOST_LIGHT_JOBS)]

    def take(self, ahead: Sequence[Job]) -> bool:
        """Take the turn if it has come, while the jobs `ahead` are live; whether it was taken."""
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
    """MiB that a new process can have on this system, within the limit of this container."""
    available: int = psutil.virtual_memory().available
    with suppress(OSError):  # there is no control group
        limit, used = ((CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        if limit != "max":
            available = min(available, max(0, int(limit) - int(used)))
    return available // 2**20


TICK_S = 0.25
"""Interval at which the runner touches the heartbeat and checks for a request to stop."""

LEFTOVER_GRACE_S = 5.0


class StopSignal:
    """Whether this job was asked to stop: by SIGTERM or SIGINT, or by the marker in its folder."""

    def __init__(self, paths: JobPaths) -> None:
        self._paths = paths
        self._heard_signal = False

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, self._hear)
        signal.signal(signal.SIGINT, self._hear)

    def __call__(self) -> bool:
        return self._heard_signal or self._paths.cancelled.exists()

    def grace_s(self) -> float:
        """Time for the command to finish before it is killed."""
        request = find_record(StopRequest, self._paths.cancelled)
        return STOP_GRACE_S if request is None else request.grace_s

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard_signal = True


def run(job: Job, waiting: Process | None = None) -> Result:
    """Run the job from its first report to its result, which is returned and written.

    Its command is run by the process that is `waiting`, if there is one.
    """
    should_stop = StopSignal(job.paths)
    should_stop.listen()
    job.paths.heartbeat.touch()
    runner = _surely(mark_of(os.getpid()))
    write_record(job.paths.processes, Processes(runner))
    if job.config.queue is None:
        return _finish(job, runner, should_stop, waiting)
    turn = Turn(job)
    try:
        wait_for_turn(job, turn, should_stop)
        return _finish(job, runner, should_stop, waiting)
    finally:
        turn.leave()


def wait_for_turn(job: Job, turn: Turn, should_stop: StopSignal) -> None:
    """Return once the job has its turn, or is asked to stop."""
    ahead = jobs_ahead(job)
    if ahead:
        _say(f"waiting for {len(ahead)} before it in the queue {job.config.queue!r}")
    while not should_stop():
        job.paths.heartbeat.touch()
        ahead = [other for other in ahead if other.status().is_live]
        if turn.take(ahead):
            _end_leftovers(job)
            return
        time.sleep(TICK_S)


def _end_leftovers(job: Job) -> None:
    """End commands whose runner was killed: its place in the queue is free, but its command still runs."""
    for other in queue_mates(job):
        if other.status().has_leftover:
            _say(f"ending what the killed job {other.id} left running")
            if not end_processes(other, grace_s=LEFTOVER_GRACE_S):
                raise JobError(f"The command of the killed job {other.id} does not end. End it, then run this again.")


def _finish(job: Job, runner: ProcessMark, should_stop: StopSignal, waiting: Process | None) -> Result:
    if not should_stop():
        result = run_command(job, runner, should_stop, waiting)
    elif job.paths.cancelled.exists():
        result = Result(JobState.CANCELLED, None, time.time(), "Cancelled before its command started.")
    else:
        reason = "Stopped from outside before its command started. Run it again."
        result = Result(JobState.FAILED, None, time.time(), reason)
    _say(f"{result.state}. {result.reason}".rstrip())
    write_record(job.paths.result, result)
    return result


def run_command(job: Job, runner: ProcessMark, should_stop: StopSignal, waiting: Process | None = None) -> Result:
    """Run the command to its end, in the runner's process group, and return its result."""
    _say("running python " + shlex.join(job.command))
    try:
        command = _started(job, waiting)
    except OSError as error:
        return Result(JobState.FAILED, None, time.time(), f"The command could not be started ({error}).")
    try:
        write_record(job.paths.processes, Processes(runner, _surely(mark_of(command.pid)), time.time()))
        _attend(command, job.paths, should_stop)
    finally:
        # Also if the runner itself fails (a full disk, a deleted folder): no command may run without a runner.
        _end_group(command)
    return _result(command.returncode, job)


def _started(job: Job, waiting: Process | None) -> Process:
    words, folder = job.command, job.config.cwd
    ours = {PROGRESS_VARIABLE: str(job.paths.progress), "PYTHONUNBUFFERED": "1"}
    variables = {**os.environ, **job.config.env, **ours}
    if waiting is not None:
        task = Task(words[len(COMMAND) :], folder, variables, str(job.paths.log))
        if give_task(task, waiting):
            return waiting
    return subprocess.Popen([sys.executable, *words], cwd=folder, env=variables)


def _attend(command: subprocess.Popen[bytes], paths: JobPaths, should_stop: StopSignal) -> None:
    """Wait for the end of the command, with a heartbeat each tick; on a request to stop, terminate it, then kill it."""
    kill_at: float | None = None
    while _still_runs(command):
        paths.heartbeat.touch()
        if kill_at is None and should_stop():
            command.terminate()
            kill_at = time.monotonic() + should_stop.grace_s()
        elif kill_at is not None and time.monotonic() > kill_at:
            command.kill()


def _still_runs(command: subprocess.Popen[bytes]) -> bool:
    try:
        command.wait(timeout=TICK_S)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end_group(command: subprocess.Popen[bytes]) -> None:
    """End the command if it still runs, and its processes in our group (workers of a killed training).

    This process gets the group's SIGTERM too; its handler only records it.
    """
    if command.poll() is None:
        command.kill()
        command.wait()
    if os.getpgrp() == os.getpid():  # else this was started by hand, and the group is the caller's
        os.killpg(os.getpgrp(), signal.SIGTERM)


def _result(exit_status: int, job: Job) -> Result:
    if job.paths.cancelled.exists():
        return Result(JobState.CANCELLED, exit_status, time.time(), "Stopped as asked.")
    if exit_status == 0:
        return Result(JobState.SUCCEEDED, 0, time.time())
    reason = f"The command ended with exit status {exit_status}. Its log says why."
    if exit_status < 0:
        reason = f"The command was killed by {signal.Signals(-exit_status).name}."
        if -exit_status == signal.SIGKILL:
            reason += " Out of memory? Try smaller batches, or close other programs."
    return Result(JobState.FAILED, exit_status, time.time(), reason)


def _surely(mark: ProcessMark | None) -> ProcessMark:
    """The identity of this process or of a child not yet waited for, which is always in the process table."""
    if mark is None:
        raise JobError("The process table does not show our own processes. Is /proc mounted, or ps installed?")
    return mark


def _say(text: str) -> None:
    print(f"[job] {text}", flush=True)


def main() -> None:
    """Run the job whose folder is the only argument, or comes on standard input."""
    if len(sys.argv) > 1:
        run_in(Path(sys.argv[1]))
        return
    waiting = start_command()
    if folder := sys.stdin.buffer.read():
        paths = JobPaths(Path(os.fsdecode(folder)))
        write_to(paths.log)
        run_in(paths.folder, waiting)


def run_in(folder: Path, waiting: Process | None = None) -> None:
    """Run the job in a folder."""
    job = read_job(JobPaths(folder))
    if job.damage:
        raise SystemExit(job.damage)
    run(job, waiting)


if __name__ == "__main__":
    main()
