"""The window of an opened picture of more than 8 bits: what is black and what is white, without another reading."""

import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.imaging.chosen_rendering import may_be_deep
from url_viz.imaging.rendering import Range, Rendering, ValueSample
from url_viz.imaging.workers import decoders

MOST_KEPT = 64
STEPS = 200
"""Of the slider, where values are fractions."""


def show_window(image_set: ImageSet, image_id: int) -> Range | None:
    """A slider for black and white; gives what is chosen, None for how the set is seen, and for 8 bits."""
    sample = _sample((image_set.set_id, image_set.version), image_set, image_id)
    if sample is None or not len(sample.values):
        return None
    rendering = image_set.rendering or Rendering()
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


@st.cache_data(max_entries=MOST_KEPT, show_spinner=False)
def _sample(state: tuple[str, str], _image_set: ImageSet, image_id: int) -> ValueSample | None:
    """`state` says which state of the set it is of; Streamlit's cache does not hash the set."""
    if _image_set.is_of_objects or not may_be_deep(_image_set.core.paths_of([image_id])[0]):
        return None
    try:
        return decoders.sample_of(_image_set.files.data(image_id))
    except UrlVizError:  # the picture itself says why
        return None
