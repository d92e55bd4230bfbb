"""Exports of sorted uploads: the ranking as CSV, a sorted zip, and copies in a folder of an image set."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.export.table_files import table_bytes
from url_viz.image_set import ImageSet
from url_viz.imaging.uploaded_files import Incoming, copy_into, sorted_zip
from url_viz.ui.allowed_paths import allowed, roots
from url_viz.ui.session import SetChoice
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.upload.batch import UploadBatch
from url_viz.ui.upload.page import SortedUploads
from url_viz.ui.widgets.download import download
from url_viz.ui.widgets.embed_job import open_folder

FOLDER_NAME = "uploads"


def show_exports(batch: UploadBatch, done: SortedUploads, now: SetChoice, image_set: ImageSet | None) -> None:
    """Two downloads, created on request, and a popover that adds the pictures to a folder."""
    download(
        "Ranking (CSV)",
        lambda: ranking_csv(done),
        file_name="uploads-ranking.csv",
        key="upload.csv",
        icon=":material/table:",
    )
    download(
        "Sorted zip",
        lambda: zip_of(batch, done),
        file_name="uploads-sorted.zip",
        key="upload.zip",
        icon=":material/folder_zip:",
    )
    with st.popover("Add to a folder", icon=":material/create_new_folder:"):
        _show_add(batch, done, now, image_set)


def ranking_csv(done: SortedUploads) -> bytes:
    """Every upload, most ambiguous first, with its side and all values; those without a value last."""
    parts = [("ambiguous", done.ambiguous), ("clear", done.clear.iloc[::-1]), ("no value", done.unknown)]
    table = pd.concat([rows.assign(side=side) for side, rows in parts if len(rows)] or [done.unknown.assign(side="")])
    named = table.drop(columns=["id", "rank_percentile"]).rename(columns={"path": "name"})
    front = ["name", "side"]
    return table_bytes(named[[*front, *(c for c in named.columns if c not in front)]], ".csv")


def zip_of(batch: UploadBatch, done: SortedUploads) -> bytes:
    """A zip with `ambiguous/`, `clear/` and the ranking; uploads without a value are in `no-value/`."""
    folders = {"ambiguous": _files(batch, done.ambiguous), "clear": _files(batch, done.clear)}
    if len(done.unknown):
        folders["no-value"] = _files(batch, done.unknown)
    return sorted_zip(folders, top_level={"ranking.csv": ranking_csv(done)})


def _show_add(batch: UploadBatch, done: SortedUploads, now: SetChoice, image_set: ImageSet | None) -> None:
    st.caption("Copies pictures into a folder, except those you dropped, and reads it. Nothing there is overwritten.")
    sides = {"Clear": done.clear, "Ambiguous": done.ambiguous, "All": pd.concat([done.ambiguous, done.clear])}
    choices = {name: rows[rows["decision"] != "drop"] for name, rows in sides.items()}
    side = st.segmented_control(
        "Which",
        list(choices),
        default="Clear",
        required=True,
        format_func=lambda name: f"{escape(name)} ({len(choices[name]):,})",
        key="upload.kept",
    )
    typed = st.text_input("Folder", value=str(suggested_folder(image_set)), key="upload.folder", help=_help_on_roots())
    rows = choices[side]
    if st.button("Copy and read", type="primary", key="upload.add", disabled=not len(rows)):
        try:
            count = add_to(Path(typed), _files(batch, rows), now, image_set)
        except UrlVizError as error:
            show_error(error)
        else:
            st.success(
                f"{count:,} pictures copied. They are being read; see the Explore page.", icon=":material/check:"
            )


def add_to(typed: Path, files: Sequence[Incoming], now: SetChoice, image_set: ImageSet | None) -> int:
    """Copy files into a folder inside the allowed roots, start reading it, and return how many are new there.

    If the folder is inside the open image set, that set is read again; else the folder becomes an image set.
    """
    folder = allowed(typed)
    is_inside = image_set is not None and folder.is_relative_to(image_set.root)
    copies = copy_into(folder, files)
    if image_set is not None and is_inside:
        open_folder(image_set.root, model=now.model, also=image_set.second.name)
    else:
        open_folder(folder, model=now.model)
    return len(copies.written)


def suggested_folder(image_set: ImageSet | None) -> Path:
    """A new folder in the open image set if that is inside the allowed roots, else in the first allowed root."""
    base = next(iter(roots()), Path.home())
    if image_set is not None and any(image_set.root.is_relative_to(root) for root in roots()):
        base = image_set.root
    return base / FOLDER_NAME


def _files(batch: UploadBatch, rows: pd.DataFrame) -> list[Incoming]:
    return [batch.files[int(number)] for number in rows["id"]]


def _help_on_roots() -> Markdown:
    return Markdown(f"Inside {escape(', '.join(map(str, roots())))} (\\$URL_VIZ_ROOTS).")
