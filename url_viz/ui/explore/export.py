"""What Explore exports, and the form that sorts pictures into folders."""

import io
import tempfile
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePath

import pandas as pd
import streamlit as st

from url_viz.base.wording import command
from url_viz.columns.measures import measure_title
from url_viz.export.data_sets import DATA_SETS, Program, possible_programs, title_for
from url_viz.export.folders import BY_LABEL, sort_into_folders
from url_viz.export.picture_files import How
from url_viz.export.report import report_html
from url_viz.export.selection import Leaving, leading_first, leaving
from url_viz.export.table_files import table_bytes
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, latest_job, why_it_failed
from url_viz.jobs.kinds import EXPORT, start_export
from url_viz.labels.label_choice import CORRECTED
from url_viz.ui.auth import allowed, proposed_folder
from url_viz.ui.menu import go_to
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.widgets.buttons import act_button, download, download_paths, offered
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.jobs import show_progress, show_result
from url_viz.ui.widgets.open_folder import offer_to_write

_TITLES = {"decision": Markdown("Decision"), BY_LABEL: Markdown("Corrected class")}
MOST_COPIED = 2000
"""Above this many copies the page shows the command instead, because copying would block it."""


def show_sort(image_set: ImageSet, *, key: str, is_open: bool = False) -> None:
    """A folded form with the criterion, links or copies, the target folder, and a button that sorts.

    It opens on classes where some were corrected, else on decisions.
    """
    table = image_set.table()
    corrected = int((table["label_checked"] == CORRECTED).sum())
    words = f"Class folders · {corrected:,} corrected" if corrected else "Sort the set into folders"
    with st.expander(words, icon=":material/drive_file_move:", expanded=is_open):
        kinds = [BY_LABEL, "decision"] if corrected else ["decision", BY_LABEL]
        by = st.selectbox(
            "By",
            [*kinds, *offered(image_set)],
            format_func=lambda name: _TITLES.get(name) or escape(measure_title(name)),
            key=f"{key}.by",
        )
        threshold = 90.0
        if by == "decision":
            st.caption("Creates the folders keep/, drop/ and look-again/.")
            undecided = st.toggle("Also create undecided/", key=f"{key}.undecided")
        elif by == BY_LABEL:
            st.caption("Creates class folders with the classes as corrected, without dropped pictures.")
            undecided = False
        else:
            undecided = False
            threshold = float(st.slider("Ambiguous from this percentile up", 0, 100, 90, key=f"{key}.threshold"))
        how: How = "copy"
        if not image_set.is_of_objects:
            how = st.segmented_control(
                "As",
                ["link", "copy"],
                default="link",
                required=True,
                format_func=lambda name: "Links" if name == "link" else "Copies",
                key=f"{key}.how",
            )
        out = st.text_input(
            "Folder",
            value=str(proposed_folder(image_set.folder, f"{image_set.folder.name}-sorted")),
            key=f"{key}.out",
            help="A new or empty folder, or one from an earlier sort. Nothing is overwritten or removed.",
        )
        count = int(table["decision"].notna().sum()) if by == "decision" and not undecided else len(table)
        if how == "copy" and count > MOST_COPIED:
            st.info(f"To make {count:,} copies, use the command line:", icon=":material/terminal:")
            st.code(_command(image_set, out, by=by, threshold=threshold, undecided=undecided), language="bash")
        else:

            def sort() -> str:
                folder = allowed(Path(out.strip()))
                with st.spinner("Sorting"):
                    done = sort_into_folders(
                        image_set, folder, by=by, how=how, threshold_percentile=threshold, with_undecided=undecided
                    )
                return " ".join(done.words)

            with st.container(key="sort_outcome"):  # `url_viz/ui/style.py` keeps it in sight
                act_button("Sort", sort, type="primary", key=f"{key}.sort", disabled=not out.strip() or not count)
            offer_to_write(Path(out.strip()), key=f"{key}.out")


def _command(image_set: ImageSet, out: str, *, by: str, threshold: float, undecided: bool) -> str:
    words = ["sort", str(image_set.root), out, "--by", by, "--how", "copy"]
    words += ["--undecided"] if undecided else []
    words += [] if by in _TITLES else ["--threshold", f"{threshold:g}"]
    return command(*words, "--model", image_set.source.name)


EXPORT_PANEL: Key[bool] = Key("view.export")
"""Whether the panel is open."""
CORRECTED_FIRST: Key[bool] = Key("view.export_corrected")
"""Whether it was opened to export corrected classes."""

MOST_ZIPPED = 500
"""Most pictures in a download, which is made in memory; more are written to a folder, by a job."""
TICK_S = 1.0


def go_to_export() -> None:
    """Show Explore with the panel open at the export of corrected classes; for callbacks of other pages."""
    EXPORT_PANEL.set(True)  # its widget is on no page that a browser shows now
    CORRECTED_FIRST.set(True)
    go_to("explore")


def corrected_in_words(image_set: ImageSet) -> str:
    """The words of a button that leads to the export of corrected classes: "Export class folders, 9 corrected"."""
    if image_set.is_of_objects:
        title = title_for(image_set, "annotations")
        return f"Export {title[:1].lower()}{title[1:]}"
    corrected = int((image_set.table()["label_checked"] == CORRECTED).sum())
    return f"Export class folders, {corrected:,} corrected"


def show_export(image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Exports of the pictures in `rows` of the set's table, by whom they are for, each made on request."""

    def heading(words: str, about: str) -> None:
        st.header(escape(words), anchor=False, help=Markdown(escape(about)))

    leaves = _pick_leaving(table, rows)
    ids = None if len(leaves.rows) == len(image_set) else leaves.rows["id"].tolist()
    how: How = "link"
    if len(image_set if image_set.is_of_objects else leaves.rows) > MOST_ZIPPED:
        how = _pick_how()
    data_sets = partial(_show_data_sets, image_set, ids, count=len(leaves.rows), how=how)
    heading("For people", "One HTML file with map, galleries and figures, that opens anywhere, also offline.")
    download(
        "Report",
        lambda: report_html(image_set, ids=ids).encode("utf-8"),
        file_name=f"{image_set.root.name}-report.html",
        key="share.report",
        icon=":material/description:",
        disabled=leaves.rows.empty,
    )
    heading("Train", "With the classes as corrected, and without dropped pictures where so chosen.")
    is_led = bool(CORRECTED_FIRST.get()) and not image_set.is_of_objects
    show_sort(image_set, key="sort", is_open=is_led)
    with st.container(horizontal=True, gap="small"):
        data_sets(("annotations",))
        _show_table(image_set, "CSV", leaves.rows, "selection.csv")
    heading("Tools", "To go on in another program, with all values and the order.")
    with st.container(horizontal=True, gap="small"):
        data_sets(("cvat", "labelstudio", "fiftyone", "huggingface"))
    with st.expander("More", icon=":material/more_horiz:"):
        words = "Tables, one row per picture: path, class, size, all values and percentiles, map coordinates."
        st.caption(escape(image_set.core.in_words(words)))
        with st.container(horizontal=True, gap="small"):
            _show_table(image_set, "Parquet", leaves.rows, "selection.parquet")
            _show_table(image_set, "All as CSV", table, "all.csv")
            _show_table(image_set, "All as Parquet", table, "all.parquet")
            download_paths(image_set, leaves.rows["id"].tolist(), name="paths", key="download.paths")
        st.caption("Few large files for training, without dropped pictures.")
        with st.container(horizontal=True, gap="small"):
            data_sets(("webdataset", "parquet"))
    if (job := latest_job(image_set.workspace, kind=EXPORT.name, set_id=image_set.set_id)) is not None:
        is_live = job.status().is_live
        st.fragment(_show_latest, run_every=TICK_S if is_live else None)(job, was_live=is_live)


def _show_data_sets(
    image_set: ImageSet, ids: list[int] | None, programs: Sequence[Program], *, count: int, how: How
) -> None:
    """A button for each program that can take the set: a download, or a job where the pictures are many.

    `ids` are None for the whole set, else `count`; a job writes the pictures as `how` says.
    """
    possible = possible_programs(image_set)
    for program in (name for name in programs if name in possible):
        title, data_set = title_for(image_set, program), DATA_SETS[program]
        size = len(image_set) if data_set.is_always_whole else count
        if 0 < size <= MOST_ZIPPED:
            download(
                title,
                partial(zip_chosen, image_set, ids, program=program),
                file_name=f"{image_set.root.name}-{program}.zip",
                key=f"share.{program}",
                icon=":material/folder_zip:",
                help_text=f"{data_set.for_whom} A zip with the pictures and all their values.",
            )
        elif size:
            chosen = None if data_set.is_always_whole else ids
            name = set_name(image_set.root)
            start = partial(start_export, image_set, program=program, ids=chosen, how=how, name=name)
            icon, about = ":material/drive_folder_upload:", escape(data_set.for_whom)
            act_button(title, start, icon=icon, key=f"share.{program}.job", help=about)


def _pick_leaving(table: pd.DataFrame, rows: pd.DataFrame) -> Leaving:
    """The pictures that leave, in words, with a choice where dropped ones are among them."""
    is_dropped = (rows["decision"] == "drop").to_numpy(bool)
    dropped, words = int(is_dropped.sum()), st.empty()
    with_dropped = bool(dropped) and (
        is_dropped.all() or st.checkbox(f"With the {dropped:,} dropped", key="share.with_dropped")
    )
    leaves = leaving(rows, whole=len(table), with_dropped=bool(with_dropped))
    words.markdown(escape(leaves.words))
    return leaves


def _pick_how() -> How:
    is_copied = st.checkbox(
        "Copy the pictures", key="share.copy", help="With copies the folder can be moved; without, it holds links"
    )
    st.caption(f"Data sets of over {MOST_ZIPPED:,} pictures go to a new folder on the machine that runs URL-Viz.")
    return "copy" if is_copied else "link"


def _show_table(image_set: ImageSet, words: str, rows: pd.DataFrame, name: str) -> None:
    plain = rows.drop(columns=["rank_percentile"], errors="ignore")
    download(
        words,
        lambda: table_bytes(leading_first(image_set, plain), PurePath(name).suffix),
        file_name=f"{image_set.root.name}-{name}",
        key=f"download.{name}",
        disabled=rows.empty,
    )


def zip_chosen(image_set: ImageSet, ids: list[int] | None, *, program: Program) -> bytes:
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


def _show_latest(job: Job, *, was_live: bool) -> None:
    """The latest data set that a job writes, or its progress."""
    status = job.status()
    if status.is_live:
        show_progress(job)
    elif was_live:
        st.rerun()  # what asks every second ends with this run of the page
    elif not show_result(job, status) and status.state is not JobState.SUCCEEDED:
        show_error(f"Nothing was written. {why_it_failed(job)}")
