"""The line above a page on the reading of its image set: how far it is, why it failed, or how much is missing."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, cancel_job, list_jobs, log_tail, why_it_failed
from url_viz.models.model import model_title
from url_viz.store.about import known_sets
from url_viz.store.sets import Unfinished, unfinished
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import NOT_THERE, Key, choice
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.embed_job import KIND, latest, second_model_of, show_read_button, stage_of
from url_viz.ui.widgets.jobs import show_progress
from url_viz.workspace import Workspace

READING_TICKS: Key[int] = Key("reading_ticks")
DISMISSED: Key[frozenset[str]] = Key("reading.put_away")
"""The ids of failed reading jobs whose message was dismissed."""

TICK_S = 1.0
TICK_UNTIL_SHOWN_S = 0.25
"""Before there is a picture to show, its arrival is noticed sooner."""
REFRESH_S = 3.0
GROWTH = 1.25
"""While pictures are read, a page is drawn anew only once there are so many times the files that it shows."""
_ENDED_WELL = (JobState.SUCCEEDED, JobState.CANCELLED)


@dataclass(frozen=True)
class Reading:
    """The latest reading of a set as it stood when the page began: seen before the set is opened, never after.

    What a reading stored before it ended is then shown, or the page still waits for it.
    """

    job: Job | None
    state: JobState | None = None
    stage: str = ""

    @classmethod
    def for_set(cls, set_id: str) -> Self:
        job = latest(set_id)
        return cls(None) if job is None else cls(job, job.status().state, stage_of(job))


def show_reading(set_id: str, reading: Reading, *, shown: ImageSet | None) -> None:
    """Show the progress of a reading, and rerun the page when there is more to show.

    For one that failed, the reason, and for one that was stopped, how much was read; both with a way to go on.
    """
    job, state = reading.job, reading.state
    if job is not None and state in (JobState.QUEUED, JobState.RUNNING):
        tick_s = TICK_S if shown is not None else TICK_UNTIL_SHOWN_S
        st.fragment(_line, run_every=tick_s)(job.id, set_id, shown, reading.stage)
    elif job is not None and state not in _ENDED_WELL and job.id not in _dismissed():
        _show_failed(job)
    elif shown is not None and (partial := unfinished(set_id, Workspace.at())) is not None:
        _show_stopped(set_id, partial, job)


def _show_stopped(set_id: str, partial: Unfinished, job: Job | None) -> None:
    """How much of a set was read, and a button that reads the rest: with the same models as `job`, if it was one."""
    about = dict(known_sets(Workspace.at()))[set_id]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="stopped"):
        st.markdown(f":orange[:material/pause_circle:] **{escape(partial.words)}**", width="content")
        model = job.about["model"] if job is not None else choice().model
        also = job.about.get("also") if job is not None else None
        icon = ":material/play_arrow:"
        show_read_button("Continue", about.root, model=model, also=also or None, key="continue_reading", icon=icon)


def _line(job_id: str, set_id: str, shown: ImageSet | None, stage: str) -> None:
    """How far a job is; `stage` is where it was as the page was drawn."""
    job, second = latest(set_id), second_model_of(stage)
    if job is None or job.id != job_id or not job.status().is_live or second_model_of(stage_of(job)) != second:
        st.rerun()
    left, right = st.columns([12, 1], vertical_alignment="center")
    with left:
        show_progress(job)
        if second:
            first = model_title(job.about["model"])
            st.caption(escape(f"Ordered by {first} for now, and by both models once {model_title(second)} is done."))
    with right:
        consequence = "the set stays complete, ordered by one model" if second else "pictures read so far are kept"
        stop, words = partial(cancel_job, job), f"Stop reading; {consequence}"
        if act_button("", stop, icon=":material/close:", help=words, key="stop_reading"):
            st.rerun()
    if job.about.get("model") == choice().model:
        _refresh_when_grown(set_id, job, shown, stage)


def _refresh_when_grown(set_id: str, job: Job, shown: ImageSet | None, stage: str) -> None:
    """Rerun the whole page for the first pictures, and if there is more worth showing, every few seconds at most.

    A page costs as much as reading hundreds of pictures: it is drawn anew for a quarter more of them, and for what
    another stage has made. A reading with another model is shown at its end: until then it changes nothing here, and
    a dialog may be open.
    """
    ticks = (READING_TICKS.get() or 0) + 1
    READING_TICKS.set(ticks)
    if shown is None:
        first = open_sets().find(set_id, choice().model)
        is_more = first is not None and len(first) > 0
    else:
        is_due = ticks * TICK_S >= REFRESH_S
        is_more = is_due and (stage_of(job) != stage or _has_grown(shown)) and not shown.is_current()
    if is_more:
        READING_TICKS.set(0)
        st.rerun()


def _has_grown(shown: ImageSet) -> bool:
    store = shown.core.store
    return store.latest.count("images") >= GROWTH * store.count("images")


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
        st.info(f"Reading {escape(repr(job.about['folder']))} stopped before anything was saved.")
    else:
        show_error(f"Reading stopped. {why_it_failed(job)}")
    again, away, _ = st.columns([1, 1, 5])
    with again:
        also = job.about.get("also") or None
        show_read_button("Read again", Path(job.about["folder"]), model=job.about["model"], also=also, key="read_again")
    away.button("Dismiss", key="put_away", on_click=_dismiss, args=(job.id,))
    with st.expander("Log"):
        st.code(log_tail(job, 200) or "(empty)", language=None)


def _dismiss(job_id: str) -> None:
    NOT_THERE.clear()
    DISMISSED.set(_dismissed() | {job_id})


def _dismissed() -> frozenset[str]:
    return DISMISSED.get() or frozenset()
