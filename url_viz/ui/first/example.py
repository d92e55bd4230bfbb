"""What the tool gives, on real pictures: a folder as it lies there, and its most ambiguous and clearest pictures."""

import html
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.between import question_of
from url_viz.analysis.ranking import ends
from url_viz.export.inline_pictures import inlined
from url_viz.image_set import ImageSet
from url_viz.ui.text import escape
from url_viz.ui.widgets.embed_job import set_name


@dataclass(frozen=True)
class Small:
    """A small picture: its address, and words of anybody's that stand under it ("" for none)."""

    address: str
    words: str = ""


def show_strip(pictures: Sequence[Small], *, columns: int) -> None:
    """Draw pictures in so many columns, as squares of one size; words are text, never HTML."""
    figures = "".join(map(_figure, pictures))
    st.html(f'<div class="url-viz-strip" style="--columns: {columns}">{figures}</div>')


def _figure(picture: Small) -> str:
    words = html.escape(picture.words)
    caption = f"<figcaption>{words}</figcaption>" if words else ""
    address = html.escape(picture.address)
    return f'<figure><img src="{address}" alt="{words}" title="{words}" loading="lazy">{caption}</figure>'


SHOWN = 6
MOST_PICTURES = 20_000
"""An order of a larger set is worked out on its own page, not here."""
EDGE_PX = 160
STORED = Path(__file__).with_name("example.json")
"""The demo's, made with the package (`python -m tests.first_example`): nothing is read to show it."""


@dataclass(frozen=True)
class Example:
    """Pictures from all parts of a set by path, and at both ends of its own order; `of` names it."""

    of: str
    by_name: tuple[Small, ...]
    ambiguous: tuple[Small, ...]
    clear: tuple[Small, ...]


def show_example(example: Example) -> None:
    """Draw the three rows side by side."""
    st.markdown(f"**What you get** · {escape(example.of)}")
    before, ambiguous, clear = st.columns(3, gap="medium")
    for column, title, pictures in (
        (before, "Before: the folder, by file name", example.by_name),
        (ambiguous, "After: most ambiguous first", example.ambiguous),
        (clear, "After: clearest first", example.clear),
    ):
        with column:
            st.caption(escape(title))
            show_strip(pictures, columns=3)


@cache
def demo_example() -> Example:
    """What the demo gives, as it was stored with the package."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    rows = (tuple(Small(**one) for one in stored[name]) for name in ("by_name", "ambiguous", "clear"))
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
    thumbnails = inlined(image_set, rows["id"], side_px=EDGE_PX)
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    return tuple(Small(thumbnails[int(row["id"])], words(row) or "") for row in records if int(row["id"]) in thumbnails)


def _class_of(row: dict[str, object]) -> str | None:
    return row["label"] if isinstance(row["label"], str) else None
