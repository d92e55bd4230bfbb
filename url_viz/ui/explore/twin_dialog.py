"""Copies and views on the Explore page: how many, and a dialog that shows their groups and keeps one of each copy."""

from collections.abc import Collection, MutableMapping
from functools import partial

import pandas as pd
import streamlit as st

from url_viz.analysis.findings.twin_groups import has_copies, marks_of
from url_viz.analysis.scope import ReviewSpec
from url_viz.drawing.tiles import Tile, tile_of
from url_viz.image_set import ImageSet
from url_viz.ui.review.review_address import go_to_review
from url_viz.ui.session import DIALOG, Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import dialog_button
from url_viz.ui.widgets.decide import handle_gallery_actions, reported, show_undo
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.wording import counted

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
    st.caption(escape(image_set.core.said(words)))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Keep one of each, drop its copies",
            type="primary",
            icon=":material/filter_1:",
            key="twins.keep",
            on_click=reported(image_set, image_set.twins.keep_one_of_each),
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
    picked = st.dataframe(
        _listed(groups.head(MOST_LISTED)),
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


def _listed(groups: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Pictures": groups["size"],
            "Kind": groups["kind"].map(_KINDS),
            "Classes": groups["classes"],
            "Kept": groups["left"],
            "First of them": groups["path"],
        }
    )


def _show_group(image_set: ImageSet, group: int) -> None:
    table = image_set.table()
    rows = table[table["twin_group"] == group]
    first = "" if len(rows) <= MOST_SHOWN else f"the first {MOST_SHOWN:,} of "
    st.subheader(escape(f"The {image_set.noun}s of this group · {first}{len(rows):,}"), anchor=False)
    show_gallery(
        tiles_of_group(rows, set(image_set.twins.to_keep().tolist()), set_id=image_set.set_id)[:MOST_SHOWN],
        key=TWINS.under(image_set.set_id),
        empty=image_set.core.said("This group has no pictures left."),
        columns=6,
        handle=partial(handle_gallery_actions, image_set),
    )


def tiles_of_group(rows: pd.DataFrame, left: Collection[int], *, set_id: str) -> tuple[Tile, ...]:
    """A group's pictures with their size, which stay (ids) if one of each is kept, and which is largest or sharpest."""
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
