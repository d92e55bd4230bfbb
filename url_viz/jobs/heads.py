"""Heads that are adapted to an image set, or made from labelled ones, as jobs: what both need, and what is refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.config import FinetuneConfig, PretrainConfig
from url_viz.analysis.measures import UNCERTAINTY, quoted
from url_viz.errors import JobError
from url_viz.image_set import ImageSet
from url_viz.jobs.control import list_jobs
from url_viz.jobs.job import Job
from url_viz.jobs.kinds import ADAPT, NOWHERE, PRETRAIN
from url_viz.jobs.results import head_of
from url_viz.models.catalogue import adapted_to
from url_viz.models.model import ModelSource, resolve
from url_viz.models.model_names import DEFAULT, WeightsFile
from url_viz.store.columns.imported_columns import FOLDERS
from url_viz.wording import counted, decimal
from url_viz.workspace import Workspace


def data_of(root: Path) -> str:
    """The pictures of a folder as the commands of training name them."""
    return f"folder:{root}"


def backbone_of(source: ModelSource) -> str:
    """The backbone of a model by the name that training takes: its file if its weights are in one."""
    return source.name if source.weights is not None else source.backbone


@dataclass(frozen=True)
class OfAnotherSet:
    """A head that was adapted to the pictures in the folder `made_for`, and the model to take `instead`."""

    made_for: Path
    instead: str


def adapted_to_another(model: str, *, set_id: str, root: Path, workspace: Workspace) -> OfAnotherSet | None:
    """Whether a model is a head that was adapted to another image set than the one at `root`; None if it is not.

    A set that was moved since is known by the job that adapted the head to it.
    """
    is_head = model.endswith(".safetensors") and WeightsFile.named(model) is None
    made_for = adapted_to(Path(model)) if is_head else None
    if made_for is None or made_for == root:
        return None
    jobs = list_jobs(workspace, kind=ADAPT.name, about={"set_id": set_id})
    if any(head_of(job) == Path(model) for job in jobs):
        return None
    source = resolve(model, workspace=workspace)
    return OfAnotherSet(made_for, source.backbone if source.weights is None else DEFAULT)


def why_no_classes(image_set: ImageSet) -> str | None:
    """Why the modes that learn from class folders cannot; None if they can."""
    if image_set.labels.chosen != FOLDERS:
        return "The labels of this set are not the class folders as found"
    return None if image_set.table()["label"].notna().any() else "This set has no class folders"


STUDIED, ADAPTED, BY_NEIGHBOURS = 1_000, 0.64, 0.76
"""R-AUROC of an adapted head and of confusability on three sets of so many pictures, none learnt from (training.md)."""


def hard_to_beat(image_set: ImageSet) -> str:
    """Why a head adapted without labels will hardly order this set better than what leads it; "" if it may."""
    order = image_set.order()
    if order.measure in (None, UNCERTAINTY.name) or len(image_set) > STUDIED:
        return ""
    figure = order.evidence if order.evidence is not None and np.isfinite(order.evidence.value) else None
    if figure is not None and figure.value <= ADAPTED:
        return ""
    here = "" if figure is None else f" {quoted(str(order.measure))} has an R-AUROC of {figure.text()} here."
    pictures = counted(len(image_set), image_set.noun)
    return (
        f"What you have without training is hard to beat with {pictures}.{here} On three published sets of "
        f"{STUDIED:,} pictures an adapted head reached {decimal(ADAPTED)} on pictures it had not learnt from; ordering "
        f"by neighbours, which needs no classes, reached {decimal(BY_NEIGHBOURS)}."
    )


def has_classifier(image_set: ImageSet) -> bool:
    """Whether the backbone that read a set has a classifier, of which a head can read functions."""
    return bool(image_set.table()["entropy"].notna().any())


def config_to_adapt(image_set: ImageSet) -> FinetuneConfig:
    """How a head is adapted to a set in one click: without labels, with the set's backbone and precision."""
    return FinetuneConfig(
        data=data_of(image_set.root),
        out=NOWHERE,
        model=backbone_of(image_set.source),
        precision=image_set.space.precision,
    )


def config_to_pretrain(teachers: Sequence[Path], measured: Sequence[Path], *, backbone: str) -> PretrainConfig:
    """How a head for a backbone is made from folders, and measured on others."""
    return PretrainConfig(tuple(map(data_of, teachers)), NOWHERE, backbone, report=tuple(map(data_of, measured)))


def start_pretraining(
    config: PretrainConfig,
    *,
    teachers: str,
    workspace: Workspace,
    about: Mapping[str, str] | None = None,
    within: Sequence[Path] | None = None,
) -> Job:
    """Start to make a head from labelled folders, which are called `teachers`; else the arguments of `JobKind.start`.

    Raises JobError where nothing teaches, or a folder both teaches and measures, and if it cannot start.
    """
    if not config.data:
        raise JobError("No image set teaches the head. Choose one with class folders, or several.")
    both = [spec.removeprefix("folder:") for spec in config.report if spec in config.data]
    if both:
        raise JobError(f"{both[0]!r} both teaches the head and measures it. Leave it out of one of the two.")
    about = {**(about or {}), "backbone": config.model, "teachers": teachers}
    return PRETRAIN.start(config, about=about, workspace=workspace, within=within)
