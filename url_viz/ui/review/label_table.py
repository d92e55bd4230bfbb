"""The labels to check as a table: which are shown, ticks, and what is done about all that are ticked at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.base.wording import counted, distinct_short_names, for_objects
from url_viz.columns.filters import OneOf, ReviewSpec
from url_viz.columns.measures import shown_value
from url_viz.columns.twin_groups import first_of_each
from url_viz.drawing.tiles import LONG_NAME, thumbnail_url
from url_viz.image_set import ImageSet
from url_viz.labels.doubtful_labels import DOUBTFUL, DoubtfulLabels, labels_to_check, votes_in_words
from url_viz.labels.label_issues import (
    BETWEEN,
    CONFLICTING,
    OUTLIER,
    UNSEEN,
    ClassPair,
    LabelCheck,
    acceptable,
    each_way,
)
from url_viz.store.decisions.decision_rows import DECISIONS
from url_viz.store.decisions.decisions import DECIDED, Action
from url_viz.ui.auth import user_name
from url_viz.ui.explore.page import show_pair
from url_viz.ui.menu import go_to
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.buttons import download_table, offered
from url_viz.ui.widgets.components import announce
from url_viz.ui.widgets.decide import CHOICES, decisions_here, reported, show_undo
from url_viz.ui.widgets.picture import open_picture, show_opened

MERGE: Key[bool] = Key("labels.merge")
"""The popover that merges two classes, and its buttons, by the classes."""
LABEL_ROWS: Key[Any] = Key("view.labels.rows")
"""The table, by all that its rows depend on: what is ticked in one does not apply to another."""
SHOWN: Key[Any] = Key("view.labels.show")
"""Which labels the table has, by the order of the review."""
ONE_CLASS: Key[str] = Key("view.labels.class")
TICKED: Key[str] = Key("view.labels.ticked")
"""The table in which all likely wrong labels were ticked at once, by its key."""
ALL_CLASSES = "All classes"
KINDS: dict[str, str] = {
    BETWEEN: "Torn between classes",
    CONFLICTING: "Conflicting copies",
    OUTLIER: "Unlike the rest",
    UNSEEN: "Does not show its label",
}
"""Kinds of pictures that are shown instead of the doubtful labels."""
ROW_PX, TABLE_PX = 84, 640
HOW = (
    "Two signals judge a label, and neither sees it or the picture's near copies: the votes of its nearest neighbours, "
    "and a linear classifier fitted without the picture. *Wrong* is the probability that the label is wrong, measured "
    "on this set; while all labels may be right, only votes are shown. **Torn between classes**: none reaches half, so "
    "there may be no right label. **Conflicting copies**: the same picture under two labels. **Unlike the rest**: "
    "nothing here looks like it. **Does not show its label**: blurred or nearly empty. Mistakes on pictures that are "
    "hard to tell often go unseen, so look before you relabel."
)
HOW_OF_OBJECTS = for_objects(HOW)


def show_labels(image_set: ImageSet, spec: ReviewSpec) -> None:
    """The table of the labels to check; of the review "mixed-up" it begins with the first two classes that overlap."""
    with st.spinner(escape(f"Checking the labels of {len(image_set):,} {image_set.noun}s")):
        check, doubtful = image_set.labels.check(), image_set.labels.doubtful()
    if check is None or doubtful is None:
        _show_why_not(image_set)
        return
    heading = st.container()
    kind, pair, label = _pick(check, doubtful, spec)
    overlap = counted(len(check.mixed), "pair of classes overlaps", "pairs of classes overlap")
    words = doubtful.words if pair is None else overlap
    near = ""
    if image_set.labels.wrong_together() is not None:
        near = " Objects of the same picture are neighbours here, too, unless their boxes are on one place."
    how = HOW_OF_OBJECTS if image_set.is_of_objects else HOW
    about = Markdown(f"{escape(_checked(image_set, check))} {how}{near}")
    heading.header(escape(f"{words}."), anchor=False, help=about)
    if doubtful.caution and pair is None:
        heading.caption(escape(doubtful.caution))
    rows = labels_to_check(check, doubtful, kind=kind, pair=pair, label=label)
    if pair is not None:
        _show_pair(image_set, check, pair)
    above = st.container()
    key = LABEL_ROWS.under(kind, *(pair or ()), label, image_set.version, image_set.decisions.version)
    ticked = _show_rows(image_set, rows, doubtful, key=key)
    with above:
        _show_actions(image_set, rows, ticked, key=key)
    show_opened(image_set, measure=offered(image_set)[0])


def _show_why_not(image_set: ImageSet) -> None:
    """Say what is missing where labels cannot be checked."""
    classes = image_set.table()["label"].nunique()
    if classes == 0:
        words = (
            "These pictures have no labels. Put them into class folders (photos/cat/…, photos/dog/…) and look for new "
            "pictures, or add a table with a column of labels: "
            "`url-viz columns add FOLDER FILE --label COLUMN`."
        )
    elif classes == 1:
        words = "All labelled pictures are of one class, so there is nothing to check."
    else:
        words = "The neighbours of these pictures are not known yet. They are computed at the end of reading."
    st.info(words, icon=":material/label:")


def _checked(image_set: ImageSet, check: LabelCheck) -> str:
    """How many labels were checked, in a sentence."""
    left_out = f", {check.left_out:,} left out (no label, or not placed yet)" if check.left_out else ""
    checked = check.undropped(image_set.table())
    dropped = f", {len(check.pictures) - checked:,} dropped" if checked < len(check.pictures) else ""
    return f"{checked:,} labelled {image_set.noun}s of {len(check.classes):,} classes were checked{left_out}{dropped}."


def _pick(
    check: LabelCheck, doubtful: DoubtfulLabels, spec: ReviewSpec
) -> tuple[str | None, ClassPair | None, str | None]:
    """What is shown: a kind (None: the doubtful labels) or two classes that overlap; and the class (None: all)."""

    def title(option: str | ClassPair) -> str:
        if isinstance(option, tuple):
            both = f"{option[0]} ↔ {distinct_short_names(option, most=LONG_NAME)[1]}"
            return f"{both} · {counts[option]:,}"
        if option == DOUBTFUL:
            return f"Doubtful · {len(doubtful):,}"
        return f"{KINDS[option]} · {check.count(option):,}"

    pairs = check.mixed
    counts = {(str(row.class_a), str(row.class_b)): int(row.pictures) for row in pairs.itertuples()}  # type: ignore[arg-type]
    kinds: list[str | ClassPair] = [DOUBTFUL, *(kind for kind in KINDS if check.count(kind))]
    options = [*kinds, *counts]
    asked = next(
        (each.values[0] for each in spec.scope.filters if isinstance(each, OneOf) and each.column == "label"), None
    )
    classes = [ALL_CLASSES, *check.classes]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        shown = st.selectbox(
            "Show",
            options,
            index=len(kinds) if spec.by == "mixed-up" and counts else 0,
            format_func=title,
            key=SHOWN.under(spec.by),
            help="Doubtful labels, other kinds, or two classes that overlap" if counts else None,
            width=380,
        )
        index = classes.index(asked) if asked in classes else 0
        label = st.selectbox("Labelled", classes, index=index, key=ONE_CLASS, width=260)
    pair = shown if isinstance(shown, tuple) else None
    kind = None if shown == DOUBTFUL or pair is not None else str(shown)
    return kind, pair, None if label == ALL_CLASSES else str(label)


def _show_pair(image_set: ImageSet, check: LabelCheck, pair: ClassPair) -> None:
    """How often each of two classes looks like the other, the way to both on the map, and one merged into the other."""

    def show_on_explore() -> None:
        show_pair(pair)
        go_to("explore")

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.text(f"{each_way(check.mixed, pair)}.", width="content")  # not Markdown: names may contain markup
        icon = ":material/map:"
        st.button("Both on Explore", type="tertiary", icon=icon, key="labels.explore", on_click=show_on_explore)
        _show_merge(image_set, pair)


def _show_merge(image_set: ImageSet, pair: ClassPair) -> None:
    """Buttons that merge one class of a pair into the other, each with how many pictures get another label.

    They are those of this pair: once it is merged and another is shown, the popover is closed.
    """
    counts, about = image_set.table()["label"].value_counts(), "One class from now on; one undo reverts all of it"
    with st.popover("Merge", icon=":material/merge:", key=MERGE.under(*pair), help=about):
        for label, into in (pair, pair[::-1]):
            count = counted(int(counts.get(label, 0)), image_set.noun)
            merge = partial(image_set.labels.merge, label, into, who=user_name())
            words, key = f"{label} into {into} ({count})", MERGE.under(label, into, "now")
            st.button(escape(words), key=key, on_click=reported(image_set, merge))


def label_columns(image_set: ImageSet, rows: pd.DataFrame, *, is_chance_known: bool) -> pd.DataFrame:
    """What the table shows of labels, row by row: the picture, its label, what speaks against that."""
    table = image_set.table().set_index("id").reindex(rows["id"])
    checked = table["label_checked"].map(partial(shown_value, "label_checked"), na_action="ignore")
    decided = table["decision"].map(DECIDED).fillna(checked).to_numpy(object)
    shown: dict[str, Any] = {
        image_set.core.in_words("Picture"): [
            str(thumbnail_url(image_set.set_id, int(image_id))) for image_id in rows["id"]
        ],
        "Label": rows["label"].to_numpy(object),
        "Suggested": rows["suggested"].to_numpy(object),
        "Wrong": np.round(100 * rows["wrong"].to_numpy(np.float64)),
        "Votes": votes_in_words(rows),
        "Kind": rows["kind"].to_numpy(object),
        "Decided": decided,
        "File": rows["path"].to_numpy(object),
    }
    is_empty = {name: not any(isinstance(one, str) and one for one in shown[name]) for name in ("Kind", "Decided")}
    is_empty["Wrong"] = not is_chance_known
    return pd.DataFrame({name: values for name, values in shown.items() if not is_empty.get(name)})


def _show_rows(image_set: ImageSet, rows: pd.DataFrame, doubtful: DoubtfulLabels, *, key: Key[Any]) -> pd.DataFrame:
    """The table; returns the rows that are ticked."""
    if rows.empty:
        st.caption("None of this kind and class." if len(doubtful) else "No label stands out.")
        return rows
    likely = acceptable(rows).index.tolist() if TICKED.get() == key else []
    event = st.dataframe(
        label_columns(image_set, rows, is_chance_known=doubtful.are_chances_known),
        hide_index=True,
        width="stretch",
        height=min(TABLE_PX, 38 + ROW_PX * len(rows)),
        row_height=ROW_PX,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": likely, "columns": [], "cells": []}} if likely else None,
        column_config={
            image_set.core.in_words("Picture"): st.column_config.ImageColumn(width=100),
            "Wrong": st.column_config.NumberColumn(format="%d %%", width=70),
            "Votes": st.column_config.TextColumn(help="How many neighbours, or copies, have the suggested class"),
        },
        key=key.under("likely" if likely else ""),
        alt="Labels to check, with what is suggested instead",
    )
    return rows.iloc[[row for row in event["selection"]["rows"] if row < len(rows)]]


def _show_actions(image_set: ImageSet, rows: pd.DataFrame, ticked: pd.DataFrame, *, key: Key[Any]) -> None:
    """Buttons that decide on what is ticked, each in one action for undo."""
    likely = acceptable(rows)
    suggested = first_of_each(ticked[ticked["suggested"].notna()])  # copies in conflict would swap their labels
    total = counted(len(rows), image_set.noun)
    announce("labels", f"{len(ticked):,} of {total} ticked" if len(ticked) else total)

    def act(words: str, change: Callable[[], Action], on: pd.DataFrame, name: str, **look: Any) -> None:
        count = f" · {len(on):,}" if len(on) else ""
        clicked = reported(image_set, change)
        st.button(escape(words + count), key=f"labels.{name}", disabled=on.empty, on_click=clicked, **look)

    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="label_actions"):
        act(
            "Label as suggested",
            partial(_label, image_set, suggested, "suggested"),
            suggested,
            "accept",
            type="primary",
        )
        act("Label is right", partial(_label, image_set, ticked, "label"), ticked, "confirm")
        with st.popover("Decide", disabled=ticked.empty):
            for decision in DECISIONS:
                word, icon = CHOICES[decision]
                change = partial(decisions_here(image_set).decide, ticked["id"].tolist(), decision)
                act(word, change, ticked, decision, icon=icon)
        if len(ticked) == 1:
            opens = int(ticked["id"].iloc[0])
            st.button(escape(f"Open {image_set.noun}"), key="labels.open", on_click=open_picture, args=(opens,))
        if len(likely) and ticked.empty:
            right = round(float((1 - likely["wrong"]).sum()))
            st.button(
                f"Tick the {len(likely):,} likely wrong",
                type="tertiary",
                key="labels.tick",
                on_click=TICKED.set,
                args=(str(key),),
                help=f"Likelier wrong than right. About {right:,} of these labels are right all the same: look first",
            )
        show_undo(image_set, key="labels", is_always=False)
        download_table("CSV", rows, file_name=f"{image_set.root.name}-suspects.csv", key="labels.csv")


def _label(image_set: ImageSet, rows: pd.DataFrame, column: str) -> Action:
    """Give pictures the label in a column of theirs."""
    labels = dict(zip(rows["id"].tolist(), rows[column].astype(str), strict=True))
    return image_set.labels.give(labels, who=user_name())
