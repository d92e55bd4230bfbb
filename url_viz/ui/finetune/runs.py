"""Parts of the Adapt and finetune page: the runs of the open image set, their results, and using a head."""

from functools import partial

import pandas as pd
import streamlit as st

from url_viz.analysis.told import details, headline, told_from
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, list_jobs, progress_history
from url_viz.jobs.adapting import KIND, head_of, model_to_adapt, report_of
from url_viz.jobs.job import Status
from url_viz.jobs.pretraining import KIND as PRETRAINING
from url_viz.jobs.pretraining import card_of
from url_viz.models.cards import worth_in_words
from url_viz.ui.session import HEAD_BEFORE
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.jobs import show_job
from url_viz.ui.widgets.reading import open_folder
from url_viz.workspace import Workspace

TICK_S = 2.0
RUN = "training"
GOES_ON = "Run again goes on where this stopped: what was read and trained is kept."


def show_jobs(image_set: ImageSet) -> None:
    """Every finetune job of this set, and every head made for its backbone, newest first; refreshed while one runs."""
    jobs = _jobs_for(image_set)
    st.subheader("Runs", anchor=False)
    if not jobs:
        st.caption("No runs yet. A run continues when you close this page or stop the app.")
        return
    is_live = any(job.status().is_live for job in jobs)
    st.fragment(_show_list, run_every=TICK_S if is_live else None)(
        [job.id for job in jobs], image_set, was_live=is_live
    )


def _show_list(job_ids: list[str], image_set: ImageSet, *, was_live: bool) -> None:
    jobs = [job for job in _jobs_for(image_set) if job.id in job_ids]
    if was_live and not any(job.status().is_live for job in jobs):
        st.rerun()
    for number, job in enumerate(jobs):
        show_job(job, is_open=number == 0, more=partial(_show_run, image_set), beside=_show_card)


def _jobs_for(image_set: ImageSet) -> list[Job]:
    home = Workspace.at()
    adapted = list_jobs(home, kind=KIND, about={"set_id": image_set.set_id})
    pretrained = list_jobs(home, kind=PRETRAINING, about={"backbone": model_to_adapt(image_set)})
    return sorted([*adapted, *pretrained], key=lambda job: -job.created)


def _show_run(image_set: ImageSet, job: Job, status: Status) -> None:
    _show_curves(job)
    if status.state is JobState.SUCCEEDED:
        show = _show_pretrained if job.kind == PRETRAINING else _show_result
        show(job, image_set)
    elif job.kind == PRETRAINING and status.state in (JobState.CANCELLED, JobState.LOST):
        st.caption(GOES_ON)


def _show_curves(job: Job) -> None:
    """The figures of the training so far, a chart each, with a line for each of several trainings."""
    records = [r.progress for r in progress_history(job) if r.progress.metrics]
    if len(records) < 2:
        return
    names = list(records[-1].metrics)
    lines = pd.DataFrame([{"step": r.done, RUN: r.stage.partition(", ")[2], **r.metrics} for r in records])
    run, height = (RUN, 220) if lines[RUN].nunique() > 1 else (None, 150)  # a legend takes room
    for column, name in zip(st.columns(len(names)), names, strict=True):
        with column:
            st.caption(escape(_NAMES.get(name, name)))
            st.line_chart(
                lines,
                x="step",
                y=name,
                color=run,
                x_label="",
                y_label="",
                height=height,
                width="stretch",
                alt=f"{_NAMES.get(name, name)} at each step of the training",
            )


_NAMES = {
    "loss": "Training loss",
    "rank agreement": "Rank agreement with the task loss (pictures that choose the epoch)",
    "R-AUROC": "R-AUROC (pictures that choose the epoch)",
}


def _show_result(job: Job, image_set: ImageSet) -> None:
    report = report_of(job)
    if report is None:
        st.warning("This run has no report; its folder may have been removed.")
        return
    for told in told_from(report):
        with st.container(gap="small"):
            st.markdown(f"**{escape(headline(told))}**")
            for line in details(told):
                st.caption(escape(line))
    st.caption(escape(report["advice"]))
    if report.get("mode") == "full":
        st.caption("This run also changed the backbone: using it reads every picture again. Existing results are kept.")
    _offer_head(job, image_set)


def _show_pretrained(job: Job, image_set: ImageSet) -> None:
    """What the card tells of the measured sets, and the head to use."""
    card = card_of(job)
    if card is None:
        st.warning("This run has no card; its folder may have been removed.")
        return
    st.markdown(escape(worth_in_words(card)))
    _offer_head(job, image_set)


def _show_card(job: Job, status: Status) -> None:
    """Beside the buttons of a run that made a head with a card: the card."""
    card = card_of(job) if job.kind == PRETRAINING and status.state is JobState.SUCCEEDED else None
    if card is not None:
        with st.popover("Model card", width="content"):
            st.code(card, language="markdown", wrap_lines=True)


def _offer_head(job: Job, image_set: ImageSet) -> None:
    if str(head_of(job)) == image_set.source.name:
        st.success("This head is in use.", icon=":material/check:")
    elif st.button("Use this head", type="primary", key=f"use.{job.id}"):
        use_head(job, image_set)


def use_head(job: Job, image_set: ImageSet) -> None:
    """Switch every page to the job's head; a job scores the set again from its stored embeddings."""
    HEAD_BEFORE.set(image_set.source.name)
    try:
        open_folder(image_set.root, model=str(head_of(job)), also=image_set.seconds.name)
    except UrlVizError as error:
        show_error(error)
    else:
        st.rerun()
