"""On the Adapt and finetune page: a head for pictures it never saw, learnt from labelled image sets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from training.config import PRESETS, PretrainConfig
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.jobs import Job
from url_viz.jobs.adapting import model_to_adapt
from url_viz.jobs.pretraining import has_classifier, start_pretraining
from url_viz.models.model import title_of
from url_viz.recent_sets import RecentSet
from url_viz.ui.allowed_paths import may_read
from url_viz.ui.cache import recent_sets
from url_viz.ui.finetune.estimate import SECONDS_PER_ROW, SECONDS_PER_VIEW, cost_in_words
from url_viz.ui.finetune.slurm import chosen_request, show_target
from url_viz.ui.session import pretrain_sets
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.form import arguments, show_field, show_form
from url_viz.ui.widgets.reading import about_job, is_light, readable, set_title
from url_viz.workspace import Workspace

TITLE = "Which pictures are ambiguous in sets it never saw, from labelled image sets"
ABOUT = (
    "The head learns from the class folders of one image set or several which pictures a classifier gets wrong, and "
    "then orders pictures that it never saw, one at a time and without labels. This is for another backbone, any of "
    "timm, that has no head, or for a field of pictures far from photographs, such as scans or drawings. Without "
    "labels, or to order these pictures alone, the first choice is right."
)
FOR_BACKBONE = "The head is for {}, with which this set was read. For another backbone, read the set with that first."
WITHOUT_SETS = "No image set of this workspace has class folders, and this learns from them."
NONE_TEACHES = "Choose at least one image set that teaches."
MOST_SETS = 500
LEAST_CLASSES = 2
MAIN = {"seeds": "Seeds", "recipe.epochs": "Epochs", "limit": "Learn from at most so many pictures of each set"}
NOT_ASKED = (
    *("data", "out", "model", "report", "precision"),  # told by the sets that are chosen, and by the open one
    *("develop", "earlier", "votes", "votes_order"),  # of studies
    *("target", "instance"),  # of pictures without classes
)
PREPARING_S = 30
"""To load a second backbone and to draw the intervals of the figures; an estimate."""
LAYERS = ("recipe.width", "recipe.depth", "recipe.layer_norm")
"""Of a recipe, what only a head on the embedding has."""
READS_TITLE = "What the head reads"
TITLES = {
    "held_out": "Share of pictures that choose epoch and seed",
    "margin": "Margin of a pair",
    "leeway": "Task losses this close are no pair",
    "pairings": "Pairings of a batch",
}


@dataclass(frozen=True)
class Chosen:
    """The image sets of a run: those that `teach` the head, and those on which it is `measured`."""

    teach: tuple[RecentSet, ...]
    measured: tuple[RecentSet, ...] = ()

    @property
    def names(self) -> str:
        """The names of those that teach."""
        return " and ".join(filter(None, (", ".join(_names(self.teach[:-1])), *_names(self.teach[-1:]))))


def _names(sets: Sequence[RecentSet]) -> list[str]:
    return [set_title(one.about) for one in sets]


def labelled_sets() -> tuple[RecentSet, ...]:
    """The image sets of the workspace whose pictures lie in class folders, the one that was read last first."""
    return tuple(
        one
        for one in recent_sets().latest(MOST_SETS)
        if one.folder_classes >= LEAST_CLASSES and one.about.root.is_dir()
    )


def pretrain_config(image_set: ImageSet, chosen: Chosen) -> PretrainConfig:
    """The config of a head for the open set's backbone; it reads the classifier's functions if there is one."""
    return PretrainConfig(
        data=tuple(f"folder:{one.about.root}" for one in chosen.teach),
        out=Workspace.at().heads,
        model=model_to_adapt(image_set),
        report=tuple(f"folder:{one.about.root}" for one in chosen.measured),
        reads="functions" if has_classifier(image_set) else "embedding",
        precision=image_set.space.precision,
    )


def with_its_recipe(config: PretrainConfig) -> PretrainConfig:
    """The config with the usual recipe of what its head reads."""
    return replace(config, recipe=PRESETS["functions" if config.reads == "functions" else "laptop"])


def options_of(config: PretrainConfig) -> list[str]:
    """The options of the command besides its sets, its backbone and its folder."""
    return arguments(config, default=PretrainConfig(config.data, config.out, config.model, report=config.report))


def estimate_pretraining(config: PretrainConfig, chosen: Chosen) -> str:
    """A rough estimate of a run's time and disk use, in words; every measured set is read for what it shares, too."""
    taught = sum(min(one.pictures, config.limit or one.pictures) for one in chosen.teach)
    views = taught * (config.augmentation.views + 1)
    training_s = config.seeds * config.recipe.epochs * views * SECONDS_PER_ROW
    return cost_in_words(taught, views=views, training_s=training_s + _measuring_s(chosen))


def _measuring_s(chosen: Chosen) -> float:
    """Seconds to measure: each picture with a crop and by a second backbone, then once more beside those that teach."""
    if not chosen.measured:
        return 0.0
    measured, taught = (sum(one.pictures for one in sets) for sets in (chosen.measured, chosen.teach))
    return PREPARING_S + (4 * measured + taught) * SECONDS_PER_VIEW


def show_pretrain(image_set: ImageSet) -> None:
    """Which sets teach and measure, the few main options, the others folded, and the button that starts it."""
    st.markdown(escape(ABOUT))
    st.caption(escape(FOR_BACKBONE.format(title_of(model_to_adapt(image_set)))))
    sets = labelled_sets()
    if not sets:
        st.warning(WITHOUT_SETS, icon=":material/info:")
        return
    chosen = _choose_sets(image_set, sets)
    try:
        config = _options(pretrain_config(image_set, chosen), key=f"pretrain.{image_set.set_id}")
    except ValueError as error:
        show_error(f"These options cannot be combined: {error}")
        return
    st.caption(escape(estimate_pretraining(config, chosen) if chosen.teach else NONE_TEACHES))
    show_target()
    if st.button("Make this head", type="primary", icon=":material/school:", key="pretrain", disabled=not chosen.teach):
        _start_or_show_error(config, chosen, image_set)


def _choose_sets(image_set: ImageSet, sets: Sequence[RecentSet]) -> Chosen:
    """Two lists of sets; one that teaches cannot be measured on."""
    known = {one.set_id: one for one in sets}
    usual = [image_set.set_id] if image_set.set_id in known else []
    teach = _sets_picked(image_set, "teach", "Sets that teach", known, usual=usual)
    others = {set_id: one for set_id, one in known.items() if set_id not in teach}
    measured = _sets_picked(image_set, "measure", "Sets that it is measured on", others)
    return Chosen(tuple(map(known.__getitem__, teach)), tuple(map(known.__getitem__, measured)))


HELP = {
    "teach": "Image sets with class folders, as they are on disk. More kinds of pictures make a head that holds wider.",
    "measure": "Other labelled sets, which take no part in the learning: how well the head orders them is told beside "
    "baselines. A set that teaches cannot tell that.",
}


def _sets_picked(
    image_set: ImageSet, use: str, title: str, known: dict[str, RecentSet], *, usual: Sequence[str] = ()
) -> list[str]:
    """The ids of the sets that are picked for a use; those that are not on offer any more are dropped."""
    key = pretrain_sets(use, image_set.set_id)
    key.set([set_id for set_id in key.get_or(lambda: list(usual)) if set_id in known])
    return st.multiselect(
        escape(title),
        list(known),
        format_func=lambda set_id: _described(known[set_id]),
        key=key,
        help=escape(HELP[use]),
        placeholder="None" if use == "measure" else "Choose sets",
    )


def _described(one: RecentSet) -> str:
    return f"{set_title(one.about)} · {one.pictures:,} pictures, {one.folder_classes:,} classes"


def _options(config: PretrainConfig, *, key: str) -> PretrainConfig:
    """Widgets for the options: the main ones, and the others folded; the usual recipe goes by what the head reads."""
    first = st.container()
    with st.expander("More options", icon=":material/tune:"):
        config = with_its_recipe(show_field(config, "reads", key=key, title=READS_TITLE))
        key = f"{key}.{config.reads}"
        with first:
            for column, (name, title) in zip(st.columns(3), MAIN.items(), strict=True):
                with column:
                    config = show_field(config, name, key=key, title=title)
        return show_form(config, key=key, leave_out=_left_out(config), titles=TITLES)


def _left_out(config: PretrainConfig) -> set[str]:
    """Fields that are asked elsewhere or that a run with this config does not read."""
    layers = LAYERS if config.reads == "functions" else ()
    mixture = ("mixture",) if len(config.data) < 2 else ()
    return {"reads", *NOT_ASKED, *MAIN, *layers, *mixture}


def start(config: PretrainConfig, chosen: Chosen, image_set: ImageSet) -> Job:
    """Start the job. Raises UrlVizError if it cannot start, or if a folder may not be read."""
    return start_pretraining(
        [readable(one.about.root) for one in chosen.teach],
        options_of(config),
        model=config.model,
        title=f"Make a head for {title_of(config.model)} from {chosen.names}",
        workspace=image_set.workspace,
        report=[readable(one.about.root) for one in chosen.measured],
        is_light=is_light(),
        within=may_read(),
        about=about_job(image_set.root, image_set.set_id, model=image_set.source.name, mode="pretrain"),
        on_slurm=chosen_request(),
    )


def _start_or_show_error(config: PretrainConfig, chosen: Chosen, image_set: ImageSet) -> None:
    try:
        start(config, chosen, image_set)
    except UrlVizError as error:
        show_error(error)
    else:
        st.rerun()
