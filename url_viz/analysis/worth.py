"""What a review was worth: a linear probe's accuracy as given, as decided, and with as many random drops."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.order_metrics import Figure, mean_by_t
from url_viz.analysis.probe import Floats, fit_probe, probe_folds, probe_inputs
from url_viz.analysis.votes import NONE, Codes, Doubles
from url_viz.errors import ImageSetError
from url_viz.wording import counted, percent

SEEDS = 5
MOST_PICTURES = 20_000
MOST_CLASSES = 500
MOST_CELLS = 2_000_000
"""Pictures times classes that a draw has at most; of larger sets each draws its own classes and pictures."""
GIVEN, DECIDED, RANDOM = range(3)

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class ReviewedLabels:
    """What was decided of N pictures: `given`, `corrected` (N,) codes of `names`, NONE for no label; `is_dropped` (N,).

    `corrected` has the label of every picture as it is now, whether or not it was changed.
    """

    names: tuple[str, ...]
    given: Codes
    corrected: Codes
    is_dropped: Bools

    @property
    def is_labelled(self) -> Bools:
        """(N,), as given or as corrected."""
        labelled: Bools = (self.given != NONE) | (self.corrected != NONE)
        return labelled

    @property
    def is_decided(self) -> Bools:
        """Whether a labelled picture was dropped or its label corrected (N,)."""
        decided: Bools = self.is_labelled & (self.is_dropped | (self.given != self.corrected))
        return decided

    @property
    def classes(self) -> int:
        """How many classes there are, as given or as corrected: the fewer."""
        return min(len(np.unique(codes[codes != NONE])) for codes in (self.given, self.corrected))

    def at(self, rows: NDArray[np.integer]) -> "ReviewedLabels":
        """The review of the pictures at `rows`."""
        return ReviewedLabels(self.names, self.given[rows], self.corrected[rows], self.is_dropped[rows])


def reviewed_labels(given: NDArray[np.object_], corrected: NDArray[np.object_], is_dropped: Bools) -> ReviewedLabels:
    """A review from labels as given and as corrected (N,), None or nan for none, and which are dropped (N,)."""
    both = pd.Series(np.concatenate([given, corrected]), dtype=object)
    codes, names = pd.factorize(both.where(both.isna(), both.map(str)), sort=True)
    as_given, as_corrected = codes.astype(np.int32).reshape(2, -1)
    return ReviewedLabels(tuple(names), as_given, as_corrected, is_dropped)


@dataclass(frozen=True)
class Arm:
    """One way to train: accuracy (0 to 1) under the labels as corrected, and under those as given."""

    accuracy: Figure
    under_given: Figure


@dataclass(frozen=True)
class Worth:
    """Accuracy of a linear probe on pictures that it has not seen, nor their twins; 95 % intervals over `seeds` draws.

    `given` was trained on all labelled `pictures` under the labels as given; `decided` all but the `dropped`, with
    `corrected` labels; `random` the labels as given of all but as many pictures, drawn at random, as were dropped or
    corrected. All are evaluated on every labelled picture, the dropped as well. `over_given` and `over_random` are the
    differences of `decided` to the others on the same folds. `by_class` has one row per class as corrected, the most
    gained first: label, pictures, accuracy given, decided and random, difference (decided − given), difference_low and
    difference_high. `drawn` pictures of `classes_drawn` were looked at by each seed, fewer than all in a large set.
    """

    pictures: int
    classes: int
    dropped: int
    corrected: int
    seeds: int
    drawn: int
    classes_drawn: int
    given: Arm
    decided: Arm
    random: Arm
    over_given: Figure
    over_random: Figure
    by_class: pd.DataFrame

    @property
    def is_comparable(self) -> bool:
        """Whether anything was dropped or corrected."""
        return self.dropped + self.corrected > 0

    @property
    def arms(self) -> tuple[tuple[str, Arm], ...]:
        """The ways to train that differ, each with what it is called."""
        every = (("as given", self.given), ("as decided", self.decided), ("as many dropped at random", self.random))
        return every if self.is_comparable else every[:1]

    @property
    def differing(self) -> pd.DataFrame:
        """The rows of `by_class` where the decisions made a difference: its interval does not contain zero."""
        table = self.by_class
        return table[(table["difference_low"] > 0) | (table["difference_high"] < 0)].reset_index(drop=True)

    @cached_property
    def words(self) -> str:
        """What the review was worth, in a few sentences; says plainly where it made no difference."""
        sentences = (
            [self._of_what, self._of_given, self._of_random, self._of_classes] if self.is_comparable else [self._none]
        )
        return " ".join([*sentences, *self._of_draws])

    @property
    def _none(self) -> str:
        return (
            f"Nothing was dropped and no label corrected, so there is nothing to compare. A linear probe gets "
            f"{_percent(self.given.accuracy)} of {self.pictures:,} held-out pictures right."
        )

    @property
    def _of_what(self) -> str:
        dropped = counted(self.dropped, "was dropped", "were dropped") if self.dropped else ""
        corrected = counted(self.corrected, "was relabelled", "were relabelled") if self.corrected else ""
        return f"Of {self.pictures:,} labelled pictures {' and '.join(filter(None, [dropped, corrected]))}."

    @property
    def _of_given(self) -> str:
        before, after = _percent(self.given.accuracy), _percent(self.decided.accuracy)
        if makes_no_difference(self.over_given):
            return (
                f"That made no measurable difference: a linear probe gets {before} of held-out pictures right "
                f"as given and {after} as decided, {points(self.over_given)}."
            )
        did = "raised" if self.over_given.value > 0 else "lowered"
        return (
            f"That {did} the share of held-out pictures that a linear probe gets right from {before} to {after}, "
            f"{points(self.over_given)}."
        )

    @property
    def _of_random(self) -> str:
        at_random = f"With as many pictures dropped at random it is {_percent(self.random.accuracy)}"
        if makes_no_difference(self.over_random):
            return f"{at_random}, which is no measurable difference: {points(self.over_random)}."
        is_more = "more" if self.over_random.value > 0 else "less"
        return f"{at_random}, so the decisions were worth {is_more} than that: {points(self.over_random)}."

    @property
    def _of_classes(self) -> str:
        up = int((self.differing["difference"] > 0).sum())
        down = len(self.differing) - up
        return f"By class: up in {up:,}, down in {down:,}, no measurable difference in {self.classes - up - down:,}."

    @property
    def _of_draws(self) -> list[str]:
        sentences = (
            [f"All on the corrected labels; intervals are over {self.seeds} seeds."] if self.is_comparable else []
        )
        if self.drawn < self.pictures:
            of_classes = f" of {self.classes_drawn:,} classes" if self.classes_drawn < self.classes else ""
            sentences.append(f"The set is large: each seed looked at {self.drawn:,} of its pictures{of_classes}.")
        return sentences


def makes_no_difference(difference: Figure) -> bool:
    """Whether the interval of a difference contains zero, or there is none."""
    return not (difference.interval.low > 0 or difference.interval.high < 0)


def _percent(figure: Figure) -> str:
    return percent(figure.value, digits=1)


def points(difference: Figure) -> str:
    """A difference of shares in points, with its interval: "+1.2 [−0.3, +2.7] points"."""
    figures = difference.value, difference.interval.low, difference.interval.high
    value, low, high = (f"{round(100 * figure, 1) + 0.0:+.1f}".replace("-", "−") for figure in figures)
    return f"{value} [{low}, {high}] points"


@dataclass(frozen=True)
class _Draw:
    """What one seed found: the reviewed pictures (M) it looked at, and what each arm called them, `called` (3, M)."""

    review: ReviewedLabels
    called: Codes

    def accuracy(self, under: Codes) -> Doubles:
        """The share right of each arm (3,) under labels (M,), of the pictures that have one."""
        has = under != NONE
        share: Doubles = (self.called == under)[:, has].mean(axis=1)
        return share

    @cached_property
    def by_class(self) -> Doubles:
        """The share right by arm and class (3, C), as corrected; nan for a class without pictures here."""
        label, classes = self.review.corrected, len(self.review.names)
        size = np.bincount(label[label != NONE], minlength=classes)
        right = np.array(
            [np.bincount(label[(arm == label) & (label != NONE)], minlength=classes) for arm in self.called]
        )
        return np.where(size > 0, right / np.maximum(size, 1), np.nan)


def worth(
    whitened: NDArray[np.floating], review: ReviewedLabels, *, group: NDArray[np.integer], seeds: int = SEEDS
) -> Worth:
    """Measure what a review of N pictures was worth, from whitened rows (N, A); `group` (N,): source groups.

    Each of the seeds 0, 1, … deals the groups of labelled pictures to folds and draws the random drops. A class whose
    pictures all lie in one fold cannot be learnt, and counts as wrong there. Of a set beyond MOST_PICTURES,
    MOST_CLASSES or MOST_CELLS each seed looks at a sample. Raises ImageSetError if there are less than two classes, as
    given or as corrected, or less than two seeds.
    """
    _refuse(review, seeds)
    labelled = np.flatnonzero(review.is_labelled)
    pictures = review.at(labelled)
    draws = [_drawn(whitened[labelled], pictures, group[labelled], seed) for seed in range(seeds)]
    accuracy = np.array([draw.accuracy(draw.review.corrected) for draw in draws])
    under_given = np.array([draw.accuracy(draw.review.given) for draw in draws])
    arms = [Arm(over_seeds(accuracy[:, arm]), over_seeds(under_given[:, arm])) for arm in (GIVEN, DECIDED, RANDOM)]
    dropped = int(pictures.is_dropped.sum())
    return Worth(
        pictures=len(labelled),
        classes=_class_count(pictures.corrected),
        dropped=dropped,
        corrected=int(pictures.is_decided.sum()) - dropped,
        seeds=seeds,
        drawn=max(len(draw.review.corrected) for draw in draws),
        classes_drawn=max(_class_count(draw.review.corrected) for draw in draws),
        given=arms[GIVEN],
        decided=arms[DECIDED],
        random=arms[RANDOM],
        over_given=over_seeds(accuracy[:, DECIDED] - accuracy[:, GIVEN]),
        over_random=over_seeds(accuracy[:, DECIDED] - accuracy[:, RANDOM]),
        by_class=_by_class(pictures, np.array([draw.by_class for draw in draws])),
    )


def _refuse(review: ReviewedLabels, seeds: int) -> None:
    if seeds < 2:
        raise ImageSetError(f"An interval over seeds takes two or more, and {seeds} was asked for. Give 2 or more.")
    if review.classes < 2:
        raise ImageSetError(
            "What a review was worth is measured on pictures of two classes or more, as given and as corrected; there "
            f"{'is' if review.classes == 1 else 'are'} {review.classes}. Put the pictures into class folders "
            "(photos/cat/…, photos/dog/…), or choose another label: python -m url_viz labels FOLDER."
        )


def _class_count(label: Codes) -> int:
    return len(np.unique(label[label != NONE]))


def _drawn(whitened: NDArray[np.floating], review: ReviewedLabels, group: NDArray[np.integer], seed: int) -> _Draw:
    dice = np.random.default_rng([seed, len(group)])  # of another stream than the folds
    rows = sampled_rows(review, dice)
    picked = review.at(rows)
    labels = _labels_of_arms(picked, dice)
    return _Draw(picked, called_by_arms(probe_inputs(whitened[rows]), labels, probe_folds(group[rows], seed=seed)))


def sampled_rows(review: ReviewedLabels, dice: np.random.Generator) -> NDArray[np.int64]:
    """The rows to look at: all, or at random so many of so many classes as the bounds allow, one of each at least."""
    label = np.where(review.corrected != NONE, review.corrected, review.given)
    classes = np.unique(label)
    rows = dice.permutation(len(label))
    if len(classes) > MOST_CLASSES:
        classes = dice.choice(classes, MOST_CLASSES, replace=False)
        rows = rows[np.isin(label[rows], classes)]
    most = max(min(MOST_PICTURES, MOST_CELLS // len(classes)), len(classes))
    if len(rows) > most:
        first = np.unique(label[rows], return_index=True)[1]
        rows = rows[np.concatenate([first, np.setdiff1d(np.arange(len(rows)), first)[: most - len(first)]])]
    return np.sort(rows)


def _labels_of_arms(review: ReviewedLabels, dice: np.random.Generator) -> Codes:
    """The training label (3, M) of each picture for each arm, NONE for none."""
    has_label = np.flatnonzero(review.given != NONE)
    count = min(int(review.is_decided.sum()), len(has_label))
    at_random = review.given.copy()
    at_random[dice.choice(has_label, count, replace=False)] = NONE
    return np.array([review.given, np.where(review.is_dropped, NONE, review.corrected), at_random])


def called_by_arms(inputs: Floats, labels: Codes, fold: NDArray[np.integer]) -> Codes:
    """What each arm calls each picture (3, M), trained on the other folds alone; NONE if it learnt nothing."""
    called = np.full_like(labels, NONE)
    for left_out in np.unique(fold):
        is_left_out, first = fold == left_out, None
        for arm, label in enumerate(labels):
            if first is not None and (label == labels[GIVEN])[~is_left_out].all():
                called[arm, is_left_out] = called[GIVEN, is_left_out]
                continue
            learns = ~is_left_out & (label != NONE)
            probe = fit_probe(inputs[learns], label[learns], start=first)
            first = first or probe
            called[arm, is_left_out] = probe.called(inputs[is_left_out])
    return called


def over_seeds(values: Doubles) -> Figure:
    """The mean of (S,) figures of seeds, with Student's 95 % interval; nan where they are too few."""
    return mean_by_t(values.tolist(), least=-1.0)


def _by_class(review: ReviewedLabels, share: Doubles) -> pd.DataFrame:
    """`Worth.by_class` from shares by seed, arm and class (S, 3, C), nan where a seed saw none of a class."""
    size = np.bincount(review.corrected[review.corrected != NONE], minlength=len(review.names))
    rows = [_of_class(review.names[code], int(size[code]), share[:, :, code]) for code in np.flatnonzero(size)]
    return pd.DataFrame(rows).sort_values(["difference", "label"], ascending=[False, True], ignore_index=True)


def _of_class(name: str, pictures: int, share: Doubles) -> dict[str, object]:
    seen = share[~np.isnan(share[:, GIVEN])]
    difference = over_seeds(seen[:, DECIDED] - seen[:, GIVEN])
    given, decided, random = (over_seeds(seen[:, arm]).value for arm in (GIVEN, DECIDED, RANDOM))
    return {
        "label": name,
        "pictures": pictures,
        "given": given,
        "decided": decided,
        "random": random,
        "difference": difference.value,
        "difference_low": difference.interval.low,
        "difference_high": difference.interval.high,
    }
