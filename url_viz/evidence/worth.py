"""What a review was worth: a linear probe on pictures that no decision changed, beside suggestions accepted unseen."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from url_viz.base.errors import ImageSetError
from url_viz.base.wording import counted, percent
from url_viz.columns.ranking import NONE
from url_viz.evidence.order_metrics import Figure, Influenced, holm, mean_by_t
from url_viz.evidence.probe import Floats, Probe, fit_probe, probe_folds, probe_inputs
from url_viz.labels.ambiguity import LabelEvidence, classify
from url_viz.labels.doubtful_labels import Expected, forecast
from url_viz.labels.label_issues import LIKELY
from url_viz.labels.votes import VOTERS, Codes, Doubles
from url_viz.pipeline.nearest import Nearest, top_k_of_all

SEEDS = 3
MOST_PICTURES = 20_000
MOST_CLASSES = 500
MOST_CELLS = 2_000_000
"""Pictures times classes that a draw has at most; of larger sets each draws its own classes and pictures."""
ARMS = ("as given", "as decided", "likely suggestions accepted unseen", "as many dropped at random")
GIVEN, DECIDED, ACCEPTED, RANDOM = range(4)
LEAST_SHARE = 1e-3
"""In the log loss no class has a smaller share: else a few pictures would decide it."""
FEWEST = 10
"""Of fewer pictures that no decision changed, nothing is said; and so many answers of both kinds are compared."""
FOLLOWED = 0.95
"""From this share of the answers on they follow the suggestion."""
AGREE = 0.05
"""ReviewAnswers go with the doubt if labels in any order would go with it as well so often, at most."""
NEIGHBOURS = 2 * VOTERS
"""Listed of each picture: some have no label while their fold is left out."""

Bools = NDArray[np.bool_]
Verdict = Literal[
    "nothing decided",
    "too few left",
    "no difference",
    "less",
    "followed",
    "unlikely",
    "by dice",
    "as accepted",
    "more",
]


@dataclass(frozen=True)
class ReviewedLabels:
    """The decisions on N pictures: `given`, `corrected` (N,) codes of `names`, NONE for no label; `is_dropped` (N,).

    `corrected` has the label of every picture as it is now, whether or not it was changed; `is_confirmed` (N,) where
    somebody said that the label is right.
    """

    names: tuple[str, ...]
    given: Codes
    corrected: Codes
    is_dropped: Bools
    is_confirmed: Bools

    @property
    def is_labelled(self) -> Bools:
        """(N,), as given or as corrected."""
        labelled: Bools = (self.given != NONE) | (self.corrected != NONE)
        return labelled

    @property
    def is_relabelled(self) -> Bools:
        """Whether a picture has another label than it was given (N,)."""
        relabelled: Bools = self.given != self.corrected
        return relabelled

    @property
    def is_decided(self) -> Bools:
        """Whether a labelled picture was dropped or its label corrected (N,)."""
        decided: Bools = self.is_labelled & (self.is_dropped | self.is_relabelled)
        return decided

    @property
    def classes(self) -> int:
        """How many classes there are, as given or as corrected: the fewer."""
        return min(map(class_count, (self.given, self.corrected)))

    def take(self, rows: NDArray[np.integer]) -> "ReviewedLabels":
        """The review of the pictures at `rows`."""
        given, corrected = self.given[rows], self.corrected[rows]
        return ReviewedLabels(self.names, given, corrected, self.is_dropped[rows], self.is_confirmed[rows])


def reviewed_labels(
    given: NDArray[np.object_], corrected: NDArray[np.object_], is_dropped: Bools, is_confirmed: Bools
) -> ReviewedLabels:
    """A review from labels as given and as corrected (N,), None or nan for none; which are dropped, and confirmed."""
    both = pd.Series(np.concatenate([given, corrected]), dtype=object)
    codes, names = pd.factorize(both.where(both.isna(), both.map(str)), sort=True)
    as_given, as_corrected = codes.astype(np.int32).reshape(2, -1)
    return ReviewedLabels(tuple(names), as_given, as_corrected, is_dropped, is_confirmed)


@dataclass(frozen=True)
class Difference:
    """How much more pictures `decided` gets right than another arm, and its log loss less the other's (nats)."""

    accuracy: Figure
    log_loss: Figure

    @property
    def is_better(self) -> bool:
        """Whether the log loss is lower: it says more than the accuracy, which sees only the likeliest class."""
        return self.log_loss.interval.high < 0

    @property
    def words(self) -> str:
        """ "+1.2 [−0.3, +2.7] points, log loss −.04 [−.07, −.01]"."""
        return f"{points(self.accuracy)}, log loss {self.log_loss.text(signed=True)}"


@dataclass(frozen=True)
class Arm:
    """One way to train: the accuracy (0 to 1) and the log loss (nats) of the probe."""

    name: str
    accuracy: Figure
    log_loss: Figure


@dataclass(frozen=True)
class ClassWorth:
    """A class as given: how many of its `pictures` were asked, the share right by arm, and decided − given.

    `is_changed`: the difference is more than chance, by Holm over all classes.
    """

    label: str
    pictures: int
    right: tuple[float, ...]
    difference: Figure
    is_changed: bool


@dataclass(frozen=True)
class ReviewAnswers:
    """How somebody answered: `answered` labels were given a class or confirmed, `followed` by the suggestion.

    Suggestions are those before any answer. `changed` were relabelled or dropped; `wrong` is how many labels of these
    are wrong by the forecast. `goes_with_doubt`: whether what was confirmed looked more right; None if too few were.
    """

    answered: int
    followed: int
    changed: int
    wrong: Expected
    goes_with_doubt: bool | None


@dataclass(frozen=True)
class Worth:
    """A linear probe on pictures that no decision changed, nor are twins of such; 95 % intervals over these pictures.

    It is trained in folds on all labelled `pictures`: under the labels as given; as decided; with the class that is
    suggested for each label that is likely wrong, accepted unseen; and without as many at random as were `dropped` or
    `corrected` (`arms`, in the order of ARMS). Suggestions are made without the labels of the fold that is asked, and
    without any decision. Accuracy and log loss are under the labels as given of the `asked` pictures, means over
    `seeds` draws. `over_given`, `over_accepted`: `decided` against two of the others. `by_class` has the most gained
    first. `drawn` pictures of `classes_drawn` were looked at by each seed, fewer than all in a large set.
    """

    pictures: int
    classes: int
    dropped: int
    corrected: int
    asked: int
    seeds: int
    drawn: int
    classes_drawn: int
    every_arm: tuple[Arm, ...]
    over_given: Difference
    over_accepted: Difference
    classes_asked: tuple[ClassWorth, ...]
    answers: ReviewAnswers

    @property
    def is_comparable(self) -> bool:
        """Whether anything was dropped or corrected, and pictures were left alone to tell by."""
        return self.verdict not in ("nothing decided", "too few left")

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The ways to train that differ."""
        return self.every_arm if self.is_comparable else self.every_arm[:1]

    @property
    def by_class(self) -> pd.DataFrame:
        """One row per class, the most gained first: label, pictures, the share right by arm, and the difference.

        Columns: label, pictures, given, decided, accepted, random, difference, difference_low, difference_high,
        is_changed.
        """
        names = ["label", "pictures", "given", "decided", "accepted", "random"]
        names += ["difference", "difference_low", "difference_high", "is_changed"]
        rows = [
            (
                figures.label,
                figures.pictures,
                *figures.right,
                figures.difference.value,
                *_ends(figures.difference),
                figures.is_changed,
            )
            for figures in self.classes_asked
        ]
        return pd.DataFrame(rows, columns=names)

    @property
    def differing(self) -> pd.DataFrame:
        """The rows of `by_class` where the decisions made a difference."""
        table = self.by_class
        return table[table["is_changed"].astype(bool)].reset_index(drop=True)

    @cached_property
    def verdict(self) -> Verdict:
        """What the figures say. "more" only if decided is ahead of what was given and of suggestions accepted unseen,
        and the answers are not what this test cannot tell from careless ones."""
        answers = self.answers
        if self.dropped + self.corrected == 0:
            return "nothing decided"
        if self.asked < FEWEST:
            return "too few left"
        if not self.over_given.is_better:
            return "less" if self.over_given.log_loss.interval.low > 0 else "no difference"
        if answers.answered and answers.followed >= FOLLOWED * answers.answered:
            return "followed"
        if answers.wrong.high < answers.changed / 2:
            return "unlikely"
        if answers.goes_with_doubt is False:
            return "by dice"
        return "more" if self.over_accepted.is_better else "as accepted"

    @property
    def is_worth_more(self) -> bool:
        """Whether the decisions were worth more than suggestions accepted unseen, as far as can be told."""
        return self.verdict == "more"

    @cached_property
    def words(self) -> str:
        """What the review was worth, in a few sentences; says plainly where it made no difference, or none is told."""
        if self.verdict == "nothing decided":
            return (
                "Nothing was dropped and no label corrected, so there is nothing to compare. A linear probe gets "
                f"{_percent(self.every_arm[GIVEN].accuracy)} of {self.pictures:,} held-out pictures right."
            )
        if self.verdict == "too few left":
            left = counted(self.asked, "picture is", "pictures are")
            return f"{self._of_what} Only {left} left that no decision changed, too few to tell what that was worth."
        return f"{self.gain} {self.outcome} {self.details}"

    @property
    def details(self) -> str:
        """What was compared, on which pictures; only where there is something to compare."""
        loss = self.over_given.log_loss.text(signed=True)
        tested = (
            f"Tested on the {self.asked:,} that no decision changed, nor a near copy's, by a linear probe trained as "
            f"given, then as decided: log loss {loss}."
        )
        classes = [self._of_classes] if len(self.differing) else []
        return " ".join([self._of_what, tested, *classes, *self._of_draws])

    @property
    def gain(self) -> str:
        """ "74.9 % → 77.7 % right, +2.9 [+0.9, +4.8] points."; "" where there is nothing to compare."""
        before, after = (_percent(self.every_arm[arm].accuracy) for arm in (GIVEN, DECIDED))
        return f"{before} → {after} right, {points(self.over_given.accuracy)}." if self.is_comparable else ""

    @property
    def _of_what(self) -> str:
        dropped = counted(self.dropped, "was dropped", "were dropped") if self.dropped else ""
        corrected = counted(self.corrected, "was relabelled", "were relabelled") if self.corrected else ""
        return f"Of {self.pictures:,} labelled pictures {' and '.join(filter(None, [dropped, corrected]))}."

    @property
    def outcome(self) -> str:
        """What the gain says, in a sentence; only where there is something to compare."""
        answers, accepted = self.answers, _percent(self.every_arm[ACCEPTED].accuracy)
        untold = "so this test, which reads the same embeddings, cannot tell whether the decisions are right."
        sentences: dict[Verdict, str] = {
            "no difference": "That is no measurable difference.",
            "less": "So the decisions did harm.",
            "followed": f"{answers.followed:,} of {answers.answered:,} answers follow the suggestion, {untold}",
            "unlikely": f"At most {answers.wrong.high:,.0f} of the {answers.changed:,} labels looked wrong, {untold}",
            "by dice": f"The labels that were confirmed looked no better than those that were changed, {untold}",
            "as accepted": f"Accepting every likely suggestion unseen gives {accepted}, which is not measurably less.",
            "more": (
                f"So the decisions are worth more than accepting every likely suggestion unseen, which gives "
                f"{accepted}: {self.over_accepted.words}."
            ),
        }
        return sentences[self.verdict]

    @property
    def _of_classes(self) -> str:
        up = int((self.differing["difference"] > 0).sum())
        down = len(self.differing) - up
        same = len(self.classes_asked) - up - down
        return f"By class: up in {up:,}, down in {down:,}, no measurable difference in {same:,}."

    @property
    def _of_draws(self) -> list[str]:
        sentences = ["Under the labels as given; 95 % intervals are over pictures."]
        if self.drawn < self.pictures:
            of_classes = f" of {self.classes_drawn:,} classes" if self.classes_drawn < self.classes else ""
            sentences.append(f"The set is large: each seed looked at {self.drawn:,} of its pictures{of_classes}.")
        return sentences


def makes_no_difference(difference: Figure) -> bool:
    """Whether the interval of a difference contains zero, or there is none."""
    return not (difference.interval.low > 0 or difference.interval.high < 0)


def _percent(figure: Figure) -> str:
    return percent(figure.value, digits=1)


def _ends(figure: Figure) -> tuple[float, float]:
    return figure.interval.low, figure.interval.high


def points(difference: Figure) -> str:
    """A difference of shares in points, with its interval: "+1.2 [−0.3, +2.7] points"."""
    figures = difference.value, difference.interval.low, difference.interval.high
    value, low, high = (f"{round(100 * figure, 1) + 0.0:+.1f}".replace("-", "−") for figure in figures)
    return f"{value} [{low}, {high}] points"


@dataclass(frozen=True)
class _Asked:
    """What the draws found of N pictures, sums over draws: right and log loss by arm (4, N), how often asked (N,)."""

    right: Doubles
    loss: Doubles
    times: Doubles


def worth(
    whitened: NDArray[np.floating],
    review: ReviewedLabels,
    *,
    group: NDArray[np.integer],
    label_group: NDArray[np.integer] | None = None,
    seeds: int = SEEDS,
) -> Worth:
    """Measure what a review of N pictures was worth, from whitened rows (N, A); `group` (N,): source groups.

    Labels are doubted by witnesses outside `label_group` (N,), by default `group`.

    Each of the seeds 0, 1, … deals the groups of labelled pictures to folds and draws the random drops. A class whose
    pictures all lie in one fold cannot be learnt, and counts as wrong there. Of a set beyond MOST_PICTURES,
    MOST_CLASSES or MOST_CELLS each seed looks at a sample. Raises ImageSetError if there are less than two classes, as
    given or as corrected, or less than two seeds.
    """
    _refuse(review, seeds)
    labelled = np.flatnonzero(review.is_labelled)
    label_group = (group if label_group is None else label_group)[labelled]
    rows, pictures, group = whitened[labelled], review.take(labelled), group[labelled]
    tally = _Asked(np.zeros((4, len(labelled))), np.zeros((4, len(labelled))), np.zeros(len(labelled)))
    drawn, first = [], None
    for seed in range(seeds):
        dice = np.random.default_rng([seed, len(group)])  # of another stream than the folds
        sample = sampled_rows(pictures.given, pictures.corrected, dice)
        listed = _Listed.nearest_of(rows[sample], label_group[sample])
        _ask(listed, pictures.take(sample), probe_folds(group[sample], seed=seed), dice, tally, sample)
        first = first or _answers(listed, pictures.take(sample), label_group[sample])
        drawn.append(sample)
    assert first is not None
    is_touched = np.isin(group, group[pictures.is_decided])
    is_asked = np.flatnonzero(~is_touched & (pictures.given != NONE) & (tally.times > 0))
    right, loss = (each[:, is_asked] / tally.times[is_asked] for each in (tally.right, tally.loss))
    dropped = int(pictures.is_dropped.sum())
    return Worth(
        pictures=len(labelled),
        classes=class_count(pictures.corrected),
        dropped=dropped,
        corrected=int(pictures.is_decided.sum()) - dropped,
        asked=len(is_asked),
        seeds=seeds,
        drawn=max(map(len, drawn)),
        classes_drawn=max(class_count(pictures.corrected[sample]) for sample in drawn),
        every_arm=tuple(
            Arm(name, _mean(a).by_blocks(group[is_asked]), _mean(b).by_blocks(group[is_asked], most=np.inf))
            for name, a, b in zip(ARMS, right, loss, strict=True)
        ),
        over_given=_difference(right, loss, GIVEN, group[is_asked]),
        over_accepted=_difference(right, loss, ACCEPTED, group[is_asked]),
        classes_asked=_by_class(pictures.names, pictures.given[is_asked], right, group[is_asked]),
        answers=first,
    )


def _refuse(review: ReviewedLabels, seeds: int) -> None:
    if seeds < 2:
        raise ImageSetError(f"Folds are dealt anew by two seeds or more, and {seeds} was asked for. Give 2 or more.")
    if review.classes < 2:
        raise ImageSetError(
            "What a review was worth is measured on pictures of two classes or more, as given and as corrected; there "
            f"{'is' if review.classes == 1 else 'are'} {review.classes}. Put the pictures into class folders "
            "(photos/cat/…, photos/dog/…), or choose another label: python -m url_viz labels FOLDER."
        )


def class_count(label: Codes) -> int:
    """How many classes labels (N,) have, NONE not counted."""
    return len(np.unique(label[label != NONE]))


def sampled_rows(given: Codes, corrected: Codes, dice: np.random.Generator) -> NDArray[np.int64]:
    """The rows to look at: all, or at random so many of so many classes as the bounds allow, one of each at least."""
    label = np.where(corrected != NONE, corrected, given)
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


@dataclass(frozen=True)
class _Listed:
    """M pictures of a draw, `whitened` (M, A), with the nearest outside their `group` (M,)."""

    whitened: NDArray[np.floating]
    group: NDArray[np.integer]
    nearest: Nearest

    @classmethod
    def nearest_of(cls, whitened: NDArray[np.floating], group: NDArray[np.integer]) -> "_Listed":
        _, number = np.unique(group, return_inverse=True)
        member = scipy.sparse.csr_array((np.ones(len(group), bool), (np.arange(len(group)), number)))
        mates, everyone = scipy.sparse.csr_array(member.T), np.ones(len(group), bool)
        nearest = top_k_of_all(whitened, NEIGHBOURS, exclude=lambda part: member[part] @ mates, counts=everyone)
        return cls(whitened, group, nearest)

    def evidence(self, label: Codes) -> LabelEvidence | None:
        """The evidence for labels (M,), as on Check labels; None where too few have one."""
        lists = self.nearest.position, self.nearest.similarity
        classified = classify(*lists, self.whitened, label, self.group)
        return None if classified is None else classified.evidence

    def accepted(self, label: Codes) -> Codes:
        """The labels (M,) after every suggestion for one that is likely wrong was accepted."""
        evidence = self.evidence(label)
        if evidence is None:
            return label
        return np.where(evidence.label_wrong >= LIKELY, evidence.other_class, label).astype(np.int32)


def _ask(
    listed: _Listed,
    review: ReviewedLabels,
    fold: NDArray[np.integer],
    dice: np.random.Generator,
    tally: _Asked,
    sample: NDArray[np.int64],
) -> None:
    """Train every arm in the folds (M,) of a draw's pictures, and add its answers to `tally` at `sample` (M,)."""
    has_label = np.flatnonzero(review.given != NONE)
    random = review.given.copy()
    random[dice.choice(has_label, min(int(review.is_decided.sum()), len(has_label)), replace=False)] = NONE
    decided = np.where(review.is_dropped, NONE, review.corrected)
    inputs = probe_inputs(listed.whitened)
    is_anything = bool(review.is_decided.any())
    for left_out in np.unique(fold):
        is_asked = fold == left_out
        unseen = np.where(is_asked, NONE, review.given).astype(np.int32)
        accepted = listed.accepted(unseen) if is_anything else review.given
        labels = np.array([review.given, decided, accepted, random])
        asked_inputs, own = inputs[is_asked], review.given[is_asked]
        for arm, probe in enumerate(probes_of(inputs, labels, ~is_asked)):
            tally.right[arm, sample[is_asked]] += probe.called(asked_inputs) == own
            tally.loss[arm, sample[is_asked]] -= np.log(np.maximum(_share_of(probe, asked_inputs, own), LEAST_SHARE))
    tally.times[sample] += 1


def _share_of(probe: Probe, inputs: Floats, label: Codes) -> Doubles:
    """The share (R,) that a probe gives to a label (R,); 0 for a class that it does not know."""
    shares = np.zeros((len(label), max(int(label.max(initial=0)), int(probe.classes.max(initial=0))) + 2))
    shares[:, probe.classes] = probe.shares(inputs)
    own: Doubles = shares[np.arange(len(label)), label]  # the last column is that of NONE
    return own


def probes_of(inputs: Floats, labels: Codes, learns: Bools) -> Iterator[Probe]:
    """A probe for each arm's labels (K, M), fitted on the inputs (M, A + 1) that learn (M,) and have one."""
    first = None
    for label in labels:
        if first is not None and (label == labels[GIVEN])[learns].all():
            yield first
            continue
        taught = learns & (label != NONE)
        probe = fit_probe(inputs[taught], label[taught], start=first)
        first = first or probe
        yield probe


def called_by_arms(inputs: Floats, labels: Codes, fold: NDArray[np.integer]) -> Codes:
    """What each arm calls each picture (K, M), trained on the other folds alone; NONE if it learnt nothing."""
    called = np.full_like(labels, NONE)
    for left_out in np.unique(fold):
        is_asked = fold == left_out
        for arm, probe in enumerate(probes_of(inputs, labels, ~is_asked)):
            called[arm, is_asked] = probe.called(inputs[is_asked])
    return called


def _answers(listed: _Listed, review: ReviewedLabels, group: NDArray[np.integer]) -> ReviewAnswers:
    """How the answers of a draw's pictures go with what was suggested, and doubted, before any of them.

    A picture that was dropped while another of its `group` stays says nothing of its label.
    """
    evidence = listed.evidence(review.given)
    if evidence is None:
        return ReviewAnswers(0, 0, 0, Expected(0.0, 0.0, 0.0), None)
    is_judged = np.isfinite(evidence.doubt)
    is_answered = is_judged & ((review.is_relabelled & (review.corrected != NONE)) | review.is_confirmed)
    _, group = np.unique(group, return_inverse=True)
    stays = np.bincount(group, weights=~review.is_dropped) > 0
    is_changed = is_judged & review.is_decided & ~(review.is_dropped & stays[group])
    order = np.flatnonzero(is_judged)[np.argsort(-evidence.doubt[is_judged], kind="stable")]
    ahead = forecast(evidence.label_wrong[order].astype(np.float64))
    is_followed = is_answered & (review.corrected == evidence.other_class)
    confirmed, changed = (evidence.doubt[part] for part in (is_answered & review.is_confirmed, is_changed))
    return ReviewAnswers(
        answered=int(is_answered.sum()),
        followed=int(is_followed.sum()),
        changed=int(is_changed.sum()),
        wrong=ahead.among(np.flatnonzero(is_changed[order])),
        goes_with_doubt=_goes_with_doubt(changed, confirmed),
    )


def _goes_with_doubt(changed: NDArray[np.floating], confirmed: NDArray[np.floating]) -> bool | None:
    """Whether what was changed was doubted more than what was confirmed (rank sum test); None of fewer than FEWEST."""
    from scipy.stats import mannwhitneyu  # slow to import, and few commands need it

    if min(len(changed), len(confirmed)) < FEWEST:
        return None
    return bool(mannwhitneyu(changed, confirmed, alternative="greater").pvalue < AGREE)


def over_seeds(values: Doubles) -> Figure:
    """The mean of (S,) figures of seeds, with Student's 95 % interval; nan where they are too few."""
    return mean_by_t(values.tolist(), least=-1.0)


def _mean(values: Doubles) -> Influenced:
    mean = float(values.mean()) if len(values) else float("nan")
    return Influenced(mean, (values - mean) / max(1, len(values)))


def _difference(right: Doubles, loss: Doubles, other: int, group: NDArray[np.integer]) -> Difference:
    """`decided` less another arm, from what was right, and its loss, by arm (4, R)."""
    accuracy, log_loss = (_mean(each[DECIDED] - each[other]) for each in (right, loss))
    return Difference(accuracy.by_blocks(group, least=-1), log_loss.by_blocks(group, least=-np.inf, most=np.inf))


def _by_class(
    names: tuple[str, ...], label: Codes, right: Doubles, group: NDArray[np.integer]
) -> tuple[ClassWorth, ...]:
    """`Worth.classes_asked` from the labels as given (R,) and what was right by arm (4, R)."""
    members = [np.flatnonzero(label == code) for code in np.unique(label)]
    means = [_mean(right[DECIDED, rows] - right[GIVEN, rows]) for rows in members]
    is_changed = holm([mean.p_by_blocks(group[rows]) for mean, rows in zip(means, members, strict=True)])
    figures = [
        ClassWorth(
            label=names[label[rows[0]]],
            pictures=len(rows),
            right=tuple(right[:, rows].mean(axis=1).tolist()),
            difference=mean.by_blocks(group[rows], least=-1),
            is_changed=bool(changed),
        )
        for rows, mean, changed in zip(members, means, is_changed, strict=True)
    ]
    return tuple(sorted(figures, key=lambda figure: (-figure.difference.value, figure.label)))
