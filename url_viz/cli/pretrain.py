"""The command that makes a head from labelled folders: a job, as the app's page starts it, watched to its end."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from url_viz.cli.arguments import DEFAULT, DeviceName, ModelName, WorkspaceDir
from url_viz.cli.printing import PrintingApp
from url_viz.cli.watching import cancelled, ctrl_c_waits, left_alone, refuse_failed, watched
from url_viz.errors import FolderError, JobError
from url_viz.imaging.scan import refuse_bucket
from url_viz.options import Count, OptionalCount
from url_viz.progress import command_report

if TYPE_CHECKING:
    from url_viz.jobs import Job


def register(app: PrintingApp) -> None:
    """Add this command to the command line."""
    app.command(name="pretrain")(pretrain)


def pretrain(
    folders: Positional[Annotated[tuple[Path, ...], arg(help="folders of pictures in class folders, which teach")]],
    *,
    report: Annotated[
        UseAppendAction[tuple[Path, ...]],
        arg(help="a labelled folder that takes no part, to measure the head on; again for more"),
    ] = (),
    seeds: Annotated[Count, arg(help="how many heads to train; the best on held-out pictures is kept")] = 3,
    limit: Annotated[OptionalCount, arg(help="learn from at most this many pictures of each folder")] = None,
    device: DeviceName = "auto",
    background: Annotated[bool, arg(help="start it, and return at once; it goes on by itself")] = False,
    model: ModelName = DEFAULT,
    workspace: WorkspaceDir = None,
) -> int:
    """Make an uncertainty head that orders pictures it never saw, from labelled folders, for any timm backbone.

    A job of the workspace, listed on the app's page Adapt and finetune, too. Ctrl-C cancels it. Every other option of
    training: `python -m training.pretrain`.
    """
    from url_viz.jobs.pretraining import backbone_of, start_pretraining
    from url_viz.models.model import title_of
    from url_viz.workspace import Workspace

    home = Workspace.at(workspace)
    roots, measured, backbone = _found(folders), _found(report), backbone_of(model, home)
    options = ["--seeds", str(seeds), "--device", device, *([] if limit is None else ["--limit", str(limit)])]
    job: Job | None = None
    try:
        with ctrl_c_waits():
            job = start_pretraining(
                roots,
                options,
                model=backbone,
                title=f"Make a head for {title_of(backbone)} from {', '.join(root.name for root in roots)}",
                workspace=home,
                report=measured,
            )
        if background:
            return left_alone(job)
        refuse_failed(job, watched(job, command_report()))
    except KeyboardInterrupt:
        return cancelled(job)
    _tell(job, workspace)
    return 0


def _found(folders: Sequence[Path]) -> list[Path]:
    """The folders with symlinks resolved. Raises FolderError for one that does not exist, and for an address."""
    for folder in folders:
        refuse_bucket(folder)
    missing = [folder for folder in folders if not folder.expanduser().is_dir()]
    if missing:
        raise FolderError(f"{str(missing[0])!r} does not exist. Give the folder that contains the pictures.")
    return [folder.expanduser().resolve() for folder in folders]


def _tell(job: "Job", workspace: Path | None) -> None:
    """What the new head is worth by its card, and what to do with it."""
    from url_viz.jobs.adapting import head_of
    from url_viz.jobs.pretraining import card_of
    from url_viz.models.cards import worth_in_words

    head, card = head_of(job), card_of(job)
    if card is None:
        raise JobError(f"{job.title!r} left no card in {head.parent}. See its log: {job.paths.log}")
    print(f"{head}: {worth_in_words(card)}")
    print(f"Its card: {head.with_suffix('.md')}")
    where = ["--model", str(head), *([] if workspace is None else ["--workspace", str(workspace)])]
    print(f"To read a folder with it:\n    python -m url_viz embed FOLDER {shlex.join(where)}")
