"""Part of the Your model page for a set of objects: a detector's predictions, and what came of them."""

from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.analysis.runs.detections import DETECTED, LEAST_SCORE
from url_viz.analysis.scope import ReviewSpec
from url_viz.errors import FolderError
from url_viz.export.table_files import table_bytes
from url_viz.image_set import ImageSet
from url_viz.ui.allowed_paths import allowed, may_read
from url_viz.ui.review.review_address import go_to_review
from url_viz.ui.session import Key
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.download import download
from url_viz.wording import counted

INVENTED: Key[pd.DataFrame] = Key("view.detector.invented")
"""The predictions of no object, of the last match."""


def show_predictions(image_set: ImageSet) -> None:
    """Of a set of objects: a detector's predictions, from a path or a file, and what came of those that are here."""
    st.header("Add your detector's predictions", anchor=False)
    st.caption(
        "COCO results (results.json), or the folder of YOLO labels with confidences that a detector writes "
        "(runs/detect/predict). Each takes the object that it overlaps most: what it missed, invented or calls "
        "something else becomes columns and reviews. Ultralytics' label scores (image_metrics as JSON) are columns of "
        "pictures: *Add columns* on Explore."
    )
    typed = st.text_input("Results file or folder", key="detector.path", placeholder="/home/me/runs/detect/predict")
    dropped = st.file_uploader("Or drop COCO results", type=["json"], key="detector.file")
    with st.expander("Options"):
        names = st.text_input("Names of its classes, if they differ: a data.yaml or text file", key="detector.names")
        least = st.slider("Scores below do not count", 0.0, 1.0, LEAST_SCORE, key="detector.least")
    match = partial(_match, image_set, typed.strip(), dropped, names.strip(), least)
    is_given = bool(typed.strip()) or dropped is not None
    act_button("Match", match, type="primary", key="detector.match", icon=":material/check:", disabled=not is_given)
    for kind, words in {"other-class": "that it calls something else", "missed": "that it missed"}.items():
        if count := _waiting(image_set, kind):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(escape(f"{counted(count, 'object')} {words}"), width="content")
                st.button(
                    "Review",
                    icon=":material/rate_review:",
                    key=f"detector.{kind}",
                    on_click=go_to_review,
                    args=(ReviewSpec(kind),),
                )
    _show_invented(image_set)


def _waiting(image_set: ImageSet, kind: str) -> int:
    """How many objects a review of predictions has; 0 before there are any."""
    return len(image_set.reviews.open(kind).ids) if DETECTED in image_set.table() else 0


def _match(image_set: ImageSet, typed: str, dropped: Any, names: str, least_score: float) -> str:
    if typed and dropped is not None:
        raise FolderError(f"Give a path or a file, not both: {typed!r} and {dropped.name!r}.")
    named = allowed(Path(names)) if names else None
    objects = partial(image_set.objects.predictions, names=named, least_score=least_score)
    with st.spinner("Matching predictions to objects"), TemporaryDirectory() as temporary:
        if dropped is None:
            brought = objects(allowed(Path(typed)), within=may_read())
        else:
            path = Path(temporary, PurePath(dropped.name).name)
            path.write_bytes(dropped.getvalue())
            brought = objects(path)
    INVENTED.set(brought.detections.invented)
    return " ".join(brought.words).replace("(--names)", "(under Options)")


def _show_invented(image_set: ImageSet) -> None:
    """The predictions of no object, of the last match, to look at and to take away."""
    invented = INVENTED.get()
    if invented is None or invented.empty:
        return
    with st.expander(f"{escape(counted(len(invented), 'prediction'))} of no object", icon=":material/add_box:"):
        st.caption("Invented, or of objects without a label. The surest first; boxes in pixels of the upright picture.")
        st.dataframe(invented, hide_index=True, width="stretch", alt="Predictions of no object")
        make = partial(table_bytes, invented, ".csv")
        download("CSV", make, file_name=f"{image_set.root.name}-invented.csv", key="detector.invented")
