"""A gallery to decide in.

Query parameters: run (the name of the file of decisions; a run takes as long as there is one beside it that ends in
`.held`), n, slow (seconds that a run takes at least), only (show only pictures without a decision), columns, busy (how
many seconds an action waits for another process that writes).
"""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from tests.browser.harness_components import FIRST_ID, note_click, show_clicked, tile_of
from url_viz.store.decisions import decision_log
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decisions import Decisions
from url_viz.ui.widgets.decide import handle_gallery_actions
from url_viz.ui.widgets.gallery import GalleryAction, show_gallery


@dataclass(frozen=True)
class Holder:
    """As much of an image set as deciding needs."""

    decisions: Decisions
    ids: NDArray[np.int64]

    @property
    def core(self) -> "Holder":
        """An image set has its ids there."""
        return self

    def row(self, image_id: int) -> dict[str, str]:
        """Where the picture is."""
        return {"path": f"{image_id}.jpg"}


def decide_page() -> None:
    query = st.query_params
    count = int(query.get("n", 12))
    ids = np.arange(FIRST_ID, FIRST_ID + count, dtype=np.int64)
    path = Path(sys.argv[-1]) / f"{query['run']}.db"
    holder = Holder(Decisions(path, FileKeys(ids, ids)), ids)

    decision_log.BUSY_S = float(query.get("busy", 30))

    def handle(actions: tuple[GalleryAction, ...]) -> None:
        handle_gallery_actions(holder, actions)  # type: ignore[arg-type]

    now = holder.decisions.now().decision.tolist()
    time.sleep(float(query.get("slow", 0)))
    while path.with_suffix(".held").exists():
        time.sleep(0.02)
    tiles = [replace(tile_of(row, with_label=True), decision=now[row]) for row in range(count)]
    if "only" in query:
        tiles = [tile for tile in tiles if tile.decision is None]
    show_gallery(tuple(tiles), key="gallery", empty="All decided.", columns=6, handle=handle, on_click=note_click)
    show_clicked()
    st.text("decided " + ",".join("-" if d is None else d[0] for d in now))
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    st.text(f"runs {st.session_state['runs']}")
