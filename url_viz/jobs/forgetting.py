"""Forgetting an image set: what goes and what stays, and what becomes of its heads and its jobs."""

from dataclasses import dataclass
from pathlib import Path

from url_viz.jobs.control import cancel_job, list_jobs
from url_viz.jobs.job import Job
from url_viz.jobs.kinds import ADAPT, KINDS
from url_viz.jobs.results import head_of
from url_viz.store.about import read_before
from url_viz.store.sets import StoredData, forget, stored_data
from url_viz.wording import counted
from url_viz.workspace import Workspace

_READ_FILES_ALONE = frozenset(kind.name for kind in KINDS if kind.reads_files_alone)


@dataclass(frozen=True)
class ForgetPlan:
    """What forgetting an image set would do: `stored` goes, `heads` adapted to it stay.

    Of its jobs that wait or run, `stopped` work on what goes; `going_on` read the pictures alone.
    """

    stored: StoredData
    heads: int
    stopped: tuple[Job, ...]
    going_on: tuple[Job, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The same in sentences."""
        heads = f"The {self.heads:,} heads that were adapted to it stay"
        heads = "The head that was adapted to it stays" if self.heads == 1 else heads
        return (
            f"This removes {self.stored.megabytes:,.1f} MB: thumbnails, embeddings and maps, columns that you added, "
            f"answers and reviews, and {_judged(self.stored.judged)}. The pictures themselves are not touched.",
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


def _judged(count: int | None) -> str:
    """What was decided; None where that cannot be read."""
    if count is None:
        return "what was decided, tagged or corrected"
    if count == 0:
        return "an empty log of decisions"
    return f"what was decided, tagged or corrected of {counted(count, 'picture')}"
