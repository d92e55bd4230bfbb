"""Export, a popover of Explore: which pictures, as what, with its choices, and one button."""

import io
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import pandas as pd
import streamlit as st

from url_viz.base.wording import command
from url_viz.columns.measures import measure_title
from url_viz.export.data_sets import DATA_SETS, Program, dropped_in_words, possible_programs, title_for
from url_viz.export.figure import PICTURE_FORMATS, map_figure_file
from url_viz.export.folders import BY_LABEL, sort_into_folders
from url_viz.export.picture_files import How
from url_viz.export.report import report_html
from url_viz.export.selection import leaving, selection_file
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, latest_job, why_it_failed
from url_viz.jobs.kinds import EXPORT, start_export, takes_how
from url_viz.labels.label_choice import relabelled
from url_viz.ui.auth import allowed, proposed_folder
from url_viz.ui.explore.controls import VALUE, default_measure
from url_viz.ui.explore.pick_pictures import show_choose_button
from url_viz.ui.explore.view import EXPORT_PANEL, view
from url_viz.ui.menu import go_to
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.widgets.buttons import act_button, download, offered, popover_key
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.jobs import show_progress, show_result
from url_viz.ui.widgets.open_folder import offer_to_write

_TITLES = {"decision": Markdown("Decision"), BY_LABEL: Markdown("Corrected class")}
MOST_COPIED = 2000
"""Above this many copies the page shows the command instead, because copying would block it."""
MOST_ZIPPED = 500
"""Most pictures in a download, which is made in memory; more are written to a folder, by a job."""
TICK_S = 1.0
WORDS = "Export"
"""Of the one button."""
WIDTH_PX = 430

FIGURE = (
    "The pictures and colours of the map, drawn as in the paper: clear ones small and crisp, ambiguous ones large and "
    "faint."
)
FileKind = Literal[".csv", ".parquet", ".txt"]
_FILES: dict[FileKind, Markdown] = {
    ".csv": Markdown("CSV"),
    ".parquet": Markdown("Parquet"),
    ".txt": Markdown("List of paths"),
}


@dataclass(frozen=True)
class Leaves:
    """What is exported: `rows` of the set's `table`, both with the places that the map shows."""

    image_set: ImageSet
    table: pd.DataFrame
    rows: pd.DataFrame

    @property
    def ids(self) -> list[int] | None:
        """None for the whole set."""
        return None if len(self.rows) == len(self.image_set) else self.rows["id"].tolist()

    def without_dropped(self) -> "Leaves":
        """These without dropped pictures, said in words, unless they are asked for or there are no others."""
        is_dropped = (self.rows["decision"] == "drop").to_numpy(bool)
        dropped, words = int(is_dropped.sum()), st.empty()
        with_dropped = bool(dropped) and (
            bool(is_dropped.all()) or st.checkbox(f"With the {dropped:,} dropped", key="export.with_dropped")
        )
        leaves = leaving(self.rows, whole=len(self.table), with_dropped=with_dropped)
        words.caption(escape(leaves.words))
        return Leaves(self.image_set, self.table, leaves.rows)

    def named(self, ending: str) -> str:
        """The name of a file to download."""
        return f"{self.image_set.root.name}{ending}"


@dataclass(frozen=True)
class Kind:
    """A kind of export: what it is, in a line or "", and what draws its choices and its button."""

    title: Markdown
    about: str
    show: Callable[[Leaves], None]


def go_to_export() -> None:
    """Show Explore with the panel open, which begins with corrected classes; for callbacks of other pages."""
    popover_key(EXPORT_PANEL).set(True)  # its widget is on no page that a browser shows now
    go_to("explore")


def corrected_in_words(image_set: ImageSet) -> str:
    """The words of a button that leads to the export of corrected classes: "Export class folders, 9 corrected"."""
    if image_set.is_of_objects:
        title = title_for(image_set, "annotations")
        return f"Export {title[:1].lower()}{title[1:]}"
    corrected = int(relabelled(image_set.table()).sum())
    return f"Export class folders, {corrected:,} corrected"


def show_export(image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Exports of the pictures in `rows` of the set's table, or of all, each made on request."""
    kinds = kinds_of(image_set)
    with st.container(width=WIDTH_PX, gap="small"):
        leaves = _pick_leaves(image_set, table, rows)
        picked = st.radio(
            "As",
            list(kinds),
            format_func=lambda kind: escape(kinds[kind].title),
            label_visibility="collapsed",
            key="export.as",
        )
        kind = kinds[picked if picked in kinds else next(iter(kinds))]
        if kind.about:
            st.caption(escape(image_set.core.in_words(kind.about)))
        kind.show(leaves)
        _show_job(image_set)


def _show_job(image_set: ImageSet) -> None:
    """The latest data set that a job writes, or has written."""
    if (job := latest_job(image_set.workspace, kind=EXPORT.name, set_id=image_set.set_id)) is not None:
        is_live = job.status().is_live
        st.fragment(_show_latest, run_every=TICK_S if is_live else None)(job, was_live=is_live)


def kinds_of(image_set: ImageSet) -> dict[str, Kind]:
    """The kinds of export of a set, by their names; what trains on corrected classes comes first."""
    corrected = int(relabelled(image_set.table()).sum())
    folders = f"Class folders · {corrected:,} corrected" if corrected else "Folders"
    kinds = {"folders": Kind(Markdown(escape(folders)), "Sorted by class, decision or order.", show_sort)}
    if image_set.is_of_objects:
        about = "Your own files again, with corrected classes and without dropped objects; always the whole set."
        title = Markdown(escape(title_for(image_set, "annotations")))
        kinds = {"annotations": Kind(title, about, show_annotations), **kinds}
    return kinds | {
        "table": Kind(Markdown("Table"), "A row per picture with all values, most ambiguous first.", show_table),
        "program": Kind(Markdown("Data set for a program"), "", show_program),
        "report": Kind(
            Markdown("Report"), "One HTML file with map, galleries and figures, that opens anywhere.", show_report
        ),
        "figure": Kind(Markdown("Figure for a paper"), FIGURE, show_figure_form),
    }


def _pick_leaves(image_set: ImageSet, table: pd.DataFrame, rows: pd.DataFrame) -> Leaves:
    """These pictures or all, where they are some; and a way to pick some that cover them."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        chosen = rows
        if 0 < len(rows) < len(table):
            is_all = st.segmented_control(
                "Pictures",
                [False, True],
                default=False,
                required=True,
                format_func=lambda is_all: escape(f"All {len(table):,}" if is_all else f"These {len(rows):,}"),
                label_visibility="collapsed",
                key="export.all",
            )
            chosen = table if is_all else rows
        show_choose_button(image_set, chosen["id"].tolist())
    return Leaves(image_set, table, chosen)


def show_sort(leaves: Leaves) -> None:
    """The criterion, links or copies, and the folder that pictures are sorted into."""
    image_set, table = leaves.image_set, leaves.rows
    left, right = st.columns(2, vertical_alignment="bottom")
    by = left.selectbox(
        "By",
        _criteria(image_set, table),
        format_func=lambda name: _TITLES.get(name) or escape(measure_title(name)),
        key="export.by",
    )
    with right:
        how: How = "copy" if image_set.is_of_objects else _pick_how()
    undecided, threshold = False, 90.0
    if by == "decision":
        undecided = st.toggle("Also those without a decision", key="export.undecided")
    elif by != BY_LABEL:
        threshold = float(st.slider("Ambiguous from this percentile up", 0, 100, 90, key="export.threshold"))
    proposed = proposed_folder(image_set.folder, f"{image_set.folder.name}-sorted")
    about = "A new or empty folder, or one from an earlier export. Nothing is overwritten or removed."
    out = st.text_input("Folder", value=str(proposed), key="export.out", help=about)
    must_allow = offer_to_write(Path(out.strip()), key="export.out")
    count = int(table["decision"].notna().sum()) if by == "decision" and not undecided else len(table)
    if how == "copy" and count > MOST_COPIED:
        st.info(f"To make {count:,} copies, use the command line:", icon=":material/terminal:")
        st.code(_command(image_set, out, by=by, threshold=threshold, undecided=undecided), language="bash")
        return

    def sort() -> str:
        folder = allowed(Path(out.strip()))
        with st.spinner("Exporting"):
            done = sort_into_folders(
                image_set,
                folder,
                by=by,
                how=how,
                threshold=threshold,
                undecided=undecided,
                ids=leaves.ids,
            )
        return " ".join(done.words)

    is_off = must_allow or not out.strip() or not count
    act_button(WORDS, sort, type="primary", key="export.folders", disabled=is_off)


def _criteria(image_set: ImageSet, rows: pd.DataFrame) -> list[str]:
    """What can sort the rows: decisions first where they are all that was done, else classes where there are any."""
    by_label = [BY_LABEL] if rows["label"].notna().any() else []
    has_corrected = bool(relabelled(rows).any())
    if rows["decision"].notna().any():
        return (
            [*by_label, "decision", *offered(image_set)]
            if has_corrected
            else ["decision", *by_label, *offered(image_set)]
        )
    return [*by_label, *offered(image_set), "decision"]


def _pick_how() -> How:
    how: How = st.segmented_control(
        "As",
        ["link", "copy"],
        default="link",
        required=True,
        format_func=lambda name: "Links" if name == "link" else "Copies",
        label_visibility="collapsed",
        key="export.how",
    )
    return how


def _command(image_set: ImageSet, out: str, *, by: str, threshold: float, undecided: bool) -> str:
    words = ["export", "folders", str(image_set.root), out, "--by", by, "--how", "copy"]
    words += ["--undecided"] if undecided else []
    words += [] if by in _TITLES else ["--threshold", f"{threshold:g}"]
    return command(*words, "--model", image_set.source.name)


def show_table(leaves: Leaves) -> None:
    """A table of the pictures, or a list of their paths."""
    leaves = leaves.without_dropped()
    ending = st.segmented_control(
        "File",
        list(_FILES),
        default=".csv",
        required=True,
        format_func=lambda ending: escape(_FILES[ending]),
        label_visibility="collapsed",
        key="export.file",
    )
    make = partial(selection_file, leaves.image_set, leaves.rows, ending)
    _download(leaves, "table", make, ending)


def show_report(leaves: Leaves) -> None:
    """One file for people."""
    leaves = leaves.without_dropped()
    _download(leaves, "report", lambda: report_html(leaves.image_set, ids=leaves.ids).encode("utf-8"), "-report.html")


def show_figure_form(leaves: Leaves) -> None:
    """The map in the view's order, colour and names, in the style of the paper."""
    now, image_set = view(), leaves.image_set
    by = next((name for name in (now.measure, default_measure(image_set)) if name in leaves.table), None)
    if by is None or not leaves.rows["x"].notna().any():
        st.caption("There is no map of these pictures yet.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        ending = st.segmented_control(
            "File",
            list(PICTURE_FORMATS),
            default=PICTURE_FORMATS[0],
            required=True,
            format_func=lambda ending: escape(ending[1:].upper()),
            label_visibility="collapsed",
            key="export.figure.file",
        )
        with_names = st.toggle("Names", now.names, key="export.figure.names")
    colour = by if now.colour == VALUE or now.colour not in leaves.table else now.colour
    draw = partial(map_figure_file, leaves.table, ending, by=by, ids=leaves.ids, colour=colour, with_names=with_names)
    _download(leaves, "figure", draw, f"-map{ending}")


def show_annotations(leaves: Leaves) -> None:
    """The annotation files again."""
    _show_data_set(leaves, "annotations")


def show_program(leaves: Leaves) -> None:
    """A data set for one of the programs that can take the set."""
    possible = [name for name in possible_programs(leaves.image_set) if name != "annotations"]
    program = st.selectbox(
        "Program",
        possible,
        format_func=lambda name: escape(title_for(leaves.image_set, name)),
        label_visibility="collapsed",
        key="export.program",
    )
    st.caption(escape(DATA_SETS[program].for_whom))
    _show_data_set(leaves.without_dropped(), program)


def _show_data_set(leaves: Leaves, program: Program) -> None:
    """The button of a data set: a download, or a job where the pictures are many."""
    image_set, data_set = leaves.image_set, DATA_SETS[program]
    ids = None if data_set.is_always_whole else leaves.ids
    if words := dropped_in_words(image_set, program):
        st.caption(escape(words))
    size = len(image_set) if ids is None else len(ids)
    if size <= MOST_ZIPPED:
        make = partial(zip_chosen, image_set, ids, program=program)
        _download(leaves, program, make, f"-{program}.zip", disabled=not size)
        return
    how: How = _pick_how() if takes_how(program) else "link"
    words = f"Over {MOST_ZIPPED:,} pictures go to a new folder on the machine that runs URL-Viz."
    st.caption(escape(image_set.core.in_words(words)))
    start = partial(start_export, image_set, program=program, ids=ids, how=how, name=set_name(image_set.root))
    act_button(WORDS, start, type="primary", key=f"export.{program}.job")


def _download(
    leaves: Leaves, kind: str, make: Callable[[], bytes], ending: str, *, disabled: bool | None = None
) -> None:
    is_off = leaves.rows.empty if disabled is None else disabled
    download(WORDS, make, file_name=leaves.named(ending), key=f"export.{kind}", is_primary=True, disabled=is_off)


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
