"""What finished jobs left, in words that pages and the command line show: a head with its figures, or a data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from url_viz.base.errors import JobError
from url_viz.base.files import record_in
from url_viz.base.records import RecordFile
from url_viz.evidence.choice import ChoiceWorth
from url_viz.evidence.holdout_report import details, figures_from, headline
from url_viz.evidence.worth import Worth
from url_viz.export.data_sets import DATA_SETS, Program
from url_viz.jobs.job import Job
from url_viz.models.catalogue import describe_card

OF_BOTH = "This run also changed the backbone: using it reads every picture again. Existing results are kept."


@dataclass(frozen=True)
class JobResult:
    """What a job left: a `summary` in a sentence or two, figures before it, each a headline and its details.

    `note` is what its use would cost, `card` the file of a head's card, `code` the Python that opens a data set.
    """

    summary: str
    figures: tuple[tuple[str, tuple[str, ...]], ...] = ()
    note: str = ""
    head: Path | None = None
    card: Path | None = None
    code: str = ""

    @property
    def lines(self) -> list[str]:
        """The head with its summary, and a line for each figure, for a terminal."""
        return [
            f"{self.head}: {self.summary}",
            *(line for first, rest in self.figures for line in (first, *(f"  {detail}" for detail in rest))),
        ]


def out_of(job: Job) -> Path:
    """The folder that a job writes."""
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
        figures = tuple((headline(figure), details(figure)) for figure in figures_from(report))
        return JobResult(report["advice"], figures, OF_BOTH if report.get("mode") == "full" else "", head_of(job))
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
    return JobResult(f"{job.title}: done. {words}", code=code)


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
