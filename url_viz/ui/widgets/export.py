"""Export buttons: an HTML report, and data sets for FiftyOne and Hugging Face."""

import io
import shlex
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from url_viz.export.fiftyone import write_fiftyone
from url_viz.export.files import Exported
from url_viz.export.hugging_face import write_image_folder
from url_viz.export.report import report_html
from url_viz.image_set import ImageSet
from url_viz.models.names import DEFAULT
from url_viz.ui.widgets.download import download

MOST_ZIPPED = 500
"""Pictures in a download at most; for more, the page shows the command, which writes links and needs no memory."""

_KINDS: dict[str, tuple[str, Callable[..., Exported]]] = {
    "fiftyone": ("FiftyOne", write_fiftyone),
    "huggingface": ("Hugging Face", write_image_folder),
}


def show_export_buttons(image_set: ImageSet, rows: pd.DataFrame) -> None:
    """Downloads of the pictures in `rows` (rows of the set's table), each created on request."""
    ids = rows["id"].tolist()
    selected = None if len(ids) == len(image_set) else ids
    with st.container(horizontal=True, gap="small"):
        download(
            "Report",
            lambda: report_html(image_set, ids=selected).encode("utf-8"),
            file_name=f"{image_set.root.name}-report.html",
            key="share.report",
            icon=":material/description:",
            disabled=not ids,
            help_text="One HTML file with map, galleries and figures; opens in any browser, also offline",
        )
        if 0 < len(ids) <= MOST_ZIPPED:
            for kind, (title, _) in _KINDS.items():
                _show_zip(image_set, ids, kind, title)
    if len(ids) > MOST_ZIPPED:
        st.caption(f"To export more than {MOST_ZIPPED:,} pictures for FiftyOne or Hugging Face, use the command line:")
        st.code(command_for(image_set), language="bash", wrap_lines=True)


def _show_zip(image_set: ImageSet, ids: list[int], kind: str, title: str) -> None:
    download(
        title,
        lambda: zip_of(image_set, ids, kind=kind),
        file_name=f"{image_set.root.name}-{kind}.zip",
        key=f"share.{kind}",
        icon=":material/folder_zip:",
        help_text="A zip with the pictures and all their values",
    )


def zip_of(image_set: ImageSet, ids: list[int], *, kind: str) -> bytes:
    """A data set of these pictures for "fiftyone" or "huggingface", as a zip with one folder."""
    _, write = _KINDS[kind]
    file = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / kind
        write(image_set, folder, ids=ids, how="copy")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    packed.write(path, path.relative_to(temporary).as_posix())
    return file.getvalue()


def command_for(image_set: ImageSet) -> str:
    """The command that exports an image set, ready to be pasted."""
    words = ["python", "-m", "url_viz", "share", str(image_set.root), "OUT", "--as", "fiftyone"]
    if image_set.source.name != DEFAULT:
        words += ["--model", image_set.source.name]
    return shlex.join(words)
