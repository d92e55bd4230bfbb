"""A gallery of a few pictures and a grid of many, to decide in.

Query parameters: run (names the decisions), n, busy (how many seconds an action waits for another process that writes);
of the gallery also slow (seconds that a run takes at least), only (show only pictures without a decision), and a run
takes as long as there is a file beside its decisions that ends in `.held`.
"""

import sys
import time
from collections import Counter
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.browser.harness_components import FIRST_ID, note_click, settings_of, show_clicked, tile_of
from url_viz.drawing.tiles import Tile, order_url, tile_data
from url_viz.store.decisions import decision_log
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions
from url_viz.ui.open_sets import GridOrder, cache_order, cached_orders
from url_viz.ui.session import Key
from url_viz.ui.widgets.decide import handle_gallery_actions
from url_viz.ui.widgets.gallery import INLINE, GalleryAction, Pane, Side, chosen_ids, show_gallery, show_grid

KEY: Key[MutableMapping[str, object]] = Key("grid")


@dataclass(frozen=True)
class Holder:
    """As much of an image set as deciding needs."""

    decisions: Decisions
    count: int

    @property
    def core(self) -> "Holder":
        """An image set has its ids there."""
        return self

    @property
    def ids(self) -> NDArray[np.int64]:
        """Of its pictures."""
        return FIRST_ID + np.arange(self.count, dtype=np.int64)

    def row(self, image_id: int) -> dict[str, str]:
        """Where the picture is."""
        return {"path": f"{image_id}.jpg"}


def decisions_of(run: str, count: int) -> Decisions:
    ids = FIRST_ID + np.arange(count, dtype=np.int64)
    return Decisions(Path(sys.argv[-1]) / f"{run}.db", FileKeys(ids, ids))


def tile_now(image_id: int, decision: str | None) -> Tile:
    return replace(tile_of(image_id - FIRST_ID, with_label=True), decision=decision)


def answer_tiles(request: Request) -> Response:
    query = request.query_params
    order, count = cached_orders.get(query["order"]), int(query["n"])
    assert order is not None
    now = decisions_of(query["run"], count).now().decision
    ids = order.ids[int(query["from"]) : int(query["to"])].tolist()
    return JSONResponse([tile_data(tile_now(one, now[one - FIRST_ID])) for one in ids])


def pane_of(title: str, rows: pd.DataFrame, decisions: Decisions, run: str) -> Pane:
    order, now = cache_order(GridOrder.from_rows(rows)), decisions.now().decision
    query = f"order={order}&n={len(rows)}&run={run}&state={decisions.version}"
    return Pane(
        title=title,
        note=f"{len(rows):,}",
        empty="Nothing.",
        total=len(rows),
        order=order,
        order_url=order_url(order),
        tiles_url=f"/harness/tiles?{query}&from={{from}}&to={{to}}",
        thumbnail_url="/harness/thumbnail/{id}",
        first=tuple(tile_now(one, now[one - FIRST_ID]) for one in rows["id"].head(INLINE)),
    )


def grid_page() -> None:
    query = st.query_params
    count, run = int(query.get("n", 5000)), query["run"]
    decisions = decisions_of(run, count)
    decision_log.BUSY_S = float(query.get("busy", 30))
    state = st.session_state.get(KEY) or {}
    settings = settings_of(KEY, ("side", "is_wide"))
    side: Side = settings.get("side") or "both"
    rows = pd.DataFrame({"id": FIRST_ID + np.arange(count), "rank_percentile": np.linspace(100, 0, count)})
    st.text(f"chosen {len(chosen_ids(state.get('chosen')))}")
    decided = Counter(one for one in decisions.now().decision.tolist() if one is not None)
    st.text(" ".join(["decided", *(f"{name}:{number}" for name, number in sorted(decided.items()))]))
    panes = {"ambiguous": ("Most ambiguous", rows), "clear": ("Least ambiguous", rows[::-1])}
    shown = ("ambiguous", "clear") if side == "both" else (side,)

    def handle(actions: tuple[GalleryAction, ...]) -> None:
        handle_gallery_actions(Holder(decisions, count), actions)  # type: ignore[arg-type]

    show_grid(
        [pane_of(*panes[one], decisions, run) for one in shown],
        key=KEY,
        side=side,
        is_wide=bool(settings.get("is_wide")),
        ringed_id=None,
        handle=handle,
        on_click=note_click,
    )
    show_clicked()


def decide_page() -> None:
    query = st.query_params
    count = int(query.get("n", 12))
    decisions = decisions_of(query["run"], count)
    decision_log.BUSY_S = float(query.get("busy", 30))

    def handle(actions: tuple[GalleryAction, ...]) -> None:
        handle_gallery_actions(Holder(decisions, count), actions)  # type: ignore[arg-type]

    now = decisions.now().decision.tolist()
    time.sleep(float(query.get("slow", 0)))
    while Path(sys.argv[-1], f"{query['run']}.held").exists():
        time.sleep(0.02)
    tiles = [replace(tile_of(row, with_label=True), decision=now[row]) for row in range(count)]
    if "only" in query:
        tiles = [tile for tile in tiles if tile.decision is None]
    show_gallery(tuple(tiles), key="gallery", empty="All decided.", columns=6, handle=handle, on_click=note_click)
    show_clicked()
    st.text("decided " + ",".join("-" if d is None else d[0] for d in now))
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.text(f"runs {st.session_state['runs']}")
