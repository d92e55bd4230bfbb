"""Ambiguity: which two classes a picture lies between, judged without its own label, and the evidence for labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from url_viz.columns.filters import Filter, OneOf
from url_viz.columns.ranking import NONE
from url_viz.labels.calibration import Calibration, calibrate
from url_viz.labels.votes import Codes, Doubles, Ridge, fit_ridge, vote_shares, weights_without, with_constant
from url_viz.pipeline.nearest import Nearest

LEAST_OF_A_CLASS = 3
"""Labels of a class with fewer labelled pictures are ignored: they count as unlabelled."""
LOG_TEMPERATURES = (-3.0, 6.0)
USUAL_TEMPERATURE = 20.0
TEMPERATURE_SPREAD = 0.3
"""The prior of the softmax's log temperature: normal about the usual one, so that a few labels do not decide it."""
SAMPLE_ROWS = 20_000
SAMPLE_CELLS = 4_000_000
"""The most pictures, and numbers, that temperature and calibration are fitted on."""
PRIOR_OUT_OF_SHARES = 0.5
PRIOR_OUT_OF_DOUBT = 1.0
"""The power of the class prior that is taken out of both witnesses: else rare classes are accused (docs/labels.md)."""
DOUBT_TEMPERATURE = 0.1
DOUBT_VOTES = 0.25
NEW_AT_ONCE = 4096
COVERED = 0.6
"""The fraction of its box inside another's from which on an object's crop may show the other one: chosen on half of the
pictures of COCO128 (docs/objects.md)."""
MANY = 100_000
"""From this many pictures on, the shares of all classes are not read: the model would be fitted anew for them."""

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
        """(R,), 0 if one class has all, 1 if two are equally likely."""
        return np.asarray(1 - (self.first_share - self.second_share))


@dataclass(frozen=True)
class LabelEvidence:
    """What speaks for the label of R pictures, and for the best other class; neither witness has seen the label.

    `own_share` (R,) float32 is the label's calibrated share of what the picture shows; `other_class` (R,) int32 the
    strongest other class, `other_share` its share. `doubt` (R,) float32, 0 to 1, orders labels: higher = more doubtful.
    `label_wrong` (R,) float32 is the probability that the label is wrong (`Calibration`). nan, and NONE, if a picture
    has no label that counts, or no other source group has a picture of its class.
    """

    own_share: Floats
    other_class: Codes
    other_share: Floats
    doubt: Floats
    label_wrong: Floats


@dataclass(frozen=True)
class Covers:
    """Which objects cover the crops of others (`COVERED`): pairs (P, 2) of rows, the second covers the first."""

    pairs: NDArray[np.int64]

    def classes(self, voter: Codes, classes: int) -> "CoveringClasses":
        """The classes of those that cover each row, by `voter` (N,), each row's class or NONE."""
        code = voter[self.pairs[:, 1]]
        has = code != NONE
        return CoveringClasses(np.unique(self.pairs[has, 0] * np.int64(classes) + code[has]), classes)


NO_COVERS = Covers(np.empty((0, 2), np.int64))


@dataclass(frozen=True)
class CoveringClasses:
    """The classes whose objects cover each row's crop: `keys` are row · classes + class, ascending."""

    keys: NDArray[np.int64]
    classes: int

    def have_likeliest(self, rows: NDArray[np.int64], mean: Doubles) -> NDArray[np.bool_]:
        """Whether the likeliest class of rows (R,), by their mean shares (R, C), is one of these."""
        key = rows * np.int64(self.classes) + mean.argmax(axis=1)
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        return np.asarray(self.keys[place] == key) if len(self.keys) else np.zeros(len(rows), bool)


class StoredClasses(NamedTuple):
    """`Classified` without the model, as it is cached."""

    shares: ClassShares
    evidence: LabelEvidence


@dataclass(frozen=True)
class AmbiguityModel:
    """Gives the class shares of new pictures: `classes` (C,) int32 codes, `weights` (A + 1, C) float32.

    `temperature` multiplies the ridge's values before the softmax; `voter` (N,) int32 is each picture's index in
    `classes`, NONE if it has no vote; `calibration` makes the witnesses' mean shares shares of cases. `inner`
    (A + 1, A + 1) and `sums` (A + 1, C) are what `weights` were solved from, as in `Ridge`.
    """

    classes: Codes
    weights: Floats
    temperature: float
    voter: Codes
    calibration: Calibration
    inner: Doubles
    sums: Doubles

    def without(self, rows: NDArray[np.integer], whitened: NDArray[np.floating]) -> "AmbiguityModel":
        """This model as fitted without the pictures at `rows` (R,), whose numbers are `whitened` (R, A)."""
        weights = weights_without(self.inner, self.sums, whitened, self.voter[rows])
        return replace(self, weights=weights.astype(np.float32))


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
    also: Sequence[Nearest] = (),
    given: NDArray[np.integer] | None = None,
    covers: Covers = NO_COVERS,
    least: int = LEAST_OF_A_CLASS,
    seed: int = 0,
) -> Classified | None:
    """Between which two classes each picture lies: the mean of its neighbours' votes and of a ridge classifier.

    `position`, `similarity` (N, K): the graph's lists, twins left out; `whitened` (N, A); `label` (N,) codes from 0,
    NONE for no label; `group` (N,) source groups. Only labelled pictures vote and are fitted, and only classes with
    `least` of them or more; every picture gets shares. None if fewer than two such classes are left. Where other
    models have read the set, `also` are their lists (N, K), whose votes count as much, and `whitened` has all models'
    numbers side by side. The evidence is on the labels as `given` (N,) where somebody has corrected some: which of them
    were wrong says how many others are. Of objects in pictures `covers` says which cover which.
    """
    given = label if given is None else np.where(given >= 0, given, label)
    count = np.bincount(label[label >= 0], minlength=int(given.max(initial=0)) + 1)
    classes = np.flatnonzero(count >= least).astype(np.int32)
    if len(classes) < 2:
        return None
    place = np.full(len(count) + 1, NONE, np.int32)  # the last for NONE
    place[classes] = np.arange(len(classes))
    voter, judged = place[label], place[given]
    ridge = fit_ridge(whitened, voter, group, len(classes))
    lists = _lists(position, similarity, also)
    means = labelled_means(ridge, lists, judged, seed=seed)
    covering = covers.classes(voter, len(classes))
    is_covered = covering.have_likeliest(means.rows, means.mean)
    calibration = calibrate(means.mean, means.label, group[means.rows], prior=means.prior, is_covered=is_covered)
    weights = ridge.weights.astype(np.float32)
    model = AmbiguityModel(classes, weights, means.temperature, voter, calibration, ridge.inner, ridge.sums)
    return Classified(*_shares_and_evidence(ridge, model, lists, judged, covering), model)


def classify_new(
    position: NDArray[np.integer],
    similarity: NDArray[np.floating],
    whitened: NDArray[np.floating],
    model: AmbiguityModel,
    *,
    also: Sequence[Nearest] = (),
) -> ClassShares:
    """The class shares of Q pictures that are not of the set: `whitened` (Q, A), lists (Q, K) in it, twins left out.

    `also` and `whitened` are as for `classify`.
    """
    code, share = np.zeros((2, len(whitened)), np.int32), np.zeros((2, len(whitened)), np.float32)
    lists = _lists(position, similarity, also)
    for start in range(0, len(whitened), NEW_AT_ONCE):
        rows = np.arange(start, min(start + NEW_AT_ONCE, len(whitened)))
        code[:, rows], share[:, rows] = _first_two(shares_of_new(lists, rows, whitened, model))
    return ClassShares(*model.classes[code], *share)


def shares_of_new(
    lists: Sequence[Nearest],
    rows: NDArray[np.int64],
    whitened: NDArray[np.floating],
    model: AmbiguityModel,
    covering: CoveringClasses | None = None,
) -> Doubles:
    """The shares (R, C) of `model.classes` of the new pictures at `rows` (R,): `classify_new` has the two largest."""
    log_fit = log_softmax(with_constant(whitened[rows]) @ model.weights * model.temperature, axis=1)
    mean = _mean_share(log_fit, *_votes(lists, rows, model.voter, len(model.classes)), model.calibration.prior)
    return model.calibration.shares(mean, None if covering is None else covering.have_likeliest(rows, mean))


@dataclass(frozen=True)
class ClassReader:
    """Gives the shares of all classes of one picture, by what `classify` was given and the model it made.

    `names` (C,) are those of the model's classes.
    """

    lists: tuple[Nearest, ...]
    whitened: NDArray[np.floating]
    group: NDArray[np.integer]
    model: AmbiguityModel
    names: tuple[str, ...]
    covers: Covers = NO_COVERS

    def shares(self, row: int) -> dict[str, float]:
        """The share of each class of the picture at a row, its own label and its group unseen, the largest first."""
        of_group = np.flatnonzero(self.group == self.group[row])
        model, rows = self.model.without(of_group, self.whitened[of_group]), np.array([row])
        covering = self.covers.classes(self.model.voter, len(model.classes))
        share = shares_of_new(self.lists, rows, self.whitened, model, covering)[0]
        return {self.names[place]: float(share[place]) for place in np.argsort(-share, kind="stable")}

    def every(self) -> Doubles:
        """The shares (N, C) of all pictures, each as `shares` gives them."""
        model, shares = self.model, np.zeros((len(self.whitened), len(self.names)))
        ridge = Ridge(self.whitened, model.voter, self.group, model.inner, model.sums)
        covering = self.covers.classes(model.voter, len(model.classes))
        for rows, value in ridge.without_twins():
            log_fit = log_softmax(value * model.temperature, axis=1)
            votes = _votes(self.lists, rows, model.voter, len(model.classes))
            mean = _mean_share(log_fit, *votes, model.calibration.prior)
            shares[rows] = model.calibration.shares(mean, covering.have_likeliest(rows, mean))
        return shares


def _lists(
    position: NDArray[np.integer], similarity: NDArray[np.floating], also: Sequence[Nearest]
) -> tuple[Nearest, ...]:
    return Nearest(position.astype(np.int32, copy=False), similarity.astype(np.float32, copy=False)), *also


def _votes(
    lists: Sequence[Nearest], rows: NDArray[np.int64], voter: Codes, classes: int
) -> tuple[Doubles, NDArray[np.bool_]]:
    shares = [vote_shares(each.position[rows], each.similarity[rows], voter, classes) for each in lists]
    votes, count = sum(votes for votes, _ in shares), np.sum([has_any for _, has_any in shares], axis=0)
    return np.asarray(votes) / np.maximum(count, 1)[:, None], count > 0


def _shares_and_evidence(
    ridge: Ridge, model: AmbiguityModel, lists: Sequence[Nearest], judged: Codes, covering: CoveringClasses
) -> tuple[ClassShares, LabelEvidence]:
    """Shares of all pictures of the set, and evidence on the labels `judged` (N,).

    A block of groups at a time: (N, C) is never in memory.
    """
    count, classes, calibration = len(model.voter), model.classes, model.calibration
    code, share = np.zeros((2, count), np.int32), np.zeros((2, count), np.float32)
    other = np.full(count, NONE, np.int32)
    own_share, other_share, doubt, wrong = np.full((4, count), np.nan, np.float32)
    for rows, value in ridge.without_twins():
        log_fit = log_softmax(value * model.temperature, axis=1)
        votes, has_any = _votes(lists, rows, model.voter, len(classes))
        mean = _mean_share(log_fit, votes, has_any, calibration.prior)
        is_covered = covering.have_likeliest(rows, mean)
        has_label = (judged[rows] != NONE) & ridge.is_spread[judged[rows]]
        label, labelled = judged[rows][has_label], rows[has_label]
        every = np.arange(len(label))
        other[labelled], doubt[labelled] = _doubt(log_fit[has_label], votes[has_label], label, calibration.prior)
        likeness = calibration.likeness(mean[has_label], is_covered[has_label])
        own_share[labelled], other_share[labelled] = likeness[every, label], likeness[every, other[labelled]]
        wrong[labelled] = calibration.label_is_wrong(mean[has_label], label, is_covered[has_label])
        code[:, rows], share[:, rows] = _first_two(calibration.shares(mean, is_covered))
    named = np.append(classes, np.int32(NONE))[other]
    return ClassShares(*classes[code], *share), LabelEvidence(own_share, named, other_share, doubt, wrong)


def _doubt(log_fit: Doubles, votes: Doubles, label: Codes, prior: Doubles) -> tuple[Codes, Doubles]:
    """The strongest other class (R,) and how doubtful the label is (R,), the class prior taken out.

    Of .1 · log of the ridge's share + .25 · votes; 1 − pᵀ, with p the label's share in a softmax of temperature T = .1
    over the classes.
    """
    log_fit, votes = _without_prior(log_fit, votes, prior, PRIOR_OUT_OF_DOUBT)
    value = log_fit + DOUBT_VOTES / DOUBT_TEMPERATURE * votes
    every = np.arange(len(label))
    own = log_softmax(value, axis=1)[every, label]
    value[every, label] = -np.inf
    return value.argmax(axis=1).astype(np.int32), -np.expm1(DOUBT_TEMPERATURE * own)


def _without_prior(log_fit: Doubles, votes: Doubles, prior: Doubles, power: float) -> tuple[Doubles, Doubles]:
    """Both witnesses with a power of the class `prior` (C,) taken out (logit adjustment, Menon et al. 2021)."""
    weighed = votes / prior**power
    weighed /= np.maximum(weighed.sum(axis=1, keepdims=True), 1e-12)
    return log_softmax(log_fit - power * np.log(prior), axis=1), weighed


def _mean_share(
    log_fit: Doubles,
    votes: Doubles,
    has_any: NDArray[np.bool_],
    prior: Doubles,
    prior_out: float = PRIOR_OUT_OF_SHARES,
) -> Doubles:
    """The mean of both witnesses' shares (R, C), a power of the prior taken out; the ridge's where nobody votes."""
    log_fit, votes = _without_prior(log_fit, votes, prior, prior_out)
    weight = np.where(has_any, 0.5, 0)[:, None]
    return np.asarray((1 - weight) * np.exp(log_fit) + weight * votes)


def _first_two(share: Doubles) -> tuple[NDArray[np.int64], Doubles]:
    """Columns (2, R) and values (2, R) of the two largest of each row; `share` (R, C) is used up."""
    every = np.arange(len(share))
    first = share.argmax(axis=1)
    first_share = share[every, first]
    share[every, first] = -1
    second = share.argmax(axis=1)
    return np.stack([first, second]), np.stack([first_share, share[every, second]])


@dataclass(frozen=True)
class LabelledMeans:
    """What the witnesses say of R labelled pictures at `rows` (R,), own labels unseen: mean shares `mean` (R, C).

    `label` (R,) codes; `prior` (C,) each class's fraction of all labels; `temperature` of the ridge's softmax.
    """

    rows: NDArray[np.int64]
    mean: Doubles
    label: Codes
    prior: Doubles
    temperature: float


def labelled_means(
    ridge: Ridge,
    lists: Sequence[Nearest],
    judged: Codes | None = None,
    *,
    seed: int = 0,
    prior_out: float = PRIOR_OUT_OF_SHARES,
) -> LabelledMeans:
    """The mean shares of labelled pictures, or of a sample by `seed` of at most SAMPLE_ROWS and SAMPLE_CELLS.

    Labels are those `judged` (N,), by default those that the ridge was fitted to. A class within a single source group
    is left out: whoever may not see that group cannot know the class.
    """
    size = np.bincount(ridge.label[ridge.label != NONE], minlength=ridge.classes)
    prior = size / size.sum()
    judged = ridge.label if judged is None else judged
    rows = np.flatnonzero((judged != NONE) & ridge.is_spread[judged])
    most = min(SAMPLE_ROWS, max(1, SAMPLE_CELLS // ridge.classes))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    value, label = _values_at(ridge, rows), judged[rows]
    temperature = _temperature(value, label)
    votes, has_any = _votes(lists, rows, ridge.label, ridge.classes)
    mean = _mean_share(log_softmax(value * temperature, axis=1), votes, has_any, prior, prior_out)
    return LabelledMeans(rows, mean, label, prior, temperature)


def _values_at(ridge: Ridge, labelled: NDArray[np.int64]) -> Doubles:
    is_drawn = np.zeros(len(ridge.label), bool)
    is_drawn[labelled] = True
    values = np.zeros((len(labelled), ridge.classes))
    for rows, value in ridge.without_twins(is_drawn):
        drawn = is_drawn[rows]
        values[np.searchsorted(labelled, rows[drawn])] = value[drawn]
    return values


def _temperature(value: Doubles, label: Codes) -> float:
    """The factor of the ridge's values (R, C) under which the labels (R,) are likeliest, given the usual one."""
    from scipy.optimize import minimize_scalar  # slow to import, and few commands need it

    shifted = value - value.max(axis=1, keepdims=True, initial=-np.inf)
    own = shifted[np.arange(len(label)), label]
    work = np.empty_like(shifted)

    def loss(log_factor: float) -> float:
        factor = np.exp(log_factor)
        np.exp(np.multiply(shifted, factor, out=work), out=work)
        log_likelihood = np.log(np.exp(own * factor) / work.sum(axis=1) + 1e-12).sum()
        prior = ((log_factor - np.log(USUAL_TEMPERATURE)) / TEMPERATURE_SPREAD) ** 2 / 2
        return float(prior - log_likelihood)

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded").x))


OPEN_QUESTION = 0.2
"""From this ambiguity on a picture's second class is named."""


def between_filters(pair: tuple[str, str]) -> tuple[OneOf, ...]:
    """The filters that leave the pictures that lie between two classes, whatever their label."""
    return tuple(OneOf(column, pair) for column in ("first_class", "second_class"))


def pair_between(filters: Sequence[Filter]) -> tuple[str, str] | None:
    """The two classes of `between_filters`, if these are among the filters."""
    by_column = {one.column: one for one in filters if isinstance(one, OneOf)}
    first, second = (by_column.get(column) for column in ("first_class", "second_class"))
    if first is None or second is None or first.values != second.values or len(first.values) != 2:
        return None
    return str(first.values[0]), str(first.values[1])


def classes_in_question(row: Mapping[str, object]) -> tuple[str, str] | None:
    """The two classes that a row of `ImageSet.table()` is asked between; None if it is clear, or there are none."""
    first, second, ambiguity = row.get("first_class"), row.get("second_class"), row.get("ambiguity")
    if not isinstance(first, str) or not isinstance(second, str) or not isinstance(ambiguity, float | np.floating):
        return None
    return (first, second) if float(ambiguity) >= OPEN_QUESTION else None


def groups_in_question(row: Mapping[str, object]) -> tuple[str, str] | None:
    """The two groups that a row of a set without classes is like (`url_viz.pictures.named_groups`), if it is asked."""
    first, second = row.get("first_like"), row.get("second_like")
    return (first, second) if isinstance(first, str) and isinstance(second, str) else None


def question_of(row: Mapping[str, object]) -> str | None:
    """ "cucumber or banana?" for a row of `ImageSet.table()`, or "like: valley or seashore?" of groups without classes.

    None if it is clear.
    """
    if (asked := classes_in_question(row)) is not None:
        return f"{' or '.join(asked)}?"
    like = groups_in_question(row)
    return None if like is None else f"like: {' or '.join(like)}?"


def heading_of(row: Mapping[str, object]) -> str | None:
    """What is asked of a row, and its label: "mango or avocado? Labelled lime", "Like: valley or seashore?".

    None of a picture without classes that is like no group.
    """
    first, label = row.get("first_class"), row.get("label")
    if not isinstance(first, str):
        alone = f"like: {row['first_like']}" if isinstance(row.get("first_like"), str) else None
        words = question_of(row) or alone
        return None if words is None else words[0].upper() + words[1:]
    if not isinstance(label, str):
        return question_of(row) or f"Looks like {first}"
    return f"{question_of(row) or f'Looks like {first}.'} Labelled {label}"


def classes_to_show(row: Mapping[str, object]) -> list[str]:
    """The classes that a row is held against: the likeliest, the second if it is between two, its own."""
    asked = [row.get("first_class"), row.get("second_class") if question_of(row) else None, row.get("label")]
    return list(dict.fromkeys(name for name in asked if isinstance(name, str)))


def between(first: object, second: object) -> str | None:
    """Two classes as words, "between cucumber and banana"; None if they are not known."""
    return f"between {first} and {second}" if isinstance(first, str) and isinstance(second, str) else None
