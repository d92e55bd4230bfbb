"""The tuned order: confusability adjusted by answers on pairs, measures of pairs, and which pairs to ask about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize, mid_ranks
from url_viz.base.wording import counted, percent
from url_viz.columns.engine import Lazy, column
from url_viz.columns.second_model import Opinion
from url_viz.columns.table import Frame
from url_viz.evidence.order_metrics import Figure, auroc_by_blocks
from url_viz.findings.checks import Check
from url_viz.pipeline.confusability import LEAST_SCALE
from url_viz.pipeline.nearest import Nearest
from url_viz.pipeline.twins import twin_representatives
from url_viz.store.decisions.answers import Answered
from url_viz.store.tables.embedding_rows import WhitenedRows
from url_viz.store.tables.tables import Graph, GraphColumns, positions_of

POWERS = (0.0, 0.5, 1.0)
SHORT, LONG = (3, 5, 10), (20, 40)
"""Lengths of the lists whose common members are counted."""
SPACE_MEASURES = ("far", "shared", "shared_long", "crowd", "back", "gap", "in_degree", "own_in_degree", "loneliness")
"""The measures of a pair (a picture, another) in one space, higher = less the same kind.

Minus their similarity; how few neighbours their lists share, short and long ones; how many of the picture's neighbours
are about as near; its place in the other's list; how far the other is behind the eleventh; in how many short lists the
other stands, and (minus) the picture itself; minus the similarity of the picture's 32nd neighbour.
"""
PER_IMAGE = ("entropy", "inverse_norm")
"""Measures of the picture by itself."""
PAIR_MEASURES = (*(f"{name}_{power:g}" for power in POWERS for name in SPACE_MEASURES), *PER_IMAGE)
PRIOR_MEASURES = ("shared", "crowd", "far")
PRIOR_NAMES = tuple(f"{name}_0.5" for name in PRIOR_MEASURES)
"""The measures whose mean confusability is."""
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
        opinions: Sequence[Opinion] = (),
    ) -> None:
        """`whitened` and `alone` (N, 2), entropy and 1 / norm, are in the order of the graph, and so are `opinions`.

        `representative` (N,) is that of each row (`url_viz.pipeline.twins`). The measures by other opinions are behind
        the others.
        """
        self._alone = alone
        self.representative = representative
        is_counted = (graph.position[:, 0] >= 0) & (representative == np.arange(len(graph)))
        self.rows = np.flatnonzero(is_counted)
        self.nearest = graph.position[self.rows, 0].astype(np.int64)
        by = range(2, 2 + len(opinions))
        self.names = (*PAIR_MEASURES, *(f"{name}_by_{number}" for number in by for name in SPACE_MEASURES))
        prior_names = [*PRIOR_NAMES, *(f"{name}_by_{number}" for number in by for name in PRIOR_MEASURES)]
        self.prior = np.isin(self.names, prior_names) * len(PRIOR_NAMES) / len(prior_names)
        spaces = [self._space(graph.position, whitened, power) for power in POWERS]
        spaces += [self._space(opinion.graph.position, opinion.whitened, POWERS[1]) for opinion in opinions]
        self._spaces = [space for space, _ in spaces]
        raw = _all_columns([part for _, part in spaces], alone[self.rows])
        self._sorted = np.sort(raw, axis=0)
        self.ranks = np.stack([(mid_ranks(column) - 0.5) / max(1, len(column)) for column in raw.T], axis=1)

    def measure(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        """The ranks (P, F) of other pairs of rows of the graph, where they would stand among `ranks`."""
        raw, among = self._raw(first, second), self._sorted
        below, not_above = (
            np.stack([np.searchsorted(among[:, k], raw[:, k], side) for k in range(raw.shape[1])], axis=1)
            for side in ("left", "right")
        )
        return np.asarray((below + not_above) / (2 * max(1, len(among))), np.float64)

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
        position = np.concatenate([part.position for part in parts])
        similarity = np.concatenate([part.similarity for part in parts])
        short = position[:, :IN_DEGREE]
        degree = np.bincount(short[short >= 0], minlength=len(unit))
        space = _Space(near, whitened.rows, factor, degree, _crowd_scale(similarity))
        columns = np.zeros((len(self.rows), len(SPACE_MEASURES)))
        for part in _blocks(len(self.rows)):
            pair = self.rows[part], self.nearest[part]
            cosine = np.einsum("pa,pa->p", unit[pair[0]], unit[pair[1]])
            lists = (Nearest(position[rows], similarity[rows]) for rows in pair)
            columns[part] = _in_space(space, *pair, cosine, *lists)
        return space, columns

    def _raw(self, first: Rows, second: Rows) -> NDArray[np.float64]:
        """The measures (P, F) of pairs, not ranked."""
        measures = np.zeros((len(first), len(self.names)))
        for part in _blocks(len(first)):
            left, right = first[part], second[part]
            columns = [_pair_columns(space, left, right) for space in self._spaces]
            measures[part] = _all_columns(columns, self._alone[left])
        return measures


def _all_columns(columns: list[NDArray[np.float64]], alone: Floats) -> NDArray[np.float64]:
    return np.hstack([*columns[: len(POWERS)], alone, *columns[len(POWERS) :]])


def _pair_columns(space: _Space, first: Rows, second: Rows) -> NDArray[np.float64]:
    """The measures (P, 9) of pairs in one space."""
    near, own, theirs = space.near, space.units(first), space.units(second)
    cosine = np.einsum("pa,pa->p", own, theirs)
    lists = (
        _sorted_lists(near[rows], units, space.units(near[rows].ravel()).reshape(*near[rows].shape, -1))
        for rows, units in ((first, own), (second, theirs))
    )
    return _in_space(space, first, second, cosine, *lists)


def _sorted_lists(near: NDArray[np.int32], unit: Floats, near_unit: Floats) -> Nearest:
    """Lists `near` (R, K) of pictures `unit` (R, A) sorted by the cosine to `near_unit` (R, K, A)."""
    similarity = np.einsum("ra,rka->rk", unit, near_unit)
    similarity[near < 0] = -np.inf
    order = np.argsort(-similarity, axis=1, kind="stable")
    return Nearest(np.take_along_axis(near, order, 1), np.take_along_axis(similarity, order, 1))


def _crowd_scale(similarity: Floats) -> float:
    """A third of the median gap from the nearest to the eleventh, or to the last of shorter lists (N, K)."""
    last = similarity[:, min(ELEVENTH, similarity.shape[1] - 1)]
    is_full = np.isfinite(last)
    gaps = similarity[is_full, 0] - last[is_full]
    return max(float(np.median(gaps)) / 3 if len(gaps) else 0.0, LEAST_SCALE)


def _in_space(
    space: _Space, first: Rows, second: Rows, cosine: Floats, own: Nearest, theirs: Nearest
) -> NDArray[np.float64]:
    """The measures (P, 9) of pairs in one space, in the order of SPACE_MEASURES."""
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
    """Minus the share of common members at the head of two lists, the mean over the heads' `lengths`, (P,)."""
    most = max(lengths)
    first, second = own.position[:, :most], other.position[:, :most]
    place = np.full(first.shape, most)  # of each member of the first list in the second
    for slot in range(second.shape[1]):
        place[(first == second[:, slot, None]) & (first >= 0)] = slot
    shared = np.stack([(place[:, :k] < k).mean(axis=1, dtype=np.float32) for k in lengths])
    return np.asarray(-shared.mean(axis=0))


def _finite(similarity: Floats) -> Floats:
    """Similarities (P,), −1 where a list is shorter."""
    return np.where(np.isfinite(similarity), similarity, np.float32(-1))


def _blocks(count: int) -> Iterator[Rows]:
    for start in range(0, count, BLOCK):
        yield np.arange(start, min(start + BLOCK, count))


@column()
def pair_measures(
    graph: Graph | None, whitened_graph: WhitenedRows | None, base: Frame, opinions: tuple[Opinion, ...]
) -> PairMeasures | None:
    """The measures of the pairs of the set; None without a graph."""
    if graph is None or whitened_graph is None:
        return None
    row = positions_of(graph.content, base.contents)
    per_image = np.nan_to_num(base.table[list(PER_IMAGE)].to_numpy(np.float32)[row])
    return PairMeasures(
        graph,
        whitened_graph,
        np.where((row >= 0)[:, None], per_image, np.float32(0)),
        representative=twin_representatives(graph.twins).astype(np.int64),
        opinions=opinions if all(opinion.is_whole for opinion in opinions) else (),
    )


MIN_ANSWERS = 10
"""With fewer answers, or without both kinds, nothing is tuned."""
FEW_ANSWERS = 30
"""Evidence of fewer answers is marked as from few."""
PENALTY, PRIOR = 3.0, 1.5
"""Of the logistic regression on ranks; chosen on development sets (docs/order.md)."""
UNIFORM_FRACTION = 0.4
"""Of the pairs to ask, the fraction drawn uniformly; only answers on those are evidence."""
DISAGREEMENT_POWER = 4
FOLDS = 10

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Weights:
    """`weights` (F,) of the measures, and a `constant`: called with ranks (P, F), the log odds (P,) of another kind."""

    constant: float
    weights: Doubles

    def __call__(self, ranks: Doubles) -> Doubles:
        return np.asarray(self.constant + ranks @ self.weights)


@dataclass(frozen=True)
class Tuned:
    """What answers made of the order of N contents.

    `values` (N,) float32, 0 to 1, nan for one without a neighbour. `answers` were used, `same` of them the same
    kind. `evidence` is the R-AUROC on the `uniform_answers`, those drawn uniformly whose pair is still nearest, each
    judged without itself, and `before` that of confusability on the same; None if there are not both kinds among them.
    """

    values: NDArray[np.float32]
    answers: int
    same: int
    uniform_answers: int
    evidence: Figure | None
    before: Figure | None


@dataclass(frozen=True)
class _Examples:
    """The training examples of A answers, each in one direction or both: `ranks` (L, F), `answer` (L,) and `weight`.

    `is_other` (A,) says which pairs are not the same kind, `is_nearest` (A,) which are a picture and its nearest,
    `is_uniform` (A,) which may be drawn uniformly. The weights of an answer sum to 1. `prior` (F,) is that of the
    measures.
    """

    ranks: Doubles
    weight: Doubles
    answer: Rows
    is_other: NDArray[np.bool_]
    is_nearest: NDArray[np.bool_]
    is_uniform: NDArray[np.bool_]
    prior: Doubles

    def __len__(self) -> int:
        return len(self.is_other)


def tune(measures: PairMeasures, content: NDArray[np.int64], answered: Answered) -> Tuned | None:
    """The order of a graph's contents (N,) with the answers taken in; None below MIN_ANSWERS, or without both kinds.

    A logistic regression on the ranks of the measures that is drawn towards those of confusability, of equal weight.
    Answered pictures have no value of their own: they are ordered by the weights like all others. An answer is used
    even after its pair is no longer nearest.
    """
    examples = _examples(measures, content, answered)
    if len(examples) < MIN_ANSWERS or examples.is_other.all() or not examples.is_other.any():
        return None
    odds = _fitted(examples)(measures.ranks)
    values = np.full(len(content), np.nan, np.float32)
    values[measures.rows] = (mid_ranks(odds) - 0.5) / len(odds)
    is_judged = examples.is_uniform & examples.is_nearest
    evidence, before = _evidence(examples, is_judged)
    return Tuned(
        values[measures.representative],
        len(examples),
        int((~examples.is_other).sum()),
        int(is_judged.sum()),
        evidence,
        before,
    )


def fitted_weights(measures: PairMeasures, content: NDArray[np.int64], answered: Answered) -> Weights:
    """The weights by any answers, few of them or none too: then those that confusability is made of."""
    return _fitted(_examples(measures, content, answered))


def pairs_to_ask(
    measures: PairMeasures,
    content: NDArray[np.int64],
    answered: Answered,
    *,
    count: int,
    seed: int = 0,
    among: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Rows (≤ count, 2) of pictures and their nearest to ask about next, drawn by `seed`; none that was answered.

    UNIFORM_FRACTION of them are drawn uniformly, the others more often the more the measures disagree. Which pairs may
    be drawn uniformly is fixed by their contents, half of all: what is asked by disagreement is never among them, and
    so evidence from them holds for all. `among` (N,), if given, are the contents whose pictures are asked about.
    """
    pairs = np.stack([measures.rows, measures.nearest], axis=1)
    keys = np.sort(content[pairs], axis=1)
    _, indices = np.unique(keys, axis=0, return_index=True)
    indices = indices[_is_new(keys[indices], answered) & (True if among is None else among[measures.rows[indices]])]
    generator, is_alike = np.random.default_rng(seed), in_uniform_sample(keys[indices])
    disagreement = measures.ranks[indices].std(axis=1) ** DISAGREEMENT_POWER
    alike = iter(_drawn(generator, indices[is_alike], None).tolist())
    disagreed = iter(_drawn(generator, indices[~is_alike], disagreement[~is_alike]).tolist())
    chosen: list[int] = []
    for is_uniform in _turns(min(count, len(indices))).tolist():
        queue = chain(alike, disagreed) if is_uniform else chain(disagreed, alike)  # one may be at its end
        chosen.extend(islice(queue, 1))
    return np.asarray(pairs[np.array(chosen, np.int64)])


def _is_new(keys: NDArray[np.int64], answered: Answered) -> NDArray[np.bool_]:
    """Which pairs of contents (P, 2), the smaller first, nobody answered."""
    given = answered.as_dict()
    is_new = np.ones(len(keys), bool)
    for index in np.flatnonzero(np.isin(keys[:, 0], answered.pairs[:, 0])):
        is_new[index] = tuple(keys[index].tolist()) not in given
    return is_new


def in_uniform_sample(pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which pairs of contents (P, 2) may be drawn uniformly: half of all, by their keys, which are digests."""
    return np.asarray(((pairs[:, 0] ^ pairs[:, 1]) >> 1) & 1 == 0)


def _turns(count: int) -> NDArray[np.bool_]:
    """Which of the next questions are drawn uniformly: UNIFORM_FRACTION of each stretch, the first too."""
    return np.asarray(np.diff(np.ceil(np.arange(count + 1) * UNIFORM_FRACTION)) > 0)


def _drawn(generator: np.random.Generator, indices: Rows, weight: Doubles | None) -> Rows:
    """All places in an order drawn without replacement, by weight if there is one (Efraimidis and Spirakis 2006)."""
    luck = generator.exponential(size=len(indices))
    return indices[np.argsort(luck if weight is None else luck / np.maximum(weight, 1e-12), kind="stable")]


def _examples(measures: PairMeasures, content: NDArray[np.int64], answered: Answered) -> _Examples:
    """Each answer in the directions in which its pair is nearest, else in both; not those of contents that are gone."""
    row = positions_of(answered.pairs.ravel(), content).reshape(-1, 2)
    rows = np.where(row >= 0, measures.representative[row], -1)
    is_pair = np.asarray((rows.min(axis=1) >= 0) & (rows[:, 0] != rows[:, 1]))  # not twins since
    rows, pairs = rows[is_pair], answered.pairs[is_pair]
    nearest = np.full(len(content), -1, np.int64)
    nearest[measures.rows] = measures.representative[measures.nearest]
    both = np.stack([nearest[rows[:, 0]] == rows[:, 1], nearest[rows[:, 1]] == rows[:, 0]], axis=1)
    is_nearest = both[:, 0] | both[:, 1]
    used = both | ~is_nearest[:, None]
    answer, side = np.nonzero(used)
    first, second = rows[answer, side], rows[answer, 1 - side]
    return _Examples(
        measures.measure(first, second),
        1 / used.sum(axis=1)[answer],
        answer.astype(np.int64),
        ~answered.is_same[is_pair],
        is_nearest,
        in_uniform_sample(pairs),
        measures.prior,
    )


def _fitted(examples: _Examples, is_taken: NDArray[np.bool_] | None = None) -> Weights:
    """The weights by all answers, or by those `is_taken` (A,)."""
    from scipy.optimize import minimize  # slow to import, and only answers need it

    prior = np.insert(PRIOR * examples.prior, 0, 0.0)
    taken = np.ones(len(examples.answer), bool) if is_taken is None else is_taken[examples.answer]
    ranks = np.insert(examples.ranks[taken], 0, 1.0, axis=1)
    weight, is_other = examples.weight[taken], examples.is_other[examples.answer[taken]].astype(float)
    pull = np.full(len(prior), PENALTY)
    pull[0] = PENALTY / 300  # the constant is all but free

    def loss(theta: Doubles) -> tuple[float, Doubles]:
        odds = ranks @ theta
        away = theta - prior
        value = (weight * (np.logaddexp(0, odds) - is_other * odds)).sum() + (pull * away**2).sum() / 2
        share = 1 / (1 + np.exp(-odds))
        return float(value), ranks.T @ (weight * (share - is_other)) + pull * away

    solution = minimize(loss, prior, jac=True, method="L-BFGS-B").x
    return Weights(float(solution[0]), solution[1:])


def _evidence(examples: _Examples, is_judged: NDArray[np.bool_]) -> tuple[Figure | None, Figure | None]:
    """The R-AUROC on the answers `is_judged`, each judged by weights without its fold, and that of the prior."""
    judged = np.flatnonzero(is_judged)
    if not examples.is_other[judged].any() or examples.is_other[judged].all():
        return None, None
    fold = np.random.default_rng(0).permutation(len(examples)) % FOLDS
    odds, before = np.zeros((2, len(examples)))
    plain = examples.ranks @ examples.prior
    np.add.at(before, examples.answer, examples.weight * plain)
    for number in np.unique(fold[judged]):
        weights = _fitted(examples, fold != number)
        here = fold[examples.answer] == number
        log_odds = examples.weight[here] * (examples.ranks[here] @ weights.weights)  # constants differ between folds
        np.add.at(odds, examples.answer[here], log_odds)
    is_other, each = examples.is_other[judged], np.arange(len(judged))
    return auroc_by_blocks(odds[judged], is_other, each), auroc_by_blocks(before[judged], is_other, each)


@column(digest=lambda answered: answered.pairs.tobytes() + answered.is_same.tobytes())
def answered(answers: Answered) -> Answered:
    """The answers on pairs, which other decisions leave as they are."""
    return answers


@column()
def tuned_order(
    answered: Answered, own_graph_columns: GraphColumns | None, pair_measures: Lazy[PairMeasures | None]
) -> Tuned | None:
    """What answers made of the order; None below MIN_ANSWERS of them, or without both kinds."""
    is_one_kind = answered.is_same.all() or not answered.is_same.any()
    if own_graph_columns is None or len(answered) < MIN_ANSWERS or is_one_kind:
        return None
    measures = pair_measures()
    return None if measures is None else tune(measures, own_graph_columns.content, answered)


@column(gives=("tuned",))
def tuned(tuned_order: Tuned | None, base: Frame, own_graph_columns: GraphColumns | None) -> Mapping[str, Any]:
    """Confusability with the answers taken in."""
    if tuned_order is None or own_graph_columns is None:
        return {}
    row = own_graph_columns.rows_of(base.contents)
    return {"tuned": np.where(row >= 0, tuned_order.values[row], np.float32(np.nan))}


@dataclass(frozen=True)
class SetPairs:
    """The pairs of a set's graph: `content` (M,) of its rows, `contents` (N,) of the pictures, and what is measured."""

    content: NDArray[np.int64]
    contents: NDArray[np.int64]
    measures: PairMeasures

    def next(
        self, answered: Answered, count: int, *, seed: int, among: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Rows (≤ count, 2) of the table to ask about next: pictures and their nearest; see `pairs_to_ask`.

        `among` (N,) are the pictures to ask about.
        """
        wanted = None if among is None else np.isin(self.content, self.contents[among])
        pairs = pairs_to_ask(self.measures, self.content, answered, count=count, seed=seed, among=wanted)
        rows = positions_of(self.content[pairs].ravel(), self.contents).reshape(-1, 2)
        return np.asarray(rows[rows.min(axis=1) >= 0])

    def nearest(self) -> NDArray[np.int64]:
        """The row (N,) of the table that is nearest to each, −1 for none; of twins that of the representative."""
        near, measures = np.full(len(self.content) + 1, -1, np.int64), self.measures
        near[measures.rows] = positions_of(self.content[measures.nearest], self.contents)
        row = positions_of(self.contents, self.content)
        return near[np.where(row >= 0, measures.representative[row], -1)]


@column()
def pairs(base: Frame, own_graph_columns: GraphColumns | None, pair_measures: PairMeasures | None) -> SetPairs | None:
    """The pairs that can be asked about; None without a graph."""
    if own_graph_columns is None or pair_measures is None:
        return None
    return SetPairs(own_graph_columns.content, base.contents, pair_measures)


def moved_share(table: pd.DataFrame) -> float:
    """The share of the most ambiguous tenth by `tuned` that is not in that by confusability; nan without `tuned`."""
    both = table[["tuned", "confusability"]].dropna()
    if both.empty:
        return float("nan")
    most = max(1, len(both) // 10)
    tops = (set(both[name].nlargest(most).index) for name in both)
    return 1 - len(set.intersection(*tops)) / most


def change_in_words(answered: Answered, tuned: Tuned | None, *, moved: float) -> str:
    """For people: how many answers there are, and what they have changed; `moved` is what `moved_share` gives."""
    words = f"{counted(len(answered), 'answer')}, {int(answered.is_same.sum()):,} the same kind"
    if tuned is None:
        missing = MIN_ANSWERS - len(answered)
        wanted = f"{missing} to go" if missing > 0 else "the other kind is missing"
        return f"{words}. The order adapts to {MIN_ANSWERS} answers or more, of both kinds: {wanted}."
    words += f". They replaced {percent(moved)} of the most ambiguous tenth"
    if tuned.evidence is None or tuned.before is None:
        return f"{words}."
    few = ", from few answers" if tuned.answers < FEW_ANSWERS else ""
    before, after = (round(100 * figure.value) for figure in (tuned.before, tuned.evidence))
    return f"{words}; of two pictures, the right one ranks higher in {after} of 100 cases, before in {before}{few}."


PAIRS = Check("pairs", needs="graph", title="Same kind or not")
