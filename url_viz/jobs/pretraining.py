"""Making a head from labelled image sets as a job: what the page and the command line start, and what it leaves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from url_viz.child_environment import within_variable
from url_viz.errors import JobError
from url_viz.image_set import ImageSet
from url_viz.jobs.job import Job
from url_viz.jobs.paths import new_output_folder
from url_viz.jobs.slurm import SlurmRequest
from url_viz.jobs.start import start_job
from url_viz.models.model import resolve
from url_viz.workspace import Workspace

KIND = "pretrain"


def has_classifier(image_set: ImageSet) -> bool:
    """Whether the backbone that read a set has a classifier, of which a head can read functions."""
    return bool(image_set.table()["entropy"].notna().any())


def backbone_of(model: str, workspace: Workspace) -> str:
    """The backbone of a model by the name that training takes: its file if its weights are in one.

    Raises ModelError and its subclasses for a name that means no model.
    """
    source = resolve(model, workspace=workspace)
    return source.name if source.weights is not None else source.backbone


def start_pretraining(
    teachers: Sequence[Path],
    options: Sequence[str],
    *,
    model: str,
    title: str,
    workspace: Workspace,
    report: Sequence[Path] = (),
    is_light: bool = False,
    within: Sequence[Path] | None = None,
    about: Mapping[str, str] | None = None,
    on_slurm: SlurmRequest | None = None,
) -> Job:
    """Start `training.pretrain` on folders of labelled pictures, measured on those of `report`.

    Its head, for the backbone `model`, goes into the workspace. `is_light` is that of `start_job`; with `within`, no
    picture outside these folders is read; `about` is kept with the job besides its backbone and its folder. Raises
    JobError if it cannot start.
    """
    _refuse(teachers, report)
    out = new_output_folder(workspace.heads, _name(teachers))
    sets = [("--data", root) for root in teachers] + [("--report", root) for root in report]
    words = [word for option, root in sets for word in (option, f"folder:{root}")]
    return start_job(
        ["-m", "training.pretrain", *words, "--model", model, "--out", str(out), *options],
        kind=KIND,
        title=title,
        workspace=workspace,
        is_light=is_light,
        about={"backbone": model, "out": str(out), **(about or {})},
        env=within_variable(within),
        on_slurm=on_slurm,
    )


def _refuse(teachers: Sequence[Path], report: Sequence[Path]) -> None:
    """Raises JobError where nothing teaches, or a set both teaches and measures."""
    if not teachers:
        raise JobError("No image set teaches the head. Choose one with class folders, or several.")
    both = [str(root) for root in report if root in teachers]
    if both:
        raise JobError(f"{both[0]!r} both teaches the head and measures it. Leave it out of one of the two.")


def _name(teachers: Sequence[Path]) -> str:
    """The name of the head's folder, by which lists show it: "pretrained-on-trash-and-2-more"."""
    more = f"-and-{len(teachers) - 1}-more" if len(teachers) > 1 else ""
    return f"pretrained-on-{teachers[0].name}{more}"


def card_of(job: Job) -> str | None:
    """The card of a finished job's head, Markdown; None if there is none."""
    try:
        return (Path(job.about["out"]) / "head.md").read_text("utf-8")
    except (OSError, ValueError):
        return None
