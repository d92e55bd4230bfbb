"""Parts of the Adapt and finetune page: starting a job, its progress and results, and using its head."""

from functools import partial

import pandas as pd
import streamlit as st

from training.config import FinetuneConfig
from url_viz.analysis.told import details, headline, told_from
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.jobs import (
    Job,
    JobState,
    list_jobs,
    progress_history,
)
from url_viz.jobs.adapting import KIND, data_of, head_of, model_to_adapt, report_of, start_adapting, why_no_classes
from url_viz.jobs.job import Status
from url_viz.ui.finetune.slurm import chosen_request, show_target
from url_viz.ui.session import HEAD_BEFORE
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.form import arguments, show_form
from url_viz.ui.widgets.jobs import show_job
from url_viz.ui.widgets.reading import about_job, is_light, open_folder, set_name
from url_viz.workspace import Workspace

SECONDS_PER_VIEW = 1 / 90
"""To read, augment and embed one view on two CPU cores; an estimate."""
BYTES_PER_VIEW = 2 * 1280 + 16
TICK_S = 2.0


def default_config(image_set: ImageSet) -> FinetuneConfig:
    """The config of the one-click adaptation: without labels, with the set's backbone and precision."""
    return FinetuneConfig(
        data=data_of(image_set),
        out=Workspace.at().heads,
        model=model_to_adapt(image_set),
        precision=image_set.space.precision,
    )


def estimate(config: FinetuneConfig, pictures: int) -> str:
    """A rough estimate of a run's time and disk use, in words."""
    used = min(pictures, config.limit or pictures)
    views = used * (config.augmentation.views + 1)
    seconds = 15 + views * SECONDS_PER_VIEW + views * config.recipe.epochs / 60_000
    minutes = "under a minute" if seconds < 55 else f"about {max(1, round(seconds / 60))} min"
    return (
        f"{used:,} pictures · {minutes} on two CPU cores · {max(1, round(views * BYTES_PER_VIEW / 2**20))} MB on disk"
    )


def start(config: FinetuneConfig, image_set: ImageSet) -> Job:
    """Start a finetune job on the set's pictures. Raises JobError if it cannot start."""
    about = about_job(image_set.root, image_set.set_id, model=image_set.source.name, mode=config.mode)
    return start_adapting(
        image_set,
        arguments(config, default=FinetuneConfig(data=config.data, out=config.out)),
        title=_title(config, image_set),
        is_light=config.mode != "full" and is_light(),
        about=about,
        on_slurm=chosen_request(),
    )


def _title(config: FinetuneConfig, image_set: ImageSet) -> str:
    """What a run does, with which model, and to which set."""
    model, name = image_set.source.title, set_name(image_set.root)
    if config.mode == "full":
        return f"Finetune {model} on {name}, backbone and head"
    return f"Adapt {model} to {name}" + (", by its classes" if config.mode == "labels" else "")


def show_adapt(image_set: ImageSet) -> None:
    """The one-click adaptation, without labels."""
    config = default_config(image_set)
    st.markdown(
        "Adapt the head to these pictures: it learns which of them are easily confused with others, "
        "**without labels**, and tells it of any other picture, too. The backbone does not change, and you can switch "
        "back to the previous head at any time."
    )
    st.caption(escape(f"What these pictures have without any job: {image_set.order().reason}"))
    st.caption(escape(estimate(config, len(image_set))))
    show_target()
    if st.button("Adapt to these pictures", type="primary", icon=":material/model_training:", key="adapt"):
        _start_or_show_error(config, image_set)


def show_options(image_set: ImageSet) -> None:
    """The same with every option, generated from the command's config."""
    with st.expander("All options", icon=":material/tune:"):
        try:
            config = show_form(default_config(image_set), key="finetune", leave_out=("data", "out", "model"))
        except ValueError as error:
            show_error(f"These options cannot be combined: {error}")
            return
        why = why_no_classes(image_set) if config.mode != "instance" else None
        if why is not None:
            st.warning(escape(f"{why}, which the mode “{config.mode}” needs."))
        st.caption(escape(estimate(config, len(image_set))))
        if st.button("Start with these options", key="start_finetune"):
            _start_or_show_error(config, image_set)


def show_jobs(image_set: ImageSet) -> None:
    """Every finetune job of this set, newest first; refreshed while one is live."""
    jobs = list_jobs(Workspace.at(), kind=KIND, about={"set_id": image_set.set_id})
    st.subheader("Runs", anchor=False)
    if not jobs:
        st.caption("No runs yet. A run continues when you close this page or stop the app.")
        return
    is_live = any(job.status().is_live for job in jobs)
    st.fragment(_show_list, run_every=TICK_S if is_live else None)(
        [job.id for job in jobs], image_set, was_live=is_live
    )


def _show_list(job_ids: list[str], image_set: ImageSet, *, was_live: bool) -> None:
    jobs = [job for job in list_jobs(Workspace.at(), kind=KIND) if job.id in job_ids]
    if was_live and not any(job.status().is_live for job in jobs):
        st.rerun()
    for number, job in enumerate(jobs):
        show_job(job, is_open=number == 0, more=partial(_show_run, image_set))


def _show_run(image_set: ImageSet, job: Job, status: Status) -> None:
    _show_curves(job)
    if status.state is JobState.SUCCEEDED:
        _show_result(job, image_set)


def _show_curves(job: Job) -> None:
    records = [r.progress for r in progress_history(job) if r.progress.metrics]
    if len(records) < 2:
        return
    names = list(records[-1].metrics)
    lines = pd.DataFrame([{"step": r.done, **r.metrics} for r in records]).set_index("step")
    for column, name in zip(st.columns(len(names)), names, strict=True):
        with column:
            st.caption(escape(_NAMES.get(name, name)))
            st.line_chart(lines[name], height=150, width="stretch")


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


def _start_or_show_error(config: FinetuneConfig, image_set: ImageSet) -> None:
    try:
        start(config, image_set)
    except UrlVizError as error:
        show_error(error)
    else:
        st.rerun()
