"""Adapting a head to an image set as a job: what the app's page and the command line start, and what it leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from url_viz.child_environment import within_variable
from url_viz.image_set import ImageSet
from url_viz.imaging.scan import refuse_bucket
from url_viz.jobs.control import list_jobs
from url_viz.jobs.job import Job
from url_viz.jobs.paths import new_output_folder
from url_viz.jobs.slurm import SlurmRequest
from url_viz.jobs.start import start_job
from url_viz.models.catalogue import adapted_to
from url_viz.models.model import resolve
from url_viz.models.names import DEFAULT, FinetunedWeights
from url_viz.sealed import record_in
from url_viz.store.user_columns import FOLDERS
from url_viz.workspace import Workspace

KIND = "finetune"


def data_of(image_set: ImageSet) -> str:
    """The pictures of a set as the commands of training name them."""
    return f"folder:{image_set.root}"


def model_to_adapt(image_set: ImageSet) -> str:
    """The model whose head is adapted: the backbone that read the set, by its file if its weights are in one."""
    return image_set.source.name if image_set.source.weights is not None else image_set.space.backbone


@dataclass(frozen=True)
class OfAnotherSet:
    """A head that was adapted to the pictures in the folder `made_for`, and the model to take `instead`."""

    made_for: Path
    instead: str


def adapted_to_another(model: str, *, set_id: str, root: Path, workspace: Workspace) -> OfAnotherSet | None:
    """Whether a model is a head that was adapted to another image set than the one at `root`; None if it is not.

    A set that was moved since is known by the job that adapted the head to it.
    """
    is_head = model.endswith(".safetensors") and FinetunedWeights.named(model) is None
    made_for = adapted_to(Path(model)) if is_head else None
    if made_for is None or made_for == root:
        return None
    jobs = list_jobs(workspace, kind=KIND, about={"set_id": set_id})
    if any(head_of(job) == Path(model) for job in jobs):
        return None
    source = resolve(model, workspace=workspace)
    return OfAnotherSet(made_for, source.backbone if source.weights is None else DEFAULT)


def why_no_classes(image_set: ImageSet) -> str | None:
    """Why the modes that learn from class folders cannot; None if they can."""
    if image_set.label_choice != FOLDERS:
        return "The labels of this set are not the class folders as found"
    return None if image_set.table()["label"].notna().any() else "This set has no class folders"


def start_adapting(
    image_set: ImageSet,
    options: Sequence[str],
    *,
    title: str,
    is_light: bool = False,
    about: Mapping[str, str] | None = None,
    on_slurm: SlurmRequest | None = None,
) -> Job:
    """Start `training.finetune` with these options on a set's pictures; its head goes into the workspace.

    `is_light` is that of `start_job`; `about` is kept with the job besides the set, the model and its folder.
    Raises JobError if it cannot start, FolderError for pictures in object storage.
    """
    refuse_bucket(image_set.root)
    out = new_output_folder(image_set.workspace.heads, image_set.root.name)
    return start_job(
        ["-m", "training.finetune", "--data", data_of(image_set), "--out", str(out), *options],
        kind=KIND,
        title=title,
        workspace=image_set.workspace,
        is_light=is_light,
        about={
            "set_id": image_set.set_id,
            "model": image_set.source.name,
            "out": str(out),
            "folder": str(image_set.root),
            **(about or {}),
        },
        env=within_variable(image_set.within),
        on_slurm=on_slurm,
    )


def head_of(job: Job) -> Path:
    """The path of a finished job's head."""
    return Path(job.about["out"]) / "head.safetensors"


def report_of(job: Job) -> dict[str, Any] | None:
    """The run's report; None if there is none."""
    try:
        return record_in((Path(job.about["out"]) / "report.json").read_bytes())
    except (OSError, ValueError):
        return None
