"""Choosing the pictures that cover most of a set, to name or to train on, and what that choice is worth."""

import heapq
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.printout import Printout
from url_viz.base.wording import counted, percent
from url_viz.columns.ranking import NONE
from url_viz.evidence.order_metrics import Figure, mean_by_t
from url_viz.evidence.probe import fit_probe, probe_folds, probe_inputs
from url_viz.evidence.worth import MOST_CELLS, MOST_PICTURES, points
from url_viz.labels.votes import Codes
from url_viz.pipeline.twins import twin_representatives
from url_viz.store.tables.tables import Graph, positions_of

NEIGHBOURS = 16
"""Neighbours of each list that are used: more order no better (docs/order.md)."""
DRAWS = 10
Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Quota:
    """How many may come of each of G groups: `room` (G,), and one more of each that `takes_more`, `extra` in all.

    `group` (N,) is each picture's, from 0.
    """

    group: Rows
    room: Rows
    takes_more: Bools
    extra: int


def equal_quota(group: Rows, *, count: int, is_open: Bools, is_chosen: Bools, most: Rows) -> Quota:
    """The quota by which `count` pictures in all, the chosen among them, are as evenly spread over groups as can be.

    `group` (N,) from 0; `is_open` and `is_chosen` (N,): which may be chosen, which are already; `most` (G,) bounds each
    group, negative for no bound. What a small group cannot give goes to the others; what is left over, less than one a
    group, goes to those that cover most.
    """
    chosen, size = (np.bincount(group[rows], minlength=len(most)) for rows in (is_chosen, is_open | is_chosen))
    size = np.where(most >= 0, np.clip(most, chosen, size), size)
    levels = range(1, int(size.max(initial=0)) + 1)
    level = bisect_right(levels, count, key=lambda level: int(np.clip(level, chosen, size).sum()))
    filled = np.clip(level, chosen, size)
    return Quota(group, filled - chosen, (filled == level) & (size > level), count - int(filled.sum()))


def cover_first(
    graph: Graph,
    *,
    representative: Rows,
    is_covered: Bools,
    count: int,
    among: Bools | None = None,
    quota: Quota | None = None,
) -> Rows:
    """The rows (≤ count,) of a graph of N pictures that cover most of it, the one that covers most first.

    Each next one is that which covers most of what the chosen ones, and those before it, do not: a picture covers
    another by their similarity, if one is in the other's list, and itself wholly (facility location, chosen greedily;
    Krause and Golovin 2014). An order, not a set: without a quota its beginning is as good whatever the count. With
    a quota a picture covers those of its own group alone: what lies near in another class does not stand for it. Twins
    count once (`representative` (N,)). `is_covered` and `among` (N,): which are chosen already, which may be (all if
    None).
    """
    covers = _covering(graph, representative, None if quota is None else quota.group)
    every, chosen = np.arange(len(graph)), np.unique(representative[is_covered])
    best = np.asarray(covers[:, chosen].max(axis=1).todense()).ravel() if len(chosen) else np.zeros(len(graph))
    is_open = (representative == every) & ~np.isin(every, chosen)
    if among is not None:
        is_open &= np.isin(every, representative[among])
    if quota is None:
        quota = Quota(np.zeros(len(graph), np.int64), np.array([len(graph)]), np.array([False]), 0)
    return _greedy(covers, best, np.flatnonzero(is_open), count, quota)


def _covering(graph: Graph, representative: Rows, group: Rows | None) -> scipy.sparse.csc_array:
    """How well each picture (column) covers each (row), (N, N), from 0 to 1; 0 but among representatives."""
    near, similarity = graph.position[:, :NEIGHBOURS], graph.similarity[:, :NEIGHBOURS]
    is_counted = representative == np.arange(len(graph))
    is_covered = (near >= 0) & is_counted[:, None]
    if group is not None:
        is_covered &= group[near] == group[:, None]
    row, slot = np.nonzero(is_covered)
    value = np.maximum(similarity[row, slot].astype(np.float64), 0)
    lists = scipy.sparse.csr_array((value, (row, near[row, slot])), shape=(len(graph), len(graph)))
    itself = scipy.sparse.dia_array((is_counted.astype(float)[None], [0]), shape=lists.shape)
    return scipy.sparse.csc_array(lists.maximum(lists.T) + itself)


def _greedy(
    covers: scipy.sparse.csc_array, best: NDArray[np.float64], candidates: Rows, count: int, quota: Quota
) -> Rows:
    """The columns that add most to `best` (N,), one after the other; a gain is worked out again only when it is first.

    What a column adds can only shrink as others are chosen, so one whose gain of now is above the others' of before is
    the largest (Minoux 1978).
    """

    def covered_by(column: int) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
        part = slice(covers.indptr[column], covers.indptr[column + 1])
        return covers.indices[part], covers.data[part]

    def gain(column: int) -> float:
        rows, values = covered_by(column)
        return float(np.maximum(values - best[rows], 0).sum())

    room, extra = quota.room.copy(), quota.extra
    heap = [(-gain(column), column) for column in candidates.tolist()]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < count:
        column = heapq.heappop(heap)[1]
        group = quota.group[column]
        left = room[group]
        if left <= 0 and not (left == 0 and extra and quota.takes_more[group]):
            continue
        now = -gain(column)
        if heap and now > heap[0][0]:
            heapq.heappush(heap, (now, column))
            continue
        chosen.append(column)
        room[group] -= 1
        extra -= int(left == 0)
        rows, values = covered_by(column)
        best[rows] = np.maximum(best[rows], values)
    return np.array(chosen, np.int64)


def chosen_rows(
    graph: Graph,
    contents: NDArray[np.int64],
    count: int,
    *,
    is_open: Bools,
    is_pinned: Bools,
    value: "pd.Series[str] | None" = None,
    most: Mapping[str, int] | None = None,
) -> Rows:
    """The rows (≤ count,) to choose of pictures with these `contents` (N,): the pinned first, then by `cover_first`.

    Pinned ones (N,) are chosen whatever else holds, of others those that are open (N,): of twins one, and none beside a
    pinned one. With a `value` (N,), as many of each as can be, `most` bounds single ones, and a picture without one is
    not chosen. Fewer than `count` where there are no more. Raises ImageSetError if more are pinned than asked for, or
    `most` names a value that no picture has.
    """
    pinned = np.flatnonzero(is_pinned)
    if len(pinned) > count:
        raise ImageSetError(f"{len(pinned):,} pictures are pinned, more than the {count:,} to choose. Choose more.")
    place = positions_of(contents, graph.content)
    picture = _first_of(place, is_pinned, is_open, count=len(graph))
    is_pinned, is_open = ((picture >= 0) & which[picture] for which in (is_pinned, is_open))
    representative = twin_representatives(graph.twins).astype(np.int64)
    representative = _first_of(representative, is_pinned, is_open, count=len(graph))[representative]
    every = np.arange(len(graph))
    is_chosen = np.isin(every, representative[is_pinned])
    is_open &= (representative == every) & ~is_chosen
    more, quota = count - len(pinned), None
    if value is not None:
        groups, bounds = _groups(value, most or {})
        total = more + int(is_chosen.sum())
        quota = equal_quota(groups[picture], count=total, is_open=is_open, is_chosen=is_chosen, most=bounds)
    rows = cover_first(
        graph, representative=representative, is_covered=is_pinned, count=more, among=is_open, quota=quota
    )
    return np.concatenate([pinned, picture[rows]])


def _first_of(group: Rows, is_pinned: Bools, is_open: Bools, *, count: int) -> Rows:
    """The first row of each group (G,): a pinned one before an open one before others; −1 for a group without rows.

    `group` (N,) is each row's, below `count`; −1 for none.
    """
    order = np.lexsort((~is_open, ~is_pinned))
    numbers, first = np.unique(group[order], return_index=True)
    rows = np.full(count, -1, np.int64)
    rows[numbers[numbers >= 0]] = order[first[numbers >= 0]]
    return rows


def _groups(value: "pd.Series[str]", most: Mapping[str, int]) -> tuple[Rows, Rows]:
    """The group (N,) of each picture, and how many of each group at most (G,): none of the last, those without one."""
    codes, names = pd.factorize(value.where(value.isna(), value.astype(str)), sort=True)
    for name in most:
        if name not in names:
            raise ImageSetError(f"No picture has the value {name!r}. There are: {', '.join(names[:20])}.")
    bounds = [*(most.get(name, -1) for name in names), 0]
    return np.where(codes < 0, len(names), codes).astype(np.int64), np.array(bounds, np.int64)


@dataclass(frozen=True)
class ChoiceWorth:
    """Accuracy (0 to 1) of a linear probe trained on `pictures` chosen, and on as many drawn at random, ten times.

    Both are tested on all labelled pictures, each by a probe that has not seen it or its twins (`tested`, fewer than
    all in a large set). `random` and what is gained, `gain`, have 95 % intervals over the draws.
    """

    pictures: int
    tested: int
    draws: int
    chosen: float
    random: Figure
    gain: Figure

    def printout(self) -> Printout:
        """What it is worth in words, and as JSON all figures."""
        return Printout([self.words], figures=self)

    @cached_property
    def words(self) -> str:
        """What the choice is worth, in two sentences; says plainly where it is worth nothing, or less than chance."""
        right = (
            f"Trained on these {self.pictures:,}, a linear probe gets {percent(self.chosen, digits=1)} of "
            f"{self.tested:,} pictures right, by folds: never one that it was trained on; on as many at random "
            f"{percent(self.random.value, digits=1)}."
        )
        if not self.gain.sign:
            verdict = "That is no measurable difference"
        else:
            verdict = f"The choice is worth {'more' if self.gain.value > 0 else 'less'} than chance"
        return f"{right} {verdict}: {points(self.gain)} over {self.draws} draws."


def choice_worth(
    whitened: NDArray[np.floating],
    label: Codes,
    is_chosen: Bools,
    *,
    group: NDArray[np.integer],
    draws: int = DRAWS,
) -> ChoiceWorth:
    """What a choice from N pictures is worth, from whitened rows (N, A), labels (N,), NONE for none, and source groups.

    Tested on what was not chosen alone, a choice would seem half as good again as it is: it was made to lie near that
    (docs/pipelines.md). So what was trained on is tested too, a fold of its source groups at a time left out. Pictures
    without a label take no part. Raises ImageSetError below two classes, and where a probe would take minutes.
    """
    labelled, chosen = np.flatnonzero(label != NONE), np.flatnonzero(is_chosen & (label != NONE))
    classes = len(np.unique(label[labelled]))
    if classes < 2 or not len(chosen):
        raise ImageSetError("What a choice is worth is measured on labelled pictures of two classes or more.")
    if len(chosen) * classes > MOST_CELLS:
        most = f"{MOST_CELLS // classes:,} pictures of {classes:,} classes"
        raise ImageSetError(f"What a choice is worth is measured up to {most}. Choose fewer.")
    tested = np.sort(np.random.default_rng(0).permutation(labelled)[:MOST_PICTURES])
    right = partial(_right, whitened, label, tested=tested, group=group)
    dice = (np.random.default_rng([seed, len(label)]) for seed in range(draws))
    at_random = np.array([right(each.choice(labelled, len(chosen), replace=False)) for each in dice])
    by_choice = right(chosen)
    return ChoiceWorth(
        pictures=len(chosen),
        tested=len(tested),
        draws=draws,
        chosen=by_choice,
        random=mean_by_t(at_random.tolist(), least=-1),
        gain=mean_by_t((by_choice - at_random).tolist(), least=-1),
    )


def _right(
    whitened: NDArray[np.floating], label: Codes, trained: Rows, *, tested: Rows, group: NDArray[np.integer]
) -> float:
    """The share of the rows `tested` that a probe of those `trained` calls right, of which it has seen no twin."""
    inputs, tested_inputs = probe_inputs(whitened[trained]), probe_inputs(whitened[tested])
    whole = fit_probe(inputs, label[trained])
    called, fold = whole.called(tested_inputs), probe_folds(group, seed=0)
    is_seen = np.isin(group[tested], group[trained])
    for left_out in np.unique(fold[tested[is_seen]]):
        part, learns = is_seen & (fold[tested] == left_out), fold[trained] != left_out
        called[part] = fit_probe(inputs[learns], label[trained[learns]], start=whole).called(tested_inputs[part])
    return float((called == label[tested]).mean())


def choice_in_words(chosen: pd.DataFrame, wanted: int, *, per: str | None) -> str:
    """What a choice consists of: how many, how many pinned, of each value of `per`; and whether more were asked for."""
    words = f"{counted(len(chosen), 'picture')} chosen"
    if pinned := int(chosen["pinned"].sum()):
        words += f", {pinned:,} of them pinned"
    if per is not None and len(counts := chosen[per].value_counts()) > 1:
        fewest, most = int(counts.min()), int(counts.max())
        each = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        words += f", {each} of each of {len(counts):,} {'classes' if per == 'label' else f'values of {per}'}"
    if len(chosen) < wanted:
        return f"{words}. {wanted:,} were asked for; no more are left, since near copies count once."
    return f"{words}."
