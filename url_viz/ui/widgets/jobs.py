"""Jobs on pages: what each does, waits for and left; the line on the reading of the open set."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import streamlit as st

from url_viz.base.progress import Progress
from url_viz.base.wording import for_objects
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import (
    Job,
    JobState,
    Status,
    Waiting,
    cancel_job,
    delete_job,
    list_jobs,
    live_jobs,
    log_tail,
    progress,
    run_again,
    waiting_for,
    why_it_failed,
)
from url_viz.jobs.kinds import SET_NAME, JobResult, result_of
from url_viz.jobs.runner import LIGHT_NEEDS_MB
from url_viz.store.about import known_sets
from url_viz.store.sets import Unfinished, unfinished
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import NOT_THERE, Key, choice
from url_viz.ui.text import Markdown, errors_shown, escape, show_error
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.components import say_now
from url_viz.ui.widgets.embed_job import KIND, gives_opinion, latest, set_title, show_read_button, stage_of

TICK_S = 2.0
CANCEL_GRACE_S = 3.0
LOOKS = {
    JobState.QUEUED: ("waiting", ":material/hourglass_empty:"),
    JobState.RUNNING: ("running", ":material/play_arrow:"),
    JobState.SUCCEEDED: ("done", ":material/check_circle:"),
    JobState.FAILED: ("failed", ":material/error:"),
    JobState.CANCELLED: ("stopped", ":material/cancel:"),
    JobState.LOST: ("killed", ":material/heart_broken:"),
    JobState.DAMAGED: ("damaged", ":material/broken_image:"),
}
"""Each state in a word, and its icon."""
SAID_LIVE: Key[tuple[Job, ...]] = Key("jobs.said_live")
"""The jobs that waited or ran when their progress was last announced."""

STAGES = {
    "prepare": ("Preparing the model (the first time takes some seconds)", "pictures"),
    "scan": ("Looking for pictures", "pictures"),
    "read": ("Reading pictures", "pictures"),
    "measure": ("Measuring brightness and sharpness", "pictures"),
    "neighbours": ("Finding neighbours", "pictures"),
    "map": ("Making the map", ""),
    "cache": ("Reading pictures, each in several views", "pictures"),
    "train": ("Training the head", "steps"),
    "embed": ("Reading pictures for the figures", "pictures"),
    "share": ("Writing the data set", "pictures"),
    "compare": ("Comparing", ""),
    "worth": ("Training the classifier", ""),
    "epochs": ("Training backbone and head", "epochs"),
}
"""What each stage of a job does, and what it counts, "" for nothing."""
READING = ("prepare", "scan", "read", "measure", "neighbours")
"""The stages that count objects in a set of these."""


def title_of_job(job: Job) -> str:
    """A job's title, with the present name of its image set."""
    then, set_id = job.about.get(SET_NAME), job.about.get("set_id", "")
    about = dict(known_sets(Workspace.at())).get(set_id) if then else None
    return job.title if then is None or about is None else job.title.replace(then, set_title(about), 1)


def progress_of(job: Job) -> tuple[float, str]:
    """The progress of a live job, from 0 to 1 and in words, or what it waits for."""
    status = job.status()
    if status.state is JobState.QUEUED:
        return 0.0, (status.reason or waiting_in_words(waiting_for(job)))
    step = progress(job)
    if step is None:
        return 0.0, "Starting"
    about = dict(known_sets(Workspace.at())).get(job.about.get("set_id", ""))
    is_of_objects = about is not None and bool(about.objects_in)
    return min(1.0, step.done / step.total if step.total else 0.0), step_in_words(step, is_of_objects=is_of_objects)


def step_in_words(step: Progress, *, is_of_objects: bool = False) -> str:
    """The progress of a stage: "Reading pictures · 120 of 400 pictures · 35 per second · 8 s left".

    A stage that comes several times has its number after a comma: "train, seed 2 of 3".
    """
    name, _, which = step.stage.partition(", ")
    words, unit = STAGES.get(name, (name, ""))
    if is_of_objects and name in READING:
        words, unit = for_objects(words), for_objects(unit)
    parts = [words, *([which] if which else [])]
    if step.total and unit:
        parts.append(f"{step.done:,} of {step.total:,} {unit}")
    if step.rate_per_s:
        parts.append(f"{step.rate_per_s:,.0f} per second")
    if step.seconds_left is not None and step.total != step.done:
        parts.append(f"{duration(step.seconds_left)} left")
    if step.failures:
        parts.append(f"{step.failures:,} unreadable")
    return " · ".join(parts)


def waiting_in_words(waiting: Waiting | None) -> str:
    """What a job waits for: "Waiting for “Read zoo” (30 s left in this stage) and 1 more · for 12 s so far"."""
    if waiting is None or not (waiting.jobs or waiting.mb is not None):
        return "Starting"
    if waiting.mb is not None:
        what = f"memory: {waiting.mb:,} of {LIGHT_NEEDS_MB:,} MB are free"
    else:
        first, more = waiting.jobs[0], len(waiting.jobs) - 1
        what, step = f"“{title_of_job(first)}”", progress(first)
        if step is not None and step.seconds_left is not None and step.total != step.done:
            what += f" ({duration(step.seconds_left)} left in this stage)"
        what += f" and {more} more" if more else ""
    return f"Waiting for {what} · for {duration(waiting.seconds)} so far"


def duration(seconds: float) -> str:
    """A time in words: "40 s", "3 min", "1.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show_running_jobs() -> None:
    """A bar for each job that waits or runs."""

    def show() -> None:
        for job in reversed(live_jobs(Workspace.at())):
            fraction, words = progress_of(job)
            st.progress(fraction, text=f"**{escape(title_of_job(job))}** · {escape(words)}")

    if live_jobs(Workspace.at()):
        st.fragment(show, run_every=TICK_S)()


def show_jobs_chip(show_all: Callable[[], None]) -> None:
    """While jobs wait or run, a chip that leads to all of them; their progress is also announced."""

    def show() -> None:
        live = live_jobs(Workspace.at())
        icon = ":material/progress_activity:"
        if live and st.button(
            _chip_of(live), icon=icon, key="jobs_chip", width="stretch", wrap=False, on_click=show_all
        ):
            st.rerun()  # all of the page: `show_all` leaves it
        _announce_jobs(live)

    if live_jobs(Workspace.at()):
        st.fragment(show, run_every=TICK_S)()
    else:
        _announce_jobs([])


def _chip_of(live: list[Job]) -> Markdown:
    """How far the job is that was started first, how many others there are, and its title: "45 % · Read zoo"."""
    first = live[-1]
    fraction, _ = progress_of(first)
    is_waiting = first.status().state is JobState.QUEUED
    stands = "Waiting" if is_waiting else f"{100 * fraction:.0f} %"
    return escape(" · ".join([stands, *([f"{len(live) - 1:,} more"] if len(live) > 1 else []), title_of_job(first)]))


def _announce_jobs(live: list[Job]) -> None:
    """Announce the progress of each job, and the end of those that were live the last time."""
    ids = {job.id for job in live}
    ended = [job for job in SAID_LIVE.get() or () if job.id not in ids]
    SAID_LIVE.set(tuple(live))
    say_now({job.id: in_quarters(job) for job in [*live, *ended]}, key="announcer.jobs")


def in_quarters(job: Job) -> str:
    """A job's progress, in words that change with each quarter of a stage: "Read zoo: Reading pictures, 25 %"."""
    state, step = job.state, progress(job)
    if state is not JobState.RUNNING or step is None:
        return f"{title_of_job(job)}: {LOOKS[state][0]}"
    stage, _ = STAGES.get(step.stage.partition(", ")[0], (step.stage, ""))
    return f"{title_of_job(job)}: {stage}" + (f", {25 * (4 * step.done // step.total)} %" if step.total else "")


More = Callable[[Job, Status], object]


def show_progress(job: Job) -> None:
    """A bar and a line on the progress of a live job."""
    fraction, words = progress_of(job)
    st.progress(fraction, text=escape(words))


def show_until_over(job: Job) -> None:
    """The progress of a live job; the page runs again once it is over."""

    def show() -> None:
        if not job.status().is_live:
            st.rerun()
        show_progress(job)

    st.fragment(show, run_every=TICK_S)()


def show_result(job: Job, status: Status) -> JobResult | None:
    """The result of a job that has succeeded, if its kind has one to show, which is returned."""
    result: JobResult | None = None
    if status.state is JobState.SUCCEEDED:
        with errors_shown(st.warning):
            result = result_of(job)
    if result is not None:
        _show(result)
    return result


def _show(result: JobResult) -> None:
    for first, details in result.figures:
        with st.container(gap="small"):
            st.markdown(f"**{escape(first)}**")
            for line in details:
                st.caption(escape(line))
    st.markdown(escape(result.summary))
    if result.note:
        st.caption(escape(result.note))
    if result.code:
        st.code(result.code, language="python", wrap_lines=True)
    if result.card is not None:
        with st.popover("Model card", width="content"):
            st.code(result.card.read_text("utf-8"), language="markdown", wrap_lines=True)


def show_job(job: Job, *, is_open: bool, more: More | None = None, last: More | None = None) -> None:
    """One job: its title and time, progress or end, `more` of it, its buttons, log, and `last` others."""
    status = job.status()
    state, icon = LOOKS[status.state]
    heading = f"{title_of_job(job)} · {time.strftime('%d %b %H:%M', time.localtime(job.created))} · {state}"
    if status.started is not None and status.finished is not None:
        preposition = "in" if status.state is JobState.SUCCEEDED else "after"
        heading += f" {preposition} {duration(max(0.0, status.finished - status.started))}"
    with st.expander(escape(heading), expanded=is_open, icon=icon):
        if status.is_live:
            show_progress(job)
        elif status.reason:
            st.caption(escape(why_it_failed(job) if status.state is JobState.FAILED else status.reason))
        if more is not None:
            more(job, status)
        with st.container(horizontal=True, vertical_alignment="center"):
            _show_buttons(job, status)
            with st.popover("Log"):
                st.code(log_tail(job, 100) or "(empty)", language=None)
            if last is not None:
                last(job, status)


def _show_buttons(job: Job, status: Status) -> None:
    is_done = False
    if status.is_live:
        is_done = act_button("Stop", partial(cancel_job, job, grace_s=CANCEL_GRACE_S), key=f"cancel.{job.id}")
    if not status.is_live and not job.damage:
        is_done = act_button("Run again", partial(run_again, job), key=f"again.{job.id}")
    if not status.is_live:
        is_done = act_button("Delete", partial(delete_job, job), key=f"delete.{job.id}") or is_done
    if is_done:
        st.rerun()


READING_TICKS: Key[int] = Key("reading_ticks")
DISMISSED: Key[frozenset[str]] = Key("reading.put_away")
"""The ids of failed reading jobs whose message was dismissed."""

READING_TICK_S = 1.0
TICK_UNTIL_SHOWN_S = 0.25
"""The first picture is noticed sooner."""
REFRESH_S = 3.0
GROWTH = 1.25
"""While pictures are read, a page is drawn anew only once the files have grown by this factor."""
_ENDED_WELL = (JobState.SUCCEEDED, JobState.CANCELLED)


@dataclass(frozen=True)
class Reading:
    """The latest reading of a set, as it was before the set was opened: all that it had stored by then is shown."""

    job: Job | None
    state: JobState | None = None
    stage: str = ""
    is_quiet: bool = False
    """Whether nothing is shown of it: it gives a second opinion."""

    @classmethod
    def for_set(cls, set_id: str) -> Self:
        job = latest(set_id)
        return cls(None) if job is None else cls(job, job.status().state, stage_of(job), gives_opinion(job))


def show_reading(set_id: str, reading: Reading, *, shown: ImageSet | None) -> None:
    """Show the progress of a reading, and run the page again when there is more to show.

    For one that failed, the reason; for one that was stopped, how much was read; both with a way to go on.
    """
    job, state = reading.job, reading.state
    if job is not None and state in (JobState.QUEUED, JobState.RUNNING):
        tick_s = READING_TICK_S if shown is not None else TICK_UNTIL_SHOWN_S
        with st.sidebar if reading.is_quiet else st.container():  # even an empty line would move the page when it goes
            st.fragment(_line, run_every=tick_s)(reading, job.id, set_id, shown)
    elif job is not None and state not in _ENDED_WELL and job.id not in DISMISSED.get_or(frozenset):
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


def _line(reading: Reading, job_id: str, set_id: str, shown: ImageSet | None) -> None:
    """The progress of a `reading`, which is as it was when the page was drawn."""
    job = latest(set_id)
    if job is None or job.id != job_id or not job.status().is_live or gives_opinion(job) != reading.is_quiet:
        st.rerun()
    if reading.is_quiet:
        return
    left, right = st.columns([12, 1], vertical_alignment="center")
    with left:
        show_progress(job)
    with right:
        stop, words = partial(cancel_job, job), "Stop reading; pictures read so far are kept"
        if act_button("", stop, icon=":material/close:", help=words, key="stop_reading"):
            st.rerun()
    if job.about.get("model") == choice().model:
        _refresh_when_grown(set_id, job, shown, reading.stage)


def _refresh_when_grown(set_id: str, job: Job, shown: ImageSet | None, stage: str) -> None:
    """Run the whole page again for the first pictures, and every few seconds at most if there is more worth showing.

    A page costs as much as reading hundreds of pictures: it is drawn anew for a quarter more of them, and for the
    results of another stage. A reading with another model is shown at its end: until then it changes nothing here, and
    a dialog may be open.
    """
    ticks = (READING_TICKS.get() or 0) + 1
    READING_TICKS.set(ticks)
    if shown is None:
        first = open_sets().find(set_id, choice().model)
        is_more = first is not None and len(first) > 0
    else:

        def has_grown() -> bool:
            store = shown.core.store
            return store.latest.count("images") >= GROWTH * store.count("images")

        is_due = ticks * READING_TICK_S >= REFRESH_S
        is_more = is_due and (stage_of(job) != stage or has_grown()) and not shown.is_current()
    if is_more:
        READING_TICKS.set(0)
        st.rerun()


def show_not_there() -> None:
    """Say on the first page why the chosen set is not there, until that is dismissed."""
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
    def dismiss() -> None:
        NOT_THERE.clear()
        DISMISSED.set(DISMISSED.get_or(frozenset) | {job.id})

    if job.state is JobState.CANCELLED:
        st.info(f"Reading {escape(repr(job.about['folder']))} stopped before anything was saved.")
    else:
        show_error(f"Reading stopped. {why_it_failed(job)}")
    again, away, _ = st.columns([1, 1, 5])
    with again:
        also = job.about.get("also") or None
        show_read_button("Read again", Path(job.about["folder"]), model=job.about["model"], also=also, key="read_again")
    away.button("Dismiss", key="put_away", on_click=dismiss)
    with st.expander("Log"):
        st.code(log_tail(job, 200) or "(empty)", language=None)
