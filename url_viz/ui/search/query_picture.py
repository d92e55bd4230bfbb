"""The search query: a picture of the image set or an uploaded one, with its values."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.analysis.labels.ambiguity import between
from url_viz.analysis.outside.uploads import MEASURED, NewPicture, judge_pictures
from url_viz.analysis.ranking import percentile_of_each, with_percentile
from url_viz.analysis.scope import id_in
from url_viz.drawing.tiles import tiles
from url_viz.drawing.urls import picture_url, whole_url
from url_viz.errors import UrlVizError
from url_viz.export.inline_pictures import data_url
from url_viz.image_set import ImageSet
from url_viz.imaging.places import Place
from url_viz.imaging.uploaded_files import IncomingFile, RefusedFile
from url_viz.imaging.workers import decoders
from url_viz.ui.session import Key, component_state
from url_viz.ui.text import escape, show_error
from url_viz.ui.upload.batch import score_for_all, shown_name
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.part import drawn_box, show_part, show_paste
from url_viz.wording import decimal

QUERY_ID: Key[int] = Key("search.query_id")
QUERY_FILE: "Key[UploadedFile | None]" = Key("search.file")
QUERY_DROP: "Key[UploadedFile | None]" = Key("search.drop")
QUERY_SCORED: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]" = Key("search.scored")
PART: Key[MutableMapping[str, object]] = Key("search.part")
"""The part that was drawn on a picture searched with, by the set's id and the picture's, or the upload's."""
PART_SCORED: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]" = Key("search.part.scored")

_ID_IN_ADDRESS = "id"


@dataclass(frozen=True)
class Query:
    """A picture to search with: one of the set (`image_id`), or an uploaded one or a part (`picture`).

    `address` is the URL of the picture that a part can be drawn on, `key` that of the drawing, empty where none can be;
    of an object it is the whole picture. `values` and `percentiles` are by measure of the image set, within it;
    `between` says which two classes it lies between, with their shares, None if that is not known. Where nothing in the
    set is like it (`is_unlike`), it has neither.
    """

    name: str
    address: str
    width: int
    height: int
    values: Mapping[str, float]
    percentiles: Mapping[str, float]
    between: str | None = None
    is_unlike: bool = False
    image_id: int | None = None
    picture: NewPicture | None = None
    key: str = ""


def query_for(image_set: ImageSet) -> Query | None:
    """The query in the session or the address; None if there is none, or its picture is not in the set."""
    file = QUERY_FILE.get()
    if file is not None and not image_set.source.is_external:
        query = _from_outside(file, image_set)
        return None if query is None else _part_of(query, file.getvalue, image_set)
    image_id = QUERY_ID.get() if QUERY_ID.is_set else _in_address()
    if image_id is None:
        return None
    if not (image_set.table()["id"] == image_id).any():
        st.info("The picture to search with is not in this image set. Choose another one.", icon=":material/info:")
        return None
    st.query_params[_ID_IN_ADDRESS] = str(image_id)
    return _part_of(_of_set(int(image_id), image_set), lambda: image_set.files.whole(int(image_id)), image_set)


def search_with(image_id: int) -> None:
    """Search with a picture of the set from now on."""
    QUERY_ID.set(image_id)
    QUERY_FILE.clear()


def show_query(query: Query) -> None:
    """The query's picture, on which a part can be drawn, and name."""
    if query.key:
        show_part(query.address, (query.width, query.height), key=query.key)
    else:
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
    plain = tiles(shown, set_id=image_set.set_id, measure=measure, ringed_id=QUERY_ID.get())
    show_gallery(
        tuple(replace(tile, value="") for tile in plain),
        key="search.matches",
        empty="No path or class matches.",
        columns=columns,
        on_click=search_with,
    )
    if len(rows) > len(shown):
        st.caption(f"{len(shown):,} of {len(rows):,} {escape(image_set.noun)}s, sampled evenly from the set.")


def _pick_outside() -> None:
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
    number = image_set.core.row_of(image_id)
    table, measures = image_set.table(), image_set.measures()
    width, height = int(row["width"]), int(row["height"])
    with suppress(UrlVizError):  # of a file that is gone, which its address says too
        width, height = (width, height) if (whole := image_set.objects.whole(image_id)) is None else whole.size
    return Query(
        name=str(row["path"]),
        address=whole_url(image_set, image_id) or picture_url(image_set, image_id),
        width=width,
        height=height,
        key="" if image_set.source.is_external else PART.under(image_set.set_id, image_id),
        values={measure: float(row[measure]) for measure in measures},
        percentiles={measure: float(percentile_of_each(table, measure)[number]) for measure in measures},
        between=between_shares(row, is_told=image_set.labels.are_shares_told()),
        image_id=image_id,
    )


def _from_outside(file: UploadedFile, image_set: ImageSet) -> Query | None:
    incoming = IncomingFile(shown_name(file.name), file.getvalue())
    outcome = _scored(QUERY_SCORED, (file.file_id,), lambda: incoming, image_set)
    if isinstance(outcome, RefusedFile):
        st.error(f"The picture {escape(outcome.reason)}. Choose another one.", icon=":material/broken_image:")
        return None
    return Query(
        name=outcome.name,
        address=data_url(outcome.thumbnail),
        width=outcome.width,
        height=outcome.height,
        key=PART.under(file.file_id),
        **_values(outcome, image_set),
    )


def _values(outcome: NewPicture, image_set: ImageSet) -> dict[str, Any]:
    """What a query has that is no picture of the set."""
    row = {str(name): value for name, value in judge_pictures([outcome], image_set.core.reference()).iloc[0].items()}
    measures = [measure for measure in image_set.measures() if measure in MEASURED]
    return {
        "values": {measure: float(row[measure]) for measure in measures},
        "percentiles": {measure: float(row[f"{measure}_percentile"]) for measure in measures},
        "between": between_shares(row),
        "is_unlike": bool(row["is_unlike"]),
        "image_id": None,
        "picture": outcome,
    }


def _part_of(query: Query, data: Callable[[], bytes], image_set: ImageSet) -> Query:
    """The query by the part that was drawn on its picture, whose file is `data`; itself where none was drawn."""
    box = drawn_box(component_state(query.key)) if query.key else None
    if box is None:
        return query
    left, top, width, height = box
    pixels = left * query.width, top * query.height, width * query.width, height * query.height
    name = f"{query.name}, {width * query.width:.0f} × {height * query.height:.0f} px of it"
    try:
        outcome = _scored(
            PART_SCORED,
            (query.key, box),
            lambda: IncomingFile(name, decoders.cut(data(), Place(b"", "", pixels), rendering=image_set.rendering)),
            image_set,
        )
    except UrlVizError as error:
        show_error(error)
        return query
    if isinstance(outcome, RefusedFile):
        st.error(f"This part {escape(outcome.reason)}. Draw another one.", icon=":material/broken_image:")
        return query
    return replace(query, name=name, **_values(outcome, image_set))


def between_shares(row: Mapping[str, Any], *, is_told: bool = True) -> str | None:
    """A row's two likeliest classes, "between cucumber (.48) and banana (.31)"; None if they are not known."""
    if not isinstance(row["first_class"], str) or not isinstance(row["second_class"], str):
        return None
    if not is_told or pd.isna(row["first_share"]):
        return between(row["first_class"], row["second_class"])
    first, second = (f"{row[f'{which}_class']} ({decimal(row[f'{which}_share'])})" for which in ("first", "second"))
    return between(first, second)


def _scored(
    slot: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]",
    inputs: tuple[object, ...],
    incoming: Callable[[], IncomingFile],
    image_set: ImageSet,
) -> NewPicture | RefusedFile:
    """The outcome of scoring a picture, cached in a slot for the same picture (`inputs`) and model."""
    second = image_set.second.name
    key = (*inputs, image_set.space.key, image_set.head.digest if image_set.head else None, second)

    def score() -> NewPicture | RefusedFile:
        with st.spinner("Reading the picture"):
            [outcome] = score_for_all([incoming()], image_set.source.name, image_set.space, second=second)
        return outcome

    return slot.get_for(key, score)


def _store_file() -> None:
    QUERY_FILE.set(QUERY_DROP.get())
    st.query_params.pop(_ID_IN_ADDRESS, None)


def _in_address() -> int | None:
    return id_in(st.query_params.get(_ID_IN_ADDRESS, ""))
