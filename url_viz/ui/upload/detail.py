"""The dialog of one upload: the picture, its values, its twin and similar pictures in the image set."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.measures import measure_title
from url_viz.analysis.outside.new_pictures import nearest_without_twins
from url_viz.analysis.outside.uploads import COPY, MEASURED, NewPicture, arrays_of
from url_viz.drawing.tiles import tiles_by_similarity, value_with_percentile
from url_viz.export.inline_pictures import data_url
from url_viz.image_set import ImageSet
from url_viz.imaging.workers import decoders
from url_viz.ui.session import DIALOG
from url_viz.ui.text import errors_shown, escape
from url_viz.ui.upload.batch import UploadBatch
from url_viz.ui.upload.page import UPLOAD_OPENED, in_set
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.wording import MISSING, percent

LONG_SIDE_PX = 1200
NEIGHBOURS = 6


def show_opened_upload(batch: UploadBatch, table: pd.DataFrame, image_set: ImageSet | None) -> None:
    """The dialog, if an upload is open; call it last."""
    number = UPLOAD_OPENED.get()
    if DIALOG.get() == "upload" and number is not None and number < len(table):
        show_upload(batch, table, number, image_set)


@st.dialog("Upload", width="large", on_dismiss=DIALOG.clear)
def show_upload(batch: UploadBatch, table: pd.DataFrame, number: int, image_set: ImageSet | None) -> None:
    """The upload in row `number` of the table."""
    row = table.iloc[number]
    left, right = st.columns([3, 2], gap="medium")
    with left, errors_shown(st.error):
        data = batch.files[number].read()
        shown = decoders.shown(data, most_px=LONG_SIDE_PX, quality=85, rendering=batch.rendering)
        shape = f"aspect-ratio: {int(row['width'])} / {int(row['height'])}"
        st.html(f'<img class="url-viz-picture" src="{data_url(shown)}" style="{shape}" alt="The picture">')
    with right:
        st.subheader("File", anchor=False)
        st.code(str(row["path"]), language=None, wrap_lines=True)
        st.dataframe(facts_of_upload(row), hide_index=True, width="stretch", alt="Facts of the picture")
    if image_set is not None:
        _show_twin(batch, row, number, image_set)
        st.subheader("Similar pictures in the set", anchor=False)
        _show_nearest(batch, number, image_set)


def _show_twin(batch: UploadBatch, row: "pd.Series[Any]", number: int, image_set: ImageSet) -> None:
    twin = int(row["twin_of"])
    if twin < 0:
        return
    is_exact, is_copy = number in in_set(batch, image_set), row["twin_kind"] == COPY
    what = "This exact file" if is_exact else "A copy" if is_copy else "Another view of this"
    st.info(
        escape(f"{what} is in the image set already: {image_set.row(twin)['path']}"), icon=":material/content_copy:"
    )


def _show_nearest(batch: UploadBatch, number: int, image_set: ImageSet) -> None:
    near = similar_pictures(batch.scored[number], image_set)
    rows = image_set.table().set_index("id", drop=False).loc[near["id"]]
    shown = tiles_by_similarity(rows.assign(similarity=near["similarity"].to_numpy()), set_id=image_set.set_id)
    show_gallery(shown, key="upload.nearest", empty="No pictures.", columns=NEIGHBOURS)
    st.caption("The nearest ones; copies and other views of this picture are left out.")


def similar_pictures(upload: NewPicture, image_set: ImageSet, *, of_class: str | None = None) -> pd.DataFrame:
    """The pictures (id, similarity) of the set that are nearest to an upload and no twins of it, nearest first.

    With `of_class`, those of this class.
    """
    reference = image_set.core.reference()
    if of_class is not None:
        is_of_class = (reference.table["label"] == of_class).to_numpy(dtype=bool)
        reference = replace(reference, counts=reference.counts & is_of_class)
    nearest, _ = nearest_without_twins(arrays_of([upload]), reference, k=NEIGHBOURS)
    position = nearest.position[0]
    is_there = position >= 0
    return pd.DataFrame({"id": reference.ids[position[is_there]], "similarity": nearest.similarity[0][is_there]})


def facts_of_upload(row: "pd.Series[Any]") -> pd.DataFrame:
    """What is known of an upload, one row a fact: Fact, Value."""
    facts = [("Size", f"{row['width']} × {row['height']} px")]
    if isinstance(row["first_class"], str):
        shares = (percent(float(row[f"{nth}_share"])) for nth in ("first", "second"))
        names = (row["first_class"], row["second_class"])
        named = [name if share == MISSING else f"{name} · {share}" for name, share in zip(names, shares, strict=True)]
        facts += zip(("Likeliest class", "Second class"), named, strict=True)
    for measure in MEASURED:
        value, rank = float(str(row[measure])), float(str(row[f"{measure}_percentile"]))
        if np.isfinite(value):
            facts.append((measure_title(measure), value_with_percentile(value, rank)))
    return pd.DataFrame(facts, columns=["Fact", "Value"])
