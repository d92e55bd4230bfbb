"""What the decisions were worth, on Review and Check labels: a linear probe's accuracy, by a job for a large set."""

from functools import partial

import pandas as pd
import streamlit as st

from url_viz.analysis.evidence.order_metrics import Figure
from url_viz.analysis.evidence.worth import Worth
from url_viz.image_set import ImageSet
from url_viz.jobs import JobState, latest_job, why_it_failed
from url_viz.jobs.kinds import AT_ONCE, REVIEW_WORTH
from url_viz.jobs.measuring import start_worth, worth_by_job
from url_viz.ui.session import Key
from url_viz.ui.text import errors_shown, escape, show_error
from url_viz.ui.widgets.embed_job import set_name
from url_viz.ui.widgets.jobs import show_until_over
from url_viz.wording import percent

MEASURED: Key[str] = Key("view.review.worth")

shown = partial(percent, digits=1)


METHOD = (
    "A linear classifier on the stored embeddings is trained with the original labels, with your decisions, and with "
    "every likely suggestion accepted unseen; it is tested on pictures that no decision changed. The network itself is "
    "not trained."
)


def show_worth(image_set: ImageSet) -> None:
    """A button that measures it, and the result; nothing where nothing was dropped or corrected."""
    if not image_set.labels.is_reviewed():
        return
    title = "What did correcting and dropping gain?"
    with st.expander(title, icon=":material/trending_up:", expanded=True), errors_shown(st.error):
        worth = _measured(image_set) if len(image_set) <= AT_ONCE else _measured_by_job(image_set)
        if worth is None:
            st.caption(METHOD)
        else:
            _show(worth)


def _measured(image_set: ImageSet) -> Worth | None:
    now = f"{image_set.version}.{image_set.decisions.version}"
    st.button("Measure", icon=":material/speed:", key="review.worth", on_click=MEASURED.set, args=(now,))
    if MEASURED.get() != now:
        return None
    with st.spinner("Training the classifier in five folds"):
        return image_set.cached(_worth_at, now)


def _worth_at(image_set: ImageSet, version: str) -> Worth:
    """What decisions of this version were worth: they change it for the same snapshot."""
    return image_set.labels.worth()


def _measured_by_job(image_set: ImageSet) -> Worth | None:
    """What a job measured of the decisions as they are now; else how far it is, or a button that starts it."""
    worth = worth_by_job(image_set)
    job = latest_job(image_set.workspace, kind=REVIEW_WORTH.name, set_id=image_set.set_id)
    if worth is not None:
        return worth
    if job is not None and job.status().is_live:
        show_until_over(job)
        return None
    if job is not None and job.state is JobState.FAILED:
        show_error(f"Nothing was measured. {why_it_failed(job)}")
    st.caption("In so large a set it may take minutes. It goes on when you leave this page; its result stays here.")
    if st.button("Measure", icon=":material/speed:", key="review.worth"):
        start_worth(image_set, name=set_name(image_set.root))
        st.rerun()
    return None


def _show(worth: Worth) -> None:
    if not worth.is_comparable:
        st.markdown(escape(worth.words))
        return
    st.markdown(f"**{escape(worth.gain)}** {escape(worth.outcome)}")
    with st.expander("How this was measured, and other ways to train"):
        _show_details(worth)


def _show_details(worth: Worth) -> None:
    st.markdown(f"{METHOD} {escape(worth.details)}")
    table = pd.DataFrame(
        {
            "Trained on the set": [arm.name for arm in worth.arms],
            "Right": [shown(arm.accuracy.value) for arm in worth.arms],
            "95 % interval over pictures": [_interval(arm.accuracy) for arm in worth.arms],
            "Log loss": [arm.log_loss.text() for arm in worth.arms],
        }
    )
    st.dataframe(
        table, hide_index=True, width="content", alt="What a classifier gets right, with and without the review"
    )
    if len(worth.differing):
        st.header("Classes where it made a difference", anchor=False)
        st.dataframe(
            _classes(worth.differing),
            hide_index=True,
            width="content",
            height="auto",
            alt="Classes where the review made a difference",
        )


def _interval(figure: Figure) -> str:
    return f"{shown(figure.interval.low)} to {shown(figure.interval.high)}"


def _classes(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Class": rows["label"],
            "Pictures": rows["pictures"],
            "As given": rows["given"].map(shown),
            "As decided": rows["decided"].map(shown),
            "Difference": [f"{100 * value:+.1f}" for value in rows["difference"]],
        }
    )
