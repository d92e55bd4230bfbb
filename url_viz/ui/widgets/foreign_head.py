"""A line above a page whose head was adapted to another image set, with the way back to the backbone's own model."""

from pathlib import Path

import streamlit as st

from url_viz.jobs.heads import adapted_to_another
from url_viz.ui.session import SetChoice, choose
from url_viz.ui.text import escape
from url_viz.ui.widgets.embed_job import set_name
from url_viz.workspace import Workspace


def show_foreign_head(now: SetChoice, root: Path) -> None:
    """Say that the chosen head was adapted to another image set than the one at `root`, if it was."""
    assert now.set_id is not None
    other = adapted_to_another(now.model, set_id=now.set_id, root=root, workspace=Workspace.at())
    if other is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="foreign_head"):
        words = f"The head in use was adapted to {set_name(other.made_for)}, not to these pictures."
        st.caption(escape(words), width="content", help=escape(f"It learnt from {other.made_for}"))
        st.button(
            escape(f"Back to {other.instead}"),
            type="tertiary",
            icon=":material/undo:",
            key="foreign_head.back",
            on_click=choose,
            args=(now.set_id,),
            kwargs={"model": other.instead},
        )
