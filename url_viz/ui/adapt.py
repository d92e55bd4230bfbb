"""Train: what to expect, what to learn, the start, a form for the options, and the runs so far."""

import dataclasses
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import pandas as pd
import streamlit as st

from training.config import PRESETS, FinetuneConfig, Mode, PretrainConfig, Reads
from url_viz.base.errors import FolderError
from url_viz.base.wording import listed
from url_viz.base.workspace import Workspace
from url_viz.evidence.compare import change
from url_viz.evidence.order import grade, plain_words
from url_viz.image_set import ImageSet
from url_viz.imaging.source import refuse_without_files
from url_viz.jobs import Job, JobState, list_jobs, progress_history
from url_viz.jobs.job import Status
from url_viz.jobs.kinds import (
    ADAPT,
    PRETRAIN,
    about_of,
    backbone_of,
    config_to_adapt,
    config_to_pretrain,
    has_classifier,
    head_of,
    start_pretraining,
    what_to_expect,
    why_no_classes,
)
from url_viz.models.model import model_title
from url_viz.recent_sets import RecentSet
from url_viz.ui.auth import may_read
from url_viz.ui.compare_models import SECOND
from url_viz.ui.open_sets import open_sets, recent_sets
from url_viz.ui.session import Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.buttons import act_button, control_of
from url_viz.ui.widgets.embed_job import open_folder, readable, set_name, set_title
from url_viz.ui.widgets.jobs import TICK_S, show_job, show_result

FilledConfig = TypeVar("FilledConfig")


def show_form(
    config: FilledConfig, *, key: str, leave_out: Collection[str] = (), titles: Mapping[str, str] = MappingProxyType({})
) -> FilledConfig:
    """Widgets for the fields of `config` (a frozen dataclass), nested ones in groups; returns the edited config.

    A field's documentation, with its default, becomes its help text. `leave_out` names fields, GROUP.NAME in a group,
    that get no widget; `titles` has titles other than the names. Raises the dataclass's ValueError for fields that
    conflict.
    """
    hints = get_type_hints(type(config), include_extras=True)
    chosen: dict[str, Any] = {}
    drawn = [f for f in fields(config) if f.name not in leave_out]  # type: ignore[arg-type]
    groups = [f for f in drawn if is_dataclass(getattr(config, f.name))]
    plain = [f for f in drawn if f not in groups]
    columns = st.columns(3) if plain else []
    for number, entry in enumerate(plain):
        with columns[number % 3]:
            value, title = getattr(config, entry.name), titles.get(entry.name, _title(entry.name))
            chosen[entry.name] = _widget(title, hints[entry.name], value, key=f"{key}.{entry.name}")
    for group in groups:
        value = getattr(config, group.name)
        st.header(escape(_title(group.name)), anchor=False)
        st.caption(escape(_sentence(hints[group.name])))
        below = [name.removeprefix(f"{group.name}.") for name in leave_out if name.startswith(f"{group.name}.")]
        chosen[group.name] = show_form(value, key=f"{key}.{group.name}", leave_out=below, titles=titles)
    return dataclasses.replace(config, **chosen)  # type: ignore[type-var]


def show_field(config: FilledConfig, name: str, *, key: str, title: str) -> FilledConfig:
    """A widget for one field, GROUP.NAME in a group; returns the edited config.

    Raises the dataclass's ValueError for fields that conflict.
    """
    group, _, inner = name.rpartition(".")
    if group:
        edited = show_field(getattr(config, group), inner, key=f"{key}.{group}", title=title)
    else:
        hint = get_type_hints(type(config), include_extras=True)[name]
        edited = _widget(title, hint, getattr(config, name), key=f"{key}.{name}")
    return dataclasses.replace(config, **{group or name: edited})  # type: ignore[type-var]


def _widget(title: str, hint: Any, value: Any, *, key: str) -> Any:
    """One widget: a toggle, a choice, a number (which may be empty if the type allows None), or text."""
    kind, shown, help_text = _kind(hint), escape(title), escape(f"{_sentence(hint)} {_default(value)}".strip())
    if isinstance(value, bool):
        return st.toggle(shown, value=value, key=key, help=help_text)
    if get_origin(kind) is Literal:
        options = list(get_args(kind))
        return st.selectbox(shown, options, index=options.index(value), key=key, help=help_text)
    number = next((t for t in (int, float) if t in (kind, *get_args(kind))), None)
    if number is int:
        typed = st.number_input(shown, value=value, step=1, key=key, help=help_text)
        return None if typed is None else int(typed)
    if number is float:
        return st.number_input(shown, value=value, step=None, format="%.4g", key=key, help=help_text)
    return st.text_input(shown, value=str(value), key=key, help=help_text)


def _kind(hint: Any) -> Any:
    kind = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    return kind if not isinstance(kind, types.UnionType) or get_args(kind) else MISSING


def _sentence(hint: Any) -> str:
    return next((str(m.documentation) for m in getattr(hint, "__metadata__", ()) if hasattr(m, "documentation")), "")


def _default(value: object) -> str:
    """The value that a widget has before anybody changes it, in words."""
    if isinstance(value, bool):
        return f"Default: {'on' if value else 'off'}."
    if isinstance(value, float):
        return f"Default: {value:.4g}."
    return f"Default: {'none' if value is None else value}."


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


PRETRAIN_SETS: Key[list[str]] = Key("pretrain.sets")
"""The ids of the image sets to train a head on or to measure it on, by that use and the set that is open."""

Config = TypeVar("Config", FinetuneConfig, PretrainConfig)
What = Mode | Literal["pretrain"]
LIMIT = "Most pictures to learn from"
GROUPS = ("Data", "Model", "How long")
"""What a person thinks of before a training."""


@dataclass(frozen=True)
class TrainingGoal:
    """Something to learn: its `title`, what it does, its button, and the options that are asked for first.

    These are one of each of the GROUPS, by field, with their titles; all others stand under *More*.
    """

    title: str
    meaning: str
    button: str
    main: Mapping[str, str]
    icon: str = ":material/model_training:"


GOALS: dict[What, TrainingGoal] = {
    "instance": TrainingGoal(
        "Which of these pictures are easily mistaken (no labels needed)",
        (
            "The head learns which pictures here are easily mistaken, and can then judge new ones. The backbone does "
            "not change; you can switch back at any time."
        ),
        "Adapt to these pictures",
        {"limit": LIMIT, "from_shipped": "Start from the current head", "recipe.epochs": "Epochs"},
    ),
    "labels": TrainingGoal(
        "Which pictures are hard to classify into your classes",
        (
            "The head learns which pictures a classifier of your class folders gets wrong. The backbone does not "
            "change; you can switch back at any time."
        ),
        "Adapt to these classes",
        {"limit": LIMIT, "from_shipped": "Start from the current head", "recipe.epochs": "Epochs"},
    ),
    "full": TrainingGoal(
        "Your classes, with backbone and head together (slow)",
        (
            "Trains the backbone on your class folders, with a new head on top. Using the result reads every picture "
            "again; what was read stays."
        ),
        "Finetune backbone and head",
        {"limit": LIMIT, "joint.frozen_share": "Share of the backbone kept frozen", "joint.joint_epochs": "Epochs"},
    ),
    "pretrain": TrainingGoal(
        "Which pictures are ambiguous in general, from labelled image sets",
        (
            "The head learns from labelled image sets which pictures a classifier gets wrong, and can then judge any "
            "picture by itself, without labels. For a timm backbone that has no head, or for pictures far from "
            "photographs, such as scans or drawings."
        ),
        "Train this head",
        {"limit": f"{LIMIT} of each set", "reads": "What the head reads", "recipe.epochs": "Epochs"},
        ":material/school:",
    ),
}
TITLES = {
    "joint_batch": "Batch",
    "classifier_rate": "Learning rate of the classifier",
    "fresh_rate": "Learning rate of the head",
    "learns": "Mistaken for what: other pictures, or its own crops",
    "test_share": "Share of pictures held out for testing",
    "backbone_rate": "Learning rate of the backbone",
    "held_out": "Share of pictures for choosing the epoch",
    "margin": "Margin within a pair",
    "leeway": "Task losses this close form no pair",
    "pairings": "Pairings per batch",
    "refit": "Refit the classifier at the end",
    "freeze_norms": "Freeze batch norms",
}
"""Titles of options on the page, by their names in the command, where these are not plain."""
OF_SEEDS = {**TITLES, "held_out": "Share of pictures for choosing epoch and seed"}
NOT_ASKED = (
    *("data", "out", "model", "mode", "report"),  # follow from the chosen sets and the open one
    *("develop", "earlier", "votes", "votes_order"),  # of studies
    "target",  # of pictures without classes
)
LAYERS = ("recipe.width", "recipe.depth", "recipe.layer_norm")
"""Fields of a recipe that only a head on the embedding has."""
FOR_BACKBONE = "The head is for {}, which read this set. For another backbone, read the set with it first."
WITHOUT_SETS = "No image set in this workspace has class folders, which this training needs."
NONE_TEACHES = "Choose at least one image set to learn from."
MOST_SETS = 500
LEAST_CLASSES = 2

# Estimates, on two CPU cores, in seconds: to start; for a second backbone and intervals; to read, augment and embed a
# view; to train the backbone on a picture, and a head on a stored view, once.
START_S, PREPARING_S = 15, 30
SECONDS_PER_VIEW, SECONDS_PER_TRAINED, SECONDS_PER_ROW = 1 / 90, 1 / 10, 1 / 60_000
BYTES_PER_VIEW = 2 * 1280 + 16


def estimate(config: FinetuneConfig | PretrainConfig, *pictures: int, measured: int = 0) -> str:
    """A rough estimate of a run's time and disk use, in words, from the numbers of pictures of each set.

    Each measured picture is read with a crop and by a second backbone, then once more with those that teach.
    """
    used = sum(min(count, config.limit or count) for count in pictures)
    if isinstance(config, FinetuneConfig) and config.mode == "full":
        views, training_s = used, config.joint.joint_epochs * used * SECONDS_PER_TRAINED
    else:
        views = used * (config.augmentation.views + 1)
        seeds = config.seeds if isinstance(config, PretrainConfig) else 1
        training_s = seeds * config.recipe.epochs * views * SECONDS_PER_ROW
    measuring_s = PREPARING_S + (4 * measured + sum(pictures)) * SECONDS_PER_VIEW if measured else 0
    seconds = START_S + views * SECONDS_PER_VIEW + training_s + measuring_s
    minutes = "under a minute" if seconds < 55 else f"about {max(1, round(seconds / 60))} min"
    megabytes = max(1, round(views * BYTES_PER_VIEW / 2**20))
    return f"{used:,} pictures · {minutes} on two CPU cores · {megabytes} MB on disk"


def show_adapt(image_set: ImageSet) -> None:
    """What to expect, the choice of what to learn, the button that starts it, and its options, folded."""
    expected = st.container()
    chosen = st.radio(
        "What to learn", list(GOALS), format_func=lambda name: escape(GOALS[name].title), key="finetune.mode"
    )
    with expected:
        _show_expected(image_set, chosen)
    st.markdown(escape(GOALS[chosen].meaning))
    try:
        if chosen == "pretrain":
            _show_pretrain(GOALS[chosen], image_set)
        else:
            _show_mode(GOALS[chosen], replace(config_to_adapt(image_set), mode=chosen), image_set)
    except ValueError as error:
        show_error(f"These options cannot be combined: {error}")


def _show_expected(image_set: ImageSet, goal: What) -> None:
    """How well the set is ordered without training, and what was measured of such a training on few pictures."""
    warning = "" if goal == "pretrain" else what_to_expect(image_set, goal)
    if warning:
        st.info(escape(image_set.core.in_words(warning)), icon=":material/info:")
        return
    order = image_set.order()
    words = grade(order).removeprefix("Order: ") or order.reason
    known = " ".join(dict.fromkeys((plain_words(order), order.reason)))
    st.caption(escape(f"What you have without training: {words}"), help=escape(image_set.core.in_words(known)))


def _show_mode(goal: TrainingGoal, config: FinetuneConfig, image_set: ImageSet) -> None:
    why = why_no_classes(image_set) if config.mode != "instance" else None
    if why is not None:
        st.warning(escape(f"{why}, which this training needs."), icon=":material/info:")
    places = _places()
    config = _options(config, goal, places, key="finetune", leave_out=config.unread)

    def start() -> Job:
        name = set_name(image_set.root)
        return ADAPT.start_on(image_set, config, name=name, mode=config.mode)

    is_advised, cost = not what_to_expect(image_set, config.mode), estimate(config, len(image_set))
    with places.start:
        _show_start(goal, start, cost=cost, key="adapt", is_ready=why is None, is_advised=is_advised)


def _show_pretrain(goal: TrainingGoal, image_set: ImageSet) -> None:
    sets = labelled_sets()
    if not sets:
        st.warning(WITHOUT_SETS, icon=":material/info:")
        return
    teach = _choose_teachers(image_set, sets)
    places = _places()
    key = f"pretrain.{image_set.set_id}"
    with places.more:
        st.caption(escape(FOR_BACKBONE.format(model_title(backbone_of(image_set.source)))))
        chosen = TrainingSets(teach, _choose_measured(image_set, sets, teach=teach))
    with places.first["Model"]:
        reads = goal.main["reads"]
        config = with_its_recipe(show_field(pretrain_config(image_set, chosen), "reads", key=key, title=reads))
    layers = LAYERS if config.reads == "functions" else ()
    mixture = ("mixture",) if len(config.data) < 2 else ()
    asked_or_unread = {"reads", "precision", "instance", *layers, *mixture}
    config = _options(config, goal, places, key=f"{key}.{config.reads}", leave_out=asked_or_unread)

    def start() -> Job:
        for image_set_used in (*chosen.teach, *chosen.measured):
            readable(image_set_used.about.root)
        return start_pretraining(
            config,
            teachers=listed([set_title(each.about) for each in chosen.teach]),
            workspace=image_set.workspace,
            about=about_of(image_set, name=set_name(image_set.root), mode="pretrain"),
            within=may_read(),
        )

    pictures, measured = ([each.pictures for each in sets] for sets in (chosen.teach, chosen.measured))
    cost = estimate(config, *pictures, measured=sum(measured)) if chosen.teach else NONE_TEACHES
    with places.start:
        _show_start(goal, start, cost=cost, key="pretrain", is_ready=bool(chosen.teach))


@dataclass(frozen=True)
class _Places:
    """Where the options that come first stand, by group; the button, which is drawn once all are read; all others."""

    first: Mapping[str, "st.delta_generator.DeltaGenerator"]
    start: "st.delta_generator.DeltaGenerator"
    more: "st.delta_generator.DeltaGenerator"


def _places() -> _Places:
    first = dict(zip(GROUPS, st.columns(len(GROUPS)), strict=True))
    for group, column in first.items():
        column.markdown(f"**{escape(group)}**")
    return _Places(first, st.container(), st.expander("More", icon=":material/tune:"))


def _options(config: Config, goal: TrainingGoal, places: _Places, *, key: str, leave_out: Collection[str]) -> Config:
    """Widgets for the options that a run reads, which are all but those to `leave_out`."""
    for column, (name, title) in zip(places.first.values(), goal.main.items(), strict=True):
        if name not in leave_out:
            with column:
                config = show_field(config, name, key=key, title=title)
    titles = OF_SEEDS if isinstance(config, PretrainConfig) else TITLES
    with places.more:
        return show_form(config, key=key, leave_out={*NOT_ASKED, *goal.main, *leave_out}, titles=titles)


def _show_start(
    goal: TrainingGoal, start: Callable[[], Job], *, cost: str, key: str, is_ready: bool, is_advised: bool = True
) -> None:
    kind: Literal["primary", "secondary"] = "primary" if is_advised else "secondary"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        is_started = act_button(goal.button, start, type=kind, icon=goal.icon, key=key, disabled=not is_ready)
        st.caption(escape(cost), width="content")
    if is_started:
        st.rerun()


@dataclass(frozen=True)
class TrainingSets:
    """The image sets of a run: those that `teach` the head, and those on which it is `measured`."""

    teach: tuple[RecentSet, ...]
    measured: tuple[RecentSet, ...] = ()


def labelled_sets() -> tuple[RecentSet, ...]:
    """The image sets of the workspace whose pictures lie in class folders, the latest first."""
    return tuple(
        recent
        for recent in recent_sets().latest(MOST_SETS)
        if recent.folder_classes >= LEAST_CLASSES and recent.about.root.is_dir()
    )


def pretrain_config(image_set: ImageSet, chosen: TrainingSets) -> PretrainConfig:
    """The config of a head for the open set's backbone; it reads the classifier's functions if there is one."""
    teach, measured = ([each.about.root for each in sets] for sets in (chosen.teach, chosen.measured))
    config = config_to_pretrain(teach, measured, backbone=backbone_of(image_set.source))
    reads: Reads = "functions" if has_classifier(image_set) else "embedding"
    return replace(config, reads=reads, precision=image_set.space.precision)


def with_its_recipe(config: PretrainConfig) -> PretrainConfig:
    """The config with the usual recipe for what its head reads."""
    return replace(config, recipe=PRESETS["functions" if config.reads == "functions" else "laptop"])


def _choose_teachers(image_set: ImageSet, sets: Sequence[RecentSet]) -> tuple[RecentSet, ...]:
    """The sets to learn from, at first the one that is open."""
    by_id = {each.set_id: each for each in sets}
    usual = [image_set.set_id] if image_set.set_id in by_id else []
    return tuple(map(by_id.__getitem__, _sets_picked(image_set, "teach", "Sets to learn from", by_id, usual=usual)))


def _choose_measured(
    image_set: ImageSet, sets: Sequence[RecentSet], *, teach: Sequence[RecentSet]
) -> tuple[RecentSet, ...]:
    """The sets to test on: none that teaches."""
    others = {each.set_id: each for each in sets if each not in teach}
    return tuple(map(others.__getitem__, _sets_picked(image_set, "measure", "Sets to test on", others)))


HELP = {
    "teach": "Image sets with class folders, as they are on disk. More varied pictures make a more general head.",
    "measure": "Other labelled sets, not used for training: how well the head orders them is shown next to baselines. "
    "A set it learnt from cannot show that.",
}


def _sets_picked(
    image_set: ImageSet, use: str, title: str, by_id: dict[str, RecentSet], *, usual: Sequence[str] = ()
) -> list[str]:
    """The ids of the sets picked for a use; those that are no longer on offer are dropped."""

    def described(set_id: str) -> str:
        recent = by_id[set_id]
        return f"{set_title(recent.about)} · {recent.pictures:,} pictures, {recent.folder_classes:,} classes"

    key = PRETRAIN_SETS.under(use, image_set.set_id)
    picked = [set_id for set_id in key.get_or(lambda: list(usual)) if set_id in by_id]
    st.multiselect(
        escape(title),
        list(by_id),
        picked,
        format_func=described,
        help=escape(HELP[use]),
        placeholder="None" if use == "measure" else "Choose sets",
        **control_of(key, picked, options=by_id),
    )
    return picked


HEAD_BEFORE: Key[str] = Key("finetune.before")

RUN = "training"


def show_jobs(image_set: ImageSet) -> None:
    """Every finetune job of this set, and every head made for its backbone, newest first; refreshed while one runs."""

    def show(ids: set[str], *, was_live: bool) -> None:
        jobs = [job for job in _jobs_for(image_set) if job.id in ids]
        if was_live and not any(job.status().is_live for job in jobs):
            st.rerun()
        for number, job in enumerate(jobs):
            show_job(job, is_open=number == 0, more=partial(_show_run, image_set))

    jobs = _jobs_for(image_set)
    st.header("Runs", anchor=False)
    if not jobs:
        st.caption("No runs yet. A run goes on even if you close this page or stop the app.")
        return
    is_live = any(job.status().is_live for job in jobs)
    st.fragment(show, run_every=TICK_S if is_live else None)({job.id for job in jobs}, was_live=is_live)


def _jobs_for(image_set: ImageSet) -> list[Job]:
    home = Workspace.at()
    adapted = list_jobs(home, kind=ADAPT.name, about={"set_id": image_set.set_id})
    pretrained = list_jobs(home, kind=PRETRAIN.name, about={"backbone": backbone_of(image_set.source)})
    return sorted([*adapted, *pretrained], key=lambda job: -job.created)


def _show_run(image_set: ImageSet, job: Job, status: Status) -> None:
    """The curves of a run, its result, and the button that puts its head to use."""
    _show_curves(job)
    if (result := show_result(job, status)) is not None:
        use, look = partial(_use_head, job, image_set), "secondary" if result.is_weak else "primary"
        if str(head_of(job)) == image_set.source.name:
            st.success("This head is in use.", icon=":material/check:")
        elif act_button("Use this head", use, type=look, key=f"use.{job.id}"):
            st.rerun()
    elif job.kind == PRETRAIN.name and status.state in (JobState.CANCELLED, JobState.LOST):
        st.caption("Run again continues where this stopped: what was read and trained is kept.")


def _show_curves(job: Job) -> None:
    """The figures of the training so far, a chart each, with a line for each training."""
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
    "rank agreement": "Rank agreement with what the head learns (validation pictures)",
    "R-AUROC": "R-AUROC (validation pictures)",
}


def _use_head(job: Job, image_set: ImageSet) -> None:
    """Switch every page to the job's head; a job scores the set again from its stored embeddings."""
    HEAD_BEFORE.set(image_set.source.name)
    open_folder(image_set.root, model=str(head_of(job)), also=image_set.core.second.name)
    SECOND.under(str(head_of(job))).set(image_set.source.name)


def show_change(image_set: ImageSet) -> None:
    """The rank correlation with the order by the head before, and a link to both; nothing before a switch."""
    name = HEAD_BEFORE.get()
    before = open_sets().find(image_set.set_id, name) if name and name != image_set.source.name else None
    if before is None or before.source.head is None or image_set.source.head is None:
        return
    table, rank_correlation = change(before.table(), image_set.table(), measure="uncertainty")
    st.subheader("What changed", anchor=False)
    st.caption(
        f"{escape(image_set.source.title)} against {escape(before.source.title)}: rank correlation "
        f"{rank_correlation:.2f} over {len(table):,} pictures."
    )


def show_training(image_set: ImageSet) -> None:
    """A finetune job on the set, its head, and what that head changed."""
    if image_set.source.is_external:
        st.info(
            "These embeddings were imported from a file, so there is no model to adapt. Choose a model, "
            "or enter the backbone you finetuned as BACKBONE:PATH.",
            icon=":material/info:",
        )
        end_page()
    try:
        refuse_without_files(image_set.root)
    except FolderError as error:
        show_error(error)
        end_page()
    show_adapt(image_set)
    show_jobs(image_set)
    show_change(image_set)
