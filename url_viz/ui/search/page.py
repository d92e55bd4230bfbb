"""Parts of the Search safely page: gate, hits, withheld pictures, and the warning for an uncertain query."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.evaluation import Evidence
from url_viz.analysis.measures import AMBIGUITY, in_text, measure_named, title_of
from url_viz.analysis.ranking import percentile_of_each
from url_viz.image_set import ImageSet
from url_viz.subjects.set_search import SearchResult
from url_viz.ui.search.query_picture import Query, search_with
from url_viz.ui.session import SEARCH_ANYWAY, SEARCH_MEASURE
from url_viz.ui.text import Markdown, escape
from url_viz.ui.tile_data import tiles
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.measure_choice import choose_measure
from url_viz.wording import counted, decimal, standing

HITS = 24
OFF = 100


@dataclass(frozen=True)
class Gate:
    """Pictures above a `percentile` (0 to 100) of a `measure` in the set are withheld; at OFF none are."""

    measure: str
    percentile: int
    without_dropped: bool = False

    @property
    def is_on(self) -> bool:
        """Whether anything is withheld for its measure."""
        return self.percentile < OFF

    def withholds(self, query: Query) -> bool:
        """Whether the query itself is above the bound, or has no value that could be vouched for."""
        return self.is_on and not query.percentiles.get(self.measure, float("nan")) <= self.percentile


def pick_gate(table: pd.DataFrame, measures: list[str]) -> Gate:
    """The measure and the percentile above which pictures are withheld; off by default."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        measure = choose_measure(measures, key=SEARCH_MEASURE)
        percentile = st.slider(
            "Withhold above",
            0,
            OFF,
            OFF,
            format="%d %%",
            key="search.percentile",
            help="Pictures that are above so many of the set are withheld; at 100 %, none are.",
        )
        dropped = int((table["decision"] == "drop").sum())
        without_dropped = bool(dropped) and st.toggle(
            f"Leave out dropped ({dropped:,})", key="search.without_dropped", help="Pictures you decided to drop"
        )
    st.caption(escape(measure_named(measure).meaning))
    return Gate(measure, percentile, without_dropped)


def gated_search(image_set: ImageSet, query: Query, gate: Gate) -> SearchResult:
    """The search of `ImageSet.safe_search` under the gate."""
    picture = query.image_id if query.image_id is not None else query.embedding
    assert picture is not None
    return image_set.safe_search(
        picture,
        k=HITS,
        by=gate.measure,
        max_percentile=gate.percentile if gate.is_on else None,
        without_dropped=gate.without_dropped,
    )


def show_values(query: Query) -> None:
    """The query's values, one line per measure, and the two classes between which it lies."""
    lines = [
        Markdown(f"{escape(title_of(measure))} **{value:.3g}** {_at_percentile(query.percentiles[measure])}")
        for measure, value in query.values.items()
        if np.isfinite(value)
    ]
    if query.between is not None:
        lines.append(escape(f"Lies {query.between}"))
    st.markdown(Markdown("  \n".join(lines)))


def _at_percentile(rank: float) -> Markdown:
    return escape(f"· {standing(rank, of=' of the others')}") if np.isfinite(rank) else Markdown("")


def may_search(query: Query, gate: Gate, evidence: Evidence | None) -> bool:
    """Whether to show hits; for a query that the gate withholds, only once the user insists after a warning."""
    if not gate.withholds(query):
        return True
    search = (query.name, gate.measure, gate.percentile)
    if SEARCH_ANYWAY.get() == search:
        st.caption(":material/warning: The query itself is above the threshold.")
        return True
    st.warning(warning(query, gate, evidence), icon=":material/warning:")
    if st.button("Search anyway", key="search.go_on", icon=":material/search:"):
        SEARCH_ANYWAY.set(search)
        st.rerun()
    return False


def warning(query: Query, gate: Gate, evidence: Evidence | None) -> Markdown:
    """Why a query is withheld, and what the set's own classes say of such pictures; no more than they say."""
    name, rank = escape(in_text(gate.measure)), query.percentiles.get(gate.measure, float("nan"))
    if not np.isfinite(rank):
        return Markdown(f"This picture has no {name} here, so the search cannot tell whether to trust it.")
    lies = escape(f", {query.between}" if query.between is not None and gate.measure == AMBIGUITY.name else "")
    at = escape(standing(rank, of=" of the set"))
    return Markdown(
        f"By {name}, this picture is **{at}**{lies}. The threshold is {gate.percentile:d} %. "
        f"{_of_such_pictures(gate, evidence)}"
    )


def _of_such_pictures(gate: Gate, evidence: Evidence | None) -> Markdown:
    if evidence is None:
        return Markdown("Without classes, nothing shows whether such pictures get worse hits here.")
    if not evidence.figures.tells_errors:
        return Markdown("In this set that says nothing clear about its hits.")
    low, high = evidence.wrong_on_sides(gate.percentile)
    if not np.isfinite(low) or not np.isfinite(high):
        return Markdown("")
    return Markdown(
        f"Of this set's pictures above the threshold, **{100 * high:.0f} %** have a nearest picture of another class; "
        f"of those below it, {100 * low:.0f} %."
    )


def show_hits(image_set: ImageSet, result: SearchResult, gate: Gate) -> None:
    """The hits, and the number of nearer pictures that were withheld; a click on a picture searches with it."""
    if len(result.withheld):
        words = image_set.said(f"{counted(len(result.withheld), 'nearer picture')} withheld: show")
        if st.toggle(escape(words), key="search.show_withheld"):
            with st.container(border=True, key="search.withheld_box"):
                _gallery(image_set, result.withheld.head(HITS), gate, key="search.withheld")
    st.markdown(f"**Most similar** · {len(result.hits):,}")
    _gallery(image_set, result.hits, gate, key="search.hits")


def _gallery(image_set: ImageSet, rows: pd.DataFrame, gate: Gate, *, key: str) -> None:
    ranks = percentile_of_each(image_set.table(), gate.measure)[image_set.rows_of(rows["id"])]
    ranked = rows.assign(rank_percentile=ranks)
    plain = tiles(ranked, set_id=image_set.set_id, measure=gate.measure)
    similarity, percentiles = rows["similarity"], ranked["rank_percentile"]
    shown = tuple(
        replace(tile, value=f"similarity {decimal(cosine)}", mark=standing(at) if np.isfinite(at) else None)
        for tile, cosine, at in zip(plain, similarity, percentiles, strict=True)
    )
    empty = image_set.said("Every picture is above the threshold. Raise it to see hits.")
    clicked = show_gallery(shown, key=key, empty=empty, columns=6)
    if clicked is not None:
        search_with(clicked)
        st.rerun()
