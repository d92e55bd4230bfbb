"""The dialog that adds columns from a file to an image set, and removes earlier ones."""

from functools import partial

import pandas as pd
import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.labels.set_columns import Prepared
from url_viz.store.columns.user_files import CSV_ENDINGS, JSON_ENDINGS, PARQUET_ENDINGS
from url_viz.ui.session import DIALOG, Key
from url_viz.ui.text import errors_shown, escape, show_error
from url_viz.ui.widgets.buttons import act_button

MATCHED_COLUMNS: "Key[tuple[tuple[object, ...], Prepared]]" = Key("own.matched")

MOST_MEGABYTES = 100
ROWS_SHOWN = 5
_ENDINGS = [ending.removeprefix(".") for ending in (*CSV_ENDINGS, *PARQUET_ENDINGS, *JSON_ENDINGS, ".npz")]


def _closed() -> None:
    DIALOG.clear()
    MATCHED_COLUMNS.clear()


@st.dialog("Add columns", width="large", on_dismiss=_closed)
def user_columns_dialog(image_set: ImageSet) -> None:
    """Add columns from a file, and remove earlier imports."""
    st.caption(
        "A table with one row per picture: a column of paths, and any columns of numbers or text. You can then filter, "
        "colour, order and export by them. Columns `logit_0`, `logit_1`, … become measures."
    )
    with errors_shown(st.error):
        _add(image_set)
        _show_imports(image_set)


def _add(image_set: ImageSet) -> None:
    dropped = st.file_uploader(
        "CSV, Parquet, JSON or NumPy file", type=_ENDINGS, key="own.file", max_upload_size=MOST_MEGABYTES
    )
    if dropped is None:
        return
    typed = st.text_input("Column with the paths", key="own.path_column", placeholder="detected by name")
    path_column = typed.strip() or None
    try:
        with st.spinner("Matching rows to pictures"):
            prepared = _matched(image_set, dropped, path_column, ())
    except UrlVizError as error:
        show_error(error)
        return
    first, *more = prepared.words
    st.success(escape(first), icon=":material/check_circle:")
    for sentence in more:
        st.caption(escape(sentence))
    columns = {name: column.values[:ROWS_SHOWN] for name, column in prepared.content.columns.items()}
    alt = "The first rows of the new columns"
    st.dataframe(pd.DataFrame(columns), hide_index=True, width="stretch", height="content", alt=alt)
    numeric = [name for name, column in prepared.names.items() if prepared.content.columns[column].kind == "numeric"]
    marked = st.multiselect(
        "Uncertainty columns",
        numeric,
        default=prepared.marked_in(image_set.columns.list()),
        key=f"own.uncertainties.{dropped.file_id}",
        placeholder="none",
        help="Columns that are higher for more ambiguous pictures. The page Model then shows how well they order.",
    )

    def keep() -> None:
        image_set.columns.keep(_matched(image_set, dropped, path_column, tuple(marked)))

    if act_button("Keep these columns", keep, type="primary", key="own.keep", icon=":material/check:"):
        st.rerun(scope="app")


def _matched(image_set: ImageSet, file: UploadedFile, path_column: str | None, marked: tuple[str, ...]) -> Prepared:
    """The file matched to the set, cached for the same file and options."""
    key = (file.file_id, path_column, marked, image_set.set_id, image_set.version)
    match = partial(image_set.columns.match, path_column=path_column, uncertainties=marked)
    return MATCHED_COLUMNS.get_for(key, lambda: match(IncomingFile(file.name, file.getvalue())))


def _show_imports(image_set: ImageSet) -> None:
    columns = image_set.columns.list()
    for source in dict.fromkeys(column.source for column in columns):
        mine = [column for column in columns if column.source == source]
        count = counted(max(column.known for column in mine), image_set.noun)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            names = ", ".join(column.name for column in mine)
            st.markdown(f"**{escape(source)}** · {escape(count)} · {escape(names)}")
            if mine[0].comes_with_pictures:
                st.caption("comes with the pictures", width="content")
                continue
            remove, key = partial(image_set.columns.remove, source), f"own.remove.{source}"
            if act_button("Remove", remove, icon=":material/delete:", key=key, type="tertiary"):
                st.rerun(scope="app")
