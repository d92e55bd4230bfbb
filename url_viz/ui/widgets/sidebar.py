"""The sidebar, the start of every page about an image set, and its keys."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import list_jobs
from url_viz.jobs.kinds import adapted_to_another
from url_viz.models.checkpoint_folder import PAGE_TIMEOUT_S, checkpoint_names
from url_viz.models.model import EXTERNAL, model_title
from url_viz.models.model_names import PACKAGED, WeightsFile, workspace_heads
from url_viz.store.about import has_tables, known_sets
from url_viz.store.decisions.decisions import Step
from url_viz.store.tables.writer import is_being_written
from url_viz.ui.first_page import show_first_page
from url_viz.ui.menu import go_to, go_to_tab, purpose_of
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import (
    BY_FIRST,
    DIALOG,
    NOT_THERE,
    OPENED,
    PICTURE,
    Key,
    Record,
    SetChoice,
    choice,
    choose,
    component_state,
    handle_new,
    handled_before,
    nothing,
)
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import act_button, close_popover, control, page_title, popover_key
from url_viz.ui.widgets.components import component_of
from url_viz.ui.widgets.decide import step_history
from url_viz.ui.widgets.embed_job import (
    KIND,
    is_growing,
    latest,
    open_folder,
    running,
    set_name,
    show_read_button,
    titles,
)
from url_viz.ui.widgets.jobs import Reading, show_jobs_chip, show_reading
from url_viz.ui.widgets.open_folder import FOLDER_DIALOG, ask_for_folder

KEYS = "keys"
"""The component that hears keys."""
_mount = component_of("keys")


def listen_to_keys(image_set: ImageSet) -> None:
    """Have u and Ctrl+Z undo, y and Ctrl+Shift+Z redo decisions on an image set, wherever on the page.

    An open picture gives way to the one that this was about.
    """

    def step(records: Sequence[Record]) -> None:
        sentences = []
        for record in records:
            try:
                words, image_id = step_history(image_set, cast(Step, record["command"]))
            except UrlVizError as error:
                words, image_id = str(error), None
            sentences.append(words)
            if image_id is not None and DIALOG.get() == PICTURE:
                OPENED.set(image_id)
        for words in sentences:
            st.toast(escape(words), icon=":material/history:")

    def changed() -> None:
        handle_new(KEYS, component_state(KEYS), step)

    handle_new(KEYS, _mount(key=KEYS, data={"taken": handled_before(KEYS)}, on_actions_change=changed), step)


MODEL: Key[str] = Key("set_menu.model")
SET_MENU = "set_menu"


def show_sidebar() -> None:
    """Draw the choice of the image set of every page, the set's menu, and what runs."""
    with st.spinner("Opening the pictures"):  # a large set takes seconds, the first time
        _open_chosen()
    with st.sidebar:
        _pick_set()
        icon, key = ":material/folder_open:", popover_key(SET_MENU)
        with st.popover("Folder and model", icon=icon, width="stretch", key=key), st.container(key=SET_MENU):
            _show_set_menu()
        show_jobs_chip(partial(go_to_tab, "settings", "Jobs"))
    if DIALOG.get() == FOLDER_DIALOG:
        ask_for_folder()


def _open_chosen() -> None:
    """Open the chosen set with its order, on which all that is drawn waits; what cannot be opened is told below."""
    now = choice()
    if now.set_id is not None:
        with suppress(UrlVizError):
            image_set = open_sets().find(now.set_id, now.model)
            if image_set is not None and len(image_set):
                image_set.order()


def _show_set_menu() -> None:
    """Other pictures, what is new in the open folder, and the model."""

    def go_to_start() -> None:
        choose(None)
        go_to("explore")

    look: dict[str, Any] = {"type": "tertiary"}
    st.button(
        "Open a folder",
        icon=":material/folder_open:",
        key=FOLDER_DIALOG,
        on_click=_used,
        args=(_ask_for_folder,),
        **look,
    )
    set_id = choice().set_id
    if set_id is not None:
        if running(set_id) is None and open_sets().find(set_id, choice().model) is not None:
            _offer_update(set_id, look)
        st.button("Start page", icon=":material/home:", key="start_page", on_click=_used, args=(go_to_start,), **look)
    _pick_model()


def _used(act: Callable[[], object]) -> None:
    """Close the menu, and do what was chosen in it."""
    close_popover(SET_MENU)
    act()


def _ask_for_folder() -> None:
    DIALOG.set(FOLDER_DIALOG)


def _pick_set() -> None:
    names = titles()
    chosen = choice().set_id
    if chosen is not None and chosen not in names and (job := running(chosen)) is not None:
        names[chosen] = set_name(Path(job.about["folder"]))
    if not names:
        st.caption("No pictures read yet.")
        return
    ids = sorted(names, key=lambda set_id: names[set_id].lower())
    picked = st.selectbox(
        "Image set",
        ids,
        index=ids.index(chosen) if chosen in ids else None,
        format_func=lambda set_id: names[set_id],
        placeholder="Choose one",
        key=f"pick_set_{chosen}",
    )
    if picked is not None and picked != chosen:  # none is picked where the chosen one is gone: the page says why
        choose(picked)
        st.rerun()


def _pick_model() -> None:
    def pick(name: str) -> None:
        _used(partial(choose, choice().set_id, model=name))

    now = choice().model
    names = list(dict.fromkeys([*known_models(choice().set_id), now]))
    st.radio(
        "Model",
        names,
        names.index(now),
        format_func=lambda name: escape(model_title(name)),
        **control(MODEL, now, pick, options=names),
    )
    st.button(
        "All models",
        icon=":material/settings:",
        type="tertiary",
        key="all_models",
        on_click=_used,
        args=(partial(go_to_tab, "settings", "Models"),),
    )


def known_models(set_id: str | None) -> list[str]:
    """The models to choose from: installed ones, adapted heads, checkpoints, and those of one image set."""
    workspace = Workspace.at()
    installed = [name for name, model in PACKAGED.items() if model.is_installed]
    heads = [*map(str, workspace_heads(workspace)), *checkpoint_names(workspace, timeout_s=PAGE_TIMEOUT_S)]
    return [*installed, *heads, *user_models(set_id)]


def user_models(set_id: str | None) -> list[str]:
    """Models of one image set that no list contains: imported embeddings, and backbones finetuned by the user."""
    about = dict(known_sets(Workspace.at())).get(set_id or "")
    if about is None or set_id is None:
        return []
    given = [space.backbone for space in about.spaces if space.backbone.startswith(EXTERNAL)]
    jobs = list_jobs(Workspace.at(), kind=KIND, about={"set_id": set_id})
    weights = [WeightsFile.named(job.about.get("model", "")) for job in jobs]
    finetuned = (file.name for file in weights if file is not None and file.backbone and file.path.is_file())
    return list(dict.fromkeys([*given, *finetuned]))


def _offer_update(set_id: str, look: Mapping[str, Any]) -> None:
    if choice().model.startswith(EXTERNAL):
        st.caption("New pictures need imported embeddings: `url-viz embed FOLDER --embeddings FILE`.")
        return
    image_set = open_sets().get(set_id, choice().model)

    def read() -> None:
        open_folder(image_set.root, model=choice().model, also=image_set.core.second.name)
        _used(nothing)

    words = image_set.core.in_words("Look for new pictures")
    if act_button(words, read, key="update_set", icon=":material/refresh:", **look):
        st.rerun()


def chosen_folder() -> str:
    """The folder of the chosen image set; "FOLDER", as advice has it, where none is known."""
    about = dict(known_sets(Workspace.at())).get(choice().set_id or "")
    return "FOLDER" if about is None else str(about.root)


def show_not_read(now: SetChoice) -> None:
    """Say why a set has nothing to show: it is being read, or was not read with this model."""
    assert now.set_id is not None
    about = dict(known_sets(Workspace.at())).get(now.set_id)
    if about is None or running(now.set_id) is not None:
        st.caption("The map appears as soon as the first pictures are read.")
        return
    if now.model.startswith(EXTERNAL):
        st.info(
            f"{escape(set_name(about.root))} has no embeddings {escape(repr(now.model.removeprefix(EXTERNAL)))}. "
            "Choose another model, or import them: `url-viz embed FOLDER --embeddings FILE`.",
            icon=":material/info:",
        )
        return
    _show_foreign_head(now, about.root)
    st.info(
        f"{escape(set_name(about.root))} has not been read with {escape(model_title(now.model))} yet.",
        icon=":material/info:",
    )
    show_read_button("Read with this model", about.root, model=now.model, key="read_with_model", type="primary")


def _show_foreign_head(now: SetChoice, root: Path) -> None:
    """Say that the chosen head was adapted to another image set than the one at `root`, if it was."""
    assert now.set_id is not None
    other = adapted_to_another(now.model, set_id=now.set_id, root=root, workspace=Workspace.at())
    if other is None:
        return
    made_for, instead = other
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="foreign_head"):
        words = f"The head in use was adapted to {set_name(made_for)}, not to these pictures."
        st.caption(escape(words), width="content", help=escape(f"It learnt from {made_for}"))
        st.button(
            escape(f"Back to {instead}"),
            type="tertiary",
            icon=":material/undo:",
            key="foreign_head.back",
            on_click=choose,
            args=(now.set_id,),
            kwargs={"model": instead},
        )


def require_image_set(title: str = "") -> ImageSet:
    """The chosen image set, below a line on its reading; ends the page if there are no pictures to show.

    Where none is chosen, a page with a `title` says what it is for, and leads to one. A second opinion that comes while
    the page is open waits: nothing moves under a hand.
    """
    now = choice()
    if now.set_id is None:
        if title:
            show_first_page(escape(title), escape(purpose_of(title)))
        else:
            show_first_page()
        end_page()
    _leave_if_gone(now.set_id)
    reading = Reading.for_set(now.set_id)
    image_set = open_sets().find(now.set_id, now.model)
    shown = image_set if image_set is not None and len(image_set) else None
    with st.container():  # always present, so that widgets below keep their state when the line goes
        if shown is not None:
            _show_foreign_head(now, shown.root)
        show_reading(now.set_id, reading, shown=shown)
    if shown is None:
        show_not_read(now)
        end_page()
    with st.sidebar:
        listen_to_keys(shown)
    visit = now.set_id, now.model
    if shown.core.second.active is None:
        BY_FIRST.set(visit)
    elif BY_FIRST.get() == visit:
        return shown.single_model
    return shown


def _leave_if_gone(set_id: str) -> None:
    """Go to the first page, which says why, if nothing of a set is stored and it is not being read."""
    paths = Workspace.at().set_paths(set_id)
    job = latest(set_id)
    if has_tables(paths) or is_being_written(paths) or (job is not None and job.status().is_live):
        return
    NOT_THERE.set("" if job is None else job.id)
    choose(None)
    st.rerun()


def show_heading(title: str, image_set: ImageSet) -> None:
    """Draw the title, the set's name, how many pictures, and the page's purpose."""
    facts = f"{set_name(image_set.root)} · {counted(len(image_set), image_set.noun)}"
    with st.container(gap="xxsmall"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            page_title(escape(title), width="content")
            st.caption(escape(facts), width="content")
        st.caption(escape(purpose_of(title)))


def start_page(title: str, *, once_read: str = "") -> ImageSet:
    """The chosen image set, below the heading of a page about it; ends the page if there is nothing to show.

    With `once_read` it ends with these words while pictures still come in.
    """
    image_set = require_image_set(title)
    show_heading(title, image_set)
    if once_read and is_growing(image_set.set_id):
        st.caption(escape(once_read))
        end_page()
    return image_set
