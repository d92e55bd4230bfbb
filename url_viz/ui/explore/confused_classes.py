"""Classes that are confused on the Explore page: the list of pairs, and the pictures between two of them."""

from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from url_viz.analysis.between import between_classes
from url_viz.analysis.measures import AMBIGUITY
from url_viz.analysis.ranking import with_percentile
from url_viz.image_set import ImageSet
from url_viz.ui.session import GALLERY, OPENED, VIEW, view
from url_viz.ui.text import Markdown, escape
from url_viz.ui.tile_data import tiles
from url_viz.ui.widgets.decide import handle_gallery_event
from url_viz.ui.widgets.gallery import show_gallery

MOST_PAIRS = 12
MOST_SHOWN = 24


def show_pairs(image_set: ImageSet, table: pd.DataFrame) -> None:
    """The pairs of classes that are most often taken for each other, each a button; nothing without classes."""
    confused = image_set.labels.confused()
    if confused is None or confused.empty:
        return
    pairs = confused.head(MOST_PAIRS)
    first = f"the first {len(pairs):d}" if len(pairs) == MOST_PAIRS else f"{len(pairs):d}"
    with st.expander(f"Most confused classes · {escape(first)}", icon=":material/compare_arrows:"):
        st.caption("How many pictures of one class look more like the other, judged without their own label.")
        with st.container(horizontal=True, gap="small"):
            for number, row in enumerate(pairs.itertuples()):
                words = f"{row.class_a} or {row.class_b}? · {row.pictures:,}"
                args = (str(row.class_a), str(row.class_b))
                st.button(escape(words), key=f"pair.{number}", on_click=_show_pair, args=args)


def show_between(image_set: ImageSet, table: pd.DataFrame, pair: tuple[str, str]) -> int | None:
    """Pictures from the clear ones of one class to the clear ones of the other; return the id that was clicked."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(Markdown(f"**{escape(pair[0])} or {escape(pair[1])}?**"), width="content")
        st.button("Back to all", icon=":material/close:", type="tertiary", key="pair.close", on_click=_show_pair)
    st.caption(
        f"From clear pictures of {escape(repr(pair[0]))} through the most ambiguous in between to clear ones of "
        f"{escape(repr(pair[1]))}."
    )
    rows = between_classes(with_percentile(table, AMBIGUITY.name), *pair, most=MOST_SHOWN)
    event = show_gallery(
        tiles(rows, set_id=image_set.set_id, measure=AMBIGUITY.name, ringed_id=OPENED.get()),
        key=GALLERY.of(image_set.set_id, "between"),
        empty="No pictures lie between these two classes.",
        columns=4,
        handle=partial(handle_gallery_event, image_set),
    )
    return event.clicked_id


def _show_pair(*pair: str) -> None:
    VIEW.set(replace(view(), pair=(pair[0], pair[1]) if pair else None))
