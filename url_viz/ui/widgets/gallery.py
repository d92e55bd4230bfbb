"""The gallery and the grid: thumbnails with values, in pages or scrolling, to choose and decide on."""

import math
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.drawing.tiles import Tile, tile_data
from url_viz.store.decisions.decision_rows import DECISIONS, Decision
from url_viz.store.decisions.decisions import Step
from url_viz.ui.open_sets import ids_at, ranges_of
from url_viz.ui.session import Key, OnClick, Record, click, component_state, handle_new, handled_before, nothing
from url_viz.ui.widgets.components import component_of

_mount_gallery = component_of("gallery")


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
def one_page(rows: pd.DataFrame, key: Key[int], *, size: int) -> Iterator[pd.DataFrame]:
    """The rows of the chosen page; below what is drawn of them, the pages to choose from, if there are several."""
    pages = max(1, math.ceil(len(rows) / size))
    key = key.under(pages)
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
    """Draw the tiles in at most `columns` columns (by default as many as fit); the text `empty` without any.

    With `handle`, pictures can be decided on, by buttons and keys (k keep, d drop, l decide later, u undo, y redo). It
    is called with the actions before the page runs again, which then shows their effect, and exactly once per action,
    even if runs overtake each other. It must carry out the actions before it calls Streamlit.

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
    result = _mount_gallery(
        key=key, data=data, on_clicked_change=partial(click, key, on_click), on_actions_change=on_actions
    )
    if handle is not None:
        handle_actions(key, handle, result)  # usually none are left, unless another run came between


def handle_actions(key: str, handle: HandleActions, state: Record | None = None) -> None:
    """Handle the new actions in a component's `state`, by default that in the session."""
    now = component_state(key) if state is None else state
    handle_new(key, now, lambda records: handle(actions_of(records)))


def actions_of(records: Iterable[Record]) -> tuple[GalleryAction, ...]:
    """What the browser sent, without what is invalid."""
    actions = []
    for record in records:
        command, decision = record.get("command"), record.get("decision")
        known_decision = next((each for each in DECISIONS if each == decision), None)
        if command == "undo" or command == "redo":
            actions.append(GalleryAction(command=command))
        elif known_decision != decision:
            continue
        elif "id" in record:
            actions.append(GalleryAction(int(cast(str, record["id"])), known_decision))
        elif chosen := tuple(chosen_ids(record.get("chosen")).tolist()):
            actions.append(GalleryAction(decision=known_decision, chosen=chosen))
    return tuple(actions)


Side = Literal["both", "ambiguous", "clear"]
"""Which ends of the order the grid shows."""
CHOSEN: "Key[NDArray[np.int64]]" = Key("view.chosen")
"""The ids (M,) chosen in a grid, by its key: it forgets them while another page is shown."""

SIDES: tuple[Side, ...] = ("both", "ambiguous", "clear")
INLINE = 48
"""Tiles of an order that come with the page, and are there at once; the others come when they are scrolled to."""

_mount_grid = component_of("grid", styled_as="gallery")


@dataclass(frozen=True)
class Pane:
    """One order of `total` pictures, cached under the key `order`; `first` are its first tiles, at most INLINE.

    `note` follows the title, which shows `hint` on hover; `empty` is the text where there are no pictures. `order_url`,
    `tiles_url` and `thumbnail_url` give the others (`url_viz.drawing.tiles`).
    """

    title: str
    note: str
    empty: str
    total: int
    order: str
    order_url: str
    tiles_url: str
    thumbnail_url: str
    first: tuple[Tile, ...]
    hint: str = ""


def show_grid(
    panes: Sequence[Pane],
    *,
    key: Key[MutableMapping[str, object]],
    side: Side,
    is_wide: bool,
    ringed_id: int | None,
    handle: HandleActions,
    on_click: OnClick | None = None,
    on_set: Callable[[], None] | None = None,
    shown_first: int = 0,
) -> NDArray[np.int64]:
    """Draw one pane, or two side by side, as high as the window; returns the ids (M,) that are chosen in them.

    `ringed_id` is the picture that was opened last, `handle` as in `show_gallery`. When `shown_first` has grown, the
    page scrolls to its top. The state is that of `key` in the session: `side` and `is_wide` (for `take_settings`),
    `chosen` (ranges of cached orders), `actions`, and `clicked` for one run. Pictures chosen when the page was left are
    chosen again, and a browser takes the side that was chosen at its last visit where the address names none.
    """
    chosen_key = CHOSEN.under(key)
    again = np.empty(0, np.int64) if key.is_set else chosen_key.get_or(lambda: np.empty(0, np.int64))
    data = {
        "panes": [pane_data(pane) for pane in panes],
        "side": side,
        "is_wide": is_wide,
        "keeps_side": True,
        "ringed": None if ringed_id is None else str(ringed_id),
        "shown_first": shown_first,
        "taken": handled_before(key),
        "kept": [ranges_of(pane.order, again) for pane in panes] if len(again) else None,
    }
    result = _mount_grid(
        key=key,
        data=data,
        default={"side": None, "is_wide": None, "chosen": None},
        on_side_change=on_set or nothing,
        on_is_wide_change=on_set or nothing,
        on_chosen_change=nothing,
        on_clicked_change=partial(click, key, on_click),
        on_actions_change=partial(handle_actions, key, handle),
    )
    handle_actions(key, handle, result)  # usually none are left, unless another run came between
    chosen = again if len(again) else chosen_ids(result.get("chosen"))
    chosen_key.set(chosen)
    return chosen


def chosen_ids(chosen: object) -> NDArray[np.int64]:
    """Ids (M,), each once, of the browser's choice: for each order its key, and ranges of places in it."""
    parts = [np.empty(0, np.int64)]
    for part in chosen if isinstance(chosen, list) else ():
        with suppress(KeyError, TypeError, ValueError):
            ranges = [(int(start), int(stop)) for start, stop in part["ranges"]]
            parts.append(ids_at(str(part["order"]), ranges))
    return np.unique(np.concatenate(parts))


def pane_data(pane: Pane) -> dict[str, object]:
    """A pane for the browser."""
    return {
        **{name: value for name, value in vars(pane).items() if name != "first"},
        "first": list(map(tile_data, pane.first)),
        "has_questions": any(tile.question for tile in pane.first),
        "has_labels": any(tile.label is not None for tile in pane.first),
    }
