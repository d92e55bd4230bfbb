"""Jobs that a command starts: watched to their end, left alone, or cancelled by Ctrl-C."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from url_viz.errors import JobError
from url_viz.progress import Progress, ProgressCallback, TerminalReport

if TYPE_CHECKING:
    from url_viz.jobs import Job
    from url_viz.jobs.job import Status

TICK_S = 0.2
STOPPED_STATUS = 130


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Hold Ctrl-C back until the block is over, so that the job it starts is known to whoever cancels it."""
    heard: list[int] = []
    handler = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if heard:
        signal.raise_signal(signal.SIGINT)  # as if pressed now; a handler that ignores it still does


def left_alone(job: "Job") -> int:
    """Say where the log and the head of a job will be that goes on by itself, and return the exit status."""
    from url_viz.jobs.adapting import head_of

    print(f"Started {job.title!r}, the job {job.id}. Its log: {job.paths.log}")
    print(f"The head will be {head_of(job)}")
    return 0


def watched(job: "Job", report: ProgressCallback) -> "Status":
    """Show the progress of a job until it ends."""
    from url_viz.jobs import jobs_ahead, progress

    ahead = [repr(other.title) for other in jobs_ahead(job)]
    if ahead:
        print(f"Waiting for {', '.join(ahead)} to end.", file=sys.stderr)
    shown: Progress | None = None
    while True:
        status, step = job.status(), progress(job)
        if step is not None and step != shown:
            report(step)
            shown = step
        if not status.is_live:
            break
        time.sleep(TICK_S)
    if isinstance(report, TerminalReport):
        report.close()
    return status


def refuse_failed(job: "Job", status: "Status") -> None:
    """Raise JobError if a job did not succeed, with what its command said last."""
    from url_viz.jobs import JobState, log_tail

    if status.state is JobState.SUCCEEDED:
        return
    errors = [line for line in log_tail(job).splitlines() if line.startswith("error: ")]
    said = errors[-1].removeprefix("error: ") if errors else status.reason
    raise JobError(f"{job.title!r} has {status.state.value}. {said} All of its log: {job.paths.log}")


def cancelled(job: "Job | None") -> int:
    """Cancel the job; None if there is none yet."""
    from url_viz.jobs import cancel_job

    print("\nStopping.", file=sys.stderr)
    if job is not None:
        cancel_job(job)
    print("Cancelled; no head was made. The app's page Adapt and finetune can run it again.", file=sys.stderr)
    return STOPPED_STATUS
