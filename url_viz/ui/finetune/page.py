"""Parts of the Adapt and finetune page: what to learn, its options, its cost, and the button that starts it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import streamlit as st

from training.config import PRESETS, FinetuneConfig, Mode, PretrainConfig, Reads
from url_viz.analysis.order import plain_words
from url_viz.image_set import ImageSet
from url_viz.jobs import Job
from url_viz.jobs.heads import (
    backbone_of,
    config_to_adapt,
    config_to_pretrain,
    hard_to_beat,
    has_classifier,
    start_pretraining,
    why_no_classes,
)
from url_viz.jobs.kinds import ADAPT, about_of
from url_viz.models.model import model_title
from url_viz.recent_sets import RecentSet
from url_viz.ui.allowed_paths import may_read
from url_viz.ui.finetune.form import show_field, show_form
from url_viz.ui.open_sets import recent_sets
from url_viz.ui.session import Key
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.embed_job import readable, set_name, set_title
from url_viz.ui.widgets.shown_value import control_of
from url_viz.wording import listed

PRETRAIN_SETS: Key[list[str]] = Key("pretrain.sets")
"""The ids of the image sets to train a head on or to measure it on, by that use and the set that is open."""

Config = TypeVar("Config", FinetuneConfig, PretrainConfig)
What = Mode | Literal["pretrain"]
LIMIT = "Most pictures to learn from"


@dataclass(frozen=True)
class TrainingGoal:
    """Something to learn: its `title`, what it does, its button, and the options that are shown first, with titles."""

    title: str
    meaning: str
    button: str
    main: Mapping[str, str]
    icon: str = ":material/model_training:"


GOALS: dict[What, TrainingGoal] = {
    "instance": TrainingGoal(
        "Which of these pictures are easily mistaken (no labels needed)",
        (
            "The head learns, without labels, which pictures here are easily mistaken, and can then judge new "
            "pictures too. The backbone does not change, and you can switch back to the previous head at any time."
        ),
        "Adapt to these pictures",
        {"limit": LIMIT, "recipe.epochs": "Epochs"},
    ),
    "labels": TrainingGoal(
        "Which pictures are hard to classify into your classes",
        (
            "The head learns which pictures a classifier of your class folders gets wrong. The backbone does not "
            "change, and you can switch back to the previous head at any time."
        ),
        "Adapt to these classes",
        {"limit": LIMIT, "recipe.epochs": "Epochs"},
    ),
    "full": TrainingGoal(
        "Your classes, with backbone and head together (slow)",
        (
            "Trains the backbone on your class folders, with a new head on top. What was read stays; using the "
            "result reads every picture again. On two CPU cores, hundreds of pictures take minutes."
        ),
        "Finetune backbone and head",
        {"limit": LIMIT, "joint.joint_epochs": "Epochs", "joint.backbone_rate": "Learning rate of the backbone"},
    ),
    "pretrain": TrainingGoal(
        "Which pictures are ambiguous in general, from labelled image sets",
        (
            "The head learns from the class folders of one or more image sets which pictures a classifier gets "
            "wrong. It can then judge pictures it has never seen, one at a time and without labels. Use this for a "
            "timm backbone that has no head, or for pictures far from photographs, such as scans or drawings. If you "
            "have no labels, or only want to order these pictures, take the first choice."
        ),
        "Train this head",
        {"seeds": "Seeds", "recipe.epochs": "Epochs", "limit": f"{LIMIT} of each set"},
        ":material/school:",
    ),
}
TITLES = {
    "joint_batch": "Batch",
    "classifier_rate": "Learning rate of the classifier",
    "fresh_rate": "Learning rate of the head",
    "learns": "Mistaken for what: other pictures, or its own crops",
    "told": "Share of pictures held out for testing",
    "held_out": "Share of pictures for choosing the epoch",
    "from_shipped": "Start from the current head",
    "margin": "Margin within a pair",
    "leeway": "Task losses this close form no pair",
    "pairings": "Pairings per batch",
    "frozen_share": "Share of the backbone kept frozen",
    "refit": "Refit the classifier at the end",
    "freeze_norms": "Freeze batch norms",
}
"""What an option is called on the page, by its name in the command, where that is not plain."""
OF_SEEDS = {**TITLES, "held_out": "Share of pictures for choosing epoch and seed"}
READS_TITLE = "What the head reads"
NOT_ASKED = (
    *("data", "out", "model", "mode", "report"),  # follow from the chosen sets and the open one
    *("develop", "earlier", "votes", "votes_order"),  # of studies
    "target",  # of pictures without classes
)
LAYERS = ("recipe.width", "recipe.depth", "recipe.layer_norm")
"""Of a recipe, what only a head on the embedding has."""
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
    """A rough estimate of a run's time and disk use, in words, by the numbers of pictures of each set.

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
    """What is learnt, its few main options, the others folded, and the button that starts it."""
    order = image_set.order()
    st.caption(escape(f"What you have without training: {plain_words(order)}"), help=escape(order.reason))
    chosen = st.radio(
        "What to learn", list(GOALS), format_func=lambda name: escape(GOALS[name].title), key="finetune.mode"
    )
    st.markdown(escape(GOALS[chosen].meaning))
    try:
        if chosen == "pretrain":
            _show_pretrain(GOALS[chosen], image_set)
        else:
            _show_mode(GOALS[chosen], replace(config_to_adapt(image_set), mode=chosen), image_set)
    except ValueError as error:
        show_error(f"These options cannot be combined: {error}")


def _show_mode(goal: TrainingGoal, config: FinetuneConfig, image_set: ImageSet) -> None:
    why = why_no_classes(image_set) if config.mode != "instance" else None
    if why is not None:
        st.warning(escape(f"{why}, which this training needs."), icon=":material/info:")
    warning = hard_to_beat(image_set) if config.mode == "instance" else ""
    if warning:
        st.info(escape(warning), icon=":material/info:")
    first, more = _places()
    config = _options(config, goal, first, more, key="finetune", leave_out=config.unread)

    def start() -> Job:
        name = set_name(image_set.root)
        return ADAPT.start_on(image_set, config, name=name, mode=config.mode)

    _show_start(
        goal, start, cost=estimate(config, len(image_set)), key="adapt", is_ready=why is None, is_advised=not warning
    )


def _show_pretrain(goal: TrainingGoal, image_set: ImageSet) -> None:
    st.caption(escape(FOR_BACKBONE.format(model_title(backbone_of(image_set.source)))))
    sets = labelled_sets()
    if not sets:
        st.warning(WITHOUT_SETS, icon=":material/info:")
        return
    chosen = _choose_sets(image_set, sets)
    first, more = _places()
    key = f"pretrain.{image_set.set_id}"
    with more:
        config = show_field(pretrain_config(image_set, chosen), "reads", key=key, title=READS_TITLE)
    config = with_its_recipe(config)
    config = _options(config, goal, first, more, key=f"{key}.{config.reads}", leave_out=_unread(config))

    def start() -> Job:
        for image_set_used in (*chosen.teach, *chosen.measured):
            readable(image_set_used.about.root)
        return start_pretraining(
            config,
            teachers=chosen.names,
            workspace=image_set.workspace,
            about=about_of(image_set, name=set_name(image_set.root), mode="pretrain"),
            within=may_read(),
        )

    pictures, measured = ([each.pictures for each in sets] for sets in (chosen.teach, chosen.measured))
    cost = estimate(config, *pictures, measured=sum(measured)) if chosen.teach else NONE_TEACHES
    _show_start(goal, start, cost=cost, key="pretrain", is_ready=bool(chosen.teach))


def _places() -> tuple["st.delta_generator.DeltaGenerator", "st.delta_generator.DeltaGenerator"]:
    return st.container(), st.expander("More options", icon=":material/tune:")


def _options(
    config: Config,
    goal: TrainingGoal,
    first: "st.delta_generator.DeltaGenerator",
    more: "st.delta_generator.DeltaGenerator",
    *,
    key: str,
    leave_out: Collection[str],
) -> Config:
    """Widgets for the options that a run reads, which are all but those to `leave_out`."""
    for column, (name, title) in zip(first.columns(3), goal.main.items(), strict=False):
        with column:
            config = show_field(config, name, key=key, title=title)
    titles = OF_SEEDS if isinstance(config, PretrainConfig) else TITLES
    with more:
        return show_form(config, key=key, leave_out={*NOT_ASKED, *goal.main, *leave_out}, titles=titles)


def _show_start(
    goal: TrainingGoal, start: Callable[[], Job], *, cost: str, key: str, is_ready: bool, is_advised: bool = True
) -> None:
    """What a run costs, and the button that starts it."""
    st.caption(escape(cost))
    kind: Literal["primary", "secondary"] = "primary" if is_advised else "secondary"
    if act_button(goal.button, start, type=kind, icon=goal.icon, key=key, disabled=not is_ready):
        st.rerun()


@dataclass(frozen=True)
class TrainingSets:
    """The image sets of a run: those that `teach` the head, and those on which it is `measured`."""

    teach: tuple[RecentSet, ...]
    measured: tuple[RecentSet, ...] = ()

    @property
    def names(self) -> str:
        """The names of those that teach."""
        return listed([set_title(each.about) for each in self.teach])


def labelled_sets() -> tuple[RecentSet, ...]:
    """The image sets of the workspace whose pictures lie in class folders, the one that was read last first."""
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
    """The config with the usual recipe of what its head reads."""
    return replace(config, recipe=PRESETS["functions" if config.reads == "functions" else "laptop"])


def _choose_sets(image_set: ImageSet, sets: Sequence[RecentSet]) -> TrainingSets:
    """Two lists of sets; one that teaches cannot be measured on."""
    by_id = {each.set_id: each for each in sets}
    usual = [image_set.set_id] if image_set.set_id in by_id else []
    teach = _sets_picked(image_set, "teach", "Sets to learn from", by_id, usual=usual)
    others = {set_id: recent for set_id, recent in by_id.items() if set_id not in teach}
    measured = _sets_picked(image_set, "measure", "Sets to test on", others)
    return TrainingSets(tuple(map(by_id.__getitem__, teach)), tuple(map(by_id.__getitem__, measured)))


HELP = {
    "teach": "Image sets with class folders, as they are on disk. More varied pictures make a more general head.",
    "measure": "Other labelled sets, not used for training: how well the head orders them is shown next to baselines. "
    "A set it learnt from cannot show that.",
}


def _sets_picked(
    image_set: ImageSet, use: str, title: str, by_id: dict[str, RecentSet], *, usual: Sequence[str] = ()
) -> list[str]:
    """The ids of the sets that are picked for a use; those that are not on offer any more are dropped."""
    key = PRETRAIN_SETS.under(use, image_set.set_id)
    picked = [set_id for set_id in key.get_or(lambda: list(usual)) if set_id in by_id]
    st.multiselect(
        escape(title),
        list(by_id),
        picked,
        format_func=lambda set_id: _described(by_id[set_id]),
        help=escape(HELP[use]),
        placeholder="None" if use == "measure" else "Choose sets",
        **control_of(key, picked, options=by_id),
    )
    return picked


def _described(recent: RecentSet) -> str:
    return f"{set_title(recent.about)} · {recent.pictures:,} pictures, {recent.folder_classes:,} classes"


def _unread(config: PretrainConfig) -> set[str]:
    """Fields that the form asks for elsewhere or that a run with this config does not read."""
    layers = LAYERS if config.reads == "functions" else ()
    mixture = ("mixture",) if len(config.data) < 2 else ()
    return {"reads", "precision", "instance", *layers, *mixture}
