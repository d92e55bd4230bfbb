"""Background jobs on pages: what each does, how far it is or what it waits for, and its log and buttons."""

import time
from collections.abc import Callable
from functools import partial

import streamlit as st

from url_viz.jobs import (
    Job,
    JobState,
    Status,
    Waiting,
    cancel_job,
    delete_job,
    live_jobs,
    log_tail,
    progress,
    run_again,
    waiting_for,
)
from url_viz.jobs.kinds import SET_NAME, result_of
from url_viz.jobs.results import JobResult
from url_viz.jobs.turn import LIGHT_NEEDS_MB
from url_viz.progress import Progress
from url_viz.store.about import known_sets
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, errors_shown, escape
from url_viz.ui.widgets.announcer import say_now
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.embed_job import set_title
from url_viz.wording import of_objects
from url_viz.workspace import Workspace

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
"""The jobs that waited or ran when it was last said how far they are."""


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
    """What a job does, with its image set under the name that it has now."""
    then, set_id = job.about.get(SET_NAME), job.about.get("set_id", "")
    about = dict(known_sets(Workspace.at())).get(set_id) if then else None
    return job.title if then is None or about is None else job.title.replace(then, set_title(about), 1)


def progress_of(job: Job) -> tuple[float, str]:
    """How far a live job is, from 0 to 1, and in words, or what it waits for."""
    status = job.status()
    if status.state is JobState.QUEUED:
        return 0.0, (status.reason or waiting_in_words(waiting_for(job)))
    step = progress(job)
    fraction = step.done / step.total if step is not None and step.total else 0.0
    return min(1.0, fraction), "Starting" if step is None else step_in_words(step, is_of_objects=_is_of_objects(job))


def _is_of_objects(job: Job) -> bool:
    """Whether a job is about a set of objects."""
    about = dict(known_sets(Workspace.at())).get(job.about.get("set_id", ""))
    return about is not None and bool(about.objects_in)


def step_in_words(step: Progress, *, is_of_objects: bool = False) -> str:
    """How far one stage is: "Reading pictures · 120 of 400 pictures · 35 per second · 8 s left".

    A stage that comes several times says which it is behind a comma: "train, seed 2 of 3".
    """
    name, _, which = step.stage.partition(", ")
    words, unit = STAGES.get(name, (name, ""))
    if is_of_objects and name in READING:
        words, unit = of_objects(words), of_objects(unit)
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
        first = waiting.jobs[0]
        more = len(waiting.jobs) - 1
        what = f"“{title_of_job(first)}”{_time_left(first)}" + (f" and {more} more" if more else "")
    return f"Waiting for {what} · for {duration(waiting.seconds)} so far"


def _time_left(job: Job) -> str:
    step = progress(job)
    if step is None or step.seconds_left is None or step.total == step.done:
        return ""
    return f" ({duration(step.seconds_left)} left in this stage)"


def duration(seconds: float) -> str:
    """A time in words: "40 s", "3 min", "1.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def show_running_jobs(*, separator: Markdown, is_said: bool = False) -> None:
    """The jobs that wait or run, with a bar each; nothing without any. With `is_said`, announce how far they are."""
    if live_jobs(Workspace.at()):
        st.fragment(_running_jobs, run_every=TICK_S)(separator, is_said=is_said)
    elif is_said:
        _say_jobs([])


def _running_jobs(separator: Markdown, *, is_said: bool) -> None:
    live = live_jobs(Workspace.at())
    for job in reversed(live):
        fraction, words = progress_of(job)
        st.progress(fraction, text=f"**{escape(title_of_job(job))}**{separator}{escape(words)}")
    if is_said:
        _say_jobs(live)


def _say_jobs(live: list[Job]) -> None:
    """Have it said how far each job is, and how those ended that were live when this was last said."""
    ids = {job.id for job in live}
    ended = [job for job in SAID_LIVE.get() or () if job.id not in ids]
    SAID_LIVE.set(tuple(live))
    say_now({job.id: in_quarters(job) for job in [*live, *ended]}, key="announcer.jobs")


def in_quarters(job: Job) -> str:
    """Where a job is, in words that change with a quarter of a stage at most: "Read zoo: Reading pictures, 25 %"."""
    state, step = job.state, progress(job)
    if state is not JobState.RUNNING or step is None:
        return f"{title_of_job(job)}: {LOOKS[state][0]}"
    stage, _ = STAGES.get(step.stage.partition(", ")[0], (step.stage, ""))
    return f"{title_of_job(job)}: {stage}" + (f", {25 * (4 * step.done // step.total)} %" if step.total else "")


More = Callable[[Job, Status], object]


def show_progress(job: Job) -> None:
    """A bar and a line of how far a live job is."""
    fraction, words = progress_of(job)
    st.progress(fraction, text=escape(words))


def show_until_over(job: Job) -> None:
    """How far a live job is; the page runs again once it is over."""
    st.fragment(_until_over, run_every=TICK_S)(job)


def _until_over(job: Job) -> None:
    if not job.status().is_live:
        st.rerun()
    show_progress(job)


def show_result(job: Job, status: Status) -> bool:
    """What a job left, if it has succeeded and its kind leaves something to show; whether there was something."""
    result: JobResult | None = None
    if status.state is JobState.SUCCEEDED:
        with errors_shown(st.warning):
            result = result_of(job)
    if result is not None:
        _show(result)
    return result is not None


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
    """One job: what it does, how far it is or how it ended, `more` of it, its buttons, log, and `last` others."""
    status = job.status()
    with st.expander(escape(_heading(job, status)), expanded=is_open, icon=LOOKS[status.state][1]):
        if status.is_live:
            show_progress(job)
        elif status.reason:
            st.caption(escape(status.reason))
        if more is not None:
            more(job, status)
        with st.container(horizontal=True, vertical_alignment="center"):
            _show_buttons(job, status)
            with st.popover("Log"):
                st.code(log_tail(job, 100) or "(empty)", language=None)
            if last is not None:
                last(job, status)


def _heading(job: Job, status: Status) -> str:
    """ "Read zoo with tf_efficientnet_lite0 · 26 Nov 12:30 · done in 40 s"."""
    started = time.strftime("%d %b %H:%M", time.localtime(job.created))
    took = None if status.started is None or status.finished is None else status.finished - status.started
    preposition = "in" if status.state is JobState.SUCCEEDED else "after"
    ended = LOOKS[status.state][0] + ("" if took is None else f" {preposition} {duration(max(0.0, took))}")
    return f"{title_of_job(job)} · {started} · {ended}"


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
