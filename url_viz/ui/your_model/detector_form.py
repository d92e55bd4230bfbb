"""Part of the Your model page for a set of objects: a detector's predictions, and what came of them."""

from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.analysis.review.queues import listed_queue
from url_viz.analysis.runs.detections import DETECTED, LEAST_SCORE
from url_viz.errors import FolderError, NotAllowedError, UrlVizError
from url_viz.export.inline_pictures import data_url, with_boxes
from url_viz.export.table_files import table_bytes
from url_viz.image_set import ImageSet
from url_viz.roots import root_of
from url_viz.store.allowed_folders import refuse_to_allow
from url_viz.store.columns.object_columns import PICTURE
from url_viz.ui.allowed_paths import allowed, may_allow, may_read
from url_viz.ui.review.review_address import go_to_review
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.box_legend import in_words, legend_of_invented
from url_viz.ui.widgets.buttons import Warned, act_button
from url_viz.ui.widgets.download import download
from url_viz.ui.widgets.heat_map import whole_html
from url_viz.ui.widgets.open_folder import offer_to_allow
from url_viz.wording import counted

INVENTED: Key[pd.DataFrame] = Key("view.detector.invented")
"""The predictions of no object, of the last match."""
INVENTED_AT: Key[int] = Key("view.detector.invented_at")
"""Which of them is shown on its picture."""
INVENTED_TABLE: Key[Any] = Key("view.detector.invented_table")
"""The table of them, and its selected row."""
PICTURE_PX = 1000


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
    _offer_if_outside(typed.strip(), key="detector")
    with st.expander("Options"):
        names = st.text_input(
            "Names of its classes, if they differ: a data.yaml, COCO or text file", key="detector.names"
        )
        if names.strip():
            _offer_if_outside(names.strip(), key="detector.names")
        least = st.slider("Scores below do not count", 0.0, 1.0, LEAST_SCORE, key="detector.least")
    match = partial(_match, image_set, typed.strip(), dropped, names.strip(), least)
    is_given = bool(typed.strip()) or dropped is not None
    act_button("Match", match, type="primary", key="detector.match", icon=":material/check:", disabled=not is_given)
    if DETECTED in image_set.table():
        for kind, words in {"other-class": "that it calls something else", "missed": "that it missed"}.items():
            _show_queue(image_set, kind, words)
    _show_invented(image_set)


def _show_queue(image_set: ImageSet, kind: str, words: str) -> None:
    """How many objects a review of predictions has, of which so many are answered; its button opens what is left."""
    queue = listed_queue(image_set.reviews.open(kind))
    if not queue.total:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        counts = f" ({queue.words})" if queue.words else ""
        st.markdown(escape(f"{counted(queue.total, 'object')} {words}{counts}"), width="content")
        if left := queue.left or queue.skipped or queue.copies:
            st.button(
                escape(f"Continue: {left:,}" if queue.left and queue.answered else f"Review {left:,}"),
                icon=":material/rate_review:",
                key=f"detector.{kind}",
                on_click=go_to_review,
                args=(queue.opens,),
            )


def _offer_if_outside(typed: str, *, key: str) -> None:
    """Ask once for the folder of a file that the app does not read by itself, where it may be allowed."""
    with suppress(FolderError):  # which Match says
        try:
            allowed(Path(typed))
        except NotAllowedError:
            if may_allow():
                offer_to_allow(Path(typed), key=key)


def _match(image_set: ImageSet, typed: str, dropped: Any, names: str, least_score: float) -> str:
    if typed and dropped is not None:
        raise FolderError(f"Give a path or a file, not both: {typed!r} and {dropped.name!r}.")
    named = _allowed(names) if names else None
    objects = partial(image_set.objects.predictions, names=named, least_score=least_score)
    try:
        with st.spinner("Matching predictions to objects"), TemporaryDirectory() as temporary:
            if dropped is None:
                brought = objects(_allowed(typed), within=may_read())
            else:
                path = Path(temporary, PurePath(dropped.name).name)
                path.write_bytes(dropped.getvalue())
                brought = objects(path)
    except FolderError as error:
        raise FolderError(_for_the_page(str(error))) from error
    INVENTED.set(brought.detections.invented)
    INVENTED_AT.clear()
    words = _for_the_page(" ".join(brought.words))
    return Warned(words) if brought.detections.is_mixed_up else words


def _allowed(typed: str) -> Path:
    """A path that may be read. Raises FolderError, with the way to allow it where the page offers that."""
    try:
        return allowed(Path(typed))
    except NotAllowedError as error:
        if not may_allow():
            raise
        refuse_to_allow(root_of(typed))
        raise NotAllowedError(
            f"{typed!r} is outside the folders that this app reads. Allow it above, then click “Match”."
        ) from error


def _for_the_page(words: str) -> str:
    """What the command line calls by its option, as it is found here."""
    return words.replace("(--names)", "(under Options)")


def _show_invented(image_set: ImageSet) -> None:
    """The predictions of no object, of the last match, each on its picture, as a table, and to take away."""
    invented = INVENTED.get()
    if invented is None and DETECTED in image_set.table():
        st.caption(Markdown("Predictions of no object are listed here after *Match*."))
    if invented is None or invented.empty:
        return
    with st.expander(f"{escape(counted(len(invented), 'prediction'))} of no object", icon=":material/add_box:"):
        st.caption("Invented, or of objects without a label. The surest first; boxes in pixels of the upright picture.")
        at = min(INVENTED_AT.get() or 0, len(invented) - 1)
        left, right = st.columns(2, gap="medium")
        with left:
            _show_on_its_picture(image_set, invented, at)
        with right:
            st.dataframe(
                invented,
                hide_index=True,
                width="stretch",
                alt="Predictions of no object",
                key=INVENTED_TABLE,
                on_select=_go_to_selected,
                selection_mode="single-row",
            )
            make = partial(table_bytes, invented, ".csv")
            download("CSV", make, file_name=f"{image_set.root.name}-invented.csv", key="detector.invented")


def _show_on_its_picture(image_set: ImageSet, invented: pd.DataFrame, at: int) -> None:
    """One prediction as a box on its picture, beside the labelled ones, with the way to the one before and after."""
    row = invented.iloc[at].to_dict()
    try:
        whole = image_set.objects.invented(row)
    except UrlVizError as error:
        st.caption(escape(error))
    else:
        legend = legend_of_invented(whole)
        boxes = counted(len(whole.boxes), "labelled box", "labelled boxes")
        words = f"{row[PICTURE]}, with {boxes}; {in_words(legend)}"
        address = data_url(with_boxes(whole, most_px=PICTURE_PX).encode(), "image/svg+xml")
        st.html(whole_html(address, whole.size, words, legend))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for step, icon, word in ((-1, "chevron_left", "Previous"), (1, "chevron_right", "Next")):
            st.button(
                escape(word),
                icon=f":material/{icon}:",
                key=f"detector.step.{step}",
                disabled=not 0 <= at + step < len(invented),
                on_click=INVENTED_AT.set,
                args=(at + step,),
            )
        st.caption(escape(f"{at + 1:,} of {len(invented):,} · {row[PICTURE]}"), width="content")


def _go_to_selected() -> None:
    """Show the prediction whose row was clicked."""
    event = INVENTED_TABLE.get()
    for row in [] if event is None else event["selection"]["rows"]:
        INVENTED_AT.set(row)
