"""Around the map: of a separate one what it shows, how far its job is, and the way back; and to make the map again."""

import time
from collections.abc import Callable
from functools import partial

import streamlit as st

from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, cancel_job, why_it_failed
from url_viz.jobs.configs import RefitConfig
from url_viz.jobs.kinds import REFIT
from url_viz.jobs.mapping import Subset, find_map
from url_viz.ui.text import Markdown, errors_shown, escape, with_toast
from url_viz.ui.widgets.embed_job import running, set_name
from url_viz.ui.widgets.jobs import CANCEL_GRACE_S

TICK_S = 0.5

_TSNE = "This map was laid out with t-SNE."
_NOT_YET = "This is the UMAP map, until t-SNE is ready."


def show_subset(
    image_set: ImageSet, subset: Subset, *, on_back: Callable[[], None], on_again: Callable[[], None]
) -> None:
    """Say what this map shows, with a button that calls `on_back`.

    Until their map is computed they keep their coordinates on the full one; then the page runs again. Where that failed
    or was stopped, a button calls `on_again`.
    """
    is_whole, is_missing = len(subset.ids) == len(image_set), subset.projection is None
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        shown = "" if is_whole else f"This map shows only **{len(subset.ids):,}** of {len(image_set):,} pictures. "
        by = _TSNE if subset.method == "tsne" else ""
        by = _NOT_YET if by and is_missing else by
        st.markdown(Markdown(shown + by), width="content")
        words = "Back to UMAP" if is_whole else "Back to all"
        st.button(escape(words), icon=":material/zoom_out_map:", key="subset.back", on_click=on_back)
        if subset.is_being_made and subset.job is not None:
            st.button(
                "Stop",
                icon=":material/stop:",
                key="subset.stop",
                on_click=with_toast(partial(cancel_job, subset.job, grace_s=CANCEL_GRACE_S)),
            )
        elif is_missing:
            st.button("Try again", icon=":material/refresh:", key="subset.again", on_click=on_again)
    if subset.is_being_made and subset.job is not None:
        st.fragment(_await, run_every=TICK_S)(image_set, subset.key, subset.job)
    elif is_missing:
        st.error(_why_not(subset.job), icon=":material/error:")


def _why_not(job: Job | None) -> Markdown:
    if job is None:
        return Markdown("The map of these pictures no longer exists.")
    if job.state is JobState.CANCELLED:
        return Markdown("The map of these pictures was stopped.")
    return Markdown(f"The map of these pictures could not be computed: {escape(why_it_failed(job))}")


def _await(image_set: ImageSet, key: str, job: Job) -> None:
    now = find_map(image_set, key)
    if now is None or not now.is_being_made:
        st.rerun()
    st.caption(
        f":material/hourglass_top: Computing the map of these pictures: {time.time() - job.created:.0f} s so far. "
        "UMAP takes up to half a minute; t-SNE of thousands of pictures takes minutes."
    )


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
