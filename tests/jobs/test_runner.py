"""Jobs as real processes: how they end, how they are told, how they stand in the queue."""

import os
import re
import signal
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from tests.jobs.conftest import LONG, command_of, ended, kill_runner, processes_of, running, start, until
from url_viz.errors import JobError
from url_viz.jobs import (
    Job,
    cancel_job,
    find_job,
    jobs_ahead,
    list_jobs,
    log_tail,
    progress,
    progress_history,
    run_again,
)
from url_viz.jobs.job_files import Result, find_record
from url_viz.jobs.process import ProcessMark, mark_of
from url_viz.workspace import Workspace

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_a_job_succeeds_and_says_so_under_an_odd_folder_name(odd_workspace: Workspace) -> None:
    job = ended(start(["-c", "print('schön', flush=True)"], workspace=odd_workspace, title="Größe"))
    status = job.status()
    assert (job.state, status.exit_status, status.reason) == ("succeeded", 0, "")
    assert "schön" in log_tail(job).splitlines()
    assert find_job(odd_workspace, job.id) == job


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


def test_a_command_whose_folder_is_gone_fails_and_says_so(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_lived = tmp_path / "short-lived"
    short_lived.mkdir()
    monkeypatch.chdir(short_lived)
    first = ended(start(["-c", "pass"], workspace=workspace))
    monkeypatch.chdir(tmp_path)
    short_lived.rmdir()
    again = ended(run_again(first))
    assert again.state == "failed"
    assert "short-lived" in again.status().reason


def test_the_command_works_in_the_callers_folder_with_its_workspace_and_our_modules(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = "import os, url_viz; print(os.getcwd(), os.environ['URL_VIZ_HOME'], os.environ['EXTRA'], sep='|')"
    job = ended(start(["-c", script], workspace=workspace, env={"EXTRA": "more"}))
    assert f"{tmp_path}|{workspace.root}|more" in log_tail(job)


def test_progress_of_a_command_arrives_while_it_runs(workspace: Workspace) -> None:
    script = (
        "import time\nfrom url_viz.progress import Progress, command_report\nreport = command_report()\n"
        "report(Progress('read', 1, 4, metrics={'loss': 0.5}))\nreport(Progress('map', 4, 4))\ntime.sleep(60)"
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
    "worker = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print('worker', worker.pid, flush=True)\n"
)


def worker_of(job: Job) -> ProcessMark:
    until(lambda: re.search(r"^worker \d+$", log_tail(job), re.MULTILINE) is not None)
    worker = mark_of(int(re.findall(r"^worker (\d+)$", log_tail(job), re.MULTILINE)[0]))
    assert worker is not None
    return worker


def test_cancel_ends_a_running_job_and_all_of_its_processes(workspace: Workspace) -> None:
    job = start(["-c", WITH_WORKER + "time.sleep(60)"], workspace=workspace)
    worker = worker_of(job)
    cancel_job(job)
    assert (job.state, job.status().exit_status) == ("cancelled", -signal.SIGTERM)
    until(lambda: not worker.is_alive())


def test_workers_that_a_killed_command_left_are_ended_with_the_job(workspace: Workspace) -> None:
    job = start(["-c", WITH_WORKER + "time.sleep(60)"], workspace=workspace)
    worker = worker_of(job)
    os.kill(command_of(job).pid, signal.SIGKILL)
    assert ended(job).state == "failed"
    until(lambda: not worker.is_alive())


def test_a_command_may_tidy_up_when_it_is_cancelled(workspace: Workspace) -> None:
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), sys.exit(0)))\n"
        "print('ready\\n', end='')\ntime.sleep(60)"
    )
    job = start(["-c", script], workspace=workspace)
    until(lambda: "ready" in log_tail(job).splitlines())
    cancel_job(job)
    assert job.state == "cancelled", "exit status 0 after a request to stop is no success"
    assert "saved" in log_tail(job).splitlines()


def test_a_command_that_will_not_stop_is_killed_after_the_grace(workspace: Workspace) -> None:
    script = (
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf', flush=True)\ntime.sleep(60)"
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


def test_a_killed_runner_is_lost_and_its_command_is_noticed_and_can_be_ended(workspace: Workspace) -> None:
    job = running(start(LONG, workspace=workspace))
    command = command_of(job)
    kill_runner(job)
    assert (job.state, job.status().has_leftover) == ("lost", True)
    assert "still runs" in job.status().reason
    with pytest.raises(JobError, match="still runs"):
        run_again(job)
    cancel_job(job)
    assert not command.is_alive()
    assert (job.state, job.status().has_leftover) == ("cancelled", False)


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
        "from url_viz.workspace import Workspace\n"
        f"start_job({LONG!r}, kind='test', title='t', workspace=Workspace.at(Path(sys.argv[1])))\n"
        "print('started', flush=True); time.sleep(60)"
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


def test_ended_jobs_leave_neither_zombies_nor_threads(workspace: Workspace) -> None:
    job = ended(start(["-c", "pass"], workspace=workspace))
    runner = processes_of(job).runner
    until(lambda: not any(job.id in thread.name for thread in threading.enumerate()))
    assert not Path(f"/proc/{runner.pid}").exists()


def test_a_job_that_is_deleted_under_its_runner_ends_its_command(workspace: Workspace) -> None:
    job = running(start(LONG, workspace=workspace))
    runner, command = processes_of(job).runner, command_of(job)
    job.paths.folder.rename(workspace.root / "moved away")
    until(lambda: not runner.is_alive() and not command.is_alive())


def test_the_result_is_there_when_the_job_has_ended(workspace: Workspace) -> None:
    job = start(["-c", "pass"], workspace=workspace)
    state = job.state
    while state in {"queued", "running"}:
        state = job.state
    assert state == "succeeded", "never lost between the end of the process and its result"
    assert find_record(Result, job.paths.result) is not None
