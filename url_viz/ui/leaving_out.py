"""Whether leaving out ambiguous pictures helps in a set: a verdict by its own classes, a figure, and a table."""

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.columns.measures import quoted
from url_viz.evidence.evaluation import Evidence, evidence
from url_viz.evidence.selective_retrieval import MODES
from url_viz.image_set import ImageSet
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.charts import MODE_NAMES, cached_result, restriction_figure, show_figure

EVIDENCE_WANTED: Key[bool] = Key("leaving_out.wanted")
"""Whether the evidence of a large set is wanted, by its id."""

MOST_AT_ONCE = 50_000
"""Above this many pictures, evidence takes so long that it is only computed on request."""


def known_evidence(image_set: ImageSet, measure: str) -> Evidence | None:
    """The evidence for a measure that the page shows; None without classes, or until it is asked for."""
    is_wanted = len(image_set) <= MOST_AT_ONCE or bool(EVIDENCE_WANTED.under(image_set.set_id).get())
    return image_set.cached(evidence_of, measure) if is_wanted else None


def evidence_of(image_set: ImageSet, measure: str) -> Evidence | None:
    """Evidence for a measure from the classes of a set; None if too few pictures have a class and neighbours."""
    results, graph = image_set.cached(ImageSet.evaluate), image_set.core.witnesses
    if results is None or graph is None:
        return None
    return evidence(
        results, measure, image_set.table(), image_set.core.whitened.rows, image_set.core.contents, graph=graph
    )


def show_evidence(image_set: ImageSet, *, measure: str) -> None:
    """Whether leaving out by a measure helps a search: a sentence, a figure, a table; else what that takes."""
    if len(image_set) > MOST_AT_ONCE and not st.toggle(
        f"Compute it on {len(image_set):,} pictures (takes a while)", key=EVIDENCE_WANTED.under(image_set.set_id)
    ):
        return
    with st.spinner("Searching with every picture"):
        chosen, results = image_set.cached(evidence_of, measure), image_set.cached(ImageSet.evaluate)
    if chosen is None or results is None:
        st.caption("This needs classes: at least 20 pictures with a value, in two or more class folders.")
        return
    st.markdown(verdict(chosen))
    if measure in results.gap_words:
        st.caption(escape(results.gap_words[measure]))
    _show_modes(image_set, chosen)


def verdict(evidence: Evidence) -> Markdown:
    """The verdict on queries by the interval of the measure's R-AUROC, on hits by the gain over random."""
    name = escape(quoted(evidence.measure))
    if not np.isfinite(evidence.auroc.value):
        return Markdown("The nearest picture always has the same class, or never: leaving out cannot help.")
    if evidence.shows_errors:
        times = escape(f"{round(100 * evidence.auroc.value)} of 100 cases (chance: 50)")
        of_queries = Markdown(
            f"**avoids errors**: by {name}, a picture with a wrong match ranks above one without in {times}."
        )
    else:
        of_queries = Markdown(f"**does not clearly avoid errors**: {name} orders them no better than chance.")
    gain = escape(f"{100 * evidence.overall[0.1].gain('database'):+.1f}".replace("-", "−"))
    return Markdown(
        f"Refusing ambiguous queries {of_queries}\n\nLeaving a tenth of the set out of results changes recall@1 by "
        f"**{gain} points** compared with leaving out as many at random (one figure without an interval: a hint)."
    )


def _show_modes(image_set: ImageSet, evidence: Evidence) -> None:
    show_figure(
        cached_result(image_set, restriction_figure, evidence),
        key="leaving_out.modes",
        alt="Recall@1 where queries, hits or both are left out; the table below has the numbers",
    )
    st.caption("Dotted: the same number of pictures left out at random. A picture is never its own hit.")
    st.table(modes_table(evidence), alt="Recall@1 where queries, hits or both are left out")
    needs_none = "classes" not in image_set.core.measure(evidence.measure).knows
    st.caption(
        "Recall@1, and in brackets the gain over random. “By class” leaves out the most ambiguous 10 % of each class, "
        f"“Overall” the most ambiguous 10 % of the set{', for which no classes are needed' if needs_none else ''}."
    )


def modes_table(evidence: Evidence) -> pd.DataFrame:
    """Recall@1 in percent of each mode with 10 % left out, by class and overall, with the gain over random."""
    columns = {"By class": evidence.class_wise, "Overall": evidence.overall[0.1]}
    cells = {
        title: [f"{100 * each.by_uncertainty[mode]:.1f} ({100 * each.gain(mode):+.1f})" for mode in MODES]
        for title, each in columns.items()
    }
    return pd.DataFrame(cells, index=pd.Index([MODE_NAMES[mode] for mode in MODES], name="10 % left out of"))
