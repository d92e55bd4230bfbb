"""Reading (embedding) of a folder as a background job, and its progress line."""

from pathlib import Path

import streamlit as st

from url_viz.demo import build_demo
from url_viz.jobs import Job, JobState, cancel_job, list_jobs, log_tail, progress, start_job
from url_viz.progress import Progress
from url_viz.store.about import About, find_set, known_sets, sets_with_pictures
from url_viz.store.sets import Unfinished, unfinished
from url_viz.ui.allowed_paths import allowed, allowed_model, roots
from url_viz.ui.cache import open_sets
from url_viz.ui.session import DISMISSED, NOT_THERE, READING_TICKS, choice, choose
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
    start_reading(root, set_id=set_id, model=model, also=also)
    choose(set_id, model=model)


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


def titles() -> dict[str, str]:
    """The names of the image sets by id; of one that is not whole, with how much of it is read."""
    return {set_id: _listed(set_id, about) for set_id, about in sets_with_pictures(Workspace.at())}


def _listed(set_id: str, about: About) -> str:
    partial = unfinished(set_id, Workspace.at()) if about.begun else None
    return set_title(about) + ("" if partial is None else f" ({partial.read:,} of {partial.files:,})")


def latest(set_id: str) -> Job | None:
    """The latest reading of an image set, in any state."""
    jobs = list_jobs(Workspace.at(), kind=KIND, about={"set_id": set_id})
    return jobs[0] if jobs else None


def running(set_id: str) -> Job | None:
    """The reading of an image set that is queued or running."""
    job = latest(set_id)
    return job if job is not None and job.status().is_live else None


def show_reading(set_id: str, *, shown_version: str | None) -> None:
    """Show the progress of a reading, and rerun the page when there is more to show.

    For one that failed, the reason, and for one that was stopped, how much was read; both with a way to go on.
    """
    job = latest(set_id)
    status = None if job is None else job.status()
    if job is not None and status is not None and status.is_live:
        st.fragment(_line, run_every=TICK_S)(job.id, set_id, shown_version)
    elif job is not None and _has_failed(job) and job.id not in _dismissed():
        _show_failed(job)
    elif shown_version is not None and (partial := unfinished(set_id, Workspace.at())) is not None:
        _show_stopped(set_id, partial, job)


def _has_failed(job: Job) -> bool:
    return job.status().state not in (JobState.SUCCEEDED, JobState.CANCELLED, JobState.QUEUED, JobState.RUNNING)


def _show_stopped(set_id: str, partial: Unfinished, job: Job | None) -> None:
    """How much of a set was read, and a button that reads the rest: with the same models as `job`, if it was one."""
    about = dict(known_sets(Workspace.at()))[set_id]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="stopped"):
        st.markdown(f":orange[:material/pause_circle:] **{escape(partial.words)}**", width="content")
        if st.button("Continue", icon=":material/play_arrow:", key="continue_reading"):
            model = job.about["model"] if job is not None else choice().model
            also = job.about.get("also") if job is not None else None
            with errors_shown(st.error):
                open_folder(about.root, model=model, also=also or None)
                st.rerun()


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


def show_not_there() -> None:
    """On the first page: why the set that was chosen is not there, until that is dismissed."""
    job_id = NOT_THERE.get()
    if job_id is None:
        return
    job = next((job for job in list_jobs(Workspace.at(), kind=KIND) if job.id == job_id), None)
    if job is not None:
        _show_failed(job)
    elif job_id == "":
        st.info(
            "This image set is not in this workspace. Open its folder, or choose another one.", icon=":material/info:"
        )


def _show_failed(job: Job) -> None:
    if job.state is JobState.CANCELLED:
        st.info(f"Reading {escape(repr(job.about['folder']))} was stopped before anything of it was kept.")
    else:
        show_error(f"Reading stopped. {_reason(job)}")
    again, away, _ = st.columns([1, 1, 5])
    if again.button("Read again", key="read_again"):
        with errors_shown(st.error):
            open_folder(Path(job.about["folder"]), model=job.about["model"], also=job.about.get("also") or None)
            st.rerun()
    away.button("Dismiss", key="put_away", on_click=_dismiss, args=(job.id,))
    with st.expander("Log"):
        st.code(log_tail(job, 200) or "(empty)", language=None)


def _reason(job: Job) -> str:
    last = next((line for line in reversed(log_tail(job, 30).splitlines()) if line.startswith("error:")), "")
    return last.removeprefix("error: ") or job.status().reason


def _dismiss(job_id: str) -> None:
    NOT_THERE.clear()
    DISMISSED.set(_dismissed() | {job_id})


def _dismissed() -> frozenset[str]:
    return DISMISSED.get() or frozenset()
