"""Export buttons: an HTML report, and data sets for FiftyOne and Hugging Face, zipped or written by a job."""

import io
import tempfile
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from url_viz.export.data_sets import DATA_SETS, Program, programs_of
from url_viz.export.report import report_html
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, latest_job, why_it_failed
from url_viz.jobs.kinds import EXPORT, start_export
from url_viz.ui.text import show_error
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.download import download
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.jobs import show_progress, show_result

MOST_ZIPPED = 500
"""Pictures in a download at most, which is made in memory; more are written to a folder, by a job."""
TICK_S = 1.0


def show_export_buttons(image_set: ImageSet, rows: pd.DataFrame) -> None:
    """Downloads of the pictures in `rows` (rows of the set's table), each created on request."""
    count, programs = len(rows), programs_of(image_set)
    is_all = count == len(image_set)
    sizes = {name: len(image_set) if program.is_always_whole else count for name, program in programs.items()}
    st.caption("For anyone: one HTML file with map, galleries and figures, also offline.")
    with st.container(horizontal=True, gap="small"):
        download(
            "Report",
            lambda: report_html(image_set, ids=None if is_all else rows["id"].tolist()).encode("utf-8"),
            file_name=f"{image_set.root.name}-report.html",
            key="share.report",
            icon=":material/description:",
            disabled=not count,
        )
        for program in (name for name, size in sizes.items() if 0 < size <= MOST_ZIPPED):
            _show_zip(image_set, rows["id"].tolist(), program)
    if many := [name for name, size in sizes.items() if size > MOST_ZIPPED]:
        _show_jobs(image_set, None if is_all else rows["id"].tolist(), many)


def _show_zip(image_set: ImageSet, ids: list[int], program: Program) -> None:
    download(
        DATA_SETS[program].title,
        lambda: zip_of(image_set, ids, program=program),
        file_name=f"{image_set.root.name}-{program}.zip",
        key=f"share.{program}",
        icon=":material/folder_zip:",
        help_text="A zip with the pictures and all their values",
    )


def zip_of(image_set: ImageSet, ids: list[int], *, program: Program) -> bytes:
    """A data set of these pictures for a program, as a zip with one folder."""
    file = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / program
        data_set = DATA_SETS[program]
        data_set.write(image_set, folder, ids=None if data_set.is_always_whole else ids, how="copy")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, strict_timestamps=False) as packed:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    packed.write(path, path.relative_to(temporary).as_posix())
    return file.getvalue()


def _show_jobs(image_set: ImageSet, ids: list[int] | None, programs: Sequence[Program]) -> None:
    """Buttons that write pictures (None: all) to a folder of this machine, and how far the latest is."""
    st.caption(f"As a data set: over {MOST_ZIPPED:,} pictures go to a new folder on the machine that runs URL-Viz.")
    is_copied = st.checkbox(
        "Copy the pictures", key="share.copy", help="With copies the folder can be moved; without, it holds links"
    )
    with st.container(horizontal=True, gap="small"):
        for program in programs:
            data_set = DATA_SETS[program]
            start = partial(
                start_export,
                image_set,
                program=program,
                ids=None if data_set.is_always_whole else ids,
                how="copy" if is_copied else "link",
                name=set_name(image_set.root),
            )
            act_button(data_set.title, start, icon=":material/drive_folder_upload:", key=f"share.{program}.job")
    if (job := latest_job(image_set.workspace, kind=EXPORT.name, set_id=image_set.set_id)) is not None:
        is_live = job.status().is_live
        st.fragment(_show_latest, run_every=TICK_S if is_live else None)(job, was_live=is_live)


def _show_latest(job: Job, *, was_live: bool) -> None:
    status = job.status()
    if status.is_live:
        show_progress(job)
    elif was_live:
        st.rerun()  # what asks every second ends with this run of the page
    elif not show_result(job, status) and status.state is not JobState.SUCCEEDED:
        show_error(f"Nothing was written. {why_it_failed(job)}")
