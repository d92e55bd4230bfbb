"""What the decisions were worth, on the Review page: accuracies of a linear probe, told plainly."""

import pandas as pd
import streamlit as st

from url_viz.analysis.worth import SEEDS, Worth
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.ui.session import REVIEW_WORTH
from url_viz.ui.text import escape, show_error


def show_worth(image_set: ImageSet) -> None:
    """A button that measures it, and the result; nothing where nothing was dropped or corrected."""
    if not image_set.labels.is_reviewed():
        return
    with st.expander("What was it worth?", icon=":material/trending_up:", expanded=True):
        now = f"{image_set.version}.{image_set.decisions.version}"
        st.caption(
            "A linear classifier on the stored embeddings is taught the set as given and as decided, and asked of "
            "pictures it has not seen. It takes seconds; the network itself is not trained. Suggestions that were "
            "accepted without a look please it whatever is true: compare the last column."
        )
        st.button("Measure", icon=":material/speed:", key="review.worth", on_click=REVIEW_WORTH.set, args=(now,))
        if REVIEW_WORTH.get() != now:
            return
        try:
            with st.spinner("Teaching the probe, on five folds and with five seeds"):
                found = image_set.cached(_worth_at, now)
        except UrlVizError as error:
            show_error(error)
        else:
            _show(found)


def _worth_at(image_set: ImageSet, version: str) -> Worth:
    """What decisions of this version were worth: they change it for the same snapshot."""
    return image_set.labels.worth(seeds=SEEDS)


def _show(found: Worth) -> None:
    st.markdown(escape(found.words))
    rows = [(title, arm.accuracy, arm.under_given) for title, arm in found.arms]
    table = pd.DataFrame(
        {
            "Taught": [title for title, _, _ in rows],
            "Right, under the labels now": [_percent(one.value) for _, one, _ in rows],
            "95 % interval over seeds": [
                f"{_percent(o.interval.low)} to {_percent(o.interval.high)}" for _, o, _ in rows
            ],
            "Right, under the labels as given": [_percent(one.value) for _, _, one in rows],
        }
    )
    st.dataframe(
        table, hide_index=True, width="content", alt="What a classifier gets right, with and without the review"
    )
    if len(found.differing):
        st.markdown("**Classes where it made a difference**")
        st.dataframe(
            _classes(found.differing),
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
            "As given": rows["given"].map(_percent),
            "As decided": rows["decided"].map(_percent),
            "Difference": [f"{100 * value:+.1f}" for value in rows["difference"]],
        }
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
