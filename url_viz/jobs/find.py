"""Finds the jobs of a workspace: all of them, those a page asked for, those ahead in a queue."""

from collections.abc import Mapping
from pathlib import Path

from url_viz.errors import JobError
from url_viz.jobs.job import Job, read_job
from url_viz.jobs.paths import JobPaths, is_job_id
from url_viz.workspace import Workspace


def list_jobs(workspace: Workspace, *, kind: str | None = None, about: Mapping[str, str] | None = None) -> list[Job]:
    """The jobs of this workspace, newest first: of one kind, and with all the pairs of `about`, where asked.

    A job whose job.json is damaged is listed too, with state "damaged", unless a kind or `about` is asked for.
    """
    wanted = set((about or {}).items())
    return [
        job
        for job in jobs_in(workspace.jobs)
        if (kind is None or job.kind == kind) and wanted <= set(job.about.items())
    ]


def find_job(workspace: Workspace, job_id: str) -> Job:
    """The job with this id. Raises JobError where the id is none, or there is no such job."""
    if not is_job_id(job_id):
        raise JobError(f"{job_id!r} is no job id (such as 20261124-152249-123456-ab12cd). Choose a job from the list.")
    paths = JobPaths(workspace.jobs / job_id)
    if not paths.folder.is_dir():
        raise JobError(f"There is no job {job_id} in {workspace.jobs}. It may have been deleted; look at the list.")
    return read_job(paths)


def jobs_in(jobs_folder: Path) -> list[Job]:
    """All jobs of this folder, newest first. What has no job's name (locks, folders being made) is none."""
    if not jobs_folder.is_dir():
        return []
    names = sorted((path.name for path in jobs_folder.iterdir() if is_job_id(path.name)), reverse=True)
    return [read_job(JobPaths(jobs_folder / name)) for name in names]


def queue_mates(job: Job) -> list[Job]:
    """The other jobs of this job's queue, newest first, ended ones too."""
    if job.config.queue is None:
        return []
    others = jobs_in(job.paths.folder.parent)
    return [other for other in others if other.config.queue == job.config.queue and other.id != job.id]


def jobs_ahead(job: Job) -> list[Job]:
    """The jobs that this one waits for: older, in the same queue, waiting or running."""
    return [other for other in queue_mates(job) if other.id < job.id and other.status().is_live]
