"""Controls of the Explore page: measure, colour, class, and the View popover."""

import pandas as pd
import streamlit as st

from url_viz.analysis.filters import OneOf
from url_viz.image_set import ImageSet
from url_viz.store.user_columns import FOLDERS
from url_viz.ui.http import class_names_of
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.widgets.filters import columns_of_kind, filter_on, set_filter, title_of_column
from url_viz.ui.widgets.tiles import MEASURES, measures_of

ALL_CLASSES = "All classes"
VALUE = "value"
_OTHER = "view.other_measure"


def pick_measure(table: pd.DataFrame) -> str:
    """The measure that orders and colours everything, or another numeric column chosen under *View*."""
    options = measures_of(table)
    if not options:
        st.info("No values yet. They appear as pictures are read.", icon=":material/hourglass_empty:")
        st.stop()
    chosen = st.session_state.get(_OTHER) or st.session_state.get("view.measure")
    if chosen in other_measures(table):
        options.append(chosen)
    if st.session_state.get("view.measure") not in options:
        st.session_state["view.measure"] = options[0]
    picked = st.segmented_control(
        "Order by",
        options,
        required=True,
        format_func=lambda measure: escape(title_of_measure(measure)),
        key="view.measure",
        help="Uncertainty is predicted by the pretrained head for each picture by itself. Confusability is how easily "
        "a picture is confused with another one of this set. Higher means less to be trusted; only the order counts.",
    )
    return picked if picked in options else options[0]


def title_of_measure(measure: str) -> str:
    """A measure's display name; for other columns, the column's."""
    return MEASURES.get(measure, title_of_column(measure))


def other_measures(table: pd.DataFrame) -> list[str]:
    """Numeric columns other than the measures that are always offered."""
    ours = measures_of(table)
    hidden = {"percentile", "confusability_percentile"}
    return [column for column in columns_of_kind(table, "numeric") if column not in ours and column not in hidden]


def pick_colour(table: pd.DataFrame, measure: str) -> str:
    """What the points are coloured by: `value` (the measure), or the name of a categorical column."""
    options = [VALUE, *(column for column in columns_of_kind(table, "category") if table[column].notna().any())]
    if len(options) == 1:
        return VALUE
    if st.session_state.get("view.colour") not in options:
        st.session_state["view.colour"] = VALUE
    return st.selectbox(
        "Colour",
        options,
        format_func=lambda option: title_of_measure(measure) if option == VALUE else title_of_column(option),
        key="view.colour",
        width=180,
    )


def pick_class(table: pd.DataFrame) -> None:
    """One class, or all: a shortcut for the filter on the class."""
    names = class_names_of(table)
    if not names:
        return
    now = filter_on("label")
    is_one = isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] in names
    st.session_state["view.label"] = now.values[0] if is_one and isinstance(now, OneOf) else ALL_CLASSES
    st.selectbox("Class", [ALL_CLASSES, *names], key="view.label", width=200, on_change=_apply_class)


def _apply_class() -> None:
    picked = st.session_state["view.label"]
    set_filter("label", None if picked in (None, ALL_CLASSES) else OneOf("label", (picked,)))


def show_view_popover(image_set: ImageSet, table: pd.DataFrame) -> None:
    """Display options: order by another column, twins, point sizes, and class folders."""
    with st.popover("View", icon=":material/tune:"):
        others = other_measures(table)
        if others:
            if st.session_state.get("view.measure") in others:
                st.session_state[_OTHER] = st.session_state["view.measure"]
            st.selectbox(
                "Order by another column",
                others,
                index=None,
                format_func=title_of_column,
                key=_OTHER,
                placeholder="none",
                on_change=_apply_other,
            )
        for key, default in (("view.collapse", True), ("view.size", False)):
            # Set in every run: widgets in a popover exist only once it is opened, and would then start switched off.
            st.session_state[key] = st.session_state.get(key, default)
        st.toggle("Show twins as one", key="view.collapse", help="Bursts and copies are shown once, marked +n")
        st.toggle("Size by value", key="view.size", help="Draw higher values larger (always on in fog)")
        _pick_with_classes(image_set)


def _apply_other() -> None:
    picked = st.session_state[_OTHER]
    if picked is not None:
        st.session_state["view.measure"] = picked
    else:
        st.session_state.pop("view.measure", None)


def _pick_with_classes(image_set: ImageSet) -> None:
    """Whether class folders are classes; stored with the set, for all pages."""
    own = image_set.user_table
    if not own.has_class_folders or own.label_source not in (FOLDERS, None):
        return
    st.session_state["view.with_classes"] = own.label_source == FOLDERS
    st.toggle("Folders are classes", key="view.with_classes", on_change=_apply_with_classes, args=(image_set,))


def _apply_with_classes(image_set: ImageSet) -> None:
    with errors_shown():
        image_set.use_labels(FOLDERS if st.session_state["view.with_classes"] else None)
        set_filter("label", None)
