"""The map of the Explore page: by look or by training, its colours and filters, and to make it again."""

from collections.abc import MutableMapping
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.columns.filters import (
    MOST_CATEGORIES,
    OneOf,
    category_colours,
    category_names,
    filter_kind,
    passes_all,
)
from url_viz.columns.measures import is_measure, shown_value, title_of_column, value_called
from url_viz.drawing.points import MOST_DRAWN, MapView
from url_viz.drawing.tiles import card_url, points_url, representatives_url
from url_viz.image_set import ImageSet
from url_viz.jobs.kinds import REFIT, call_on
from url_viz.runs.model_accuracy import TRAINING, by_training, has_training
from url_viz.ui.explore.controls import VALUE
from url_viz.ui.explore.view import ExploreView, change_view, set_filter, take_set, view
from url_viz.ui.http import mask_url
from url_viz.ui.session import OPENED, Key
from url_viz.ui.text import Markdown, with_toast
from url_viz.ui.widgets.buttons import control
from url_viz.ui.widgets.embed_job import running, set_name
from url_viz.ui.widgets.map import show_map
from url_viz.ui.widgets.picture import open_picture

PLACES: "Key[pd.DataFrame]" = Key("view.places")
"""A few pictures (id, x, y) as they lay on the map when it was drawn last."""
SPACE: Key[str] = Key("view.space")
MAP: Key[MutableMapping[str, object]] = Key("view.map")
"""The map of a set, by its id and its space, so that each keeps its own zoom."""

_DECIDED = ("decision", "tags", "name")
NOTABLE_SHARE = 0.1
MOST_PLACES = 8
"""Enough pictures to see that the map was computed again: all of them move then."""


def map_key(image_set: ImageSet) -> Key[MutableMapping[str, object]]:
    """The key of the map that is shown."""
    return MAP.under(image_set.set_id, space_shown(image_set))


def space_shown(image_set: ImageSet) -> str:
    """The space of the map that is shown: the chosen one, or "" where no run has it."""
    return TRAINING if view().space == TRAINING and has_training(image_set.table()) else ""


def pick_space(image_set: ImageSet) -> None:
    """Choose the map by look or by training, where a run was recorded over epochs."""

    def choose(space: str) -> None:
        change_view(space=space, polygon=None)
        PLACES.clear()

    if has_training(image_set.table()):
        st.segmented_control(
            "Map",
            ["", TRAINING],
            required=True,
            default=view().space,
            format_func=lambda space: Markdown("Map by training" if space else "Map by look"),
            label_visibility="collapsed",
            **control(SPACE, view().space, choose),
        )


def rows_on_map(image_set: ImageSet, table: pd.DataFrame) -> pd.DataFrame:
    """The table with the coordinates of the map that is shown."""
    return by_training(table) if space_shown(image_set) else table


def without_stale_lasso(image_set: ImageSet, now: ExploreView) -> ExploreView:
    """The view, without its lasso if the map was computed again: the lasso would hold other pictures."""
    table, columns, before = rows_on_map(image_set, image_set.table()), ["id", "x", "y"], PLACES.get()
    PLACES.set(table.head(MOST_PLACES)[columns])
    if before is None or now.polygon is None:
        return now
    places = table[np.isin(table["id"].to_numpy(np.int64), before["id"].to_numpy(np.int64))][columns]
    both = before.merge(places, on="id", suffixes=("_before", ""))
    if np.allclose(both[["x_before", "y_before"]].to_numpy(), both[["x", "y"]].to_numpy(), equal_nan=True):
        return now
    change_view(polygon=None)
    st.toast("The map was recomputed, so the selection on it was cleared.", icon=":material/info:")
    return replace(now, polygon=None)


def draw_map(
    image_set: ImageSet, table: pd.DataFrame, now: ExploreView, *, measure: str, colour: str, note: str = ""
) -> None:
    """Draw the map of `table`, pictures outside the filters dimmed."""
    space = space_shown(image_set)
    shown = map_view(image_set, table, now, measure=measure, colour=colour, space=space)
    shown = replace(shown, ringed_id=OPENED.get(), note=_note(table, note, space=space))
    category, key = _category(table, colour), map_key(image_set)

    def pick(names: tuple[str, ...]) -> None:
        values = tuple(value_called(category, name) for name in names)
        set_filter(category, OneOf(category, values) if names else None)

    on_pick = None if pd.api.types.is_bool_dtype(table[category]) else pick
    show_map(shown, key=key, on_pick=on_pick, on_click=open_picture, on_set=partial(take_set, key))


def _category(table: pd.DataFrame, colour: str) -> str:
    """The column whose names the map shows: the one that colours it, else the class."""
    return colour if colour != VALUE and filter_kind(table[colour]) != "numeric" else "label"


def map_view(
    image_set: ImageSet, table: pd.DataFrame, now: ExploreView, *, measure: str, colour: str, space: str = ""
) -> MapView:
    """The map of `table` in the view `now`, by look or by the space."""
    category = _category(table, colour)
    is_category = category == colour
    value = measure if colour == VALUE or is_category else colour
    names = category_names(table, category)
    picked = {
        name
        for condition in now.filters
        if isinstance(condition, OneOf) and condition.column == category
        for name in condition.values
    }
    # the ends of a width, for one, are not clear and ambiguous
    is_ambiguity = is_measure(value) or value in image_set.core.measures()
    version = str(image_set.decisions.version) if category in _DECIDED else ""
    return MapView(
        points_url=points_url(
            image_set,
            measure=value,
            category=category if len(names) <= MOST_CATEGORIES else None,
            size=measure if now.size == VALUE else now.size or None,
            space=space,
            state=f"{version}{image_set.runs.chosen if space else ''}",
        ),
        card_url=card_url(image_set, measure=measure),
        mask_url=mask_url(table, passes_all(table, now.filters), measure=value, within=image_set.table()),
        representatives_url="" if space else representatives_url(image_set),
        total=len(table),
        unit=image_set.noun,
        colour="category" if is_category else "value",
        is_of_order=value == measure,
        measure=title_of_column(value),
        ends=("unambiguous", "ambiguous") if is_ambiguity else ("low", "high"),
        categories=tuple(shown_value(category, name) for name in names),
        category_title="" if category == "label" else title_of_column(category),
        category_colours=category_colours(names, category),
        threshold_percentile=next(iter(now.cuts), None),
        polygon=now.polygon,
        style=now.style,
        size_title=title_of_column(measure if now.size == VALUE else now.size) if now.size else "",
        with_representatives=now.representatives,
        with_names=now.names,
        chosen=tuple(number for number, name in enumerate(names) if name in picked),
    )


def _note(table: pd.DataFrame, note: str, *, space: str) -> str:
    placed = int(table["x"].notna().sum())
    notes = [note] if note else []
    if space:
        missing = f", {len(table) - placed:,} not trained on" if placed < len(table) else ""
        notes.append(f"up: confidence, right: variability{missing}")
    if placed > MOST_DRAWN:
        notes.append(f"drawn: {MOST_DRAWN:,} of {placed:,}, including the extremes")
    return " · ".join(notes)


def show_refit(image_set: ImageSet) -> None:
    """Offer to recompute the map, as a job, if a notable share of its pictures was added after its fit.

    It moves all points, so it is only done on request. Its progress is shown in the same line as that of reading.
    """

    def refit() -> None:
        REFIT.start_on(image_set, call_on(image_set, "sets refit"), name=set_name(image_set.root))

    share = image_set.maps.placed_fraction
    if share < NOTABLE_SHARE or running(image_set.set_id) is not None:
        return
    st.button(
        f"Recompute the map ({share:.0%} added later)",
        icon=":material/refresh:",
        key="refit",
        help="Pictures added after the map was computed were placed next to their neighbours. Recomputing the map "
        "places all of them properly; all points move.",
        on_click=with_toast(refit),
    )
