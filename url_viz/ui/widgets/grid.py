"""The grid component: one or both ends of an order as pictures that scroll without pages, to choose and decide on."""

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from url_viz.drawing.tiles import Tile, tile_data
from url_viz.ui.response_cache import ids_at, ranges_of
from url_viz.ui.session import Key
from url_viz.ui.widgets.actions import OnClick, click, handled_before, nothing
from url_viz.ui.widgets.component import component_of
from url_viz.ui.widgets.gallery import HandleActions, handle_actions

Side = Literal["both", "ambiguous", "clear"]
"""Which ends of the order the grid shows."""
CHOSEN: "Key[NDArray[np.int64]]" = Key("view.chosen")
"""Ids (M,) that were chosen in a grid, by its key: it forgets them while another page is shown."""

SIDES: tuple[Side, ...] = ("both", "ambiguous", "clear")
INLINE = 48
"""So many tiles of an order come with the page, so that they are there at once; others when they are scrolled to."""

_mount = component_of("grid", styled_as="gallery")


@dataclass(frozen=True)
class Pane:
    """One order of `total` pictures, cached under the key `order`; `first` are its first tiles, at most INLINE.

    `note` follows the title, which shows `hint` when it is pointed at; `empty` stands there if it has no pictures.
    `order_url`, `tiles_url` and `thumbnail_url` give the others (`url_viz.drawing.urls`).
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
    """Draw one pane, or two side by side, as high as the window; return the ids (M,) that are chosen in them.

    `ringed_id` is the picture that was opened last, `handle` that of `show_gallery`. When `shown_first` has grown, the
    page scrolls to its top. The state is that of `key` in the session: `side` and `is_wide` (for `take_settings`),
    `chosen` (ranges of cached orders), `actions`, and `clicked` for one run. What was chosen when the page was left is
    chosen again.
    """
    chosen_key = CHOSEN.under(key)
    again = np.empty(0, np.int64) if key.is_set else chosen_key.get_or(lambda: np.empty(0, np.int64))
    data = {
        "panes": [pane_data(pane) for pane in panes],
        "side": side,
        "is_wide": is_wide,
        "ringed": None if ringed_id is None else str(ringed_id),
        "shown_first": shown_first,
        "taken": handled_before(key),
        "kept": [ranges_of(pane.order, again) for pane in panes] if len(again) else None,
    }
    result = _mount(
        key=key,
        data=data,
        default={"side": None, "is_wide": None, "chosen": None},
        on_side_change=on_set or nothing,
        on_is_wide_change=on_set or nothing,
        on_chosen_change=nothing,
        on_clicked_change=partial(click, key, on_click),
        on_actions_change=partial(handle_actions, key, handle, chosen_ids=chosen_ids),
    )
    handle_actions(key, handle, result, chosen_ids=chosen_ids)  # usually none are left, unless another run came between
    chosen = again if len(again) else chosen_ids(result.get("chosen"))
    chosen_key.set(chosen)
    return chosen


def chosen_ids(chosen: object) -> NDArray[np.int64]:
    """Ids (M,), each once, of what a browser calls chosen: for each order its key, and ranges of places in it."""
    parts = [_of_order(part) for part in chosen] if isinstance(chosen, list) else []
    return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))


def _of_order(part: Any) -> NDArray[np.int64]:
    try:
        ranges = [(int(start), int(stop)) for start, stop in part["ranges"]]
        return ids_at(str(part["order"]), ranges)
    except (KeyError, TypeError, ValueError):
        return np.empty(0, np.int64)


def pane_data(pane: Pane) -> dict[str, object]:
    """A pane for the browser."""
    return {
        **{name: value for name, value in vars(pane).items() if name != "first"},
        "first": list(map(tile_data, pane.first)),
        "has_questions": any(tile.question for tile in pane.first),
        "has_labels": any(tile.label is not None for tile in pane.first),
    }
