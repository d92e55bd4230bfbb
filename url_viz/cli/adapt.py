"""The command that adapts a head to an image set: a job, as the app's page starts it, watched to its end."""

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.cli.arguments import DEFAULT, DeviceName, Folder, ModelName, WorkspaceDir
from url_viz.cli.printing import PrintingApp
from url_viz.errors import ImageSetError, JobError
from url_viz.options import OptionalCount, Seed
from url_viz.progress import Progress, ProgressCallback, TerminalReport, command_report

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet
    from url_viz.jobs import Job
    from url_viz.jobs.job import Status

TICK_S = 0.2
STOPPED_STATUS = 130


def register(app: PrintingApp) -> None:
    """Add this command to the command line."""
    app.command(name="adapt")(adapt)


def adapt(
    folder: Positional[Folder],
    *,
    mode: Annotated[
        Literal["instance", "labels", "full"],
        arg(help="instance needs no labels; labels learns from class folders; full trains the backbone on them, too"),
    ] = "instance",
    limit: Annotated[OptionalCount, arg(help="learn from at most this many pictures (default: 5,000)")] = None,
    seed: Annotated[Seed, arg(help="another one draws other views and weights")] = 0,
    device: DeviceName = "auto",
    background: Annotated[bool, arg(help="start it, and return at once; it goes on by itself")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> int:
    """Adapt an uncertainty head to the pictures of a folder that was read, and say what it is worth.

    A job of the workspace, listed on the app's page Adapt and finetune, too. Ctrl-C cancels it. Every other option of
    training: `python -m training.finetune`.
    """
    from url_viz.export.provenance import name_of
    from url_viz.image_set import open_image_set
    from url_viz.jobs.adapting import head_of, model_to_adapt, start_adapting, why_no_classes

    image_set = open_image_set(folder, model=model, workspace=workspace)
    why = None if mode == "instance" else why_no_classes(image_set)
    if why is not None:
        raise ImageSetError(f"{why}, which --mode {mode} needs. Leave --mode out: it needs no labels.")
    options = ["--model", model_to_adapt(image_set), "--precision", image_set.space.precision, "--mode", mode]
    options += ["--seed", str(seed), "--device", device, *([] if limit is None else ["--limit", str(limit)])]
    job: Job | None = None
    try:
        job = start_adapting(image_set, options, title=f"Adapt to {name_of(image_set)}")
        if background:
            print(f"Started {job.title!r}, the job {job.id}. Its log: {job.paths.log}")
            print(f"The head will be {head_of(job)}")
            return 0
        _refuse_failed(job, _watched(job, command_report()))
    except KeyboardInterrupt:
        return _cancelled(job)
    _tell(job, image_set, workspace)
    return 0


def _watched(job: "Job", report: ProgressCallback) -> "Status":
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


def _refuse_failed(job: "Job", status: "Status") -> None:
    """Raise JobError if a job did not succeed, with what its command said last."""
    from url_viz.jobs import JobState, log_tail

    if status.state is JobState.SUCCEEDED:
        return
    errors = [line for line in log_tail(job).splitlines() if line.startswith("error: ")]
    said = errors[-1].removeprefix("error: ") if errors else status.reason
    raise JobError(f"{job.title!r} has {status.state.value}. {said} All of its log: {job.paths.log}")


def _cancelled(job: "Job | None") -> int:
    """Cancel the job; None if it was cancelled while it started."""
    from url_viz.jobs import cancel_job

    print("\nStopping.", file=sys.stderr)
    if job is not None:
        cancel_job(job)
    print("Cancelled; no head was made. The app's page Adapt and finetune can run it again.", file=sys.stderr)
    return STOPPED_STATUS


def _tell(job: "Job", image_set: "ImageSet", workspace: Path | None) -> None:
    """What the new head is worth, and what to do with it."""
    from url_viz.analysis.told import as_text, told_from
    from url_viz.jobs.adapting import head_of, report_of

    report, head = report_of(job), head_of(job)
    if report is None:
        raise JobError(f"{job.title!r} left no report in {head.parent}. See its log: {job.paths.log}")
    print(f"{head}: {report['advice']}")
    print(as_text(told_from(report)))
    where = ["--model", str(head), *([] if workspace is None else ["--workspace", str(workspace)])]
    again = "reads every picture again, as the backbone changed" if report["mode"] == "full" else "reads no picture"
    print(f"To use it ({again}), then to see its order:")
    for command in (["embed", str(image_set.root)], ["rank", str(image_set.root), "--by", "uncertainty"]):
        print(f"    python -m url_viz {shlex.join([*command, *where])}")
