"""Ambiguity: between which two classes a picture lies, its own label and its twins' unseen; and what labels rest on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.analysis.left_out import Ridge, fit_ridge, with_constant
from url_viz.analysis.votes import NONE, Codes, Doubles, vote_shares
from url_viz.pipeline.nearest import Nearest

LEAST_OF_A_CLASS = 3
"""Labels of a class with fewer labelled pictures are ignored: they count as unlabelled."""
LOG_TEMPERATURES = (-3.0, 6.0)
SAMPLE_ROWS = 20_000
SAMPLE_CELLS = 20_000_000
"""Limits of the sample on which the softmax's temperature is found: pictures, and numbers."""
DOUBT_TEMPERATURE = 0.1
DOUBT_VOTES = 0.25
NEW_AT_ONCE = 4096

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ClassShares:
    """The two likeliest classes of R pictures: `first_class`, `second_class` (R,) int32 codes, and their shares.

    `first_share` ≥ `second_share` (R,) float32, of all classes' shares, which sum to 1.
    """

    first_class: Codes
    second_class: Codes
    first_share: Floats
    second_share: Floats

    def __len__(self) -> int:
        return len(self.first_class)

    @property
    def ambiguity(self) -> Floats:
        """(R,), 0 if one class has all, 1 if two are alike likely."""
        ambiguity: Floats = 1 - (self.first_share - self.second_share)
        return ambiguity


@dataclass(frozen=True)
class LabelEvidence:
    """What speaks for the label of R pictures, and for the best other class; neither witness has seen the label.

    `own_votes`, `own_fit` (R,) float32, the shares of the label among the neighbours' votes and in the ridge
    classifier; `other_class` (R,) int32 the strongest other class, `other_votes`, `other_fit` its shares. `doubt` (R,)
    float32, 0 to 1, higher = the label is more to be doubted. nan, and NONE, if a picture has no label that counts.
    """

    own_votes: Floats
    own_fit: Floats
    other_class: Codes
    other_votes: Floats
    other_fit: Floats
    doubt: Floats


@dataclass(frozen=True)
class AmbiguityModel:
    """What gives new pictures their class shares: `classes` (C,) int32 codes, `weights` (A + 1, C) float32.

    `temperature` multiplies the ridge's values before the softmax; `voter` (N,) int32 is each picture's index in
    `classes`, NONE if it has no vote.
    """

    classes: Codes
    weights: Floats
    temperature: float
    voter: Codes


@dataclass(frozen=True)
class Classified:
    """The class shares of the N pictures of a set, what speaks for their labels, and the model for new ones."""

    shares: ClassShares
    evidence: LabelEvidence
    model: AmbiguityModel


def classify(
    position: NDArray[np.integer],
    similarity: NDArray[np.floating],
    whitened: NDArray[np.floating],
    label: NDArray[np.integer],
    group: NDArray[np.integer],
    *,
    also: Nearest | None = None,
    least: int = LEAST_OF_A_CLASS,
    seed: int = 0,
) -> Classified | None:
    """Between which two classes each picture lies: the mean of its neighbours' votes and of a ridge classifier.

    `position`, `similarity` (N, K): the graph's lists, twins left out; `whitened` (N, A); `label` (N,) codes from 0,
    NONE for no label; `group` (N,) source groups. Only labelled pictures vote and are fitted, and only classes with at
    `least` so many of them; every picture gets shares. None if fewer than two such classes are left. Where a second
    model has read the set, `also` are its lists (N, K), whose votes count as much, and `whitened` has both models'
    numbers side by side.
    """
    count = np.bincount(label[label >= 0], minlength=1)
    classes = np.flatnonzero(count >= least).astype(np.int32)
    if len(classes) < 2:
        return None
    place = np.full(len(count) + 1, NONE, np.int32)  # the last for NONE
    place[classes] = np.arange(len(classes))
    voter = place[label]
    ridge = fit_ridge(whitened, voter, group, len(classes))
    model = AmbiguityModel(classes, ridge.weights.astype(np.float32), _temperature(ridge, seed), voter)
    return Classified(*_read_off(ridge, model, _lists(position, similarity, also)), model)


def classify_new(
    position: NDArray[np.integer],
    similarity: NDArray[np.floating],
    whitened: NDArray[np.floating],
    model: AmbiguityModel,
    *,
    also: Nearest | None = None,
) -> ClassShares:
    """The class shares of Q pictures that are not of the set: `whitened` (Q, A), lists (Q, K) in it, twins left out.

    `also` and `whitened` are as for `classify`.
    """
    code, share = _empty(len(whitened))
    lists = _lists(position, similarity, also)
    for start in range(0, len(whitened), NEW_AT_ONCE):
        rows = np.arange(start, min(start + NEW_AT_ONCE, len(whitened)))
        value = with_constant(whitened[rows]) @ model.weights
        votes, has_any = _votes(lists, rows, model)
        fit = np.exp(_log_softmax(value * model.temperature))
        code[:, rows], share[:, rows] = _first_two(_mean_share(fit, votes, has_any))
    return ClassShares(*model.classes[code], *share)


def _empty(count: int) -> tuple[Codes, Floats]:
    return np.zeros((2, count), np.int32), np.zeros((2, count), np.float32)


def _lists(
    position: NDArray[np.integer], similarity: NDArray[np.floating], also: Nearest | None
) -> tuple[Nearest, ...]:
    """The lists of every model that has read the pictures."""
    first = Nearest(position.astype(np.int32, copy=False), similarity.astype(np.float32, copy=False))
    return (first,) if also is None else (first, also)


def _votes(
    lists: Sequence[Nearest], rows: NDArray[np.int64], model: AmbiguityModel
) -> tuple[Doubles, NDArray[np.bool_]]:
    """Each class's share of the votes (R, C), the mean over the lists that have a voter, and who has any (R,)."""
    found = [vote_shares(each.position[rows], each.similarity[rows], model.voter, len(model.classes)) for each in lists]
    votes, count = sum(votes for votes, _ in found), np.sum([has_any for _, has_any in found], axis=0)
    return np.asarray(votes) / np.maximum(count, 1)[:, None], count > 0


def _read_off(ridge: Ridge, model: AmbiguityModel, lists: Sequence[Nearest]) -> tuple[ClassShares, LabelEvidence]:
    """Shares and evidence of all pictures of the set, a block of groups at a time: (N, C) is never held."""
    count, classes = len(model.voter), model.classes
    code, share = _empty(count)
    other = np.full(count, NONE, np.int32)
    weighed = np.full((5, count), np.nan, np.float32)
    for rows, value in ridge.without_twins():
        log_fit = _log_softmax(value * model.temperature)
        fit = np.exp(log_fit)
        votes, has_any = _votes(lists, rows, model)
        code[:, rows], share[:, rows] = _first_two(_mean_share(fit, votes, has_any))
        has_label = model.voter[rows] != NONE
        label, labelled = model.voter[rows][has_label], rows[has_label]
        other[labelled], weighed[4, labelled] = _doubt(log_fit[has_label], votes[has_label], label)
        for place, classed in ((0, label), (2, other[labelled])):
            every = np.arange(len(label))
            weighed[place, labelled] = votes[has_label][every, classed]
            weighed[place + 1, labelled] = fit[has_label][every, classed]
    own_votes, own_fit, other_votes, other_fit, doubt = weighed
    named = np.append(classes, np.int32(NONE))[other]
    evidence = LabelEvidence(own_votes, own_fit, named, other_votes, other_fit, doubt)
    return ClassShares(*classes[code], *share), evidence


def _doubt(log_fit: Doubles, votes: Doubles, label: Codes) -> tuple[Codes, Doubles]:
    """The strongest other class (R,) and how much the label is to be doubted (R,).

    Of .1 · log of the ridge's share + .25 · votes; 1 − pᵀ, with p the label's share in a softmax of temperature T = .1
    over the classes.
    """
    value = log_fit + DOUBT_VOTES / DOUBT_TEMPERATURE * votes
    every = np.arange(len(label))
    own = _log_softmax(value)[every, label]
    value[every, label] = -np.inf
    return value.argmax(axis=1).astype(np.int32), -np.expm1(DOUBT_TEMPERATURE * own)


def _mean_share(fit: Doubles, votes: Doubles, has_any: NDArray[np.bool_]) -> Doubles:
    """The mean of both witnesses' shares (R, C); the ridge's alone where nobody votes."""
    weight = np.where(has_any, 0.5, 0)[:, None]
    share: Doubles = (1 - weight) * fit + weight * votes
    return share


def _first_two(share: Doubles) -> tuple[NDArray[np.int64], Doubles]:
    """Columns (2, R) and values (2, R) of the two largest of each row; `share` (R, C) is used up."""
    every = np.arange(len(share))
    first = share.argmax(axis=1)
    first_share = share[every, first]
    share[every, first] = -1
    second = share.argmax(axis=1)
    return np.stack([first, second]), np.stack([first_share, share[every, second]])


def _log_softmax(value: Doubles) -> Doubles:
    shifted = value - value.max(axis=1, keepdims=True)
    log_share: Doubles = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_share


def _temperature(ridge: Ridge, seed: int) -> float:
    """The factor of the ridge's values under which the labels are likeliest, on all or on a sample drawn by `seed`."""
    from scipy.optimize import minimize_scalar  # slow to import, and few commands need it

    labelled = np.flatnonzero(ridge.label != NONE)
    most = min(SAMPLE_ROWS, max(1, SAMPLE_CELLS // ridge.classes))
    if len(labelled) > most:
        labelled = np.random.default_rng(seed).choice(labelled, most, replace=False)
    is_drawn = np.zeros(len(ridge.label), bool)
    is_drawn[labelled] = True
    drawn = np.zeros((len(labelled), ridge.classes), np.float32)
    own = np.zeros(len(labelled))
    filled = 0
    for rows, value in ridge.without_twins(is_drawn):
        is_of_sample = is_drawn[rows]
        part = slice(filled, filled + int(is_of_sample.sum()))
        drawn[part] = value[is_of_sample] - value[is_of_sample].max(axis=1, keepdims=True)
        own[part] = drawn[part][np.arange(part.stop - part.start), ridge.label[rows[is_of_sample]]]
        filled = part.stop
    work = np.empty_like(drawn)

    def loss(log_factor: float) -> float:
        factor = np.exp(log_factor)
        np.exp(np.multiply(drawn, np.float32(factor), out=work), out=work)
        likelihood = np.exp(own * factor) / work.sum(axis=1, dtype=np.float64)
        return -float(np.log(likelihood + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded").x))
