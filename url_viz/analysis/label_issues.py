"""Label issues: likely wrong labels, told from ambiguous pictures and conflicting copies, and classes mixed up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.pipeline.neighbours import Array
from url_viz.pipeline.twin_groups import twin_groups
from url_viz.store.tables import Graph, positions_of

NONE = -1
"""The code of a picture that has no class, and of a neighbour that has no vote."""

NEARNESS = 0.1
"""A neighbour's weight is exp((its cosine − the nearest one's) / NEARNESS)."""
RIDGE = 1.0
_CELLS = 4_000_000

Floats = NDArray[np.float32]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Ballot:
    """Votes on M distinct contents: `label` (M, K) int32 codes of the voters (NONE: no vote), `weight` (M, K) float32.

    The weights of a row sum to one where anybody votes.
    """

    label: Codes
    weight: Floats

    def __post_init__(self) -> None:
        assert self.label.shape == self.weight.shape

    def shares(self, rows: NDArray[np.integer], classes: int) -> Floats:
        """The share of the votes (R, C) that each class has at `rows`; a row of zeros where nobody votes."""
        label, weight = self.label[rows], self.weight[rows]
        place = np.arange(len(rows))[:, None] * classes + np.maximum(label, 0)
        counted = np.bincount(place.ravel(), weight.ravel(), minlength=len(rows) * classes)
        return counted.reshape(len(rows), classes).astype(np.float32)


def ballot(label: Codes, graph: Graph, *, twin_group: NDArray[np.integer]) -> Ballot:
    """The votes of the graph's neighbours, nearer ones weighing more, twins of each other counting once.

    `label` (M,) are codes in the order of `graph` (NONE: has no vote), `twin_group` (M,) groups. Of neighbours that are
    each other's twins the nearest votes for all, so that a burst is one voice.
    """
    position = np.maximum(graph.position, 0)
    has_vote = (graph.position >= 0) & (label[position] != NONE)
    has_vote &= ~_repeats(twin_group[position], has_vote, twin_group)
    nearest = graph.similarity[:, :1] if graph.similarity.shape[1] else np.zeros((len(graph), 1), np.float32)
    weight = np.where(has_vote, np.exp((graph.similarity - nearest) / np.float32(NEARNESS)), 0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), np.float32(1e-12))
    return Ballot(np.where(has_vote, label[position], NONE).astype(np.int32), weight.astype(np.float32))


def _repeats(group: NDArray[np.integer], has_vote: NDArray[np.bool_], groups: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether a nearer voter of the row is of the same group (M, K); only rows with grouped neighbours are compared."""
    repeats = np.zeros(group.shape, bool)
    is_grouped = np.bincount(groups, minlength=len(groups)) > 1
    rows = np.flatnonzero((is_grouped[group] & has_vote).sum(axis=1) > 1)
    for start in range(0, len(rows), 4096):
        some = rows[start : start + 4096]
        is_same = group[some][:, :, None] == group[some][:, None, :]
        is_nearer = np.tri(group.shape[1], k=-1, dtype=bool)
        repeats[some] = (is_same & is_nearer & has_vote[some][:, None, :]).any(axis=2)
    return repeats


@dataclass(frozen=True)
class LeftOut:
    """A ridge regression onto class indicators, read at each picture as if it had not been fitted on that picture.

    `unit` (M, D) centred embeddings; `coefficients` (D, C); `mean` (C,) shares of the classes; `label` (M,) codes, NONE
    where a picture took no part in the fit; `leverage` (M,), how far a picture pulls its own value. Leaving a picture
    out has a closed form in ridge regression: (fit − leverage · target) / (1 − leverage).
    """

    unit: Floats
    coefficients: Floats
    mean: Floats
    label: Codes
    leverage: Floats

    def values(self, rows: NDArray[np.integer]) -> Floats:
        """How much each class is indicated (R, C) at `rows`; about 1 for a sure class, 0 for a sure other."""
        fit = self.unit[rows] @ self.coefficients
        leverage, label = self.leverage[rows][:, None], self.label[rows]
        was_in = label != NONE
        target = np.where(was_in[:, None], -self.mean, np.float32(0))
        target[np.flatnonzero(was_in), label[was_in]] += 1
        left_out: Floats = (fit - leverage * target) / (1 - leverage) + self.mean
        return left_out


def left_out(embeddings: Floats, label: Codes, classes: int, *, ridge: float = RIDGE) -> LeftOut:
    """Fit on the normalised `embeddings` (M, D) whose `label` (M,) is not NONE. At 100,000 × 1,280 it takes seconds."""
    used = label != NONE
    fitted, codes = embeddings[used], label[used]
    centre = fitted.mean(axis=0)
    fitted = fitted - centre
    share = (np.bincount(codes, minlength=classes) / max(1, len(codes))).astype(np.float32)
    sums = np.zeros((classes, embeddings.shape[1]), np.float32)
    order = np.argsort(codes, kind="stable")
    present, start = np.unique(codes[order], return_index=True)
    sums[present] = np.add.reduceat(fitted[order], start, axis=0)
    inverse = np.linalg.inv((fitted.T @ fitted).astype(np.float64) + ridge * np.eye(embeddings.shape[1]))
    inverse32 = inverse.astype(np.float32)
    leverage = np.zeros(len(label), np.float32)
    leverage[used] = _quadratic(fitted, inverse32) + np.float32(1 / max(2, len(codes)))
    coefficients = inverse32 @ sums.T  # the fitted rows sum to zero, so the targets' mean drops out
    return LeftOut(embeddings - centre, coefficients, share, label, np.minimum(leverage, np.float32(0.999)))


def _quadratic(rows: Floats, matrix: Floats) -> Floats:
    """rowᵀ · matrix · row of each row, without another array as large as `rows`."""
    parts = [np.einsum("nd,nd->n", part @ matrix, part) for part in blocks(rows, 4096)]
    return np.concatenate(parts)


def blocks(rows: Floats, size: int) -> Iterator[Floats]:
    """`rows` in pieces of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def rows_at_once(classes: int) -> int:
    """How many rows of `classes` numbers are worked on together."""
    return max(64, _CELLS // max(1, classes))


Kind = Literal["", "label error", "ambiguous", "conflicting copies", "out on its own"]
LABEL_ERROR: Kind = "label error"
AMBIGUOUS: Kind = "ambiguous"
CONFLICTING: Kind = "conflicting copies"
ALONE: Kind = "out on its own"
KINDS: tuple[Kind, ...] = (LABEL_ERROR, AMBIGUOUS, CONFLICTING, ALONE)

TEMPERATURE = 0.1
VOTE_WEIGHT = 0.25
COPY_COSINE = 0.98
CLEAR_SHARE = 0.7
OWN_SHARE = 0.5
SPREAD_QUANTILE = 0.9
_MIN_CLASS = 2


@dataclass(frozen=True)
class Opinion:
    """What is said of the label of R pictures.

    `own` (R,) float32 is how much speaks for a picture's label, `best` (R,) for `suggested` (R,) int32, the strongest
    other class; `score` (R,) float64, 0 to 1, higher = the label is more to be doubted; `spread` (R,) float32 how many
    classes the neighbours' votes amount to (the exponential of their entropy, 1 where all say the same).
    """

    own: Floats
    best: Floats
    suggested: Codes
    score: NDArray[np.float64]
    spread: Floats

    def __post_init__(self) -> None:
        assert len(self.own) == len(self.best) == len(self.suggested) == len(self.score) == len(self.spread)

    @property
    def disagrees(self) -> NDArray[np.bool_]:
        """Whether more speaks for another class than for the label (R,)."""
        more: NDArray[np.bool_] = self.best > self.own
        return more


@dataclass(frozen=True)
class Judged:
    """The judgement of R pictures, rows as they were given: `opinion`, `kind` (R,) of `Kind`, and votes.

    `suggested` (R,) int32 is the class to try, NONE where there is none; `support` (R,) of `voters` (R,) neighbours
    (twins once) are of the strongest other class. For conflicting copies both are about the copies and their class.
    """

    opinion: Opinion
    kind: NDArray[np.object_]
    suggested: Codes
    support: NDArray[np.int64]
    voters: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kind)


def judge(
    row: NDArray[np.integer],
    label: Codes,
    *,
    classes: int,
    graph: Graph,
    twin_group: NDArray[np.integer],
    embeddings: Floats | None = None,
) -> Judged:
    """Judge the labels of R pictures: `row` (R,) of `graph`, `label` (R,) codes below `classes` of at least 2.

    Two witnesses, neither of whom has seen the picture's own label: its neighbours in the graph (see `ballot`) and,
    with normalised `embeddings` (M, D) in the graph's order, a ridge regression (see `left_out`), the votes added with
    a weight of VOTE_WEIGHT. The score is 1 − p^T, with p the label's share in a softmax of temperature T = TEMPERATURE
    over the classes: near 0 where nothing but the label comes into question. It orders pictures, and is no probability.

    A label error: another class has at least CLEAR_SHARE of what speaks for an undisputed picture of it on average, the
    label at most OWN_SHARE of that, and the neighbours are no more spread over classes than those of nine in ten
    undisputed pictures. Ambiguous: another class is ahead, and the neighbours are more spread. Conflicting copies:
    equal content, or cosine from COPY_COSINE, under different labels. Out on its own: the nearest neighbour is so far
    that its vote says little (Tukey's fence). All constants were chosen on five development sets (docs/labels.md).
    """
    voter = _agreed_label(row, label, len(graph))
    votes = ballot(voter, graph, twin_group=twin_group)
    has_voters = bool((voter != NONE).any())  # none where every content lies under two labels
    fit = left_out(embeddings, voter, classes) if embeddings is not None and has_voters else None
    opinion = _opinion(row, label, votes, fit, classes)
    kind = np.full(len(row), "", dtype=object)
    kind[opinion.disagrees & (opinion.spread > _usual_spread(opinion))] = AMBIGUOUS
    kind[_is_error(opinion, label, classes)] = LABEL_ERROR
    kind[_is_alone(graph)[row]] = ALONE
    suggested = np.where((kind != "") & opinion.disagrees, opinion.suggested, NONE).astype(np.int32)
    support = (votes.label[row] == opinion.suggested[:, None]).sum(axis=1)
    judged = Judged(opinion, kind, suggested, support, (votes.label[row] != NONE).sum(axis=1))
    return _with_copies(judged, row, label, voter, graph)


def _agreed_label(row: NDArray[np.integer], label: Codes, contents: int) -> Codes:
    """The label of each distinct content (M,), NONE where no picture has it or its copies differ."""
    low = np.full(contents, np.iinfo(np.int32).max, np.int32)
    high = np.full(contents, NONE, np.int32)
    np.minimum.at(low, row, label)
    np.maximum.at(high, row, label)
    return np.where(low == high, high, NONE).astype(np.int32)


def _opinion(row: NDArray[np.integer], label: Codes, votes: Ballot, fit: LeftOut | None, classes: int) -> Opinion:
    size = rows_at_once(classes)
    parts = [
        _opinion_of(row[start : start + size], label[start : start + size], votes, fit, classes)
        for start in range(0, len(row), size)
    ]
    names = ("own", "best", "suggested", "score", "spread")
    return Opinion(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _opinion_of(row: NDArray[np.integer], label: Codes, votes: Ballot, fit: LeftOut | None, classes: int) -> Opinion:
    share = votes.shares(row, classes)
    spread = np.exp(-np.einsum("rc,rc->r", share, np.log(np.maximum(share, np.float32(1e-12)))))
    value = share if fit is None else fit.values(row) + np.float32(VOTE_WEIGHT) * share
    every = np.arange(len(row))
    own = value[every, label].copy()
    top = value.max(axis=1)
    mass = np.exp((value - top[:, None]) / np.float32(TEMPERATURE)).sum(axis=1, dtype=np.float64)
    doubt = top.astype(np.float64) - own + TEMPERATURE * np.log(mass)
    value[every, label] = -np.inf
    suggested = value.argmax(axis=1)
    best = value[every, suggested]
    return Opinion(own, best, suggested.astype(np.int32), 1 - np.exp(-np.maximum(doubt, 0)), spread)


def _usual_spread(opinion: Opinion) -> float:
    undisputed = opinion.spread[~opinion.disagrees]
    return float(np.quantile(undisputed, SPREAD_QUANTILE)) if len(undisputed) else float("inf")


def _is_error(opinion: Opinion, label: Codes, classes: int) -> NDArray[np.bool_]:
    is_clear = opinion.best >= CLEAR_SHARE * _usual_value(opinion, label, classes)[opinion.suggested]
    has_company = np.bincount(label, minlength=classes)[label] >= _MIN_CLASS
    is_error: NDArray[np.bool_] = (
        opinion.disagrees
        & is_clear
        & (opinion.own <= OWN_SHARE * opinion.best)
        & (opinion.spread <= _usual_spread(opinion))
        & has_company
    )
    return is_error


def _usual_value(opinion: Opinion, label: Codes, classes: int) -> NDArray[np.float64]:
    """What speaks for an undisputed picture of each class on average (C,), small classes drawn to the mean of all."""
    undisputed = ~opinion.disagrees
    if not undisputed.any():
        return np.full(classes, np.inf)
    overall, prior = float(opinion.own[undisputed].mean()), 2
    count = np.bincount(label[undisputed], minlength=classes)
    total = np.bincount(label[undisputed], opinion.own[undisputed], minlength=classes)
    mean: NDArray[np.float64] = (total + prior * overall) / (count + prior)
    return mean


def _is_alone(graph: Graph) -> NDArray[np.bool_]:
    """Whether the nearest neighbour of each content (M,) is below the lower fence: quartile − 1.5 quartile ranges."""
    if not graph.position.shape[1]:
        return np.ones(len(graph), bool)
    nearest = np.where(graph.position[:, 0] >= 0, graph.similarity[:, 0], -1)
    low, high = np.quantile(nearest, (0.25, 0.75))
    is_alone: NDArray[np.bool_] = nearest < low - 1.5 * (high - low)
    return is_alone


def _with_copies(judged: Judged, row: NDArray[np.integer], label: Codes, voter: Codes, graph: Graph) -> Judged:
    """Pictures with a copy under another label become a case of their own, with that label as the one to try."""
    near = graph.position[row]
    is_copy = (near >= 0) & (graph.similarity[row] >= COPY_COSINE) & (voter[near] != NONE)
    differs = is_copy & (voter[near] != label[:, None])
    kind, suggested = judged.kind.copy(), judged.suggested.copy()
    support, voters = judged.support.copy(), judged.voters.copy()
    for place in np.flatnonzero(differs.any(axis=1)):
        others = voter[near[place][differs[place]]]
        suggested[place], kind[place] = others[0], CONFLICTING
        support[place], voters[place] = (others == others[0]).sum(), is_copy[place].sum()
    for places in _conflicting(row, voter):
        codes, count = np.unique(label[places], return_counts=True)
        for place in places:
            other = codes != label[place]
            chosen = np.argmax(np.where(other, count, 0))
            suggested[place], kind[place] = codes[chosen], CONFLICTING
            support[place], voters[place] = count[chosen], len(places) - 1
    return Judged(judged.opinion, kind, suggested, support, voters)


def _conflicting(row: NDArray[np.integer], voter: Codes) -> list[NDArray[np.int64]]:
    """The places of the pictures of each content whose copies have different labels."""
    places = np.flatnonzero(voter[row] == NONE)
    places = places[np.argsort(row[places], kind="stable")]
    return np.split(places, np.flatnonzero(np.diff(row[places])) + 1) if len(places) else []


COLUMNS = ("id", "path", "label", "suggested", "score", "kind", "support", "neighbours", "spread")

_WORDS: tuple[tuple[Kind, str, str], ...] = (
    (LABEL_ERROR, "picture looks mislabelled", "pictures look mislabelled"),
    (AMBIGUOUS, "fits no class well", "fit no class well"),
    (CONFLICTING, "has a copy under another label", "have copies under another label"),
    (ALONE, "is out on its own", "are out on their own"),
)


@dataclass(frozen=True)
class LabelCheck:
    """What was found on the labels of an image set.

    `pictures` has one row a labelled picture that has neighbours, the most doubtful first; columns id, path, label,
    suggested (class to try, None where there is none), score (0 to 1, higher = the label is more to be doubted: an
    order), kind (of `suspects.KINDS`, "" where nothing is wrong), support of so many neighbours (votes for the
    strongest other class, twins once), spread (how many classes the neighbours amount to), and taken_for: the class
    that most speaks for, be it the label. `left_out` counts pictures without a label or not in the graph yet.
    """

    pictures: pd.DataFrame
    classes: tuple[str, ...]
    left_out: int

    @cached_property
    def suspects(self) -> pd.DataFrame:
        """The pictures whose label is to be doubted, the most doubtful first: `COLUMNS`."""
        return self.pictures.loc[self.pictures["kind"] != "", list(COLUMNS)].reset_index(drop=True)

    def count(self, kind: str) -> int:
        """How many pictures are of a kind."""
        return int((self.pictures["kind"] == kind).sum())

    @property
    def headline(self) -> str:
        """What was found in a sentence or two: "12 pictures look mislabelled, 30 fit no class well."""
        counts = [(self.count(kind), one, several) for kind, one, several in _WORDS]
        told = [f"{count:,} {one if count == 1 else several}" for count, one, several in counts[:2] if count]
        more = [f"{count:,} {one if count == 1 else several}" for count, one, several in counts[2:] if count]
        sentences = [", ".join(told) or "No label looks wrong", " and ".join(more)]
        return " ".join(f"{sentence}." for sentence in sentences if sentence)

    @cached_property
    def confused(self) -> pd.DataFrame:
        """Pairs of classes that are taken for each other; see `confused_pairs`."""
        return confused_pairs(self.pictures)


def check_labels(
    table: pd.DataFrame, contents: NDArray[np.int64], graph: Graph, unit: Callable[[], Array]
) -> LabelCheck | None:
    """Check the column `label` of `ImageSet.table()`, with content keys (N,) in its order.

    `unit` gives the normalised embeddings (N, D), where they are needed. None where fewer than two classes have
    pictures with neighbours.
    """
    row = positions_of(contents, graph.content)
    places = np.flatnonzero((row >= 0) & table["label"].notna().to_numpy())
    codes, names = pd.factorize(table["label"].iloc[places], sort=True)
    if len(names) < 2:
        return None
    judged = judge(
        row[places],
        codes.astype(np.int32),
        classes=len(names),
        graph=graph,
        twin_group=twin_groups(graph),
        embeddings=_in_order(unit(), contents, graph),
    )
    classes = tuple(str(name) for name in names)
    return LabelCheck(_as_table(table.iloc[places], judged, classes), classes, len(table) - len(places))


def _in_order(unit: Array, contents: NDArray[np.int64], graph: Graph) -> Array:
    """Embeddings in the order of the graph; zeros for a content that is in no picture any more."""
    place = positions_of(graph.content, contents)
    if np.array_equal(place, np.arange(len(unit))):
        return unit
    return np.where((place >= 0)[:, None], unit[place], np.float32(0))


def _as_table(rows: pd.DataFrame, judged: Judged, classes: tuple[str, ...]) -> pd.DataFrame:
    names = np.array([*classes, None], dtype=object)  # the code −1 finds the last
    opinion = judged.opinion
    taken_for = np.where(opinion.disagrees, names[opinion.suggested], rows["label"].to_numpy(dtype=object))
    pictures = rows[["id", "path", "label"]].assign(
        suggested=names[judged.suggested],
        score=opinion.score,
        kind=judged.kind,
        support=judged.support,
        neighbours=judged.voters,
        spread=opinion.spread,
        taken_for=taken_for,
    )
    return pictures.sort_values(["score", "path"], ascending=[False, True], ignore_index=True)


def confused_pairs(pictures: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of classes (columns label and taken_for of `pictures`), the most confused first.

    class_a and class_b (class_a the one that more is lost of), a_as_b: pictures of a that are taken for b, with
    a_as_b_share of all of a (0 to 1), b_as_a and b_as_a_share the other way, pictures: both together.
    """
    wrong = pictures[pictures["label"] != pictures["taken_for"]]
    sizes = pictures["label"].value_counts()
    counts = wrong.groupby(["label", "taken_for"], sort=True).size()
    rows = []
    for pair in sorted({(min(pair), max(pair)) for pair in counts.index}):
        a, b = pair if counts.get(pair, 0) >= counts.get(pair[::-1], 0) else pair[::-1]
        there, back = int(counts.get((a, b), 0)), int(counts.get((b, a), 0))
        rows.append((a, b, there, there / sizes[a], back, back / sizes[b], there + back))
    columns = ["class_a", "class_b", "a_as_b", "a_as_b_share", "b_as_a", "b_as_a_share", "pictures"]
    order = ["pictures", "class_a", "class_b"]
    return pd.DataFrame(rows, columns=columns).sort_values(order, ascending=[False, True, True], ignore_index=True)


NO_CLASSES = (
    "There are no labels to check: that takes pictures of at least two classes. Put the pictures into class folders "
    "(photos/cat/…, photos/dog/…), or bring a table that has a label column: "
    "python -m url_viz columns FOLDER add FILE --label COLUMN."
)
