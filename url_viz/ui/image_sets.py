"""The image sets of the Settings page: the disk use of each, and renaming, moving, compacting and forgetting it."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.base.wording import command
from url_viz.base.workspace import Workspace, is_in_bucket
from url_viz.imaging.rendering import as_range
from url_viz.jobs.kinds import forget_plan, forget_set
from url_viz.store.about import About, sets_with_pictures
from url_viz.store.allowed_folders import allowed_folders, take_back
from url_viz.store.sets import DAMAGED, compact, disk_use, drop_model, list_sets, move, rename, skipped_files
from url_viz.ui.auth import allowed, is_shared
from url_viz.ui.first_page import show_ways_in
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import DIALOG, choice, choose
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.buttons import act_button, dialog_button, show_outcome
from url_viz.ui.widgets.embed_job import running, set_title, start_reading

FORGET = "sets.forget_yes"


def show_sets() -> None:
    """The list of image sets, and below it the selected one."""
    show_outcome(FORGET)
    sets = dict(sets_with_pictures(Workspace.at()))
    table = list_sets(Workspace.at().root)
    if table.empty:
        st.markdown("**No pictures have been read yet.** Open a folder or the demo: it is then listed here.")
        show_ways_in()
        return
    table["name"] = [
        set_title(sets[set_id]) if set_id in sets else name
        for set_id, name in zip(table["id"], table["name"], strict=True)
    ]
    table["state"] = [
        "being read" if running(set_id) else state for set_id, state in zip(table["id"], table["state"], strict=True)
    ]
    set_id = _pick_set(table)
    if set_id is None:
        st.caption("Tick an image set to rename, move, shrink or forget it.")
        return
    is_damaged = bool((table["state"][table["id"] == set_id] == DAMAGED).any())
    if set_id in sets:
        _show_one(set_id, sets[set_id], is_damaged=is_damaged)
    else:
        _show_repair("FOLDER")


def show_allowed() -> None:
    """The folders that were allowed in this app, each with a button that takes it back."""
    home = Workspace.at()
    folders = allowed_folders(home)
    if not folders:
        return
    st.header("Folders that you allowed", anchor=False)
    holds = "None of it holds now: other people can reach this app. " if is_shared() else ""
    st.caption(
        f"{holds}This app reads them besides what it may read anyway (\\$URL_VIZ_ROOTS). Image sets that were read of "
        "them stay, with their thumbnails."
    )
    for folder in folders:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.code(str(folder), language=None, wrap_lines=True)
            take = partial(take_back, home, folder)
            if act_button("Take back", take, key=f"sets.take_back.{folder}", icon=":material/lock:"):
                st.rerun()


def _show_repair(folder: str) -> None:
    st.error(
        "Some of what is stored of this image set is damaged. This command lays damaged files aside and restores what "
        "it can; the pictures are not touched.",
        icon=":material/broken_image:",
    )
    st.code(command("sets", "repair", folder), language="bash", wrap_lines=True)


def _pick_set(table: pd.DataFrame) -> str | None:
    """The list; returns the id of the ticked image set, else the one that all pages show, or the only one; or None."""
    ids = table["id"].tolist()
    current = ids[0] if len(ids) == 1 else choice().set_id if choice().set_id in ids else None
    shown = st.dataframe(
        table.drop(columns="id"),
        hide_index=True,
        width="stretch",
        height="content",
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [] if current is None else [ids.index(current)]}},
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
    return str(ids[rows[0]]) if rows and rows[0] < len(ids) else current


def _show_one(set_id: str, about: About, *, is_damaged: bool) -> None:
    st.header(escape(set_title(about)), anchor=False)
    st.code(str(about.root), language=None, wrap_lines=True)
    if is_damaged:
        _show_repair(str(about.root))
    if not is_in_bucket(about.root) and not os.path.exists(about.root):
        st.warning("This folder no longer exists. If it was moved, enter its new location.", icon=":material/move:")
    if running(set_id) is not None:
        st.info("This image set is being read. You can change it afterwards.", icon=":material/hourglass_top:")
    left, right = st.columns(2, gap="large")
    with left:
        _show_disk_use(about)
        for remark in about.remarks:
            st.info(escape(remark), icon=":material/info:")
    with right:
        _show_changes(set_id, about)


def _show_disk_use(about: About) -> None:
    st.subheader("On disk", anchor=False)
    parts = disk_use(about.root, workspace=Workspace.at().root)
    st.dataframe(
        parts,
        hide_index=True,
        width="stretch",
        column_config={"part": "Part", "megabytes": st.column_config.NumberColumn("MB", format="%.2f")},
        alt="What the image set takes on disk",
    )
    passed_over = skipped_files(about.root, workspace=Workspace.at().root)
    if len(passed_over):
        st.subheader("Skipped", anchor=False)
        st.caption(f"{passed_over['files'].sum():,} files that are not pictures (unknown extension)")
        st.dataframe(
            passed_over,
            hide_index=True,
            width="stretch",
            column_config={"extension": "Extension", "files": "Files"},
            alt="Files that are not pictures, by extension",
        )


def _show_changes(set_id: str, about: About) -> None:
    def change_folder() -> str:
        compared = move(about.root, allowed(Path(moved)), workspace=Workspace.at().root)
        return f"The folder is now {moved}: {compared.equal} of {compared.compared} compared pictures are the same."

    st.subheader("Change", anchor=False)
    with st.form(f"sets.rename.{set_id}", border=False):
        name = st.text_input(
            "Name", about.name, placeholder=set_title(about), help="Leave empty for the folder's name."
        )
        _change(
            set_id,
            "Rename",
            lambda: f"Renamed to “{rename(about.root, name, workspace=Workspace.at().root)}”.",
            icon=":material/edit:",
            draw=st.form_submit_button,
        )
    with st.form(f"sets.move.{set_id}", border=False):
        help_text = "A sample of the pictures is compared first. Ids, decisions and embeddings are kept."
        moved = st.text_input("New location of the folder, if it was moved", str(about.root), help=help_text)
        icon = ":material/drive_file_move:"
        _change(set_id, "Change location", change_folder, icon=icon, draw=st.form_submit_button)
    _show_range(set_id, about)
    _offer_to_free_space(set_id, about)
    name = f"{about.root.name or 'pictures'}.tar"
    with st.expander("Copy to another machine", icon=":material/local_shipping:"):
        st.code(command("sets", "pack", about.root, name), language="bash", wrap_lines=True)
        st.caption("There, with the same pictures in FOLDER:")
        st.code(command("sets", "unpack", name, "--root", "FOLDER"), language="bash", wrap_lines=True)
    words = "Removes all that was read, decided and added here. The pictures stay. It asks first"
    if dialog_button("Forget this image set", icon=":material/delete:", key=f"sets.forget.{set_id}", help=words):
        _ask_forget(set_id, about)


def _show_range(set_id: str, about: About) -> None:
    """The black and the white of pictures of more than 8 bits; nothing in a set that has none."""
    space = about.spaces[-1] if about.spaces else None
    shown = space.preprocessing.rendering.range if space is not None and space.preprocessing.rendering else None
    if space is None or shown is None:
        return
    with st.form(f"sets.range.{set_id}", border=False):
        left, right = st.columns(2)
        black = left.number_input("Black", value=shown[0], help="Values of more than 8 bits that are shown as black.")
        white = right.number_input("White", value=shown[1])

        def read_anew() -> str:
            chosen = "{:g}:{:g}".format(*as_range(f"{black}:{white}"))
            start_reading(about.root, set_id=set_id, model=space.backbone, shown_range=chosen)
            return f"Reading the set anew, shown from {black:g} to {white:g}."

        _change(set_id, "Read anew", read_anew, icon=":material/exposure:", draw=st.form_submit_button)


def _offer_to_free_space(set_id: str, about: About) -> None:
    names = list(dict.fromkeys(space.backbone for space in about.spaces))
    if len(names) > 1:
        left, right = st.columns([3, 2], vertical_alignment="bottom")
        model = left.selectbox("Remove the embeddings of", names, key=f"sets.model.{set_id}")
        with right:
            _change(
                set_id,
                "Remove",
                lambda: f"{drop_model(about.root, model, workspace=Workspace.at().root):,.1f} MB freed.",
                icon=":material/layers_clear:",
            )
    _change(
        set_id,
        "Free space",
        lambda: f"{compact(about.root, workspace=Workspace.at().root):,.1f} MB freed.",
        icon=":material/compress:",
        help="Merges small files, and removes data that is no longer used. Nothing is lost",
    )


def _change(set_id: str, label: str, act: Callable[[], str], **look: Any) -> None:
    """A button that changes what is stored of a set, which is then opened anew."""

    def change() -> str:
        try:
            return act()
        finally:
            open_sets().forget(set_id)

    if act_button(label, change, key=f"sets.{label.lower()}.{set_id}", **look):
        st.rerun()


@st.dialog("Forget this image set?", on_dismiss=DIALOG.clear)
def _ask_forget(set_id: str, about: About) -> None:
    def forget() -> str:
        forget_set(about.root, workspace=Workspace.at().root)
        open_sets().forget(set_id)
        DIALOG.clear()
        if choice().set_id == set_id:
            choose(None)
        return f"Forgot {about.root}. Its pictures were not touched."

    st.code(str(about.root), language=None, wrap_lines=True)
    st.markdown(Markdown("\n\n".join(map(escape, forget_plan(about.root, workspace=Workspace.at().root).words))))
    yes, no = st.columns(2)
    with yes:
        icon = ":material/delete:"
        is_done = act_button("Forget", forget, type="primary", icon=icon, width="stretch", key=FORGET)
    if no.button("Cancel", width="stretch", key="sets.forget_no", on_click=DIALOG.clear) or is_done:
        st.rerun()


def show_sets_page() -> None:
    """Disk use of every image set, and renaming, moving, compacting and forgetting it."""
    st.caption("Nothing here changes your pictures.")
    show_sets()
    show_allowed()
