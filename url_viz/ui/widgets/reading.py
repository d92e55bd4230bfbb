"""Reading a folder as a job, and the line that shows how far it is."""

from pathlib import Path

import streamlit as st

from url_viz.demo import build_demo
from url_viz.jobs import Job, JobState, cancel_job, list_jobs, log_tail, progress, start_job
from url_viz.progress import Progress
from url_viz.store.about import About, find_set, known_sets
from url_viz.ui.allowed_paths import allowed, allowed_model, roots
from url_viz.ui.cache import open_sets
from url_viz.ui.session import choice, choose
from url_viz.ui.text import errors_told, escape, show_error
from url_viz.workspace import Workspace

KIND = "embed"
TICK_S = 1.0
REFRESH_S = 3.0
_PUT_AWAY = "reading.put_away"
"""In the session: the failed readings that were put away, by the ids of their jobs."""
_STAGES = {
    "prepare": "Preparing the model (the first time takes some seconds)",
    "scan": "Looking through the folder",
    "read": "Reading pictures",
    "measure": "Measuring",
    "neighbours": "Finding neighbours",
    "map": "Drawing the map (UMAP)",
}


def open_folder(folder: Path, *, model: str) -> None:
    """Choose a folder's image set and start reading what is new in it. Raises UrlVizError where it may not be read."""
    root = readable(folder)
    set_id = find_set(root, Workspace.at())
    choose(set_id, model=allowed_model(model))
    start_reading(root, set_id=set_id, model=model)


def readable(folder: Path) -> Path:
    """`folder`, resolved. Raises NotAllowedError where it lies outside the app's roots and is not the demo's."""
    return allowed(folder, also=(_demo(),))


def _demo() -> Path:
    return Workspace.at().demo.resolve()


def start_reading(folder: Path, *, set_id: str, model: str) -> None:
    """Start reading what is new in the folder of an image set, unless it is being read; what is shown stays.

    Raises UrlVizError where the folder, or the model, may not be read: whoever starts a reading comes through here.
    """
    workspace, root = Workspace.at(), readable(folder)
    if running(set_id) is None:
        start_job(
            [*_embed(root), "--model", allowed_model(model), "--workspace", str(workspace.root)],
            kind=KIND,
            title=f"Read {root.name}",
            workspace=workspace,
            about={"set_id": set_id, "model": model, "folder": str(root)},
        )


def open_demo(*, model: str) -> None:
    """Build the demo pictures where they are not there yet, and open them."""
    open_folder(build_demo(Workspace.at()), model=model)


def _embed(root: Path) -> list[str]:
    """The command that reads a folder as the app may: nothing outside the app's roots, also where links changed."""
    return ["-m", "url_viz", "embed", str(root), "--within", *map(str, (*roots(), _demo()))]


def set_name(root: Path) -> str:
    """What the image set of a folder is called: by the name it was given, else by the end of its folder's path."""
    known = (about for _, about in known_sets(Workspace.at()) if about.root == root)
    return set_title(next(known, About(root)))


def set_title(about: About) -> str:
    """What an image set is called, told by its label."""
    if not about.name and about.root.is_relative_to(Workspace.at().demo):
        return "Demo pictures"
    return about.title


def latest(set_id: str) -> Job | None:
    """The latest reading of an image set, whatever became of it."""
    jobs = list_jobs(Workspace.at(), kind=KIND, about={"set_id": set_id})
    return jobs[0] if jobs else None


def running(set_id: str) -> Job | None:
    """The reading of an image set that waits or runs now."""
    job = latest(set_id)
    return job if job is not None and job.status().is_live else None


def show_reading(set_id: str, *, shown_version: str | None) -> None:
    """Show how far a reading is, and run the page again when there is more to see; a failed one says why."""
    job = latest(set_id)
    if job is None:
        return
    status = job.status()
    if status.is_live:
        st.fragment(_line, run_every=TICK_S)(job.id, set_id, shown_version)
    elif status.state not in (JobState.SUCCEEDED, JobState.CANCELLED) and not _is_put_away(job):
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
        if st.button("", icon=":material/close:", help="Stop reading; what is read stays", key="stop_reading"):
            cancel_job(job)
            st.rerun()
    _refresh_when_grown(set_id, job, shown_version)


def _refresh_when_grown(set_id: str, job: Job, shown_version: str | None) -> None:
    """Run the whole page again where the store has more than the page shows, but not all the time.

    What another model reads is seen at the end: until then it changes nothing here, and a dialog may be open.
    """
    if job.about.get("model") != choice().model:
        return
    ticks = st.session_state.get("reading_ticks", 0) + 1
    st.session_state["reading_ticks"] = ticks
    now = open_sets().find(set_id, choice().model)
    version = now.version if now is not None and len(now) else None
    if version != shown_version and (shown_version is None or ticks * TICK_S >= REFRESH_S):
        st.session_state["reading_ticks"] = 0
        st.rerun()


def _words(job: Job, step: Progress | None) -> str:
    if job.status().state is JobState.QUEUED:
        return "Waiting for another job to end"
    if step is None:
        return "Starting"
    parts = [_STAGES.get(step.stage, step.stage)]
    if step.total:
        parts.append(f"{step.done:,} of {step.total:,}")
    if step.rate_per_s:
        parts.append(f"{step.rate_per_s:,.0f} a second")
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
        with errors_told(st.error):
            open_folder(Path(job.about["folder"]), model=job.about["model"])
            st.rerun()
    away.button("Put away", key="put_away", on_click=_put_away, args=(job.id,))
    with st.expander("Log"):
        st.code(log_tail(job, 200) or "(empty)", language=None)


def _put_away(job_id: str) -> None:
    st.session_state[_PUT_AWAY] = {*st.session_state.get(_PUT_AWAY, ()), job_id}


def _is_put_away(job: Job) -> bool:
    return job.id in st.session_state.get(_PUT_AWAY, ())
