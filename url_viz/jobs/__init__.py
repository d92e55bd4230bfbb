"""Background jobs that outlive the page: start, queue, watch and cancel a command."""

from url_viz.jobs.control import (
    cancel_job,
    delete_job,
    find_job,
    jobs_ahead,
    latest_job,
    list_jobs,
    live_jobs,
    log_tail,
    progress,
    progress_history,
    why_it_failed,
)
from url_viz.jobs.job import Job, JobState, Status
from url_viz.jobs.runner import Waiting, waiting_for
from url_viz.jobs.start import run_again, start_job

__all__ = [
    "Job",
    "JobState",
    "Status",
    "Waiting",
    "cancel_job",
    "delete_job",
    "find_job",
    "jobs_ahead",
    "latest_job",
    "list_jobs",
    "live_jobs",
    "log_tail",
    "progress",
    "progress_history",
    "run_again",
    "start_job",
    "waiting_for",
    "why_it_failed",
]
