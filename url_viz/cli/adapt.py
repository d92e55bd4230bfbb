"""The command that adapts a head to an image set: a job, as the app's page starts it, watched to its end."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from url_viz.cli.arguments import DEFAULT, DeviceName, Folder, ModelName, WorkspaceDir
from url_viz.cli.printing import PrintingApp
from url_viz.cli.watching import cancelled, ctrl_c_waits, left_alone, refuse_failed, watched
from url_viz.errors import ImageSetError, JobError
from url_viz.options import OptionalCount, Seed
from url_viz.progress import command_report

if TYPE_CHECKING:
    from url_viz.image_set import ImageSet
    from url_viz.jobs import Job


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
    from url_viz.jobs.adapting import model_to_adapt, start_adapting, why_no_classes

    image_set = open_image_set(folder, model=model, workspace=workspace)
    why = None if mode == "instance" else why_no_classes(image_set)
    if why is not None:
        raise ImageSetError(f"{why}, which --mode {mode} needs. Leave --mode out: it needs no labels.")
    options = ["--model", model_to_adapt(image_set), "--precision", image_set.space.precision, "--mode", mode]
    options += ["--seed", str(seed), "--device", device, *([] if limit is None else ["--limit", str(limit)])]
    job: Job | None = None
    try:
        with ctrl_c_waits():
            job = start_adapting(image_set, options, title=f"Adapt to {name_of(image_set)}")
        if background:
            return left_alone(job)
        refuse_failed(job, watched(job, command_report()))
    except KeyboardInterrupt:
        return cancelled(job)
    _tell(job, image_set, workspace)
    return 0


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
