"""The dialog of one picture: the picture, its facts, a decision, and its nearest neighbours."""

from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.findings.reasons import BETWEEN_CLASSES
from url_viz.analysis.labels.ambiguity import labelled_otherwise, question_of
from url_viz.analysis.labels.label_choice import CORRECTED
from url_viz.analysis.measures import TABLE_MEASURES, in_text, measure_named, measure_title
from url_viz.analysis.ranking import ends, percentile_of_each
from url_viz.analysis.runs.two_by_two import MODEL_COLUMNS
from url_viz.analysis.scope import id_in
from url_viz.image_set import ImageSet
from url_viz.ui.auth import user_name
from url_viz.ui.menu import go_to
from url_viz.ui.search.query_picture import search_with
from url_viz.ui.session import DIALOG, OPENED, Key, queried, write_query
from url_viz.ui.text import escape, with_toast
from url_viz.ui.tile_data import tiles, value_with_percentile
from url_viz.ui.widgets.assets import WIRE
from url_viz.ui.widgets.decide import CHOICES, decisions_here, handle_gallery_actions
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.heat_map import HEAT, show_with_heat
from url_viz.ui.widgets.model_facts import show_model_of
from url_viz.ui.widgets.shown_value import control
from url_viz.wording import percent

LINK_FOLLOWED: Key[bool] = Key("view.link_followed")
"""Whether the picture in the address of a new session was opened."""
DECIDED: Key[bool] = Key("view.decided")
"""The buttons of the decisions on a picture, by its id and the decision."""
LABELLED: Key[str | None] = Key("view.labelled")
"""The control of a picture's label, by its id."""

NAME = LINK = "picture"
NEIGHBOURS = 12
NEAREST_OF_CLASS = 3


def open_picture(image_id: int) -> None:
    """Open a picture in the dialog; it stays ringed on maps and in galleries, and in the address while it is open."""
    OPENED.set(image_id)
    DIALOG.set(NAME)


def open_linked() -> None:
    """Open the picture that the address of a new session asks for."""
    image_id = id_in((queried().get(LINK) or [""])[0])
    if image_id is not None and not LINK_FOLLOWED.get():
        open_picture(image_id)
    LINK_FOLLOWED.set(True)


def show_opened(image_set: ImageSet, *, measure: str) -> None:
    """The dialog, if a picture of the set is open; call it last. The address of one that was closed goes."""
    if DIALOG.get() == NAME and (image_set.table()["id"] == OPENED.get()).any():
        show_picture(image_set, measure=measure)
    else:
        write_query({}, among=lambda key: key == LINK)


def _closed() -> None:
    DIALOG.clear()
    HEAT.clear()


@st.dialog("Picture", width="large", on_dismiss=_closed)
def show_picture(image_set: ImageSet, *, measure: str) -> None:
    """The picture whose id is under OPENED; a click on a neighbour opens that one instead."""
    image_id = OPENED.get()
    assert image_id is not None
    write_query({LINK: [str(image_id)]}, among=lambda key: key == LINK)
    row = image_set.row(image_id)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        show_with_heat(image_set, image_id, row, measure=measure)
    with right:
        _show_steps(image_set, image_id, measure)
        st.code(str(row["path"]), language=None, wrap_lines=True)
        _show_decision(image_set, image_id, row)
        _show_label(image_set, image_id, row)
        show_reason_badges(image_set.reasons([image_id]))
        st.dataframe(facts_of(image_set, row), hide_index=True, width="stretch", alt="Facts of the picture")
        show_model_of(image_set, image_id, row)
        search = escape(image_set.said("Search with this picture"))
        act = partial(_search_with, image_id)
        if st.button(search, icon=":material/image_search:", key="search_with", on_click=act):
            st.rerun()
    _show_between(image_set, image_id, row)
    st.markdown("**Nearest neighbours**")
    near = image_set.neighbours(image_id, NEIGHBOURS) if len(image_set) > 1 else None
    if near is None:
        st.caption(escape(image_set.said("This image set has no other pictures.")))
        return
    ranks = percentile_of_each(image_set.table(), measure)[image_set.rows_of(near["id"])]
    near = near.assign(rank_percentile=ranks)
    shown = tiles(near, set_id=image_set.set_id, measure=measure)
    handle = partial(handle_gallery_actions, image_set)
    key, go_on = f"neighbours.{image_id}", OPENED.set
    show_gallery(shown, key=key, empty="No neighbours.", columns=6, handle=handle, on_click=go_on)


def _search_with(image_id: int) -> None:
    search_with(image_id)
    go_to("search")


def _show_between(image_set: ImageSet, image_id: int, row: dict[str, object]) -> None:
    """The question between its two classes, with the nearest pictures of each side by side; nothing if clear."""
    question = question_of(row)
    if question is None:
        return
    st.markdown(f"**{escape(question)}**")
    st.caption(f"Judged without its own label: {escape(labelled_otherwise(_number(row, 'first_share')))}.")
    for container, name, share in zip(
        st.columns(2, gap="medium"),
        (str(row["first_class"]), str(row["second_class"])),
        (float(str(row["first_share"])), float(str(row["second_share"]))),
        strict=True,
    ):
        with container:
            st.caption(escape(f"{name} · {percent(share)}"))
            near = image_set.nearest_of_class(image_id, name, NEAREST_OF_CLASS)
            near = near.assign(rank_percentile=float("nan"))
            shown = tiles(near, set_id=image_set.set_id, measure="similarity")
            key, empty = f"between.{image_id}.{name}", "No other pictures."
            show_gallery(shown, key=key, empty=empty, columns=3, on_click=OPENED.set)


def _show_decision(image_set: ImageSet, image_id: int, row: dict[str, object]) -> None:
    """Keep, drop or look again, by buttons or their keys; a second time clears the decision."""
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
    """The label, to be corrected by choosing or typing another; what it was given as stands under it.

    First in the list are the label, what it was given as, and the classes that the picture looks like. A label cannot
    be cleared: Escape, which closes the dialog, would take it back (`index=None` lets it).
    """
    label, given = row["label"], row["label_given"]
    others = image_set.table()["label"].dropna().astype(str)
    first = (label, given, row.get("first_class"), row.get("second_class"))
    options = list(dict.fromkeys([*(name for name in first if isinstance(name, str)), *sorted(others.unique())]))
    correct = with_toast(lambda name: image_set.labels.correct({image_id: name}, who=user_name()))
    st.selectbox(
        "Label",
        options,
        index=0 if isinstance(label, str) else None,
        accept_new_options=True,
        placeholder="Choose a class, or type a new one",
        **control(LABELLED.under(image_id), label if isinstance(label, str) else None, correct, options=options),
    )
    if row["label_checked"] == CORRECTED:
        is_new = " · a new class: no other picture has it" if (others == label).sum() == 1 else ""
        st.caption(f"Originally {escape(given) if isinstance(given, str) else 'without a label'}{is_new}")


def _show_steps(image_set: ImageSet, image_id: int, measure: str) -> None:
    ids = _in_order(image_set, measure)
    position = ids.index(image_id) if image_id in ids else None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for step, icon, words, arrow in (
            (-1, "chevron_left", "More ambiguous", "Left"),
            (1, "chevron_right", "Clearer", "Right"),
        ):
            to = None if position is None or not 0 <= position + step < len(ids) else ids[position + step]
            st.button(
                escape(words),
                icon=f":material/{icon}:",
                key=f"step.{step}",
                disabled=to is None,
                on_click=OPENED.set,
                args=(to,),
                help=f"Next picture by {escape(in_text(measure))}",
                shortcut=arrow,
            )


def _in_order(image_set: ImageSet, measure: str) -> list[int]:
    ids: list[int] = ends(image_set.table(), by=measure, collapse_twins=False).ambiguous["id"].tolist()
    return ids


def facts_of(image_set: ImageSet, row: dict[str, object]) -> pd.DataFrame:
    """What is known of a picture, one row a fact: Fact, Value."""
    rows = [("Size", f"{row['width']} × {row['height']} px")]
    if isinstance(row["label"], str):
        rows.insert(0, ("Class", row["label"]))
    if isinstance(row["first_class"], str):
        first, second = _number(row, "first_share"), _number(row, "second_share")
        shares = f"{row['first_class']} {percent(first)}, {row['second_class']} {percent(second)}"
        rows.append(("Looks like", shares))
    measures = [name for name in TABLE_MEASURES if name not in MODEL_COLUMNS]  # which `model_facts` shows
    rows += [(measure_title(name), _value_of(row, name)) for name in measures if np.isfinite(_number(row, name))]
    nearest = _number(row, "nearest_similarity")
    if np.isfinite(nearest):
        rows.append(("Nearest neighbour", f"similarity {nearest:.3f}"))
    if isinstance(row["name"], str):
        rows.append(("Name", row["name"]))
    if row["tags"]:
        rows.append(("Tags", str(row["tags"])))
    rows += [
        (column.name, str(row[column.name]))
        for column in image_set.user_columns()
        if row[column.name] == row[column.name]
    ]
    head = image_set.head
    rows.append(("Model", image_set.source.name + (f", head {head.digest[:8]}" if head else ", no head")))
    return pd.DataFrame(rows, columns=["Fact", "Value"])


def _value_of(row: dict[str, object], measure: str) -> str:
    column = measure_named(measure).percentile
    return value_with_percentile(_number(row, measure), float("nan") if column is None else _number(row, column))


def _number(row: dict[str, object], column: str) -> float:
    return float(row.get(column, np.nan))  # type: ignore[arg-type]


def show_reason_badges(reasons: pd.DataFrame) -> None:
    """The reasons of one picture (rows of `ImageSet.reasons()`), what explains most first, with details on hover."""
    with st.container(horizontal=True, gap="small"):
        for row in reasons.itertuples():
            detail = str(row.detail)
            title = title_of_reason(str(row.reason), detail)
            st.badge(escape(title), color="orange" if float(str(row.strength)) >= 0.5 else "gray", help=escape(detail))
        if reasons.empty:
            st.badge("no reason stands out", color="gray")


def title_of_reason(reason: str, detail: str) -> str:
    """A reason in a few words: which two classes, of a picture between two."""
    return detail.partition(":")[0] if reason == BETWEEN_CLASSES else reason
