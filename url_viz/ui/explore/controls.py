"""Controls of the Explore page: measure, colour, class, the View popover, and the second model."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.analysis.categories import category_names
from url_viz.analysis.filters import OneOf
from url_viz.analysis.findings.object_findings import TINY_PX, legible
from url_viz.analysis.measures import PERCENTILE_COLUMNS, quoted
from url_viz.analysis.order import CHANCE, Order, grade, plain_words
from url_viz.analysis.shown_words import title_of_column
from url_viz.image_set import ImageSet
from url_viz.models.model_names import PackagedBackbone, default_second_model
from url_viz.ui.explore.filter_controls import columns_of_kind, filter_on, set_filter
from url_viz.ui.explore.view import ExploreView, change_view, view
from url_viz.ui.session import Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.decide import show_progress
from url_viz.ui.widgets.embed_job import running, start_reading
from url_viz.ui.widgets.measure_choice import choose_measure, offered
from url_viz.ui.widgets.shown_value import control

MEASURE: Key[str | None] = Key("view.measure")
OTHER_MEASURE: Key[str | None] = Key("view.other_measure")
COLOUR: Key[str] = Key("view.colour")
COLLAPSE: Key[bool] = Key("view.collapse")
HIDE_TINY: Key[bool] = Key("view.hide_tiny")
SIZE: Key[str] = Key("view.size")
WITHIN: Key[bool] = Key("view.within")
BY_CLASS: Key[bool] = Key("view.by_class")
ONE_CLASS: Key[str] = Key("view.label")
DECIDE = "view.decide"
SECOND_SEEN: Key[str] = Key("view.second_seen")
"""How Explore drew a set last: ordered by "one" model, by "two", or by two with the "news" that it is so now."""

ALL_CLASSES = "All classes"
VALUE = ExploreView.colour
PER_CLASS = 4


def default_measure(image_set: ImageSet) -> str | None:
    """The measure that leads here, else the first that has values."""
    return image_set.order().measure or next(iter(image_set.measures()), None)


def pick_measure(image_set: ImageSet) -> str:
    """The measure that orders and colours everything, or another numeric column chosen under *View*."""
    options, default = offered(image_set), default_measure(image_set)
    if default is None:
        st.info("Nothing to order by yet. Values appear as pictures are read.", icon=":material/hourglass_empty:")
        end_page()
    chosen = view().measure
    if chosen is not None and chosen in other_measures(image_set):
        options.append(chosen)
    return choose_measure(options, key=MEASURE, chosen=chosen, choose=_changing("measure"), default=default)


def _changing(field: str) -> Callable[[Any], None]:
    """What a choice changes of the view."""
    return lambda chosen: change_view(**{field: chosen})


def show_order(image_set: ImageSet, measure: str) -> None:
    """A line on the order: how well it holds here, and why it leads; for another measure, the way back.

    With a line above once a second model has begun to take part.
    """
    order = image_set.order()
    show_change(image_set)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="explore_order"):
        is_chosen = order.measure is not None and measure != order.measure
        _show_evidence(image_set, image_set.order(measure) if is_chosen else order)
        if is_chosen:
            st.button(
                escape(f"Back to {quoted(order.measure or '')}"),
                type="tertiary",
                icon=":material/undo:",
                key="order.back",
                on_click=change_view,
                kwargs={"measure": None},
                help=escape(order.reason),
            )
        show_progress(image_set, key=DECIDE)


def _show_evidence(image_set: ImageSet, order: Order) -> None:
    """How well an order holds, as a chip that opens the sentence; the reason alone without evidence."""
    words, reason = image_set.core.said(plain_words(order)), image_set.core.said(order.reason)
    if not (chip := grade(order)):
        st.caption(escape(words), width="content", help=escape(reason))
        return
    is_shown_to_hold = order.evidence is not None and order.evidence.interval.low > CHANCE
    icon = f":material/{'verified' if is_shown_to_hold else 'help'}:"
    with st.popover(escape(chip), type="tertiary", icon=icon, key="explore.evidence"):
        st.markdown(escape(words))
        if reason != words:
            st.caption(escape(reason))


def other_measures(image_set: ImageSet) -> list[str]:
    """Numeric columns other than the measures that are always offered; baselines among them."""
    hidden = {*offered(image_set), *PERCENTILE_COLUMNS}
    return [column for column in columns_of_kind(image_set, "numeric") if column not in hidden]


def pick_colour(image_set: ImageSet, measure: str) -> str:
    """What the points are coloured by: `value` (the measure), or any other column that has values."""
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
        format_func=_title_of_colour,
        width=170,
        label_visibility="collapsed",
        **control(COLOUR, shown, _changing("colour"), options=options),
    )
    return shown


def _with_values(table: pd.DataFrame) -> frozenset[str]:
    """The columns in which any picture has a value."""
    return frozenset(str(column) for column in table if table[column].notna().any())


def _title_of_option(option: str) -> str:
    return "Order" if option == VALUE else title_of_column(option)


def _title_of_colour(option: str) -> str:
    title = _title_of_option(option)
    return f"Colour: {title[:1].lower()}{title[1:]}"


def _numbers(image_set: ImageSet, measure: str) -> list[str]:
    """Numeric columns besides the `measure`: the other measures, then any."""
    return [name for name in (*offered(image_set), *other_measures(image_set)) if name != measure]


def pick_class(image_set: ImageSet) -> None:
    """One class, or all: a shortcut for the filter on the class."""
    names = image_set.cached_of_table(category_names)
    if not names:
        return
    now = filter_on("label")
    is_one = isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] in names
    shown = now.values[0] if is_one and isinstance(now, OneOf) else ALL_CLASSES
    options = [ALL_CLASSES, *names]
    st.selectbox(
        "Class",
        options,
        index=options.index(shown),
        width=140,
        label_visibility="collapsed",
        **control(ONE_CLASS, shown, _choose_class, options=options),
    )


def _choose_class(name: str) -> None:
    set_filter("label", None if name == ALL_CLASSES else OneOf("label", (name,)))


def show_view_popover(image_set: ImageSet, measure: str) -> None:
    """Display options: order by another column, copies, point sizes, and the second model."""
    with st.popover("View", icon=":material/tune:"):
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
        _show_toggle("Show copies and views as one", COLLAPSE, "collapse_twins", "They are shown once, with how many")
        if legible(image_set.table()):
            _show_toggle(f"Hide objects under {TINY_PX} px", HIDE_TINY, "hide_tiny", "By the shorter side of the box")
        if "label" in image_set.cached_of_table(_with_values):
            own = "Ranks each picture against its own class only, so that hard classes do not fill the list"
            _show_toggle("Rank within class", WITHIN, "within_class", own)
            _show_toggle("Class by class", BY_CLASS, "class_by_class", f"The first {PER_CLASS} of each, class by class")
        show_second(image_set)


def _show_toggle(label: str, key: Key[bool], field: str, meaning: str) -> None:
    """A switch of a field of the view."""
    now: bool = getattr(view(), field)
    st.toggle(escape(label), now, help=escape(meaning), **control(key, now, partial(_turn, field)))


def _turn(field: str, is_on: object) -> None:
    change_view(**{field: is_on})


def show_second(image_set: ImageSet) -> None:
    """A button: ask a second model to read these pictures too; once one has, judge by both or by one."""
    if image_set.source.is_external:
        return
    if image_set.second.available is not None:
        if SECOND_SEEN.get() != "news":  # else the line above has the way back
            _show_switch(image_set, image_set.second.available.title)
        return
    second = default_second_model(image_set.space.backbone)
    if second is not None and running(image_set.set_id) is None:
        _offer(image_set, second)


def show_change(image_set: ImageSet) -> None:
    """Say that two models order the set now, where it was one when this page was drawn last; with the way back."""
    second, before = image_set.second.active, SECOND_SEEN.get()
    SECOND_SEEN.set("one" if second is None else "two" if before in (None, "two") else "news")
    if second is None or SECOND_SEEN.get() != "news":
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="second_news"):
        both = f"{image_set.source.title} and {second.title}"
        st.markdown(f":blue[:material/group:] **Two models now set the order**: {escape(both)}.", width="content")
        undo, close = partial(_switch, image_set), partial(SECOND_SEEN.set, "two")
        st.button("Order by one model only", type="tertiary", icon=":material/undo:", key="second.undo", on_click=undo)
        st.button("", type="tertiary", icon=":material/close:", key="second.seen", on_click=close)


def _show_switch(image_set: ImageSet, second: str) -> None:
    if image_set.second.active is not None:
        label, icon = "Order by one model only", "person"
        words = f"Order by {image_set.source.title} only. What {second} has read is kept"
    else:
        label, icon, words = (
            "Order by both models",
            "group",
            f"Order by {second} too, which has already read these pictures",
        )
    then, shown = partial(_switch, image_set), f":material/{icon}:"
    st.button(label, type="tertiary", icon=shown, key="second.switch", on_click=then, help=escape(words))


def _switch(image_set: ImageSet) -> None:
    with errors_shown():
        image_set.second.enable(is_enabled=image_set.second.active is None)
        SECOND_SEEN.clear()


def _offer(image_set: ImageSet, second: PackagedBackbone) -> None:
    """A button that has a second model start reading; it says why not, if it cannot."""
    begun = image_set.second.incomplete
    beginning = "" if begun is None else f"{begun.backbone} has not read all of these pictures. "
    words = (
        f"{beginning}{second.name} reads the pictures too, which can take longer than the first reading. Both models "
        "then judge what is ambiguous: on seven sets of photographs as well as one, or better"
    )
    look: dict[str, Any] = {"type": "tertiary", "icon": ":material/group_add:", "help": escape(words)}
    if act_button("Ask a second model", partial(_ask, image_set, second), key="second.ask", **look):
        st.rerun()


def _ask(image_set: ImageSet, second: PackagedBackbone) -> None:
    second.weights()  # raises an error for one that is not installed, which says how to install it
    start_reading(image_set.root, set_id=image_set.set_id, model=image_set.source.name, also=second.name)
