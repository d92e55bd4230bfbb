"""Jobs on SLURM: submission, state, cancelling, and the partitions of the cluster.

The runner on the node is the one that runs jobs on this machine (`python -m url_viz.jobs.runner`), so log, progress
and result lie in the same folder; SLURM's queue replaces ours. docs/slurm.md describes the use.
"""

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from url_viz.errors import JobError
from url_viz.jobs.job_files import JobPaths, find_record, write_record
from url_viz.workspace import HOME_VARIABLE

TOOLS = ("sbatch", "squeue", "scancel", "sinfo")
"""What has to be on PATH."""

PARTITION_FORM = re.compile(r"[A-Za-z0-9_.-]+")
"""What a partition's name looks like; it is written into a shell script."""

ANSWER_TIMEOUT_S = 10.0
SUBMISSION_TIMEOUT_S = 120.0
"""Longer: what SLURM takes after we gave up would run unseen."""
STATUS_AGE_S = 2.0
"""How long an answer of SLURM is cached: a page asks every two seconds, and queries load the controller."""

LIMIT_NEAR_S = 60.0

WAITING = frozenset({"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"})
AT_WORK = frozenset({"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "SIGNALING", "STAGE_OUT", "RESIZING"})
SILENT = "NO ANSWER"
UNKNOWN = "UNKNOWN"

_ENDS = {
    "TIMEOUT": "SLURM ended it at its time limit. Start it again with more time.",
    "DEADLINE": "SLURM ended it at its deadline. Start it again with less time.",
    "OUT_OF_MEMORY": "It ran out of memory on its node. Ask for more ($SBATCH_MEM_PER_NODE), or try smaller batches.",
    "NODE_FAIL": "Its node failed. Run it again.",
    "BOOT_FAIL": "Its node did not start. Run it again.",
    "PREEMPTED": "SLURM gave its place to another job. Run it again.",
    "CANCELLED": "It was cancelled in SLURM, from outside. Run it again.",
    UNKNOWN: "SLURM no longer knows it, and it left no result. Run it again.",
}


@dataclass(frozen=True)
class SlurmRequest:
    """What a job asks of SLURM. `partition` None means the cluster's default.

    Raises JobError if a figure is out of range or the partition's name is not plain.
    """

    partition: str | None = None
    gpus: int = 0
    cpus: int = 4
    minutes: int = 60

    def __post_init__(self) -> None:
        if self.partition is not None and not PARTITION_FORM.fullmatch(self.partition):
            raise JobError(f"{self.partition!r} cannot name a partition. `sinfo` lists those of this cluster.")
        if self.gpus < 0 or self.cpus < 1 or self.minutes < 1:
            raise JobError(
                f"A job cannot have {self.gpus} GPUs, {self.cpus} CPUs and {self.minutes} minutes. "
                "Ask for 0 or more GPUs, and at least one CPU and one minute."
            )


@dataclass(frozen=True)
class SlurmTicket:
    """The content of slurm.json: the request, and SLURM's id of the job, None before it was accepted."""

    request: SlurmRequest
    slurm_id: str | None = None


@dataclass(frozen=True)
class SlurmStatus:
    """SLURM's answer about a job: its state as squeue names it, and why it waits."""

    state: str
    why: str = ""

    @property
    def is_waiting(self) -> bool:
        return self.state in WAITING

    @property
    def is_over(self) -> bool:
        """Whether the job has ended in SLURM; False if SLURM does not answer."""
        return not self.is_waiting and self.state not in AT_WORK and self.state != SILENT

    @property
    def sentence(self) -> str:
        if self.state == SILENT:
            return f"SLURM does not answer: {self.why}"
        return "Waiting in SLURM" + (f" ({self.why})." if self.why not in ("", "None") else ".")


@dataclass(frozen=True)
class Answer:
    """What a command of SLURM printed; `is_good` if it ended with exit status 0."""

    is_good: bool
    text: str


def has_slurm() -> bool:
    """Whether jobs can be sent to SLURM from this machine: its commands are on PATH."""
    return all(shutil.which(tool) for tool in TOOLS)


def submit(paths: JobPaths, request: SlurmRequest, *, runner: Sequence[str], variables: Mapping[str, str]) -> None:
    """Submit the job in this folder to SLURM and store its id in slurm.json.

    `runner` are the arguments that run the job on the node, `variables` are added to the environment there, which is
    this process's. Raises JobError if SLURM refuses the job, with SLURM's message.
    """
    write_record(paths.slurm, SlurmTicket(request))  # first, so that a refused job can be run again
    if not has_slurm():
        raise JobError(
            f"This machine has no SLURM ({', '.join(TOOLS)} on PATH). Run the job here, or from a login node."
        )
    script = paths.folder / "batch.sh"
    script.write_text(_batch_script(paths, request, runner, variables), "utf-8")
    answer = _run("sbatch", str(script), timeout_s=SUBMISSION_TIMEOUT_S)
    taken = re.search(r"Submitted batch job (\d+)", answer.text) if answer.is_good else None
    if taken is None:
        answer_line = (answer.text.splitlines() or ["sbatch said nothing."])[-1].removeprefix("sbatch: error: ")
        raise JobError(f"SLURM did not take it: {answer_line.rstrip('.')}. Change partition, GPUs or time.")
    write_record(paths.slurm, SlurmTicket(request, taken[1]))


def _batch_script(paths: JobPaths, request: SlurmRequest, runner: Sequence[str], variables: Mapping[str, str]) -> str:
    """What runs on the node: the runner is the script's own process, and so gets SLURM's SIGTERM."""
    options = {
        "job-name": f"url-viz-{paths.folder.name}",
        "nodes": 1,
        "time": request.minutes,
        "cpus-per-task": request.cpus,
        "partition": request.partition,
        "gpus-per-node": request.gpus or None,  # what is not asked for is left to the cluster's defaults
        "output": "/dev/null",  # the shell opens the log: SLURM interprets %, quotes and backslashes in a path
    }
    return "\n".join(
        [
            "#!/bin/bash",
            *(f"#SBATCH --{name}={value}" for name, value in options.items() if value is not None),
            "#SBATCH --no-requeue",  # it would start again on the files of the first run
            *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
            f"exec {shlex.join(runner)} >> {shlex.quote(str(paths.log))} 2>&1\n",
        ]
    )


def status_of(paths: JobPaths) -> SlurmStatus | None:
    """SLURM's answer about the job in this folder; None if SLURM does not run it.

    An answer is cached for two seconds, the answer that a job has ended for good.
    """
    if (slurm_id := _slurm_id_of(paths)) is None:
        return None
    status, asked_s = _statuses.get(slurm_id, (None, 0.0))
    if status is None or (not status.is_over and time.monotonic() - asked_s > STATUS_AGE_S):
        status = _query(slurm_id)
        _statuses[slurm_id] = status, time.monotonic()
    return status


def _slurm_id_of(paths: JobPaths) -> str | None:
    """SLURM's id of the job in this folder; None if SLURM has not accepted it."""
    ticket = find_record(SlurmTicket, paths.slurm)
    return None if ticket is None else ticket.slurm_id


_statuses: dict[str, tuple[SlurmStatus, float]] = {}
"""The latest answer by SLURM's id, with its time on the monotonic clock."""


def _query(slurm_id: str) -> SlurmStatus:
    """Query squeue, and if it has forgotten the job, sacct, which a cluster may lack."""
    queued = _run("squeue", "--noheader", "--states=all", f"--jobs={slurm_id}", "--format=%T %r")
    if queued.is_good and queued.text:
        state, _, why = queued.text.partition(" ")
        return SlurmStatus(state, why)
    if not queued.is_good and "Invalid job id" not in queued.text:
        return SlurmStatus(SILENT, queued.text)
    accounted = _run("sacct", "--noheader", "--allocations", "--parsable2", f"--jobs={slurm_id}", "--format=State")
    words = accounted.text.split() if accounted.is_good else []
    return SlurmStatus(words[0] if words else UNKNOWN)  # "CANCELLED by 1000"


def _run(*command: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Answer:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Answer(is_good=False, text=str(error))
    text = done.stdout if done.returncode == 0 else done.stderr or done.stdout
    return Answer(is_good=done.returncode == 0, text=text.strip())


def end_reason(paths: JobPaths, *, has_reported: bool) -> str:
    """Why a job that left no result has ended in SLURM, and what to do; "" if SLURM did not run or end it.

    `has_reported`: whether its runner ever wrote into the folder.
    """
    status = status_of(paths)
    if status is None or not status.is_over:
        return ""
    if status.state in _ENDS:
        return _ENDS[status.state]
    if has_reported:
        return f"SLURM ended it ({status.state}), and it left no result. Run it again."
    return (
        f"SLURM ended it ({status.state}) before it could report. Its node may not see {paths.folder} or this Python: "
        f"put both on a file system that the nodes share, the workspace with ${HOME_VARIABLE}."
    )


def cancel(paths: JobPaths) -> None:
    """Cancel the waiting or running job in SLURM (SIGTERM, later SIGKILL); nothing if it has no SLURM id.

    Raises JobError if SLURM refuses.
    """
    if (slurm_id := _slurm_id_of(paths)) is None:
        return
    answer = _run("scancel", slurm_id)
    _statuses.pop(slurm_id, None)
    if not answer.is_good and "Invalid job id" not in answer.text:
        raise JobError(f"SLURM did not cancel its job {slurm_id}: {answer.text}. Try again, or use scancel.")


def limit_hint(environment: Mapping[str, str]) -> str:
    """Addition to the reason of a job that got SIGTERM: its time limit in SLURM, if that was reached; else ""."""
    end = environment.get("SLURM_JOB_END_TIME", "")
    is_near = end.isdigit() and time.time() > int(end) - LIMIT_NEAR_S
    return " Its time limit in SLURM was reached: start it again with more time." if is_near else ""


@dataclass(frozen=True)
class Partition:
    """A partition that takes jobs: its time limit (None without one), and the most GPUs and CPUs a node of it has."""

    name: str
    is_default: bool
    most_minutes: int | None
    most_gpus: int
    most_cpus: int


def partitions() -> list[Partition]:
    """The partitions that are up, the cluster's default first. Raises JobError if SLURM does not answer."""
    answer = _run("sinfo", "--noheader", "--format=%P|%a|%l|%G|%c")
    if not answer.is_good:
        raise JobError(f"SLURM does not answer ({answer.text}). Is this a login node? Run the job here meanwhile.")
    by_name: dict[str, Partition] = {}
    for line in answer.text.splitlines():
        name, up, limit, gres, cpus = line.split("|")
        if up == "up":  # one line per kind of node, so a partition may have several
            before = by_name.get(name)
            by_name[name] = Partition(
                name=name.rstrip("*"),
                is_default=name.endswith("*"),
                most_minutes=minutes_of(limit),
                most_gpus=max(gpus_of(gres), before.most_gpus if before else 0),
                most_cpus=max(int(cpus.rstrip("+")), before.most_cpus if before else 0),
            )
    return sorted(by_name.values(), key=lambda partition: (not partition.is_default, partition.name))


def minutes_of(limit: str) -> int | None:
    """A time limit as sinfo prints it (`infinite`, `10:00`, `8:00:00`, `1-00:00:00`) in whole minutes, None without."""
    if limit in ("infinite", "n/a"):
        return None
    days, _, clock = limit.rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return (int(days or 0) * 86_400 + seconds) // 60


def gpus_of(gres: str) -> int:
    """How many GPUs a node has, from its generic resources as sinfo prints them: `gpu:4`, `gpu:a100:4(S:0-1)`."""
    return sum(int(count) for count in re.findall(r"\bgpu(?::[^:,()]+)?:(\d+)", gres))
