"""The button that recomputes the map, shown once many pictures were added to it after its fit."""

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.jobs.configs import RefitConfig
from url_viz.jobs.kinds import REFIT
from url_viz.ui.text import errors_shown
from url_viz.ui.widgets.embed_job import running, set_name

NOTABLE_SHARE = 0.1


def show_refit(image_set: ImageSet) -> None:
    """Offer to recompute the map, as a job, if a notable share of its pictures was added after its fit.

    It moves all points, so it is only done on request. Its progress is shown in the same line as that of reading.
    """
    share = image_set.maps.placed_fraction
    if share < NOTABLE_SHARE or running(image_set.set_id) is not None:
        return
    if st.button(
        f"Recompute the map ({share:.0%} added later)",
        icon=":material/refresh:",
        key="refit",
        help="Pictures added after the map was computed were placed next to their neighbours. Recomputing the map "
        "places all of them properly; all points move.",
    ):
        with errors_shown(st.error):
            config = RefitConfig(image_set.root, image_set.source.name, image_set.workspace.root)
            REFIT.start_on(image_set, config, name=set_name(image_set.root))
            st.rerun()
