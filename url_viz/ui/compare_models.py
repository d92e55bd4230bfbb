"""Another model beside the one in use: how it is chosen, how far both agree, and where on Explore they do not."""

from functools import partial

import numpy as np
import streamlit as st

from url_viz.base.wording import counted
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import Between
from url_viz.columns.measures import quoted
from url_viz.evidence.compare import (
    BOUNDS,
    ComparedMeasure,
    Comparison,
    agreement_in_words,
    most_disagreeing,
    neighbours_in_words,
)
from url_viz.image_set import ImageSet
from url_viz.models.model import model_title
from url_viz.store.about import known_sets
from url_viz.ui.explore.view import change_view
from url_viz.ui.menu import go_to
from url_viz.ui.open_sets import open_sets
from url_viz.ui.search import leave_search
from url_viz.ui.session import Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import act_button, control_of, download_table
from url_viz.ui.widgets.embed_job import running, space_in_set, start_reading
from url_viz.ui.widgets.sidebar import known_models

SECOND: Key[str | None] = Key("view.compare.second")
"""The second model, by the name of the first."""
NO_OTHER = ""
"""The option for no comparison."""


def pick_second(image_set: ImageSet) -> str | None:
    """The name of the model to compare with: one that has read the set, or could; None for none."""
    spaces = [space.backbone for space in dict(known_sets(Workspace.at()))[image_set.set_id].spaces]
    known = dict.fromkeys([*known_models(image_set.set_id), *spaces])
    names = [name for name in known if name != image_set.source.name]
    ready = [name for name in names if space_in_set(image_set.set_id, name) is not None]
    stored = SECOND.under(image_set.source.name)
    picked = stored.get()
    options = list(dict.fromkeys([NO_OTHER, *ready, *names, *([picked] if picked else [])]))

    def called(name: str) -> str:
        if name == NO_OTHER:
            return "No other model" if picked else "Compare with another model"
        return model_title(name) if name in ready else f"{model_title(name)} (not read yet)"

    st.selectbox(
        "Compare with another model",
        options,
        index=options.index(picked or NO_OTHER),
        format_func=called,
        accept_new_options=True,
        label_visibility="collapsed",
        width=280,
        **control_of(stored, picked or NO_OTHER, options=options),
    )
    return picked or None


def second_named(image_set: ImageSet, name: str) -> ImageSet | None:
    """The image set by the model of that name; None, and why, where there is nothing to compare."""
    second = open_sets().find(image_set.set_id, name) if space_in_set(image_set.set_id, name) is not None else None
    if second is None or not len(second):
        _offer_reading(image_set, name)
        return None
    if second.is_by_same_model(image_set):
        st.info("This is the same model. Choose another one.", icon=":material/info:")
        return None
    return second


def _offer_reading(image_set: ImageSet, name: str) -> None:
    if running(image_set.set_id) is not None:
        st.caption("The comparison appears once reading has finished.")
        return
    st.info(
        f"This image set has not been read with {escape(model_title(name))} yet. Reading with another backbone takes "
        "as long as the first time.",
        icon=":material/info:",
    )
    read = partial(start_reading, image_set.root, set_id=image_set.set_id, model=name)
    if act_button("Read with this model", read, type="primary", key="compare.read"):
        st.rerun()


def comparison_of(first: ImageSet, second: ImageSet) -> Comparison:
    """The comparison of two snapshots, each by its own model alone, computed once."""
    return _comparison(_key(first), _key(second), first.single_model, second.single_model)


def _key(image_set: ImageSet) -> str:
    head = image_set.source.head.digest if image_set.source.head else "-"
    return f"{image_set.set_id}.{image_set.space.key}.{head}.{image_set.version}"


@st.cache_resource(max_entries=4, show_spinner=False)
def _comparison(first_key: str, second_key: str, _first: ImageSet, _second: ImageSet) -> Comparison:
    # by the keys: Streamlit's cache neither hashes the snapshots nor keeps them alive
    return _first.compare(_second)


def show_agreement(image_set: ImageSet, second: ImageSet, comparison: Comparison) -> None:
    """How far two models agree on the leading order, in a sentence, and the way to where they do not."""
    leading = image_set.order().measure
    compared = comparison.measures.get(leading or "")
    lines = [BOUNDS]
    if comparison.neighbourhoods is not None:
        lines.append(neighbours_in_words(comparison.neighbourhoods))
    missing = [(comparison.only_first, image_set.source.title), (comparison.only_second, second.source.title)]
    lines += [f"{counted(count, 'picture')} read with {title} only, and left out." for count, title in missing if count]
    if compared is None:
        words = "The two models have no order in common that leads here."
    elif compared.is_same:
        words = f"The order by {quoted(compared.measure)} is the same under both."
    else:
        words = agreement_in_words(compared, called=quoted)
    st.caption(escape(image_set.core.in_words(words)), help=escape(image_set.core.in_words(" ".join(lines))))
    if compared is None or compared.is_same:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _show_way_to_explore(image_set, second, compared)
        table = compared.table[["id", "path", "label", "before", "after", "change"]]
        download_table(
            "Both percentiles (CSV)",
            table.rename(columns={"before": "percentile_first", "after": "percentile_second"}),
            file_name=f"{image_set.root.name}-{compared.measure}-compared.csv",
            key="compare.csv",
        )


def _show_way_to_explore(image_set: ImageSet, second: ImageSet, compared: ComparedMeasure) -> None:
    """A button that opens Explore on the pictures that two models disagree on most."""

    def explore(column: str, least: float) -> None:
        change_view(filters=(Between(column, low=least),), polygon=None, cuts=(), measure=None)
        leave_search()
        go_to("explore")

    column = image_set.core.disagreement_with(second.space)
    if column is None:
        return
    apart = image_set.core.for_filters(image_set.table(), [Between(column)])[column].to_numpy(float)
    least = most_disagreeing(apart)
    if np.isnan(least):
        return
    words = f"Explore the {counted(int((apart >= least).sum()), image_set.noun)} they disagree on most"
    st.button(
        escape(words),
        icon=":material/scatter_plot:",
        key="compare.explore",
        help=escape(
            f"By {quoted(compared.measure)}, the two models put them {least:.0f} percentiles apart or more. "
            "Explore has it under Filter."
        ),
        on_click=explore,
        args=(column, least),
    )
