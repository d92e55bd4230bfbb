"""The jobs of the Settings page: every job of the workspace, those at work first."""

import streamlit as st

from url_viz.base.workspace import Workspace
from url_viz.jobs import Job, Status, list_jobs, live_jobs
from url_viz.store.about import has_tables
from url_viz.ui.first_page import show_ways_in
from url_viz.ui.menu import go_to
from url_viz.ui.session import choose
from url_viz.ui.widgets.jobs import TICK_S, show_job, show_result

MOST_SHOWN = 50


def show_jobs() -> None:
    """The jobs that wait or run, drawn again while there are any, and below them the latest that have ended."""
    live = [job.id for job in live_jobs(Workspace.at())]
    if live:
        st.fragment(_show_live, run_every=TICK_S)(live)
    ended = [job for job in list_jobs(Workspace.at()) if job.id not in live]
    if not live:
        st.caption("Nothing is running." if ended else "No jobs yet. The first is the reading of a folder: open one.")
    if not live and not ended:
        show_ways_in()
    if ended:
        st.header(f"Ended · {len(ended):,}", anchor=False)
    for job in ended[:MOST_SHOWN]:
        show_job(job, is_open=False, more=show_result, last=_offer_set)
    if len(ended) > MOST_SHOWN:
        st.caption(f"The latest {MOST_SHOWN} are shown. Delete some to see older ones.")


def _show_live(shown: list[str]) -> None:
    """The live jobs, the one that was started first above; one that has ended moves down with the next run."""
    jobs = live_jobs(Workspace.at())
    if [job.id for job in jobs] != shown:
        st.rerun()
    for job in reversed(jobs):
        show_job(job, is_open=True, last=_offer_set)


def _offer_set(job: Job, status: Status) -> None:
    def open_set(set_id: str) -> None:
        choose(set_id)
        go_to("explore")

    set_id = job.about.get("set_id")
    if set_id is None or not has_tables(Workspace.at().set_paths(set_id)):
        return
    st.button(
        "Open its image set",
        icon=":material/scatter_plot:",
        type="tertiary",
        key=f"open.{job.id}",
        on_click=open_set,
        args=(set_id,),
    )


def show_jobs_page() -> None:
    """What runs, what waits and for what, and how the others ended."""
    st.caption(
        "Jobs go on if you close this page or stop the app.",
        help="One heavy job runs at a time; two light ones run side by side if there is enough memory.",
    )
    show_jobs()
