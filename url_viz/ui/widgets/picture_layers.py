"""What lies over an opened picture: heat map, boxes with their legend, the window of more than 8 bits."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted
from url_viz.columns.measures import quoted
from url_viz.drawing.tiles import picture_url, whole_url
from url_viz.image_set import ImageSet
from url_viz.imaging.rendering import Range, Rendering, ValueSample
from url_viz.imaging.source import may_be_deep
from url_viz.imaging.workers import decoders
from url_viz.outside.occlusion import LOWERS, RAISES, explained_measure, heat_in_words, heat_of, overlay
from url_viz.pictures.set_files import WholePicture
from url_viz.runs.detections import has_predictions, prediction_of
from url_viz.ui.open_sets import running_model
from url_viz.ui.session import Key
from url_viz.ui.text import ERROR_ICON, escape
from url_viz.ui.widgets.buttons import control_of

Legend = Sequence[tuple[Literal["solid", "dashed", "none"], str]]
"""How each box of a picture is drawn (`with_boxes` in url_viz/export/picture_files.py), and which it is in words.

"none": a box that is missing.
"""
LABELLED = "labelled box"


def object_legend(row: Mapping[Any, Any]) -> Legend:
    """The legend of an object (a row of the table): its box and the predicted one; empty without predictions.

    For a missed object, the prediction that lies nearest.
    """
    if not has_predictions(row):
        return ()
    predicted, entries = prediction_of(row), list[Any]([("solid", LABELLED)])
    if predicted is None or predicted.is_nearest:
        entries.append(("none", "not predicted"))
    return (*entries, *(() if predicted is None else (("dashed", predicted.words),)))


def invented_legend(whole: WholePicture) -> Legend:
    """The legend of a prediction without an object (`SetObjects.invented`): its box, the labelled one nearest to it."""
    predicted: Legend = () if whole.predicted is None else (("dashed", whole.predicted.words),)
    if whole.own is None:
        return *predicted, ("none", "no labelled box overlaps it")
    return *predicted, ("solid", f"nearest {LABELLED}: {whole.own.label or 'without a class'}")


def legend_in_words(legend: Legend) -> str:
    """The legend in a sentence, for people who do not see the picture."""
    return "; ".join(words if line == "none" else f"{line}: {words}" for line, words in legend)


MOST_WINDOWS = 64
STEPS = 200
"""Steps of the slider, where values are fractions."""


def show_window(image_set: ImageSet, image_id: int) -> Range | None:
    """A slider for black and white; None for 8 bits, and where the choice is how the set is seen."""
    sample = _sample((image_set.set_id, image_set.version), image_set, image_id)
    if sample is None or not len(sample.values):
        return None
    rendering = image_set.core.rendering or Rendering()
    seen = (rendering.range if rendering.is_chosen else sample.window or rendering.range) or sample.stated
    ends = [float(sample.values.min()), float(sample.values.max()), *(seen or ())]
    low, high = min(ends), max(ends)
    if high <= low:
        return None
    step = 1.0 if not sample.is_float and high - low > STEPS else (high - low) / STEPS
    chosen = st.slider(
        "Black and white",
        *(low, high, seen or (low, high)),
        step=step,
        format="%.0f" if step >= 1 else "%.4g",
        key=f"picture.window.{image_id}",
        help="What is black and what is white of this picture's values, here alone: the set stays as it was read.",
    )
    return None if chosen == seen else chosen


@st.cache_data(max_entries=MOST_WINDOWS, show_spinner=False)
def _sample(state: tuple[str, str], _image_set: ImageSet, image_id: int) -> ValueSample | None:
    # `state` is the set's: Streamlit's cache does not hash the set itself
    if _image_set.is_of_objects or not may_be_deep(_image_set.core.paths_of([image_id])[0]):
        return None
    try:
        return decoders.sample_of(_image_set.files.data(image_id))
    except UrlVizError:  # the picture itself says why
        return None


HEAT: Key[bool] = Key("view.heat")
WHOLE: Key[bool] = Key("view.whole")
"""Whether an opened object is shown in its whole picture."""

MOST_LAYERS = 256
HOW = "Covers one part at a time and runs the model again"


@dataclass(frozen=True)
class Layer:
    """A rendered heat map: its `png`, the part of the picture it covers, a description, the meaning of its colours."""

    png: bytes
    box: tuple[float, float, float, float]
    words: str
    sides: tuple[str, ...]


def show_with_heat(image_set: ImageSet, image_id: int, row: dict[str, object], *, measure: str) -> None:
    """The picture, at its final size from the start, and a switch that lays a measure's heat map over it."""
    measure = explained_measure(row, measure, image_set.order().measure)
    container = st.empty()
    window = show_window(image_set, image_id)
    if not show_whole(container, image_set, image_id, row):
        container.html(picture_html(image_set, image_id, row, None, window=window))
    title = f"Show which parts matter: {quoted(measure)}"
    is_wanted = bool(HEAT.get()) and not image_set.source.is_external
    st.toggle(escape(title), is_wanted, disabled=image_set.source.is_external, **control_of(HEAT, is_wanted))
    caption = st.empty()
    # never empty, so that the layout does not move
    caption.caption("Covering one part at a time …" if is_wanted else HOW)
    if not is_wanted:
        return
    try:
        head = image_set.source.head.digest if image_set.source.head else ""
        layer = _layer((image_set.set_id, image_set.version, head), image_set, image_id, measure)
    except UrlVizError as error:
        caption.error(escape(error), icon=ERROR_ICON)
        return
    container.html(picture_html(image_set, image_id, row, layer, window=window))
    with caption.container():
        st.html(legend_html(layer))
        single_model = f" By {image_set.source.title} alone." if image_set.core.second.active else ""
        st.caption(escape(layer.words + single_model))


def show_whole(
    container: "st.delta_generator.DeltaGenerator", image_set: ImageSet, image_id: int, row: dict[str, object]
) -> bool:
    """The whole picture of an object with its boxes, and a button (key w) for its crop; False where the crop is wanted.

    A heat map is of the crop, so it takes the place of the whole picture.
    """

    def show(*, is_whole: bool) -> None:
        WHOLE.set(is_whole)
        if is_whole:
            HEAT.set(False)

    try:
        whole = image_set.objects.whole(image_id)
    except UrlVizError:  # of a file that is gone, which its crop shows
        return False
    if whole is None:
        return False
    is_shown = WHOLE.get_or(lambda: True) and not HEAT.get()
    st.button(
        "Show the crop" if is_shown else "Show the whole picture",
        icon=":material/crop:" if is_shown else ":material/crop_free:",
        key="picture.whole",
        shortcut="w",
        on_click=partial(show, is_whole=not is_shown),
    )
    if is_shown:
        address, legend = str(whole_url(image_set, image_id)), object_legend(row)
        others = counted(len(whole.others), "other box", "other boxes")
        named = "the object" if whole.own is None else whole.own.label or "the object"
        words = f"The whole picture, with the box of {named} and {others}"
        alt = "; ".join(filter(None, (words, legend_in_words(legend))))
        container.html(whole_html(address, whole.size, alt, legend))
    return is_shown


def whole_html(address: str, size: tuple[int, int], alt: str, legend: Legend) -> str:
    """A picture with boxes, and their legend under it, as HTML."""
    shape = "aspect-ratio: {} / {}".format(*size)
    image = f'<img class="url-viz-picture" src="{html.escape(address)}" style="{shape}" alt="{html.escape(alt)}">'
    lines = "".join(f'<span><i class="{line}"></i>{html.escape(words)}</span>' for line, words in legend)
    return image + (f'<div class="url-viz-boxes">{lines}</div>' if legend else "")


def legend_html(layer: Layer) -> str:
    """The meaning of each colour, as HTML."""
    box = "display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: .15em;"
    entries = (
        f'<span style="margin-right: 1em"><span style="{box} background: rgb{colour}"></span>{html.escape(name)}</span>'
        for name, colour in zip(layer.sides, (RAISES, LOWERS), strict=False)
    )
    return f'<div style="font-size: .875rem; overflow-wrap: anywhere">{"".join(entries)}</div>'


def picture_html(
    image_set: ImageSet, image_id: int, row: dict[str, object], layer: Layer | None, *, window: Range | None = None
) -> str:
    """The picture as HTML, as large as its column and the window's height allow, with an optional heat map."""
    width, height = int(str(row["width"])), int(str(row["height"]))
    frame = f"position: relative; margin: 0 auto; aspect-ratio: {width} / {height}; "
    frame += f"width: min(100%, calc(58vh * {width / height:.4f})); overflow: hidden; border-radius: .5rem;"
    fill = "position: absolute; width: 100%; height: 100%; left: 0; top: 0;"
    address = html.escape(picture_url(image_set, image_id, window=window))
    words = "The object" if image_set.is_of_objects else "The picture"
    if layer is None:
        return f'<div style="{frame}"><img src="{address}" style="{fill}" alt="{words}"></div>'
    left, top, right, bottom = (f"{100 * share:.3f}%" for share in layer.box)
    size = f"width: calc({right} - {left}); height: calc({bottom} - {top});"
    data = base64.b64encode(layer.png).decode()
    over = (
        f'<img src="data:image/png;base64,{data}" style="position: absolute; left: {left}; top: {top}; {size}" '
        f'alt="{html.escape(layer.words)}">'
    )
    grey = " filter: grayscale(.6);"
    return f'<div style="{frame}"><img src="{address}" style="{fill}{grey}" alt="{words}">{over}</div>'


@st.cache_data(max_entries=MOST_LAYERS, show_spinner=False)
def _layer(state: tuple[str, ...], _image_set: ImageSet, image_id: int, measure: str) -> Layer:
    # `state` is the set's: Streamlit's cache does not hash the set itself
    picture, explained = _image_set.files.read(image_id), _image_set.explained(image_id, by=measure)
    with running_model(_image_set.source.name, _image_set.space) as model:
        heat = heat_of(model, picture, explained)
    file = io.BytesIO()
    overlay(heat).save(file, "PNG")
    sides = () if explained.too_far is not None else explained.sides or ("raises it", "lowers it")
    return Layer(file.getvalue(), heat.box, heat_in_words(heat), sides)
