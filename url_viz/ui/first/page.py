"""The first page: open a folder, image sets that were read lately, what runs, and what one gets."""

import os
import time
from collections.abc import Sequence
from functools import lru_cache

import streamlit as st

from url_viz.export.inline_pictures import data_url, shrunk
from url_viz.jobs import live_jobs
from url_viz.recent_sets import THUMBNAILS, RecentSet
from url_viz.roots import is_in_bucket
from url_viz.ui.first.example import Example, Small, demo_example, example_of, show_example, show_strip
from url_viz.ui.open_sets import open_sets, recent_sets
from url_viz.ui.session import BROWSED, TYPED, choice, choose
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.embed_job import open_demo, prepare_reading, running, set_title, show_read_button
from url_viz.ui.widgets.embed_status import show_not_there
from url_viz.ui.widgets.jobs import progress_of, show_running_jobs
from url_viz.ui.widgets.open_folder import ask_for_folder, folder_input, show_answer
from url_viz.wording import counted
from url_viz.workspace import Workspace

MOST_RECENT = 6
IN_A_ROW = 3
THUMBNAIL_PX = 120
DAY_S = 86_400


def show_first_page() -> None:
    """What stands where no image set is chosen."""
    show_not_there()
    st.title("Which of your pictures are ambiguous?", anchor=False)
    st.markdown(
        "Point URL-Viz at a folder. A pretrained model reads every picture once and shows which ones could be mistaken "
        "for something else, on a map and in galleries, **before you train on them**. Nothing leaves this machine."
    )
    _show_ways_in()
    recent = recent_sets().latest(MOST_RECENT + 1)
    _show_running()
    _show_recent(recent[:MOST_RECENT])
    if len(recent) > MOST_RECENT:
        st.page_link("pages/sets_page.py", label="All image sets", icon=":material/folder_managed:")
    show_example(_example(recent[:MOST_RECENT]))
    prepare_reading()


def _show_ways_in() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="first_open"):
        typed = folder_input(TYPED, width=460)
        if st.button("Browse", icon=":material/folder_open:", key="open_folder_welcome"):
            if typed:
                BROWSED.set(typed)
            ask_for_folder()
        if st.button("Try the demo pictures", icon=":material/play_arrow:", key="demo"):
            with st.spinner("Drawing the demo pictures"):
                open_demo(model=choice().model)
            st.rerun()
    if typed.strip():
        show_answer(TYPED, key="read_typed")
    else:
        st.caption("Demo: 500 handwritten digits, some hard to tell apart (E. Alpaydin, C. Kaynak; UCI, CC BY 4.0).")


def _show_running() -> None:
    if live_jobs(Workspace.at()):
        st.markdown("**Running**")
        show_running_jobs(separator=Markdown(" · "))


def _show_recent(recent: Sequence[RecentSet]) -> None:
    if not recent:
        return
    st.markdown("**Recent image sets**")
    for start in range(0, len(recent), IN_A_ROW):
        for column, entry in zip(st.columns(IN_A_ROW, gap="medium"), recent[start : start + IN_A_ROW], strict=False):
            with column:
                _show_card(entry)


def _show_card(entry: RecentSet) -> None:
    with st.container(border=True, gap="xsmall"):
        show_strip([Small(_address(jpeg)) for jpeg in entry.thumbnails], columns=THUMBNAILS)
        st.markdown(f"**{escape(set_title(entry.about))}**")
        classes = f" · {entry.classes:,} classes" if entry.classes else ""
        count = counted(entry.pictures, entry.about.noun)
        st.caption(f"{escape(count)}{classes} · {escape(when(entry.read_at))} · {escape(', '.join(entry.models))}")
        job = running(entry.set_id)
        if job is not None:
            st.caption(f":material/hourglass_top: {escape(progress_of(job)[1])}")
        elif entry.unfinished is not None:
            st.markdown(f":orange[:material/pause_circle:] {escape(entry.unfinished.words)}")
        if not is_in_bucket(entry.about.root) and not os.path.exists(entry.about.root):
            st.caption(":material/link_off: The folder is missing; what was read from it is still here.")
        _show_buttons(entry, is_running=job is not None)


@lru_cache(maxsize=MOST_RECENT * THUMBNAILS)
def _address(jpeg: bytes) -> str:
    return data_url(shrunk(jpeg, THUMBNAIL_PX))


def _show_buttons(entry: RecentSet, *, is_running: bool) -> None:
    with st.container(horizontal=True, gap="small"):
        if st.button("Open", icon=":material/scatter_plot:", key=f"first.open.{entry.set_id}"):
            choose(entry.set_id)
            st.rerun()
        is_whole = entry.unfinished is None or is_running
        if not is_whole:
            key, icon = f"first.continue.{entry.set_id}", ":material/play_arrow:"
            show_read_button("Continue", entry.about.root, model=choice().model, key=key, icon=icon)


def when(seconds: float) -> str:
    """A time in the past (Unix seconds), in words: "read 5 min ago", "read 3 days ago", "read on 2 May 2026"."""
    ago = max(0.0, time.time() - seconds)
    if ago < 90:
        return "read just now"
    if ago < 90 * 60:
        return f"read {ago / 60:.0f} min ago"
    if ago < 2 * DAY_S:
        return f"read {ago / 3600:.0f} h ago"
    if ago < 30 * DAY_S:
        return f"read {ago / DAY_S:.0f} days ago"
    then = time.localtime(seconds)
    return f"read on {then.tm_mday} {time.strftime('%b %Y', then)}"


def _example(recent: Sequence[RecentSet]) -> Example:
    """Of the user's latest set that is whole and has an order; else of the demo."""
    for entry in recent:
        is_demo = entry.about.root.is_relative_to(Workspace.at().demo)
        if entry.unfinished is None and running(entry.set_id) is None and not is_demo:
            image_set = open_sets().find(entry.set_id, choice().model)
            example = None if image_set is None else example_of(image_set)
            if example is not None:
                return example
    return demo_example()
