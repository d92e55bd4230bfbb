"""Parts of Your model: a detector's predictions, and which pictures are test."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.base.errors import FolderError, NotAllowedError, UrlVizError
from url_viz.base.wording import command, counted
from url_viz.base.workspace import root_of
from url_viz.columns.filters import ReviewSpec, Scope
from url_viz.columns.measures import title_of_column
from url_viz.export.picture_files import data_url, with_boxes
from url_viz.export.table_files import table_bytes
from url_viz.findings.leaks import COPY, EXACT, SCENE, Splits
from url_viz.image_set import ImageSet
from url_viz.review.queues import listed_queue
from url_viz.runs.detections import DETECTED, LEAST_SCORE
from url_viz.store.allowed_folders import refuse_to_allow
from url_viz.store.columns.source_columns import PICTURE
from url_viz.ui.auth import allowed, may_allow, may_read
from url_viz.ui.menu import go_to_review
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.widgets.buttons import Warned, act_button, download
from url_viz.ui.widgets.embed_job import titles
from url_viz.ui.widgets.open_folder import offer_to_allow
from url_viz.ui.widgets.picture_layers import invented_legend, legend_in_words, whole_html

INVENTED: Key[pd.DataFrame] = Key("view.detector.invented")
"""The predictions of no object, from the last match."""
INVENTED_AT: Key[int] = Key("view.detector.invented_at")
"""The number of the one that is shown on its picture."""
INVENTED_TABLE: Key[Any] = Key("view.detector.invented_table")
"""Their table, and its selected row."""
PICTURE_PX = 1000


def show_predictions(image_set: ImageSet) -> None:
    """For a set of objects: a detector's predictions, from a path or a file, and the reviews of those matched."""
    st.header(
        "Add your detector's predictions",
        anchor=False,
        help="COCO results (results.json), or the folder of YOLO labels with confidences that a detector writes "
        "(runs/detect/predict). Each takes the object that it overlaps most: what it missed, invented or calls "
        "something else becomes columns and reviews. Ultralytics' label scores (image_metrics as JSON) are columns of "
        "pictures: *Add columns* on Explore.",
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
    """The number of objects in a review of predictions, and a button that opens those left."""
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
    """Ask once for the folder of a file outside the app's folders, where it may be allowed."""
    with suppress(FolderError):  # which Match says
        try:
            allowed(Path(typed))
        except NotAllowedError:
            if may_allow():
                offer_to_allow(Path(typed), key=key)


def _match(image_set: ImageSet, typed: str, dropped: Any, names: str, least_score: float) -> str:
    def for_the_page(words: str) -> str:  # where the command's option is found here
        return words.replace("(--names)", "(under Options)")

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
        raise FolderError(for_the_page(str(error))) from error
    INVENTED.set(brought.detections.invented)
    INVENTED_AT.clear()
    words = for_the_page(" ".join(brought.words))
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


def _show_invented(image_set: ImageSet) -> None:
    """The predictions of no object from the last match, each on its picture, as a table, and to download."""

    def go_to_selected() -> None:
        event = INVENTED_TABLE.get()
        for row in [] if event is None else event["selection"]["rows"]:
            INVENTED_AT.set(row)

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
                on_select=go_to_selected,
                selection_mode="single-row",
            )
            make = partial(table_bytes, invented, ".csv")
            download("CSV", make, file_name=f"{image_set.root.name}-invented.csv", key="detector.invented")


def _show_on_its_picture(image_set: ImageSet, invented: pd.DataFrame, at: int) -> None:
    """A prediction as a box on its picture, with the labelled ones, and the way to the one before and after."""
    row = invented.iloc[at].to_dict()
    try:
        whole = image_set.objects.invented(row)
    except UrlVizError as error:
        st.caption(escape(error))
    else:
        legend = invented_legend(whole)
        boxes = counted(len(whole.boxes), "labelled box", "labelled boxes")
        words = f"{row[PICTURE]}, with {boxes}; {legend_in_words(legend)}"
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


LEAKS_AGAINST: Key[str | None] = Key("view.leaks.against")
"""The id of the image set that this one is compared with."""
MADE: Key[tuple[str, ...]] = Key("splits.made")
"""What became of the splits that were made last."""
KINDS = {EXACT: "the same file", COPY: "a copy", SCENE: "another view"}
MOST_ROWS = 50_000
"""Most pictures of both sets that a page compares at once; more take the command."""


def show_splits(image_set: ImageSet) -> None:
    """The splits, or a form that says which pictures are test: copies between splits are then a finding."""
    splits = image_set.splits.get()
    if splits is not None:
        leaks, found = image_set.splits.leaks(), image_set.splits.findings()
        outcome = "no copies between them" if leaks is None or leaks.empty else "every leak is decided on"
        if found:
            outcome = f"{'; '.join(each.words for each in found)}: see Explore"
        counts = ", ".join(_sizes(image_set, splits))
        by = "" if splits.column == "split" else f" by {splits.column}"
        st.caption(escape(f"Splits{by}: {counts}; {outcome}."))
        for words in MADE.under(image_set.set_id).get() or ():  # the form folds shut
            st.caption(escape(image_set.core.in_words(words)))
    with st.expander("Which pictures are test?", icon=":material/call_split:"):
        if splits is None or image_set.splits.can_change:
            _ask_which_are_test(image_set)
        else:
            sizes = ", ".join(_pictures_of(image_set, splits))
            st.caption(escape(f"The source says which pictures are test: {sizes}."))
        _compare_with_another(image_set)


def _sizes(image_set: ImageSet, splits: Splits) -> Iterator[str]:
    """Each split and its size: "train 2,805", of objects "train 2,805 objects in 561 pictures"."""
    table = image_set.table()
    for number, (name, count) in enumerate(zip(splits.names, splits.counts, strict=True)):
        if image_set.is_of_objects:
            pictures = table[PICTURE][splits.is_in[:, number]].nunique()
            yield f"{name} {counted(count, 'object')} in {counted(pictures, 'picture')}"
        else:
            yield f"{name} {count:,}"


def _pictures_of(image_set: ImageSet, splits: Splits) -> Iterator[str]:
    """Each split and its number of pictures, also for objects: "train 561"."""
    pictures = image_set.table()[PICTURE if image_set.is_of_objects else "id"]
    for number, name in enumerate(splits.names):
        yield f"{name} {pictures[splits.is_in[:, number]].nunique():,}"


def _ask_which_are_test(image_set: ImageSet) -> None:
    st.caption("Then copies and views of one picture in both are found, and named on Explore.")
    test = st.text_input("A pattern of their paths or names", key="splits.test", placeholder="test_*")
    columns = image_set.splits.columns()
    column = st.selectbox("Or a column", columns, index=None, format_func=title_of_column, key="splits.column")

    def tell() -> str:
        MADE.under(image_set.set_id).clear()
        return image_set.splits.tell(test=test.strip() or None, column=column)

    if act_button("Use these splits", tell, key="splits.tell", disabled=not test.strip() and column is None):
        st.rerun()
    _make_splits(image_set)


def _make_splits(image_set: ImageSet) -> None:
    """Have pictures dealt to splits, copies and views together."""
    st.caption("Or have them chosen: copies, views and what is kept apart stay together, classes alike in each split.")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        test = st.number_input("Test, %", 0, 90, 20, 5, key="splits.share", width=140)
        validation = st.number_input("Validation, %", 0, 90, 0, 5, key="splits.validation", width=140)

        def make() -> None:
            made = image_set.splits.make(test=test / 100, validation=validation / 100)
            MADE.under(image_set.set_id).set(tuple(made.words))

        is_possible = 0 < test + validation < 100
        if act_button("Make splits", make, key="splits.make", disabled=not is_possible):
            st.rerun()


def _compare_with_another(image_set: ImageSet) -> None:
    """Choose another image set, such as a folder of test pictures, to find the pictures that are in both."""
    others = {set_id: title for set_id, title in titles().items() if set_id != image_set.set_id}
    if not others:
        st.caption("Test pictures in a folder of their own: open it as an image set, then choose it here.")
        return
    set_id = st.selectbox(
        "Or another image set, whose pictures must not be in this one",
        list(others),
        index=None,
        format_func=others.__getitem__,
        placeholder="Choose another image set",
        key=LEAKS_AGAINST,
    )
    if set_id is None:
        return
    other = open_sets().find(set_id, image_set.source.name)
    if other is None:
        st.info(
            escape(f"That image set was not read with {image_set.source.title}. Open it, and choose this model there."),
            icon=":material/info:",
        )
    elif len(image_set) + len(other) > MOST_ROWS:
        st.info("Two sets as large as these take minutes. In a terminal:", icon=":material/terminal:")
        st.code(command("splits", "leaks", image_set.root, "--against", other.root), language="bash")
    else:
        _show_shared(image_set, other)


def _show_shared(image_set: ImageSet, other: ImageSet) -> None:
    try:
        with st.spinner("Comparing"):
            leaks = image_set.cached(_leaks, other.set_id, str(other.version))
    except UrlVizError as error:  # of objects and of whole pictures, say
        show_error(error)
        return
    name = other.root.name
    if leaks.empty:
        st.success(escape(f"No picture of this set is in {name}, too."), icon=":material/check:")
        return
    counts = leaks["kind"].map(KINDS).value_counts()
    kinds = ", ".join(f"{counts[kind]:,} {kind}" for kind in KINDS.values() if kind in counts)
    words = f"{counted(len(leaks), image_set.noun)} of this set also in {name}: {kinds}."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(escape(words), width="content")
        if (measure := image_set.order().measure) is not None:
            spec = ReviewSpec(measure, Scope(ids=tuple(leaks["id"].tolist())))
            st.button("Review", icon=":material/rate_review:", key="leaks.review", on_click=go_to_review, args=(spec,))
        file_name = f"{image_set.root.name}-leaks.csv"
        download("CSV", partial(table_bytes, leaks, ".csv"), file_name=file_name, key="leaks.csv")
    st.dataframe(
        leaks.assign(kind=leaks["kind"].map(KINDS))[["path", "twin_path", "kind"]],
        column_config={"path": "Picture", "twin_path": f"In {escape(name)}", "kind": "It is"},
        hide_index=True,
        width="stretch",
        alt="Pictures that are in both image sets",
    )


def _leaks(image_set: ImageSet, set_id: str, _version: str) -> pd.DataFrame:
    leaks = image_set.splits.leaks(open_sets().get(set_id, image_set.source.name))
    assert leaks is not None
    return leaks
