"""Your model: which run, its accuracy, the four queues, confusions, runs compared, adding a run."""

from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from url_viz.base.wording import counted, percent
from url_viz.columns.filters import Filter, OneOf, ReviewSpec, Scope, passes_all
from url_viz.columns.measures import MODEL_DOUBT, title_of_column
from url_viz.evidence.order_metrics import share_of
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.runs.model_accuracy import (
    MODEL_SAYS,
    MOST_CLASSES,
    QUEUES,
    TRAINING,
    RunPredictions,
    accuracy_by,
    accuracy_difference,
    columns_to_compare,
    confusion_matrix,
    has_training,
    predicted,
    right_in_both,
)
from url_viz.runs.run_on_set import RunOnSet
from url_viz.ui.explore.view import change_view
from url_viz.ui.menu import go_to, go_to_review
from url_viz.ui.session import Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import Markdown, escape, with_toast
from url_viz.ui.widgets.buttons import act_button, control, control_of
from url_viz.ui.your_model.forms import show_predictions, show_splits

RUN: Key[str | None] = Key("view.run")
RUN_COMPARED: Key[str] = Key("view.run.compared")
RUN_COLUMN: Key[str] = Key("view.run.column")
RUN_TABLE = "view.run.table."
"""The beginning of the keys of the page's tables: confusions and accuracy by a column, by run and set's version."""

ENDINGS = ["csv", "tsv", "parquet", "pq", "npz"]
MOST_MEGABYTES = 500
CELL_PX = 68
HOW = """import url_viz

record = url_viz.record({folder!r}, run="r1", classes=dataset.classes)
for _ in range(epochs):
    with record.collect() as epoch:
        ...  # a step for each batch, then: epoch.add(paths, logits, labels)
    record.epoch(val_paths, val_logits, split="val")  # pictures that it was not trained on"""


def pick_run(image_set: ImageSet) -> RunOnSet | None:
    """The run whose model is compared with the pictures, with a summary of its record; None without any run."""

    def map_by_training() -> None:
        change_view(space=TRAINING, polygon=None)
        go_to("explore")

    names = image_set.runs.names()
    chosen = image_set.runs.chosen
    if not names:
        return None
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.selectbox(
            "Run",
            names,
            index=names.index(chosen) if chosen else None,
            placeholder="Choose a run",
            width=220,
            label_visibility="collapsed",
            **control(RUN, chosen, with_toast(image_set.runs.use), options=names),
        )
        if chosen is None:
            st.caption("Trainings that URL-Viz recorded are compared with the pictures only if you choose one.")
            return None
        run = image_set.runs.get(chosen)
        st.caption(escape(" ".join((f"{run.words}.", *run.notes))), width="content")
        if has_training(image_set.table()):
            st.button(
                "Map by training",
                icon=":material/scatter_plot:",
                key="run.map",
                help="Explore's map with confidence up and variability to the right, over the epochs of this run",
                on_click=map_by_training,
            )
    return run


def show_how(image_set: ImageSet) -> None:
    """How a run is recorded, and a file of predictions as one."""
    st.header("Record your model while it trains, in your own loop", anchor=False)
    st.code(HOW.format(folder=str(image_set.root)), language=None, wrap_lines=True)
    st.caption("With Lightning, the Hugging Face Trainer or Ultralytics, copy a recipe: examples/callbacks.py.")
    st.header("Or add a file of predictions", anchor=False)
    dropped = st.file_uploader(
        "CSV, Parquet or NumPy file",
        type=ENDINGS,
        key="run.file",
        max_upload_size=MOST_MEGABYTES,
        help="A column of paths, and a column of probabilities for each class, by its name, or logits logit_0, logit_1 "
        "… A NumPy file has logits and paths. Files of one run are added to each other.",
    )
    if dropped is None:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the run", PurePath(dropped.name).stem[:40], key="run.name", width=260).strip()
        is_trained = st.toggle("The model was trained on these pictures", key="run.is_trained")

        def add() -> None:
            file = IncomingFile(dropped.name, dropped.getvalue())
            with st.spinner("Matching rows to pictures"):
                added = image_set.runs.add(file, run=name, split="train" if is_trained else "val")
            image_set.runs.use(name)
            for sentence in added.words:
                st.toast(escape(sentence), duration="long")

        if act_button("Add", add, type="primary", key="run.add", icon=":material/check:"):
            st.rerun()


def show_accuracy(run: RunOnSet) -> RunPredictions:
    """The accuracy of a run, and on which pictures; returns the predictions that it is counted on."""
    predictions = predicted(run)
    if not len(predictions.rows):
        st.info("No prediction of this run is of a picture with a label.", icon=":material/label_off:")
        return predictions
    figure = predictions.accuracy
    words = f"Right {predictions.words}; 95 % interval {percent(figure.interval.low, digits=1)} to "
    words += f"{percent(figure.interval.high, digits=1)}."
    if not predictions.is_held_out:
        words += (
            " A model is right of what it was trained on: record pictures that are held out to know how good it is."
        )
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="center")
    left.metric("Accuracy", percent(figure.value, digits=1))
    right.markdown(escape(words))
    return predictions


def show_two_by_two(image_set: ImageSet) -> None:
    """The four queues: how many pictures, what they are, why it matters, and a button that opens each."""
    table = image_set.table()
    if MODEL_SAYS not in table:
        st.caption("Model and pictures can be compared in a set with two classes or more.")
        return
    st.header(
        "Model against pictures",
        anchor=False,
        help="The model is sure, and a picture is clear, where the first class leads the second by half of all shares. "
        "What the pictures say comes from their look-alikes, without their own label; the model's probabilities are "
        "those of held-out pictures, tempered by the labels, else their mean over the epochs.",
    )
    count = table[MODEL_SAYS].value_counts()
    kinds = list(QUEUES)
    for pair in (kinds[:2], kinds[2:]):
        for container, kind in zip(st.columns(2, gap="small"), pair, strict=True):
            queue, pictures = QUEUES[kind], int(count.get(kind, 0))
            with container.container(border=True, height="stretch", key=f"run_{queue.name}"):
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(Markdown(f"**{pictures:,}** · {escape(queue.title)}"), width="stretch")
                    _review_button(ReviewSpec(queue.name), pictures, key=f"run.{queue.name}")
                st.caption(escape(queue.why))


def _review_button(spec: ReviewSpec, pictures: int, *, key: str) -> None:
    st.button(
        "Review", icon=":material/rate_review:", key=key, disabled=not pictures, on_click=go_to_review, args=(spec,)
    )


def _show_rows(
    image_set: ImageSet, words: str, rows: NDArray[np.int64], *, key: str, filters: tuple[Filter, ...] = ()
) -> None:
    """Words on rows of the table, and the review of exactly these, the most undecided first.

    Its address names `filters` where these give the same rows.
    """
    table = image_set.table()
    scope = Scope(filters=filters)
    if not filters or not np.array_equal(np.flatnonzero(passes_all(table, filters)), rows):
        scope = Scope(ids=tuple(table["id"].iloc[rows].tolist()))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(escape(words), width="content")
        _review_button(ReviewSpec(MODEL_DOUBT.name, scope), len(rows), key=key)


def show_confusions(image_set: ImageSet, run: RunOnSet, predictions: RunPredictions) -> None:
    """The confusion matrix of the most confused classes; a cell is a queue of its pictures."""
    st.header("What it takes for what", anchor=False)
    matrix = confusion_matrix(predictions)
    if matrix.empty:
        st.caption("No picture is of another class to the model.")
        return
    columns: dict[str, Any] = {
        str(name): st.column_config.NumberColumn(width=CELL_PX, help=escape(name)) for name in matrix
    }
    event = st.dataframe(
        _shaded(matrix),
        width="content",
        height="content",
        on_select="rerun",
        selection_mode="single-cell",
        column_config=columns,
        key=f"{RUN_TABLE}confusions.{run.name}.{image_set.version}",
        alt="Pictures by label (rows) and class of the model (columns)",
    )
    more = len(predictions.names) - len(matrix)
    part = f" The {MOST_CLASSES:d} classes of the pairs that it confuses most." if more > 0 else ""
    st.caption(Markdown(f"Rows: the label. Columns: what the model says. Click a cell to review its pictures.{part}"))
    cells = event["selection"]["cells"]
    if cells:
        (row, called), names = cells[0], predictions.names
        label = str(matrix.index[row])
        rows = predictions.rows[
            (predictions.label == names.index(label)) & (predictions.predicted == names.index(called))
        ]
        words = f"{counted(len(rows), 'picture')} of {label} that the model says are {called}"
        filters = OneOf("label", (label,)), OneOf("model_class", (called,))
        _show_rows(image_set, words, rows, key="run.cell", filters=filters)


def _shaded(matrix: pd.DataFrame) -> "pd.io.formats.style.Styler":
    """Confusions in the colour of what is wrong, the stronger the more; what is right is bold."""
    counts = matrix.to_numpy()
    most = max(1, int((counts - np.diag(np.diag(counts))).max()))

    def styles(values: pd.DataFrame) -> NDArray[np.object_]:
        shades = [
            [f"background-color: rgba(222, 99, 56, {0.75 * count / most:.2f})" for count in row] for row in counts
        ]
        style = np.where(counts > 0, np.array(shades, object), "")
        np.fill_diagonal(style, "font-weight: bold")
        return style

    return matrix.style.apply(styles, axis=None).format(lambda count: f"{count:,}" if count else "")


def show_accuracy_by(image_set: ImageSet, run: RunOnSet, predictions: RunPredictions) -> None:
    """Accuracy by class, or by another column, with intervals; a row is a queue of what is wrong in it."""
    table = image_set.table()
    columns = columns_to_compare(table)
    if not columns:
        return
    chosen = RUN_COLUMN.get()
    column = chosen if chosen in columns else columns[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Accuracy by", width="content", anchor=False)
        st.selectbox(
            "Accuracy by",
            columns,
            index=columns.index(column),
            format_func=title_of_column,
            label_visibility="collapsed",
            **control_of(RUN_COLUMN, column, options=columns),
        )
    shares, filters = accuracy_by(predictions, table[column])
    shown = st.column_config
    number = {name: shown.NumberColumn(name.capitalize(), format="percent") for name in ("low", "high")}
    event = st.dataframe(
        shares,
        hide_index=True,
        width="stretch",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "value": shown.TextColumn(title_of_column(column)),
            "pictures": shown.NumberColumn(image_set.core.in_words("Pictures"), format="localized"),
            "wrong": shown.NumberColumn("Wrong", format="localized"),
            "accuracy": shown.ProgressColumn("Accuracy", format="percent", min_value=0, max_value=1),
            **number,
        },
        key=f"{RUN_TABLE}{column}.{run.name}.{image_set.version}",
        alt="Accuracy by the values of the column, with intervals",
    )
    st.caption("Low and high are the 95 % interval. First comes what is surely worst: few pictures may be chance.")
    picked = event["selection"]["rows"]
    if picked:
        rows = np.flatnonzero(passes_all(table, (filters[picked[0]],)))
        wrong = np.intersect1d(rows, predictions.rows[~predictions.is_right])
        _show_rows(image_set, counted(len(wrong), "wrong picture"), wrong, key="run.wrong")


def show_compared(image_set: ImageSet, run: RunOnSet, predictions: RunPredictions) -> None:
    """Another run on the same pictures: both accuracies, the difference, and where only one is right."""
    others = [name for name in image_set.runs.names() if name != run.name]
    if not others:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("Compared with", width="content", anchor=False)
        name = st.selectbox("Compared with", others, key=RUN_COMPARED, label_visibility="collapsed", width=220)
    other = predicted(image_set.runs.get(name))
    rows, own_right, other_right = right_in_both(predictions, other)
    if not len(rows):
        st.caption("The two runs have no picture in common.")
        return
    if predictions.is_held_out != other.is_held_out:
        st.caption("One of them was trained on these pictures, the other was not: it is no fair comparison.")
    own, two = (share_of(int(right.sum()), len(right)).text(digits=3) for right in (own_right, other_right))
    difference = accuracy_difference(own_right, other_right).text(digits=3, signed=True)
    words = f"{run.name} is right of {own}, {name} of {two}; difference {difference}"
    st.markdown(escape(f"Of {counted(len(rows), 'picture')} of both, {words} (95 % intervals)."))
    for is_only, right, key in (
        (own_right & ~other_right, run.name, "run.only_one"),
        (other_right & ~own_right, name, "run.only_other"),
    ):
        words = f"{counted(int(is_only.sum()), 'picture')} right in {right} only"
        _show_rows(image_set, words, rows[is_only], key=key)


def show_your_model(image_set: ImageSet) -> None:
    """A recorded training run against the pictures of the set."""
    if image_set.is_of_objects:
        show_predictions(image_set)
    run = pick_run(image_set)
    if run is None:
        show_how(image_set)
        show_splits(image_set)
        end_page()
    predictions = show_accuracy(run)
    show_two_by_two(image_set)
    show_confusions(image_set, run, predictions)
    show_accuracy_by(image_set, run, predictions)
    show_compared(image_set, run, predictions)
    with st.expander("Add another run", icon=":material/add:"):
        show_how(image_set)
    show_splits(image_set)
