"""A row of small pictures, as they are shown where nothing is to be done with them."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st


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
