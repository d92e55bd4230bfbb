"""Parts of the Adapt and finetune page: what to learn, its options, and the button that starts the job."""

from dataclasses import dataclass, replace
from typing import Literal

import streamlit as st

from training.config import FinetuneConfig, Mode
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.jobs import Job
from url_viz.jobs.adapting import data_of, model_to_adapt, start_adapting, why_no_classes
from url_viz.ui.finetune.estimate import SECONDS_PER_ROW, SECONDS_PER_TRAINED, cost_in_words
from url_viz.ui.finetune.pretrain import TITLE as PRETRAIN_TITLE
from url_viz.ui.finetune.pretrain import show_pretrain
from url_viz.ui.finetune.slurm import chosen_request, show_target
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.form import arguments, show_field, show_form
from url_viz.ui.widgets.reading import about_job, is_light, set_name
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
PRETRAIN: Literal["pretrain"] = "pretrain"
"""The choice beside these modes that is another command: a head from labelled image sets."""
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
    training_s = config.recipe.epochs * views * SECONDS_PER_ROW
    if config.mode == "full":
        training_s = config.joint.joint_epochs * used * SECONDS_PER_TRAINED
    return cost_in_words(used, views=views, training_s=training_s)


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
    choices: list[Mode | Literal["pretrain"]] = [*MODES, PRETRAIN]
    chosen = st.radio(
        "What to learn", choices, format_func=lambda name: escape(_title_of_choice(name)), key="finetune.mode"
    )
    if chosen == PRETRAIN:
        show_pretrain(image_set)
    else:
        _show_mode(chosen, image_set)


def _title_of_choice(name: Mode | Literal["pretrain"]) -> str:
    return PRETRAIN_TITLE if name == PRETRAIN else MODES[name].title


def _show_mode(mode: Mode, image_set: ImageSet) -> None:
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


def _start_or_show_error(config: FinetuneConfig, image_set: ImageSet) -> None:
    try:
        start(config, image_set)
    except UrlVizError as error:
        show_error(error)
    else:
        st.rerun()
