"""Which review is open: in the session, and in the address, so that a link opens it where it was left."""

from collections.abc import Mapping, Sequence

import streamlit as st

from url_viz.analysis.review import ReviewSpec, as_query, from_query

REVIEW = "review"
"""The parameter that opens a review, on any page."""
PAGE = "pages/review.py"
_SPEC = "view.review"
_OURS = (REVIEW, "within", "each", "most", "lasso", "name")
_PREFIXES = ("in.", "min.", "max.")


def go_to_review(spec: ReviewSpec) -> None:
    """Open a review; for buttons of other pages, not for their callbacks."""
    choose_review(spec)
    st.switch_page(PAGE)


def choose_review(spec: ReviewSpec | None) -> None:
    """Open a review, or none, when the Review page runs next."""
    st.session_state[_SPEC] = spec
    if spec is None:
        _write({})


def follow_link() -> bool:
    """Whether the address of another page asks for a review; it is then the one that is open."""
    spec = from_query(_queried())
    if spec is not None:
        st.session_state[_SPEC] = spec
    return spec is not None


def chosen_review() -> ReviewSpec | None:
    """The review in the session, else the one in the address; it is written into the address."""
    spec: ReviewSpec | None = st.session_state.get(_SPEC)
    if spec is None and _SPEC not in st.session_state:
        spec = st.session_state[_SPEC] = from_query(_queried())
    _write({} if spec is None else as_query(spec))
    return spec


def _queried() -> dict[str, list[str]]:
    return {key: st.query_params.get_all(key) for key in st.query_params if _is_ours(key)}


def _write(wanted: Mapping[str, Sequence[str]]) -> None:
    for key in [key for key in st.query_params if _is_ours(key) and key not in wanted]:
        del st.query_params[key]
    for key, values in wanted.items():
        if st.query_params.get_all(key) != list(values):
            st.query_params[key] = list(values)


def _is_ours(key: str) -> bool:
    return key in _OURS or key.startswith(_PREFIXES)
