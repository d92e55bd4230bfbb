"""The grid of Explore with both ends of the order, and its dialog of copies and views."""

from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.base.wording import counted, twins_in_words
from url_viz.columns.filters import EVERYTHING, Between, ReviewSpec, Scope, scoped
from url_viz.columns.ranking import ends, first_of_each_class, value_at
from url_viz.columns.twin_groups import count_copies, has_copies, marks_of, with_twins
from url_viz.drawing.tiles import Tile, order_url, thumbnail_url, tile_of, tiles, tiles_url
from url_viz.findings.object_findings import LEGIBLE
from url_viz.image_set import ImageSet
from url_viz.ui.explore.controls import PER_CLASS
from url_viz.ui.explore.page import SHOWN_FIRST, ranked_by
from url_viz.ui.explore.view import TITLES, ExploreView, take_set
from url_viz.ui.menu import go_to_review
from url_viz.ui.open_sets import MOST_IN_ORDER, GridOrder, cache_order
from url_viz.ui.session import DIALOG, OPENED, Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import dialog_button
from url_viz.ui.widgets.decide import handle_gallery_actions, reported, show_undo
from url_viz.ui.widgets.gallery import INLINE, Pane, Side, show_gallery, show_grid
from url_viz.ui.widgets.picture import open_picture

GRID: Key[MutableMapping[str, object]] = Key("view.grid")
"""The grid of a set, by its id."""

NOTHING = "No picture is inside the lasso and passes all filters. Remove one of the chips above."


_ORDER_COLUMNS = ("id", "label", "copy_group", "twin_group", "rank_percentile")
"""The columns that both ends of an order need, besides the one that orders."""


@dataclass(frozen=True)
class OrderEnd:
    """One end of an order: the numbers of its pictures, hidden twins and copies among these, and its `first` tiles."""

    order: GridOrder
    pictures: int
    twins: int
    copies: int
    first: tuple[Tile, ...]


def show_galleries(image_set: ImageSet, rows: pd.DataFrame, view: ExploreView, *, measure: str) -> NDArray[np.int64]:
    """The most ambiguous and the clearest pictures, or one side of them; returns the ids (M,) that are chosen."""
    key = GRID.under(image_set.set_id)
    return show_grid(
        panes_of(image_set, rows, view, measure=measure),
        key=key,
        side=view.side,
        is_wide=view.is_wide,
        ringed_id=OPENED.get(),
        shown_first=SHOWN_FIRST.get() or 0,
        on_click=open_picture,
        on_set=partial(take_set, key),
        handle=partial(handle_gallery_actions, image_set, stacks=rows if view.collapse_twins else None),
    )


def panes_of(image_set: ImageSet, rows: pd.DataFrame, view: ExploreView, *, measure: str) -> list[Pane]:
    """The panes of the grid: a part of the order of `rows` each."""
    parts = parts_of_order(image_set, rows, view, measure)
    total = sum(each.pictures + each.twins for each in parts.values())
    return [
        _pane(image_set, parts[part.side], part.side, view, total=total, measure=measure) for part in view.shown_parts
    ]


def parts_of_order(image_set: ImageSet, rows: pd.DataFrame, view: ExploreView, measure: str) -> dict[Side, OrderEnd]:
    """The parts of the order of `rows`; those of a first visit, without a choice, are made once."""
    if view.scope not in (EVERYTHING, Scope(filters=LEGIBLE)) or view.cuts:
        return _order_ends(rows, view, measure, image_set.set_id)
    alike = ExploreView(
        within_class=view.within_class,
        collapse_twins=view.collapse_twins,
        class_by_class=view.class_by_class,
        filters=view.filters,
    )
    return image_set.cached_of_table(_ends_of_all, alike, measure, image_set.set_id)


def _ends_of_all(table: pd.DataFrame, view: ExploreView, measure: str, set_id: str) -> dict[Side, OrderEnd]:
    return _order_ends(scoped(ranked_by(table, view, measure), view.scope), view, measure, set_id)


def _order_ends(rows: pd.DataFrame, view: ExploreView, measure: str, set_id: str) -> dict[Side, OrderEnd]:
    by = "rank_percentile" if view.within_class else measure
    narrow = rows.filter(list(dict.fromkeys([*_ORDER_COLUMNS, by])))  # taking rows of all columns is most of the work
    is_whole = not view.cuts and not view.class_by_class
    both = ends(narrow, by=by, collapse_twins=view.collapse_twins, most=MOST_IN_ORDER if is_whole else None)
    parts: dict[Side, OrderEnd] = {}
    for part in view.parts:
        inside = both.clear if part.side == "clear" else both.ambiguous
        if view.cuts:  # which leave each picture in one part only
            inside = inside[part.holds(inside["rank_percentile"])]
        if view.class_by_class:
            inside = first_of_each_class(inside, PER_CLASS)
        inline = inside.head(INLINE)
        first = tiles(rows.loc[inline.index].assign(**inline[["twins", "copies"]]), set_id=set_id, measure=measure)
        counts = (both.pictures, both.twins, both.copies)
        if not is_whole:
            counts = len(inside), int(inside["twins"].sum()), int(inside["copies"].sum())
        parts[part.side] = OrderEnd(GridOrder.from_rows(inside), *counts, first)
    return parts


def _pane(image_set: ImageSet, end: OrderEnd, side: Side, view: ExploreView, *, total: int, measure: str) -> Pane:
    order, title = cache_order(end.order), TITLES[side]
    shown = end.pictures + end.twins
    count = f"{shown:,} of {total:,}" if view.cuts else f"{shown:,}"
    if end.pictures > MOST_IN_ORDER:
        count = f"the first {MOST_IN_ORDER:,} of {count}"
    return Pane(
        title=f"{title} of each class" if view.class_by_class else title,
        note=f"{count} ({twins_in_words(end.twins, end.copies)} folded in)" if end.twins else count,
        hint=f"And {twins_in_words(end.twins, end.copies)}, each shown with its picture" if end.twins else "",
        empty=image_set.core.in_words("No pictures on this side." if total else NOTHING),
        total=min(end.pictures, MOST_IN_ORDER),
        order=order,
        order_url=order_url(order),
        tiles_url=tiles_url(image_set, order=order, measure=measure),
        thumbnail_url=thumbnail_url(image_set.set_id, "{id}"),
        first=end.first,
    )


@dataclass(frozen=True)
class Acted:
    """The pictures that the buttons act on: their `rows`, `which` they are, and the `scope` of a review of them.

    `which` is empty, and `scope` None, if they are all that is shown.
    """

    rows: pd.DataFrame
    which: str = ""
    scope: Scope | None = None


def acted_on(
    rows: pd.DataFrame, view: ExploreView, chosen: NDArray[np.int64], *, measure: str, on_other_map: bool
) -> Acted:
    """The chosen pictures (with the twins of their tiles), else a part of the order if it is cut, else all `rows`.

    That part is the one shown alone, else the most ambiguous. On another map a review names its pictures: a lasso holds
    others there.
    """
    is_chosen = np.isin(rows["id"].to_numpy(np.int64), chosen)
    if is_chosen.any():
        count = int(is_chosen.sum())
        acted = rows[with_twins(rows, is_chosen) if view.collapse_twins else is_chosen]
        twins, copies = len(acted) - count, count_copies(rows, is_chosen)
        which = f"selected, including {twins_in_words(twins, copies)}" if twins else "selected"
        return Acted(acted, which, _scope_of_ids(acted))
    if not view.cuts:
        return Acted(rows, scope=_scope_of_ids(rows) if on_other_map else None)
    part = view.shown_parts[0]
    acted = rows[part.holds(rows["rank_percentile"])]
    if view.within_class or on_other_map:
        return Acted(acted, part.words, _scope_of_ids(acted))
    low = None if part.low is None else value_at(rows, measure, part.low)
    # the bounds of a filter are inclusive
    high = None if part.high is None else float(np.nextafter(value_at(rows, measure, part.high), -np.inf))
    return Acted(acted, part.words, Scope(view.scope.polygon, (*view.filters, Between(measure, low, high))))


def is_narrowed(acted: Acted, view: ExploreView) -> bool:
    """Whether the pictures acted on were chosen: without a choice, nothing offers to decide on a whole set."""
    return bool(acted.which) or acted.scope is not None or view.scope != EVERYTHING


def _scope_of_ids(rows: pd.DataFrame) -> Scope:
    return Scope(ids=tuple(rows["id"].tolist()))


TWINS: Key[MutableMapping[str, object]] = Key("view.twins")
"""The gallery of a group of twins, by the set's id."""

_KINDS = {"exact": "exact copies", "copies": "copies", "views": "other views"}
MOST_SHOWN = 24
MOST_LISTED = 1_000


def show_twins_button(image_set: ImageSet, table: pd.DataFrame) -> None:
    """A button with the number of copies and views that opens the dialog; nothing if there are none."""
    sizes = table["twin_group"].value_counts().to_numpy()
    sizes = sizes[sizes > 1]
    if not len(sizes):
        return
    groups = "one group" if len(sizes) == 1 else f"{len(sizes):,} groups"
    words = f"{counted(int(sizes.sum()), image_set.noun)} in {groups} of copies and views"
    meaning = "The same picture again, saved anew or cropped a little; and the same thing again, as in a burst"
    if dialog_button(words, icon=":material/content_copy:", key="twins.open", help=meaning):
        twins_dialog(image_set)


@st.dialog("Copies and views", width="large", on_dismiss=DIALOG.clear)
def twins_dialog(image_set: ImageSet) -> None:
    """The groups, largest first; one group's pictures; and keep one of each copy."""
    with st.spinner("Comparing groups"):
        groups = image_set.twins.groups()
    count = {kind: int((groups["kind"] == kind).sum()) for kind in _KINDS}
    words = (
        f"{counted(len(groups), 'group')}: {count['exact']:,} of exact copies, {count['copies']:,} of copies (saved "
        f"again, resized or cropped), {count['views']:,} with other views (pictures exceptionally near in this set)."
    )
    st.caption(escape(image_set.core.in_words(words)))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Keep one of each, drop its copies",
            type="primary",
            icon=":material/filter_1:",
            key="twins.keep",
            on_click=reported(image_set, image_set.twins.keep_one),
            disabled=not has_copies(image_set.table()),
            help="Keeps the largest of copies; of equally large ones, the one with most copies, then the sharpest. "
            "Drops only its direct copies, no views, and nothing you have marked to keep. One undo reverts all of it.",
        )
        spec = ReviewSpec("copies" if has_copies(image_set.table()) else "bursts")
        review = partial(go_to_review, spec)
        if len(image_set.reviews.open(spec.by).ids) and st.button(
            "Review them one by one", icon=":material/rate_review:", key="twins.review", on_click=review
        ):
            st.rerun()
        show_undo(image_set, key="twins")
    listed = groups.head(MOST_LISTED)
    shown = {
        "Pictures": listed["size"],
        "Kind": listed["kind"].map(_KINDS),
        "Classes": listed["classes"],
        "Kept": listed["left"],
        "First of them": listed["path"],
    }
    picked = st.dataframe(
        pd.DataFrame(shown),
        hide_index=True,
        width="stretch",
        height=260,
        on_select="rerun",
        selection_mode="single-row",
        key="twins.table",
        alt="Groups of copies and views, with the number of pictures",
    )
    chosen = picked["selection"]["rows"]
    _show_group(image_set, int(groups["group"].iloc[chosen[0] if chosen else 0]))


def _show_group(image_set: ImageSet, group: int) -> None:
    table = image_set.table()
    rows = table[table["twin_group"] == group]
    first = "" if len(rows) <= MOST_SHOWN else f"the first {MOST_SHOWN:,} of "
    st.subheader(escape(f"The {image_set.noun}s of this group · {first}{len(rows):,}"), anchor=False)
    show_gallery(
        tiles_of_group(rows, set(image_set.twins.to_keep().tolist()), set_id=image_set.set_id)[:MOST_SHOWN],
        key=TWINS.under(image_set.set_id),
        empty=image_set.core.in_words("This group has no pictures left."),
        columns=6,
        handle=partial(handle_gallery_actions, image_set),
    )


def tiles_of_group(rows: pd.DataFrame, left: Collection[int], *, set_id: str) -> tuple[Tile, ...]:
    """A group's pictures with their size, which stay (ids) if one of each is kept, which is largest or sharpest."""
    return tuple(
        tile_of(
            row,
            set_id=set_id,
            value=f"{row['width']} × {row['height']} px",
            mark=", ".join(filter(None, ("stays" if row["id"] in left else "", mark))) or None,
            decision=row["decision"],
        )
        for row, mark in zip(rows.to_dict("records"), marks_of(rows), strict=True)
    )
