"""The control "Order by": a choice among measures, each named by what it knows."""

from collections.abc import Sequence

import streamlit as st

from url_viz.analysis.measures import is_measure, measure_named, title_of
from url_viz.image_set import ImageSet
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.filter_controls import title_of_column

MOST_SIDE_BY_SIDE = 4
"""More measures would take a line for themselves."""


def offered(image_set: ImageSet) -> list[str]:
    """The measures that a set can be ordered by, the leading one first; empty before there is any."""
    return with_first(image_set.measures(), image_set.order().measure)


def with_first(names: Sequence[str], first: str | None) -> list[str]:
    """The names, with `first` before the others if it is one of them."""
    return sorted(names, key=lambda name: name != first)


def choose_measure(names: Sequence[str], *, key: Key[str | None], default: str | None = None) -> str:
    """One of `names` (at least one): `default`, else the first, until another is chosen; what each means is its help.

    The choice is in the session under `key`; one that is not among `names` does not apply. What nobody chose follows
    the default, which changes while a folder is read.
    """
    first, chosen, followed = default or names[0], key.get(), key.of("default")
    if chosen is None or chosen not in names or chosen == followed.get():
        chosen = first
    # A control for each default: a browser that still shows the last one would send that default as if it were chosen.
    control = key.of("control", first)
    for place, value in ((key, chosen), (followed, first), (control, chosen)):
        place.set_if_changed(value)

    def choose() -> None:
        if followed.get() == first:
            key.set(control.get())

    if len(names) > MOST_SIDE_BY_SIDE:
        st.selectbox(
            "Order by",
            names,
            format_func=lambda name: f"Order: {choice_of_measure(name).lower()}",
            key=control,
            on_change=choose,
            width=220,
            label_visibility="collapsed",
        )
    else:
        st.segmented_control(
            "Order by",
            names,
            required=True,
            format_func=lambda name: escape(choice_of_measure(name)),
            key=control,
            on_change=choose,
            help=meanings(names),
        )
    return chosen


def choice_of_measure(name: str) -> str:
    """What a control calls a measure; for other columns, the column's display name."""
    return measure_named(name).choice if is_measure(name) else title_of_column(name)


def meanings(names: Sequence[str]) -> Markdown:
    """What each measure is, one per line."""
    lines = [_meaning(name) for name in names]
    lines.append(Markdown("Higher means more ambiguous. Only the order matters, not the value."))
    return Markdown("\n\n".join(lines))


def _meaning(name: str) -> Markdown:
    also = f" ({title_of(name).lower()})" if title_of(name) != measure_named(name).choice else ""
    return Markdown(f"**{escape(measure_named(name).choice)}**{escape(also)}: {escape(measure_named(name).meaning)}")
