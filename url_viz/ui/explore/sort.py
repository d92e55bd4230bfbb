"""The form that sorts the pictures of an image set into folders, as links or copies."""

from functools import partial
from pathlib import Path

import streamlit as st

from url_viz.analysis.labels.label_choice import CORRECTED
from url_viz.analysis.measures import measure_title
from url_viz.escaping import command
from url_viz.export.folders import BY_LABEL, sort_into_folders
from url_viz.export.picture_files import How
from url_viz.image_set import ImageSet
from url_viz.ui.allowed_paths import allowed, proposed_folder
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.buttons import act_button
from url_viz.ui.widgets.measure_choice import offered
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
        how: How = "copy" if image_set.is_of_objects else _show_how(f"{key}.how")
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
            sort = partial(_sort, image_set, out, by=by, how=how, threshold=threshold, undecided=undecided)
            with st.container(key="sort_outcome"):  # `url_viz/ui/style.py` keeps it in sight
                act_button("Sort", sort, type="primary", key=f"{key}.sort", disabled=not out.strip() or not count)
            offer_to_write(Path(out.strip()), key=f"{key}.out")


def _show_how(key: str) -> How:
    how: How = st.segmented_control(
        "As",
        ["link", "copy"],
        default="link",
        required=True,
        format_func=lambda name: "Links" if name == "link" else "Copies",
        key=key,
    )
    return how


def _sort(image_set: ImageSet, out: str, *, by: str, how: How, threshold: float, undecided: bool) -> str:
    with st.spinner("Sorting"):
        done = sort_into_folders(
            image_set,
            allowed(Path(out.strip())),
            by=by,
            how=how,
            threshold_percentile=threshold,
            with_undecided=undecided,
        )
    return " ".join(done.words)


def _command(image_set: ImageSet, out: str, *, by: str, threshold: float, undecided: bool) -> str:
    words = ["sort", str(image_set.root), out, "--by", by, "--how", "copy"]
    words += ["--undecided"] if undecided else []
    words += [] if by in _TITLES else ["--threshold", f"{threshold:g}"]
    return command(*words, "--model", image_set.source.name)
