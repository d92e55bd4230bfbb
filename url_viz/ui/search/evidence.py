"""Evidence shown with a search: whether withholding uncertain pictures improves retrieval on this image set."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.evaluation import Evaluated, Evidence, evidence
from url_viz.analysis.measures import AMBIGUITY, in_text, title_of
from url_viz.analysis.selective_retrieval import MODES, Mode, Restriction
from url_viz.image_set import ImageSet
from url_viz.ui.session import EVIDENCE_WANTED
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.charts import IN_TWO, MODE_NAMES, MOST_DRAWN, coverage_figure, restriction_figure, show_figure

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


MOST_AT_ONCE = 50_000
"""Above this many pictures, evidence takes so long that it is only computed on request."""


def known_evidence(image_set: ImageSet, measure: str) -> Evidence | None:
    """The evidence for a measure, as far as the page shows it; None without classes, or if nobody wanted it."""
    is_wanted = len(image_set) <= MOST_AT_ONCE or bool(EVIDENCE_WANTED.of(image_set.set_id).get())
    return image_set.cached(evidence_of, measure) if is_wanted else None


def evidence_of(image_set: ImageSet, measure: str) -> Evidence | None:
    """Evidence for a measure from the classes of a set; None if too few pictures have a class and neighbours."""
    results, graph = image_set.cached(ImageSet.evaluate), image_set.witnesses
    if results is None or graph is None:
        return None
    return evidence(results, measure, image_set.table(), image_set.whitened.rows, image_set.contents, graph=graph)


def show_evidence(image_set: ImageSet, measures: list[str], *, measure: str) -> None:
    """Curves and table for a labelled image set; without classes, what is missing."""
    st.markdown("**Does withholding help here?**")
    if len(image_set) > MOST_AT_ONCE and not st.toggle(
        f"Compute it on {len(image_set):,} pictures (takes a while)", key=EVIDENCE_WANTED.of(image_set.set_id)
    ):
        return
    with st.spinner("Searching with every picture"):
        chosen, results = image_set.cached(evidence_of, measure), image_set.cached(ImageSet.evaluate)
    if chosen is None or results is None:
        st.caption("This needs classes: at least 20 pictures with a value, in two or more class folders.")
        return
    st.markdown(verdict(chosen))
    _show_curves(results, measures)
    _show_modes(chosen)


def verdict(evidence: Evidence) -> Markdown:
    """What the classes say: of queries by the interval of the measure's R-AUROC, of hits by the gain over random."""
    name, figures = escape(in_text(evidence.figures.name)), evidence.figures
    if not np.isfinite(figures.auroc.value):
        return Markdown("The nearest picture always has the same class, or never: withholding cannot help.")
    if figures.tells_errors:
        times = escape(f"{round(100 * figures.auroc.value)} of 100 cases (chance: 50)")
        of_queries = Markdown(f"**yes**: by {name}, a picture with a wrong match ranks above one without in {times}.")
    else:
        of_queries = Markdown(f"**not clearly**: {name} orders their errors no better than chance.")
    gain = escape(f"{100 * evidence.overall[0.1].gain('database'):+.1f}".replace("-", "−"))
    return Markdown(
        f"Withholding queries: {of_queries}\n\nWithholding hits: leaving out a tenth of the set changes recall@1 by "
        f"**{gain} points** compared with leaving out as many at random."
    )


def _show_curves(results: Evaluated, measures: list[str]) -> None:
    pictures, figures = results.pictures, {one.name: one for one in results.measures}
    names = tuple(name for name in measures if name in figures)
    scores = " · ".join(f"{title_of(name)} R-AUROC {figures[name].auroc.text()}" for name in names)
    st.caption(
        f"The nearest picture, twins aside, has the same class for {100 * pictures.recall:.1f} % of {len(pictures):,} "
        f"pictures of {pictures.classes:,} classes (recall@1).",
        help=escape(scores),
    )
    if AMBIGUITY.name in names:
        st.caption("Ambiguity uses these classes, but never a picture's own label; the others use none.")
    show_figure(
        _drawn_curves(results, names),
        key="search.coverage",
        alt="Recall@1 of the pictures kept as the most ambiguous are left out, a curve for each measure",
    )


@lru_cache(maxsize=MOST_DRAWN)
def _drawn_curves(results: Evaluated, names: tuple[str, ...]) -> "Figure":
    every, pictures = {one.name: one.curve for one in results.measures}, results.pictures
    curves = {name: every[name] for name in names}
    figure = coverage_figure(curves, oracle=pictures.oracle, recall=pictures.recall, height_px=320)
    return figure.update_layout(legend=IN_TWO)


def _show_modes(evidence: Evidence) -> None:
    st.markdown(f"**Leaving out by {escape(in_text(evidence.figures.name))}**")
    show_figure(
        restriction_figure(evidence),
        key="search.restriction",
        alt="Recall@1 where queries, hits or both are left out; the table below has the numbers",
    )
    st.caption("Dotted: the same number of pictures left out at random. A picture is never its own hit.")
    st.table(modes_table(evidence), alt="Recall@1 where queries, hits or both are left out")
    st.caption(
        "Recall@1, and in brackets the gain over random. “By class” leaves out the most ambiguous 10 % of each class, "
        "“Overall” the most ambiguous 10 % of the set, for which no classes are needed."
    )


def modes_table(evidence: Evidence) -> pd.DataFrame:
    """Recall@1 in percent of each mode with 10 % left out, by class and overall, with the gain over random."""
    columns = {"By class": evidence.class_wise, "Overall": evidence.overall[0.1]}
    cells = {title: [_cell(comparison, mode) for mode in MODES] for title, comparison in columns.items()}
    return pd.DataFrame(cells, index=pd.Index([MODE_NAMES[mode] for mode in MODES], name="10 % left out of"))


def _cell(comparison: Restriction, mode: Mode) -> str:
    return f"{100 * comparison.by_uncertainty[mode]:.1f} ({100 * comparison.gain(mode):+.1f})"
