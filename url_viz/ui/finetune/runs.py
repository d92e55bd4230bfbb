"""Parts of the Adapt and finetune page: runs of the open image set, their results, using a head and what it changed."""

from functools import partial

import pandas as pd
import streamlit as st

from url_viz.analysis.evidence.compare import change
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, list_jobs, progress_history
from url_viz.jobs.heads import backbone_of
from url_viz.jobs.job import Status
from url_viz.jobs.kinds import ADAPT, PRETRAIN
from url_viz.jobs.results import head_of
from url_viz.ui.compare.page import SECOND
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.embed_job import open_folder
from url_viz.ui.widgets.jobs import TICK_S, show_job, show_result
from url_viz.workspace import Workspace

HEAD_BEFORE: Key[str] = Key("finetune.before")

RUN = "training"


def show_jobs(image_set: ImageSet) -> None:
    """Every finetune job of this set, and every head made for its backbone, newest first; refreshed while one runs."""
    jobs = _jobs_for(image_set)
    st.header("Runs", anchor=False)
    if not jobs:
        st.caption("No runs yet. A run goes on even if you close this page or stop the app.")
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
        show_job(job, is_open=number == 0, more=partial(_show_run, image_set))


def _jobs_for(image_set: ImageSet) -> list[Job]:
    home = Workspace.at()
    adapted = list_jobs(home, kind=ADAPT.name, about={"set_id": image_set.set_id})
    pretrained = list_jobs(home, kind=PRETRAIN.name, about={"backbone": backbone_of(image_set.source)})
    return sorted([*adapted, *pretrained], key=lambda job: -job.created)


def _show_run(image_set: ImageSet, job: Job, status: Status) -> None:
    """The curves of a run, what it left, and the button that puts its head to use."""
    _show_curves(job)
    if show_result(job, status):
        _offer_head(job, image_set)
    elif job.kind == PRETRAIN.name and status.state in (JobState.CANCELLED, JobState.LOST):
        st.caption("Run again continues where this stopped: what was read and trained is kept.")


def _show_curves(job: Job) -> None:
    """The figures of the training so far, a chart each, with a line for each of several trainings."""
    records = [record for record in progress_history(job) if record.metrics]
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
    "rank agreement": "Rank agreement with the task loss (validation pictures)",
    "R-AUROC": "R-AUROC (validation pictures)",
}


def _offer_head(job: Job, image_set: ImageSet) -> None:
    if str(head_of(job)) == image_set.source.name:
        st.success("This head is in use.", icon=":material/check:")
    elif act_button("Use this head", partial(use_head, job, image_set), type="primary", key=f"use.{job.id}"):
        st.rerun()


def use_head(job: Job, image_set: ImageSet) -> None:
    """Switch every page to the job's head; a job scores the set again from its stored embeddings."""
    HEAD_BEFORE.set(image_set.source.name)
    open_folder(image_set.root, model=str(head_of(job)), also=image_set.second.name)
    SECOND.under(str(head_of(job))).set(image_set.source.name)


def show_change(image_set: ImageSet) -> None:
    """How far the order is from that of the head before, and a link to both; nothing before a switch."""
    name = HEAD_BEFORE.get()
    before = open_sets().find(image_set.set_id, name) if name and name != image_set.source.name else None
    if before is None or before.head is None or image_set.head is None:
        return
    changed = change(before.table(), image_set.table(), measure="uncertainty")
    st.subheader("What changed", anchor=False)
    st.caption(
        f"{escape(image_set.source.title)} against {escape(before.source.title)}: rank correlation "
        f"{changed.rank_correlation:.2f} over {len(changed.table):,} pictures."
    )
    st.page_link("pages/compare_page.py", label="Compare both", icon=":material/compare:")
