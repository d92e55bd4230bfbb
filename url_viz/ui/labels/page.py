"""Parts of the Check labels page: headline, filters, the gallery of suspects, and confused classes."""

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.analysis.ambiguity import between_filters
from url_viz.analysis.calibration import NOT_SEEN
from url_viz.analysis.filters import OneOf
from url_viz.analysis.label_issues import AMBIGUOUS, COLUMNS, CONFLICTING, KINDS, LABEL_ERROR, OUTLIER, LabelCheck
from url_viz.analysis.measures import AMBIGUITY
from url_viz.analysis.scope import ReviewSpec, Scope
from url_viz.image_set import ImageSet
from url_viz.ui.auth import user_name
from url_viz.ui.explore.page import show_pair
from url_viz.ui.review.review_address import go_to_review
from url_viz.ui.session import CONFUSED_PAIRS, SUSPECT_CLASS, SUSPECT_KIND, SUSPECTS, SUSPECTS_PAGE
from url_viz.ui.text import escape, with_toast
from url_viz.ui.tile_data import Tile, tile_of
from url_viz.ui.widgets.decide import handle_gallery_actions, show_undo
from url_viz.ui.widgets.download import download_table
from url_viz.ui.widgets.gallery import one_page, show_gallery
from url_viz.wording import percent

ClassPair = tuple[str, str]
"""Two classes that are confused with each other."""
TILES_PER_PAGE = 18
ALL_CLASSES = "All classes"
TITLES = {
    LABEL_ERROR: "Label errors",
    AMBIGUOUS: "Ambiguous",
    CONFLICTING: "Conflicting copies",
    OUTLIER: "Outliers",
}
_MARKS = {LABEL_ERROR: "error", AMBIGUOUS: "ambiguous", CONFLICTING: "copy", OUTLIER: "outlier"}


def show_why_not(image_set: ImageSet) -> None:
    """What is missing if labels cannot be checked."""
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


def show_headline(check: LabelCheck, *, unit: str) -> None:
    """The result in a sentence, the number of checked pictures, and how it works."""
    st.markdown(f"#### {escape(check.headline)}")
    left_out = f" · {check.left_out:,} left out (no label, or not placed yet)" if check.left_out else ""
    checked = f"Checked: {len(check.pictures):,} labelled {unit}s of {len(check.classes):,} classes{left_out}. "
    st.caption(escape(f"{checked}{check.wrong.words.capitalize()}; {NOT_SEEN}."))
    with st.expander("How labels are checked", icon=":material/help:"):
        st.markdown(
            "Two signals judge a label, and neither sees it or the picture's twins: the votes of the nearest "
            "neighbours, and a linear classifier (ridge) fitted without the picture. Both use the set's whitened "
            "embeddings, like the map and the search. Their mean is calibrated on this set: 80 % means right in about "
            "80 of 100 such cases. "
            "**Label error**: the label is more likely wrong than right; the percentage says how likely. "
            "**Ambiguous**: no class reaches half, so there may be no right label. "
            "**Conflicting copies**: the same picture under two labels. **Outlier**: nothing here looks like it. "
            "Mix-ups of classes that look alike often go unseen. "
            "A suggestion is only as good as the model is on these classes, so look before you relabel."
        )


def pick_kind(check: LabelCheck, *, disabled: bool) -> str | None:
    """The kind of suspects to show; None for all."""
    options = [kind for kind in KINDS if check.count(kind)]
    return st.pills(
        "Show",
        options,
        format_func=lambda kind: f"{escape(TITLES[kind])} · {check.count(kind):,}",
        key=SUSPECT_KIND,
        help="Click again to show all kinds",
        disabled=disabled,
    )


def pick_class(check: LabelCheck, *, disabled: bool) -> str | None:
    """The class whose suspects are shown; None for all."""
    names = sorted(check.suspects["label"].unique())
    picked = st.selectbox("Labelled", [ALL_CLASSES, *names], key=SUSPECT_CLASS, width=260, disabled=disabled)
    return None if picked in (None, ALL_CLASSES) else str(picked)


def in_scope(check: LabelCheck, *, kind: str | None, label: str | None) -> pd.DataFrame:
    """The suspects of a kind and a class (None: all), the most doubtful first."""
    rows = check.of_kind(kind)
    return rows if label is None else rows[rows["label"] == label]


def of_pair(check: LabelCheck, pair: ClassPair) -> pd.DataFrame:
    """The pictures of two classes that are confused with the other one, the most doubtful first."""
    pictures = check.pictures
    there = (pictures["label"] == pair[0]) & (pictures["taken_for"] == pair[1])
    back = (pictures["label"] == pair[1]) & (pictures["taken_for"] == pair[0])
    rows = pictures[there | back]
    return rows.assign(suggested=rows["taken_for"])[list(COLUMNS)]


def pick_pair(image_set: ImageSet, check: LabelCheck) -> ClassPair | None:
    """The table of confused classes; return the pair in the selected row."""
    confused = check.confused
    st.markdown(f"**Confused classes** · {len(confused):,}")
    if confused.empty:
        st.caption("No classes are confused with each other.")
        return None
    event = st.dataframe(
        _as_shown(confused),
        hide_index=True,
        width="stretch",
        height=min(560, 38 + 35 * len(confused)),
        on_select="rerun",
        selection_mode="single-row",
        column_config={"pictures": st.column_config.NumberColumn("", format="localized", width=40)},
        key=CONFUSED_PAIRS.of(image_set.version),
        alt="Pairs of classes that are confused, with the number of pictures",
    )
    st.caption("Tick a row to see the pictures of that pair, and untick it to see all suspects.")
    pair = pair_at(confused, event["selection"]["rows"])
    if pair is not None:
        st.caption(escape(f"{each_way(confused, pair)}."))
        _show_open_button(pair)
    return pair


def _show_open_button(pair: ClassPair) -> None:
    if st.button("See all pictures between the two on Explore", icon=":material/map:", key="labels.explore"):
        show_pair(pair)
        st.switch_page("pages/explore_page.py")


def pair_at(confused: pd.DataFrame, rows: Sequence[int]) -> ClassPair | None:
    """The pair in the first selected row; None if none is selected, or the table has become shorter since."""
    if not rows or rows[0] >= len(confused):
        return None
    row = confused.iloc[rows[0]]
    return str(row["class_a"]), str(row["class_b"])


def _as_shown(confused: pd.DataFrame) -> pd.DataFrame:
    """One row per pair, narrow enough to stand next to a gallery: its number of pictures first."""
    names = [f"{first} ↔ {second}" for first, second in zip(confused["class_a"], confused["class_b"], strict=True)]
    return pd.DataFrame({"pictures": confused["pictures"].to_numpy(), "Classes": names})


def each_way(confused: pd.DataFrame, pair: ClassPair) -> str:
    """How many of each class look like the other: "6 (50%) of orange look like lime, 1 (8%) the other way"."""
    row = confused[(confused["class_a"] == pair[0]) & (confused["class_b"] == pair[1])].iloc[0]
    there, back = (f"{row[name]:,} ({row[f'{name}_share']:.0%})" for name in ("a_as_b", "b_as_a"))
    return f"{there} of {pair[0]} look like {pair[1]}, {back} the other way"


def show_actions(
    image_set: ImageSet, check: LabelCheck, rows: pd.DataFrame, *, pair: ClassPair | None, label: str | None
) -> None:
    """The count of suspects (of the class `label`) or of a pair, their review, and the acceptance of all of them."""
    if pair is None:
        words = f"**{len(rows):,}** of {len(check.suspects):,} suspects"
        words += ", the ambiguous not counted" if len(rows) == len(check.suspects) and check.count(AMBIGUOUS) else ""
    else:
        words = f"**{len(rows):,}** pictures that look like the other class"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(words, width="content")
        if pair is not None:
            st.text(f"{pair[0]} ↔ {pair[1]}", width="content")  # not Markdown: names may contain markup
        _show_review_button(rows, pair, label)
        _show_accept(image_set, rows, key="labels.accept")
        show_undo(image_set, key="labels")
        download_table("Relabel list (CSV)", rows, file_name=f"{image_set.root.name}-suspects.csv", key="labels.csv")


def show_suspects(image_set: ImageSet, check: LabelCheck, rows: pd.DataFrame) -> int | None:
    """The gallery of suspects; return the id of a picture that was clicked."""
    with one_page(rows, lambda pages: SUSPECTS_PAGE.of(pages, len(rows)), size=TILES_PER_PAGE) as page:
        return show_gallery(
            tiles(with_decisions(page, image_set), set_id=image_set.set_id),
            key=SUSPECTS.of(image_set.set_id),
            empty="No suspects of this kind and class." if len(check.suspects) else "No suspects.",
            handle=partial(handle_gallery_actions, image_set),
        )


def _show_review_button(rows: pd.DataFrame, pair: ClassPair | None, label: str | None) -> None:
    filters = () if label is None else (OneOf("label", (label,)),)
    spec = ReviewSpec("suspects", Scope(filters=filters))
    if pair is not None:
        spec = ReviewSpec(AMBIGUITY.name, Scope(filters=between_filters(pair)))
    if st.button("Review", type="primary", icon=":material/rate_review:", key="labels.review", disabled=rows.empty):
        go_to_review(spec)


def _show_accept(image_set: ImageSet, rows: pd.DataFrame, *, key: str) -> None:
    """Give all pictures shown here the class that is suggested, once the count was seen."""
    with_suggestion = rows[rows["suggested"].notna()]
    count, mistakes = len(with_suggestion), round(float((1 - with_suggestion["share"]).sum()))
    labels = dict(zip(with_suggestion["id"].tolist(), with_suggestion["suggested"].astype(str), strict=True))
    with st.popover("Accept suggestions", icon=":material/done_all:", disabled=not count):
        st.markdown(
            f"**{count:,}** of the {len(rows):,} pictures shown here have a suggested class; about **{mistakes:,}** of "
            "these suggestions would be wrong. Files stay where they are, and the original labels are kept. One undo "
            "reverts all of it."
        )
        st.button(
            f"Label {count:,} pictures as suggested",
            type="primary",
            key=key,
            on_click=with_toast(lambda: image_set.labels.correct(labels, who=user_name()).sentence),
        )


def with_decisions(rows: pd.DataFrame, image_set: ImageSet) -> pd.DataFrame:
    """Suspects with their decisions as they are now, None for none."""
    decided = image_set.table().set_index("id")["decision"]
    values = decided.reindex(rows["id"]).to_numpy(dtype=object)  # as a series: else pandas makes nan of None
    return rows.assign(decision=pd.Series(values, index=rows.index, dtype=object))


def tiles(rows: pd.DataFrame, *, set_id: str) -> tuple[Tile, ...]:
    """Suspects as tiles: label, suggested label, how likely the label is wrong, and support among the neighbours."""
    return tuple(_tile(row, set_id) for row in rows.to_dict("records"))


def _tile(row: Mapping[Hashable, Any], set_id: str) -> Tile:
    has_other = isinstance(row["suggested"], str)
    return tile_of(
        row,
        set_id=set_id,
        value=f"{percent(row['wrong'])} wrong",
        detail=f"{percent(row['wrong'])} likely wrong"
        + (f"; {row['support']} of {row['neighbours']} neighbours are {row['suggested']}" if has_other else ""),
        label=f"{row['label']} → {row['suggested']}" if has_other else str(row["label"]),
        mark=_MARKS.get(row["kind"]),
        decision=row.get("decision"),
    )
