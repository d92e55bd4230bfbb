"""Twins on the Explore page: the number of groups, and a dialog that shows them and keeps one of each."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.ranking import with_percentile
from url_viz.analysis.scope import ReviewSpec
from url_viz.image_set import ImageSet
from url_viz.pipeline.twins import TWIN_COSINE
from url_viz.ui.review.review_address import go_to_review
from url_viz.ui.session import DIALOG, TWINS
from url_viz.ui.text import with_toast
from url_viz.ui.tile_data import tiles
from url_viz.ui.widgets.buttons import dialog_button
from url_viz.ui.widgets.decide import handle_gallery_actions
from url_viz.ui.widgets.gallery import show_gallery

MOST_SHOWN = 24
MOST_LISTED = 1_000


def show_twins_button(image_set: ImageSet, table: pd.DataFrame, *, measure: str) -> None:
    """A button with the number of twins that opens the dialog; nothing if there are none."""
    sizes = table["twin_group"].value_counts().to_numpy()
    sizes = sizes[sizes > 1]
    if not len(sizes):
        return
    groups = "one group" if len(sizes) == 1 else f"{len(sizes):,} groups"
    words = f"{int(sizes.sum()):,} pictures in {groups} of twins"
    about = "Copies, bursts and re-saved files"
    if dialog_button(words, icon=":material/content_copy:", key="twins.open", help=about):
        twins_dialog(image_set, measure)


@st.dialog("Twins", width="large", on_dismiss=DIALOG.clear)
def twins_dialog(image_set: ImageSet, measure: str) -> None:
    """The groups, largest first, with their least similar pair; one group's pictures; and keep one of each."""
    with st.spinner("Comparing twins"):
        groups = image_set.twins.groups()
    exact = int((groups["kind"] == "exact").sum())
    st.caption(
        f"{len(groups):,} groups: {exact:,} of exact copies, {len(groups) - exact:,} of near copies (a cosine of "
        f"{TWIN_COSINE} or higher, or nearly the same perceptual hash)."
    )
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Keep one of each, drop its twins",
            type="primary",
            icon=":material/filter_1:",
            key="twins.keep",
            on_click=with_toast(lambda: image_set.twins.keep_one_of_each().sentence),
            help="Keeps the largest picture of each group; of equally large ones, the one with most twins, then the "
            "clearest. Drops only its direct twins, and nothing you have marked to keep. One undo reverts all of it.",
        )
        review = partial(go_to_review, ReviewSpec("twins"))
        if st.button("Review them one by one", icon=":material/rate_review:", key="twins.review", on_click=review):
            st.rerun()
    picked = st.dataframe(
        _listed(image_set, groups.head(MOST_LISTED)),
        hide_index=True,
        width="stretch",
        height=260,
        on_select="rerun",
        selection_mode="single-row",
        key="twins.table",
        alt="Groups of twins, with the number of pictures",
    )
    chosen = picked["selection"]["rows"]
    _show_group(image_set, int(groups["group"].iloc[chosen[0] if chosen else 0]), measure)


def _listed(image_set: ImageSet, groups: pd.DataFrame) -> pd.DataFrame:
    path = image_set.table().set_index("id")["path"]
    return pd.DataFrame(
        {
            "Pictures": groups["size"],
            "Kind": np.where(groups["kind"] == "exact", "exact copies", "near copies"),
            "Kept": groups["left"],
            "First of them": groups["path"],
            "Lowest similarity": groups["cosine"].round(3),
            "Least similar pair": path.loc[groups["first"]].to_numpy() + " · " + path.loc[groups["second"]].to_numpy(),
        }
    )


def _show_group(image_set: ImageSet, group: int, measure: str) -> None:
    table = with_percentile(image_set.table(), measure)
    rows = table[table["twin_group"] == group]
    first = "" if len(rows) <= MOST_SHOWN else f"the first {MOST_SHOWN:,} of "
    st.markdown(f"**The pictures of this group** · {first}{len(rows):,}")
    show_gallery(
        tiles(rows.head(MOST_SHOWN), set_id=image_set.set_id, measure=measure),
        key=TWINS.of(image_set.set_id),
        empty="This group has no pictures left.",
        columns=6,
        handle=partial(handle_gallery_actions, image_set),
    )
