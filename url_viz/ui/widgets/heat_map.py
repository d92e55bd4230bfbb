"""The occlusion heat map of an opened picture: which parts raise its uncertainty, computed on request."""

import base64
import html
import io
from dataclasses import dataclass

import streamlit as st

from url_viz.analysis.occlusion import heat_of, in_words, overlay
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.ui.open_sets import running_model
from url_viz.ui.session import HEAT
from url_viz.ui.text import ERROR_ICON, escape
from url_viz.ui.urls import picture_url

MOST_KEPT = 256
HOW = "Covers one part after another and runs the model again: if the value falls, that part had raised it."


@dataclass(frozen=True)
class Layer:
    """A rendered heat map: `png`, the part of the picture it covers (`box`), and its description."""

    png: bytes
    box: tuple[float, float, float, float]
    words: str


def show_with_heat(image_set: ImageSet, image_id: int, row: dict[str, object]) -> None:
    """The picture, at its final size from the start, and a switch that overlays its heat map."""
    container = st.empty()
    container.html(picture_html(image_set, image_id, row, None))
    is_wanted = st.toggle("Show where it comes from", key=HEAT, disabled=image_set.source.is_external)
    caption = st.empty()
    caption.caption(
        HOW if not is_wanted else "Covering one part after another …"
    )  # never empty, so that the layout does not move
    if not is_wanted:
        return
    try:
        layer = _layer(_key(image_set, image_id), image_set, image_id)
    except UrlVizError as error:
        caption.error(escape(error), icon=ERROR_ICON)
        return
    container.html(picture_html(image_set, image_id, row, layer))
    caption.caption(escape(layer.words))


def picture_html(image_set: ImageSet, image_id: int, row: dict[str, object], layer: Layer | None) -> str:
    """The picture as HTML, as large as its column and the window's height allow, with an optional heat map."""
    width, height = int(str(row["width"])), int(str(row["height"]))
    frame = f"position: relative; margin: 0 auto; aspect-ratio: {width} / {height}; "
    frame += f"width: min(100%, calc(58vh * {width / height:.4f})); overflow: hidden; border-radius: .5rem;"
    fill = "position: absolute; width: 100%; height: 100%; left: 0; top: 0;"
    address = html.escape(picture_url(image_set, image_id))
    grey = " filter: grayscale(.6);" if layer is not None else ""
    over = "" if layer is None else _layer_html(layer)
    return f'<div style="{frame}"><img src="{address}" style="{fill}{grey}" alt="The picture">{over}</div>'


def _layer_html(layer: Layer) -> str:
    left, top, right, bottom = (f"{100 * share:.3f}%" for share in layer.box)
    size = f"width: calc({right} - {left}); height: calc({bottom} - {top});"
    data = base64.b64encode(layer.png).decode()
    return (
        f'<img src="data:image/png;base64,{data}" style="position: absolute; left: {left}; top: {top}; {size}" '
        f'alt="{html.escape(layer.words)}">'
    )


def _key(image_set: ImageSet, image_id: int) -> str:
    content = image_set.contents[image_set.row_of(image_id)]
    return f"{image_set.set_id}.{image_set.space.key}.{image_set.head.digest if image_set.head else '-'}.{content}"


@st.cache_data(max_entries=MOST_KEPT, show_spinner=False)
def _layer(key: str, _image_set: ImageSet, _image_id: int) -> Layer:
    """`key` says what the map depends on; Streamlit's cache does not hash the other arguments."""
    picture = _image_set.files.read(_image_id)
    with running_model(_image_set.source.name, precision=_image_set.space.precision) as model:
        heat = heat_of(model, picture)
    file = io.BytesIO()
    overlay(heat).save(file, "PNG")
    return Layer(file.getvalue(), heat.box, in_words(heat))
