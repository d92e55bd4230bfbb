"""Every kind of job, described once: its command line, folder, turn in the queue and result follow from this.

docs/architecture.md says how to add one.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

from training.config import FinetuneConfig, PretrainConfig
from url_viz.export.data_sets import DATA_SETS, Program, counted_for
from url_viz.export.folders import paths_text
from url_viz.export.picture_files import How
from url_viz.export.provenance import name_of
from url_viz.image_set import ImageSet
from url_viz.imaging.source import refuse_without_files
from url_viz.jobs.configs import (
    DiffConfig,
    EmbedConfig,
    ExportConfig,
    MeasureConfig,
    RefitConfig,
    WorthConfig,
    command_words,
)
from url_viz.jobs.job import Job
from url_viz.jobs.job_files import new_output_folder, written_for_a_job
from url_viz.jobs.results import (
    JobResult,
    choice_measured,
    data_set_written,
    head_adapted,
    head_made,
    review_measured,
)
from url_viz.jobs.start import DEFAULT_QUEUE, start_job
from url_viz.jobs.turn import SMALL_QUEUE
from url_viz.models.model import model_title
from url_viz.models.runtime import has_gpu
from url_viz.processes.child_environment import within_variable
from url_viz.roots import root_of
from url_viz.workspace import Workspace

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar("Config", bound="DataclassInstance")
About = Mapping[str, str]
Weight = Literal["heavy", "light", "small", "free"]
SET_NAME = "set_name"
"""What a job's `about` has of its image set's name at its start, as it stands in the title of the job."""
NOWHERE = Path()
"""The folder `out` of a configuration whose job has not started: it gets a new one then."""


def about_of(image_set: ImageSet, *, name: str | None = None, **more: str) -> dict[str, str]:
    """What is stored with a job on an image set, under `name`, by default that of its user or its folder."""
    name = name or name_of(image_set)
    return about_set(image_set.root, image_set.set_id, model=image_set.source.name, name=name, **more)


def about_set(root: Path, set_id: str, *, model: str, name: str, **more: str) -> dict[str, str]:
    """What is stored with a job on an image set, by which pages find it, and name the set as it was called then."""
    return {"set_id": set_id, "model": model, "folder": str(root), SET_NAME: name, **more}


@dataclass(frozen=True)
class JobKind(Generic[Config]):
    """A kind of job, by its `name` in job.json: `command` is what Python runs, on the words of a configuration.

    A `heavy` job runs alone, a `light` one, which runs nothing but a backbone, beside another light one where no GPU
    has to be shared. A `small` one, which computes with what is stored, waits only while two others of its kind run,
    and a `free` one for nobody. With `new_folder`, the configuration's `out` becomes a new
    folder of that name in the workspace's folder `writes_to`. One that `takes_files` has no use for pictures in object
    storage; one that `reads_files_alone` reads the pictures of a folder and nothing that is stored of its image set.
    `result` is what a finished job left; it raises JobError if that is gone.
    """

    name: str
    command: tuple[str, ...]
    title: Callable[[Config, About], str]
    weight: Callable[[Config], Weight] = lambda config: "heavy"
    writes_to: Literal["heads", "exports"] = "heads"
    new_folder: Callable[[Config, About], str] | None = None
    takes_files: bool = False
    reads_files_alone: bool = False
    result: Callable[[Job], JobResult] | None = None

    def words(self, config: Config) -> list[str]:
        return ["-m", *self.command, *command_words(config, repeats=self.command[0] != "url_viz")]

    def placed(self, config: Config, *, about: About, workspace: Workspace) -> Config:
        """The configuration with a new folder to write to, where the kind has one and it is not chosen yet."""
        given: Any = config
        if self.new_folder is None or given.out != NOWHERE:
            return config
        given = replace(
            given, out=new_output_folder(getattr(workspace, self.writes_to), self.new_folder(config, about))
        )
        return cast(Config, given)

    def start(
        self,
        config: Config,
        *,
        about: About,
        workspace: Workspace,
        title: str | None = None,
        within: Sequence[Path] | None = None,
    ) -> Job:
        """Start the job. Raises JobError if it cannot start, FolderError for files that lie in object storage.

        `about` is stored with it, and where it writes; `title` replaces that of the kind; a command of training reads
        no picture outside the folders `within`.
        """
        if self.takes_files:
            refuse_without_files(root_of(about["folder"]))
        config = self.placed(config, about=about, workspace=workspace)
        weight, out = self.weight(config), getattr(config, "out", None)
        return start_job(
            self.words(config),
            kind=self.name,
            title=title or self.title(config, about),
            workspace=workspace,
            queue={"small": SMALL_QUEUE, "free": None}.get(weight, DEFAULT_QUEUE),
            is_light=weight == "small" or (weight == "light" and not has_gpu()),
            about={**about, **({} if out is None else {"out": str(out)})},
            env=within_variable(within),
        )

    def start_on(
        self,
        image_set: ImageSet,
        config: Config,
        *,
        name: str | None = None,
        title: str | None = None,
        **more: str,
    ) -> Job:
        """Start the job on an image set; `name` and `more` are those of `about_of`, the others those of `start`."""
        about, within = about_of(image_set, name=name, **more), image_set.within if self.reads_files_alone else None
        home = image_set.workspace
        return self.start(config, about=about, workspace=home, title=title, within=within)


def result_of(job: Job) -> JobResult | None:
    """What a job that has succeeded left; None for a kind without a result. Raises JobError if it is gone."""
    result = next((kind.result for kind in KINDS if kind.name == job.kind), None)
    return None if result is None else result(job)


def _title_of_reading(config: EmbedConfig, about: About) -> str:
    also = "" if config.also is None else f" and {model_title(config.also)}"
    return f"Read {about[SET_NAME]} with {model_title(config.model)}{also}"


def _title_of_adapting(config: FinetuneConfig, about: About) -> str:
    model, name = model_title(about["model"]), about[SET_NAME]
    if config.mode == "full":
        return f"Finetune {model} on {name}, backbone and head"
    return f"Adapt {model} to {name}" + (", by its classes" if config.mode == "labels" else "")


def _folder_of_head(config: PretrainConfig, about: About) -> str:
    """By which lists show the head: "pretrained-on-trash-and-2-more"."""
    first, *others = config.data
    return f"pretrained-on-{Path(first.removeprefix('folder:')).name}" + (f"-and-{len(others)}-more" if others else "")


def _title_of_export(config: ExportConfig, about: About) -> str:
    if config.kind == "annotations":
        return f"Write the annotation files of {about[SET_NAME]}"
    return f"Write {about['what']} of {about[SET_NAME]} for {DATA_SETS[config.kind].title}"


def _folder_of_data_set(config: ExportConfig, about: About) -> str:
    plain = re.sub(r"[^\w.+-]+", "-", about[SET_NAME]).strip("-.")[:60]
    return f"{plain or 'pictures'}-{config.kind}"


EMBED: JobKind[EmbedConfig] = JobKind(
    "embed",
    ("url_viz", "embed"),
    title=_title_of_reading,
    weight=lambda config: "light",
)
REFIT: JobKind[RefitConfig] = JobKind(
    "embed",  # its progress is shown where that of reading is
    ("url_viz", "refit"),
    title=lambda config, about: f"Make the map of {about[SET_NAME]} again",
)
EXPORT: JobKind[ExportConfig] = JobKind(
    "share",
    ("url_viz", "share"),
    title=_title_of_export,
    weight=lambda config: "free",
    writes_to="exports",
    takes_files=True,
    new_folder=_folder_of_data_set,
    result=data_set_written,
)
ADAPT: JobKind[FinetuneConfig] = JobKind(
    "finetune",
    ("training.finetune",),
    title=_title_of_adapting,
    weight=lambda config: "heavy" if config.mode == "full" else "light",
    new_folder=lambda config, about: Path(about["folder"]).name,
    takes_files=True,
    reads_files_alone=True,
    result=head_adapted,
)
PRETRAIN: JobKind[PretrainConfig] = JobKind(
    "pretrain",
    ("training.pretrain",),
    title=lambda config, about: f"Make a head for {model_title(config.model)} from {about['teachers']}",
    weight=lambda config: "light",
    new_folder=_folder_of_head,
    reads_files_alone=True,
    result=head_made,
)
COMPARE: JobKind[DiffConfig] = JobKind(
    "diff",
    ("url_viz", "diff"),
    title=lambda config, about: f"Compare {about[SET_NAME]} with {about['other']}",
    weight=lambda config: "small",
)
MEASURE: JobKind[MeasureConfig] = JobKind(
    "measure",
    ("url_viz", "measure"),
    title=lambda config, about: f"Measure what {about['pictures']} chosen pictures of {about[SET_NAME]} are worth",
    weight=lambda config: "small",
    result=choice_measured,
)
REVIEW_WORTH: JobKind[WorthConfig] = JobKind(
    "worth",
    ("url_viz", "worth"),
    title=lambda config, about: f"Measure what the decisions on {about[SET_NAME]} were worth",
    weight=lambda config: "small",
    result=review_measured,
)
KINDS: tuple[JobKind[Any], ...] = (EMBED, REFIT, EXPORT, ADAPT, PRETRAIN, COMPARE, MEASURE, REVIEW_WORTH)
AT_ONCE = 5_000
"""Of so many pictures a page computes by itself what a job computes of more: `COMPARE`, `MEASURE`, `REVIEW_WORTH`."""


def start_export(image_set: ImageSet, *, program: Program, ids: Iterable[int] | None, how: How, name: str) -> Job:
    """Start to write pictures (None: all) for a program, to a new folder below `Workspace.exports`.

    Beside the folder lies the list of the pictures: as bytes, since a job's command holds only text. Nothing is waited
    for: what is read now is a snapshot. Raises JobError if it cannot start, FolderError for pictures in object storage.
    """
    wanted = None if ids is None else list(ids)
    about = about_of(image_set, name=name, program=program, what=counted_for(image_set, program, wanted))
    within, home = tuple(image_set.within or ()), image_set.workspace
    config = ExportConfig(
        image_set.root, NOWHERE, program, how=how, within=within, model=image_set.source.name, workspace=home.root
    )
    config = EXPORT.placed(config, about=about, workspace=home)
    if wanted is not None:
        listed = config.out.with_name(f"{config.out.name}.paths")
        config = replace(config, listed=listed)
        with written_for_a_job(listed) as temporary:
            temporary.write_bytes(paths_text(image_set, wanted, nul=True))
    return EXPORT.start(config, about=about, workspace=home)
