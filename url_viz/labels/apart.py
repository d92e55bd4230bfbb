"""What the user keeps apart: pictures of one patient, video or camera do not vote on each other, just like twins."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.rows import l2_normalize
from url_viz.base.wording import counted, percent
from url_viz.columns.engine import ByContent, Lazy, column
from url_viz.columns.ranking import NONE
from url_viz.columns.table import Frame, Imported
from url_viz.columns.twin_groups import group_codes
from url_viz.labels.classes import CodedLabels
from url_viz.labels.label_choice import level_of, source_in_words
from url_viz.labels.votes import Codes
from url_viz.pipeline.graph import apart_graph
from url_viz.pipeline.overlaps import overlap_groups
from url_viz.pipeline.twins import SAME_BOX, joined_groups
from url_viz.store.columns.imported_columns import Column
from url_viz.store.columns.source_columns import BOX_COLUMNS, OBJECTS, PICTURE
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph, GraphColumns, positions_of

NAME_PARTS = ("name:1", "name:2")
"""The first part, or the first two, of a file's name, parted by `-`, `_`, `.` or a space, without its ending."""
_GAP = re.compile(r"[-_. ]+")
NEAR_COSINE = 0.85
"""Raw cosine from which pictures that are no twins are nearly alike, as views of one thing are."""
NEAREST, MOST_SAMPLED = 5, 2_000
"""How many of the nearest are looked at, of how many pictures."""
LEAST_SHARE, LEAST_LIFT, MOST_BY_CHANCE = 0.5, 2.0, 0.35
"""Pairs that are nearly alike run along a column if this share have one value, and this times the share by chance."""
LEAST_GROUPS, LEAST_NEAR = 10, 0.05
"""A suggestion needs pairs of this many values, and of this fraction of the pictures that were looked at."""


@dataclass(frozen=True)
class Apart:
    """What is kept apart: the `choice`, and the code of each picture's value (N,) int32, NONE for none; or None.

    `for_labels` (N,) are the codes of who is no witness of whether a label is wrong: see `apart`.
    """

    choice: str | None = None
    codes: Codes | None = None
    for_labels: Codes | None = None

    @property
    def words(self) -> str:
        """Without a full stop: "apart by patient (600 groups)"; "" for twins alone."""
        if self.choice is None or self.codes is None:
            return ""
        return f"apart by {apart_in_words(self.choice)} ({counted(int(self.codes.max(initial=-1)) + 1, 'group')})"


@dataclass(frozen=True)
class ApartSuggestion:
    """What nearly alike pictures run along: `share` of the pairs have one value, `by_chance` of pairs of a class."""

    choice: str
    share: float
    by_chance: float

    @property
    def words(self) -> str:
        return (
            f"Of nearly alike pairs that are no near copies (cosine from {NEAR_COSINE:g}), {percent(self.share)} share "
            f"the {apart_in_words(self.choice)}, by chance {percent(self.by_chance)}: keep them apart."
        )


def apart_in_words(choice: str) -> str:
    """A choice within a sentence: "patient", "level 2 of the folders", "first 2 parts of the file name"."""
    if choice in NAME_PARTS:
        return "first part of the file name" if choice == NAME_PARTS[0] else "first 2 parts of the file name"
    return choice if level_of(choice) is None else source_in_words(choice)


def apart_choices(base: Frame, columns: Iterable[str]) -> tuple[str, ...]:
    """What pictures can be kept apart by: columns of the user's, levels of folders, parts of the file's name."""
    return (*columns, *(level.choice for level in base.found.levels), *NAME_PARTS)


def apart_codes(choice: str, base: Frame, columns: Mapping[str, Column]) -> Codes:
    """The code of each picture's value (N,), NONE for none. Raises ImageSetError for none of `apart_choices`."""
    if choice not in (there := apart_choices(base, columns)):
        raise ImageSetError(
            f"There is no {choice!r} to keep pictures apart by. There are: {', '.join(there)}, none. Choose one: "
            "url-viz labels keep-apart FOLDER CHOICE."
        )
    if choice in columns:
        values = pd.Series(columns[choice])
    elif choice in NAME_PARTS:
        stems = base.table["path"].str.rpartition("/")[2].str.rpartition(".")[0]
        values = stems.map(lambda stem: tuple(_GAP.split(stem)[: int(choice[-1])]))
    else:
        values = pd.Series(base.found.names_at(level_of(choice)))
    return pd.factorize(values)[0].astype(np.int32)


def content_codes(codes: Codes, row: NDArray[np.integer], contents: int) -> Codes:
    """The code of each content, by its first copy; `row` (N,) is the content of each picture, −1 for none."""
    by_content = np.full(contents, NONE, np.int32)
    usable = np.flatnonzero((row >= 0) & (codes != NONE))[::-1]
    by_content[row[usable]] = codes[usable]
    return by_content


def near_pairs(
    graph: Graph, embeddings_of: Callable[[NDArray[np.int64]], NDArray[np.floating]], *, seed: int = 0
) -> NDArray[np.int64]:
    """Pairs of rows (P, 2) that are nearly alike but no twins, among the nearest of a sample of a graph's M contents.

    `embeddings_of` gives the raw embeddings (R, D) of rows (R,). None of a set where few pictures have any.
    """
    sampled = np.random.default_rng(seed).permutation(len(graph))[:MOST_SAMPLED]
    pairs = np.stack([np.repeat(sampled, NEAREST), graph.position[sampled, :NEAREST].ravel()], axis=1)
    rows, place = np.unique(pairs := pairs[pairs[:, 1] != NONE], return_inverse=True)
    left, right = l2_normalize(embeddings_of(rows))[place.reshape(-1, 2)].transpose(1, 0, 2)
    near: NDArray[np.int64] = pairs[np.einsum("pd,pd->p", left, right) >= NEAR_COSINE]
    return near if len(np.unique(near[:, 0])) >= LEAST_NEAR * len(sampled) else near[:0]


def suggest(pairs: NDArray[np.int64], candidates: Mapping[str, Codes], label: Codes) -> ApartSuggestion | None:
    """The candidate, codes (M,) by choice, that most of the near pairs run along, far more than by chance; else None.

    Chance is of two pictures of a class: what follows from the class (`label` (M,)) tells of no near copies.
    """
    suggestions, (left, right) = [], pairs.T
    size = np.bincount(label + 1)[label + 1]
    for choice, codes in candidates.items() if len(pairs) else ():
        cell = np.unique(np.stack([codes, label]), axis=1, return_inverse=True)[1].ravel()
        is_same = (codes[left] == codes[right]) & (codes[left] != NONE)
        share, by_chance = is_same.mean(), ((np.bincount(cell)[cell] - 1) / np.maximum(size - 1, 1))[left].mean()
        is_along = share >= max(LEAST_SHARE, LEAST_LIFT * by_chance) and by_chance <= MOST_BY_CHANCE
        if is_along and len(np.unique(codes[left[is_same]])) >= LEAST_GROUPS:
            suggestions.append(ApartSuggestion(choice, float(share), float(by_chance)))
    return max(suggestions, key=lambda suggestion: suggestion.share, default=None)


def _digest_of_codes(codes: Codes | None) -> bytes:
    return b"" if codes is None else codes.tobytes()


@column(digest=lambda apart: _digest_of_codes(apart.codes) + _digest_of_codes(apart.for_labels))
def apart(base: Frame, imported: Imported, stored_apart: str | None) -> Apart:
    """What is kept apart, by the choice on disk. Raises ImageSetError for none of `apart_choices`.

    Objects of one picture share its light and its scene, which would make classes look easy. But they are different
    things, labelled one by one, so a slip of the label shows best among them: for labels alone, objects that are kept
    apart by their picture are witnesses for each other, unless their boxes are on one place. Any other choice (a
    patient, a video) holds for labels too.
    """
    if stored_apart is None:
        return Apart()
    codes = apart_codes(stored_apart, base, imported.columns)
    if stored_apart != PICTURE or imported.source_of(PICTURE) != OBJECTS:
        return Apart(stored_apart, codes, codes)
    boxes = np.stack([np.asarray(imported.columns[name], np.float64) for name in BOX_COLUMNS[:4]], axis=1)
    return Apart(stored_apart, codes, overlap_groups(boxes, codes.astype(np.int64), least=SAME_BOX))


@column()
def sources(base: Frame, apart: Apart) -> NDArray[np.int32]:
    """The source group (N,) of each picture: twins, and what is kept apart, are no witnesses for each other."""
    return joined_groups(group_codes(base.table), apart.codes)


@column()
def label_sources(base: Frame, apart: Apart) -> NDArray[np.int32]:
    """The source group (N,) of each picture where it is asked whether its label is wrong."""
    return joined_groups(group_codes(base.table), apart.for_labels)


@column(digest=_digest_of_codes)
def content_apart(apart: Apart, own_graph_columns: GraphColumns | None, base: Frame) -> Codes | None:
    """The codes (M,) of what is kept apart, of distinct contents; None for twins alone."""
    return _by_content(apart.codes, own_graph_columns, base)


@column(digest=_digest_of_codes)
def content_apart_for_labels(apart: Apart, own_graph_columns: GraphColumns | None, base: Frame) -> Codes | None:
    """As `content_apart`, where it is asked whether a label is wrong."""
    return _by_content(apart.for_labels, own_graph_columns, base)


def _by_content(codes: Codes | None, columns: GraphColumns | None, base: Frame) -> Codes | None:
    if codes is None or columns is None:
        return None
    return content_codes(codes, columns.rows_of(base.contents), len(columns.content))


@column()
def witnesses(
    graph: Graph | None, content_apart: Codes | None, whitened_graph: Lazy[WhitenedRows | None]
) -> Graph | None:
    """The graph whose lists hold nothing of the source group of their row; None before there is one."""
    return _without(graph, content_apart, whitened_graph)


def _without(graph: Graph | None, codes: Codes | None, whitened_graph: Lazy[WhitenedRows | None]) -> Graph | None:
    """A graph whose lists hold nothing of one of `codes` (M,); as it is while a writer refits its space."""
    if graph is None or codes is None:
        return graph
    whitened = whitened_graph()
    if whitened is None or whitened.whitening.key != graph.whitening:
        return graph
    return apart_graph(graph, whitened.rows, codes)


@column()
def has_label_witnesses(content_apart: Codes | None, content_apart_for_labels: Codes | None) -> bool:
    """Whether other pictures are witnesses of whether a label is wrong than of the classes (`apart`)."""
    if content_apart is None or content_apart_for_labels is None:
        return False
    return not np.array_equal(content_apart, content_apart_for_labels)


@column()
def label_witnesses(
    witnesses: Lazy[Graph | None],
    graph: Lazy[Graph | None],
    content_apart_for_labels: Codes | None,
    whitened_graph: Lazy[WhitenedRows | None],
    *,
    has_label_witnesses: bool,
) -> Graph | None:
    """The witnesses of whether a label is wrong: those of the classes, but for siblings in a picture."""
    return _without(graph(), content_apart_for_labels, whitened_graph) if has_label_witnesses else witnesses()


@column()
def apart_suggestion(
    graph: Graph | None,
    base: Frame,
    imported: Imported,
    content_labels: CodedLabels | None,
    apart: Apart,
    embeddings_of: ByContent[NDArray[np.float16]],
) -> ApartSuggestion | None:
    """What nearly alike pictures run along, where nothing is kept apart yet."""
    if graph is None or content_labels is None or apart.choice is not None:
        return None
    row, columns = positions_of(base.contents, graph.content), imported.columns
    codes = {choice: apart_codes(choice, base, columns) for choice in apart_choices(base, columns)}
    candidates = {choice: content_codes(each, row, len(graph)) for choice, each in codes.items()}
    pairs = near_pairs(graph, lambda rows: embeddings_of(graph.content[rows]))
    return suggest(pairs, candidates, content_labels.codes)
