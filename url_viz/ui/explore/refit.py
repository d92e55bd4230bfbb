"""The button that makes the map anew, shown once many pictures were only placed on it by their neighbours."""

import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, start_job
from url_viz.ui.text import show_error
from url_viz.ui.widgets.reading import KIND, running, set_name

NOTABLE_SHARE = 0.1


def show_refit(image_set: ImageSet) -> None:
    """Offer to make the map anew where a notable share of its pictures came after its fit; it runs as a job.

    Everybody's place changes by it, so it is never done unasked. How far it is shows where reading does.
    """
    share = image_set.placed_share
    if share < NOTABLE_SHARE or running(image_set.set_id) is not None:
        return
    if st.button(
        f"Make the map anew ({share:.0%} placed later)",
        icon=":material/refresh:",
        key="refit",
        help="Pictures that came after the map was made were placed among their neighbours. Made anew, the map gives "
        "all of them a place of their own; everything moves.",
    ):
        try:
            start_refit(image_set)
        except UrlVizError as error:
            show_error(error)
        else:
            st.rerun()


def start_refit(image_set: ImageSet) -> Job:
    """Start the job that makes the map anew; nothing is read for it. Raises JobError where it cannot start."""
    root, model = str(image_set.root), image_set.source.name
    return start_job(
        ["-m", "url_viz", "refit", root, "--model", model, "--workspace", str(image_set.workspace.root)],
        kind=KIND,
        title=f"Make the map of {set_name(image_set.root)} anew",
        workspace=image_set.workspace,
        about={"set_id": image_set.set_id, "model": model, "folder": root},
    )
