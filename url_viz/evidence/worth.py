"""What a review was worth: a linear probe on pictures that no decision changed, beside suggestions accepted unseen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator

from url_viz.base import printout
from url_viz.base.errors import ImageSetError
from url_viz.base.wording import counted, percent
from url_viz.columns.ranking import NONE
from url_viz.evidence.order_metrics import Figure, Influenced, Interval, holm
from url_viz.evidence.probe import Floats, Probe, fit_probe, probe_folds, probe_inputs
from url_viz.labels.ambiguity import LabelEvidence, classify
from url_viz.labels.doubtful_labels import Expected, forecast
from url_viz.labels.label_issues import LIKELY
from url_viz.labels.votes import VOTERS, Codes, Doubles
from url_viz.pipeline.nearest import top_k_within

SEEDS = 3
MOST_PICTURES = 20_000
MOST_CLASSES = 500
MOST_CELLS = 2_000_000
"""Pictures times classes that a draw has at most; of larger sets each draws its own classes and pictures."""
ARMS = ("as given", "as decided", "likely suggestions accepted unseen", "as many dropped at random")
GIVEN, DECIDED, ACCEPTED, RANDOM = ARMS
RIGHT, LOSS = METRICS = ("accuracy", "log loss")
LEAST_SHARE = 1e-3
"""In the log loss no class has a smaller share: else a few pictures would decide it."""
FEWEST = 10
"""Fewer pictures that no decision changed say nothing, nor do fewer answers of a kind."""
FOLLOWED = 0.95
"""From this share of the answers on they follow the suggestion."""
AGREE = 0.05
"""The largest p-value at which answers go with the doubt (rank sum test)."""
NEIGHBOURS = 2 * VOTERS
"""Listed of each picture: some have no label while their fold is left out."""

Bools = NDArray[np.bool_]
Doubt = Callable[[Codes], LabelEvidence | None]
_IN_COLUMNS = PlainSerializer(lambda table: table.to_dict("list"), dict[str, list[str | int | float | bool]])
Table = Annotated[pd.DataFrame, PlainValidator(pd.DataFrame), _IN_COLUMNS]
"""In a file it is a list for each column; untyped ones would lose what is nan or infinite."""


def reviewed_labels(
    given: NDArray[np.object_], corrected: NDArray[np.object_], is_dropped: Bools, is_confirmed: Bools
) -> pd.DataFrame:
    """A review of N pictures, from their labels as given and as they are now (N,), None or nan for none.

    Columns: label, as given; given and corrected, codes of one list, NONE for none; is_dropped; is_confirmed, where
    somebody said that the label is right; is_labelled, as given or now; is_decided, dropped of these or relabelled.
    """
    both = pd.Series(np.concatenate([given, corrected]), dtype=object)
    text = both.where(both.isna(), both.map(str))
    before, now = pd.factorize(text, sort=True)[0].astype(np.int32).reshape(2, -1)
    label, is_labelled = text.to_numpy(object)[: len(given)], (before != NONE) | (now != NONE)
    review = pd.DataFrame({"label": label, "given": before, "corrected": now, "is_labelled": is_labelled})
    is_decided = is_labelled & (is_dropped | (before != now))
    return review.assign(is_dropped=is_dropped, is_confirmed=is_confirmed, is_decided=is_decided)


@dataclass(frozen=True, eq=False)
class Worth:
    """A linear probe on pictures that no decision changed, nor are twins of such; 95 % intervals over these pictures.

    It is trained in folds on all labelled `pictures`: under the labels as given; as decided; with the class that is
    suggested for each label that is likely wrong, accepted unseen; and without as many at random as were `dropped` or
    `corrected` (ARMS). Suggestions are made without the labels of the fold that is asked, and without any decision.

    `figures`: arm, over, metric, value, low, high, pictures; where `over` is not empty, by how much the arm has more
    than that one. Accuracy (0 to 1) and log loss (nats) are under the labels as given of the `asked` pictures, means
    over `seeds` draws. `by_class`, the most gained first: label, pictures, the share right by arm (given, decided,
    accepted, random), decided − given (difference, difference_low, difference_high), and whether that is more than
    chance, by Holm over all classes (is_changed). Of a large set each seed looked at `drawn` pictures of
    `classes_drawn`.

    How somebody answered: `answered` labels were given a class or confirmed, `followed` by what was suggested before
    any answer. `changed` were relabelled or dropped, and `wrong` labels are expected among these. `goes_with_doubt`:
    whether what was confirmed looked more right; None if too few were.
    """

    figures: Table
    by_class: Table
    pictures: int
    classes: int
    dropped: int
    corrected: int
    asked: int
    seeds: int
    drawn: int
    classes_drawn: int
    answered: int
    followed: int
    changed: int
    wrong: Expected
    goes_with_doubt: bool | None

    def printout(self) -> "printout.Printout":
        """What it was worth, the figures of each arm, and the classes that differ; all classes to a file."""
        rows = [[arm, *(self.figure(arm, metric).text(digits=3) for metric in METRICS)] for arm in self.arms]
        arms = printout.Table(pd.DataFrame(rows, columns=["trained on", *METRICS]))
        differing = printout.Table(self.differing, title="Classes with a measurable difference:")
        every = printout.Table(self.by_class, noun="class", plural="classes")
        return printout.Printout([self.words], [arms, differing], figures=self, file=every)

    def figure(self, arm: str, metric: str = RIGHT, *, over: str = "") -> Figure:
        """The figure of an arm, or by how much it is `over` another one's."""
        is_it = (self.figures[["arm", "over", "metric"]] == [arm, over, metric]).all(axis=1)
        value, low, high = self.figures.loc[is_it, ["value", "low", "high"]].iloc[0].tolist()
        return Figure(value, Interval(low, high))

    @property
    def arms(self) -> tuple[str, ...]:
        """The ways to train that differ."""
        return ARMS if self.is_comparable else ARMS[:1]

    @property
    def differing(self) -> pd.DataFrame:
        """The rows of `by_class` where the decisions made a difference."""
        return self.by_class[self.by_class["is_changed"].astype(bool)].reset_index(drop=True)

    @property
    def is_comparable(self) -> bool:
        """Whether anything was dropped or corrected, and pictures were left alone to tell by."""
        return self.dropped + self.corrected > 0 and self.asked >= FEWEST

    @property
    def is_worth_more(self) -> bool:
        """Whether the decisions were worth more than suggestions accepted unseen, as far as the test shows."""
        return self.verdict == "more"

    @property
    def verdict(self) -> str:
        """What the figures say, in a word or two."""
        return self._judged[0]

    @property
    def outcome(self) -> str:
        """What the figures say, in a sentence."""
        return self._judged[1]

    @cached_property
    def _judged(self) -> tuple[str, str]:
        """The verdict, and its sentence. It goes by the log loss: the accuracy sees only the likeliest class.

        "more" only if decided is ahead of what was given and of suggestions accepted unseen, and the answers are not
        what this test cannot tell from careless ones.
        """
        more_loss, accepted = self.figure(DECIDED, LOSS, over=GIVEN).sign, _percent(self.figure(ACCEPTED))
        careless = "so this test, which reads the same embeddings, cannot tell whether the decisions are right."
        if self.dropped + self.corrected == 0:
            return "nothing decided", "Nothing was dropped and no label corrected, so there is nothing to compare."
        if self.asked < FEWEST:
            left = counted(self.asked, "picture is", "pictures are")
            return "too few left", f"Only {left} left that no decision changed, too few to tell what that was worth."
        if more_loss > 0:
            return "less", "So the decisions did harm."
        if not more_loss:
            return "no difference", "That is no measurable difference."
        if self.answered and self.followed >= FOLLOWED * self.answered:
            return "followed", f"{self.followed:,} of {self.answered:,} answers follow the suggestion, {careless}"
        if self.wrong.high < self.changed / 2:
            return "unlikely", f"At most {self.wrong.high:,.0f} of the {self.changed:,} labels looked wrong, {careless}"
        if self.goes_with_doubt is False:
            return "random", f"The labels that were confirmed looked no better than those that were changed, {careless}"
        lead, lead_loss = (self.figure(DECIDED, metric, over=ACCEPTED) for metric in METRICS)
        if lead_loss.sign >= 0:
            sentence = f"Accepting every likely suggestion unseen gives {accepted}, which is not measurably less."
            return "as accepted", sentence
        only = "" if self.figure(DECIDED, over=GIVEN).sign > 0 else " by log loss, though not measurably by accuracy,"
        sentence = f"So{only} the decisions are worth more than accepting every likely suggestion unseen, which gives"
        return "more", f"{sentence} {accepted}: {points(lead)}, log loss {lead_loss.text(signed=True)}."

    @cached_property
    def words(self) -> str:
        """What the review was worth, in a few sentences; says plainly where it made no difference, or none shows."""
        if self.verdict == "nothing decided":
            right = _percent(self.figure(GIVEN))
            return f"{self.outcome} A linear probe gets {right} of {self.pictures:,} held-out pictures right."
        if self.verdict == "too few left":
            return f"{self._decisions} {self.outcome}"
        return f"{self.gain} {self.outcome} {self.details}"

    @property
    def gain(self) -> str:
        """ "74.9 % → 77.7 % right, +2.9 [+0.9, +4.8] points."; "" where there is nothing to compare."""
        gain, shown = self.figure(DECIDED, over=GIVEN), [self.figure(arm).value for arm in (GIVEN, DECIDED)]
        is_near = round(100 * gain.value, 1) != round(round(100 * shown[1], 1) - round(100 * shown[0], 1), 1)
        before, after = (percent(each, digits=2 if is_near else 1) for each in shown)  # so that they say the same
        return f"{before} → {after} right, {points(gain)}." if self.is_comparable else ""

    @property
    def details(self) -> str:
        """What was compared, on which pictures; only where there is something to compare."""
        loss = self.figure(DECIDED, LOSS, over=GIVEN).text(signed=True)
        sentences = [
            f"{self._decisions} Tested on the {self.asked:,} that no decision changed, nor a near copy's, by a linear "
            f"probe trained as given, then as decided: log loss {loss}."
        ]
        if changed := len(self.differing):
            up, same = int((self.differing["difference"] > 0).sum()), len(self.by_class) - changed
            sentences.append(f"By class: up in {up:,}, down in {changed - up:,}, no measurable difference in {same:,}.")
        sentences.append("Under the labels as given; 95 % intervals are over pictures.")
        if self.drawn < self.pictures:
            classes = f" of {self.classes_drawn:,} classes" if self.classes_drawn < self.classes else ""
            sentences.append(f"The set is large: each seed looked at {self.drawn:,} of its pictures{classes}.")
        return " ".join(sentences)

    @property
    def _decisions(self) -> str:
        done = (self.dropped, "was dropped", "were dropped"), (self.corrected, "was relabelled", "were relabelled")
        return f"Of {self.pictures:,} labelled pictures {' and '.join(counted(*each) for each in done if each[0])}."


def _percent(figure: Figure) -> str:
    return percent(figure.value, digits=1)


def points(difference: Figure) -> str:
    """A difference of shares in points, with its interval: "+1.2 [−0.3, +2.7] points"."""
    value, low, high = (f"{round(100 * end, 1) + 0.0:+.1f}".replace("-", "−") for end in _ends(difference))
    return f"{value} [{low}, {high}] points"


def _ends(figure: Figure) -> tuple[float, float, float]:
    return figure.value, figure.interval.low, figure.interval.high


def worth(
    whitened: NDArray[np.floating],
    review: pd.DataFrame,
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
    labelled = np.flatnonzero(review["is_labelled"])
    label_group = (group if label_group is None else label_group)[labelled]
    whitened, review, group = whitened[labelled], review.iloc[labelled], group[labelled]
    given, corrected, is_decided = (review[name].to_numpy() for name in ("given", "corrected", "is_decided"))
    total = {(arm, metric): np.zeros(len(labelled)) for arm in ARMS for metric in METRICS}
    times, drawn = np.zeros(len(labelled)), []
    answers: dict[str, Any] = {}
    for seed in range(seeds):
        dice = np.random.default_rng([seed, len(group)])  # of another stream than the folds
        sample = sampled_rows(given, corrected, dice)
        part, rows = review.iloc[sample], whitened[sample]
        doubt = doubt_by_nearest(rows, label_group[sample])
        for key, values in _outcomes_by_arm(rows, part, probe_folds(group[sample], seed=seed), doubt, dice).items():
            total[key][sample] += values
        times[sample] += 1
        answers = answers or _answers(part, label_group[sample], doubt)
        drawn.append(sample)
    asked = np.flatnonzero(~np.isin(group, group[is_decided]) & (given != NONE) & (times > 0))
    means = {key: values[asked] / times[asked] for key, values in total.items()}
    dropped = int(review["is_dropped"].sum())
    return Worth(
        figures=_figures(means, group[asked]),
        by_class=_by_class(means, review["label"].to_numpy()[asked], group[asked]),
        pictures=len(labelled),
        classes=class_count(corrected),
        dropped=dropped,
        corrected=int(is_decided.sum()) - dropped,
        asked=len(asked),
        seeds=seeds,
        drawn=max(map(len, drawn)),
        classes_drawn=max(class_count(corrected[sample]) for sample in drawn),
        **answers,
    )


def least_classes(review: pd.DataFrame) -> int:
    """How many classes there are, as given or as corrected: the fewer."""
    return min(class_count(review[name].to_numpy()) for name in ("given", "corrected"))


def _refuse(review: pd.DataFrame, seeds: int) -> None:
    if seeds < 2:
        raise ImageSetError(f"Folds are dealt anew by two seeds or more, and {seeds} was asked for. Give 2 or more.")
    if (classes := least_classes(review)) < 2:
        raise ImageSetError(
            "What a review was worth is measured on pictures of two classes or more, as given and as corrected; there "
            f"{'is' if classes == 1 else 'are'} {classes}. Put the pictures into class folders "
            "(photos/cat/…, photos/dog/…), or choose another label: url-viz labels list FOLDER."
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


def doubt_by_nearest(whitened: NDArray[np.floating], group: NDArray[np.integer]) -> Doubt:
    """A function of labels (M,) that gives the evidence for each, by the nearest outside its `group` (M,).

    It gives None where too few have a label.
    """
    _, number = np.unique(group, return_inverse=True)
    member = scipy.sparse.csr_array((np.ones(len(group), bool), (np.arange(len(group)), number)))
    mates = scipy.sparse.csr_array(member.T)
    nearest = top_k_within(whitened, NEIGHBOURS, exclude=lambda part: member[part] @ mates)

    def evidence(label: Codes) -> LabelEvidence | None:
        classified = classify(nearest.position, nearest.similarity, whitened, label, group)
        return None if classified is None else classified.evidence

    return evidence


def _outcomes_by_arm(
    whitened: NDArray[np.floating],
    review: pd.DataFrame,
    fold: NDArray[np.integer],
    doubt: Doubt,
    dice: np.random.Generator,
) -> dict[tuple[str, str], Doubles]:
    """Whether each picture of a draw is called by its label as given, and its log loss (M,), by arm, fold by fold."""
    given, is_decided = review["given"].to_numpy(), review["is_decided"].to_numpy()
    has_label, random = np.flatnonzero(given != NONE), given.copy()
    random[dice.choice(has_label, min(int(is_decided.sum()), len(has_label)), replace=False)] = NONE
    decided = np.where(review["is_dropped"], NONE, review["corrected"]).astype(np.int32)
    inputs, found = probe_inputs(whitened), {(arm, metric): np.zeros(len(given)) for arm in ARMS for metric in METRICS}
    for left_out in np.unique(fold):
        is_asked = fold == left_out
        unseen = np.where(is_asked, NONE, given).astype(np.int32)
        evidence, accepted = (doubt(unseen), unseen) if is_decided.any() else (None, given)
        if evidence is not None:
            accepted = np.where(evidence.label_wrong >= LIKELY, evidence.other_class, unseen).astype(np.int32)
        labels, own = np.array([given, decided, accepted, random]), given[is_asked]
        for arm, probe in zip(ARMS, probes_of(inputs, labels, ~is_asked), strict=True):
            found[arm, RIGHT][is_asked] = probe.called(inputs[is_asked]) == own
            found[arm, LOSS][is_asked] = -np.log(np.maximum(_share_of(probe, inputs[is_asked], own), LEAST_SHARE))
    return found


def _share_of(probe: Probe, inputs: Floats, label: Codes) -> Doubles:
    """The share (R,) that a probe gives to a label (R,); 0 for a class that it does not know."""
    shares = np.zeros((len(label), max(int(label.max(initial=0)), int(probe.classes.max(initial=0))) + 2))
    shares[:, probe.classes] = probe.shares(inputs)
    return np.asarray(shares[np.arange(len(label)), label])  # the last column is that of NONE


def probes_of(inputs: Floats, labels: Codes, learns: Bools) -> Iterator[Probe]:
    """A probe for each arm's labels (K, M), fitted on the inputs (M, A + 1) that learn (M,) and have one."""
    first = None
    for label in labels:
        if first is not None and (label == labels[0])[learns].all():
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


def _answers(review: pd.DataFrame, group: NDArray[np.integer], doubt: Doubt) -> dict[str, Any]:
    """How the answers of a draw's pictures go with what was suggested, and doubted, before any of them (`Worth`).

    A picture that was dropped while another of its `group` stays says nothing of its label.
    """
    given, corrected = review["given"].to_numpy(), review["corrected"].to_numpy()
    is_dropped, is_confirmed = review["is_dropped"].to_numpy(), review["is_confirmed"].to_numpy()
    evidence = doubt(given)
    if evidence is None:
        return {"answered": 0, "followed": 0, "changed": 0, "wrong": Expected(0.0, 0.0, 0.0), "goes_with_doubt": None}
    is_judged = np.isfinite(evidence.doubt)
    is_answered = is_judged & (((given != corrected) & (corrected != NONE)) | is_confirmed)
    _, group = np.unique(group, return_inverse=True)
    stays = np.bincount(group, weights=~is_dropped) > 0
    is_changed = is_judged & review["is_decided"].to_numpy() & ~(is_dropped & stays[group])
    order = np.flatnonzero(is_judged)[np.argsort(-evidence.doubt[is_judged], kind="stable")]
    ahead = forecast(evidence.label_wrong[order].astype(np.float64))
    return {
        "answered": int(is_answered.sum()),
        "followed": int((is_answered & (corrected == evidence.other_class)).sum()),
        "changed": int(is_changed.sum()),
        "wrong": ahead.among(np.flatnonzero(is_changed[order])),
        "goes_with_doubt": _goes_with_doubt(evidence.doubt[is_changed], evidence.doubt[is_answered & is_confirmed]),
    }


def _goes_with_doubt(changed: NDArray[np.floating], confirmed: NDArray[np.floating]) -> bool | None:
    """Whether what was changed was doubted more than what was confirmed (rank sum test); None of fewer than FEWEST."""
    from scipy.stats import mannwhitneyu  # slow to import, and few commands need it

    if min(len(changed), len(confirmed)) < FEWEST:
        return None
    return bool(mannwhitneyu(changed, confirmed, alternative="greater").pvalue < AGREE)


def _figures(means: dict[tuple[str, str], Doubles], group: NDArray[np.integer]) -> pd.DataFrame:
    """`Worth.figures` from what was right, and its loss (R,), by arm."""
    values = {(arm, "", metric): each for (arm, metric), each in means.items()}
    for over in (GIVEN, ACCEPTED):
        values |= {(DECIDED, over, metric): means[DECIDED, metric] - means[over, metric] for metric in METRICS}
    rows = []
    for (arm, over, metric), each in values.items():
        most = 1.0 if metric == RIGHT else np.inf
        figure = Influenced.mean(each).by_blocks(group, least=-most if over else 0.0, most=most)
        rows.append((arm, over, metric, *_ends(figure), len(each)))
    return pd.DataFrame(rows, columns=["arm", "over", "metric", "value", "low", "high", "pictures"])


def _by_class(
    means: dict[tuple[str, str], Doubles], label: NDArray[np.object_], group: NDArray[np.integer]
) -> pd.DataFrame:
    """`Worth.by_class` from the same, and the labels as given (R,)."""
    right, gain = np.array([means[arm, RIGHT] for arm in ARMS]), means[DECIDED, RIGHT] - means[GIVEN, RIGHT]
    rows, p_values = [], []
    for name, at in pd.Series(np.arange(len(label))).groupby(label):
        mean = Influenced.mean(gain[at])
        p_values.append(mean.p_by_blocks(group[at]))
        rows.append((name, len(at), *right[:, at].mean(axis=1), *_ends(mean.by_blocks(group[at], least=-1))))
    columns = ["label", "pictures", "given", "decided", "accepted", "random"]
    table = pd.DataFrame(rows, columns=[*columns, "difference", "difference_low", "difference_high"])
    table = table.assign(is_changed=holm(p_values))
    return table.sort_values(["difference", "label"], ascending=[False, True], ignore_index=True)
