"""The control "Order by": a choice among measures, each named by what it knows."""

from collections.abc import Callable, Sequence

import streamlit as st

from url_viz.analysis.measures import in_text, is_measure, measure_named, measure_title
from url_viz.analysis.shown_words import title_of_column
from url_viz.image_set import ImageSet
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.shown_value import control

MOST_SIDE_BY_SIDE = 4
"""More measures would take a line for themselves."""


def offered(image_set: ImageSet) -> list[str]:
    """The measures that a set can be ordered by, the leading one first; empty before there is any.

    Baselines are among them only where there is nothing else.
    """
    return with_first(without_baselines(image_set.measures()), image_set.order().measure)


def without_baselines(names: Sequence[str]) -> Sequence[str]:
    """The names but for those of baselines, if that leaves any."""
    return [name for name in names if not measure_named(name).is_baseline] or names


def with_first(names: Sequence[str], first: str | None) -> list[str]:
    """The names, with `first` before the others if it is one of them."""
    return sorted(names, key=lambda name: name != first)


def measure_under(key: Key[str | None], names: Sequence[str], *, default: str | None = None) -> str:
    """As `choose_measure`, with the choice in the session under `key`."""
    return choose_measure(names, key=key.under("control"), chosen=key.get(), choose=key.set, default=default)


def choose_measure(
    names: Sequence[str],
    *,
    key: Key[str | None],
    chosen: str | None,
    choose: Callable[[str | None], None],
    default: str | None = None,
) -> str:
    """One of `names` (at least one): `default`, else the first, unless another is `chosen`; each is explained.

    A choice that is not among `names` does not apply. What nobody chose follows the default, which changes while a
    folder is read; to choose the default is to choose None.
    """
    first = default or names[0]
    shown = chosen if chosen is not None and chosen in names else first
    common = control(key, shown, lambda name: choose(None if name == first else name), options=(first, *names))
    if len(names) > MOST_SIDE_BY_SIDE:
        st.selectbox(
            "Order by",
            names,
            format_func=lambda name: f"Order: {title_of_column(name).lower()}",
            index=list(names).index(shown),
            width=220,
            label_visibility="collapsed",
            **common,
        )
    else:
        st.segmented_control(
            "Order by",
            names,
            required=True,
            format_func=lambda name: escape(title_of_column(name)),
            default=shown,
            help=meanings(names),
            **common,
        )
    return shown


def meanings(names: Sequence[str]) -> Markdown:
    """What each measure is, one per line."""
    lines = [_meaning(name) for name in names]
    lines.append(Markdown("Higher means more ambiguous. Only the order matters, not the value."))
    return Markdown("\n\n".join(lines))


def _meaning(name: str) -> Markdown:
    also = f" ({in_text(name)})" if is_measure(name) and in_text(name) != measure_title(name).lower() else ""
    return Markdown(f"**{escape(measure_title(name))}**{escape(also)}: {escape(measure_named(name).meaning)}")
