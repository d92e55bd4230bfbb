"""What the decisions were worth, on Review and Check labels: accuracies of a linear probe."""

from functools import partial

import pandas as pd
import streamlit as st

from url_viz.analysis.worth import SEEDS, Worth
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.ui.session import REVIEW_WORTH
from url_viz.ui.text import escape, show_error
from url_viz.wording import percent

shown = partial(percent, digits=1)


def show_worth(image_set: ImageSet) -> None:
    """A button that measures it, and the result; nothing where nothing was dropped or corrected."""
    if not image_set.labels.is_reviewed():
        return
    with st.expander("What did correcting and dropping gain?", icon=":material/trending_up:", expanded=True):
        now = f"{image_set.version}.{image_set.decisions.version}"
        st.caption(
            "A linear classifier on the stored embeddings is trained with the original labels and with your decisions, "
            "and tested on held-out pictures. It takes seconds; the network itself is not trained. Suggestions "
            "accepted unseen always look good to it, so compare the last column too."
        )
        st.button("Measure", icon=":material/speed:", key="review.worth", on_click=REVIEW_WORTH.set, args=(now,))
        if REVIEW_WORTH.get() != now:
            return
        try:
            with st.spinner("Training the classifier: five folds, five seeds"):
                worth = image_set.cached(_worth_at, now)
        except UrlVizError as error:
            show_error(error)
        else:
            _show(worth)


def _worth_at(image_set: ImageSet, version: str) -> Worth:
    """What decisions of this version were worth: they change it for the same snapshot."""
    return image_set.labels.worth(seeds=SEEDS)


def _show(worth: Worth) -> None:
    st.markdown(escape(worth.words))
    rows = [(title, arm.accuracy, arm.under_given) for title, arm in worth.arms]
    table = pd.DataFrame(
        {
            "Trained on": [title for title, _, _ in rows],
            "Accuracy on the labels now": [shown(accuracy.value) for _, accuracy, _ in rows],
            "95 % interval over seeds": [f"{shown(a.interval.low)} to {shown(a.interval.high)}" for _, a, _ in rows],
            "Accuracy on the original labels": [shown(given.value) for _, _, given in rows],
        }
    )
    st.dataframe(
        table, hide_index=True, width="content", alt="What a classifier gets right, with and without the review"
    )
    if len(worth.differing):
        st.markdown("**Classes where it made a difference**")
        st.dataframe(
            _classes(worth.differing),
            hide_index=True,
            width="content",
            height="auto",
            alt="Classes where the review made a difference",
        )


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
