"""Comparison of two models or heads on the same pictures: how far orders and neighbours agree, what changed most."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.wording import counted, decimal
from url_viz.columns.measures import TABLE_MEASURES, in_text
from url_viz.columns.ranking import percentile
from url_viz.columns.twin_groups import first_of_each
from url_viz.evidence.order_metrics import Figure, Interval, bootstrap_interval, spearman
from url_viz.store.tables.tables import Graph, positions_of


@dataclass(frozen=True)
class Change:
    """Two orders of the same pictures.

    `table` has the rows of the new table that both know, with `before` and `after` (percentiles of the measure),
    `change` (after − before, in percentile points: positive = more ambiguous now) and `change_percentile`.
    `rank_correlation` is Spearman's; nan if one of the orders has no spread.
    """

    table: pd.DataFrame
    rank_correlation: float


def change(before: pd.DataFrame, after: pd.DataFrame, *, measure: str) -> Change:
    """Compare a measure of two tables of one image set, matched by id; rows without a value are left out."""
    earlier = before.set_index("id")[measure].reindex(after["id"]).to_numpy(dtype=float)
    is_known = np.isfinite(earlier) & np.isfinite(after[measure].to_numpy(dtype=float))
    rows = after[is_known]
    ranks = [percentile(values) for values in (earlier[is_known], rows[measure].to_numpy(dtype=float))]
    moved = ranks[1] - ranks[0]
    table = rows.assign(before=ranks[0], after=ranks[1], change=moved, change_percentile=percentile(moved))
    return Change(table, spearman(earlier[is_known], rows[measure].to_numpy(dtype=float)))


TOP_SHARE = 0.1
MOST_RESAMPLES, FEWEST_RESAMPLES = 1000, 200
ROWS_RESAMPLED = 20_000_000
NEIGHBOURS = 10
FEWEST_PICTURES = 3

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ModelReading:
    """An image set as one model read it: its `table`, content keys (N,) in its order, and its neighbour graph."""

    table: pd.DataFrame
    contents: Ints
    graph: Graph | None


@dataclass(frozen=True)
class ComparedMeasure:
    """One measure under two models.

    `change` has a row for each of the pictures with a value under both: `before` (the first model) and `after` (the
    second) are percentiles among them, `change` their difference. `interval` is the 95 % bootstrap interval of its
    rank correlation. Of the `top_count` most ambiguous of each model, a tenth, `top_shared` are the same.
    """

    measure: str
    change: Change
    interval: Interval
    top_count: int
    top_shared: int

    @property
    def top_by_chance(self) -> float:
        """How many of the most ambiguous two random orders would share."""
        return self.top_count**2 / len(self)

    @property
    def is_same(self) -> bool:
        """Whether every picture stands where it stood."""
        return not self.change.table["change"].any()

    @property
    def rank_correlation(self) -> float:
        """Spearman's, −1 to 1; nan if one of the orders has no spread."""
        return self.change.rank_correlation

    def __len__(self) -> int:
        return len(self.change.table)


@dataclass(frozen=True)
class Neighbourhoods:
    """How alike two models' neighbours are, of M distinct contents.

    `overlap` (M,) is the share of a content's `k` nearest that are nearest under both, among the contents that both
    models know; `content` (M,) their keys; `by_chance` what random neighbours would share.
    """

    content: Ints
    overlap: Floats
    k: int
    by_chance: float

    @property
    def mean(self) -> float:
        """The mean overlap, 0 to 1; nan if no picture has neighbours under both."""
        return float(np.nanmean(self.overlap)) if np.isfinite(self.overlap).any() else float("nan")


@dataclass(frozen=True)
class Comparison:
    """Two models on one image set: each measure that both have, and their neighbourhoods where both have a graph.

    `shared` pictures are known to both; `only_first` and `only_second` count those that one model alone has read.
    """

    measures: Mapping[str, ComparedMeasure]
    neighbourhoods: Neighbourhoods | None
    shared: int
    only_first: int
    only_second: int


def compare(first: ModelReading, second: ModelReading, *, resamples: int | None = None, seed: int = 0) -> Comparison:
    """Compare two readings of one image set, matched by picture id, neighbours by content."""
    in_second = np.isin(first.table["id"].to_numpy(), second.table["id"].to_numpy())
    shared = int(in_second.sum())
    tables = first.table, second.table
    by_measure = {
        name: _compared(*tables, name, resamples=resamples, seed=seed)
        for name in TABLE_MEASURES
        if all(name in each for each in tables)
    }
    return Comparison(
        measures={name: each for name, each in by_measure.items() if each is not None},
        neighbourhoods=neighbourhoods(first, second),
        shared=shared,
        only_first=len(first.table) - shared,
        only_second=len(second.table) - shared,
    )


def _compared(
    first: pd.DataFrame, second: pd.DataFrame, measure: str, *, resamples: int | None, seed: int
) -> ComparedMeasure | None:
    """None if fewer than three pictures have the value under both."""
    moved = change(first, second, measure=measure)
    if len(moved.table) < FEWEST_PICTURES:
        return None
    before, after = (moved.table[name].to_numpy(np.float64) for name in ("before", "after"))
    codes = [np.unique(values, return_inverse=True)[1].astype(np.int64) for values in (before, after)]
    draws = resamples or min(MOST_RESAMPLES, max(FEWEST_RESAMPLES, ROWS_RESAMPLED // len(before)))
    return ComparedMeasure(
        measure=measure,
        change=moved,
        interval=bootstrap_interval(spearman_of_codes, *codes, resamples=draws, seed=seed),
        top_count=top_count(len(before)),
        top_shared=top_shared(before, after, count=top_count(len(before))),
    )


def spearman_of_codes(first: Ints, second: Ints) -> float:
    """`metrics.spearman` of values given by their rank among the distinct ones (N,), without sorting."""
    each, other = _centred_ranks(first), _centred_ranks(second)
    spread = math.sqrt((each @ each) * (other @ other))
    return float(each @ other) / spread if spread else math.nan


def _centred_ranks(codes: Ints) -> Floats:
    """Mid-ranks minus their mean, which is the same for all values."""
    counts = np.bincount(codes)
    ranks: Floats = (np.cumsum(counts) - (counts + len(codes)) / 2)[codes]
    return ranks


def top_count(pictures: int) -> int:
    """The size of the most ambiguous tenth of a number of pictures: at least one."""
    return max(1, round(TOP_SHARE * pictures))


def top_shared(first: Floats, second: Floats, *, count: int) -> int:
    """How many of the `count` highest are the same in two orders of the same pictures (N,)."""
    tops = [set(np.argsort(-values, kind="stable")[:count].tolist()) for values in (first, second)]
    return len(tops[0] & tops[1])


def neighbourhoods(first: ModelReading, second: ModelReading, *, k: int = NEIGHBOURS) -> Neighbourhoods | None:
    """How many of the `k` nearest are the same under both; None if a graph is missing or nothing is shared."""
    if first.graph is None or second.graph is None:
        return None
    content = np.intersect1d(
        np.intersect1d(first.graph.content, second.graph.content),
        np.intersect1d(first.contents, second.contents),
    )
    if len(content) < 2:
        return None
    k = min(k, len(content) - 1)
    each, other = (_nearest(graph, content, k) for graph in (first.graph, second.graph))
    same = np.zeros(len(content), np.int64)
    for place in range(k):
        here = each[:, place : place + 1]
        same += ((here >= 0) & (here == other)).any(axis=1)
    possible = np.minimum((each >= 0).sum(axis=1), (other >= 0).sum(axis=1))
    overlap = np.divide(same, possible, out=np.full(len(content), np.nan), where=possible > 0)
    return Neighbourhoods(content, overlap, k, k / (len(content) - 1))


def _nearest(graph: Graph, content: Ints, k: int) -> Ints:
    """The k nearest (M, k) of contents (M,) among these contents alone, as places; −1 where the graph knows fewer."""
    place_of = np.append(positions_of(graph.content, content), -1)  # the last stands for −1, no neighbour
    near = place_of[graph.position[positions_of(content, graph.content)]]
    known_first = np.argsort(near < 0, axis=1, kind="stable")
    result: Ints = np.take_along_axis(near, known_first, 1)[:, :k]
    if result.shape[1] < k:
        result = np.pad(result, ((0, 0), (0, k - result.shape[1])), constant_values=-1)
    return result


def agreement_in_words(compared: ComparedMeasure, *, called: Callable[[str], str] = in_text) -> str:
    """How far two models agree on a measure, `called` so, overall and on what is most ambiguous, as a sentence."""
    rho, title = compared.rank_correlation, called(compared.measure)
    if not np.isfinite(rho):
        return f"Nothing to compare: {title} is the same for every picture under one of them."
    figure, pictures = Figure(rho, compared.interval).text(), counted(len(compared), "picture")
    return f"By {title}, the orders are {_alike(rho)} (Spearman {figure}, {pictures}), {_top_in_words(compared)}."


def _top_in_words(compared: ComparedMeasure) -> str:
    count, shared = compared.top_count, compared.top_shared
    share, is_alike = shared / count, compared.rank_correlation >= ALIKE_IN_PART
    if ABOUT_HALF[0] <= share <= ABOUT_HALF[1]:
        link, which = "and", "in part the same pictures"
    else:
        link = "and" if (share > ABOUT_HALF[1]) == is_alike else "but"
        which = f"mostly {'the same' if share > ABOUT_HALF[1] else 'different'} pictures"
    which = "the same pictures" if shared == count else which
    of_each = f"{shared:,} of {count:,} in common (chance: {compared.top_by_chance:.2g})"
    return f"{link} they name {which} as most ambiguous: {of_each}"


def neighbours_in_words(both: Neighbourhoods) -> str:
    """How far two models agree on who is alike, as a sentence."""
    if both.mean == 1:
        return f"The {both.k} nearest of every picture are the same under both."
    return (
        f"Of a picture's {both.k} nearest, {both.k * both.mean:.1f} are the same under both "
        f"(chance: {both.k * both.by_chance:.1f})."
    )


ABOUT_HALF = 1 / 3, 2 / 3
"""Two models that share between a third and two thirds of the most ambiguous name in part the same."""
ALIKE_IN_PART = 0.4
_ALIKE = {0.95: "almost the same", 0.7: "alike overall", ALIKE_IN_PART: "alike in part", 0.1: "hardly alike"}
"""The words for two orders, by the Spearman correlation from which they hold."""
BOUNDS = f"Spearman's correlation: {', '.join(f'{words} from {decimal(bound)}' for bound, words in _ALIKE.items())}."


def _alike(rho: float) -> str:
    lowest = "not alike" if rho > -0.1 else "opposite"
    return next((words for bound, words in _ALIKE.items() if rho >= bound), lowest)


def disagreements(each: ComparedMeasure, *, most: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pictures that are most more ambiguous to the second model, and to the first; twins are counted once."""
    rows = each.change.table
    up = first_of_each(rows.sort_values(["change", "id"], ascending=[False, True]))
    down = first_of_each(rows.sort_values(["change", "id"], ascending=[True, True]))
    return up[up["change"] > 0].head(most), down[down["change"] < 0].head(most)
