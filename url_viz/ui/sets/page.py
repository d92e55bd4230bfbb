"""Parts of the Image sets page: disk use of each image set, and renaming, moving, compacting and forgetting it."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.jobs.forgetting import forget_plan, forget_set
from url_viz.roots import is_in_bucket
from url_viz.store.about import About, sets_with_pictures
from url_viz.store.sets import DAMAGED, compact, disk_use, drop_model, list_sets, rename, repoint, skipped
from url_viz.ui.allowed_paths import allowed
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import SETS_RESULT, choice, choose
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.embed_job import running, set_title
from url_viz.workspace import Workspace


def show_sets() -> None:
    """The list of image sets, and below it the selected one."""
    known = dict(sets_with_pictures(Workspace.at()))
    table = list_sets(Workspace.at().root)
    if table.empty:
        st.info("No pictures have been read yet. Open a folder in the sidebar.", icon=":material/info:")
        return
    table["name"] = [
        set_title(known[one]) if one in known else name for one, name in zip(table["id"], table["name"], strict=True)
    ]
    table["state"] = [
        "being read" if running(set_id) else state for set_id, state in zip(table["id"], table["state"], strict=True)
    ]
    set_id = _picked(table)
    _show_result()
    is_damaged = bool((table["state"][table["id"] == set_id] == DAMAGED).any())
    if set_id in known:
        _show_one(set_id, known[set_id], is_damaged=is_damaged)
    else:
        _show_repair("FOLDER")


def _show_repair(folder: str) -> None:
    """How a damaged set of pictures in this folder is repaired."""
    st.error(
        "Some of what is stored of this image set is damaged. This command lays damaged files aside and restores what "
        "it can; the pictures are not touched.",
        icon=":material/broken_image:",
    )
    st.code(f"python -m url_viz mend {folder}", language="bash", wrap_lines=True)


def _picked(table: pd.DataFrame) -> str:
    """The list; return the id of the selected image set, by default the one that all pages show."""
    shown = st.dataframe(
        table.drop(columns="id"),
        hide_index=True,
        width="stretch",
        height="content",
        on_select="rerun",
        selection_mode="single-row",
        key="sets.list",
        alt="Image sets, with their folders and sizes",
        column_config={
            "name": "Image set",
            "folder": "Folder",
            "pictures": st.column_config.NumberColumn("Pictures", format="localized"),
            "failures": st.column_config.NumberColumn("Unreadable", format="localized"),
            "models": "Read with",
            "megabytes": st.column_config.NumberColumn("On disk", format="%.1f MB"),
            "state": "State",
        },
    )
    rows = shown.selection.rows
    ids = table["id"].tolist()
    if rows and rows[0] < len(ids):
        return str(ids[rows[0]])
    current = choice().set_id
    return current if current is not None and current in ids else str(ids[0])


def _show_one(set_id: str, about: About, *, is_damaged: bool) -> None:
    st.markdown(f"#### {escape(set_title(about))}")
    st.code(str(about.root), language=None, wrap_lines=True)
    if is_damaged:
        _show_repair(shlex.quote(str(about.root)))
    if not is_in_bucket(about.root) and not os.path.exists(about.root):
        st.warning("This folder no longer exists. If it was moved, enter its new location.", icon=":material/move:")
    if running(set_id) is not None:
        st.info("This image set is being read. You can change it afterwards.", icon=":material/hourglass_top:")
    left, right = st.columns(2, gap="large")
    with left:
        _show_use(about)
        for remark in about.remarks:
            st.info(escape(remark), icon=":material/info:")
    with right:
        _show_changes(set_id, about)


def _show_use(about: About) -> None:
    st.markdown("**On disk**")
    parts = disk_use(about.root, workspace=Workspace.at().root)
    st.dataframe(
        parts,
        hide_index=True,
        width="stretch",
        column_config={"part": "Part", "megabytes": st.column_config.NumberColumn("MB", format="%.2f")},
        alt="What the image set takes on disk",
    )
    passed_over = skipped(about.root, workspace=Workspace.at().root)
    if len(passed_over):
        st.markdown(f"**Skipped** · {passed_over['files'].sum():,} files that are not pictures (unknown extension)")
        st.dataframe(
            passed_over,
            hide_index=True,
            width="stretch",
            column_config={"extension": "Extension", "files": "Files"},
            alt="Files that are not pictures, by extension",
        )


def _show_changes(set_id: str, about: About) -> None:
    st.markdown("**Change**")
    with st.form(f"sets.rename.{set_id}", border=False):
        name = st.text_input(
            "Name", about.name, placeholder=set_title(about), help="Leave empty for the folder's name."
        )
        if st.form_submit_button("Rename", icon=":material/edit:"):
            _do(set_id, lambda: f"Renamed to “{rename(about.root, name, workspace=Workspace.at().root)}”.")
    with st.form(f"sets.move.{set_id}", border=False):
        help_text = "A sample of the pictures is compared first. Ids, decisions and embeddings are kept."
        moved = st.text_input("New location of the folder, if it was moved", str(about.root), help=help_text)
        if st.form_submit_button("Change location", icon=":material/drive_file_move:"):
            _do(set_id, lambda: _moved(about.root, moved))
    _show_slimming(set_id, about)
    root, name = shlex.quote(str(about.root)), f"{about.root.name or 'pictures'}.tar"
    with st.expander("Copy to another machine", icon=":material/local_shipping:"):
        st.code(f"python -m url_viz pack {root} {shlex.quote(name)}", language="bash", wrap_lines=True)
        st.caption("There, with the same pictures in FOLDER:")
        st.code(f"python -m url_viz unpack {shlex.quote(name)} --root FOLDER", language="bash", wrap_lines=True)
    if st.button("Forget this image set", icon=":material/delete:", key=f"sets.forget.{set_id}"):
        _ask_forget(set_id, about)


def _show_slimming(set_id: str, about: About) -> None:
    names = list(dict.fromkeys(space.backbone for space in about.spaces))
    if len(names) > 1:
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        model = left.selectbox("Remove the embeddings of", names, key=f"sets.model.{set_id}")
        if right.button("Remove", icon=":material/layers_clear:", key=f"sets.drop.{set_id}"):
            _do(set_id, lambda: f"{drop_model(about.root, model, workspace=Workspace.at().root):,.1f} MB freed.")
    help_text = "Merges many small files into larger ones, and removes data that is no longer used."
    if st.button("Compact", icon=":material/compress:", key=f"sets.compact.{set_id}", help=help_text):
        _do(set_id, lambda: f"{compact(about.root, workspace=Workspace.at().root):,.1f} MB freed.")


def _moved(old: Path, new: str) -> str:
    compared = repoint(old, allowed(Path(new)), workspace=Workspace.at().root)
    return f"The folder is now {new}: {compared.equal} of {compared.compared} compared pictures are the same."


@st.dialog("Forget this image set?")
def _ask_forget(set_id: str, about: About) -> None:
    st.code(str(about.root), language=None, wrap_lines=True)
    st.markdown(Markdown("\n\n".join(map(escape, forget_plan(about.root, workspace=Workspace.at().root).words))))
    yes, no = st.columns(2)
    if yes.button("Forget", type="primary", icon=":material/delete:", width="stretch", key="sets.forget_yes"):
        _do(set_id, lambda: _forgotten(set_id, about))
    if no.button("Cancel", width="stretch", key="sets.forget_no"):
        st.rerun()


def _forgotten(set_id: str, about: About) -> str:
    forget_set(about.root, workspace=Workspace.at().root)
    if choice().set_id == set_id:
        choose(None)
    return f"Forgot {about.root}. Its pictures were not touched."


def _do(set_id: str, act: Callable[[], str]) -> None:
    """Run `act` on an image set, drop the set from the cache, and show the result on the next run."""
    try:
        SETS_RESULT.set((True, act()))
    except UrlVizError as error:
        SETS_RESULT.set((False, str(error)))
    open_sets().forget(set_id)
    st.rerun()


def _show_result() -> None:
    result = SETS_RESULT.get()
    SETS_RESULT.clear()
    if result is None:
        return
    is_done, words = result
    if is_done:
        st.success(escape(words), icon=":material/check:")
    else:
        st.error(escape(words), icon=":material/error:")
