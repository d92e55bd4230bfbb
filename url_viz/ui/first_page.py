"""The first page: open a folder, recent image sets, what runs, and the result on real pictures."""

import html
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted, for_folder
from url_viz.base.workspace import Workspace, is_in_bucket
from url_viz.columns.ranking import ends
from url_viz.export.picture_files import data_url, inlined, shrunk
from url_viz.image_set import ImageSet
from url_viz.jobs import live_jobs
from url_viz.labels.ambiguity import question_of
from url_viz.recent_sets import THUMBNAILS, RecentSet
from url_viz.ui.menu import go_to_tab
from url_viz.ui.open_sets import open_sets, recent_sets
from url_viz.ui.session import DIALOG, Key, choice, choose
from url_viz.ui.text import Markdown, escape, with_code
from url_viz.ui.widgets.buttons import act_button, page_title
from url_viz.ui.widgets.embed_job import open_demo, prepare_reading, running, set_name, set_title, show_read_button
from url_viz.ui.widgets.jobs import progress_of, show_not_there, show_running_jobs
from url_viz.ui.widgets.open_folder import BROWSED, FOLDER_DIALOG, folder_input, show_answer

TYPED: Key[str] = Key("first.typed")
"""The path that was typed on the first page."""


@dataclass(frozen=True)
class Small:
    """A small picture: its address, and words under it, from anybody ("" for none)."""

    address: str
    words: str = ""


def show_strip(pictures: Sequence[Small], *, columns: int) -> None:
    """Draw pictures in columns, as squares of one size; their words are text, never HTML."""
    figures = ""
    for picture in pictures:
        words, address = html.escape(picture.words), html.escape(picture.address)
        caption = f"<figcaption>{words}</figcaption>" if words else ""
        figures += f'<figure><img src="{address}" alt="{words}" title="{words}" loading="lazy">{caption}</figure>'
    st.html(f'<div class="url-viz-strip" style="--columns: {columns}">{figures}</div>')


SHOWN = 6
MOST_PICTURES = 20_000
"""An order of a larger set is worked out on its own page, not here."""
EDGE_PX = 160
STORED = Path(__file__).with_name("example.json")
"""The demo's example, made with the package (`python -m tests.first_example`): nothing is read to show it."""


@dataclass(frozen=True)
class Example:
    """Pictures from all parts of a set by path, and at both ends of its own order; `of` names it."""

    of: str
    by_name: tuple[Small, ...]
    ambiguous: tuple[Small, ...]
    clear: tuple[Small, ...]


def show_example(example: Example) -> None:
    """Draw the three rows side by side."""
    heading = "What you get" if example is demo_example() else "In your latest set"
    st.header(f"{escape(heading)} · {escape(example.of)}", anchor=False)
    before, ambiguous, clear = st.columns(3, gap="medium")
    for column, title, pictures in (
        (before, "Before: the folder, by file name", example.by_name),
        (ambiguous, "After: most ambiguous first", example.ambiguous),
        (clear, "After: least ambiguous first", example.clear),
    ):
        with column:
            st.caption(escape(title))
            show_strip(pictures, columns=3)


@cache
def demo_example() -> Example:
    """The example of the demo, as it was stored with the package."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    rows = (tuple(Small(**fields) for fields in stored[name]) for name in ("by_name", "ambiguous", "clear"))
    return Example(stored["of"], *rows)


def example_of(image_set: ImageSet) -> Example | None:
    """Both ends of a set's own order; None for a set that is too large, or has no order."""
    return image_set.cached(_example_of, set_name(image_set.root))


def _example_of(image_set: ImageSet, name: str) -> Example | None:
    measure = image_set.order().measure if SHOWN < len(image_set) <= MOST_PICTURES else None
    if measure is None:
        return None
    table = image_set.table()
    both = ends(table, by=measure, collapse_twins=True)
    by_name = table.iloc[np.linspace(0, len(table) - 1, SHOWN).round().astype(int)]
    return Example(
        name,
        _small(image_set, by_name, _class_of),
        _small(image_set, both.ambiguous.head(SHOWN), question_of),
        _small(image_set, both.clear.head(SHOWN), _class_of),
    )


Words = Callable[[dict[str, object]], str | None]


def _small(image_set: ImageSet, rows: pd.DataFrame, words: Words) -> tuple[Small, ...]:
    thumbnails = inlined(image_set.core, rows["id"], side_px=EDGE_PX)
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    return tuple(Small(thumbnails[int(row["id"])], words(row) or "") for row in records if int(row["id"]) in thumbnails)


def _class_of(row: dict[str, object]) -> str | None:
    return row["label"] if isinstance(row["label"], str) else None


MOST_RECENT = 6
IN_A_ROW = 3
THUMBNAIL_PX = 120
DAY_S = 86_400


def show_first_page(page: Markdown | None = None, purpose: Markdown | None = None) -> None:
    """The page where no image set is chosen: ways to one, below the title and purpose of a page that needs one."""
    show_not_there()
    if page is None or purpose is None:
        page_title(Markdown("Which of your pictures are ambiguous?"))
        st.markdown(
            "Point URL-Viz at a folder. A pretrained model reads every picture once and shows which ones could be "
            "mistaken for something else, on a map and in galleries, **before you train on them**. Nothing leaves this "
            "machine."
        )
    else:
        page_title(page)
        st.markdown(purpose)
        st.markdown("**Open pictures to begin.** You stay on this page.")
    show_ways_in()
    recent = recent_sets().latest(MOST_RECENT + 1)
    if live_jobs(Workspace.at()):
        st.header("Running", anchor=False)
        show_running_jobs()
    _show_recent(recent[:MOST_RECENT])
    if len(recent) > MOST_RECENT:
        st.button(
            "All image sets",
            icon=":material/folder_managed:",
            type="tertiary",
            key="all_sets",
            on_click=go_to_tab,
            args=("settings", "Image sets"),
        )
    if page is None:
        show_example(_example(recent[:MOST_RECENT]))
    prepare_reading()


def show_ways_in() -> None:
    """A path to type, folders to browse, and the demo."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="first_open"):
        typed = folder_input(TYPED, width=460)

        def browse() -> None:
            if typed:
                BROWSED.set(typed)
            DIALOG.set(FOLDER_DIALOG)

        st.button("Browse", icon=":material/folder_open:", key="open_folder_welcome", on_click=browse)
        demo = partial(open_demo, model=choice().model)
        if act_button("Try the demo pictures", demo, icon=":material/play_arrow:", key="demo"):
            st.rerun()
    if typed.strip():
        show_answer(TYPED, key="read_typed")
    else:
        st.caption("Demo: 500 handwritten digits, some hard to tell apart (E. Alpaydin, C. Kaynak; UCI, CC BY 4.0).")


def _show_recent(recent: Sequence[RecentSet]) -> None:
    if not recent:
        return
    st.header("Recent image sets", anchor=False)
    for start in range(0, len(recent), IN_A_ROW):
        for column, entry in zip(st.columns(IN_A_ROW, gap="medium"), recent[start : start + IN_A_ROW], strict=False):
            with column:
                _show_card(entry)


def _show_card(entry: RecentSet) -> None:
    with st.container(border=True, gap="xsmall", key=f"first_card.{entry.set_id}"):
        show_strip([Small(_address(jpeg)) for jpeg in entry.thumbnails], columns=THUMBNAILS)
        st.subheader(escape(set_title(entry.about)), anchor=False)
        classes = f" · {entry.classes:,} classes" if entry.classes else ""
        count = counted(entry.pictures, entry.about.noun)
        st.caption(f"{escape(count)}{classes} · {escape(when(entry.read_at))} · {escape(', '.join(entry.models))}")
        job = running(entry.set_id)
        if job is not None:
            st.caption(f":material/hourglass_top: {escape(progress_of(job)[1])}")
        elif entry.damage:
            damage = for_folder(entry.damage, entry.about.root)
            st.markdown(f":red[:material/broken_image: Needs a look.] {with_code(damage)}")
        elif entry.unfinished is not None:
            st.markdown(f":orange[:material/pause_circle:] {escape(entry.unfinished.words)}")
        if not is_in_bucket(entry.about.root) and not os.path.exists(entry.about.root):
            st.caption(":material/link_off: The folder is missing; what was read from it is still here.")
        with st.container(horizontal=True, gap="small"):
            opening = partial(choose, entry.set_id)
            st.button("Open", icon=":material/scatter_plot:", key=f"first.open.{entry.set_id}", on_click=opening)
            if entry.unfinished is not None and job is None:
                key, icon = f"first.continue.{entry.set_id}", ":material/play_arrow:"
                show_read_button("Continue", entry.about.root, model=choice().model, key=key, icon=icon)


@lru_cache(maxsize=MOST_RECENT * THUMBNAILS)
def _address(jpeg: bytes) -> str:
    return data_url(shrunk(jpeg, THUMBNAIL_PX))


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
    """The example of the user's latest set that is whole and has an order; else the demo's."""
    for entry in recent:
        is_demo = entry.about.root.is_relative_to(Workspace.at().demo)
        if entry.unfinished is None and not entry.damage and running(entry.set_id) is None and not is_demo:
            with suppress(UrlVizError):  # which is shown where the set is opened
                image_set = open_sets().find(entry.set_id, choice().model)
                example = None if image_set is None else example_of(image_set)
                if example is not None:
                    return example
    return demo_example()
