"""Commands on models: the list of those here, and those that make a head: jobs, watched to their end."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import Doc
from tyro.conf import Positional, UseAppendAction, arg

from url_viz.base.command_line import Count, OptionalCount, Seed
from url_viz.base.errors import FolderError, ImageSetError, JobError
from url_viz.base.progress import Progress
from url_viz.base.wording import command
from url_viz.cli.command_app import app, progress_shown
from url_viz.imaging.scan import refuse_bucket
from url_viz.jobs.configs import DEFAULT, DeviceName, ModelName, WorkspaceDir

if TYPE_CHECKING:
    from url_viz.base.workspace import Workspace
    from url_viz.image_set import ImageSet
    from url_viz.jobs import Job
    from url_viz.jobs.job import Status
    from url_viz.jobs.kinds import JobResult
    from url_viz.models.catalogue import KnownModel


@app.command()
def models(
    *,
    as_json: Annotated[bool, arg(name="json"), Doc("as JSON, with the digest of each file")] = False,
    workspace: WorkspaceDir = None,
) -> None:
    """List the models that this machine knows: shipped ones, heads trained here, the paper's, and other checkpoints.

    Any other timm name is downloaded from the hub when online.
    """
    from url_viz.base.workspace import Workspace
    from url_viz.models.catalogue import EMPTY_KIND, KINDS, known_models
    from url_viz.models.precision import precision_words

    catalogue = known_models(Workspace.at(workspace))
    if as_json:
        print(json.dumps([model.as_record() for model in catalogue], indent=1))
        return
    for kind, title in KINDS.items():
        lines = [line for model in catalogue if model.kind == kind for line in _lines(model)]
        print("\n".join([f"{title}:", *(lines or [f"  {EMPTY_KIND[kind]}"]), ""]))
    print(f"Fast here is {precision_words('fast')}")
    print(f"The folder of checkpoints is {Workspace.at(workspace).checkpoints}")
    print("Any other timm name works too, without a head: entropy and 1/norm serve as baselines.")


@app.command()
def prepare() -> None:
    """Prepare this Python for reading on the CPU, so that the first folder need not wait: half a minute, once.

    The packaged models are converted, and the code that makes maps is compiled, for this processor and for every
    workspace. `make app` does it; nothing has to.
    """
    from url_viz.models.model import prepare_packaged
    from url_viz.models.model_names import PACKAGED
    from url_viz.pipeline.projection import compile_umap

    compile_umap()
    for model in PACKAGED.values():
        if model.is_installed:
            print(f"{model.name} is in {prepare_packaged(model.name)}.")


def _lines(model: "KnownModel") -> list[str]:
    """A model in a line, and in a second one what is to be done before it opens."""
    default = " (default)" if model.name == DEFAULT else ""
    line = f"{model.name}{default}: {model.state}, {', '.join(model.facts)}".removesuffix(", ")
    return [line, *([f"  {model.why}"] if model.why else [])]


TICK_S = 0.2
STOPPED_STATUS = 130
Background = Annotated[bool, Doc("start it, and return at once; it goes on by itself")]


@app.on_set()
def adapt(
    image_set: "ImageSet",
    *,
    mode: Annotated[
        Literal["instance", "labels", "full"],
        Doc("instance needs no labels; labels learns from class folders; full trains the backbone on them, too"),
    ] = "instance",
    limit: Annotated[OptionalCount, Doc("learn from at most this many pictures (default: 5,000)")] = None,
    seed: Annotated[Seed, Doc("another one draws other views and weights")] = 0,
    device: DeviceName = "auto",
    background: Background = False,
) -> int:
    """Adapt an uncertainty head to the pictures of a folder that was read, and say what it is worth.

    A job of the workspace, listed under Train on the app's page Model, too. Ctrl-C cancels it. Every other option of
    training: `python -m training.finetune`.
    """
    from url_viz.export.table_files import name_of
    from url_viz.jobs.kinds import ADAPT, config_to_adapt, hard_to_beat, why_no_classes

    why = None if mode == "instance" else why_no_classes(image_set)
    if why is not None:
        raise ImageSetError(f"{why}, which --mode {mode} needs. Leave --mode out: it needs no labels.")
    if mode == "instance" and (warning := hard_to_beat(image_set)):
        print(warning)
    config = replace(config_to_adapt(image_set), mode=mode, seed=seed, device=device)
    config = config if limit is None else replace(config, limit=limit)

    def start() -> "Job":
        return ADAPT.start_on(image_set, config, title=f"Adapt to {name_of(image_set)}", mode=mode)

    def tell(result: "JobResult") -> None:
        print(*result.lines, sep="\n")
        again = "reads every picture again, as the backbone changed" if result.note else "reads no picture"
        print(f"To use it ({again}), then to see its order:")
        for words in (["embed", image_set.root], ["rank", image_set.root, "--by", "uncertainty"]):
            print(f"    {command(*words, *_with(result, image_set.workspace))}")

    return followed(start, tell, background=background)


@app.command()
def pretrain(
    folders: Positional[Annotated[tuple[Path, ...], Doc("folders of pictures in class folders, which teach")]],
    *,
    report: Annotated[
        UseAppendAction[tuple[Path, ...]],
        Doc("a labelled folder that takes no part, to measure the head on; again for more"),
    ] = (),
    seeds: Annotated[Count, Doc("how many heads to train; the best on held-out pictures is kept")] = 3,
    limit: Annotated[OptionalCount, Doc("learn from at most this many pictures of each folder")] = None,
    device: DeviceName = "auto",
    background: Background = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> int:
    """Make an uncertainty head that orders pictures it never saw, from labelled folders, for any timm backbone.

    A job of the workspace, listed under Train on the app's page Model, too. Ctrl-C cancels it. Every other option of
    training: `python -m training.pretrain`.
    """
    from url_viz.base.workspace import Workspace
    from url_viz.jobs.kinds import backbone_of, config_to_pretrain, start_pretraining
    from url_viz.models.model import resolve

    home, roots = Workspace.at(workspace), _folders(folders)
    config = config_to_pretrain(roots, _folders(report), backbone=backbone_of(resolve(model, workspace=home)))
    config = replace(config, seeds=seeds, limit=limit, device=device)
    names = ", ".join(root.name for root in roots)

    def start() -> "Job":
        return start_pretraining(config, teachers=names, workspace=home)

    def tell(result: "JobResult") -> None:
        print(*result.lines, f"Its card: {result.card}", sep="\n")
        print(f"To read a folder with it:\n    {command('embed', 'FOLDER', *_with(result, home))}")

    return followed(start, tell, background=background)


def _with(result: "JobResult", workspace: "Workspace") -> list[str]:
    """The options of commands that use the head; the workspace is left out if it is the default."""
    is_default = workspace.root == type(workspace).at(None).root
    return ["--model", str(result.head), *([] if is_default else ["--workspace", str(workspace.root)])]


def _folders(folders: Sequence[Path]) -> list[Path]:
    """The folders with symlinks resolved. Raises FolderError for one that does not exist, and for an address."""
    for folder in folders:
        refuse_bucket(folder)
    missing = [folder for folder in folders if not folder.expanduser().is_dir()]
    if missing:
        raise FolderError(f"{str(missing[0])!r} does not exist. Give the folder that contains the pictures.")
    return [folder.expanduser().resolve() for folder in folders]


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


def followed(start: Callable[[], "Job"], tell: Callable[["JobResult"], None], *, background: bool) -> int:
    """Start a job that makes a head, watch it to its end and `tell` its result; return the exit status.

    In the `background` it goes on by itself. Ctrl-C cancels it. Raises JobError if it does not succeed.
    """
    from url_viz.jobs.kinds import head_of, result_of

    job: Job | None = None
    try:
        with ctrl_c_waits():
            job = start()
        if background:
            print(f"Started {job.title!r}, the job {job.id}. Its log: {job.paths.log}")
            print(f"The head will be {head_of(job)}")
            return 0
        refuse_failed(job, watched(job))
    except KeyboardInterrupt:
        return cancelled(job)
    result = result_of(job)
    if result is not None:
        tell(result)
    return 0


def watched(job: "Job") -> "Status":
    """Show the progress of a job until it ends."""
    from url_viz.jobs import jobs_ahead, progress

    ahead = [repr(other.title) for other in jobs_ahead(job)]
    if ahead:
        print(f"Waiting for {', '.join(ahead)} to end.", file=sys.stderr)
    shown: Progress | None = None
    with progress_shown() as report:
        while True:
            status, step = job.status(), progress(job)
            if step is not None and step != shown:
                report(step)
                shown = step
            if not status.is_live:
                return status
            time.sleep(TICK_S)


def refuse_failed(job: "Job", status: "Status") -> None:
    """Raise JobError if a job did not succeed, with what its command said last."""
    from url_viz.jobs import JobState, why_it_failed

    if status.state is not JobState.SUCCEEDED:
        outcome = f"{job.title!r} has {status.state.value}. {why_it_failed(job)}"
        raise JobError(f"{outcome} All of its log: {job.paths.log}")


def cancelled(job: "Job | None") -> int:
    """Cancel the job; None if there is none yet."""
    from url_viz.jobs import cancel_job

    print("\nStopping.", file=sys.stderr)
    if job is not None:
        cancel_job(job)
    print("Cancelled; no head was made. Train on the app's page Model can run it again.", file=sys.stderr)
    return STOPPED_STATUS
