"""Jobs on SLURM: sent, cancelled and lost on a real cluster where there is one; what SLURM may say, anywhere."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.jobs.conftest import LONG, command_of, ended, processes_of, running, start, until
from url_viz.errors import JobError
from url_viz.jobs import Job, cancel_job, delete_job, find_job, list_jobs, log_tail, progress, run_again
from url_viz.jobs.job_files import find_record, write_record
from url_viz.jobs.slurm import (
    SlurmRequest,
    SlurmTicket,
    gpus_of,
    has_slurm,
    limit_hint,
    minutes_of,
    partitions,
)
from url_viz.workspace import Workspace

SMALL = SlurmRequest(cpus=1, minutes=5)


def answering_nodes() -> int:
    """How many nodes of a real cluster answer here within seconds; 0 without one."""
    if not has_slurm():
        return 0
    command = ["sinfo", "--noheader", "--Node", "--format=%N|%a"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return 0
    return len({line for line in found.stdout.splitlines() if line.endswith("|up")})


SCANCEL = shutil.which("scancel")
NODES = answering_nodes()
"""Asked once: a SLURM that is not set up takes a minute to say so."""

on_cluster = pytest.mark.skipif(NODES == 0, reason="no SLURM answers on this machine (docs/slurm.md)")
on_one_node = pytest.mark.skipif(NODES != 1, reason="needs a SLURM of one node, which one job can fill")

start_on_slurm = partial(start, on_slurm=SMALL)


def ticket_of(job: Job) -> SlurmTicket:
    ticket = find_record(SlurmTicket, job.paths.slurm)
    assert ticket is not None
    return ticket


def slurm_id_of(job: Job) -> str:
    slurm_id = ticket_of(job).slurm_id
    assert slurm_id is not None
    return slurm_id


@pytest.fixture(autouse=True)
def nothing_left_in_slurm(tmp_path: Path) -> Iterator[None]:
    """Cancel what a failed test of ours left in a real SLURM."""
    yield
    if not NODES or SCANCEL is None:
        return
    for told in tmp_path.rglob("slurm.json"):  # by name: the numbers of some are made up
        subprocess.run([SCANCEL, "--quiet", f"--name=url-viz-{told.parent.name}"], check=False)


@pytest.fixture
def full_node(workspace: Workspace) -> Job:
    """A running job that leaves no CPU of the only node to others."""
    most = max(partition.most_cpus for partition in partitions())
    return until_running(start_on_slurm(LONG, workspace=workspace, on_slurm=replace(SMALL, cpus=most)))


def until_running(job: Job) -> Job:
    until(lambda: job.state == "running", 30)
    return job


def until_ended(job: Job) -> Job:
    until(lambda: not job.status().is_live, 30)
    return job


@on_cluster
def test_a_job_runs_on_slurm_and_tells_in_its_folder(odd_workspace: Workspace) -> None:
    script = (
        "import os\nfrom url_viz.progress import Progress, command_report\n"
        "command_report()(Progress('read', 3, 4))\nprint('number', os.environ['SLURM_JOB_ID'], os.environ['EXTRA'])"
    )
    job = start_on_slurm(["-c", script], workspace=odd_workspace, env={"EXTRA": "more"}, title="Größe\n#SBATCH -n9")
    assert find_job(odd_workspace, job.id) == job
    assert list_jobs(odd_workspace, kind="test") == [job]
    until_ended(job)
    latest = progress(job)
    assert (job.state, job.status().exit_status, job.status().reason) == ("succeeded", 0, "")
    assert latest is not None
    assert (latest.stage, latest.done) == ("read", 3)
    assert f"number {slurm_id_of(job)} more" in log_tail(job).splitlines()


@on_cluster
def test_a_failed_command_says_so_and_runs_again_on_slurm(workspace: Workspace) -> None:
    first = until_ended(
        start_on_slurm(["-c", "import sys; print('no room', flush=True); sys.exit(3)"], workspace=workspace)
    )
    again = until_ended(run_again(first))
    for job in (first, again):
        assert (job.state, job.status().exit_status) == ("failed", 3)
        assert "no room" in log_tail(job).splitlines()
    assert ticket_of(again).request == SMALL
    assert slurm_id_of(again) != slurm_id_of(first)


@on_one_node
def test_a_job_waits_in_slurm_says_why_and_is_cancelled_there(workspace: Workspace, full_node: Job) -> None:
    waiting = start_on_slurm(["-c", "print('ran')"], workspace=workspace)
    until(lambda: "(Resources)" in waiting.status().reason, 30)
    assert waiting.state == "queued"
    with pytest.raises(JobError, match="Cancel it, then delete it"):
        delete_job(waiting)
    cancel_job(waiting)
    assert waiting.state == "cancelled"
    assert state_in_slurm(waiting) == "CANCELLED"
    delete_job(waiting)
    assert list_jobs(workspace) == [full_node]


def state_in_slurm(job: Job) -> str:
    command = ["squeue", "--noheader", "--states=all", "--jobs", slurm_id_of(job), "--format=%T"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@on_cluster
def test_cancel_ends_a_running_job_with_its_command(workspace: Workspace) -> None:
    job = until_running(start_on_slurm(LONG, workspace=workspace))
    command = command_of(job)
    cancel_job(job)
    assert job.state == "cancelled"
    assert not command.is_alive()
    until(lambda: state_in_slurm(job) in ("CANCELLED", "COMPLETED", "FAILED"), 30)


@on_cluster
def test_slurm_that_refuses_a_job_is_quoted_and_the_job_is_listed_as_failed(workspace: Workspace) -> None:
    with pytest.raises(JobError, match="Invalid partition name specified"):
        start_on_slurm(["-c", "pass"], workspace=workspace, on_slurm=replace(SMALL, partition="no-such"))
    (job,) = list_jobs(workspace)
    assert job.state == "failed"
    assert "Change partition" in job.status().reason
    with pytest.raises(JobError, match="SLURM did not take it"):
        run_again(job)


@on_one_node
def test_a_job_whose_node_cannot_write_its_folder_points_at_the_shared_disk(
    workspace: Workspace, full_node: Job
) -> None:
    job = start_on_slurm(["-c", "pass"], workspace=workspace)
    job.paths.log.mkdir()  # what the node meets where the disk is not shared: a log that cannot be opened
    cancel_job(full_node)
    until_ended(job)
    assert job.state == "lost"
    assert "file system that the nodes share" in job.status().reason
    job.paths.log.rmdir()


@on_one_node
def test_a_runner_elsewhere_that_is_silent_is_believed_to_run_while_slurm_says_so(workspace: Workspace) -> None:
    job = until_running(start_on_slurm(LONG, workspace=workspace))
    processes = processes_of(job)
    os.kill(processes.runner.pid, signal.SIGSTOP)
    command = command_of(job)
    away = replace(
        processes,
        runner=replace(processes.runner, machine="elsewhere"),
        command=replace(command, machine="elsewhere"),
    )
    write_record(job.paths.processes, away)
    os.utime(job.paths.heartbeat, (0, 0))
    assert job.state == "running"
    os.kill(processes.runner.pid, signal.SIGKILL)
    until(lambda: job.state == "lost", 30)
    assert "SLURM ended it (FAILED)" in job.status().reason
    if command.is_alive():  # a SLURM without cgroups does not find what a killed runner leaves behind
        os.kill(command.pid, signal.SIGKILL)


@on_cluster
def test_a_real_cluster_lists_its_partitions() -> None:
    found = partitions()
    assert [partition.is_default for partition in found].count(True) <= 1
    assert all(partition.most_cpus >= 1 and "*" not in partition.name for partition in found)


# What follows runs anywhere. SLURM is a few programs on PATH; here they are shell scripts that say what SLURM may say.

Say = Callable[..., None]
TAKES_IT = "echo Submitted batch job 4242"


@pytest.fixture
def slurm_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Puts programs of SLURM before all others on PATH: `slurm_says(squeue="echo RUNNING None")`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("url_viz.jobs.slurm.STATUS_AGE_S", 0.0)

    def say(**scripts: str) -> None:
        for name, script in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)

    say(sbatch="exit 1", squeue="exit 1", scancel="exit 1", sinfo="exit 1", sacct="exit 1")
    return say


@pytest.fixture
def taken(workspace: Workspace, slurm_says: Say, tmp_path: Path) -> Job:
    """A job that SLURM took; its number is new for each test, since an answer that a job is over holds for good."""
    number = abs(hash(tmp_path)) % 10**9
    slurm_says(sbatch=f"echo Submitted batch job {number}", squeue="echo PENDING Priority")
    job = start_on_slurm(["-c", "pass"], workspace=workspace)
    assert slurm_id_of(job) == str(number)
    return job


NO_SUCH_JOB = "echo slurm_load_jobs error: Invalid job id specified >&2; exit 1"


def test_the_batch_script_says_what_was_asked_for_and_no_more(
    workspace: Workspace, slurm_says: Say, tmp_path: Path
) -> None:
    slurm_says(sbatch=f'cp "$1" "{tmp_path}/batch.sh"; {TAKES_IT}', squeue="echo PENDING None")
    start(["-c", "pass"], workspace=workspace, on_slurm=SlurmRequest(partition="gpu-a", gpus=2, cpus=6, minutes=90))
    text = (tmp_path / "batch.sh").read_text()
    asked = {"--partition=gpu-a", "--gpus-per-node=2", "--cpus-per-task=6", "--time=90", "--no-requeue"}
    assert {f"#SBATCH {option}" for option in asked} <= set(text.splitlines())
    start_on_slurm(["-c", "pass"], workspace=workspace)
    text = (tmp_path / "batch.sh").read_text()
    assert not {option for option in ("--partition", "--gpus") if option in text}, "left to the cluster"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("TIMEOUT", "time limit"),
        ("OUT_OF_MEMORY", "out of memory"),
        ("NODE_FAIL", "node failed"),
        ("PREEMPTED", "another job"),
        ("CANCELLED", "from outside"),
        ("FAILED", "file system that the nodes share"),
        ("COMPLETED", "file system that the nodes share"),
    ],
)
def test_a_job_that_slurm_ended_is_lost_and_says_why(taken: Job, slurm_says: Say, state: str, told: str) -> None:
    assert (taken.state, taken.status().reason) == ("queued", "Waiting in SLURM (Priority).")
    slurm_says(squeue=f"echo {state} NonZeroExitCode")
    assert taken.state == "lost"
    assert told in taken.status().reason


@pytest.mark.parametrize(
    ("accounting", "reason"),
    [
        ("echo CANCELLED by 1000", "from outside"),
        ("echo Slurm accounting storage is disabled >&2; exit 1", "no longer knows it"),
    ],
)
def test_accounting_is_asked_for_a_job_that_the_queue_has_forgotten(
    taken: Job, slurm_says: Say, accounting: str, reason: str
) -> None:
    slurm_says(squeue=NO_SUCH_JOB, sacct=accounting)
    assert taken.state == "lost"
    assert reason in taken.status().reason


def test_a_cluster_that_does_not_answer_ends_nothing(taken: Job, slurm_says: Say) -> None:
    slurm_says(squeue="echo Unable to contact slurm controller >&2; exit 1")
    assert taken.state == "queued"
    assert "Unable to contact slurm controller" in taken.status().reason


def test_a_job_that_slurm_will_not_cancel_says_so_and_stays(taken: Job, slurm_says: Say) -> None:
    slurm_says(scancel="echo Access/permission denied >&2; exit 1")
    with pytest.raises(JobError, match="permission denied"):
        cancel_job(taken, grace_s=0.1)
    assert taken.state == "queued"


def test_a_damaged_ticket_is_told(taken: Job) -> None:
    taken.paths.slurm.write_text('{"request": {"cpu')
    assert taken.state == "damaged"
    assert "slurm.json is damaged" in taken.status().reason


def test_sbatch_that_says_something_else_is_quoted(workspace: Workspace, slurm_says: Say) -> None:
    slurm_says(sbatch="echo Come back tomorrow")
    with pytest.raises(JobError, match="SLURM did not take it"):
        start_on_slurm(["-c", "pass"], workspace=workspace)


def test_partitions_are_read_from_sinfo(slurm_says: Say) -> None:
    slurm_says(
        sinfo="printf 'cpu|up|infinite|(null)|16\\ngpu*|up|1-00:00:00|gpu:a100:4(S:0-1)|64\\n"
        "gpu*|up|1-00:00:00|gpu:a100:8|32+\\nold|down|10:00|(null)|4\\n'"
    )
    gpu, cpu = partitions()
    assert (gpu.name, gpu.is_default, gpu.most_gpus, gpu.most_cpus, gpu.most_minutes) == ("gpu", True, 8, 64, 1440)
    assert (cpu.name, cpu.most_gpus, cpu.most_minutes) == ("cpu", 0, None)


def test_partitions_of_a_cluster_that_does_not_answer_are_an_error(slurm_says: Say) -> None:
    slurm_says(sinfo="echo Unable to contact slurm controller >&2; exit 1")
    with pytest.raises(JobError, match="Unable to contact"):
        partitions()


def test_without_slurm_a_job_for_it_says_so_and_is_listed_as_failed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert not has_slurm()
    with pytest.raises(JobError, match="no SLURM"):
        start_on_slurm(["-c", "pass"], workspace=workspace)
    assert [job.state for job in list_jobs(workspace)] == ["failed"]


@pytest.mark.parametrize(
    "asked", [{"partition": "a\nrm -r x"}, {"partition": "a b"}, {"gpus": -1}, {"cpus": 0}, {"minutes": 0}]
)
def test_a_request_that_makes_no_sense_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(JobError):
        SlurmRequest(**asked)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("infinite", None), ("10:00", 10), ("8:00:00", 480), ("1-00:00:00", 1440), ("2-01:30:00", 2970), ("0:30", 0)],
)
def test_time_limits_are_read_as_minutes(limit: str, minutes: int | None) -> None:
    assert minutes_of(limit) == minutes


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [("(null)", 0), ("gpu:4", 4), ("gpu:a100:4(S:0-1)", 4), ("gpu:a100:2,gpu:h100:1", 3), ("nic:2", 0), ("shard:8", 0)],
)
def test_gpus_are_counted_in_generic_resources(gres: str, gpus: int) -> None:
    assert gpus_of(gres) == gpus


def test_a_job_that_hears_sigterm_near_its_time_limit_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_END_TIME", "1")  # as SLURM sets it for what it runs; long past
    job = running(start(LONG, workspace=workspace))
    os.killpg(processes_of(job).runner.pid, signal.SIGTERM)
    assert ended(job).state == "failed"
    assert "time limit in SLURM" in job.status().reason


def test_sigterm_long_before_the_limit_has_another_cause() -> None:
    assert limit_hint({"SLURM_JOB_END_TIME": "99999999999"}) == ""
    assert limit_hint({}) == ""
