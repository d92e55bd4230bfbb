"""Opening a folder: a path, what lies there, counted in the background, and reading it."""

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

import streamlit as st

from url_viz.base.errors import FolderError, NotAllowedError, UrlVizError
from url_viz.base.workspace import Workspace, is_in_bucket, root_of
from url_viz.imaging.containers.python_dataset import is_dataset
from url_viz.imaging.source import FolderPreview, preview_folder
from url_viz.store.allowed_folders import allow, refuse_to_allow
from url_viz.ui.auth import allowed, may_allow, may_read, openable, roots
from url_viz.ui.open_sets import LruCache, recent_sets
from url_viz.ui.session import DIALOG, Key, choice
from url_viz.ui.text import escape, show_error
from url_viz.ui.widgets.buttons import OUTCOMES, act_button
from url_viz.ui.widgets.embed_job import open_folder, readable, set_title

WAIT_S = 0.3
"""How long a page waits for the count to end; most folders take less."""
FRESH_S = 5.0
"""For how long a count that has ended is shown again."""
MOST_WAIT_S = 10.0
"""How long a click on "Read this folder" waits for the first picture to be met."""
MOST_FOLDERS = 32


class _FolderCount:
    """A folder that is being counted by a thread of its own."""

    def __init__(self, folder: Path, within: Sequence[Path]) -> None:
        self._folder, self._within = folder, within
        self._latest = FolderPreview(0, 0)
        self._error: UrlVizError | None = None
        self._ended_at: float | None = None
        self._over, self._has_some = threading.Event(), threading.Event()
        threading.Thread(target=self._count, name=f"look into {folder}", daemon=True).start()

    @property
    def is_stale(self) -> bool:
        return self._ended_at is not None and time.monotonic() - self._ended_at > FRESH_S

    def preview(self, wait_s: float, *, till_some: bool) -> FolderPreview:
        (self._has_some if till_some else self._over).wait(wait_s)
        if self._error is not None:
            raise self._error
        return self._latest

    def _count(self) -> None:
        try:
            for preview in preview_folder(self._folder, within=self._within):
                self._latest = preview
                if preview.pictures:
                    self._has_some.set()
        except UrlVizError as error:  # raised for whoever asks
            self._error = error
        finally:
            self._ended_at = time.monotonic()
            self._over.set()
            self._has_some.set()


class FolderPreviews:
    """The latest counts; a folder is counted once at a time, whoever asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: LruCache[Path, _FolderCount] = LruCache(MOST_FOLDERS)

    def at(self, folder: Path, *, within: Sequence[Path], wait_s: float = WAIT_S) -> FolderPreview:
        """The count so far, `is_done` once it is over. Raises FolderError if a reading would fail at once."""
        return self._count_of(folder, within).preview(wait_s, till_some=False)

    def refuse_empty(self, folder: Path, *, within: Sequence[Path]) -> None:
        """Wait until a picture was met, or the count has ended. Raises FolderError, NoImagesError as the count did."""
        self._count_of(folder, within).preview(MOST_WAIT_S, till_some=True)

    def _count_of(self, folder: Path, within: Sequence[Path]) -> _FolderCount:
        with self._lock:
            count = self._counts.get(folder)
            if count is None or count.is_stale:
                count = _FolderCount(folder, within)
                self._counts.put(folder, count)
        return count


folder_previews = FolderPreviews()


BROWSED: Key[str] = Key("browse_path")

FOLDER_DIALOG = "open_folder"
TICK_S = 0.5
LIST_HEIGHT_PX = 320
MOST_RECENT = 4
_UNCOUNTED = FolderPreview(0, 0, is_done=True)


@st.dialog("Open a folder of pictures", width="medium", on_dismiss=DIALOG.clear)
def ask_for_folder() -> None:
    """Type a path, or browse inside the allowed roots."""
    BROWSED.get_or(lambda: str(roots()[0] if roots() else Path.cwd()))
    typed = folder_input(BROWSED)
    show_answer(BROWSED, key="read_folder")
    _offer_recent()
    _browse(Path(typed).expanduser())


def folder_input(key: Key[str], *, width: int | Literal["stretch"] = "stretch") -> str:
    """A field for a path; its help says which folders can be opened."""
    inside = escape(", ".join(map(str, roots())))
    return st.text_input(
        "Folder of pictures",
        key=key,
        placeholder="/home/me/pictures",
        on_change=OUTCOMES.clear,
        help=(
            f"You can open what lies inside {inside} (set by \\$URL_VIZ_ROOTS): folders, archives (.zip, .tar), "
            "Parquet and Arrow files, lists of paths (.csv, .txt, .jsonl), annotations (data.yaml, instances.json)."
        ),
        width=width,
    )


def show_answer(field: Key[str], *, key: str) -> None:
    """The pictures in the typed folder, or what is wrong with it, and the button that reads it."""
    _, preview, annotated = _look_into(field)
    is_counting = any(isinstance(each, FolderPreview) and not each.is_done for each in (preview, *annotated.values()))
    st.fragment(_answer, run_every=TICK_S if is_counting else None)(field, key)


Preview = FolderPreview | UrlVizError
"""The count so far; the error, if reading the folder would fail."""


def _look_into(field: Key[str]) -> tuple[Path, Preview, dict[Path, Preview]]:
    """The typed folder, its preview, and those of its annotation files; buckets are not looked into."""

    def look(folder: Path) -> Preview:
        try:
            root = readable(folder)
            return _UNCOUNTED if is_in_bucket(root) else folder_previews.at(root, within=may_read())
        except UrlVizError as error:
            return error

    typed = Path((field.get() or "").strip()).expanduser()
    preview = look(typed)
    annotated = preview.annotated if isinstance(preview, FolderPreview) else ()
    return typed, preview, {path: look(path) for path in annotated}


def _answer(field: Key[str], key: str) -> None:
    # Read here: Streamlit runs a click before the newly typed path where a tick of this fragment was waiting.
    folder, preview, annotated = _look_into(field)
    # A file that is still looked into is offered: one that turns out to be of something else is not.
    offers = [
        (path, objects)
        for path, objects in annotated.items()
        if isinstance(objects, FolderPreview) and (objects.objects or not objects.is_done)
    ]
    if offers:
        is_read = _offer_objects(*offers[0], key=key, is_first=True)
        with st.expander("Other ways"):
            is_read = _offer_folder(folder, preview, key=key, is_first=False) or is_read
            for path, objects in offers[1:]:
                is_read = _offer_objects(path, objects, key=key, is_first=False) or is_read
    else:
        is_read = _offer_folder(folder, preview, key=key, is_first=True)
    if is_read:
        st.rerun()


def _offer_objects(path: Path, objects: FolderPreview, *, key: str, is_first: bool) -> bool:
    """What an annotation file holds, and the button that reads it; whether it was clicked."""
    with st.container(horizontal=not is_first, vertical_alignment="top" if is_first else "center", gap="small"):
        found = objects.objects or "counting objects"
        st.markdown(f":material/crop_free: {escape(path.name)}: {escape(found)}", width="content")
        return act_button(
            "Read these objects", partial(_read, path), type=_look(is_first=is_first), key=f"{key}.{path}"
        )


def _offer_folder(folder: Path, preview: Preview, *, key: str, is_first: bool) -> bool:
    """The pictures of the folder, or what is wrong with it, and the button that reads it; whether it was clicked."""
    with st.container(horizontal=not is_first, vertical_alignment="top" if is_first else "center", gap="small"):
        if isinstance(preview, FolderPreview):
            counting = "" if preview.is_done else "Counting: "
            words = "Object storage: counted when it is read." if preview is _UNCOUNTED else counting + preview.text
            st.markdown(f":material/photo_library: {escape(words)}", width="content")
        elif folder in roots():  # where browsing begins: nothing was done wrong yet
            st.caption("Type the path of a folder with pictures, or choose one below.")
        elif isinstance(preview, NotAllowedError) and may_allow() and not is_in_bucket(root_of(folder)):
            offer_to_allow(folder, key=key)
        else:
            show_error(preview)
        # Enabled while it is being counted, or a click that follows the typing at once would be lost.
        name = "Read these pictures" if folder.is_file() else "Read this folder"
        is_there = isinstance(preview, FolderPreview)
        return act_button(name, partial(_read, folder), type=_look(is_first=is_first), key=key, disabled=not is_there)


def _look(*, is_first: bool) -> Literal["primary", "secondary"]:
    return "primary" if is_first else "secondary"


def offer_to_allow(path: Path, *, key: str) -> None:
    """Ask once for a folder or file outside the app's folders, or say why it cannot be allowed."""
    root = root_of(path)
    try:
        refuse_to_allow(root)
    except FolderError as error:
        show_error(error)
        return
    which, listed = ("folder", "") if root.is_dir() else ("file", " (of a list also the folder of its pictures)")
    inside = ", ".join(map(str, roots())) or "none"
    st.info(
        f"{escape(root)} is outside the folders that this app reads ({escape(inside)}). Allow it{listed}, and it is "
        "kept for this workspace; *Settings*, *Image sets* lists it, and takes it back.",
        icon=":material/lock_open:",
    )
    if act_button(f"Allow this {which}", partial(allow, Workspace.at(), root), key=f"{key}.allow"):
        st.rerun()


def offer_to_write(folder: Path, *, key: str) -> bool:
    """Ask once for the folder of an output, or that above a new one; whether it has yet to be allowed."""
    with suppress(UrlVizError):  # said where it is written
        try:
            allowed(folder)
        except NotAllowedError:
            folder = Path(os.path.abspath(folder.expanduser()))
            there = next(above for above in (folder, *folder.parents) if os.path.isdir(above))
            refuse_to_allow(root_of(there))
            if may_allow() and not is_in_bucket(root_of(folder)):
                offer_to_allow(there, key=key)
                return True
    return False


def _read(folder: Path) -> None:
    if not is_in_bucket(folder := readable(folder)):
        folder_previews.refuse_empty(folder, within=may_read())
    open_folder(folder, model=choice().model)
    DIALOG.clear()


def _offer_recent() -> None:
    latest = recent_sets().latest(MOST_RECENT)
    recent = [entry for entry in latest if not is_dataset(entry.about.root)]  # only Python reads these again
    if not recent:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("Recent", width="content")
        for entry in recent:
            key = f"recent.{entry.set_id}"
            _folder_button(set_title(entry.about), entry.about.root, icon=":material/history:", key=key)


def _browse(here: Path) -> None:
    """The folders and files to open in `here`, or else in the nearest folder above it; and the way out."""
    there = next((folder for folder in (here, *here.parents) if folder.is_dir()), here)
    inside: list[Path] = []
    with st.container(height=LIST_HEIGHT_PX, border=True, gap=None):
        with suppress(UrlVizError):  # said above, of the folder that was typed
            inside = openable(there)
            if not inside:
                st.caption("No subfolders, and no files that hold pictures.")
        if any(there.parent.resolve().is_relative_to(root) for root in roots()):
            _folder_button("Up", there.parent, icon=":material/arrow_upward:")
        else:
            more = (
                "To open another, type its path above, then *Allow this folder*."
                if may_allow()
                else "Whoever runs this app can add others, by \\$URL_VIZ_ROOTS."
            )
            st.caption(f"The folders above this one are not allowed. {more}")
            for root in roots():
                if root not in (there.resolve(), *inside):
                    key = f"browse_root_{root}"
                    _folder_button(str(root), root, icon=":material/drive_folder_upload:", key=key)
        for path in inside:
            _folder_button(path.name, path, icon=":material/folder:" if path.is_dir() else ":material/folder_zip:")


def _folder_button(name: str, folder: Path, *, icon: str, key: str = "") -> None:
    def go_into() -> None:
        OUTCOMES.clear()
        BROWSED.set(str(folder))

    st.button(escape(name), icon=icon, type="tertiary", key=key or f"browse_to_{folder}", on_click=go_into)
