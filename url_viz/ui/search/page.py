"""Parts of the Search safely page: gate, hits, withheld pictures, and the warning for an uncertain query."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.ranking import with_percentile
from url_viz.image_set import ImageSet, SearchResult
from url_viz.ui.search.query import Query, search_with
from url_viz.ui.text import escape
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.tiles import MEASURES, measures_of, ordinal, tiles

HITS = 24
OFF = 100
GATED_BY = ("uncertainty", "confusability")


@dataclass(frozen=True)
class Gate:
    """Pictures with a `measure` above its `percentile` in the set are withheld; `bound` is None if the gate is off."""

    measure: str
    percentile: int
    bound: float | None
    without_dropped: bool = False

    def withholds(self, query: Query) -> bool:
        """Whether the query itself is too uncertain; a query without a value counts as too uncertain."""
        return self.bound is not None and not query.values[self.measure] <= self.bound


def measures_to_gate_by(table: pd.DataFrame) -> list[str]:
    """The measures that can gate a search and have values in this table."""
    return [measure for measure in measures_of(table) if measure in GATED_BY]


def pick_gate(table: pd.DataFrame, options: list[str]) -> Gate:
    """The measure and the percentile above which pictures are withheld; off by default."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        measure = st.segmented_control(
            "Withhold by",
            options,
            default=options[0],
            required=True,
            format_func=lambda name: MEASURES[name],
            key="search.measure." + "-".join(options),
            help="Uncertainty is predicted by the pretrained head for each picture by itself. Confusability is how "
            "easily a picture is confused with another one of this set. The evidence shows which of them helps here.",
        )
        percentile = st.slider(
            "Above percentile",
            0,
            OFF,
            OFF,
            format="%dth",
            key="search.percentile",
            help="Pictures above this percentile of the set are withheld; at 100 none are.",
        )
        dropped = int((table["decision"] == "drop").sum())
        without_dropped = bool(dropped) and st.toggle(
            f"Leave out dropped ({dropped:,})", key="search.without_dropped", help="Pictures that you decided to drop"
        )
    bound = None
    if percentile < OFF:
        bound = float(np.nanpercentile(table[measure].to_numpy(float), percentile))
    return Gate(measure, percentile, bound, without_dropped)


def gated_search(image_set: ImageSet, query: Query, gate: Gate) -> SearchResult:
    """The search of `ImageSet.find` under the gate."""
    bounds = {f"max_{gate.measure}": gate.bound}
    if query.image_id is not None:
        return image_set.find(query.image_id, k=HITS, without_dropped=gate.without_dropped, **bounds)
    assert query.embedding is not None
    return image_set.find(query.embedding, k=HITS, without_dropped=gate.without_dropped, **bounds)


def show_values(query: Query) -> None:
    """The query's values, one line per measure."""
    lines = [
        f"{MEASURES[measure]} **{value:.3g}**"
        + (
            f" · {escape(ordinal(query.percentiles[measure]))} percentile"
            if np.isfinite(query.percentiles[measure])
            else ""
        )
        for measure, value in query.values.items()
        if measure in GATED_BY and np.isfinite(value)
    ]
    st.markdown("  \n".join(lines))


def may_search(query: Query, gate: Gate) -> bool:
    """Whether to show hits; for a query that the gate withholds, only once the user insists after a warning."""
    if not gate.withholds(query):
        return True
    asked = (query.name, gate.measure, gate.percentile)
    if st.session_state.get("search.anyway") == asked:
        st.caption(":material/warning: The query itself is above the threshold: do not rely on these hits.")
        return True
    rank = query.percentiles[gate.measure]
    measure, at, bound = MEASURES[gate.measure].lower(), ordinal(rank), ordinal(gate.percentile)
    st.warning(
        f"This picture is too ambiguous to search with: its {escape(measure)} is at the **{escape(at)} percentile**, "
        f"and the threshold is the {escape(bound)}. Its nearest neighbours are likely to be of another kind."
        if np.isfinite(rank)
        else f"This picture has no {escape(measure)} here, so its hits may not be reliable.",
        icon=":material/warning:",
    )
    if st.button("Search anyway", key="search.go_on", icon=":material/search:"):
        st.session_state["search.anyway"] = asked
        st.rerun()
    return False


def show_hits(image_set: ImageSet, result: SearchResult, gate: Gate) -> None:
    """The hits, and the number of nearer pictures that were withheld; a click on a picture searches with it."""
    if len(result.withheld):
        noun = "picture" if len(result.withheld) == 1 else "pictures"
        is_shown = st.toggle(
            f"{len(result.withheld):,} nearer {escape(noun)} withheld: show", key="search.show_withheld"
        )
        if is_shown:
            with st.container(border=True, key="search.withheld_box"):
                _gallery(image_set, result.withheld.head(HITS), gate, key="search.withheld")
    st.markdown(f"**Most similar** · {len(result.hits):,}")
    _gallery(image_set, result.hits, gate, key="search.hits")


def _gallery(image_set: ImageSet, rows: pd.DataFrame, gate: Gate, *, key: str) -> None:
    ranks = with_percentile(image_set.table(), gate.measure).set_index("id")["rank_percentile"]
    ranked = rows.assign(rank_percentile=ranks.loc[rows["id"]].to_numpy(float))
    plain = tiles(ranked, set_id=image_set.set_id, measure=gate.measure, ringed_id=None)
    shown = tuple(replace(t, mark=f"cos {c:.2f}") for t, c in zip(plain, rows["similarity"], strict=True))
    empty = "Every picture is above the threshold. Raise it to see hits."
    clicked = show_gallery(shown, key=key, empty=empty, columns=6).clicked_id
    if clicked is not None:
        search_with(clicked)
        st.rerun()
