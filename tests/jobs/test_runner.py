"""Jobs as real processes: how they end, how they are told, how they stand in the queue."""

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.jobs.conftest import LONG, command_of, ended, kill_runner, processes_of, running, start, until
from url_viz.base.errors import JobError
from url_viz.base.workspace import Workspace
from url_viz.jobs import (
    Job,
    cancel_job,
    delete_job,
    find_job,
    jobs_ahead,
    list_jobs,
    log_tail,
    progress,
    progress_history,
    run_again,
)
from url_viz.jobs.job import ProcessMark, Result, find_record, mark_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_a_job_succeeds_says_so_and_leaves_nothing_and_the_same_runs_again_while_its_folder_is_there(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the caller's folder, with its workspace and our modules, under an odd name."""
    short_lived = tmp_path / "short-lived"
    short_lived.mkdir()
    monkeypatch.chdir(short_lived)
    script = "import os, url_viz; print('schön', os.getcwd(), os.environ['URL_VIZ_HOME'], os.environ['EXTRA'], sep='|')"
    job = start(
        ["-c", script],
        workspace=workspace,
        title="Größe",
        about={"set_id": "a"},
        env={"EXTRA": "more"},
        queue="gpu",
    )
    while (state := job.state) in {"queued", "running"}:
        continue
    assert state == "succeeded", "never lost between the end of the process and its result"
    assert find_record(Result, job.paths.result) is not None
    assert (job.status().exit_status, job.status().reason) == (0, "")
    assert f"schön|{short_lived}|{workspace.root}|more" in log_tail(job).splitlines()
    assert find_job(workspace, job.id) == job
    until(lambda: not any(job.id in thread.name for thread in threading.enumerate()))
    assert not Path(f"/proc/{processes_of(job).runner.pid}").exists(), "no zombie"

    again = ended(run_again(job))
    assert (again.id > job.id, again.created > job.created, again.state) == (True, True, "succeeded")
    assert replace(again.config, created=job.created) == job.config
    assert log_tail(again) == log_tail(job)
    monkeypatch.chdir(tmp_path)
    short_lived.rmdir()
    without = ended(run_again(job))
    assert without.state == "failed"
    assert "short-lived" in without.status().reason


@pytest.mark.parametrize(
    ("end", "exit_status", "reason"),
    [("sys.exit(3)", 3, "exit status 3"), ("os.kill(os.getpid(), 9)", -9, "SIGKILL. Out of memory?")],
)
def test_a_job_fails_with_its_exit_status_and_its_log_says_why(
    workspace: Workspace, end: str, exit_status: int, reason: str
) -> None:
    job = ended(start(["-c", f"import os, sys; print('no room', flush=True); {end}"], workspace=workspace))
    assert (job.state, job.status().exit_status) == ("failed", exit_status)
    assert reason in job.status().reason
    assert "no room" in log_tail(job).splitlines()


def test_progress_of_a_command_arrives_while_it_runs(workspace: Workspace) -> None:
    script = (
        "import time\nfrom url_viz.base.progress import Progress, command_report\nreport = command_report()\n"
        "report(Progress('read', 1, 4, metrics={'loss': 0.5}))\nreport(Progress('map', 4, 4))\ntime.sleep(600)"
    )
    job = start(["-c", script], workspace=workspace)
    until(lambda: len(progress_history(job)) == 2)
    latest = progress(job)
    assert job.state == "running"
    assert latest is not None
    assert (latest.stage, latest.done, latest.total) == ("map", 4, 4)
    assert progress_history(job)[0].metrics == {"loss": 0.5}


WITH_WORKER = (
    "import subprocess, sys, time\n"
    "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print('worker', worker.pid, flush=True)\n"
)


def worker_of(job: Job) -> ProcessMark:
    until(lambda: re.search(r"^worker \d+$", log_tail(job), re.MULTILINE) is not None)
    worker = mark_of(int(re.findall(r"^worker (\d+)$", log_tail(job), re.MULTILINE)[0]))
    assert worker is not None
    return worker


def test_cancel_ends_a_running_job_and_all_of_its_processes(workspace: Workspace) -> None:
    job = start(["-c", WITH_WORKER + "time.sleep(600)"], workspace=workspace)
    worker = worker_of(job)
    cancel_job(job)
    assert (job.state, job.status().exit_status) == ("cancelled", -signal.SIGTERM)
    until(lambda: not worker.is_alive())


def test_workers_that_a_killed_command_left_are_ended_with_the_job(workspace: Workspace) -> None:
    job = start(["-c", WITH_WORKER + "time.sleep(600)"], workspace=workspace)
    worker = worker_of(job)
    os.kill(command_of(job).pid, signal.SIGKILL)
    assert ended(job).state == "failed"
    until(lambda: not worker.is_alive())


def test_a_command_may_tidy_up_when_it_is_cancelled(workspace: Workspace) -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(0)))\n"
        "print('ready\\n', end='')\ntime.sleep(600)"
    )
    job = start(["-c", script], workspace=workspace)
    until(lambda: "ready" in log_tail(job).splitlines())
    cancel_job(job)
    assert job.state == "cancelled", "exit status 0 after a request to stop is no success"
    assert "saved" in log_tail(job).splitlines()


def test_a_command_that_will_not_stop_is_killed_after_the_grace(workspace: Workspace) -> None:
    script = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(600)"
    )
    job = start(["-c", script], workspace=workspace)
    until(lambda: "deaf" in log_tail(job).splitlines())
    cancel_job(job, grace_s=0.1)
    assert (job.state, job.status().exit_status) == ("cancelled", -signal.SIGKILL)


def test_cancel_works_where_the_runner_itself_is_stopped(workspace: Workspace) -> None:
    job = running(start(LONG, workspace=workspace))
    runner = processes_of(job).runner
    os.kill(runner.pid, signal.SIGSTOP)
    cancel_job(job, grace_s=0.1)
    assert job.state == "cancelled"
    assert not runner.is_alive()


def test_the_marker_alone_stops_a_job_as_a_canceller_on_another_machine_needs(workspace: Workspace) -> None:
    job = running(start(LONG, workspace=workspace))
    job.paths.cancelled.write_text('{"grace_s": 5}')
    assert ended(job).state == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.torture)])
def test_a_signal_from_outside_is_a_failure_and_not_a_cancellation(workspace: Workspace, number: int) -> None:
    job = running(start(LONG, workspace=workspace))
    runner = processes_of(job).runner
    os.kill(runner.pid, number)
    assert ended(job).state == "failed"
    assert "SIGTERM" in job.status().reason


def test_jobs_of_a_queue_run_one_after_another_in_order(workspace: Workspace) -> None:
    first = running(start(LONG, workspace=workspace))
    second, third = (start(["-c", "import time; time.sleep(0.1)"], workspace=workspace) for _ in range(2))
    assert [second.state, third.state] == ["queued", "queued"]
    assert jobs_ahead(third) == [second, first]
    beside = start(["-c", "pass"], workspace=workspace, queue="other")
    alone = start(["-c", "pass"], workspace=workspace, queue=None)
    assert [ended(beside).state, ended(alone).state] == ["succeeded", "succeeded"]
    assert [second.state, third.state] == ["queued", "queued"]
    cancel_job(first)
    assert [ended(third).state, second.state] == ["succeeded", "succeeded"]
    for before, after in pairwise([first.status(), second.status(), third.status()]):
        assert before.finished is not None
        assert after.started is not None
        assert before.finished <= after.started


def test_a_queued_job_is_cancelled_before_its_command_starts(workspace: Workspace) -> None:
    running(start(LONG, workspace=workspace))
    waiting = start(["-c", "print('must not run')"], workspace=workspace)
    assert waiting.state == "queued"
    cancel_job(waiting)
    assert waiting.state == "cancelled"
    assert waiting.status().started is None
    assert "must not run" not in log_tail(waiting).splitlines()


def test_a_running_job_is_neither_deleted_nor_repeated_nor_one_whose_killed_runner_left_its_command(
    workspace: Workspace,
) -> None:
    job = running(start(LONG, workspace=workspace))
    for refused in (delete_job, run_again):
        with pytest.raises(JobError, match="still runs"):
            refused(job)
    command = command_of(job)
    kill_runner(job)
    assert (job.state, job.status().has_leftover) == ("lost", True)
    assert "still runs" in job.status().reason
    for refused in (delete_job, run_again):
        with pytest.raises(JobError, match="still runs"):
            refused(job)
    cancel_job(job)
    assert not command.is_alive()
    assert (job.state, job.status().has_leftover) == ("cancelled", False)
    delete_job(job)
    assert list(workspace.jobs.glob("*2*")) == [], "nothing of it is left, under no name"
    assert "deleted" in job.status().reason
    with pytest.raises(JobError, match="deleted already"):
        delete_job(job)


def test_the_next_job_of_the_queue_ends_what_a_killed_one_left(workspace: Workspace) -> None:
    job = running(start(LONG, workspace=workspace))
    command = command_of(job)
    kill_runner(job)
    after = ended(start(["-c", "pass"], workspace=workspace))
    assert after.state == "succeeded"
    assert not command.is_alive()
    assert (job.state, job.status().has_leftover) == ("lost", False)
    assert job.id in log_tail(after)


def test_a_job_outlives_its_starter_and_a_ctrl_c_to_the_starters_group(workspace: Workspace) -> None:
    script = (
        "import sys, time; from pathlib import Path; from url_viz.jobs import start_job\n"
        "from url_viz.base.workspace import Workspace\n"
        f"start_job({LONG!r}, kind='test', title='t', workspace=Workspace.at(Path(sys.argv[1])))\n"
        "print('started', flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, str(workspace.root)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        os.killpg(starter.pid, signal.SIGINT)
    assert starter.returncode != 0
    job = running(list_jobs(workspace)[0])
    beat = job.paths.heartbeat.stat().st_mtime
    until(lambda: job.paths.heartbeat.stat().st_mtime > beat)
    cancel_job(job)
    assert job.state == "cancelled"


def test_a_job_that_is_deleted_under_its_runner_ends_its_command(workspace: Workspace) -> None:
    job = running(start(LONG, workspace=workspace))
    runner, command = processes_of(job).runner, command_of(job)
    job.paths.folder.rename(workspace.root / "moved away")
    until(lambda: not runner.is_alive() and not command.is_alive())
