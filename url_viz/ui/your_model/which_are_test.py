"""Part of the Your model page: which pictures are test, and which are also in another folder."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
import streamlit as st

from url_viz.analysis.findings.leaks import COPY, EXACT, SCENE, Splits
from url_viz.analysis.scope import ReviewSpec, Scope
from url_viz.analysis.shown_words import title_of_column
from url_viz.errors import UrlVizError
from url_viz.escaping import command
from url_viz.export.table_files import table_bytes
from url_viz.image_set import ImageSet
from url_viz.store.columns.object_columns import PICTURE
from url_viz.ui.open_sets import open_sets
from url_viz.ui.review.review_address import go_to_review
from url_viz.ui.session import Key
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.download import download
from url_viz.ui.widgets.embed_job import titles
from url_viz.wording import counted

LEAKS_AGAINST: Key[str | None] = Key("view.leaks.against")
"""The id of the image set that this one is compared with."""
KINDS = {EXACT: "the same file", COPY: "a copy", SCENE: "another view"}
MOST_ROWS = 50_000
"""Pictures of both sets that a page compares while one waits; more take the command."""


def show_splits(image_set: ImageSet) -> None:
    """Which pictures are test, or a form that says so: copies between splits are then a finding."""
    splits = image_set.splits.get()
    if splits is not None:
        leaks, found = image_set.splits.leaks(), image_set.splits.findings()
        outcome = "no copies between them" if leaks is None or leaks.empty else "every leak is decided on"
        if found:
            outcome = f"{'; '.join(each.words for each in found)}: see Explore"
        counts = ", ".join(_sizes(image_set, splits))
        st.caption(escape(f"Splits by {splits.column}: {counts}; {outcome}."))
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
    """Each split and how many pictures it has, of objects, too: "train 561"."""
    pictures = image_set.table()[PICTURE if image_set.is_of_objects else "id"]
    for number, name in enumerate(splits.names):
        yield f"{name} {pictures[splits.is_in[:, number]].nunique():,}"


def _ask_which_are_test(image_set: ImageSet) -> None:
    st.caption("Then copies and views of one picture in both are found, and named on Explore.")
    test = st.text_input("A pattern of their paths or names", key="splits.test", placeholder="test_*")
    columns = image_set.splits.columns()
    column = st.selectbox("Or a column", columns, index=None, format_func=title_of_column, key="splits.column")
    tell = partial(image_set.splits.tell, test=test.strip() or None, column=column)
    if act_button("Use these splits", tell, key="splits.tell", disabled=not test.strip() and column is None):
        st.rerun()


def _compare_with_another(image_set: ImageSet) -> None:
    """Another image set, a folder of test pictures say, and the pictures of this one that are in it, too."""
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
        st.code(command("leakage", image_set.root, "--against", other.root), language="bash")
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
