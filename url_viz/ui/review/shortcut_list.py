"""Shortcuts in a dialog: pictures of each class beside those of others, and the way to Explore."""

import html
from collections.abc import Sequence

import streamlit as st

from url_viz.base.wording import counted, percent
from url_viz.columns.filters import OneOf
from url_viz.drawing.tiles import thumbnail_url
from url_viz.findings.shortcuts import SHORTCUTS
from url_viz.image_set import ImageSet
from url_viz.ui.explore.view import change_view
from url_viz.ui.menu import go_to
from url_viz.ui.session import DIALOG
from url_viz.ui.text import escape

SHOWN, CLASSES_SHOWN = 5, 6
"""Pictures of a class, and as many of others; classes of a property."""
SIDE_PX = 56


def show_shortcuts(image_set: ImageSet) -> None:
    """Each property with the classes that it tells, and a button that shows their pictures alone on Explore."""
    found = image_set.shortcuts()
    if found is None:
        return
    st.caption(escape(SHORTCUTS.why))
    table = image_set.table()
    for name, rows in found.findings.groupby("property", sort=False):
        names = tuple(rows["label"])
        with st.container(horizontal=True, vertical_alignment="center"):
            [line] = found.words(rows)
            st.markdown(escape(f"{line}."), width="stretch")
            words = f"Show {counted(int(table['label'].isin(names).sum()), image_set.noun)}"
            icon, key = ":material/grid_view:", f"shortcuts.{name}"
            if st.button(escape(words), icon=icon, key=key, on_click=_show_classes, args=(names,)):
                st.rerun()  # the dialog is a part of the page, which its buttons do not run again
        others = table.loc[~table["label"].isin(names), "id"].tolist()
        for row in rows.head(CLASSES_SHOWN).to_dict("records"):
            of_class = table.loc[table["label"] == row["label"], "id"].tolist()
            pictures = _pictures(image_set, of_class), _pictures(image_set, others)
            figures = f" ({percent(row['right'])} right, chance {percent(row['chance'])})" if len(rows) > 1 else ""
            st.caption(escape(f"{row['label']}: {row['here']}; others: {row['others']}{figures}"))
            st.html(f'<div style="display: flex; flex-wrap: wrap; gap: .5rem 2rem">{"".join(pictures)}</div>')
        if len(rows) > CLASSES_SHOWN:
            st.caption(escape(f"And {counted(len(rows) - CLASSES_SHOWN, 'class')} more."))


def _show_classes(names: tuple[str, ...]) -> None:
    DIALOG.clear()
    change_view(polygon=None, cuts=(), filters=(OneOf("label", names),))
    go_to("explore")


def _pictures(image_set: ImageSet, ids: Sequence[int]) -> str:
    """Some pictures at even steps, whole."""
    side = f"width: {SIDE_PX}px; height: {SIDE_PX}px; object-fit: contain; background: #8884"
    shown = ids[:: max(1, len(ids) // SHOWN)][:SHOWN]
    addresses = (html.escape(str(thumbnail_url(image_set.set_id, image_id))) for image_id in shown)
    images = "".join(f'<img src="{address}" alt="" style="{side}">' for address in addresses)
    return f'<div style="display: flex; gap: 4px">{images}</div>'
