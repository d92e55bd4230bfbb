"""The dialog of one picture: its question, the nearest pictures on both sides of it, a decision, a label."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.base.wording import percent
from url_viz.columns.filters import id_in
from url_viz.columns.measures import quoted, shown_reason, table_measures
from url_viz.columns.ranking import ends
from url_viz.drawing.assets import WIRE
from url_viz.drawing.tiles import tiles_by_similarity, value_with_percentile
from url_viz.findings.reasons import BETWEEN_CLASSES
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import classes_to_show, heading_of
from url_viz.labels.label_choice import CORRECTED
from url_viz.runs.detections import PREDICTED_BOX
from url_viz.runs.model_accuracy import MODEL_COLUMNS
from url_viz.store.columns.source_columns import BOX_COLUMNS, CLASS
from url_viz.ui.auth import user_name
from url_viz.ui.menu import go_to
from url_viz.ui.search import search_with
from url_viz.ui.session import DIALOG, OPENED, PICTURE, Key, queried, write_query
from url_viz.ui.text import escape, with_toast
from url_viz.ui.widgets.buttons import control
from url_viz.ui.widgets.charts import show_model_of
from url_viz.ui.widgets.components import show_path
from url_viz.ui.widgets.decide import CHOICES, decisions_here, handle_gallery_actions
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.picture_layers import HEAT, show_with_heat

LINK_FOLLOWED: Key[bool] = Key("view.link_followed")
"""Whether the picture in the address of a new session was opened."""
DECIDED: Key[bool] = Key("view.decided")
"""The buttons of the decisions on a picture, by its id and the decision."""
EITHER_SAID: Key[bool] = Key("view.either")
"""The button that says that a picture rightly is both of two classes, by its id."""
LABELLED: Key[str | None] = Key("view.labelled")
"""The control of a picture's label, by its id."""

NEIGHBOURS = 12
NEAREST_OF_SIDE = 3


def open_picture(image_id: int) -> None:
    """Open a picture in the dialog and in the address; it stays ringed on maps and in galleries."""
    OPENED.set(image_id)
    DIALOG.set(PICTURE)


def open_linked() -> None:
    """Open the picture that the address of a new session asks for."""
    image_id = id_in((queried().get(PICTURE) or [""])[0])
    if image_id is not None and not LINK_FOLLOWED.get():
        open_picture(image_id)
    LINK_FOLLOWED.set(True)


def show_opened(image_set: ImageSet, *, measure: str) -> None:
    """The dialog, if a picture of the set is open, else none in the address; call it last."""
    if DIALOG.get() == PICTURE and (image_set.core.ids == OPENED.get()).any():
        _show_picture(image_set, measure)
    else:
        write_query({}, among=lambda key: key == PICTURE)


def _closed() -> None:
    DIALOG.clear()
    HEAT.clear()


@st.dialog("Picture", width="large", on_dismiss=_closed)
def _show_picture(image_set: ImageSet, measure: str) -> None:
    """The picture under OPENED, whose name stands for the title: only a run of the whole page could change that."""
    image_id = OPENED.get()
    assert image_id is not None
    write_query({PICTURE: [str(image_id)]}, among=lambda key: key == PICTURE)
    row = image_set.row(image_id)
    heading = heading_of(row)
    with st.container(key="picture_head", gap="xxsmall"):
        if heading is not None:
            st.subheader(escape(heading), anchor=False)
        show_path(str(row["path"]), key="picture_path", is_title=heading is None)
    sides = sides_of(image_set, row)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        show_with_heat(image_set, image_id, row, measure=measure)
        _show_steps(image_set, image_id, measure)
        _show_search(image_set, image_id)
    with right:
        _show_sides(image_set, image_id, row, sides)
        if not sides:
            _show_neighbours(image_set, image_id)
        _show_decision(image_set, image_id, row)
        _show_label(image_set, image_id, row)
        show_reason_badges(image_set.reasons([image_id]))
    numbers, nearest = st.columns([1, 1], gap="medium")
    with numbers, st.expander("Numbers", icon=":material/123:"):
        st.dataframe(facts_of(image_set, row), hide_index=True, width="stretch", alt=f"Facts of the {image_set.noun}")
        show_model_of(image_set, image_id, row)
    if sides:
        with nearest, st.expander(escape(f"Nearest {image_set.noun}s"), icon=":material/grid_view:"):
            _show_neighbours(image_set, image_id)


def sides_of(image_set: ImageSet, row: dict[str, object]) -> dict[str, pd.DataFrame]:
    """The nearest pictures of each class that a row of the table is held against, by its name.

    Without classes those of each group that it is like; empty where nothing has a name.
    """
    image_id = int(str(row["id"]))
    if names := classes_to_show(row):
        return {name: image_set.nearest_of_class(image_id, name, NEAREST_OF_SIDE) for name in names}
    likes = [name for name in (row["first_like"], row["second_like"]) if isinstance(name, str)]
    return {name: image_set.nearest_like(image_id, name, NEAREST_OF_SIDE) for name in likes}


def _show_sides(image_set: ImageSet, image_id: int, row: dict[str, object], sides: Mapping[str, pd.DataFrame]) -> None:
    """A row of the nearest pictures on each side of the question; of three sides smaller, so that all are in sight."""
    columns = NEAREST_OF_SIDE if len(sides) < 3 else 4
    for name, near in sides.items():
        with st.container(key=f"picture_side.{name}", gap="xxsmall"):
            st.markdown(f"**{escape(name)}**{' · its label' if name == row['label'] else ''}")
            shown = tiles_by_similarity(near.assign(label=None), set_id=image_set.set_id)
            key = f"between.{image_id}.{name}"
            show_gallery(shown, key=key, empty=f"No other {image_set.noun}s.", columns=columns, on_click=OPENED.set)
    if sides and not classes_to_show(row):
        st.caption("Groups of this map, named by look; not classes.")


def _show_neighbours(image_set: ImageSet, image_id: int) -> None:
    """The nearest pictures of any class, to be decided on too."""
    if len(image_set) == 1:
        st.caption(escape(image_set.core.in_words("This image set has no other pictures.")))
        return
    shown = tiles_by_similarity(image_set.neighbours(image_id, NEIGHBOURS), set_id=image_set.set_id)
    key, handle = f"neighbours.{image_id}", partial(handle_gallery_actions, image_set)
    show_gallery(shown, key=key, empty="No neighbours.", columns=4, handle=handle, on_click=OPENED.set)


def _show_search(image_set: ImageSet, image_id: int) -> None:
    """A button that leads to all that is similar."""

    def search() -> None:
        search_with(image_id)
        go_to("explore")

    words = escape(image_set.core.in_words("Search with this picture"))
    look: dict[str, Any] = {"icon": ":material/image_search:", "type": "tertiary", "disabled": len(image_set) == 1}
    if st.button(words, key="search_with", on_click=search, **look):
        st.rerun()


def _show_decision(image_set: ImageSet, image_id: int, row: dict[str, object]) -> None:
    """Buttons, with keys, that decide on the picture; a second time takes the decision back."""
    with st.container(horizontal=True, gap="small"):
        for decision, (word, icon) in CHOICES.items():
            if decision is None:
                continue
            is_it = row["decision"] == decision
            st.button(
                escape(word),
                icon=icon,
                key=DECIDED.under(image_id, decision),
                type="primary" if is_it else "secondary",
                on_click=with_toast(partial(decisions_here(image_set).decide, [image_id], None if is_it else decision)),
                shortcut=WIRE["decisions"][decision]["key"],
            )


def _show_label(image_set: ImageSet, image_id: int, row: dict[str, object]) -> None:
    """The label, to be corrected by choosing or typing another, and the original one below it.

    First in the list are the label, the original one, and the classes that the picture looks like. A label cannot be
    cleared: Escape, which closes the dialog, would take it back (`index=None` lets it).
    """
    label, given = row["label"], row["label_given"]
    first = (label, given, row.get("first_class"), row.get("second_class"))
    options = list(dict.fromkeys([*(name for name in first if isinstance(name, str)), *image_set.labels.classes()]))
    correct = with_toast(lambda name: image_set.labels.give({image_id: name}, who=user_name()))
    st.selectbox(
        "Label",
        options,
        index=0 if isinstance(label, str) else None,
        accept_new_options=True,
        placeholder="Choose a class, or type a new one",
        **control(LABELLED.under(image_id), label if isinstance(label, str) else None, correct, options=options),
    )
    _show_either(image_set, image_id, row)
    if row["label_checked"] == CORRECTED:
        is_new = label not in image_set.labels.named_classes() and (image_set.table()["label"] == label).sum() == 1
        new = f" · a new class: no other {image_set.noun} has it" if is_new else ""
        st.caption(escape(f"Originally {given if isinstance(given, str) else 'without a label'}{new}"))


def _show_either(image_set: ImageSet, image_id: int, row: dict[str, object]) -> None:
    """A button, with a key, that says that the picture rightly is both classes of its question; again takes it back."""
    pair, now = (row.get("first_class"), row.get("second_class")), (row["label"], row.get("either"))
    is_it = isinstance(row.get("either"), str)
    names = [name for name in (now if is_it else pair) if isinstance(name, str)]
    if len(names) < 2:
        return
    answer = None if is_it else (names[0], names[1])
    st.button(
        escape(f"Rightly both {names[0]} and {names[1]}"),
        icon=":material/join_inner:",
        key=EITHER_SAID.under(image_id),
        type="primary" if is_it else "secondary",
        on_click=with_toast(partial(image_set.labels.give, {image_id: answer}, who=user_name())),
        shortcut="e",
        help="Not a doubt of its label: half of each counts in soft labels",
    )


def _show_steps(image_set: ImageSet, image_id: int, measure: str) -> None:
    ids = ends(image_set.table(), by=measure, collapse_twins=False).ambiguous["id"].tolist()
    position = ids.index(image_id) if image_id in ids else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for step, icon, words, arrow in (
            (-1, "chevron_left", "More ambiguous", "Left"),
            (1, "chevron_right", "Less ambiguous", "Right"),
        ):
            to = None if position is None or not 0 <= position + step < len(ids) else ids[position + step]
            st.button(
                escape(words),
                icon=f":material/{icon}:",
                key=f"step.{step}",
                disabled=to is None,
                on_click=OPENED.set,
                args=(to,),
                help=escape(f"Next {image_set.noun} by {quoted(measure)}"),
                shortcut=arrow,
            )


_DRAWN = {CLASS, *BOX_COLUMNS, *PREDICTED_BOX}
"""Columns of an object that are drawn on its picture."""


def facts_of(image_set: ImageSet, row: dict[str, object], *, with_shares: bool = True) -> pd.DataFrame:
    """The facts known of a picture, one a row: Fact, Value; shares of classes if they are known and wanted."""
    rows = [("Size", f"{row['width']} × {row['height']} px")]
    if isinstance(row["label"], str):
        rows.insert(0, ("Class", row["label"]))
    if isinstance(row["first_class"], str):
        if with_shares and image_set.labels.shows_shares():
            likely = (f"{row[f'{nth}_class']} {percent(_number(row, f'{nth}_share'))}" for nth in ("first", "second"))
            rows.append(("Looks like", ", ".join(likely)))
        else:
            rows.append(("Looks like", f"{row['first_class']}, then {row['second_class']}"))
    for name in table_measures():
        measure = image_set.core.measure(name)
        if name in MODEL_COLUMNS or measure.is_baseline:  # which `model_facts` and Model show
            continue
        value = _number(row, name)
        if np.isfinite(value):
            rank = float("nan") if measure.percentile is None else _number(row, measure.percentile)
            rows.append((measure.title, value_with_percentile(value, rank)))
    nearest = _number(row, "nearest_similarity")
    if np.isfinite(nearest):
        rows.append(("Nearest neighbour", f"similarity {nearest:.3f}"))
    if isinstance(row["name"], str):
        rows.append(("Name", row["name"]))
    if row["tags"]:
        rows.append(("Tags", str(row["tags"])))
    rows += [
        (column.name, str(row[column.name]))
        for column in image_set.columns.list()
        if row[column.name] == row[column.name] and column.name not in _DRAWN
    ]
    rows.append(("Model", image_set.source.name + ("" if image_set.source.head else ", no head")))
    return pd.DataFrame(rows, columns=["Fact", "Value"])


def _number(row: dict[str, object], column: str) -> float:
    return float(row.get(column, np.nan))  # type: ignore[arg-type]


def show_reason_badges(reasons: pd.DataFrame) -> None:
    """The reasons of one picture (rows of `ImageSet.reasons()`), the strongest first, with details on hover.

    That it lies between two classes is not among them: the question says so.
    """
    others = reasons[reasons["reason"] != BETWEEN_CLASSES]
    if others.empty:
        return
    with st.container(horizontal=True, gap="small"):
        for row in others.itertuples():
            is_strong = float(str(row.strength)) >= 0.5
            title, help_ = escape(shown_reason(str(row.reason))), escape(str(row.detail))
            st.badge(title, color="orange" if is_strong else "gray", help=help_)


def title_of_reason(reason: str, detail: str) -> str:
    """A reason in a few words: which two classes, of a picture between two."""
    return detail.partition(":")[0] if reason == BETWEEN_CLASSES else shown_reason(reason)
