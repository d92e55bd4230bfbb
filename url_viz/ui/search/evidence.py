"""Evidence shown with a search: whether withholding uncertain pictures improves retrieval on this image set."""

import pandas as pd
import streamlit as st

from url_viz.analysis.selective_retrieval import MODES, Comparison, Evidence, Mode
from url_viz.image_set import ImageSet
from url_viz.ui.cache import MOST_AT_ONCE, evidence_for
from url_viz.ui.text import escape
from url_viz.ui.widgets.charts import MODE_NAMES, coverage_figure, restriction_figure
from url_viz.ui.widgets.tiles import MEASURES

_QUIET = {"displayModeBar": False}


def show_evidence(image_set: ImageSet, measures: list[str], *, measure: str) -> None:
    """Curves and table for a labelled image set; without classes, what is missing."""
    st.markdown("**Does withholding help here?**")
    if len(image_set) > MOST_AT_ONCE and not st.toggle(
        f"Compute it on {len(image_set):,} pictures (takes a while)", key=f"search.evidence.{image_set.set_id}"
    ):
        return
    with st.spinner("Searching with every picture"):
        results = [result for name in measures if (result := evidence_for(image_set, name)) is not None]
    chosen = next((result for result in results if result.measure == measure), None)
    if chosen is None:
        st.caption("This needs classes: at least 20 pictures with a value, in two or more class folders.")
        return
    _show_curves(results)
    _show_modes(chosen)


def _show_curves(results: list[Evidence]) -> None:
    first = results[0]
    scores = " · ".join(f"{MEASURES[result.measure]} R-AUROC {result.auroc:.2f}" for result in results)
    st.caption(
        f"Recall@1 is {100 * first.recall:.1f} % on {first.pictures:,} pictures of {first.classes:,} classes. "
        f"{escape(scores)} (.5 is chance)."
    )
    figure = coverage_figure(results, names=[MEASURES[result.measure] for result in results])
    st.plotly_chart(figure, width="stretch", key="search.coverage", config=_QUIET)


def _show_modes(evidence: Evidence) -> None:
    st.markdown(f"**Leaving out by {escape(MEASURES[evidence.measure].lower())}**")
    st.plotly_chart(restriction_figure(evidence), width="stretch", key="search.restriction", config=_QUIET)
    st.caption("Dotted: the same number of pictures left out at random. A picture is never its own hit.")
    st.table(modes_table(evidence))
    st.caption(
        "Recall@1, and in brackets the gain over random. “By class” leaves out the most uncertain 10 % of each class, "
        "which needs classes; “Overall” leaves out the most uncertain 10 % of the set, which does not."
    )


def modes_table(evidence: Evidence) -> pd.DataFrame:
    """Recall@1 in percent of each mode with 10 % left out, by class and overall, with the gain over random."""
    tenth = evidence.study.overall[evidence.study.shares.index(0.1)]
    columns = {"By class": evidence.study.class_wise, "Overall": tenth}
    cells = {title: [_cell(comparison, mode) for mode in MODES] for title, comparison in columns.items()}
    return pd.DataFrame(cells, index=pd.Index([MODE_NAMES[mode] for mode in MODES], name="10 % left out of"))


def _cell(comparison: Comparison, mode: Mode) -> str:
    return f"{100 * comparison.by_uncertainty.of(mode):.1f} ({100 * comparison.gain(mode):+.1f})"
