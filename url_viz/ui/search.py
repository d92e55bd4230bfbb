"""Search as a mode of Explore: the query, its gate, hits, and the pictures that are left out."""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.typing import UploadedFile

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import above, counted, percent, standing
from url_viz.columns.filters import id_in
from url_viz.columns.measures import AMBIGUITY, measure_named, measure_title, quoted
from url_viz.columns.ranking import percentile_of_each, with_percentile
from url_viz.drawing.tiles import picture_url, similarity_text, tiles, whole_url
from url_viz.evidence.evaluation import Evidence
from url_viz.export.picture_files import data_url
from url_viz.image_set import ImageSet
from url_viz.imaging.places import Place
from url_viz.imaging.uploaded_files import IncomingFile, RefusedFile
from url_viz.imaging.workers import decoders
from url_viz.labels.ambiguity import between
from url_viz.outside.set_search import SearchResult
from url_viz.outside.uploads import MEASURED, UNLIKE, NewPicture, judge_pictures, unlike_in_words
from url_viz.ui.leaving_out import known_evidence
from url_viz.ui.session import DIALOG, LEFT_SET, OPENED, PICTURE, Key, component_state, queried, write_query
from url_viz.ui.streamlit_private import is_back_or_forward
from url_viz.ui.text import Markdown, escape, show_error
from url_viz.ui.upload.batch import score_for_all, shown_name
from url_viz.ui.widgets.buttons import control_of, measure_under, offered, page_title
from url_viz.ui.widgets.components import announce, drawn_box, show_part, show_paste
from url_viz.ui.widgets.gallery import show_gallery

SEARCHING: Key[bool] = Key("view.searching")
"""Whether Explore shows a search in place of map and galleries."""
QUERY_ID: Key[int] = Key("view.query_id")
QUERY_FILE: "Key[UploadedFile | None]" = Key("search.file")
QUERY_DROP: "Key[UploadedFile | None]" = Key("search.drop")
QUERY_SCORED: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]" = Key("search.scored")
PART: Key[MutableMapping[str, object]] = Key("search.part")
"""The part that was drawn on a picture searched with, by the set's id and the picture's, or the upload's."""
PART_SCORED: "Key[tuple[tuple[object, ...], NewPicture | RefusedFile]]" = Key("search.part.scored")

IN_ADDRESS = "search"
"""The parameter of the address while a search is shown: the id of the picture of the set, "" for any other query."""


def is_searching() -> bool:
    """Whether Explore shows a search: as was clicked, or as the address says that was opened or gone back to."""
    if is_back_or_forward() or not (SEARCHING.is_set or LEFT_SET.get()):
        linked = queried().get(IN_ADDRESS)
        SEARCHING.set(linked is not None)
        image_id = None if linked is None else id_in(linked[0])
        if image_id is not None:
            QUERY_ID.set(image_id)
            QUERY_FILE.clear()
    return bool(SEARCHING.get())


def start_search() -> None:
    """Have Explore ask for a picture to search with."""
    SEARCHING.set(True)
    QUERY_ID.clear()
    QUERY_FILE.clear()


def search_with(image_id: int) -> None:
    """Have Explore show what is most similar to a picture of the set; what was open is closed."""
    SEARCHING.set(True)
    QUERY_ID.set(image_id)
    QUERY_FILE.clear()
    DIALOG.clear()


def leave_search() -> None:
    """Have Explore show map and galleries again."""
    SEARCHING.set(False)


def show_in_address() -> None:
    """Write the search, or that there is none, into the address."""
    image_id = QUERY_ID.get() if QUERY_FILE.get() is None else None
    wanted = {IN_ADDRESS: ["" if image_id is None else str(image_id)]} if SEARCHING.get() else {}
    closed = (PICTURE,) if SEARCHING.get() and DIALOG.get() != PICTURE else ()  # at once: one step of the history
    write_query(wanted, among=lambda key: key in (IN_ADDRESS, *closed))


@dataclass(frozen=True)
class Query:
    """A picture to search with: one of the set (`image_id`), or an uploaded one or a part (`picture`).

    `address` is the URL of the picture (of an object the whole one) on which a part can be drawn, `key` that of the
    drawing, empty where none can be. `values` and `percentiles` within the set are by measure; `looks` names the class
    that it is like, or the two that it lies between, with their shares, None if unknown. Where nothing in the set is
    like it (`is_unlike`), it has none of these.
    """

    name: str
    address: str
    width: int
    height: int
    values: Mapping[str, float]
    percentiles: Mapping[str, float]
    looks: str | None = None
    is_unlike: bool = False
    image_id: int | None = None
    picture: NewPicture | None = None
    key: str = ""


def query_for(image_set: ImageSet) -> Query | None:
    """The query in the session; None if there is none, or its picture is not in the set."""
    file, image_id = QUERY_FILE.get(), QUERY_ID.get()
    if file is not None and not image_set.source.is_external:
        query = _from_outside(file, image_set)
        return None if query is None else _part_of(query, file.getvalue, image_set)
    if image_id is None:
        return None
    if not (image_set.core.ids == image_id).any():
        st.info("The picture to search with is not in this image set. Choose another one.", icon=":material/info:")
        return None
    return _part_of(_of_set(int(image_id), image_set), lambda: image_set.files.whole(int(image_id)), image_set)


def show_query(query: Query, *, measure: str) -> None:
    """The query's picture, on which a part can be drawn, its name, and what is known of it."""
    with st.container(key="search_query"):
        if query.key:
            show_part(query.address, (query.width, query.height), key=query.key)
        else:
            shape = f"aspect-ratio: {query.width} / {query.height}"
            alt = "The picture searched with"
            st.html(f'<img class="url-viz-picture" src="{query.address}" style="{shape}" alt="{alt}">')
    st.caption(escape(query.name))
    if query.image_id is not None:
        st.button(
            "Open",
            icon=":material/open_in_full:",
            key="search.open",
            type="tertiary",
            on_click=_open,
            args=(query.image_id,),
        )
    if query.is_unlike:
        st.markdown(Markdown(f"**{escape(UNLIKE)}**. {escape(unlike_in_words())}"))
    if query.looks is not None:
        st.markdown(escape(f"{query.looks[:1].upper()}{query.looks[1:]}"))
    if lines := [_value_in_words(query, name) for name in query.values if np.isfinite(query.values[name])]:
        known = np.isfinite(query.values.get(measure, np.nan))
        first = _value_in_words(query, measure) if known else lines[0]
        st.markdown(escape(first), help=Markdown(escape("; ".join(lines))))


def _open(image_id: int) -> None:
    OPENED.set(image_id)
    DIALOG.set(PICTURE)


def _value_in_words(query: Query, measure: str) -> str:
    rank = query.percentiles[measure]
    place = standing(rank, of=" of the others") if np.isfinite(rank) else f"{query.values[measure]:.3g}"
    return f"{measure_title(measure)}: {place}"


def pick_query(image_set: ImageSet, *, measure: str) -> None:
    """Pick a query: a file or a pasted picture at the left, a picture of the set at the right."""

    def store_file() -> None:
        QUERY_FILE.set(QUERY_DROP.get())
        QUERY_ID.clear()

    left, right = st.columns(COLUMNS, gap="medium")
    with left:
        if image_set.source.is_external:
            st.caption("A new picture cannot be embedded here: these embeddings were imported.")
        else:
            st.file_uploader("Drop a picture", key=QUERY_DROP, on_change=store_file, accept_multiple_files=False)
            show_paste(key="search.paste")
    with right:
        typed = st.text_input(
            escape(image_set.core.in_words("Or a picture of the set")),
            placeholder="part of a path or class",
            key="search.filter",
            icon=":material/search:",
        )
        rows = matches(with_percentile(image_set.table(), measure), typed)
        shown = evenly_sampled(rows, 3 * ACROSS)
        plain = tiles(shown, set_id=image_set.set_id, measure=measure)
        show_gallery(
            tuple(replace(tile, value="") for tile in plain),
            key="search.matches",
            empty="No path or class matches.",
            columns=ACROSS,
            on_click=search_with,
        )
        if len(rows) > len(shown):
            st.caption(f"{len(shown):,} of {len(rows):,}, evenly spread over the set")


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
        looks=looks_in_words(row, is_told=image_set.labels.shows_shares()),
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
        "looks": looks_in_words(row),
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


def looks_in_words(row: Mapping[str, Any], *, is_told: bool = True) -> str | None:
    """What a row looks like, "between cucumber (48 %) and banana (31 %)" or "like banana (99 %)"; None if unknown."""
    if not isinstance(row["first_class"], str) or not isinstance(row["second_class"], str):
        return None
    if not is_told or pd.isna(row["first_share"]):
        return between(row["first_class"], row["second_class"])
    first, second = (f"{row[f'{which}_class']} ({percent(row[f'{which}_share'])})" for which in ("first", "second"))
    return between(first, second) if row["second_share"] >= LEAST_SHARE else f"like {first}"


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
PERCENTILE: Key[int] = Key("search.percentile")
WITHOUT_DROPPED: Key[bool] = Key("search.without_dropped")
SHOW_WITHHELD: Key[bool] = Key("search.show_withheld")

COLUMNS = (1, 3)
"""The widths of query and hits."""
ACROSS = 6
LEAST_SHARE = 0.05
"""Of a second class that a query is said to lie between."""
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

    @property
    def words(self) -> str:
        """What is withheld, as the control that sets it says."""
        parts = [above(self.percentile)] if self.is_on else []
        parts += ["dropped"] if self.without_dropped else []
        return f"Leave out: {' and '.join(parts) or 'none'}"

    def withholds(self, query: Query) -> bool:
        """Whether the query itself is above the bound, or has no value that could be vouched for."""
        return self.is_on and not query.percentiles.get(self.measure, float("nan")) <= self.percentile


def pick_gate(table: pd.DataFrame, measures: list[str]) -> Gate:
    """The measure and the percentile above which pictures are withheld; off by default."""
    percentile, dropped = PERCENTILE.get_or(lambda: OFF), int((table["decision"] == "drop").sum())
    without_dropped = bool(dropped) and bool(WITHOUT_DROPPED.get())
    words = Gate(measures[0], percentile, without_dropped).words
    with st.popover(escape(words), icon=":material/filter_alt:"):
        measure = measure_under(SEARCH_MEASURE, measures, words="Ambiguous by")
        st.caption(escape(measure_named(measure).meaning))
        st.slider(
            "Leave out above",
            0,
            OFF,
            percentile,
            format="%d %%",
            help="Pictures more ambiguous than so many of the set are left out; at 100 %, none are.",
            **control_of(PERCENTILE, percentile),
        )
        if dropped:
            st.toggle(
                f"Leave out dropped ({dropped:,})",
                without_dropped,
                help="Pictures you decided to drop",
                **control_of(WITHOUT_DROPPED, without_dropped),
            )
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
        return Markdown(f"**{escape(UNLIKE)}**. {escape(unlike_in_words())}")
    if not np.isfinite(rank):
        return Markdown(f"This picture has no value of {name} here, so the search cannot tell whether to trust it.")
    lies = escape(f", {query.looks}" if query.looks is not None and gate.measure == AMBIGUITY.name else "")
    place = escape(standing(rank, of=" of the set"))
    return Markdown(
        f"By {name}, this picture is **{place}**{lies}. The threshold is {gate.percentile:d} %. "
        f"{_of_such_pictures(gate, evidence)}"
    )


def _of_such_pictures(gate: Gate, evidence: Evidence | None) -> Markdown:
    if evidence is None:
        return Markdown("Nothing shows yet whether such pictures get worse hits here.")
    if not evidence.shows_errors:
        return Markdown("In this set that says nothing clear about its hits.")
    low, high = evidence.wrong_on_sides(gate.percentile)
    if not np.isfinite(low) or not np.isfinite(high):
        return Markdown("")
    return Markdown(
        f"Of this set's pictures above the threshold, **{100 * high:.0f} %** have a nearest picture of another class; "
        f"of those below it, {100 * low:.0f} %."
    )


def show_hits(image_set: ImageSet, result: SearchResult, gate: Gate) -> None:
    """The hits, and those nearer ones that were withheld; a click on a picture searches with it."""
    if len(result.withheld) and SHOW_WITHHELD.get():
        with st.container(border=True, key="search.withheld_box"):
            _gallery(image_set, result.withheld.head(HITS), gate, key="search.withheld")
    announce("search", f"{counted(len(result.hits), 'similar picture')}, {len(result.withheld):,} left out")
    _gallery(image_set, result.hits, gate, key="search.hits")


def withheld_in_words(result: SearchResult, gate: Gate) -> str:
    """How many nearer pictures were withheld, and why: "3 nearer left out: too ambiguous to trust"."""
    reasons = {"too ambiguous to trust": gate.is_on, "dropped": gate.without_dropped}
    why = " or ".join(words for words, holds in reasons.items() if holds)
    return f"{len(result.withheld):,} nearer left out: {why}"


def _gallery(image_set: ImageSet, rows: pd.DataFrame, gate: Gate, *, key: str) -> None:
    ranks = percentile_of_each(image_set.table(), gate.measure)[image_set.core.rows_of(rows["id"])]
    ranked = rows.assign(rank_percentile=ranks)
    plain = tiles(ranked, set_id=image_set.set_id, measure=gate.measure)
    shown = tuple(
        replace(tile, value=similarity_text(cosine)) for tile, cosine in zip(plain, rows["similarity"], strict=True)
    )
    empty = image_set.core.in_words("Every picture is above the threshold. Raise it to see hits.")
    show_gallery(shown, key=key, empty=empty, columns=ACROSS, on_click=search_with)


def show_search(image_set: ImageSet) -> None:
    """The pictures most similar to one, the ambiguous ones left out, and the way back to the map."""
    measures = offered(image_set)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="search_heading"):
        page_title(Markdown("Similar pictures"), width="content")
        st.space("stretch")
        if QUERY_ID.is_set or QUERY_FILE.is_set:
            st.button("Another picture", icon=":material/image_search:", key="search.another", on_click=start_search)
        st.button("Back to the map", icon=":material/arrow_back:", key="search.leave", on_click=leave_search)
    if not measures:
        words = "Nothing to search among yet: the pictures are still being read."
        st.info(words, icon=":material/hourglass_empty:")
        return
    query = query_for(image_set)
    show_in_address()
    if query is None:
        pick_query(image_set, measure=measures[0])
        return
    left, right = st.columns(COLUMNS, gap="medium")
    with right:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="search_line"):
            gate = pick_gate(image_set.table(), measures)
            line = st.container()
        if may_search(query, gate, known_evidence(image_set, gate.measure) if gate.is_on else None):
            result = gated_search(image_set, query, gate)
            with line:
                _show_line(image_set, result, gate)
            show_hits(image_set, result, gate)
    with left:
        show_query(query, measure=gate.measure)


def _show_line(image_set: ImageSet, result: SearchResult, gate: Gate) -> None:
    """The number of hits, and of those left out, which a switch shows."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(escape(f"{len(result.hits):,} most similar"), width="content")
        if len(result.withheld):
            st.toggle(escape(f"{withheld_in_words(result, gate)}. Show"), key=SHOW_WITHHELD)
