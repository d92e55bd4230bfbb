"""Jobs as files: what is listed, found, deleted and repeated, and what a damaged or foreign file makes of a state."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.jobs.conftest import LONG, running, start, until
from tests.sealing import with_seal
from url_viz.base.errors import JobError
from url_viz.base.workspace import Workspace
from url_viz.jobs import (
    Job,
    cancel_job,
    delete_job,
    find_job,
    list_jobs,
    log_tail,
    progress,
    progress_history,
    run_again,
)
from url_viz.jobs.control import HISTORY_BYTES
from url_viz.jobs.job import (
    JobConfig,
    JobPaths,
    Processes,
    ProcessMark,
    Result,
    is_job_id,
    mark_of,
    new_job_id,
    this_machine,
    write_record,
)

pytestmark = pytest.mark.slow


def written(workspace: Workspace, kind: str = "test", **about: str) -> Job:
    """A job that has succeeded, made of its files: those are all that a state is derived from."""
    paths = JobPaths(workspace.jobs / new_job_id())
    config = JobConfig(("-c", "pass"), kind, "a test", time.time(), None, str(workspace.root), about=about)
    write_record(paths.config, config)
    over = ProcessMark(pid=2**22 + 1, started=1.0, machine=this_machine())  # beyond the largest id that Linux gives
    write_record(paths.processes, Processes(over, None, time.time()))
    write_record(paths.result, Result("succeeded", 0, time.time()))
    return Job(paths, config)


@pytest.fixture
def done(workspace: Workspace) -> Job:
    return written(workspace)


@pytest.fixture
def mark(bystander: subprocess.Popen[bytes]) -> ProcessMark:
    mark = mark_of(bystander.pid)
    assert mark is not None
    return mark


def with_processes(job: Job, processes: Processes) -> Job:
    """The job as if it had no result yet and these processes worked for it."""
    job.paths.result.unlink(missing_ok=True)
    write_record(job.paths.processes, processes)
    return job


def test_a_reused_process_id_is_not_taken_for_the_job_and_never_signalled(
    done: Job, bystander: subprocess.Popen[bytes], mark: ProcessMark
) -> None:
    job = with_processes(done, Processes(replace(mark, started=1.0), replace(mark, started=2.0), time.time()))
    assert job.state == "lost"
    assert "left no result" in job.status().reason
    with pytest.raises(JobError, match="lost: there is nothing to stop"):
        cancel_job(job)
    assert bystander.poll() is None
    assert not job.paths.cancelled.exists()
    delete_job(job)


def test_the_same_mark_with_the_right_start_time_is_alive(
    done: Job, bystander: subprocess.Popen[bytes], mark: ProcessMark
) -> None:
    job = with_processes(done, Processes(mark, None, time.time()))
    assert job.state == "running"
    bystander.kill()
    until(lambda: job.state == "lost")  # nobody has reaped it yet: a zombie does not run
    assert Path(f"/proc/{bystander.pid}/stat").exists()


def test_a_runner_on_another_machine_lives_as_long_as_its_heart_beats(done: Job, mark: ProcessMark) -> None:
    job = with_processes(done, Processes(replace(mark, machine="elsewhere"), None, time.time()))
    job.paths.heartbeat.touch()
    assert job.state == "running"
    os.utime(job.paths.heartbeat, (time.time() - 3600,) * 2)
    assert job.state == "lost"
    finished = job.status().finished
    assert finished is not None
    assert finished < time.time() - 3000


def test_a_job_on_another_machine_that_does_not_answer_is_not_signalled_here(
    done: Job, bystander: subprocess.Popen[bytes], mark: ProcessMark
) -> None:
    job = with_processes(done, Processes(replace(mark, machine="elsewhere"), None, time.time()))
    job.paths.heartbeat.touch()
    with pytest.raises(JobError, match="another machine"):
        cancel_job(job, grace_s=-1.4)
    assert bystander.poll() is None
    assert job.paths.cancelled.exists(), "its runner shall find the marker"
    os.utime(job.paths.heartbeat, (0, 0))
    assert job.state == "cancelled"


def test_a_job_that_ends_between_two_looks_is_not_lost(done: Job) -> None:
    result, processes = done.paths.result.read_text(), done.paths.processes.read_text()
    done.paths.result.unlink()
    done.paths.processes.unlink()
    os.mkfifo(done.paths.processes)  # holds the reader between its look for the result and its look at the process

    def end_meanwhile() -> None:
        with done.paths.processes.open("w") as pipe:
            done.paths.result.write_text(result)
            done.paths.processes.unlink()
            done.paths.processes.write_text(processes)
            pipe.write(processes)

    with ThreadPoolExecutor(1) as other:
        ending = other.submit(end_meanwhile)
        assert done.state == "succeeded"
        ending.result()


def test_a_folder_without_a_runner_is_queued_at_first_and_lost_later(done: Job) -> None:
    done.paths.result.unlink()
    done.paths.processes.unlink()
    assert done.state == "queued"
    early = replace(done, config=replace(done.config, created=time.time() - 3600))
    assert early.state == "lost"


@pytest.mark.parametrize(
    "damage", [None, "", "{", "[]", '{"command": 3}', '{"command": ["a"], "kind": 7}', "\x00", "[" * 200_000]
)
def test_a_damaged_job_is_listed_and_can_be_deleted(workspace: Workspace, done: Job, damage: str | None) -> None:
    whole = done.paths.config.read_bytes()
    changed = whole.replace(b'"kind": "t', b'"kind": "u')  # a flipped bit, under the seal of what it was
    assert changed != whole
    done.paths.config.write_bytes(changed if damage is None else with_seal(damage.encode()))
    (listed,) = list_jobs(workspace)
    assert (listed.id, listed.state, listed.command) == (done.id, "damaged", ())
    assert "job.json" in listed.status().reason
    assert find_job(workspace, done.id).state == "damaged"
    with pytest.raises(JobError, match="no longer known"):
        run_again(listed)
    delete_job(listed)
    assert list_jobs(workspace) == []


@pytest.mark.parametrize("name", ["result", "processes"])
@pytest.mark.parametrize(
    "damage", ["", "[1]", "{}", '{"state": "happy", "exit_status": 0, "finished": 1, "reason": ""}']
)
def test_a_damaged_record_makes_the_state_damaged(workspace: Workspace, done: Job, name: str, damage: str) -> None:
    path: Path = getattr(done.paths, name)
    path.write_text(damage)
    (listed,) = list_jobs(workspace)
    assert listed.state == "damaged"
    assert path.name in listed.status().reason
    with pytest.raises(JobError, match="nothing to stop"):
        cancel_job(listed)
    delete_job(listed)


def test_jobs_are_listed_newest_first_by_kind_and_by_what_they_are_about(workspace: Workspace) -> None:
    assert list_jobs(workspace) == []
    first = written(workspace, "embed", set_id="a", model="m")
    second = written(workspace, "train", set_id="a")
    third = written(workspace, "embed", set_id="b")
    (workspace.jobs / "notes").mkdir()
    assert list_jobs(workspace) == [third, second, first]
    assert list_jobs(workspace, kind="embed") == [third, first]
    assert list_jobs(workspace, about={"set_id": "a"}) == [second, first]
    assert list_jobs(workspace, kind="embed", about={"set_id": "a", "model": "m"}) == [first]
    assert list_jobs(workspace, about={"set_id": "c"}) == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../jobs", "20261124-152249-123456-ab12cd/..", "x", "２0261124-152249-123456-ab12cd"]
)
def test_only_an_id_finds_a_job(workspace: Workspace, name: str) -> None:
    assert not is_job_id(name)
    with pytest.raises(JobError, match="is not a job id"):
        find_job(workspace, name)
    with pytest.raises(JobError, match="no job"):
        find_job(workspace, new_job_id())


def test_ids_sort_by_time() -> None:
    ids = []
    for _ in range(20):
        ids.append(new_job_id())
        time.sleep(0.0001)
    assert ids == sorted(ids)
    assert all(map(is_job_id, ids))


def test_a_damaged_job_whose_processes_run_can_still_be_stopped(workspace: Workspace) -> None:
    job = running(start(LONG, workspace=workspace))
    job.paths.config.write_text("{")
    (listed,) = list_jobs(workspace)
    with pytest.raises(JobError, match="still runs"):
        delete_job(listed)
    cancel_job(listed)
    delete_job(listed)
    assert list_jobs(workspace) == []


def test_cancelling_what_has_ended_is_an_error_and_changes_nothing(done: Job) -> None:
    with pytest.raises(JobError, match="succeeded: there is nothing to stop"):
        cancel_job(done)
    assert done.state == "succeeded"
    assert not done.paths.cancelled.exists()


@pytest.mark.parametrize("command", [[], "-m url_viz", ["-c", "a\0b"]])
def test_what_is_no_command_is_refused(workspace: Workspace, command: list[str]) -> None:
    with pytest.raises(JobError, match="command"):
        start(command, workspace=workspace)
    assert list_jobs(workspace) == []


@pytest.mark.parametrize("queue", ["", "../x", "Größe", ".lock", "a" * 60])
def test_a_queue_has_a_plain_name(workspace: Workspace, queue: str) -> None:
    with pytest.raises(JobError, match="cannot name a queue"):
        start(["-c", "pass"], workspace=workspace, queue=queue)
    assert list_jobs(workspace) == []


def test_a_runner_that_does_not_start_is_an_error_and_a_failed_job(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(JobError, match="exit status 1"):
        start(["-c", "pass"], workspace=workspace)
    assert [job.state for job in list_jobs(workspace)] == ["failed"]
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(JobError, match="nowhere"):
        start(["-c", "pass"], workspace=workspace)
    assert [job.state for job in list_jobs(workspace)] == ["failed", "failed"]


def test_a_half_written_progress_line_is_passed_over(done: Job) -> None:
    assert progress(done) is None
    assert progress_history(done) == []
    whole = json.dumps({"time": 5.0, "stage": "read", "done": 7, "total": None, "metrics": {"loss": 0.25}})
    done.paths.progress.write_text(whole + "\n" + whole.replace("7", "8")[:40])
    latest = progress(done)
    assert latest is not None
    assert (latest.done, latest.total, latest.metrics) == (7, None, {"loss": 0.25})
    assert [record.done for record in progress_history(done)] == [7]
    done.paths.progress.write_text(whole[:20])
    assert progress(done) is None


def test_of_a_long_history_the_end_is_read(done: Job) -> None:
    lines = (json.dumps({"time": step, "stage": "t" * 4_000, "done": step}) for step in range(1_200))
    done.paths.progress.write_text("\n".join(lines) + "\n")
    assert done.paths.progress.stat().st_size > HISTORY_BYTES
    counts = [record.done for record in progress_history(done)]
    assert counts == list(range(1_200 - len(counts), 1_200))
    assert HISTORY_BYTES // 4_200 < len(counts) < 1_200


def test_the_log_tail_gives_the_last_lines_and_the_last_drawing_of_a_bar(done: Job) -> None:
    text = "".join(f"line {number}\n" for number in range(100_000)) + " 10%\r 50%\r100%\nende ü"
    done.paths.log.write_bytes(text.encode() + b"\xff\n")
    assert log_tail(done, 3).splitlines() == ["line 99999", "100%", "ende ü\N{REPLACEMENT CHARACTER}"]
    assert len(log_tail(done).splitlines()) == 200
    done.paths.log.unlink()
    assert log_tail(done) == ""


def test_a_mark_of_no_process_is_none_and_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    assert mark_of(process.pid) is None
    assert not ProcessMark(process.pid, 1.0, this_machine()).is_alive()
