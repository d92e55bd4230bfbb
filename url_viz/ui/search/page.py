"""Parts of the Search page: gate, hits, pictures left out, the warning for an uncertain query, and evidence."""

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.evidence.evaluation import Evaluated, Evidence, evidence
from url_viz.analysis.evidence.selective_retrieval import MODES, Mode, Restriction
from url_viz.analysis.measures import AMBIGUITY, measure_named, measure_title, quoted
from url_viz.analysis.ranking import percentile_of_each
from url_viz.drawing.tiles import similarity_text, tiles
from url_viz.image_set import ImageSet
from url_viz.subjects.set_search import SearchResult
from url_viz.ui.search.query_picture import Query, search_with
from url_viz.ui.session import Key
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.announcer import announce
from url_viz.ui.widgets.charts import BELOW, MODE_NAMES, coverage_figure, kept, restriction_figure, show_figure
from url_viz.ui.widgets.gallery import show_gallery
from url_viz.ui.widgets.measure_choice import measure_under
from url_viz.wording import counted, standing

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SEARCH_MEASURE: Key[str | None] = Key("search.measure")
SEARCH_ANYWAY: Key[tuple[str, str, int]] = Key("search.anyway")
EVIDENCE_WANTED: Key[bool] = Key("search.evidence")
"""Whether the evidence of a large set is wanted, by its id."""

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
        measure = measure_under(SEARCH_MEASURE, measures)
        percentile = st.slider(
            "Leave out above",
            0,
            OFF,
            OFF,
            format="%d %%",
            key="search.percentile",
            help="Pictures more ambiguous than so many of the set are left out; at 100 %, none are.",
        )
        dropped = int((table["decision"] == "drop").sum())
        without_dropped = bool(dropped) and st.toggle(
            f"Leave out dropped ({dropped:,})", key="search.without_dropped", help="Pictures you decided to drop"
        )
    st.caption(escape(measure_named(measure).meaning))
    return Gate(measure, percentile, without_dropped)


def gated_search(image_set: ImageSet, query: Query, gate: Gate) -> SearchResult:
    """The search of `ImageSet.safe_search` under the gate."""
    picture = query.image_id if query.image_id is not None else query.picture
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
        Markdown(f"{escape(measure_title(measure))} **{value:.3g}** {_at_percentile(query.percentiles[measure])}")
        for measure, value in query.values.items()
        if np.isfinite(value)
    ]
    if query.between is not None:
        lines.append(escape(f"Lies {query.between}"))
    if query.is_unlike:
        lines.append(Markdown("**Unlike this set**: nothing in it is like this picture, so it has no value here."))
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
    go_on = partial(SEARCH_ANYWAY.set, search)
    st.button("Search anyway", key="search.go_on", icon=":material/search:", on_click=go_on)
    return False


def warning(query: Query, gate: Gate, evidence: Evidence | None) -> Markdown:
    """Why a query is withheld, and what the set's own classes say of such pictures; no more than they say."""
    name, rank = escape(quoted(gate.measure)), query.percentiles.get(gate.measure, float("nan"))
    if query.is_unlike:
        return Markdown("Nothing in this set is like this picture, so the search cannot tell whether to trust it.")
    if not np.isfinite(rank):
        return Markdown(f"This picture has no value of {name} here, so the search cannot tell whether to trust it.")
    lies = escape(f", {query.between}" if query.between is not None and gate.measure == AMBIGUITY.name else "")
    place = escape(standing(rank, of=" of the set"))
    return Markdown(
        f"By {name}, this picture is **{place}**{lies}. The threshold is {gate.percentile:d} %. "
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
        words = image_set.core.said(f"{counted(len(result.withheld), 'nearer picture')} left out: show")
        if st.toggle(escape(words), key="search.show_withheld"):
            with st.container(border=True, key="search.withheld_box"):
                _gallery(image_set, result.withheld.head(HITS), gate, key="search.withheld")
    announce("search", f"{counted(len(result.hits), 'similar picture')}, {len(result.withheld):,} left out")
    st.header(f"Most similar · {len(result.hits):,}", anchor=False)
    _gallery(image_set, result.hits, gate, key="search.hits")


def _gallery(image_set: ImageSet, rows: pd.DataFrame, gate: Gate, *, key: str) -> None:
    ranks = percentile_of_each(image_set.table(), gate.measure)[image_set.core.rows_of(rows["id"])]
    ranked = rows.assign(rank_percentile=ranks)
    plain = tiles(ranked, set_id=image_set.set_id, measure=gate.measure)
    shown = tuple(
        replace(tile, value=similarity_text(cosine)) for tile, cosine in zip(plain, rows["similarity"], strict=True)
    )
    empty = image_set.core.said("Every picture is above the threshold. Raise it to see hits.")
    show_gallery(shown, key=key, empty=empty, columns=6, on_click=search_with)


MOST_AT_ONCE = 50_000
"""Above this many pictures, evidence takes so long that it is only computed on request."""


def known_evidence(image_set: ImageSet, measure: str) -> Evidence | None:
    """The evidence for a measure, as far as the page shows it; None without classes, or if nobody wanted it."""
    is_wanted = len(image_set) <= MOST_AT_ONCE or bool(EVIDENCE_WANTED.under(image_set.set_id).get())
    return image_set.cached(evidence_of, measure) if is_wanted else None


def evidence_of(image_set: ImageSet, measure: str) -> Evidence | None:
    """Evidence for a measure from the classes of a set; None if too few pictures have a class and neighbours."""
    results, graph = image_set.cached(ImageSet.evaluate), image_set.core.witnesses
    if results is None or graph is None:
        return None
    return evidence(results, measure, image_set.table(), image_set.core.whitened.rows, image_set.contents, graph=graph)


def show_evidence(image_set: ImageSet, measures: list[str], *, measure: str) -> None:
    """Curves and table for a labelled image set; without classes, what is missing."""
    st.header("Does leaving out help here?", anchor=False)
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
    if words := [each.words(len(results.pictures)) for each in results.of_some if each.figures.name == measure]:
        st.caption(escape(words[0]))
    _show_curves(image_set, results, measures)
    _show_modes(image_set, chosen)


def verdict(evidence: Evidence) -> Markdown:
    """What the classes say: of queries by the interval of the measure's R-AUROC, of hits by the gain over random."""
    name, figures = escape(quoted(evidence.figures.name)), evidence.figures
    if not np.isfinite(figures.auroc.value):
        return Markdown("The nearest picture always has the same class, or never: leaving out cannot help.")
    if figures.tells_errors:
        times = escape(f"{round(100 * figures.auroc.value)} of 100 cases (chance: 50)")
        of_queries = Markdown(
            f"**avoids errors**: by {name}, a picture with a wrong match ranks above one without in {times}."
        )
    else:
        of_queries = Markdown(f"**does not clearly avoid errors**: {name} orders them no better than chance.")
    gain = escape(f"{100 * evidence.overall[0.1].gain('database'):+.1f}".replace("-", "−"))
    return Markdown(
        f"Refusing ambiguous queries {of_queries}\n\nLeaving a tenth of the set out of results changes recall@1 by "
        f"**{gain} points** compared with leaving out as many at random."
    )


def _show_curves(image_set: ImageSet, results: Evaluated, measures: list[str]) -> None:
    pictures, figures = results.pictures, {measure.name: measure for measure in results.measures}
    names = tuple(name for name in measures if name in figures)
    scores = " · ".join(f"{measure_title(name)} R-AUROC {figures[name].auroc.text()}" for name in names)
    st.caption(
        f"The nearest picture, near copies aside, has the same class for {100 * pictures.recall:.1f} % of "
        f"{len(pictures):,} pictures of {pictures.classes:,} classes (recall@1).",
        help=escape(scores),
    )
    if AMBIGUITY.name in names:
        st.caption(
            f"{escape(AMBIGUITY.title)} uses these classes, but never a picture's own label; the others use none."
        )
    show_figure(
        kept(image_set, _drawn_curves, results, names),
        key="search.coverage",
        alt="Recall@1 of the pictures kept as the most ambiguous are left out, a curve for each measure",
    )


def _drawn_curves(results: Evaluated, names: tuple[str, ...]) -> "Figure":
    every, pictures = {measure.name: measure.curve for measure in results.measures}, results.pictures
    curves = {name: every[name] for name in names}
    figure = coverage_figure(curves, oracle=pictures.oracle, recall=pictures.recall, height_px=360)
    return figure.update_layout(legend=BELOW)


def _show_modes(image_set: ImageSet, evidence: Evidence) -> None:
    st.subheader(f"Leaving out by {escape(quoted(evidence.figures.name))}", anchor=False)
    show_figure(
        kept(image_set, restriction_figure, evidence),
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
