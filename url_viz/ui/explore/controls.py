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
    """The filter on a column, if any."""
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
    pair = pair_between(view().filters)
    if pair is not None:
        between = escape(f"Between {pair[0]} and {pair[1]}")
        st.button(between, icon=":material/close:", key="chip.pair", on_click=_remove_pair, args=(pair,))
    for active in view().filters:
        if pair is not None and active in between_filters(pair):
            continue
        words = filter_in_words(active)
        key = f"chip.{'class' if active.column == 'label' else active.column}"
        st.button(escape(words), icon=":material/close:", key=key, on_click=set_filter, args=(active.column, None))


def _remove_pair(pair: tuple[str, str]) -> None:
    for active in between_filters(pair):
        set_filter(active.column, None)


def columns_of_kind(image_set: ImageSet, kind: Kind) -> list[str]:
    """The columns of one kind that can be filtered."""
    return [column for column, column_kind in image_set.cached_of_table(filterable).items() if column_kind == kind]


def _pick_name() -> None:
    now = filter_on("path")
    text = now.text if isinstance(now, NameContains) else ""
    st.text_input("Name contains", text, placeholder="any", **control(FILTER_NAME, text, _choose_name))


def _choose_name(text: str) -> None:
    set_filter("path", NameContains(text.strip()) if text.strip() else None)


def _counts_in(table: pd.DataFrame, column: str) -> dict[str, int]:
    return counted_values(table[column])


def _pick_values(counts: Mapping[str, int], column: str) -> None:
    now = filter_on(column)
    shown = [value for value in now.values if value in counts] if isinstance(now, OneOf) else []
    st.multiselect(
        "Any of",
        list(counts),
        shown,
        format_func=lambda value: f"{shown_value(column, value) or 'none'} ({counts[value]:,})",
        placeholder="all",
        **control(FILTER.under(column), shown, partial(_choose_values, column), options=counts),
    )


def _choose_values(column: str, values: Sequence[str]) -> None:
    set_filter(column, OneOf(column, tuple(values)) if values else None)


def _pick_range(values: "pd.Series[float]", column: str) -> None:
    st.caption(f"From {values.min():.6g} to {values.max():.6g} in this image set")
    for container, title, bound in zip(st.columns(2), ("At least", "At most"), ("low", "high"), strict=True):
        value = getattr(_range(column), bound)
        text = "" if value is None else f"{value:.15g}"
        container.text_input(
            escape(title),
            text,
            placeholder="any",
            validate=(NUMBER, "Type a number, such as 0.5"),
            **control(FILTER.under(column, bound), text, partial(_choose_bound, column, bound)),
        )


def _range(column: str) -> Between:
    now = filter_on(column)
    return now if isinstance(now, Between) else Between(column)


def _choose_bound(column: str, bound: str, text: str) -> None:
    now, value = _range(column), float(text) if text.strip() else None
    new = replace(now, low=value) if bound == "low" else replace(now, high=value)
    set_filter(column, None if new.low is None and new.high is None else new)


def pick_reason(image_set: ImageSet, table: pd.DataFrame) -> str | None:
    """The reasons in `table`, rows of the set's, as pills with counts; the picked one filters the view.

    What explains most of the set's order comes first; what nearly all of its pictures share is said once, above.
    """
    for shared in image_set.core.reasons.shared:
        st.caption(escape(image_set.core.in_words(shared.words)))
    counts = reason_counts(table["reasons"], image_set.core.reasons.order())
    picked = picked_reason()
    if picked is not None:
        counts.setdefault(picked, 0)
    if not counts:
        return None
    st.pills(
        "Why",
        list(counts),
        default=picked,
        format_func=lambda name: f"{escape(shown_reason(name))} {counts[name]:,}",
        label_visibility="collapsed",
        **control(REASON, picked, _choose_reason, options=counts),
    )
    return picked


def picked_reason() -> str | None:
    """The reason that the view is filtered by; None for none, or several."""
    now = filter_on("reasons")
    return now.values[0] if isinstance(now, OneOf) and len(now.values) == 1 and now.values[0] else None


def _choose_reason(name: str | None) -> None:
    set_filter("reasons", OneOf("reasons", (name,)) if name else None)


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
    if image_set.core.second.available is not None:
        if SECOND_SEEN.get() != "news":  # else the line above has the way back
            _show_switch(image_set, image_set.core.second.available.title)
        return
    second = default_second_model(image_set.space.backbone)
    if second is not None and running(image_set.set_id) is None:
        _offer(image_set, second)


def show_change(image_set: ImageSet) -> None:
    """Say that two models order the set now, where it was one when this page was drawn last; with the way back."""
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


def _show_switch(image_set: ImageSet, second: str) -> None:
    if image_set.core.second.active is not None:
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
        image_set.core.second.enable(is_enabled=image_set.core.second.active is None)
        SECOND_SEEN.clear()


def _offer(image_set: ImageSet, second: PackagedBackbone) -> None:
    """A button that has a second model start reading; it says why not, if it cannot."""
    begun = image_set.core.second.incomplete
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
