"""On the Models page: the device, the precision and the second model of readings that the app starts."""

import streamlit as st

from url_viz.cluster.on_ray import cluster_address
from url_viz.models.runtime import PRECISION_MEANS, PRECISIONS, Precision, devices
from url_viz.second_reading import MOST_PICTURES, VARIABLE, is_on
from url_viz.ui.session import DEVICE, ON_RAY, ONE_MODEL, PRECISION
from url_viz.ui.text import escape

AUTO = "auto"
AS_READ = "as read before"


def show_how_to_read() -> None:
    """Three controls, kept for the session, and what a change of them means."""
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with left:
            _pick_device()
        with right:
            _pick_precision()
        _switch_second()


def _pick_device() -> None:
    here = {AUTO: "Automatic", **devices()}
    cluster = cluster_address()
    known = here if cluster is None else {**here, ON_RAY: f"Ray cluster {cluster}"}
    names = list(known)
    now = DEVICE.get() or AUTO
    picked = st.selectbox(
        "Read on",
        names,
        index=names.index(now) if now in names else 0,
        format_func=lambda name: known[name] if name in (AUTO, "cpu", ON_RAY) else f"{known[name]} ({name})",
        key="models.pick_device",
        help="For what this app reads while this page is open in your browser.",
    )
    DEVICE.set(picked)
    if picked == ON_RAY:
        st.caption("Its workers read the pictures; this machine stores the results and makes the map.")
    elif len(here) == 2:
        st.caption("No usable GPU on this machine, so pictures are read on the CPU.")
    elif picked == AUTO:
        st.caption("All available GPUs, in turn.")


def _pick_precision() -> None:
    options = [AS_READ, *PRECISIONS]
    picked = st.selectbox(
        "Precision",
        options,
        index=options.index(PRECISION.get() or AS_READ),
        format_func=str.capitalize,
        key="models.pick_precision",
        help=escape(
            "Results of different precisions are never mixed. A set that was read in one is read again in the other, "
            "and stored separately; the latest is shown. You can remove the other under Image sets."
        ),
    )
    chosen = next((name for name in PRECISIONS if name == picked), None)
    PRECISION.set(chosen)
    st.caption(escape(_meaning(chosen)))


def _switch_second() -> None:
    words = (
        f"Once a new set of up to {MOST_PICTURES:,} pictures is read and drawn, a second model reads it too, if one is "
        "installed (about 1.6 times as long in all). Both then judge what is ambiguous, which is more accurate."
    )
    off, label = f"Switched off for this app by ${VARIABLE}.", "Read new image sets with a second model too"
    is_two = is_on() and not ONE_MODEL.get()
    with_both = st.toggle(
        label, is_two, key="models.second", disabled=not is_on(), help=escape(words if is_on() else off)
    )
    ONE_MODEL.set(not with_both)


def _meaning(picked: Precision | None) -> str:
    if picked is None:
        return f"Sets keep the precision they were read in; new ones are read fast: {PRECISION_MEANS['fast']}"
    return f"{PRECISION_MEANS[picked]} A set read in the other precision is read again; its results stay."
