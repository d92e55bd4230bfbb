"""A runner and a command that waited: a job that they run is like any other, and without them it starts its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.jobs.conftest import command_of, ended, processes_of, running, start, until
from url_viz.base.workspace import Workspace
from url_viz.jobs import cancel_job, log_tail
from url_viz.jobs import start as ready
from url_viz.jobs import start as start_module
from url_viz.jobs.job import alive_processes
from url_viz.jobs.start import Process, ReadyRunner

pytestmark = pytest.mark.slow

SETS = ["-m", "url_viz", "sets", "list"]


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadyRunner]:
    """What starts jobs keeps a runner that waits."""
    keeper = ReadyRunner()
    monkeypatch.setattr(start_module, "ready_runner", keeper)
    keeper.keep()
    yield keeper
    if keeper._process is not None:
        keeper._process.kill()
        keeper._process.wait()


def _waiting(keeper: ReadyRunner) -> tuple[Process, psutil.Process]:
    """The runner and its command."""
    runner = keeper._process
    assert runner is not None
    until(lambda: bool(psutil.Process(runner.pid).children()))
    return runner, psutil.Process(runner.pid).children()[0]


def test_a_job_is_run_by_those_that_waited_and_the_next_one_by_its_own(
    keeper: ReadyRunner, workspace: Workspace
) -> None:
    runner, command = _waiting(keeper)
    job = start([*SETS, "--workspace", str(workspace.root)], workspace=workspace)
    until(lambda: not job.status().is_live, seconds=60)
    assert (job.state, job.status().exit_status) == ("succeeded", 0), log_tail(job)
    assert (processes_of(job).runner.pid, command_of(job).pid) == (runner.pid, command.pid)
    assert "no image set" in log_tail(job).lower()
    assert job.paths.progress.parent == job.paths.folder
    assert processes_of(ended(start(["-c", ""], workspace=workspace))).runner.pid != runner.pid
    assert keeper.prepare()
    assert _waiting(keeper)[0].pid != runner.pid


def test_a_cancelled_job_ends_those_that_waited(keeper: ReadyRunner, workspace: Workspace) -> None:
    _, command = _waiting(keeper)
    job = running(start(SETS, workspace=workspace))  # its command still imports
    cancel_job(job)
    assert ended(job).state == "cancelled"
    assert alive_processes(processes_of(job)) == []
    until(lambda: not command.is_running())


@pytest.mark.parametrize("gone", ["runner", "command"])
def test_a_job_starts_its_own_where_none_that_waits_can_run_it(
    keeper: ReadyRunner, workspace: Workspace, gone: str
) -> None:
    runner, command = _waiting(keeper)
    os.kill(runner.pid if gone == "runner" else command.pid, signal.SIGKILL)
    until(lambda: not command.is_running() or command.status() == psutil.STATUS_ZOMBIE)
    job = start(["-m", "url_viz", "--help"], workspace=workspace)
    until(lambda: not job.status().is_live, seconds=60)
    assert job.state == "succeeded", log_tail(job)
    assert command_of(job).pid != command.pid
    assert (processes_of(job).runner.pid == runner.pid) == (gone == "command")


def test_those_that_wait_in_vain_end_with_the_process_that_keeps_them_or_in_time(
    keeper: ReadyRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "from url_viz.jobs.start import ready_runner as r; r.keep(); print(r._process.pid)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    until(lambda: not psutil.pid_exists(int(said)), seconds=60)
    monkeypatch.setattr(ready, "IDLE_S", 0.1)
    another = ReadyRunner()
    another.keep()
    until(lambda: another._process is None)


def test_nothing_waits_in_a_process_that_keeps_none() -> None:
    nobody = ReadyRunner()
    assert not nobody.prepare()
    assert nobody.take(Path("folder"), SETS) is None
