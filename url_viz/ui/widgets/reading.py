"""Reading (embedding) of a folder as a background job, and its progress line."""

from pathlib import Path

import streamlit as st

from url_viz.demo import build_demo
from url_viz.jobs import Job, JobState, cancel_job, list_jobs, log_tail, progress, start_job
from url_viz.progress import Progress
from url_viz.store.about import About, find_set, known_sets
from url_viz.ui.allowed_paths import allowed, allowed_model, roots
from url_viz.ui.cache import open_sets
from url_viz.ui.session import DISMISSED, READING_TICKS, choice, choose
from url_viz.ui.text import errors_shown, escape, show_error
from url_viz.workspace import Workspace

KIND = "embed"
TICK_S = 1.0
REFRESH_S = 3.0
_STAGES = {
    "prepare": "Preparing the model (the first time takes some seconds)",
    "scan": "Scanning the folder",
    "read": "Reading pictures",
    "measure": "Computing the measures",
    "neighbours": "Finding neighbours",
    "map": "Computing the map (UMAP)",
}


def open_folder(folder: Path, *, model: str, also: str | None = None) -> None:
    """Choose a folder's image set and start reading new pictures, with a second model too if one is named.

    Raises UrlVizError if it may not be read.
    """
    root = readable(folder)
    set_id = find_set(root, Workspace.at())
    choose(set_id, model=allowed_model(model))
    start_reading(root, set_id=set_id, model=model, also=also)


def readable(folder: Path) -> Path:
    """`folder`, resolved. Raises NotAllowedError if it is outside the app's roots and not the demo's."""
    return allowed(folder, also=(_demo(),))


def may_read() -> tuple[Path, ...]:
    """The folders that a reading of the app does not leave: its roots, and the demo's."""
    return (*roots(), _demo())


def _demo() -> Path:
    return Workspace.at().demo.resolve()


def start_reading(folder: Path, *, set_id: str, model: str, also: str | None = None) -> None:
    """Start reading new pictures in the folder of an image set, unless it is being read; the view does not change.

    `also` is a second model that reads them too.
    Raises UrlVizError if the folder or the model may not be read: every reading of the app is started here.
    """
    workspace, root = Workspace.at(), readable(folder)
    if running(set_id) is None:
        second = [] if also is None else ["--also", allowed_model(also)]
        start_job(
            [*_embed(root), "--model", allowed_model(model), *second, "--workspace", str(workspace.root)],
            kind=KIND,
            title=f"Read {root.name}",
            workspace=workspace,
            about={"set_id": set_id, "model": model, "also": also or "", "folder": str(root)},
        )


def open_demo(*, model: str) -> None:
    """Create the demo pictures if they do not exist yet, and open them."""
    open_folder(build_demo(Workspace.at()), model=model)


def _embed(root: Path) -> list[str]:
    """The command that reads a folder, restricted to the app's roots even if links change meanwhile."""
    return ["-m", "url_viz", "embed", str(root), "--within", *map(str, may_read())]


def set_name(root: Path) -> str:
    """The name of a folder's image set: the one given by the user, else the end of the folder's path."""
    known = (about for _, about in known_sets(Workspace.at()) if about.root == root)
    return set_title(next(known, About(root, ())))


def set_title(about: About) -> str:
    """The name of an image set, from its `About`."""
    if not about.name and about.root.is_relative_to(Workspace.at().demo):
        return "Demo pictures"
    return about.title


def latest(set_id: str) -> Job | None:
    """The latest reading of an image set, in any state."""
    jobs = list_jobs(Workspace.at(), kind=KIND, about={"set_id": set_id})
    return jobs[0] if jobs else None


def running(set_id: str) -> Job | None:
    """The reading of an image set that is queued or running."""
    job = latest(set_id)
    return job if job is not None and job.status().is_live else None


def show_reading(set_id: str, *, shown_version: str | None) -> None:
    """Show the progress of a reading, and rerun the page when there is more to show; for a failed one, the reason."""
    job = latest(set_id)
    if job is None:
        return
    status = job.status()
    if status.is_live:
        st.fragment(_line, run_every=TICK_S)(job.id, set_id, shown_version)
    elif status.state not in (JobState.SUCCEEDED, JobState.CANCELLED) and job.id not in _dismissed():
        _show_failed(job)


def _line(job_id: str, set_id: str, shown_version: str | None) -> None:
    job = latest(set_id)
    if job is None or job.id != job_id or not job.status().is_live:
        st.rerun()
    step = progress(job)
    left, right = st.columns([12, 1], vertical_alignment="center")
    with left:
        share = step.done / step.total if step is not None and step.total else 0.0
        st.progress(min(1.0, share), text=escape(_words(job, step)))
    with right:
        if st.button(
            "", icon=":material/close:", help="Stop reading; pictures read so far are kept", key="stop_reading"
        ):
            cancel_job(job)
            st.rerun()
    _refresh_when_grown(set_id, job, shown_version)


def _refresh_when_grown(set_id: str, job: Job, shown_version: str | None) -> None:
    """Rerun the whole page if the store has more than the page shows, every few seconds at most.

    A reading with another model is shown at its end: until then it changes nothing here, and a dialog may be open.
    """
    if job.about.get("model") != choice().model:
        return
    ticks = (READING_TICKS.get() or 0) + 1
    READING_TICKS.set(ticks)
    now = open_sets().find(set_id, choice().model)
    version = now.version if now is not None and len(now) else None
    if version != shown_version and (shown_version is None or ticks * TICK_S >= REFRESH_S):
        READING_TICKS.set(0)
        st.rerun()


def _words(job: Job, step: Progress | None) -> str:
    if job.status().state is JobState.QUEUED:
        return "Waiting for another job to finish"
    if step is None:
        return "Starting"
    parts = [_STAGES.get(step.stage, step.stage)]
    if step.total:
        parts.append(f"{step.done:,} of {step.total:,}")
    if step.rate_per_s:
        parts.append(f"{step.rate_per_s:,.0f} per second")
    if step.seconds_left is not None and step.total != step.done:
        parts.append(f"{_duration(step.seconds_left)} left")
    if step.failures:
        parts.append(f"{step.failures:,} unreadable")
    return " · ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _show_failed(job: Job) -> None:
    last = next((line for line in reversed(log_tail(job, 30).splitlines()) if line.startswith("error:")), "")
    reason = last.removeprefix("error: ") or job.status().reason
    show_error(f"Reading stopped. {reason}")
    again, away, _ = st.columns([1, 1, 5])
    if again.button("Read again", key="read_again"):
        with errors_shown(st.error):
            open_folder(Path(job.about["folder"]), model=job.about["model"], also=job.about.get("also") or None)
            st.rerun()
    away.button("Dismiss", key="put_away", on_click=_dismiss, args=(job.id,))
    with st.expander("Log"):
        st.code(log_tail(job, 200) or "(empty)", language=None)


def _dismiss(job_id: str) -> None:
    DISMISSED.set(_dismissed() | {job_id})


def _dismissed() -> frozenset[str]:
    return DISMISSED.get() or frozenset()
