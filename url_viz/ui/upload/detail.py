"""The dialog of one upload: the picture, its values, and its nearest neighbours in the image set."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.ranking import with_percentile
from url_viz.analysis.uploads import nearest_in
from url_viz.image_set import ImageSet
from url_viz.imaging.workers import decoders
from url_viz.ui.cache import reference
from url_viz.ui.text import errors_shown
from url_viz.ui.upload.batch import UploadBatch
from url_viz.ui.upload.page import data_url
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.tiles import MEASURES, ordinal, tiles

LONG_SIDE_PX = 1000
NEIGHBOURS = 6


@st.dialog("Upload", width="large")
def show_upload(
    batch: UploadBatch, table: pd.DataFrame, number: int, image_set: ImageSet | None, *, measure: str
) -> None:
    """The upload in row `number` of the table."""
    row = table.iloc[number]
    left, right = st.columns([3, 2], gap="medium")
    with left, errors_shown(st.error):
        shown = decoders.shown(batch.files[number].read(), most_px=LONG_SIDE_PX, quality=88)
        shape = f"aspect-ratio: {int(row['width'])} / {int(row['height'])}"
        st.html(f'<img class="url-viz-picture" src="{data_url(shown)}" style="{shape}" alt="The picture">')
    with right:
        st.markdown("**File**")
        st.code(str(row["path"]), language=None, wrap_lines=True)
        st.dataframe(_facts(row), hide_index=True, width="stretch")
    if image_set is not None:
        st.markdown("**Nearest in the image set**")
        _show_nearest(batch, number, image_set, measure=measure)


def _show_nearest(batch: UploadBatch, number: int, image_set: ImageSet, *, measure: str) -> None:
    beside = reference(image_set)
    position, similarity = nearest_in(batch.scored[number].embedding[None], beside.embedding, k=NEIGHBOURS)
    ids = beside.ids[position[0][position[0] >= 0]]
    rows = with_percentile(image_set.table(), measure).set_index("id", drop=False).loc[ids]
    shown = tiles(rows, set_id=image_set.set_id, measure=measure, ringed_id=None)
    show_gallery(shown, key="upload.nearest", empty="No pictures.", columns=NEIGHBOURS)
    st.caption(f"Cosine of the nearest one: {similarity[0, 0]:.3f}.")


def _facts(row: "pd.Series[Any]") -> pd.DataFrame:
    facts = [("Size", f"{row['width']} × {row['height']} px")]
    for measure, title in MEASURES.items():
        value, rank = float(str(row[measure])), float(str(row[f"{measure}_percentile"]))
        if np.isfinite(value):
            facts.append((title, f"{value:.4g}" + (f" · {ordinal(rank)} percentile" if np.isfinite(rank) else "")))
    return pd.DataFrame(facts, columns=["Fact", "Value"])
