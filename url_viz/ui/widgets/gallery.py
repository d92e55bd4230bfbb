"""The gallery component: a grid of thumbnails with values, which can be clicked and decided on; and its pages."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.drawing.tiles import Tile, tile_data
from url_viz.store.decisions.decision_rows import DECISIONS, Decision
from url_viz.store.decisions.decisions import Step
from url_viz.ui.session import Key, component_state
from url_viz.ui.widgets.actions import OnClick, Record, click, handle_new, handled_before, nothing
from url_viz.ui.widgets.component import component_of

_mount = component_of("gallery")


@dataclass(frozen=True)
class GalleryAction:
    """A decision on a picture, or on those that are `chosen` (None clears it); or, without either, a command."""

    id: int | None = None
    decision: Decision | None = None
    command: Step | None = None
    chosen: tuple[int, ...] = ()


HandleActions = Callable[[tuple[GalleryAction, ...]], None]
"""What carries out new actions, the oldest first."""


@contextmanager
def one_page(rows: pd.DataFrame, key_of: Callable[[int], Key[int]], *, size: int) -> Iterator[pd.DataFrame]:
    """The rows of the page that is chosen; after what is drawn of them, the pages to choose, if there are several.

    `key_of` gives the key of the choice for so many pages.
    """
    pages = max(1, math.ceil(len(rows) / size))
    key = key_of(pages)
    page = min(key.get() or 1, pages)
    yield rows.iloc[(page - 1) * size : page * size]
    if pages > 1:
        st.pagination(pages, key=key, max_visible_pages=5)


def show_gallery(
    tiles: tuple[Tile, ...],
    *,
    key: str,
    empty: str,
    columns: int | None = None,
    handle: HandleActions | None = None,
    on_click: OnClick | None = None,
) -> None:
    """Draw the tiles in order, in at most `columns` columns (by default as many as fit); the text `empty` without any.

    With `handle`, pictures can be decided on, by buttons and keys (k keep, d drop, l decide later, u undo, y redo). It
    is called with the actions before the page runs again, so that the page already shows their effect, and exactly once
    per action, even if runs overtake each other. It must carry out the actions before it calls Streamlit.

    The state is that of `key` in the session: `clicked`, for one run, and `actions`, numbered.
    """
    data = {
        "tiles": list(map(tile_data, tiles)),
        "columns": columns,
        "empty": empty,
        "can_decide": handle is not None,
        "taken": handled_before(key),
    }
    on_actions = nothing if handle is None else partial(handle_actions, key, handle)
    result = _mount(key=key, data=data, on_clicked_change=partial(click, key, on_click), on_actions_change=on_actions)
    if handle is not None:
        handle_actions(key, handle, result)  # usually none are left, unless another run came between


def _none_chosen(chosen: object) -> NDArray[np.int64]:
    return np.empty(0, np.int64)


ChosenIds = Callable[[object], NDArray[np.int64]]
"""Which pictures the browser calls chosen, as ids (M,)."""


def handle_actions(
    key: str, handle: HandleActions, state: Record | None = None, *, chosen_ids: ChosenIds = _none_chosen
) -> None:
    """Handle the new actions in a component's `state`, by default that in the session."""
    now = component_state(key) if state is None else state
    handle_new(key, now, lambda records: handle(actions_of(records, chosen_ids)))


def actions_of(records: Iterable[Record], chosen_ids: ChosenIds = _none_chosen) -> tuple[GalleryAction, ...]:
    """What the browser sent, without what is invalid; `chosen_ids` tells which pictures it calls chosen."""
    return tuple(action for record in records if (action := _action(record, chosen_ids)) is not None)


def _action(record: Record, chosen_ids: ChosenIds) -> GalleryAction | None:
    command, decision = record.get("command"), record.get("decision")
    if command == "undo" or command == "redo":
        return GalleryAction(command=command)
    known_decision = next((each for each in DECISIONS if each == decision), None)
    if known_decision != decision:
        return None
    if "id" in record:
        return GalleryAction(int(cast(str, record["id"])), known_decision)
    chosen = tuple(chosen_ids(record.get("chosen")).tolist())
    return GalleryAction(decision=known_decision, chosen=chosen) if chosen else None
