"""Linked maps of one image set under two models, with a shared lasso, and the scatter plot of both orders."""

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.compare import ComparedMeasure
from url_viz.analysis.measures import title_of
from url_viz.analysis.scope import Polygon, Scope, scoped
from url_viz.image_set import ImageSet
from url_viz.ui.http import mask_url
from url_viz.ui.session import COMPARED_MAPS, LASSOS, OPENED, keys_under, state_of
from url_viz.ui.text import escape
from url_viz.ui.urls import card_url, points_url
from url_viz.ui.widgets.charts import GREY, colour_scale, quiet, sampled
from url_viz.ui.widgets.map import MapView, polygon_in, show_map

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MAP_HEIGHT_PX = 500
SIDES = ("first", "second")


@dataclass(frozen=True)
class LinkedSelection:
    """The selection on two maps: the `side` it was drawn on (None: no selection), its outline, and its pictures."""

    side: str | None
    polygon: Polygon | None
    ids: "pd.Series[int] | None"


def selection(first: ImageSet, second: ImageSet) -> LinkedSelection:
    """The lasso that was drawn last; one on the other map is cleared. Call it before the maps are drawn."""
    pair = {"first": first, "second": second}
    keys = {side: _key(image_set, side) for side, image_set in pair.items()}
    now = {side: polygon_in(state_of(key)) for side, key in keys.items()}
    before = LASSOS.get() or dict.fromkeys(SIDES)
    new = [side for side in SIDES if now[side] is not None and now[side] != before[side]]
    side = new[0] if new else next((side for side in SIDES if now[side] is not None), None)
    for other in SIDES:
        if side is not None and other != side and now[other] is not None:
            state_of(keys[other])["polygon"] = now[other] = None
    LASSOS.set(now)
    if side is None:
        return LinkedSelection(None, None, None)
    return LinkedSelection(side, now[side], scoped(pair[side].table(), Scope(now[side]))["id"])


def show_maps(first: ImageSet, second: ImageSet, compared: ComparedMeasure, linked: LinkedSelection) -> int | None:
    """Draw both maps; return the id of the picture that was clicked on one of them."""
    clicked = None
    for column, side, image_set in zip(st.columns(2, gap="medium"), SIDES, (first, second), strict=True):
        with column:
            st.markdown(f"**{escape(image_set.source.title)}**")
            clicked_id = _show_map(image_set, side, compared.measure, linked)
            clicked = clicked_id if clicked_id is not None else clicked
    return clicked


def _show_map(image_set: ImageSet, side: str, measure: str, linked: LinkedSelection) -> int | None:
    table = image_set.table()
    is_selected = np.ones(len(table), bool)
    if linked.ids is not None and side != linked.side:
        is_selected = table["id"].isin(linked.ids).to_numpy(dtype=bool)
    view = MapView(
        points_url=points_url(image_set, measure=measure),
        card_url=card_url(image_set, measure=measure),
        mask_url=mask_url(table, is_selected, measure=measure),
        total=len(table),
        ringed_id=OPENED.get(),
        polygon=linked.polygon if side == linked.side else None,
        measure=title_of(measure),
    )
    return show_map(view, key=_key(image_set, side), height_px=MAP_HEIGHT_PX)


def show_selected(linked: LinkedSelection, *, total: int) -> None:
    """How many pictures are selected, and a button to clear the selection."""
    if linked.ids is None:
        st.caption("Draw a lasso on one map (Shift-drag) to select the same pictures on the other map and below.")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{len(linked.ids):,}** of {total:,}")
        st.button("Selection", icon=":material/close:", key="compare.clear", on_click=_clear)


def _clear() -> None:
    for key in keys_under(COMPARED_MAPS):
        state_of(key)["polygon"] = None


def _key(image_set: ImageSet, side: str) -> str:
    return f"{COMPARED_MAPS}{side}.{image_set.set_id}.{image_set.space.key}"


def scatter_figure(compared: ComparedMeasure, *, names: tuple[str, str], ids: "pd.Series[int] | None") -> "Figure":
    """Percentile under the second model against that under the first; pictures outside `ids` are drawn faint."""
    import plotly.graph_objects as go

    table = compared.change.table
    drawn = table.iloc[sampled(np.arange(len(table)))]
    chosen = None if ids is None else np.flatnonzero(drawn["id"].isin(ids).to_numpy())
    figure = go.Figure(
        go.Scatter(
            x=drawn["before"],
            y=drawn["after"],
            mode="markers",
            text=[f"{x:.0f} | {y:.0f}" for x, y in zip(drawn["before"], drawn["after"], strict=True)],
            hovertemplate="%{text}<extra></extra>",
            selectedpoints=chosen,
            marker={
                "size": 5 if len(drawn) > 1000 else 7,
                "color": drawn["change"].abs(),
                "cmin": 0,
                "cmax": 100,
                "colorscale": colour_scale(),
                "opacity": 0.75,
            },
            unselected={"marker": {"opacity": 0.08}},
        )
    )
    figure.add_shape(type="line", x0=0, y0=0, x1=100, y1=100, line={"color": GREY, "dash": "dot", "width": 1.4})
    figure.update_xaxes(title=f"Percentile, {html.escape(names[0])}", range=[-2, 102], dtick=25)
    figure.update_yaxes(title=f"Percentile, {html.escape(names[1])}", range=[-2, 102], dtick=25)
    return quiet(figure, height_px=380)
