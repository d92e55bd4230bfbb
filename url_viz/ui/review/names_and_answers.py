"""Names and answers on the Review page: what names suggest, how answers change the order, and answers as a file."""

from functools import partial

import pandas as pd
import streamlit as st

from url_viz.analysis.naming import SUGGESTED_FROM, can_order
from url_viz.analysis.scope import ReviewSpec
from url_viz.analysis.tuned import change_in_words, moved_share
from url_viz.export.answers_file import answers_table, import_answers
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.store.imported_columns import NAMES as BY_NAMES
from url_viz.ui.auth import user_name
from url_viz.ui.review.review_address import choose_review
from url_viz.ui.text import escape, with_toast
from url_viz.ui.tile_data import Tile, tile_of
from url_viz.ui.widgets.download import download_table
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.wording import percent

SHOWN = 24


def show_names(image_set: ImageSet) -> None:
    """How many pictures are named, what the names suggest, and the order by them; nothing before the first name."""
    names = image_set.cached_of_table(_names_in)
    if names.isna().all():
        return
    with st.expander("Your names", icon=":material/sell:", expanded=True):
        st.caption(f"{names.notna().sum():,} of {len(names):,} pictures have one of {names.nunique():,} names.")
        if not can_order(names):
            st.caption("Once two names have three pictures each, pictures can be ordered by ambiguity between them.")
        elif image_set.labels.chosen != BY_NAMES:
            st.button(
                "Order by ambiguity between your names",
                icon=":material/swap_vert:",
                key="review.names.order",
                on_click=with_toast(partial(_order_by_names, image_set)),
                help="Makes the names the labels. You can switch back under the classes on Explore.",
            )
        _show_suggestions(image_set, names)


def _names_in(table: pd.DataFrame) -> "pd.Series[str]":
    return table["name"]


def _order_by_names(image_set: ImageSet) -> str:
    image_set.labels.use(BY_NAMES)
    return "Your names are the labels now, and Explore orders pictures by ambiguity between them."


def _show_suggestions(image_set: ImageSet, names: "pd.Series[str]") -> None:
    suggestions = image_set.names.suggestions()
    if suggestions.empty:
        st.caption("A second name brings suggestions." if names.nunique() < 2 else "Every picture has a name.")
        return
    least = st.slider(
        "Suggestions at least this likely to be right",
        0.5,
        1.0,
        SUGGESTED_FROM,
        0.01,
        format="percent",
        key="review.names.share",
        width=360,
    )
    rows = suggestions[suggestions["share"] >= least]
    mistakes = round(float((1 - rows["share"]).sum()))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            f"Accept {len(rows):,} suggestions",
            type="primary",
            key="review.names.accept",
            disabled=rows.empty,
            on_click=with_toast(lambda: image_set.names.accept(rows["id"].tolist(), who=user_name()).sentence),
        )
        st.button("One at a time", key="review.names.each", on_click=choose_review, args=(ReviewSpec("names"),))
        st.caption(
            f"of {len(suggestions):,} pictures without a name. About {mistakes:,} of the accepted names are wrong; "
            "the least certain are below. One undo reverts all of it."
        )
    st.caption("Accepted names come from a picture's neighbours, so figures measured on them are too good.")
    least_certain = rows.iloc[::-1].head(SHOWN)
    show_gallery(
        _tiles(least_certain, image_set.set_id), key="review.names.tiles", empty="No suggestion is that certain."
    )


def _tiles(rows: pd.DataFrame, set_id: str) -> tuple[Tile, ...]:
    return tuple(
        tile_of(row, set_id=set_id, value=percent(row["share"]), label=str(row["name"]))
        for row in rows.to_dict("records")
    )


def show_answers(image_set: ImageSet) -> None:
    """How many there are and what they have changed, with download and import; folded before the first."""
    table = answers_table(image_set)
    with st.expander("Your answers on pairs", icon=":material/join_inner:", expanded=not table.empty):
        answers, moved = image_set.answers, image_set.cached_of_table(moved_share)
        said = change_in_words(answers.log.now(), answers.tuned(), moved=moved)
        st.caption(escape(said))
        download_table("Download the answers", table, file_name="answers.csv", key="review.answers", is_quiet=False)
        file = st.file_uploader(
            "Upload answers from another machine, or filled in by hand", type="csv", key="review.answers.file"
        )
        if file is not None:
            brought = IncomingFile(file.name, file.getvalue())
            taking = with_toast(lambda: import_answers(image_set, brought, who=user_name()).words)
            st.button("Import these answers", key="review.answers.import", on_click=taking)
