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
from url_viz.columns.measures import (
    AMBIGUITY,
    CONFUSABILITY,
    PERCENTILE_COLUMNS,
    TUNED,
    quoted,
    shown_reason,
    shown_value,
    title_of_column,
)
from url_viz.evidence.order import CHANCE, Order, grade, plain_words
from url_viz.findings.object_findings import TINY_PX, legible
from url_viz.findings.reasons import reason_counts
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import between_filters, pair_between
from url_viz.labels.doubtful_labels import label_checks
from url_viz.models.model import EmbeddingSpace
from url_viz.models.model_names import PACKAGED
from url_viz.ui.explore.view import ExploreView, change_view, view
from url_viz.ui.session import BY_FIRST, Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import choose_measure, control, offered
from url_viz.ui.widgets.decide import show_progress

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
            with_column = image_set.core.for_filters(image_set.table(), [Between(column)])
            _pick_range(with_column[column], column)
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

    A second opinion that came while the page is open stands beside it, to be taken.
    """
    order, second = image_set.order(), image_set.core.second.available
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="explore_order"):
        is_chosen = order.measure is not None and measure != order.measure
        _show_evidence(image_set, image_set.order(measure) if is_chosen else order)
        if image_set.core.is_single_model and second is not None:
            words = f"{_plain_title(second.space, second.title)} has given a second opinion. Click to order by both"
            label = ":blue[●] Truer order ready"
            st.button(label, type="tertiary", key="second.take", on_click=BY_FIRST.clear, help=escape(words))
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
    models = _models_in_words(image_set, order)
    if not (chip := grade(order)):
        st.caption(escape(words), width="content", help=escape(" ".join(filter(None, (reason, models)))))
        return
    is_shown_to_hold = order.evidence is not None and order.evidence.interval.low > CHANCE
    icon = f":material/{'verified' if is_shown_to_hold else 'help'}:"
    with st.popover(escape(chip), type="tertiary", icon=icon, key="explore.evidence"):
        st.markdown(escape(words))
        if models:
            st.markdown(escape(models))
        if reason != words:
            st.caption(escape(reason))


def _models_in_words(image_set: ImageSet, order: Order) -> str:
    """By which models an order is known, and what a second opinion is good for; "" for one that none may give."""
    if order.measure not in (AMBIGUITY.name, CONFUSABILITY.name, TUNED.name):
        return ""
    second, models = image_set.core.second.active, f"By {_plain_title(image_set.space, image_set.source.title)}"
    if second is None:
        return f"{models} alone."
    other = _plain_title(second.space, second.title)
    return f"{models}, with a second opinion by {other}: a mistake of one alone counts for less."


def _plain_title(space: EmbeddingSpace, title: str) -> str:
    return title if space.is_finetuned or space.backbone not in PACKAGED else PACKAGED[space.backbone].title


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
    """Display options: order by another column, copies, and point sizes."""

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
