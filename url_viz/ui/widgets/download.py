"""Downloads on pages: made on request, without running the page again."""

from collections.abc import Callable, Sequence
from mimetypes import guess_type
from pathlib import PurePath

import pandas as pd
import streamlit as st

from url_viz.errors import FolderError
from url_viz.export.folders import paths_text
from url_viz.export.table_files import table_bytes
from url_viz.image_set import ImageSet
from url_viz.ui.text import Markdown, escape

PARQUET_MIME = "application/vnd.apache.parquet"


def download(
    words: str,
    make: Callable[[], bytes],
    *,
    file_name: str,
    key: str,
    icon: str | None = None,
    is_quiet: bool = False,
    disabled: bool = False,
    help_text: str | None = None,
) -> None:
    """A button that downloads what `make` gives; its kind follows from the file's extension. `is_quiet`: no frame."""
    is_parquet = PurePath(file_name).suffix == ".parquet"
    st.download_button(
        escape(words),
        data=make,
        file_name=file_name,
        mime=PARQUET_MIME if is_parquet else guess_type(file_name)[0],
        icon=icon,
        type="tertiary" if is_quiet else "secondary",
        on_click="ignore",
        key=key,
        disabled=disabled,
        help=None if help_text is None else Markdown(escape(help_text)),
    )


def download_paths(image_set: ImageSet, ids: Sequence[int], *, name: str, key: str) -> None:
    """A button that downloads the list of the paths of pictures; `name` is the end of the file's."""
    download(
        "List of paths",
        lambda: _paths(image_set, ids),
        file_name=f"{image_set.root.name}-{name}.txt",
        key=key,
        help_text="Paths of these pictures, one per line (separated by NUL if a name contains a line break)",
    )


def _paths(image_set: ImageSet, ids: Sequence[int]) -> bytes:
    try:
        return paths_text(image_set, ids)
    except FolderError:
        return paths_text(image_set, ids, nul=True)


def download_table(words: str, table: pd.DataFrame, *, file_name: str, key: str, is_quiet: bool = True) -> None:
    """A button that downloads a table as CSV or Parquet, by the file's extension; nothing to press for an empty one."""
    kind = PurePath(file_name).suffix
    icon = ":material/download:" if is_quiet else None
    download(
        words,
        lambda: table_bytes(table, kind),
        file_name=file_name,
        key=key,
        icon=icon,
        is_quiet=is_quiet,
        disabled=table.empty,
    )
