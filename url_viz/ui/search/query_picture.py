"""The search query: a picture of the image set or an uploaded one, with its values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from streamlit.typing import UploadedFile

from url_viz.analysis.between import between
from url_viz.analysis.ranking import percentile_of_each, with_percentile
from url_viz.analysis.scope import id_in
from url_viz.analysis.uploads import MEASURED, ScoredUpload, rank
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile, RefusedFile
from url_viz.ui.session import QUERY_DROP, QUERY_FILE, QUERY_ID, QUERY_SCORED
from url_viz.ui.text import escape
from url_viz.ui.tile_data import tiles
from url_viz.ui.upload.batch import score_for_all, shown_name
from url_viz.ui.upload.page import data_url
from url_viz.ui.urls import picture_url
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.paste import show_paste
from url_viz.wording import decimal

_ID_IN_ADDRESS = "id"


@dataclass(frozen=True)
class Query:
    """A picture to search with: one of the set (`image_id`), or an uploaded one (`embedding`, (D,)).

    `address` is its URL; `values` and `percentiles` are by measure of the image set, within it; `between` says which
    two classes it lies between, with their shares, None if that is not known.
    """

    name: str
    address: str
    width: int
    height: int
    values: Mapping[str, float]
    percentiles: Mapping[str, float]
    between: str | None = None
    image_id: int | None = None
    embedding: NDArray[np.float16] | None = None


def query_of(image_set: ImageSet) -> Query | None:
    """The query in the session or the address; None if there is none, or its picture is not in the set."""
    file = QUERY_FILE.get()
    if file is not None and not image_set.source.is_external:
        return _from_outside(file, image_set)
    image_id = QUERY_ID.get() if QUERY_ID.is_set else _in_address()
    if image_id is None:
        return None
    if not (image_set.table()["id"] == image_id).any():
        st.info("The picture to search with is not in this image set. Choose another one.", icon=":material/info:")
        return None
    st.query_params[_ID_IN_ADDRESS] = str(image_id)
    return _of_set(int(image_id), image_set)


def search_with(image_id: int) -> None:
    """Search with a picture of the set from now on."""
    QUERY_ID.set(image_id)
    QUERY_FILE.clear()


def show_query(query: Query) -> None:
    """The query's picture and name."""
    shape = f"aspect-ratio: {query.width} / {query.height}"
    st.html(f'<img class="url-viz-picture" src="{query.address}" style="{shape}" alt="The picture searched with">')
    st.code(query.name, language=None, wrap_lines=True)


def pick_query(image_set: ImageSet, *, measure: str, columns: int) -> None:
    """Pick a query: by file, clipboard, or a path in the set, with two rows of `columns` pictures."""
    if image_set.source.is_external:
        st.caption("These embeddings were imported, so a new picture cannot be embedded. Search with one of the set.")
    else:
        _pick_outside()
    typed = st.text_input(
        "Find one in the set" if image_set.source.is_external else "Or find one in the set",
        placeholder="part of a path or class",
        key="search.filter",
        icon=":material/search:",
    )
    rows = matches(with_percentile(image_set.table(), measure), typed)
    shown = evenly_sampled(rows, 2 * columns)
    clicked = show_gallery(
        tiles(shown, set_id=image_set.set_id, measure=measure, ringed_id=QUERY_ID.get()),
        key="search.matches",
        empty="No path or class matches.",
        columns=columns,
    ).clicked_id
    if len(rows) > len(shown):
        st.caption(f"{len(shown):,} of {len(rows):,} pictures, sampled evenly from the set.")
    if clicked is not None:
        search_with(clicked)
        st.rerun()


def _pick_outside() -> None:
    """A file, or a picture from the clipboard."""
    st.file_uploader(
        "Another picture",
        key=QUERY_DROP,
        on_change=_store_file,
        label_visibility="collapsed",
        accept_multiple_files=False,
    )
    show_paste(key="search.paste")


def evenly_sampled(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` rows, evenly spaced over the table, so that all folders are represented."""
    positions = np.unique(np.linspace(0, max(0, len(rows) - 1), count).round().astype(int))
    return rows.iloc[positions[: len(rows)]]


def matches(table: pd.DataFrame, typed: str) -> pd.DataFrame:
    """The rows whose path or class contains each typed word, ignoring case; all rows if nothing was typed."""
    if not typed.split():
        return table
    text = (table["path"] + " " + table["label"].fillna("").astype(str)).str.casefold()
    is_match = np.ones(len(table), bool)
    for word in typed.casefold().split():
        is_match &= text.str.contains(word, regex=False).to_numpy(dtype=bool)
    return table[is_match]


def _of_set(image_id: int, image_set: ImageSet) -> Query:
    row = image_set.row(image_id)
    number = image_set.row_of(image_id)
    table, measures = image_set.table(), image_set.measures()
    return Query(
        name=str(row["path"]),
        address=picture_url(image_set, image_id),
        width=int(row["width"]),
        height=int(row["height"]),
        values={measure: float(row[measure]) for measure in measures},
        percentiles={measure: float(percentile_of_each(table, measure)[number]) for measure in measures},
        between=between_shares(row),
        image_id=image_id,
    )


def _from_outside(file: UploadedFile, image_set: ImageSet) -> Query | None:
    outcome = _scored(file, image_set)
    if isinstance(outcome, RefusedFile):
        st.error(f"The picture {escape(outcome.reason)}. Choose another one.", icon=":material/broken_image:")
        return None
    row = {str(name): value for name, value in rank([outcome], image_set.reference()).iloc[0].items()}
    measures = [measure for measure in image_set.measures() if measure in MEASURED]
    return Query(
        name=outcome.name,
        address=data_url(outcome.thumbnail),
        width=outcome.width,
        height=outcome.height,
        values={measure: float(row[measure]) for measure in measures},
        percentiles={measure: float(row[f"{measure}_percentile"]) for measure in measures},
        between=between_shares(row),
        embedding=outcome.embedding,
    )


def between_shares(row: Mapping[str, Any]) -> str | None:
    """A row's two likeliest classes, "between cucumber (.48) and banana (.31)"; None if they are not known."""
    if not isinstance(row["first_class"], str) or not isinstance(row["second_class"], str):
        return None
    first, second = (f"{row[f'{which}_class']} ({decimal(row[f'{which}_share'])})" for which in ("first", "second"))
    return between(first, second)


def _scored(file: UploadedFile, image_set: ImageSet) -> ScoredUpload | RefusedFile:
    """The outcome of scoring a file, cached for the same file and model."""
    second = image_set.second.name
    key = (file.file_id, image_set.space.key, image_set.head.digest if image_set.head else None, second)

    def score() -> ScoredUpload | RefusedFile:
        incoming = IncomingFile(shown_name(file.name), file.getvalue())
        with st.spinner("Reading the picture"):
            [outcome] = score_for_all([incoming], image_set.source.name, image_set.space.precision, second=second)
        return outcome

    return QUERY_SCORED.get_for(key, score)


def _store_file() -> None:
    QUERY_FILE.set(QUERY_DROP.get())
    st.query_params.pop(_ID_IN_ADDRESS, None)


def _in_address() -> int | None:
    return id_in(st.query_params.get(_ID_IN_ADDRESS, ""))
