"""Training by command and from Python: a head adapted, backbone and head finetuned, or a head pretrained, as a job."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated, Literal

from typing_extensions import Doc

from training.config import FinetuneConfig, HeadLearning, JointLearning
from url_viz.base.command_line import Count, OptionalCount
from url_viz.base.errors import FolderError, ImageSetError, JobError
from url_viz.base.printout import Printout
from url_viz.base.progress import Progress, ProgressCallback, silent
from url_viz.base.wording import command
from url_viz.base.workspace import Workspace
from url_viz.capability import capability
from url_viz.export.table_files import name_of
from url_viz.image_set import ImageSet
from url_viz.imaging.scan import refuse_bucket
from url_viz.jobs.control import cancel_job, jobs_ahead, why_it_failed
from url_viz.jobs.control import progress as progress_of
from url_viz.jobs.job import Job, JobState, Status
from url_viz.jobs.kinds import (
    ADAPT,
    JobResult,
    backbone_of,
    config_to_adapt,
    config_to_pretrain,
    hard_to_beat,
    head_of,
    result_of,
    start_pretraining,
    why_no_classes,
)
from url_viz.models.model import resolve
from url_viz.models.model_names import DEFAULT
from url_viz.parameters import DeviceName, ModelName, WorkspaceDir

TICK_S = 0.2
STOPPED_STATUS = 130
HEAD_LEARNING, JOINT_LEARNING = HeadLearning(), JointLearning()
Background = Annotated[bool, Doc("start it, and return at once; it goes on by itself")]


@capability("train adapt")
def adapt(
    image_set: ImageSet,
    *,
    mode: Annotated[
        Literal["instance", "labels"], Doc("instance needs no labels; labels learns from class folders")
    ] = "instance",
    learning: Annotated[HeadLearning, Doc("What the head learns from, and for how long.")] = HEAD_LEARNING,
    background: Background = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Adapt an uncertainty head to the pictures of a folder that was read, and say what it is worth.

    The backbone does not change. A job of the workspace, listed under Train on the app's page Model, too; Ctrl-C
    cancels it.

    In Python it waits for the job's end. Raises ImageSetError without the classes that mode "labels" needs, JobError if
    the job does not succeed.
    """
    _refuse_without_classes(image_set, mode)
    warning = hard_to_beat(image_set) if mode == "instance" else ""
    config = _config(image_set, learning, mode=mode)
    found = _followed(lambda: _start(image_set, config), image_set.workspace, progress, background=background)
    return replace(found, words=[*filter(None, [warning]), *found.words])


@capability("train finetune")
def finetune(
    image_set: ImageSet,
    *,
    learning: Annotated[JointLearning, Doc("What is trained, and for how long.")] = JOINT_LEARNING,
    background: Background = False,
    progress: ProgressCallback = silent,
) -> Printout:
    """Finetune the backbone on the class folders of a set, with a new head on top, and say what it is worth.

    A job of the workspace, as `train adapt`.
    """
    _refuse_without_classes(image_set, "full")
    config = _config(image_set, learning, mode="full")
    return _followed(lambda: _start(image_set, config), image_set.workspace, progress, background=background)


@capability("train pretrain")
def pretrain(
    folders: Annotated[tuple[Path, ...], Doc("folders of pictures in class folders, which teach")],
    *,
    report: Annotated[
        tuple[Path, ...], Doc("a labelled folder that takes no part, to measure the head on; again for more")
    ] = (),
    seeds: Annotated[Count, Doc("how many heads to train; the best on held-out pictures is kept")] = 3,
    limit: Annotated[OptionalCount, Doc("learn from at most this many pictures of each folder")] = None,
    device: DeviceName = "auto",
    background: Background = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
    progress: ProgressCallback = silent,
) -> Printout:
    """Make an uncertainty head that orders pictures it never saw, from labelled folders, for any timm backbone.

    A job of the workspace, as `train adapt`. Every other option: `python -m training.pretrain`.
    """
    home, roots = Workspace.at(workspace), _folders(folders)
    config = config_to_pretrain(roots, _folders(report), backbone=backbone_of(resolve(model, workspace=home)))
    config = replace(config, seeds=seeds, limit=limit, device=device)
    names = ", ".join(root.name for root in roots)
    return _followed(
        lambda: start_pretraining(config, teachers=names, workspace=home), home, progress, background=background
    )


def _refuse_without_classes(image_set: ImageSet, mode: str) -> None:
    why = None if mode == "instance" else why_no_classes(image_set)
    if why is not None:
        doing = "`train finetune`" if mode == "full" else "--mode labels"
        raise ImageSetError(f"{why}, which {doing} needs. `train adapt` without --mode needs no labels.")


def _config(
    image_set: ImageSet, learning: HeadLearning | JointLearning, *, mode: Literal["instance", "labels", "full"]
) -> FinetuneConfig:
    chosen = {each.name: getattr(learning, each.name) for each in fields(learning)}
    return replace(config_to_adapt(image_set), mode=mode, **chosen)


def _start(image_set: ImageSet, config: FinetuneConfig) -> Job:
    return ADAPT.start_on(image_set, config, title=f"Adapt to {name_of(image_set)}", mode=config.mode)


def _folders(folders: Sequence[Path]) -> list[Path]:
    """The folders with symlinks resolved. Raises FolderError for one that does not exist, and for an address."""
    for folder in folders:
        refuse_bucket(folder)
    missing = [folder for folder in folders if not folder.expanduser().is_dir()]
    if missing:
        raise FolderError(f"{str(missing[0])!r} does not exist. Give the folder that contains the pictures.")
    return [folder.expanduser().resolve() for folder in folders]


def _followed(
    start: Callable[[], Job], workspace: Workspace, progress: ProgressCallback, *, background: bool
) -> Printout:
    """Start a job that makes a head, watch it to its end, and say what it made; in the `background` how to find it.

    Ctrl-C cancels it. Raises JobError if it does not succeed.
    """
    job: Job | None = None
    try:
        with ctrl_c_waits():
            job = start()
        if background:
            started = f"Started {job.title!r}, the job {job.id}. Its log: {job.paths.log}"
            return Printout([started, f"The head will be {head_of(job)}"], figures=_of(job))
        refuse_failed(job, watched(job, progress))
    except KeyboardInterrupt:
        if job is not None:
            cancel_job(job)
        said = "Cancelled; no head was made. Train on the app's page Model can run it again."
        return Printout(notes=[said], status=STOPPED_STATUS)
    result = result_of(job)
    assert result is not None
    return _made(result, workspace, job)


def _made(result: JobResult, workspace: Workspace, job: Job) -> Printout:
    """What a job made, and how it is used."""
    is_default = workspace.root == Workspace.at(None).root
    options = ["--model", str(result.head), *([] if is_default else ["--workspace", str(workspace.root)])]
    if result.card is not None:
        closing = [f"Its card: {result.card}", "To read a folder with it:"]
        return Printout(
            result.lines, closing=[*closing, f"    {command('embed', 'FOLDER', *options)}"], figures=_of(job)
        )
    again = "reads every picture again, as the backbone changed" if result.note else "reads no picture"
    folder = job.about["folder"]
    using = [command("embed", folder, *options), command("rank", folder, "--by", "uncertainty", *options)]
    closing = [f"To use it ({again}), then to see its order:", *(f"    {words}" for words in using)]
    return Printout(result.lines, closing=closing, figures=_of(job))


def _of(job: Job) -> dict[str, object]:
    """A job for JSON, with the report of its run once there is one."""
    report = result_of(job) if job.status().state is JobState.SUCCEEDED else None
    return {
        "job": job.id,
        "head": head_of(job),
        "log": job.paths.log,
        "result": None if report is None else asdict(report),
    }


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


def watched(job: Job, progress: ProgressCallback) -> Status:
    """Give the progress of a job until it ends."""
    ahead = [repr(other.title) for other in jobs_ahead(job)]
    if ahead:
        progress(Progress(f"waiting for {', '.join(ahead)} to end", 0))
    shown: Progress | None = None
    while True:
        status, step = job.status(), progress_of(job)
        if step is not None and step != shown:
            progress(step)
            shown = step
        if not status.is_live:
            return status
        time.sleep(TICK_S)


def refuse_failed(job: Job, status: Status) -> None:
    """Raise JobError if a job did not succeed, with what its command said last."""
    if status.state is not JobState.SUCCEEDED:
        outcome = f"{job.title!r} has {status.state.value}. {why_it_failed(job)}"
        raise JobError(f"{outcome} All of its log: {job.paths.log}")
