"""Parts of the Adapt and finetune page: starting a job, its progress and results, and using its head."""

from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
import streamlit as st

from training.config import FinetuneConfig, Mode
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
from url_viz.ui.widgets.form import arguments, show_field, show_form
from url_viz.ui.widgets.jobs import show_job
from url_viz.ui.widgets.reading import about_job, is_light, open_folder, set_name
from url_viz.workspace import Workspace


@dataclass(frozen=True)
class ModeWords:
    """A mode of the command in words: its `title`, what it does, its button, and the options that are shown first."""

    title: str
    about: str
    button: str
    main: tuple[str, ...]


MODES: dict[Mode, ModeWords] = {
    "instance": ModeWords(
        "Which of these pictures are easily confused, without labels",
        (
            "The head learns which pictures are easily confused with others here, without labels, and tells it of "
            "any other picture, too. The backbone does not change, and you can switch back to the previous head at any "
            "time."
        ),
        "Adapt to these pictures",
        ("limit", "recipe.epochs"),
    ),
    "labels": ModeWords(
        "Which pictures are hard to put into your classes",
        (
            "The head learns which pictures a classifier of your class folders gets wrong. The backbone does not "
            "change, and you can switch back to the previous head at any time."
        ),
        "Adapt to these classes",
        ("limit", "recipe.epochs"),
    ),
    "full": ModeWords(
        "Backbone and head together, on your classes (slow)",
        (
            "The backbone learns your class folders, with a new head beside it. What was read stays; using the "
            "result reads every picture again. On two CPU cores this takes minutes for hundreds of pictures."
        ),
        "Finetune backbone and head",
        ("limit", "joint.joint_epochs", "joint.backbone_rate"),
    ),
}
NOT_ASKED = ("data", "out", "model", "mode")
TITLES = {
    "limit": "Learn from at most so many pictures",
    "epochs": "Epochs",
    "joint_epochs": "Epochs",
    "joint_batch": "Batch",
    "backbone_rate": "Learning rate of the backbone",
    "classifier_rate": "Learning rate of the classifier",
    "fresh_rate": "Learning rate of the head",
    "learns": "What is easily confused: with others, or with its own crops",
    "told": "Share of pictures kept for the figures",
    "held_out": "Share of pictures that choose the epoch",
    "from_shipped": "Start from the present head",
    "margin": "Margin of a pair",
    "leeway": "Task losses this close are no pair",
    "pairings": "Pairings of a batch",
    "frozen_share": "Share of the backbone that stays",
    "refit": "Fit the classifier again at the end",
    "freeze_norms": "Keep the batch norms",
}
"""What an option is called on the page, by its name in the command, where that is not plain."""

SECONDS_PER_VIEW = 1 / 90
"""To read, augment and embed one view on two CPU cores; an estimate."""
SECONDS_PER_TRAINED = 1 / 10
"""To train the backbone on one picture, once, on two CPU cores; an estimate."""
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
    views = used * (1 if config.mode == "full" else config.augmentation.views + 1)
    epochs = config.recipe.epochs * views / 60_000
    if config.mode == "full":
        epochs = config.joint.joint_epochs * used * SECONDS_PER_TRAINED
    seconds = 15 + views * SECONDS_PER_VIEW + epochs
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
    """What is learnt, its few main options, the others folded, and the button that starts it."""
    st.caption(escape(f"What these pictures have without any job: {image_set.order().reason}"))
    mode = st.radio(
        "What to learn", list(MODES), format_func=lambda name: escape(MODES[name].title), key="finetune.mode"
    )
    st.markdown(escape(MODES[mode].about))
    why = why_no_classes(image_set) if mode != "instance" else None
    if why is not None:
        st.warning(escape(f"{why}, and this learns from them."), icon=":material/info:")
    try:
        config = _options(replace(default_config(image_set), mode=mode))
    except ValueError as error:
        show_error(f"These options cannot be combined: {error}")
        return
    st.caption(escape(estimate(config, len(image_set))))
    show_target()
    if st.button(
        escape(MODES[mode].button),
        type="primary",
        icon=":material/model_training:",
        key="adapt",
        disabled=why is not None,
    ):
        _start_or_show_error(config, image_set)


def _options(config: FinetuneConfig) -> FinetuneConfig:
    """Widgets for the options that the mode reads: the main ones, and the others folded."""
    main = MODES[config.mode].main
    for column, name in zip(st.columns(3), main, strict=False):
        with column:
            config = show_field(config, name, key="finetune", title=TITLES[name.rpartition(".")[-1]])
    with st.expander("More options", icon=":material/tune:"):
        return show_form(config, key="finetune", leave_out={*NOT_ASKED, *main, *config.unread}, titles=TITLES)


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
