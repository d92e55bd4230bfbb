"""Controls of the Explore page: measure, colour, class, View, filters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.columns.filters import (
    LABEL_CHECK,
    Between,
    Filter,
    Kind,
    NameContains,
    OneOf,
    category_names,
    counted_values,
    filter_in_words,
    filterable,
    replaced_in,
)
from url_viz.columns.measures import PERCENTILE_COLUMNS, quoted, shown_reason, shown_value, title_of_column
from url_viz.evidence.order import CHANCE, Order, grade, plain_words
from url_viz.findings.object_findings import TINY_PX, legible
from url_viz.findings.reasons import reason_counts
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import between_filters, pair_between
from url_viz.labels.doubtful_labels import label_checks
from url_viz.models.model_names import PackagedBackbone, default_second_model
from url_viz.ui.explore.view import ExploreView, change_view, view
from url_viz.ui.session import Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.widgets.buttons import act_button, choose_measure, control, offered
from url_viz.ui.widgets.decide import show_progress
from url_viz.ui.widgets.embed_job import running, start_reading

REASON: Key[str | None] = Key("view.reason")
FILTER_COLUMN = "view.filter_column"
FILTER_NAME: Key[str] = Key("view.filter_name")
FILTER: Key[Any] = Key("view.filter")
"""The controls of a filter, by its column: a list of values, or with "low" and "high" a number."""

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"


def set_filter(column: str, new: Filter | None) -> None:
    """Set the filter on a column, or remove it (None)."""
    change_view(filters=replaced_in(view().filters, column, new))


def filter_on(column: str) -> Filter | None:
    """The filter on a column; None without one."""
    return next((active for active in view().filters if active.column == column), None)


def show_filter_popover(image_set: ImageSet) -> None:
    """Set filters: by name, or by the values of a column."""
    kinds = image_set.core.filter_kinds()
    with st.popover("Filter", icon=":material/filter_list:"):
        _pick_name()
        if not kinds:
            return
        column = st.selectbox("Column", list(kinds), format_func=title_of_column, key=FILTER_COLUMN)
        if kinds[column] == "numeric":
            _pick_range(image_set.table()[column], column)
        elif column == LABEL_CHECK:
            _pick_values(counted_values(pd.Series(image_set.core.derived.get(label_checks), name=column)), column)
        else:
            _pick_values(image_set.cached_of_table(_counts_in, column), column)


def show_filter_chips() -> None:
    """A chip for each filter; a click removes it."""

    def remove(*filters: Filter) -> None:
        for each in filters:
            set_filter(each.column, None)

    pair = pair_between(view().filters)
    of_pair = () if pair is None else between_filters(pair)
    if pair is not None:
        between = escape(f"Between {pair[0]} and {pair[1]}")
        st.button(between, icon=":material/close:", key="chip.pair", on_click=remove, args=of_pair)
    for active in view().filters:
        if active not in of_pair:
            words = escape(filter_in_words(active))
            key = f"chip.{'class' if active.column == 'label' else active.column}"
            st.button(words, icon=":material/close:", key=key, on_click=remove, args=(active,))


def columns_of_kind(image_set: ImageSet, kind: Kind) -> list[str]:
    """The columns of one kind that can be filtered."""
    return [column for column, column_kind in image_set.cached_of_table(filterable).items() if column_kind == kind]


def _pick_name() -> None:
    def choose(text: str) -> None:
        set_filter("path", NameContains(text.strip()) if text.strip() else None)

    now = filter_on("path")
    text = now.text if isinstance(now, NameContains) else ""
    st.text_input("Name contains", text, placeholder="any", **control(FILTER_NAME, text, choose))


def _counts_in(table: pd.DataFrame, column: str) -> dict[str, int]:
    return counted_values(table[column])


def _pick_values(counts: Mapping[str, int], column: str) -> None:
    def choose(values: Sequence[str]) -> None:
        set_filter(column, OneOf(column, tuple(values)) if values else None)

    now = filter_on(column)
    shown = [value for value in now.values if value in counts] if isinstance(now, OneOf) else []
    st.multiselect(
        "Any of",
        list(counts),
        shown,
        format_func=lambda value: f"{shown_value(column, value) or 'none'} ({counts[value]:,})",
        placeholder="all",
        **control(FILTER.under(column), shown, choose, options=counts),
    )


def _pick_range(values: "pd.Series[float]", column: str) -> None:
    def now() -> Between:
        active = filter_on(column)
        return active if isinstance(active, Between) else Between(column)

    def choose(bound: str, text: str) -> None:
        value = float(text) if text.strip() else None
        new = replace(now(), low=value) if bound == "low" else replace(now(), high=value)
        set_filter(column, None if new.low is None and new.high is None else new)

    st.caption(f"From {values.min():.6g} to {values.max():.6g} in this image set")
    for container, title, bound in zip(st.columns(2), ("At least", "At most"), ("low", "high"), strict=True):
        value = getattr(now(), bound)
        text = "" if value is None else f"{value:.15g}"
        container.text_input(
            escape(title),
            text,
            placeholder="any",
            validate=(NUMBER, "Type a number, such as 0.5"),
            **control(FILTER.under(column, bound), text, partial(choose, bound)),
        )


def pick_reason(image_set: ImageSet, table: pd.DataFrame) -> None:
    """The reasons in `table`, rows of the set's, as pills with counts; the picked one filters the view.

    The reason that explains most of the set's order comes first; those shared by nearly all pictures stand above.
    """

    def choose(name: str | None) -> None:
        set_filter("reasons", OneOf("reasons", (name,)) if name else None)

    for shared in image_set.core.reasons.shared:
        st.caption(escape(image_set.core.in_words(shared.words)))
    counts = reason_counts(table["reasons"], image_set.core.reasons.order())
    now = filter_on("reasons")
    picked = now.values[0] if isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] else None
    if picked is not None:
        counts.setdefault(picked, 0)
    if not counts:
        return
    st.pills(
        "Why",
        list(counts),
        default=picked,
        format_func=lambda name: f"{escape(shown_reason(name))} {counts[name]:,}",
        label_visibility="collapsed",
        **control(REASON, picked, choose, options=counts),
    )


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
"""How Explore last drew a set: ordered by "one" model, by "two", or by two with the "news" of that."""

ALL_CLASSES = "All classes"
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
    return choose_measure(options, key=MEASURE, chosen=chosen, choose=_changing("measure"), default=default)


def _changing(field: str) -> Callable[[Any], None]:
    """A callback that sets a field of the view to the choice."""
    return lambda chosen: change_view(**{field: chosen})


def show_order(image_set: ImageSet, measure: str) -> None:
    """A line on the order: how well it holds here, and why it leads; for another measure, the way back.

    Above it a line that a second model takes part, if that is new.
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
    words, reason = image_set.core.in_words(plain_words(order)), image_set.core.in_words(order.reason)
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


def pick_class(image_set: ImageSet) -> None:
    """One class, or all: a shortcut for the filter on the class."""

    def choose(name: str) -> None:
        set_filter("label", None if name == ALL_CLASSES else OneOf("label", (name,)))

    names = image_set.cached_of_table(category_names)
    if not names:
        return
    now, shown = filter_on("label"), ALL_CLASSES
    if isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] in names:
        shown = now.values[0]
    options = [ALL_CLASSES, *names]
    st.selectbox(
        "Class",
        options,
        index=options.index(shown),
        width=140,
        label_visibility="collapsed",
        **control(ONE_CLASS, shown, choose, options=options),
    )


def show_view_popover(image_set: ImageSet, measure: str) -> None:
    """Display options: order by another column, copies, point sizes, and the second model."""

    def switch(label: str, key: Key[bool], field: str, meaning: str) -> None:
        now: bool = getattr(view(), field)
        st.toggle(escape(label), now, help=escape(meaning), **control(key, now, _changing(field)))

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
        switch("Show copies and views as one", COLLAPSE, "collapse_twins", "They are shown once, with how many")
        if legible(image_set.table()):
            switch(f"Hide objects under {TINY_PX} px", HIDE_TINY, "hide_tiny", "By the shorter side of the box")
        if "label" in image_set.cached_of_table(_with_values):
            own = "Ranks each picture against its own class only, so that hard classes do not fill the list"
            switch("Rank within class", WITHIN, "within_class", own)
            switch("Class by class", BY_CLASS, "class_by_class", f"The first {PER_CLASS} of each, class by class")
        _show_second(image_set)


def _show_second(image_set: ImageSet) -> None:
    """A button that asks a second model to read these pictures too; once one has, one that orders by both or by one."""
    second = image_set.core.second
    if image_set.source.is_external:
        return
    if second.available is None:
        asked = default_second_model(image_set.space.backbone)
        if asked is not None and running(image_set.set_id) is None:
            _offer(image_set, asked)
    elif SECOND_SEEN.get() != "news":  # else the line above has the way back
        label, icon = "Order by both models", ":material/group:"
        words = f"Order by {second.available.title} too, which has already read these pictures"
        if second.active is not None:
            label, icon = "Order by one model only", ":material/person:"
            words = f"Order by {image_set.source.title} only. What {second.available.title} has read is kept"
        switch = partial(_switch, image_set)
        st.button(label, type="tertiary", icon=icon, key="second.switch", on_click=switch, help=escape(words))


def show_change(image_set: ImageSet) -> None:
    """Say that two models order the set since this page was drawn last; with the way back."""
    second, before = image_set.core.second.active, SECOND_SEEN.get()
    SECOND_SEEN.set("one" if second is None else "two" if before in (None, "two") else "news")
    if second is None or SECOND_SEEN.get() != "news":
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="second_news"):
        both = f"{image_set.source.title} and {second.title}"
        st.markdown(f":blue[:material/group:] **Two models now set the order**: {escape(both)}.", width="content")
        undo, close = partial(_switch, image_set), partial(SECOND_SEEN.set, "two")
        st.button("Order by one model only", type="tertiary", icon=":material/undo:", key="second.undo", on_click=undo)
        st.button("", type="tertiary", icon=":material/close:", key="second.seen", on_click=close)


def _switch(image_set: ImageSet) -> None:
    with errors_shown():
        image_set.core.second.enable(is_enabled=image_set.core.second.active is None)
        SECOND_SEEN.clear()


def _offer(image_set: ImageSet, second: PackagedBackbone) -> None:
    """A button that has a second model start reading, or says why it cannot."""

    def ask() -> None:
        second.weights()  # raises an error for one that is not installed, which says how to install it
        start_reading(image_set.root, set_id=image_set.set_id, model=image_set.source.name, also=second.name)

    begun = image_set.core.second.incomplete
    beginning = "" if begun is None else f"{begun.backbone} has not read all of these pictures. "
    words = (
        f"{beginning}{second.name} reads the pictures too, which can take longer than the first reading. Both models "
        "then judge what is ambiguous: on seven sets of photographs as well as one, or better"
    )
    look: dict[str, Any] = {"type": "tertiary", "icon": ":material/group_add:", "help": escape(words)}
    if act_button("Ask a second model", ask, key="second.ask", **look):
        st.rerun()
