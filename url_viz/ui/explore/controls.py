"""Controls of the Explore page: order, colour, and what View holds."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.columns.filters import Kind, filterable
from url_viz.columns.measures import PERCENTILE_COLUMNS, title_of_column
from url_viz.findings.object_findings import TINY_PX, legible
from url_viz.image_set import ImageSet
from url_viz.ui.explore.view import ExploreView, change_view, view
from url_viz.ui.session import Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import choose_measure, control, offered

MEASURE: Key[str | None] = Key("view.measure")
OTHER_MEASURE: Key[str | None] = Key("view.other_measure")
COLOUR: Key[str] = Key("view.colour")
COLLAPSE: Key[bool] = Key("view.collapse")
HIDE_TINY: Key[bool] = Key("view.hide_tiny")
SIZE: Key[str] = Key("view.size")
WITHIN: Key[bool] = Key("view.within")
BY_CLASS: Key[bool] = Key("view.by_class")
DECIDE = "view.decide"

VALUE = ExploreView.colour
PER_CLASS = 4


def default_measure(image_set: ImageSet) -> str | None:
    """The measure that leads here, else the first that has values."""
    return image_set.order().measure or next(iter(image_set.core.measures()), None)


def pick_measure(image_set: ImageSet) -> str:
    """The measure that orders and colours everything, or another numeric column chosen under *View*."""
    options, default = offered(image_set), default_measure(image_set)
    if default is None:
        st.info("Nothing to order by yet. Values appear as pictures are read.", icon=":material/hourglass_empty:")
        end_page()
    chosen = view().measure
    if chosen is not None and chosen in other_measures(image_set):
        options.append(chosen)
    return choose_measure(
        options,
        key=MEASURE,
        chosen=chosen,
        choose=_changing("measure"),
        default=default,
        is_list=True,
        titled=image_set.core.title_of_column,
    )


def _changing(field: str) -> Callable[[Any], None]:
    """A callback that sets a field of the view to the choice."""
    return lambda chosen: change_view(**{field: chosen})


def columns_of_kind(image_set: ImageSet, kind: Kind) -> list[str]:
    """The columns of one kind that can be filtered."""
    return [column for column, column_kind in image_set.cached_of_table(filterable).items() if column_kind == kind]


def other_measures(image_set: ImageSet) -> list[str]:
    """Numeric columns other than the measures that are always offered; baselines among them."""
    hidden = {*offered(image_set), *PERCENTILE_COLUMNS}
    return [column for column in columns_of_kind(image_set, "numeric") if column not in hidden]


def pick_colour(image_set: ImageSet, measure: str) -> str:
    """The colour of the points: `value` (the measure), or any other column that has values."""

    def title(option: str) -> str:
        named = _title_of_option(option)
        return f"Colour: {named[:1].lower()}{named[1:]}"

    there = image_set.cached_of_table(_with_values)
    categories = [column for column in columns_of_kind(image_set, "category") if column in there]
    options = [VALUE, *categories, *_numbers(image_set, measure)]
    if len(options) == 1:
        return VALUE
    shown = view().colour if view().colour in options else VALUE
    st.selectbox(
        "Colour",
        options,
        index=options.index(shown),
        format_func=title,
        width=170,
        label_visibility="collapsed",
        **control(COLOUR, shown, _changing("colour"), options=options),
    )
    return shown


def _with_values(table: pd.DataFrame) -> frozenset[str]:
    return frozenset(str(column) for column in table if table[column].notna().any())


def _title_of_option(option: str) -> str:
    return "Order" if option == VALUE else title_of_column(option)


def _numbers(image_set: ImageSet, measure: str) -> list[str]:
    """Numeric columns other than `measure`: the other measures, then any."""
    return [name for name in (*offered(image_set), *other_measures(image_set)) if name != measure]


def show_view_popover(image_set: ImageSet, measure: str) -> "st.delta_generator.DeltaGenerator":
    """Display options: order by another column, copies, and point sizes. Returns the popover, for more of them."""

    def switch(label: str, key: Key[bool], field: str, meaning: str) -> None:
        now: bool = getattr(view(), field)
        st.toggle(escape(label), now, help=escape(meaning), **control(key, now, _changing(field)))

    with st.popover("View", icon=":material/tune:", key="explore.view") as popover:
        others = [None, *other_measures(image_set)]
        other = view().measure if view().measure in others else None
        if others[1:]:
            st.selectbox(
                "Order by another column",
                others,
                index=others.index(other),
                format_func=lambda column: title_of_column(column) if column else "",
                **control(OTHER_MEASURE, other, _changing("measure"), options=others),
            )
        sizes = ["", VALUE, *_numbers(image_set, measure)]
        size = view().size if view().size in sizes else ""
        st.selectbox(
            "Size by",
            sizes,
            index=sizes.index(size),
            format_func=lambda option: _title_of_option(option) if option else "all the same",
            help="Higher values are drawn larger. In fog, size always follows the order.",
            **control(SIZE, size, _changing("size"), options=sizes),
        )
        switch("Show copies and views as one", COLLAPSE, "collapse_twins", "They are shown once, with how many")
        if legible(image_set.table()):
            switch(f"Hide objects under {TINY_PX} px", HIDE_TINY, "hide_tiny", "By the shorter side of the box")
        if "label" in image_set.cached_of_table(_with_values):
            own = "Ranks each picture against its own class only, so that hard classes do not fill the list"
            switch("Rank within class", WITHIN, "within_class", own)
            switch("Class by class", BY_CLASS, "class_by_class", f"The first {PER_CLASS} of each, class by class")
    return popover
