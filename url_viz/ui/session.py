"""The chosen image set and model, kept in the session and in the address, so that a link reopens them."""

from dataclasses import dataclass

import streamlit as st

from url_viz.models.names import DEFAULT

_SET, _MODEL = "set", "model"


@dataclass(frozen=True)
class Choice:
    """The image set (None: none chosen yet) and the model that all pages show."""

    set_id: str | None
    model: str


def choice() -> Choice:
    """The current choice: the session's, else the one in the address."""
    set_id = st.session_state.get("chosen_set", st.query_params.get(_SET))
    model = st.session_state.get("chosen_model", st.query_params.get(_MODEL, DEFAULT))
    return Choice(set_id, model)


def choose(set_id: str | None, *, model: str | None = None) -> None:
    """Choose another image set or model; selections in the previous one are cleared."""
    before = choice()
    after = Choice(set_id, model or before.model)
    if after != before:
        for key in [key for key in st.session_state if str(key).startswith("view.")]:
            del st.session_state[key]
    st.session_state["chosen_set"], st.session_state["chosen_model"] = after.set_id, after.model


def show_in_address() -> None:
    """Write the choice into the address, and store one that came from it: the next page's address starts empty."""
    now = choice()
    st.session_state["chosen_set"], st.session_state["chosen_model"] = now.set_id, now.model
    if now.set_id is not None:
        st.query_params[_SET] = now.set_id
    elif _SET in st.query_params:
        del st.query_params[_SET]
    if now.model != DEFAULT:
        st.query_params[_MODEL] = now.model
    elif _MODEL in st.query_params:
        del st.query_params[_MODEL]
