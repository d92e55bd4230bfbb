"""Changes from the previous head to the current one: rank correlation, a map, and the largest moves."""

import streamlit as st

from url_viz.analysis.compare import Change, change
from url_viz.image_set import ImageSet
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import HEAD_BEFORE
from url_viz.ui.text import escape
from url_viz.ui.tile_data import tile_of
from url_viz.ui.urls import card_url, points_url
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.map import MapView, show_map
from url_viz.wording import standing

MOVED_SHOWN = 12


def show_change(image_set: ImageSet) -> None:
    """What changed, if this session has switched to a new head."""
    name = HEAD_BEFORE.get()
    before = open_sets().find(image_set.set_id, name) if name and name != image_set.source.name else None
    if before is None or before.head is None or image_set.head is None:
        return
    changed = change(before.table(), image_set.table(), measure="uncertainty")
    st.subheader("What changed", anchor=False)
    st.caption(
        f"{escape(image_set.source.title)} against {escape(before.source.title)}: rank correlation "
        f"{changed.rank_correlation:.2f} over {len(changed.table):,} pictures. Percentiles are within this set."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        _show_map(image_set, before, changed)
    with right:
        more, less = st.columns(2, gap="medium")
        with more:
            _show_moved(image_set, changed, is_up=True)
        with less:
            _show_moved(image_set, changed, is_up=False)


def _show_map(image_set: ImageSet, before: ImageSet, changed: Change) -> None:
    view = MapView(
        points_url=points_url(image_set, measure="uncertainty", before=before.source.name),
        card_url=card_url(image_set, measure="uncertainty"),
        total=len(changed.table),
        measure="Change",
        ends=("clearer", "more ambiguous"),
    )
    show_map(view, key=f"change.map.{image_set.set_id}", height_px=480)


def _show_moved(image_set: ImageSet, changed: Change, *, is_up: bool) -> None:
    st.markdown("**More ambiguous now**" if is_up else "**Clearer now**")
    rows = changed.table.sort_values("change", ascending=not is_up, kind="stable").head(MOVED_SHOWN)
    rows = rows[rows["change"] > 0] if is_up else rows[rows["change"] < 0]
    tiles = tuple(
        tile_of(row, set_id=image_set.set_id, value=f"{standing(row['before'])} → {standing(row['after'])}")
        for row in rows.to_dict("records")
    )
    show_gallery(
        tiles, key=f"change.{'up' if is_up else 'down'}", empty="No pictures moved in this direction.", columns=2
    )
