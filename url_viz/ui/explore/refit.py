"""The button that recomputes the map, shown once many pictures were added to it after its fit."""

import streamlit as st

from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, start_job
from url_viz.ui.text import show_error
from url_viz.ui.widgets.reading import KIND, running, set_name

NOTABLE_SHARE = 0.1


def show_refit(image_set: ImageSet) -> None:
    """Offer to recompute the map, as a job, if a notable share of its pictures was added after its fit.

    It moves all points, so it is only done on request. Its progress is shown in the same line as that of reading.
    """
    share = image_set.placed_share
    if share < NOTABLE_SHARE or running(image_set.set_id) is not None:
        return
    if st.button(
        f"Recompute the map ({share:.0%} added later)",
        icon=":material/refresh:",
        key="refit",
        help="Pictures added after the map was computed were placed next to their neighbours. Recomputing the map "
        "places all of them properly; all points move.",
    ):
        try:
            start_refit(image_set)
        except UrlVizError as error:
            show_error(error)
        else:
            st.rerun()


def start_refit(image_set: ImageSet) -> Job:
    """Start the job that recomputes the map; it reads no pictures. Raises JobError if it cannot start."""
    root, model = str(image_set.root), image_set.source.name
    return start_job(
        ["-m", "url_viz", "refit", root, "--model", model, "--workspace", str(image_set.workspace.root)],
        kind=KIND,
        title=f"Make the map of {set_name(image_set.root)} anew",
        workspace=image_set.workspace,
        about={"set_id": image_set.set_id, "model": model, "folder": root},
    )
