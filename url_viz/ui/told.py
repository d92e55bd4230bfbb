"""Say a user's errors where they are caught late: callbacks and dialogs run outside the `try` of app.py."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.ui.filters import plain


@contextmanager
def errors_told(say: Callable[..., object] = st.toast) -> Iterator[None]:
    """Give the sentence of a UrlVizError, escaped, to `say`: a toast from callbacks, `st.error` from dialogs."""
    try:
        yield
    except UrlVizError as error:
        say(plain(str(error)), icon=":material/error:")
