"""Measures of pairs: how likely two pictures are different kinds of thing, by the graph of their set.

They are the inputs of the order that answers tune (`url_viz.analysis.review.tuned`). Each is worked out in three
spaces, the set's whitened space as it is kept (power ½), without and with full whitening (0 and 1), on the lists of 64
that the graph has, sorted again in each space. In a set whose drawings lie by style and not by kind, one space says
another thing than the others, and a few answers show which to trust. Where a second model has read the set, the same of
its graph in its whitened space stand beside them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.derived import column
from url_viz.analysis.second_model import SecondModel
from url_viz.analysis.table import Frame
from url_viz.pipeline.confusability import LEAST_SCALE
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import twin_representatives
from url_viz.rows import l2_normalize, mid_ranks
from url_viz.store.tables.tables import Graph, positions_of
from url_viz.store.tables.whitened_rows import WhitenedRows

POWERS = (0.0, 0.5, 1.0)
SHORT, LONG = (3, 5, 10), (20, 40)
"""Lengths of the lists whose common members are counted."""
OF_A_SPACE = ("far", "shared", "shared_long", "crowd", "back", "gap", "in_degree", "own_in_degree", "loneliness")
"""The measures of a pair (a picture, another) in one space, higher = less the same kind.

Minus their similarity; how few neighbours their lists share, short and long ones; how many of the picture's neighbours
are about as near; its place in the other's list; how far the other is behind the eleventh; in how many short lists the
other stands, and (minus) the picture itself; minus the similarity of the picture's 32nd neighbour.
"""
PER_IMAGE = ("entropy", "inverse_norm")
"""Measures of the picture by itself."""
PAIR_MEASURES = (*(f"{name}_{power:g}" for power in POWERS for name in OF_A_SPACE), *PER_IMAGE)
PRIOR_NAMES = ("shared_0.5", "crowd_0.5", "far_0.5")
"""Those that confusability is the mean of."""
SECOND_PAIR_MEASURES = tuple(f"{name}_second" for name in OF_A_SPACE)
"""The measures by a second model, after the others."""
SECOND_PRIOR_NAMES = ("shared_second", "crowd_second", "far_second")
IN_DEGREE, ELEVENTH, LAST = 10, 10, 31
BLOCK = 4096

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class _Space:
    """One space of a model: the lists `near` (N, K) of its graph, its `whitened` rows (N, A), and their `factor` (A,).

    `degree` (N,) in short lists, `scale` of the crowd.
    """

    near: NDArray[np.int32]
    whitened: NDArray[np.float16]
    factor: Floats
    degree: NDArray[np.int64]
    scale: float

    def units(self, rows: NDArray[np.integer]) -> Floats:
        """Some pictures in the space, (R, A), of length one."""
        return l2_normalize(self.whitened[rows] * self.factor)


class PairMeasures:
    """The measures of pairs of an image set, ranked among those of each picture and its nearest.

    `rows` (R,) are the pictures that have a nearest, twins once, `nearest` (R,) theirs, and `ranks` (R, F)
    the measures `names` of these pairs, each a mid-rank within the set, 0 to 1. `prior` (F,) are the weights of those
    that confusability is the mean of, three in all.
    """

    def __init__(
        self,
        graph: Graph,
        whitened: WhitenedRows,
        alone: Floats,
        *,
        representative: Rows,
        second: SecondModel | None = None,
    ) -> None:
        """`whitened` and `alone` (N, 2), entropy and 1 / norm, are in the order of the graph, and so is `second`.

        `representative` (N,) is that of each row (`url_viz.pipeline.twins`).
        """
        self._alone = alone
        self.representative = representative
        is_counted = (graph.position[:, 0] >= 0) & (representative == np.arange(len(graph)))
        self.rows = np.flatnonzero(is_counted)
        self.nearest = graph.position[self.rows, 0].astype(np.int64)
        self.names = PAIR_MEASURES if second is None else (*PAIR_MEASURES, *SECOND_PAIR_MEASURES)
        mean_of = PRIOR_NAMES if second is None else (*PRIOR_NAMES, *SECOND_PRIOR_NAMES)
        self.prior = np.isin(self.names, mean_of) * len(PRIOR_NAMES) / len(mean_of)
        worked_out = [self._space(graph.position, whitened, power) for power in POWERS]
        beside = [] if second is None else [self._space(second.graph.position, second.whitened, POWERS[1])]
        self._spaces, self._beside = ([space for space, _ in each] for each in (worked_out, beside))
        columns: list[NDArray[np.floating]] = [
            *(part for _, part in worked_out),
            alone[self.rows],
            *(part for _, part in beside),
        ]
        raw: NDArray[np.float64] = np.hstack(columns)
        self._sorted = np.sort(raw, axis=0)
        self.ranks = np.stack([(mid_ranks(column) - 0.5) / max(1, len(column)) for column in raw.T], axis=1)

    def measure(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        """The ranks (P, F) of other pairs of rows of the graph, where they would stand among `ranks`."""
        raw, among = self._raw(first, second), self._sorted
        below, not_above = (
            np.stack([np.searchsorted(among[:, k], raw[:, k], side) for k in range(raw.shape[1])], axis=1)
            for side in ("left", "right")
        )
        ranks: NDArray[np.float64] = (below + not_above) / (2 * max(1, len(among)))
        return ranks

    def _space(
        self, near: NDArray[np.int32], whitened: WhitenedRows, power: float
    ) -> tuple[_Space, NDArray[np.float64]]:
        """A space, and the measures (R, 9) in it of each picture and its nearest.

        The lists of all pictures are sorted once for both, and not kept: they are as large as the graph.
        """
        scales = whitened.whitening.scales
        factor = np.where(scales > 0, np.maximum(scales, 1e-12) ** (2 * power - 1), 0).astype(np.float32)
        unit = l2_normalize(whitened.rows * factor)
        parts = [_sorted_lists(near[part], unit[part], unit[near[part]]) for part in _blocks(len(unit))]
        lists = Nearest(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in ("position", "similarity"))
        )
        short = lists.position[:, :IN_DEGREE]
        degree = np.bincount(short[short >= 0], minlength=len(unit))
        space = _Space(near, whitened.rows, factor, degree, _crowd_scale(lists))
        columns = np.zeros((len(self.rows), len(OF_A_SPACE)))
        for part in _blocks(len(self.rows)):
            first, second = self.rows[part], self.nearest[part]
            cosine = np.einsum("pa,pa->p", unit[first], unit[second])
            columns[part] = _in_space(space, first, second, cosine, _at(lists, first), _at(lists, second))
        return space, columns

    def _raw(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        """The measures (P, F) of pairs, not ranked."""
        measures = np.zeros((len(first), len(self.names)))
        for part in _blocks(len(first)):
            left, right = first[part], second[part]
            columns, beside = (
                [_of_pairs(space, left, right) for space in spaces] for spaces in (self._spaces, self._beside)
            )
            measures[part] = np.hstack([*columns, self._alone[left], *beside])
        return measures


def _of_pairs(space: _Space, first: Rows, second: Rows) -> NDArray[np.float64]:
    """The measures (P, 9) of pairs in one space."""
    near, own, theirs = space.near, space.units(first), space.units(second)
    cosine = np.einsum("pa,pa->p", own, theirs)
    lists = (
        _sorted_lists(near[rows], units, space.units(near[rows].ravel()).reshape(*near[rows].shape, -1))
        for rows, units in ((first, own), (second, theirs))
    )
    return _in_space(space, first, second, cosine, *lists)


def _sorted_lists(near: NDArray[np.int32], unit: Floats, of_near: Floats) -> Nearest:
    """Lists `near` (R, K) of pictures `unit` (R, A) sorted by the cosine to `of_near` (R, K, A)."""
    similarity = np.einsum("ra,rka->rk", unit, of_near)
    similarity[near < 0] = -np.inf
    order = np.argsort(-similarity, axis=1, kind="stable")
    return Nearest(np.take_along_axis(near, order, 1), np.take_along_axis(similarity, order, 1))


def _at(lists: Nearest, rows: Rows) -> Nearest:
    return Nearest(lists.position[rows], lists.similarity[rows])


def _crowd_scale(lists: Nearest) -> float:
    """A third of the median gap from the nearest to the eleventh, or to the last of shorter lists."""
    last = lists.similarity[:, min(ELEVENTH, lists.similarity.shape[1] - 1)]
    is_full = np.isfinite(last)
    gaps = lists.similarity[is_full, 0] - last[is_full]
    return max(float(np.median(gaps)) / 3 if len(gaps) else 0.0, LEAST_SCALE)


def _in_space(
    space: _Space, first: Rows, second: Rows, cosine: Floats, own: Nearest, theirs: Nearest
) -> NDArray[np.float64]:
    """The measures (P, 9) of pairs in one space, in the order of OF_A_SPACE."""
    is_back = (theirs.position == first[:, None]) & (theirs.position >= 0)
    last = own.similarity.shape[1] - 1
    columns = [
        -cosine,
        _few_shared(own, theirs, SHORT),
        _few_shared(own, theirs, LONG),
        np.exp(np.minimum((own.similarity - cosine[:, None]) / space.scale, 50)).sum(axis=1),
        np.where(is_back.any(axis=1), is_back.argmax(axis=1), is_back.shape[1]),
        _finite(own.similarity[:, min(ELEVENTH, last)]) - cosine,
        space.degree[second],
        -space.degree[first],
        -_finite(own.similarity[:, min(LAST, last)]),
    ]
    return np.stack([column.astype(np.float64) for column in columns], axis=1)


def _few_shared(own: Nearest, other: Nearest, lengths: tuple[int, ...]) -> Floats:
    """Minus the share of common members of the first so many of two lists, the mean over lengths, (P,)."""
    most = max(lengths)
    first, second = own.position[:, :most], other.position[:, :most]
    # The place of each member of the first list in the second; `most` if it is not there.
    place = np.full(first.shape, most)
    for slot in range(second.shape[1]):
        place[(first == second[:, slot, None]) & (first >= 0)] = slot
    shared = np.stack([(place[:, :k] < k).mean(axis=1, dtype=np.float32) for k in lengths])
    few: Floats = -shared.mean(axis=0)
    return few


def _finite(similarity: Floats) -> Floats:
    """Similarities (P,), −1 where a list is shorter."""
    finite: Floats = np.where(np.isfinite(similarity), similarity, np.float32(-1))
    return finite


def _blocks(count: int) -> Iterator[Rows]:
    for start in range(0, count, BLOCK):
        yield np.arange(start, min(start + BLOCK, count))


@column()
def pair_measures(
    graph: Graph | None, whitened_graph: WhitenedRows | None, base: Frame, second: SecondModel | None
) -> PairMeasures | None:
    """The measures of the pairs of the set; None without a graph."""
    if graph is None or whitened_graph is None:
        return None
    row = positions_of(graph.content, base.contents)
    of_pictures = base.table[list(PER_IMAGE)].to_numpy(np.float32)
    by_itself = np.where((row >= 0)[:, None], np.nan_to_num(of_pictures[row]), 0)
    return PairMeasures(
        graph,
        whitened_graph,
        by_itself.astype(np.float32),
        representative=twin_representatives(graph.twins).astype(np.int64),
        second=second if second is not None and second.is_whole else None,
    )
