"""Every kind of job and what it leaves; those that train heads, measure what is chosen, or forget a set."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

import numpy as np

from training.config import FinetuneConfig, Mode, PretrainConfig
from url_viz.base.command_line import CALL
from url_viz.base.errors import JobError
from url_viz.base.files import record_in
from url_viz.base.processes import within_variable
from url_viz.base.records import RecordFile
from url_viz.base.wording import counted, decimal
from url_viz.base.workspace import Workspace, root_of
from url_viz.columns.measures import UNCERTAINTY, quoted
from url_viz.evidence.choice import ChoiceWorth
from url_viz.evidence.holdout_report import details, figures_from, headline, is_to_be_used
from url_viz.evidence.worth import Worth
from url_viz.export.data_sets import DATA_SETS, Program, counted_for
from url_viz.export.folders import paths_text
from url_viz.export.picture_files import How
from url_viz.export.selection import Selection
from url_viz.export.table_files import name_of
from url_viz.image_set import ImageSet
from url_viz.imaging.source import refuse_without_files
from url_viz.jobs.calls import Call, call
from url_viz.jobs.control import cancel_job, list_jobs
from url_viz.jobs.job import Job, new_output_folder, written_for_a_job
from url_viz.jobs.runner import SMALL_QUEUE
from url_viz.jobs.start import COMMAND, DEFAULT_QUEUE, start_job
from url_viz.jobs.training_words import command_words
from url_viz.models.catalogue import adapted_to, describe_card
from url_viz.models.model import ModelSource, model_title, resolve
from url_viz.models.model_names import DEFAULT, WeightsFile
from url_viz.models.runtime import has_gpu
from url_viz.store.about import read_before
from url_viz.store.columns.imported_columns import FOLDERS
from url_viz.store.sets import StoredData, forget, stored_data

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


OF_BOTH = "This run also changed the backbone: using it reads every picture again. Existing results are kept."


@dataclass(frozen=True)
class JobResult:
    """What a job left: a `summary`, figures to show before it, each a headline and its details, and files.

    `note` says what its use would cost, `card` is the file of a head's card, `code` opens a data set in Python. A head
    that `is_weak` orders held-out pictures no better than chance, or worse than the one before.
    """

    summary: str
    figures: tuple[tuple[str, tuple[str, ...]], ...] = ()
    note: str = ""
    head: Path | None = None
    card: Path | None = None
    code: str = ""
    is_weak: bool = False

    @property
    def lines(self) -> list[str]:
        """The head with its summary, and a line for each figure, for a terminal."""
        return [
            f"{self.head}: {self.summary}",
            *(line for first, rest in self.figures for line in (first, *(f"  {detail}" for detail in rest))),
        ]


def out_of(job: Job) -> Path:
    """The folder or file that a job writes."""
    return Path(job.about["out"])


def head_of(job: Job) -> Path:
    """The path of a finished job's head."""
    return out_of(job) / "head.safetensors"


def report_of(job: Job) -> dict[str, Any] | None:
    """The report of a run that adapted a head; None if there is none."""
    try:
        return record_in((out_of(job) / "report.json").read_bytes())
    except (OSError, ValueError):
        return None


def head_adapted(job: Job) -> JobResult:
    """The head of a run on one image set, with the figures of its report. Raises JobError if that is gone."""
    report = report_of(job) or {}
    try:
        measured = figures_from(report)
        figures = tuple((headline(figure), details(figure)) for figure in measured)
        note, is_weak = OF_BOTH if report.get("mode") == "full" else "", not is_to_be_used(measured)
        return JobResult(report["advice"], figures, note, head_of(job), is_weak=is_weak)
    except (ValueError, LookupError) as error:
        raise _gone(job, "report") from error


def head_made(job: Job) -> JobResult:
    """The head of a run on labelled sets, with its card. Raises JobError if that is gone."""
    card = head_of(job).with_suffix(".md")
    try:
        return JobResult(describe_card(card.read_text("utf-8")), head=head_of(job), card=card)
    except (OSError, ValueError) as error:
        raise _gone(job, "card") from error


def data_set_written(job: Job) -> JobResult:
    """A data set for another program, with the Python that opens it. Raises JobError if it is gone."""
    out = out_of(job)
    if not out.is_dir():
        raise JobError(f"{out} no longer exists. Run it again.")
    words, code = DATA_SETS[cast(Program, job.about["program"])].opening(out)
    where = "" if repr(str(out)) in words else f" to {str(out)!r}"
    return JobResult(f"Wrote{job.title.removeprefix('Write')}{where}. {words}", code=code)


def choice_measured(job: Job) -> JobResult:
    """What a choice of pictures is worth. Raises JobError if the file of its figures is gone."""
    return JobResult(RecordFile(out_of(job), ChoiceWorth, "Measure it again.", error=JobError).read().words)


def worth_file(path: Path) -> RecordFile[Worth]:
    """The file of what a review was worth; reading raises JobError if it is gone or damaged."""
    return RecordFile(path, Worth, "Measure it again.", error=JobError)


def review_measured(job: Job) -> JobResult:
    """What a review was worth. Raises JobError if the file of its figures is gone."""
    return JobResult(worth_file(out_of(job)).read().words)


def _gone(job: Job, what: str) -> JobError:
    return JobError(f"{job.title!r} left no {what} in {out_of(job)}. See its log: {job.paths.log}")


Config = TypeVar("Config", bound="DataclassInstance")
About = Mapping[str, str]
Weight = Literal["heavy", "light", "small", "free"]
SET_NAME = "set_name"
"""What a job's `about` has of its image set's name at its start, as it stands in the title of the job."""
NOWHERE = Path()
"""The folder `out` of a configuration whose job has not started: it gets a new one then."""


def about_of(image_set: ImageSet, *, name: str | None = None, **more: str) -> dict[str, str]:
    """What is stored with a job on an image set called `name`, by default as its user or its folder calls it."""
    name = name or name_of(image_set)
    return about_set(image_set.root, image_set.set_id, model=image_set.source.name, name=name, **more)


def about_set(root: Path, set_id: str, *, model: str, name: str, **more: str) -> dict[str, str]:
    """What is stored with a job on an image set: what pages find it by, and what the set was called then."""
    return {"set_id": set_id, "model": model, "folder": str(root), SET_NAME: name, **more}


def call_on(image_set: ImageSet, words: str, *, result: Path | None = None, **given: Any) -> Call:
    """A call of a capability on an open image set, as `call`."""
    source, home = image_set.source.name, image_set.workspace.root
    return call(words, folder=image_set.root, model=source, workspace=home, result=result, **given)


@dataclass(frozen=True)
class JobKind(Generic[Config]):
    """A kind of job, by its `name` in job.json: it does a call of a capability, or `module` trains by a configuration.

    A `heavy` job runs alone, a `light` one, which runs nothing but a backbone, beside another light one where no GPU
    has to be shared. A `small` one, which computes with what is stored, waits only while two others of its kind run,
    and a `free` one for nobody. With `new_folder`, what is written goes to a new folder of that name in the workspace's
    folder `writes_to`, unless a folder is chosen. One that `takes_files` has no use for pictures in object storage; one
    that `reads_files_alone` reads the pictures of a folder and nothing that is stored of its image set. `result` is
    what a finished job left; it raises JobError if that is gone.
    """

    name: str
    title: Callable[[Config, About], str]
    module: str = ""
    weight: Callable[[Config], Weight] = lambda config: "heavy"
    writes_to: Literal["heads", "exports"] = "heads"
    new_folder: Callable[[Config, About], str] | None = None
    takes_files: bool = False
    reads_files_alone: bool = False
    result: Callable[[Job], JobResult] | None = None

    def words(self, config: Config) -> list[str]:
        """The arguments of Python that do it."""
        if isinstance(config, Call):
            return [*COMMAND, CALL, config.as_json()]
        return ["-m", self.module, *command_words(config)]

    def placed(self, config: Config, *, about: About, workspace: Workspace) -> Config:
        """The configuration with a new folder to write to, where the kind has one and it is not chosen yet."""
        if self.new_folder is None or _written_to(config) != NOWHERE:
            return config
        out = new_output_folder(getattr(workspace, self.writes_to), self.new_folder(config, about))
        if isinstance(config, Call):
            return replace(config, given={**config.given, "out": out})
        return cast(Config, replace(cast(Any, config), out=out))

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
        weight, out = self.weight(config), _written_to(config)
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
        return self.start(config, about=about, workspace=image_set.workspace, title=title, within=within)


def _written_to(config: object) -> Path | None:
    """The folder or file that a configuration or call names for its result; None if it has no such thing."""
    if not isinstance(config, Call):
        return getattr(config, "out", None)
    return config.out or config.given.get("out")


def result_of(job: Job) -> JobResult | None:
    """What a job that has succeeded left; None for a kind without a result. Raises JobError if it is gone."""
    result = next((kind.result for kind in KINDS if kind.name == job.kind), None)
    return None if result is None else result(job)


def _title_of_reading(reading: Call, about: About) -> str:
    also = reading.given.get("also")
    second = "" if also is None else f" and {model_title(also)}"
    return f"Read {about[SET_NAME]} with {model_title(reading.given['model'])}{second}"


def _title_of_adapting(config: FinetuneConfig, about: About) -> str:
    model, name = model_title(about["model"]), about[SET_NAME]
    if config.mode == "full":
        return f"Finetune {model} on {name}, backbone and head"
    return f"Adapt {model} to {name}" + (", by its classes" if config.mode == "labels" else "")


def _folder_of_head(config: PretrainConfig, about: About) -> str:
    """What lists call the head: "pretrained-on-trash-and-2-more"."""
    first, *others = config.data
    return f"pretrained-on-{Path(first.removeprefix('folder:')).name}" + (f"-and-{len(others)}-more" if others else "")


def _title_of_export(export: Call, about: About) -> str:
    program = _program_of(export)
    if program == "annotations":
        return f"Write the annotation files of {about[SET_NAME]}"
    return f"Write {about['what']} of {about[SET_NAME]} for {DATA_SETS[program].title}"


def _folder_of_data_set(export: Call, about: About) -> str:
    plain = re.sub(r"[^\w.+-]+", "-", about[SET_NAME]).strip("-.")[:60]
    return f"{plain or 'pictures'}-{_program_of(export)}"


def _program_of(export: Call) -> Program:
    """The program that pictures are written for, from the words of the command: `export fiftyone`."""
    return cast(Program, export.what.words[-1])


EMBED: JobKind[Call] = JobKind("embed", _title_of_reading, weight=lambda reading: "light")
REFIT: JobKind[Call] = JobKind(
    "embed",  # its progress is shown where that of reading is
    lambda refit, about: f"Make the map of {about[SET_NAME]} again",
)
EXPORT: JobKind[Call] = JobKind(
    "share",
    _title_of_export,
    weight=lambda export: "free",
    writes_to="exports",
    takes_files=True,
    new_folder=_folder_of_data_set,
    result=data_set_written,
)
ADAPT: JobKind[FinetuneConfig] = JobKind(
    "finetune",
    _title_of_adapting,
    "training.finetune",
    weight=lambda config: "heavy" if config.mode == "full" else "light",
    new_folder=lambda config, about: Path(about["folder"]).name,
    takes_files=True,
    reads_files_alone=True,
    result=head_adapted,
)
PRETRAIN: JobKind[PretrainConfig] = JobKind(
    "pretrain",
    lambda config, about: f"Make a head for {model_title(config.model)} from {about['teachers']}",
    "training.pretrain",
    weight=lambda config: "light",
    new_folder=_folder_of_head,
    reads_files_alone=True,
    result=head_made,
)
COMPARE: JobKind[Call] = JobKind(
    "diff", lambda diff, about: f"Compare {about[SET_NAME]} with {about['other']}", weight=lambda diff: "small"
)
MEASURE: JobKind[Call] = JobKind(
    "measure",
    lambda measure, about: f"Measure what {about['pictures']} chosen pictures of {about[SET_NAME]} are worth",
    weight=lambda measure: "small",
    result=choice_measured,
)
REVIEW_WORTH: JobKind[Call] = JobKind(
    "worth",
    lambda worth, about: f"Measure what the decisions on {about[SET_NAME]} were worth",
    weight=lambda worth: "small",
    result=review_measured,
)
KINDS: tuple[JobKind[Any], ...] = (EMBED, REFIT, EXPORT, ADAPT, PRETRAIN, COMPARE, MEASURE, REVIEW_WORTH)
AT_ONCE = 5_000
"""Pictures up to which a page computes by itself what a job does of more: `COMPARE`, `MEASURE`, `REVIEW_WORTH`."""


def start_export(image_set: ImageSet, *, program: Program, ids: Iterable[int] | None, how: How, name: str) -> Job:
    """Start to write pictures (None: all) for a program, to a new folder below `Workspace.exports`.

    The list of the pictures lies beside it, since a job's command holds only text. Raises JobError if it cannot start,
    FolderError for pictures in object storage.
    """
    wanted = None if ids is None else list(ids)
    about = about_of(image_set, name=name, program=program, what=counted_for(image_set, program, wanted))
    within, home = tuple(image_set.within or ()), image_set.workspace
    given: dict[str, Any] = {"folder": image_set.root, "model": image_set.source.name, "workspace": home.root}
    if takes_how(program):
        given["how"] = how
    new = call(f"export {program}", out=NOWHERE, within=within, **given)
    export = EXPORT.placed(new, about=about, workspace=home)
    if wanted is not None:
        listed = Path(f"{export.given['out']}.paths")
        export = replace(export, given={**export.given, "selection": Selection(listed=listed)})
        with written_for_a_job(listed) as temporary:
            temporary.write_bytes(paths_text(image_set, wanted, nul=True))
    return EXPORT.start(export, about=about, workspace=home)


def takes_how(program: Program) -> bool:
    """Whether pictures are links or copies as wanted: some programs take them packed, or none."""
    return "how" in call(f"export {program}").what.takes


def data_of(root: Path) -> str:
    """The pictures of a folder as the commands of training name them."""
    return f"folder:{root}"


def backbone_of(source: ModelSource) -> str:
    """A model's backbone as training names it: its file if its weights are in one."""
    return source.name if source.weights is not None else source.backbone


def adapted_to_another(model: str, *, set_id: str, root: Path, workspace: Workspace) -> tuple[Path, str] | None:
    """The folder to which a head was adapted, and the model to take instead; None for no head, or one for `root`.

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
    return made_for, source.backbone if source.weights is None else DEFAULT


def why_no_classes(image_set: ImageSet) -> str | None:
    """Why a head cannot learn from class folders here; None if it can."""
    if image_set.labels.chosen != FOLDERS:
        return "The labels of this set are not the class folders as found"
    return None if image_set.table()["label"].notna().any() else "This set has no class folders"


STUDIED, ADAPTED, BY_NEIGHBOURS = 1_000, 0.64, 0.76
"""R-AUROC of an adapted head and of confusability on three sets of this many pictures, not learnt (training.md)."""


def hard_to_beat(image_set: ImageSet) -> str:
    """Why a head adapted without labels will hardly order this set better than the leading measure; "" if it may."""
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


FINETUNED_ON, FINETUNED = 550, (("trash", 0.85, 0.82), ("scenes", 0.87, 0.85))
"""Sets of some so many pictures on which finetuning was studied, with the accuracy before and after (training.md)."""


def what_to_expect(image_set: ImageSet, mode: Mode) -> str:
    """What a training of few pictures was worth as measured, said before one is started; "" where nothing was."""
    if mode == "instance":
        return hard_to_beat(image_set)
    if mode == "full" and len(image_set) <= STUDIED:
        went = " and ".join(f"from {decimal(before)} to {decimal(after)}" for _, before, after in FINETUNED)
        return f"No gain is shown on a few hundred pictures: on two sets of some {FINETUNED_ON}, accuracy went {went}."
    return ""


def has_classifier(image_set: ImageSet) -> bool:
    """Whether the backbone that read a set has a classifier, from which a head can learn functions."""
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


MOST_CHOICES = 4
"""Choices of a set that stay on disk: those measured last."""


def start_measuring(image_set: ImageSet, ids: Sequence[int], *, name: str, tag: str) -> Job:
    """Start to measure what it is worth to train on these pictures of a set called `name`, chosen as `tag`.

    Raises JobError if it cannot start.
    """
    wanted = np.unique(np.asarray(ids, np.int64))
    folder, key = image_set.core.store.paths.derived / "choices", _key(image_set, wanted.tobytes())
    listed, out = folder / f"{key}.ids", folder / f"{key}.json"
    with written_for_a_job(listed) as temporary:
        temporary.write_text("\n".join(map(str, wanted.tolist())), encoding="utf-8")
    for path in sorted(folder.glob("*.ids"), key=lambda path: path.stat().st_mtime, reverse=True)[MOST_CHOICES:]:
        for gone in (path, path.with_suffix(".json")):
            gone.unlink(missing_ok=True)
    return MEASURE.start_on(
        image_set,
        call_on(image_set, "subsets worth", ids=listed, result=out),
        name=name,
        pictures=f"{len(wanted):,}",
        tag=tag,
    )


def start_worth(image_set: ImageSet, *, name: str) -> Job:
    """Start to measure what the decisions on a set called `name` were worth. Raises JobError if it cannot start."""
    out = _worth_path(image_set)
    out.parent.mkdir(parents=True, exist_ok=True)
    for gone in out.parent.glob("*.json"):
        gone.unlink(missing_ok=True)
    return REVIEW_WORTH.start_on(image_set, call_on(image_set, "labels worth", result=out), name=name)


def worth_by_job(image_set: ImageSet) -> Worth | None:
    """What a job found of the decisions as they are now; None if none has. Raises JobError for a damaged file."""
    path = _worth_path(image_set)
    return worth_file(path).read() if path.exists() else None


def _worth_path(image_set: ImageSet) -> Path:
    return image_set.core.store.paths.derived / "review_worth" / f"{_key(image_set)}.json"


def _key(image_set: ImageSet, more: bytes = b"") -> str:
    """A key of the pictures and decisions as they are now."""
    now = f"{image_set.space.key} {image_set.version} {image_set.decisions.version}".encode()
    return hashlib.blake2b(now + more, digest_size=12).hexdigest()


_READ_FILES_ALONE = frozenset(kind.name for kind in KINDS if kind.reads_files_alone)


@dataclass(frozen=True)
class ForgetPlan:
    """What forgetting an image set would do: `stored` goes, `heads` adapted to it stay.

    Of its live jobs, `stopped` work on what goes, `going_on` only read the pictures.
    """

    stored: StoredData
    heads: int
    stopped: tuple[Job, ...]
    going_on: tuple[Job, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The same in sentences."""
        heads = f"The {self.heads:,} heads that were adapted to it stay"
        if self.heads == 1:
            heads = "The head that was adapted to it stays"
        judged = "what was decided, tagged or corrected"  # cannot be read
        if self.stored.judged == 0:
            judged = "an empty log of decisions"
        elif self.stored.judged is not None:
            judged += f" of {counted(self.stored.judged, 'picture')}"
        return (
            f"This removes {self.stored.megabytes:,.1f} MB: thumbnails, embeddings and maps, columns that you added, "
            f"answers and reviews, and {judged}. The pictures themselves are not touched.",
            *([f"{heads}, and can be used on any set."] if self.heads else []),
            *(f"The job {job.title!r} ({job.state.value}) works on it and will be stopped." for job in self.stopped),
            *(
                f"The job {job.title!r} goes on: it only reads the pictures, and its head is kept."
                for job in self.going_on
            ),
        )


def forget_plan(folder: str | Path, *, workspace: str | Path | None = None) -> ForgetPlan:
    """What `forget_set` would do. Raises ImageSetError if the folder was never read."""
    home = Workspace.at(workspace)
    jobs = list_jobs(home, about={"set_id": read_before(folder, home)})
    live = [job for job in jobs if job.status().is_live]
    return ForgetPlan(
        stored_data(folder, workspace=home.root),
        heads=len({head_of(job) for job in jobs if job.kind == ADAPT.name and head_of(job).exists()}),
        stopped=tuple(job for job in live if job.kind not in _READ_FILES_ALONE),
        going_on=tuple(job for job in live if job.kind in _READ_FILES_ALONE),
    )


def forget_set(folder: str | Path, *, workspace: str | Path | None = None) -> Path:
    """Stop the jobs that work on an image set, and remove all that is stored of it; returns the folder's path.

    Raises ImageSetError if it was never read, JobError if a job does not stop, WorkspaceError while another process
    reads it.
    """
    for job in forget_plan(folder, workspace=workspace).stopped:
        cancel_job(job)
    return forget(folder, workspace=workspace)
