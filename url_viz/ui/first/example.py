"""What the tool gives, on real pictures: a folder as it lies there, and its most ambiguous and clearest pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import pandas as pd
import streamlit as st

from url_viz.analysis.between import question_of
from url_viz.analysis.ranking import ends
from url_viz.demo import demo_view, photograph_names
from url_viz.export.report_thumbnails import data_url, inlined, shrunk
from url_viz.image_set import ImageSet
from url_viz.ui.text import escape
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.strip import Small, show_strip

SHOWN = 6
MOST_PICTURES = 20_000
"""An order of a larger set is worked out on its own page, not here."""
EDGE_PX = 160
DEMO_AMBIGUOUS = {
    "astronaut/crop-6.jpg": "motorcycle_left or astronaut?",
    "clock_motion/blur-1.jpg": "clock_motion or cell?",
    "china/blur-6.jpg": "motorcycle_left or chelsea?",
    "grass/blur-6.jpg": "page or clock_motion?",
    "motorcycle_left/blur-5.jpg": "astronaut or chelsea?",
    "ihc/crop-6.jpg": "chelsea or ihc?",
}
DEMO_CLEAR = (
    *("moon/whole-0.jpg", "motorcycle_left/whole-0.jpg", "grass/whole-0.jpg"),
    *("flower/whole-0.jpg", "chelsea/whole-0.jpg", "hubble_deep_field/crop-1.jpg"),
)
"""The first of each photograph at both ends of the demo set's own order, with its questions. Not computed to be shown:
a test reads the demo and holds them to it."""


@dataclass(frozen=True)
class Example:
    """Pictures of a set in the order of their paths, and at both ends of its own order, by whose name it is said."""

    of: str
    by_name: tuple[Small, ...]
    ambiguous: tuple[Small, ...]
    clear: tuple[Small, ...]


def show_example(example: Example) -> None:
    """Draw the three rows side by side."""
    st.markdown(f"**What you get** · {escape(example.of)}")
    before, ambiguous, clear = st.columns(3, gap="medium")
    for column, title, pictures in (
        (before, "Before: the folder, by name", example.by_name),
        (ambiguous, "After: most ambiguous first", example.ambiguous),
        (clear, "After: clearest first", example.clear),
    ):
        with column:
            st.caption(escape(title))
            show_strip(pictures, columns=3)


@cache
def demo_example() -> Example:
    """The demo's photographs, made here and now from the files that come with it; nothing of it is read."""
    names = [f"{name}/whole-0.jpg" for name in photograph_names()[:SHOWN]]
    ambiguous = tuple(Small(_demo_picture(path), question) for path, question in DEMO_AMBIGUOUS.items())
    return Example(
        "the demo pictures",
        tuple(Small(_demo_picture(path), path.partition("/")[0]) for path in names),
        ambiguous,
        tuple(Small(_demo_picture(path), path.partition("/")[0]) for path in DEMO_CLEAR),
    )


def _demo_picture(path: str) -> str:
    jpeg = BytesIO()
    demo_view(path).convert("RGB").save(jpeg, "JPEG", quality=90)
    return data_url(shrunk(jpeg.getvalue(), EDGE_PX))


def example_of(image_set: ImageSet) -> Example | None:
    """Both ends of a set's own order; None for a set that is too large, or has no order."""
    return image_set.cached(_example_of, set_name(image_set.root))


def _example_of(image_set: ImageSet, name: str) -> Example | None:
    measure = image_set.order().measure if SHOWN < len(image_set) <= MOST_PICTURES else None
    if measure is None:
        return None
    table = image_set.table()
    both = ends(table, by=measure, collapse_twins=True)
    by_name = table.head(SHOWN)
    return Example(
        name,
        _small(image_set, by_name, _class_of),
        _small(image_set, both.ambiguous.head(SHOWN), question_of),
        _small(image_set, both.clear.head(SHOWN), _class_of),
    )


Words = Callable[[dict[str, object]], str | None]


def _small(image_set: ImageSet, rows: pd.DataFrame, words: Words) -> tuple[Small, ...]:
    """Rows as small pictures, each with what `words` says of its row."""
    thumbnails = inlined(image_set, rows["id"], side_px=EDGE_PX)
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    return tuple(Small(thumbnails[int(row["id"])], words(row) or "") for row in records if int(row["id"]) in thumbnails)


def _class_of(row: dict[str, object]) -> str | None:
    return row["label"] if isinstance(row["label"], str) else None
