"""Labels to doubt: label errors, told from ambiguous pictures, conflicting copies and pictures out on their own."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.votes import NONE, Ballot, Codes, Floats, LeftOut, ballot, left_out, rows_at_once
from url_viz.index.tables import Graph

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
