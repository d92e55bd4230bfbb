"""A workspace with an odd name, tiny commands, and an end to every process that a test started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from url_viz.base.workspace import Workspace
from url_viz.jobs import Job, cancel_job, list_jobs, start_job
from url_viz.jobs.job import Processes, ProcessMark, find_record

LONG = ["-c", "import time; time.sleep(600)"]
"""A command that no test waits for."""


def until(is_true: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait for a condition; fail where it does not come in time."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


start = partial(start_job, kind="test", title="a test")
"""`start(command, workspace=…)`; every other argument of start_job can be given too."""


def processes_of(job: Job) -> Processes:
    processes = find_record(Processes, job.paths.processes)
    assert processes is not None
    return processes


def command_of(job: Job) -> ProcessMark:
    """The mark of a running job's command."""
    until(lambda: processes_of(job).command is not None)  # the command may say something before it is noted
    command = processes_of(job).command
    assert command is not None
    return command


def ended(job: Job) -> Job:
    until(lambda: not job.status().is_live)
    return job


def running(job: Job) -> Job:
    until(lambda: job.state == "running")
    return job


def kill_runner(job: Job) -> None:
    """Kill -9 the runner alone, and wait until it is gone."""
    runner = processes_of(job).runner
    os.kill(runner.pid, signal.SIGKILL)
    until(lambda: not runner.is_alive())


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace under an odd name."""
    workspace = Workspace.at(tmp_path / "odd 'name\" ü $HOME; 画")
    yield workspace
    for job in list_jobs(workspace):
        status = job.status()
        if (status.is_live and job.paths.processes.exists()) or status.has_leftover:
            cancel_job(job, grace_s=0.2)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own that has nothing to do with any job."""
    process = subprocess.Popen([sys.executable, *LONG], start_new_session=True)
    yield process
    process.kill()
    process.wait()
