"""Selective retrieval: search with ambiguous pictures withheld, and what withholding is worth (METHOD 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from url_viz.base.rows import mid_ranks, refuse_nan
from url_viz.evidence.order_metrics import nearest_outside_group
from url_viz.pipeline.nearest import UnitRows
from url_viz.store.tables.tables import Graph, positions_of


@dataclass(frozen=True)
class Hits:
    """Rows found, nearest first, and the nearer or equally near ones that the gate withheld.

    `rows` (≤ k,) and `withheld` are row numbers of the matrix searched, `similarity` (≤ k,) the cosines of `rows`.
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float32]
    withheld: NDArray[np.int64]


def search(
    query: NDArray[np.floating],
    rows_searched: UnitRows,
    *,
    k: int,
    is_allowed: NDArray[np.bool_] | None = None,
    exclude: NDArray[np.bool_] | None = None,
) -> Hits:
    """The k nearest allowed rows of `rows_searched` (N, D) to `query` (D,), exact.

    Rows of `exclude` are not looked at (the query itself). Rows that are not allowed but would have been among the hits
    are `withheld`.
    """
    similarity = rows_searched.cosines(query)
    if exclude is not None:
        similarity = np.where(exclude, -np.inf, similarity)
    allowed = np.ones(len(similarity), bool) if is_allowed is None else is_allowed
    rows = _top(np.where(allowed, similarity, -np.inf), k)
    is_full = len(rows) >= k
    floor = similarity[rows].min(initial=np.inf) if is_full else -np.inf
    nearer = np.flatnonzero(~allowed & (similarity >= floor) & np.isfinite(similarity))
    withheld = nearer[np.argsort(-similarity[nearer], kind="stable")]
    return Hits(rows, similarity[rows], withheld)


def _top(score: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    count = min(k, int(np.isfinite(score).sum()))
    if count <= 0:
        return np.zeros(0, np.int64)
    place = np.argpartition(-score, count - 1)[:count]
    return np.asarray(place[np.argsort(-score[place], kind="stable")], np.int64)


def near_in_graph(
    row: int, contents: NDArray[np.int64], graph: Graph | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Rows near one `row` of `contents` (N,) and their cosines in the whitened space, its copies and twins left out.

    None if there is no graph, or the row's content is not in it yet.
    """
    if graph is None:
        return None
    place = positions_of(contents[row : row + 1], graph.content)[0]
    if place < 0:
        return None
    position, similarity = graph.position[place], graph.similarity[place]
    similarity, position = similarity[position >= 0], position[position >= 0]
    rank = positions_of(contents, graph.content[position])
    rows = np.flatnonzero(rank >= 0)
    rows = rows[np.argsort(rank[rows], kind="stable")]
    return rows, similarity[rank[rows]]


Mode = Literal["database", "both", "queries"]
MODES: tuple[Mode, ...] = ("database", "both", "queries")
CLASS_WISE_SHARE = 0.1
"""The share of each class that the paper's repository takes for uncertain."""
SHARES = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
RANDOM_DRAWS = 20

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SearchedPictures:
    """Pictures to search among: `unit` (N, D) of length one, `labels` (N,), and who is nearest to whom.

    `nearest` (N, K): rows of this set, nearest first, never the row itself, −1 if there is none. K may be short
    of N − 1: if all of a row's K are restricted away, its nearest outside its `group` (N,) of twins is searched
    exactly in `unit`.
    """

    unit: NDArray[np.floating]
    labels: NDArray[np.generic]
    nearest: NDArray[np.integer]
    group: NDArray[np.integer]

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def is_right(self) -> NDArray[np.float64]:
        """Whether each picture's nearest other picture has its label: 1, 0, or nan (N,) if there is no other."""
        return is_correct(self, np.ones(len(self), bool))


Recalls = Mapping[Mode, float]
"""Recall@1 where only some of the pictures are kept: in the database, in the queries, or in both."""


@dataclass(frozen=True)
class Restriction:
    """One restriction by uncertainty, and the mean of as many pictures removed at random."""

    by_uncertainty: Recalls
    at_random: Recalls

    def gain(self, mode: Mode) -> float:
        """How much recall@1 is won beyond removing as many pictures at random."""
        return self.by_uncertainty[mode] - self.at_random[mode]


def keep_class_wise(uncertainty: NDArray[np.floating], labels: ArrayLike, *, share: float = CLASS_WISE_SHARE) -> Bools:
    """Which pictures (N,) stay when each class loses those above its own (1 − share) quantile of uncertainty (N,).

    An oracle on labels: it needs them to decide, so it matches the paper but cannot be deployed. Raises RowsError if
    an uncertainty is nan.
    """
    refuse_nan(uncertainty, "uncertainties are nan")
    names = np.asarray(labels)
    is_kept = np.zeros(len(names), bool)
    for name in np.unique(names):
        of_class = names == name
        is_kept[of_class] = uncertainty[of_class] <= np.quantile(uncertainty[of_class], 1 - share)
    return is_kept


def keep_overall(uncertainty: NDArray[np.floating], *, share: float) -> Bools:
    """Which pictures (N,) stay when the `share` of highest uncertainty (N,) is left out, of the whole set.

    Exactly round(share · N) leave; of equal values the later rows leave first.
    """
    order = np.argsort(mid_ranks(uncertainty), kind="stable")
    is_kept = np.ones(len(order), bool)
    is_kept[order[len(order) - round(share * len(order)) :]] = False
    return is_kept


def keep_at_random(like: Bools, generator: np.random.Generator, *, labels: ArrayLike | None = None) -> Bools:
    """As many pictures stay as in `like` (N,), drawn at random: of each class as many, where labels (N,) are given."""
    names = np.zeros(len(like), int) if labels is None else np.asarray(labels)
    is_kept = np.empty(len(like), bool)
    for name in np.unique(names):
        of_class = np.flatnonzero(names == name)
        is_kept[of_class] = generator.permutation(like[of_class])
    return is_kept


def restricted_recall(pictures: SearchedPictures, is_kept: Bools) -> Recalls:
    """Recall@1 of the three modes where the pictures `is_kept` (N,) remain.

    A query never finds itself: it is left out by its row, whether or not it is in the database. nan if a mode has no
    query, or no database to search.
    """
    inside = is_correct(pictures, is_kept)
    return {
        "database": _mean(inside),
        "both": _mean(inside[is_kept]),
        "queries": _mean(pictures.is_right[is_kept]),
    }


def is_correct(pictures: SearchedPictures, is_in_database: Bools) -> NDArray[np.float64]:
    """Whether each picture's nearest other picture in the database has its label: 1, 0, or nan (N,) if none is."""
    nearest = _nearest_in(pictures, is_in_database)
    right = pictures.labels[nearest] == pictures.labels
    return np.where(nearest >= 0, right.astype(np.float64), np.nan)


def study(
    pictures: SearchedPictures,
    uncertainty: NDArray[np.floating],
    *,
    shares: Sequence[float] = SHARES,
    draws: int = RANDOM_DRAWS,
    seed: int = 0,
) -> tuple[Restriction, dict[float, Restriction]]:
    """The three modes where each class loses its share, and for each share of all, beside `draws` random removals.

    `uncertainty` (N,): higher = removed first. Raises RowsError on nan.
    """
    generator = np.random.default_rng(seed)

    def compared(is_kept: Bools, labels: NDArray[np.generic] | None) -> Restriction:
        drawn = [restricted_recall(pictures, keep_at_random(is_kept, generator, labels=labels)) for _ in range(draws)]
        at_random = {mode: float(np.mean([recall[mode] for recall in drawn])) for mode in MODES}
        return Restriction(restricted_recall(pictures, is_kept), at_random)

    class_wise = compared(keep_class_wise(uncertainty, pictures.labels), pictures.labels)
    return class_wise, {share: compared(keep_overall(uncertainty, share=share), None) for share in shares}


def _nearest_in(pictures: SearchedPictures, is_in_database: Bools) -> NDArray[np.int64]:
    """The nearest row of the database to each row (N,), itself left out; −1 where the database has no other."""
    usable = (pictures.nearest >= 0) & is_in_database[pictures.nearest]
    first = usable.argmax(axis=1)
    rows = np.arange(len(pictures))
    nearest = np.where(usable[rows, first], pictures.nearest[rows, first], -1).astype(np.int64)
    lost = np.flatnonzero(nearest < 0)
    if len(lost):
        database = np.flatnonzero(is_in_database)
        nearest[lost] = nearest_outside_group(pictures.unit, lost, database, pictures.group, k=1)[0][:, 0]
    return nearest


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of what is known; nan if nothing is."""
    numbers = values[~np.isnan(values)]
    return float(numbers.mean()) if len(numbers) else float("nan")
