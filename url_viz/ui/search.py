"""Parts of the Search page: the query, its gate, hits, pictures left out, and evidence."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted, decimal, standing
from url_viz.columns.filters import id_in
from url_viz.columns.measures import AMBIGUITY, measure_named, measure_title, quoted
from url_viz.columns.ranking import percentile_of_each, with_percentile
from url_viz.drawing.tiles import picture_url, similarity_text, tiles, whole_url
from url_viz.evidence.evaluation import Evaluated, Evidence, evidence
from url_viz.evidence.selective_retrieval import MODES
from url_viz.export.picture_files import data_url
from url_viz.image_set import ImageSet
from url_viz.imaging.places import Place
from url_viz.imaging.uploaded_files import IncomingFile, RefusedFile
from url_viz.imaging.workers import decoders
from url_viz.labels.ambiguity import between
from url_viz.outside.set_search import SearchResult
from url_viz.outside.uploads import MEASURED, NewPicture, judge_pictures
from url_viz.ui.session import Key, component_state
from url_viz.ui.streamlit_private import end_page
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.upload.batch import score_for_all, shown_name
from url_viz.ui.widgets.buttons import measure_under, offered
from url_viz.ui.widgets.charts import BELOW, MODE_NAMES, cached_result, coverage_figure, restriction_figure, show_figure
from url_viz.ui.widgets.components import announce, drawn_box, show_part, show_paste
from url_viz.ui.widgets.gallery import show_gallery

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


SEARCHING: Key[bool] = Key("view.searching")
"""Whether Explore shows a search in place of map and galleries."""
QUERY_ID: Key[int] = Key("search.query_id")
QUERY_FILE: "Key[UploadedFile | None]" = Key("search.file")
QUERY_DROP: "Key[UploadedFile | None]" = Key("search.drop")
QUERY_SCORED: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]" = Key("search.scored")
PART: Key[MutableMapping[str, object]] = Key("search.part")
"""The part that was drawn on a picture searched with, by the set's id and the picture's, or the upload's."""
PART_SCORED: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]" = Key("search.part.scored")

_ID_IN_ADDRESS = "id"


@dataclass(frozen=True)
class Query:
    """A picture to search with: one of the set (`image_id`), or an uploaded one or a part (`picture`).

    `address` is the URL of the picture (of an object the whole one) on which a part can be drawn, `key` that of the
    drawing, empty where none can be. `values` and `percentiles` within the set are by measure; `between` names the two
    classes that it lies between, with their shares, None if unknown. Where nothing in the set is like it (`is_unlike`),
    it has none of these.
    """

    name: str
    address: str
    width: int
    height: int
    values: Mapping[str, float]
    percentiles: Mapping[str, float]
    between: str | None = None
    is_unlike: bool = False
    image_id: int | None = None
    picture: NewPicture | None = None
    key: str = ""


def query_for(image_set: ImageSet) -> Query | None:
    """The query in the session or the address; None if there is none, or its picture is not in the set."""
    file = QUERY_FILE.get()
    if file is not None and not image_set.source.is_external:
        query = _from_outside(file, image_set)
        return None if query is None else _part_of(query, file.getvalue, image_set)
    image_id = QUERY_ID.get() if QUERY_ID.is_set else id_in(st.query_params.get(_ID_IN_ADDRESS, ""))
    if image_id is None:
        return None
    if not (image_set.table()["id"] == image_id).any():
        st.info("The picture to search with is not in this image set. Choose another one.", icon=":material/info:")
        return None
    st.query_params[_ID_IN_ADDRESS] = str(image_id)
    return _part_of(_of_set(int(image_id), image_set), lambda: image_set.files.whole(int(image_id)), image_set)


def search_with(image_id: int) -> None:
    """Search with a picture of the set from now on."""
    QUERY_ID.set(image_id)
    QUERY_FILE.clear()


def show_query(query: Query) -> None:
    """The query's picture, on which a part can be drawn, and name."""
    if query.key:
        show_part(query.address, (query.width, query.height), key=query.key)
    else:
        shape = f"aspect-ratio: {query.width} / {query.height}"
        st.html(f'<img class="url-viz-picture" src="{query.address}" style="{shape}" alt="The picture searched with">')
    st.code(query.name, language=None, wrap_lines=True)


def pick_query(image_set: ImageSet, *, measure: str, columns: int) -> None:
    """Pick a query: by file, clipboard, or a path in the set, with two rows of `columns` pictures."""

    def store_file() -> None:
        QUERY_FILE.set(QUERY_DROP.get())
        st.query_params.pop(_ID_IN_ADDRESS, None)

    if image_set.source.is_external:
        st.caption("These embeddings were imported, so a new picture cannot be embedded. Search with one of the set.")
    else:
        st.file_uploader(
            "Another picture",
            key=QUERY_DROP,
            on_change=store_file,
            label_visibility="collapsed",
            accept_multiple_files=False,
        )
        show_paste(key="search.paste")
    typed = st.text_input(
        "Find one in the set" if image_set.source.is_external else "Or find one in the set",
        placeholder="part of a path or class",
        key="search.filter",
        icon=":material/search:",
    )
    rows = matches(with_percentile(image_set.table(), measure), typed)
    shown = evenly_sampled(rows, 2 * columns)
    plain = tiles(shown, set_id=image_set.set_id, measure=measure, ringed_id=QUERY_ID.get())
    show_gallery(
        tuple(replace(tile, value="") for tile in plain),
        key="search.matches",
        empty="No path or class matches.",
        columns=columns,
        on_click=search_with,
    )
    if len(rows) > len(shown):
        st.caption(f"{len(shown):,} of {len(rows):,} {escape(image_set.noun)}s, sampled evenly from the set.")


def evenly_sampled(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most `count` rows, evenly spaced over the table, so that all folders are represented."""
    positions = np.unique(np.linspace(0, max(0, len(rows) - 1), count).round().astype(int))
    return rows.iloc[positions[: len(rows)]]


def matches(table: pd.DataFrame, typed: str) -> pd.DataFrame:
    """The rows whose path or class contains each typed word, ignoring case; all rows if nothing was typed."""
    if not typed.split():
        return table
    text = (table["path"] + " " + table["label"].fillna("").astype(str)).str.casefold()
    is_match = np.ones(len(table), bool)
    for word in typed.casefold().split():
        is_match &= text.str.contains(word, regex=False).to_numpy(dtype=bool)
    return table[is_match]


def _of_set(image_id: int, image_set: ImageSet) -> Query:
    row = image_set.row(image_id)
    number = image_set.core.row_of(image_id)
    table, measures = image_set.table(), image_set.core.measures()
    width, height = int(row["width"]), int(row["height"])
    with suppress(UrlVizError):  # of a file that is gone, which its address says too
        width, height = (width, height) if (whole := image_set.objects.whole(image_id)) is None else whole.size
    return Query(
        name=str(row["path"]),
        address=whole_url(image_set, image_id) or picture_url(image_set, image_id),
        width=width,
        height=height,
        key="" if image_set.source.is_external else PART.under(image_set.set_id, image_id),
        values={measure: float(row[measure]) for measure in measures},
        percentiles={measure: float(percentile_of_each(table, measure)[number]) for measure in measures},
        between=between_shares(row, is_told=image_set.labels.shows_shares()),
        image_id=image_id,
    )


def _from_outside(file: UploadedFile, image_set: ImageSet) -> Query | None:
    incoming = IncomingFile(shown_name(file.name), file.getvalue())
    outcome = _scored(QUERY_SCORED, (file.file_id,), lambda: incoming, image_set)
    if isinstance(outcome, RefusedFile):
        st.error(f"The picture {escape(outcome.reason)}. Choose another one.", icon=":material/broken_image:")
        return None
    return Query(
        name=outcome.name,
        address=data_url(outcome.thumbnail),
        width=outcome.width,
        height=outcome.height,
        key=PART.under(file.file_id),
        **_values(outcome, image_set),
    )


def _values(outcome: NewPicture, image_set: ImageSet) -> dict[str, Any]:
    """The fields of a query from outside the set."""
    row = {str(name): value for name, value in judge_pictures([outcome], image_set.core.reference()).iloc[0].items()}
    measures = [measure for measure in image_set.core.measures() if measure in MEASURED]
    return {
        "values": {measure: float(row[measure]) for measure in measures},
        "percentiles": {measure: float(row[f"{measure}_percentile"]) for measure in measures},
        "between": between_shares(row),
        "is_unlike": bool(row["is_unlike"]),
        "image_id": None,
        "picture": outcome,
    }


def _part_of(query: Query, data: Callable[[], bytes], image_set: ImageSet) -> Query:
    """The query for the part that was drawn on its picture, whose file is `data`; the query itself without a part."""
    box = drawn_box(component_state(query.key)) if query.key else None
    if box is None:
        return query
    left, top, width, height = box
    pixels = left * query.width, top * query.height, width * query.width, height * query.height
    name = f"{query.name}, {width * query.width:.0f} × {height * query.height:.0f} px of it"
    try:
        outcome = _scored(
            PART_SCORED,
            (query.key, box),
            lambda: IncomingFile(
                name, decoders.cut(data(), Place(b"", "", pixels), rendering=image_set.core.rendering)
            ),
            image_set,
        )
    except UrlVizError as error:
        show_error(error)
        return query
    if isinstance(outcome, RefusedFile):
        st.error(f"This part {escape(outcome.reason)}. Draw another one.", icon=":material/broken_image:")
        return query
    return replace(query, name=name, **_values(outcome, image_set))


def between_shares(row: Mapping[str, Any], *, is_told: bool = True) -> str | None:
    """A row's two likeliest classes, "between cucumber (.48) and banana (.31)"; None if they are not known."""
    if not isinstance(row["first_class"], str) or not isinstance(row["second_class"], str):
        return None
    if not is_told or pd.isna(row["first_share"]):
        return between(row["first_class"], row["second_class"])
    first, second = (f"{row[f'{which}_class']} ({decimal(row[f'{which}_share'])})" for which in ("first", "second"))
    return between(first, second)


def _scored(
    slot: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]",
    inputs: tuple[object, ...],
    incoming: Callable[[], IncomingFile],
    image_set: ImageSet,
) -> NewPicture | RefusedFile:
    """The outcome of scoring a picture, cached in a slot for the same picture (`inputs`) and model."""
    second, head = image_set.core.second, image_set.source.head
    key = (*inputs, image_set.space.key, head.digest if head else None, second.judges)

    def score() -> NewPicture | RefusedFile:
        with st.spinner("Reading the picture"):
            [outcome] = score_for_all([incoming()], image_set.source.name, image_set.space, second=second)
        return outcome

    return slot.get_for(key, score)


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
    lines = []
    for measure, value in query.values.items():
        if np.isfinite(value):
            rank = query.percentiles[measure]
            place = escape(f"· {standing(rank, of=' of the others')}") if np.isfinite(rank) else ""
            lines.append(Markdown(f"{escape(measure_title(measure))} **{value:.3g}** {place}"))
    if query.between is not None:
        lines.append(escape(f"Lies {query.between}"))
    if query.is_unlike:
        lines.append(Markdown("**Unlike this set**: nothing in it is like this picture, so it has no value here."))
    st.markdown(Markdown("  \n".join(lines)))


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
    """Why a query is withheld, and how such pictures do by the set's own classes."""
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
        words = image_set.core.in_words(f"{counted(len(result.withheld), 'nearer picture')} left out: show")
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
    empty = image_set.core.in_words("Every picture is above the threshold. Raise it to see hits.")
    show_gallery(shown, key=key, empty=empty, columns=6, on_click=search_with)


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


def show_evidence(image_set: ImageSet, measures: list[str], *, measure: str) -> None:
    """Curves and table for a labelled image set; without classes, say what is missing."""
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
    if measure in results.gap_words:
        st.caption(escape(results.gap_words[measure]))
    _show_curves(image_set, results, measures)
    _show_modes(image_set, chosen)


def verdict(evidence: Evidence) -> Markdown:
    """The verdict on queries by the interval of the measure's R-AUROC, on hits by the gain over random."""
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
        cached_result(image_set, _drawn_curves, results, names),
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
        cached_result(image_set, restriction_figure, evidence),
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
    cells = {
        title: [f"{100 * each.by_uncertainty[mode]:.1f} ({100 * each.gain(mode):+.1f})" for mode in MODES]
        for title, each in columns.items()
    }
    return pd.DataFrame(cells, index=pd.Index([MODE_NAMES[mode] for mode in MODES], name="10 % left out of"))


def show_search(image_set: ImageSet) -> None:
    """The pictures most similar to one, the ambiguous ones left out."""
    measures = offered(image_set)
    if not measures:
        st.info(
            "Nothing to leave pictures out by yet. Values appear once the pictures are read.",
            icon=":material/hourglass_empty:",
        )
        end_page()
    query = query_for(image_set)
    if query is None:
        left, right = st.columns([14, 6], gap="medium")
        with left:
            pick_query(image_set, measure=measures[0], columns=6)
        with right, st.container(key="search_evidence"):
            show_evidence(image_set, measures, measure=measures[0])
        end_page()
    left, middle, right = st.columns([5, 9, 6], gap="medium")
    with left:
        show_query(query)
        show_values(query)
        with st.expander("Search with another picture", icon=":material/image_search:"):
            pick_query(image_set, measure=measures[0], columns=3)
    with middle:
        gate = pick_gate(image_set.table(), measures)
        if may_search(query, gate, known_evidence(image_set, gate.measure) if gate.is_on else None):
            show_hits(image_set, gated_search(image_set, query, gate), gate)
    with right, st.container(key="search_evidence"):
        show_evidence(image_set, measures, measure=gate.measure)
