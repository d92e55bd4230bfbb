"""A workspace with an odd name, tiny commands, and an end to every process that a test started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from url_viz.errors import JobError
from url_viz.jobs import Job, cancel_job, list_jobs, start_job
from url_viz.jobs.job import living
from url_viz.jobs.process import ProcessMark
from url_viz.jobs.records import read_processes
from url_viz.workspace import Workspace

LONG = ["-c", "import time; time.sleep(60)"]
"""A command that no test waits for."""


def until(is_true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition; fail where it does not come in time."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def start(workspace: Workspace, command: list[str], **more: object) -> Job:
    return start_job(command, **{"kind": "test", "title": "a test", "workspace": workspace, **more})


def ended(job: Job) -> Job:
    until(lambda: not job.status().is_live)
    return job


def running(job: Job) -> Job:
    until(lambda: job.state == "running")
    return job


def gone(job: Job) -> Job:
    """The job with its runner's process gone as well, which ends just after the result is written."""
    until(lambda: not ended(job).status().is_live and not _living_of(job))
    return job


def kill_runner(job: Job) -> None:
    """Kill -9 the runner alone, and wait until it is gone."""
    processes = read_processes(job.paths.processes)
    assert processes is not None
    os.kill(processes.runner.pid, signal.SIGKILL)
    until(lambda: not processes.runner.is_alive())


@pytest.fixture(params=["plain", "odd 'name\" ü $HOME; 画"])
def any_workspace(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Workspace]:
    """A workspace under a plain and under an odd name."""
    yield from _opened(tmp_path / request.param)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    yield from _opened(tmp_path / "work space")


def _opened(root: Path) -> Iterator[Workspace]:
    workspace = Workspace.at(root)
    yield workspace
    for job in list_jobs(workspace):
        status = job.status()
        if (status.is_live or status.has_leftover) and _living_of(job):
            cancel_job(job, grace_s=0.2)


def _living_of(job: Job) -> list[ProcessMark]:
    try:
        return living(read_processes(job.paths.processes))
    except JobError:
        return []  # a test damaged process.json, of a job that had ended


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own that has nothing to do with any job."""
    process = subprocess.Popen([sys.executable, *LONG], start_new_session=True)
    yield process
    process.kill()
    process.wait()
