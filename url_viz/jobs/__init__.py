"""Background jobs that outlive the page: start, queue, watch and cancel a command."""

from url_viz.jobs.control import (
    TimedProgress,
    cancel_job,
    delete_job,
    find_job,
    jobs_ahead,
    list_jobs,
    log_tail,
    progress,
    progress_history,
)
from url_viz.jobs.job import Job, JobState, Status
from url_viz.jobs.start import run_again, start_job

__all__ = [
    "Job",
    "JobState",
    "Status",
    "TimedProgress",
    "cancel_job",
    "delete_job",
    "find_job",
    "jobs_ahead",
    "list_jobs",
    "log_tail",
    "progress",
    "progress_history",
    "run_again",
    "start_job",
]
