"""Parts of the Check labels page: headline, filters, the gallery of doubtful labels, and classes that overlap."""

import math
from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.base.wording import chance, counted, distinct_short_names
from url_viz.columns.filters import OneOf, ReviewSpec, Scope
from url_viz.columns.measures import AMBIGUITY
from url_viz.drawing.tiles import LONG_NAME, Tile, tile_of
from url_viz.image_set import ImageSet
from url_viz.labels.ambiguity import between_filters
from url_viz.labels.doubtful_labels import DoubtfulLabels, votes_in_words
from url_viz.labels.label_issues import (
    BETWEEN,
    COLUMNS,
    CONFLICTING,
    LIKELY_WRONG,
    OUTLIER,
    UNSEEN,
    LabelCheck,
    acceptable,
)
from url_viz.ui.auth import user_name
from url_viz.ui.explore.page import show_pair
from url_viz.ui.menu import go_to, go_to_review
from url_viz.ui.session import OPENED, Key
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import download_table, offered
from url_viz.ui.widgets.components import announce
from url_viz.ui.widgets.decide import handle_gallery_actions, reported, show_undo
from url_viz.ui.widgets.embed_job import is_growing
from url_viz.ui.widgets.gallery import one_page, show_gallery
from url_viz.ui.widgets.picture import open_picture, show_opened

SUSPECT_KIND, SUSPECT_CLASS = "view.labels.kind", "view.labels.class"
CONFUSED_PAIRS: Key[Any] = Key("view.labels.pairs")
"""The table of classes that overlap, by the set's version: a selection in that of another version does not apply."""
SUSPECTS: Key[Any] = Key("view.labels.gallery")
"""The gallery of doubtful labels, by the set's id."""
SUSPECTS_PAGE: Key[int] = Key("view.labels.page")
"""The page of the gallery that is shown, by the number of pages and of labels."""

ClassPair = tuple[str, str]
"""Two classes that overlap."""
TILES_PER_PAGE = 18
ALL_CLASSES = "All classes"
TITLES = {
    BETWEEN: "Torn between classes",
    CONFLICTING: "Conflicting copies",
    OUTLIER: "Unlike the rest",
    UNSEEN: "Does not show its label",
}
"""Kinds of pictures that are shown instead of the doubtful labels."""
_MARKS = {LIKELY_WRONG: "likely wrong", BETWEEN: "between", CONFLICTING: "copy", OUTLIER: "outlier", UNSEEN: "unseen"}


def show_why_not(image_set: ImageSet) -> None:
    """Say what is missing where labels cannot be checked."""
    classes = image_set.table()["label"].nunique()
    if classes == 0:
        words = (
            "These pictures have no labels. Put them into class folders (photos/cat/…, photos/dog/…) and look for new "
            "pictures, or add a table with a column of labels: "
            "`python -m url_viz columns FOLDER add FILE --label COLUMN`."
        )
    elif classes == 1:
        words = "All labelled pictures are of one class, so there is nothing to check."
    else:
        words = "The neighbours of these pictures are not known yet. They are computed at the end of reading."
    st.info(words, icon=":material/label:")


def show_headline(image_set: ImageSet, check: LabelCheck, doubtful: DoubtfulLabels) -> None:
    """The result in a sentence, the number of checked pictures, and how it works."""
    st.header(f"{escape(doubtful.words)}.", anchor=False)
    left_out = f" · {check.left_out:,} left out (no label, or not placed yet)" if check.left_out else ""
    checked = check.undropped(image_set.table())
    dropped = f" · {len(check.pictures) - checked:,} dropped" if checked < len(check.pictures) else ""
    words = f"Checked: {checked:,} labelled {image_set.noun}s of {len(check.classes):,} classes{left_out}{dropped}."
    st.caption(escape(words))
    siblings = ""
    if image_set.labels.wrong_together() is not None:
        siblings = "Objects of the same picture are neighbours here, too, unless their boxes are on one place. "
    with st.expander("How labels are checked", icon=":material/help:"):
        st.markdown(
            "Two signals judge a label, and neither sees it or the picture's near copies: the votes of the nearest "
            "neighbours, and a linear classifier (ridge) fitted without the picture. Both use the set's whitened "
            f"embeddings, like the map and the search. {escape(siblings)}"
            "The percentage on a picture is the probability that its label is wrong, given the label; it is calibrated "
            "on this set. While all labels may be right, how many neighbours have the suggested class stands there "
            "instead. "
            "**Doubtful** labels come in the order of doubt and end where fewer than one in four of what comes is "
            "wrong. How many of them are wrong is told with its 95 % interval, and every label that you confirm or "
            "correct makes it more certain. "
            "**Torn between classes**: no class reaches half, so there may be no right label. "
            "**Conflicting copies**: the same picture under two labels. **Unlike the rest**: nothing here looks like "
            "it. **Does not show its label**: blurred or nearly empty. "
            "Mistakes on pictures that are hard to tell often go unseen, and a suggestion is only as good as the model "
            "is on these classes, so look before you relabel."
        )


def show_together(image_set: ImageSet) -> None:
    """The classes of pictures that look wrong as a whole, and their review; nothing where there are none."""
    finding = next((each for each in image_set.findings() if each.kind == "wrong-together"), None)
    rows = image_set.labels.wrong_together()
    if finding is None or finding.opens is None or rows is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(escape(f"{finding.words}."), width="stretch", help=escape(finding.why))
        st.button("Review these", key="labels.together", on_click=go_to_review, args=(finding.opens,))


def pick_kind(check: LabelCheck, *, disabled: bool) -> str | None:
    """The kind of pictures to show instead of the doubtful labels; None for these."""
    kinds = [kind for kind in TITLES if check.count(kind)]
    if not kinds:
        return None
    return st.pills(
        "Show instead",
        kinds,
        format_func=lambda kind: f"{escape(TITLES[kind])} · {check.count(kind):,}",
        key=SUSPECT_KIND,
        help="Click again to show the doubtful labels",
        disabled=disabled,
    )


def pick_class(doubtful: DoubtfulLabels, *, disabled: bool) -> str | None:
    """The class whose doubtful labels are shown; None for all."""
    names = sorted(doubtful.rows["label"].unique())
    picked = st.selectbox("Labelled", [ALL_CLASSES, *names], key=SUSPECT_CLASS, width=260, disabled=disabled)
    return None if picked in (None, ALL_CLASSES) else str(picked)


def in_scope(check: LabelCheck, doubtful: DoubtfulLabels, *, kind: str | None, label: str | None) -> pd.DataFrame:
    """The pictures of a kind (None: the doubtful labels) and a class (None: all), the most doubtful first."""
    rows = doubtful.rows if kind is None else check.of_kind(kind)
    return rows if label is None else rows[rows["label"] == label]


def of_pair(check: LabelCheck, pair: ClassPair) -> pd.DataFrame:
    """The pictures of two classes that look like the other one, the most doubtful first."""
    pictures = check.pictures
    there = (pictures["label"] == pair[0]) & (pictures["taken_for"] == pair[1])
    back = (pictures["label"] == pair[1]) & (pictures["taken_for"] == pair[0])
    rows = pictures[there | back]
    return rows.assign(suggested=rows["taken_for"])[list(COLUMNS)]


def pick_pair(image_set: ImageSet, check: LabelCheck) -> ClassPair | None:
    """The table of confused classes; returns the pair in the selected row."""

    def show_on_explore(pair: ClassPair) -> None:
        show_pair(pair)
        go_to("explore")

    confused = check.mixed.reset_index(drop=True)
    is_known = check.agreement.is_known
    count = f"· {counted(len(confused), 'pair')}" if is_known else ""
    st.header(f"Classes that overlap {escape(count)}", anchor=False)
    if confused.empty:
        unknown = "Not counted: the model does not know these classes, so mix-ups may be its own."
        st.caption("No two classes overlap." if is_known else unknown)
        return None
    # narrow enough to stand next to a gallery
    pairs = zip(confused["class_a"], confused["class_b"], strict=True)
    names = [f"{pair[0]} ↔ {distinct_short_names(pair, most=LONG_NAME)[1]}" for pair in pairs]
    event = st.dataframe(
        pd.DataFrame({"pictures": confused["pictures"].to_numpy(), "Classes": names}),
        hide_index=True,
        width="stretch",
        height=min(560, 38 + 35 * len(confused)),
        on_select="rerun",
        selection_mode="single-row",
        column_config={"pictures": st.column_config.NumberColumn("Pictures", format="localized", width=70)},
        key=CONFUSED_PAIRS.under(image_set.version),
        alt="Pairs of classes that overlap, with the number of pictures that look like the other",
    )
    st.caption("Tick a row to see the pictures of that pair, and untick it to see the doubtful labels.")
    pair = pair_at(confused, event["selection"]["rows"])
    if pair is not None:
        st.caption(escape(f"{each_way(confused, pair)}."))
        words = "See all pictures between the two on Explore"
        st.button(words, icon=":material/map:", key="labels.explore", on_click=show_on_explore, args=(pair,))
    return pair


def pair_at(confused: pd.DataFrame, rows: Sequence[int]) -> ClassPair | None:
    """The pair in the first selected row; None if none is selected, or the table has become shorter since."""
    if not rows or rows[0] >= len(confused):
        return None
    row = confused.iloc[rows[0]]
    return str(row["class_a"]), str(row["class_b"])


def each_way(confused: pd.DataFrame, pair: ClassPair) -> str:
    """How many of each class look like the other: "6 (50%) of orange look like lime, 1 (8%) the other way"."""
    row = confused[(confused["class_a"] == pair[0]) & (confused["class_b"] == pair[1])].iloc[0]
    there, back = (f"{row[name]:,} ({row[f'{name}_share']:.0%})" for name in ("a_as_b", "b_as_a"))
    return f"{there} of {pair[0]} look like {pair[1]}, {back} the other way"


def show_actions(
    image_set: ImageSet, rows: pd.DataFrame, *, pair: ClassPair | None, kind: str | None, label: str | None
) -> None:
    """The number of pictures shown, of the class `label` or of a pair, their review, and acceptance of suggestions."""
    words = f"{len(rows):,} that look like the other class" if pair is not None else counted(len(rows), image_set.noun)
    announce("labels", words)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(escape(words), width="content")
        if pair is not None:
            st.text(f"{pair[0]} ↔ {pair[1]}", width="content")  # not Markdown: names may contain markup
        if kind is None and len(rows):
            spec = ReviewSpec("suspects", Scope(filters=() if label is None else (OneOf("label", (label,)),)))
            if pair is not None:
                spec = ReviewSpec(AMBIGUITY.name, Scope(filters=between_filters(pair)))
            icon = ":material/rate_review:"
            st.button("Review", type="primary", icon=icon, key="labels.review", on_click=go_to_review, args=(spec,))
        if len(acceptable(rows)):
            _show_accept(image_set, rows, key="labels.accept")
        show_undo(image_set, key="labels")
        download_table("Relabel list (CSV)", rows, file_name=f"{image_set.root.name}-suspects.csv", key="labels.csv")


def show_suspects(image_set: ImageSet, rows: pd.DataFrame, *, kind: str | None) -> None:
    """The gallery of doubtful labels."""
    with one_page(rows, SUSPECTS_PAGE.under(len(rows)), size=TILES_PER_PAGE) as page:
        show_gallery(
            tiles(
                with_current_decisions(page, image_set),
                set_id=image_set.set_id,
                ringed_id=OPENED.get(),
                is_chance_known=_is_chance_known(image_set),
            ),
            key=SUSPECTS.under(image_set.set_id),
            empty="No label stands out." if kind is None else "None of this kind and class.",
            handle=partial(handle_gallery_actions, image_set),
            on_click=open_picture,
        )


def _is_chance_known(image_set: ImageSet) -> bool:
    doubtful = image_set.labels.doubtful()
    return doubtful is None or doubtful.are_chances_known


def _show_accept(image_set: ImageSet, rows: pd.DataFrame, *, key: str) -> None:
    """Correct the likely wrong labels among these pictures to the suggested classes."""
    likely = acceptable(rows)
    count, right = len(likely), f"about **{math.ceil(float((1 - likely['wrong']).sum())):,}**"
    labels = dict(zip(likely["id"].tolist(), likely["suggested"].astype(str), strict=True))
    with st.popover("Accept suggestions", icon=":material/done_all:"):
        st.markdown(
            f"Of the {len(rows):,} pictures shown here **{count:,}** are labelled more likely wrong than right; "
            f"{right if _is_chance_known(image_set) else 'many'} of these labels are right all the same. "
            "Files stay where they are, and the original labels are kept. One undo reverts all of it."
        )
        st.button(
            f"Label {count:,} pictures as suggested",
            type="primary",
            key=key,
            on_click=reported(image_set, lambda: image_set.labels.correct(labels, who=user_name())),
        )


def with_current_decisions(rows: pd.DataFrame, image_set: ImageSet) -> pd.DataFrame:
    """The rows with their present decisions, None for none."""
    decided = image_set.table().set_index("id")["decision"]
    values = decided.reindex(rows["id"]).to_numpy(dtype=object)  # as a series: else pandas makes nan of None
    return rows.assign(decision=pd.Series(values, index=rows.index, dtype=object))


def tiles(
    rows: pd.DataFrame, *, set_id: str, ringed_id: int | None = None, is_chance_known: bool = True
) -> tuple[Tile, ...]:
    """Labels as tiles: the question, the probability that the label is wrong where this is known, neighbours' votes."""

    def tile(row: Mapping[Hashable, Any], votes: str | None) -> Tile:
        has_other = isinstance(row["suggested"], str)
        support = f"{row['support']} of {row['neighbours']} neighbours are {row['suggested']}" if has_other else ""
        wrong = f"The label is wrong with a probability of {chance(row['wrong'])}"
        return tile_of(
            row,
            set_id=set_id,
            value=f"{chance(row['wrong'])} wrong" if votes is None else votes,
            detail="; ".join(filter(None, (wrong if votes is None else "", support))),
            asked=(str(row["label"]), str(row["suggested"])) if has_other else None,
            mark=_MARKS.get(row["kind"]),
            is_ringed=int(row["id"]) == ringed_id,
            decision=row.get("decision"),
        )

    votes = [None] * len(rows) if is_chance_known else votes_in_words(rows)
    return tuple(map(tile, rows.to_dict("records"), votes))


def show_labels(image_set: ImageSet) -> None:
    """Doubtful labels, and classes that overlap."""
    if is_growing(image_set.set_id):
        st.caption("Labels are checked once reading has finished.")
        end_page()
    with st.spinner(f"Checking the labels of {len(image_set):,} pictures"):
        check, doubtful = image_set.labels.check(), image_set.labels.doubtful()
    if check is None or doubtful is None:
        show_why_not(image_set)
        end_page()
    show_headline(image_set, check, doubtful)
    show_together(image_set)
    above = st.container()
    left, right = st.columns([3, 2], gap="medium")
    with right:
        pair = pick_pair(image_set, check)
    with above:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            kind = pick_kind(check, disabled=pair is not None)
            label = pick_class(doubtful, disabled=pair is not None)
        if pair is None:
            rows = in_scope(check, doubtful, kind=kind, label=label)
        else:
            kind, rows = None, of_pair(check, pair)
        show_actions(image_set, rows, pair=pair, kind=kind, label=label)
    with left:
        show_suspects(image_set, rows, kind=kind)
    show_opened(image_set, measure=offered(image_set)[0])
