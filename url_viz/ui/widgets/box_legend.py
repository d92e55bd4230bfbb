"""The legend of boxes drawn on a picture: which line is the labelled box, which the predicted one, and what it says."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from url_viz.analysis.runs.detections import has_predictions, prediction_of
from url_viz.subjects.set_objects import WholePicture

Line = Literal["solid", "dashed", "none"]
"""How a box is drawn (`with_boxes` in url_viz/export/inline_pictures.py); "none" of one that is not there."""
LABELLED = "labelled box"


@dataclass(frozen=True)
class LegendEntry:
    """A `line` of a picture, and what it is."""

    line: Line
    words: str


def legend_of(row: Mapping[Any, Any]) -> tuple[LegendEntry, ...]:
    """Of an object, as a row of the table: its labelled box and the predicted one; none without predictions.

    Of a missed object, the one that lies nearest.
    """
    if not has_predictions(row):
        return ()
    predicted = prediction_of(row)
    is_missed = predicted is None or predicted.is_nearest
    entries = [LegendEntry("solid", LABELLED), *([LegendEntry("none", "not predicted")] if is_missed else [])]
    return (*entries, *([] if predicted is None else [LegendEntry("dashed", predicted.words)]))


def legend_of_invented(whole: WholePicture) -> tuple[LegendEntry, ...]:
    """Of a prediction of no object (`SetObjects.invented`): its box, and the labelled one that it overlaps most."""
    predicted = () if whole.predicted is None else (LegendEntry("dashed", whole.predicted.words),)
    if whole.own is None:
        return *predicted, LegendEntry("none", "no labelled box overlaps it")
    return *predicted, LegendEntry("solid", f"nearest {LABELLED}: {whole.own.label or 'without a class'}")


def boxes_html(entries: Sequence[LegendEntry]) -> str:
    """The legend as HTML; nothing without entries."""
    lines = (f'<span><i class="{entry.line}"></i>{html.escape(entry.words)}</span>' for entry in entries)
    return f'<div class="url-viz-boxes">{"".join(lines)}</div>' if entries else ""


def in_words(entries: Sequence[LegendEntry]) -> str:
    """The legend in a sentence, for who does not see the picture."""
    return "; ".join(f"{entry.line}: {entry.words}" if entry.line != "none" else entry.words for entry in entries)
