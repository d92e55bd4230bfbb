"""Label issues: likely wrong labels, ambiguous pictures, conflicting copies, outliers, and classes mixed up."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.ambiguity import LabelEvidence
from url_viz.analysis.classes import CodedLabels
from url_viz.analysis.votes import NONE, VOTERS, Codes, vote_shares
from url_viz.store.tables import Graph, positions_of
from url_viz.wording import counted

Kind = Literal["", "label error", "ambiguous", "conflicting copies", "out on its own"]
LABEL_ERROR: Kind = "label error"
AMBIGUOUS: Kind = "ambiguous"
CONFLICTING: Kind = "conflicting copies"
OUTLIER: Kind = "out on its own"
KINDS: tuple[Kind, ...] = (LABEL_ERROR, AMBIGUOUS, CONFLICTING, OUTLIER)

SAME_COSINE = 0.98
CLEAR_SHARE = 0.6
OWN_SHARE = 0.15
SPREAD_QUANTILE = 0.9
FENCE = 1.0
"""Quartile ranges below the lower quartile; Tukey's 1.5 is never reached in a whitened space (docs/labels.md)."""
_MIN_CLASS = 2
_CELLS = 4_000_000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Opinion:
    """The evidence on the label of R pictures, from witnesses that have seen neither the label nor the picture's twins.

    `own` (R,) float32 is the share of a picture's label, the mean of kNN votes and ridge classifier; `best` (R,) that
    of `suggested` (R,) int32, the strongest other class; `score` (R,) float32, 0 to 1, higher = the label is more to be
    doubted (`LabelEvidence.doubt`); `spread` (R,) float32, how many classes the neighbours' votes amount to (the
    exponential of their entropy, 1 if all say the same); `support` of `voters` (R,) neighbours are of `suggested`.
    """

    own: Floats
    best: Floats
    suggested: Codes
    score: Floats
    spread: Floats
    support: NDArray[np.int64]
    voters: NDArray[np.int64]

    @property
    def disagrees(self) -> NDArray[np.bool_]:
        """Whether more speaks for another class than for the label (R,)."""
        more: NDArray[np.bool_] = self.best > self.own
        return more


@dataclass(frozen=True)
class Judged:
    """The judgement of R pictures, rows as they were given: `opinion`, `kind` (R,) of `Kind`, and votes.

    `suggested` (R,) int32 is the class to try, NONE if there is none; `support` (R,) of `voters` (R,) neighbours are of
    the strongest other class. For conflicting copies both are about the copies and their class.
    """

    opinion: Opinion
    kind: NDArray[np.object_]
    suggested: Codes
    support: NDArray[np.int64]
    voters: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kind)


def judge(row: NDArray[np.integer], label: Codes, *, graph: Graph, voter: Codes, evidence: LabelEvidence) -> Judged:
    """Judge the labels of R pictures: `row` (R,) of `graph`, `label` (R,) codes.

    `voter` (M,) are the labels of the graph's contents, NONE if copies differ, and `evidence` what speaks for them: kNN
    votes and a leave-one-out ridge classifier. The score orders pictures, and is not a probability.

    A label error: another class has at least CLEAR_SHARE of what speaks for an undisputed picture of it on average, the
    label at most OWN_SHARE of that, and the neighbours are no more spread over classes than those of nine in ten
    undisputed pictures. Ambiguous: another class is ahead, and the neighbours are more spread. Conflicting copies:
    equal content, or raw cosine from SAME_COSINE, under different labels. Out on its own: the nearest neighbour is so
    far that its vote says little (FENCE). The constants were chosen on development sets (docs/labels.md).
    """
    classes = int(max(label.max(initial=0), voter.max(initial=0))) + 1
    opinion = _opinion(row, graph, voter, evidence, classes)
    kind = np.full(len(row), "", dtype=object)
    kind[opinion.disagrees & (opinion.spread > _usual_spread(opinion))] = AMBIGUOUS
    kind[_is_error(opinion, label, classes)] = LABEL_ERROR
    kind[_is_outlier(graph)[row]] = OUTLIER
    suggested = np.where((kind != "") & opinion.disagrees, opinion.suggested, NONE).astype(np.int32)
    judged = Judged(opinion, kind, suggested, opinion.support, opinion.voters)
    return _with_copies(judged, row, label, voter, graph)


def _opinion(row: NDArray[np.integer], graph: Graph, voter: Codes, evidence: LabelEvidence, classes: int) -> Opinion:
    """A label that does not count (its copies differ, or its class is too small) has nothing for or against it."""
    own = np.nan_to_num((evidence.own_votes + evidence.own_fit) / 2)[row]
    best = np.nan_to_num((evidence.other_votes + evidence.other_fit) / 2)[row]
    suggested, score = evidence.other_class[row], np.nan_to_num(evidence.doubt)[row]
    at_once = max(64, _CELLS // classes)
    parts = [
        _votes(row[start : start + at_once], graph, voter, suggested[start:], classes)
        for start in range(0, len(row), at_once)
    ]
    spread, support, voters = (
        (np.concatenate(part) for part in zip(*parts, strict=True)) if parts else (np.zeros(0),) * 3
    )
    return Opinion(own, best, suggested, score, spread.astype(np.float32), support.astype(int), voters.astype(int))


def _votes(
    row: NDArray[np.integer], graph: Graph, voter: Codes, suggested: Codes, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Spread, support and number of the votes on these rows, each (R,)."""
    position = graph.position[row]
    share, _ = vote_shares(position, graph.similarity[row], voter, classes)
    spread = np.exp(-np.einsum("rc,rc->r", share, np.log(np.maximum(share, 1e-12))))
    code = np.where(position >= 0, voter[position], NONE)
    has_vote = code != NONE
    has_vote &= has_vote.cumsum(axis=1) <= VOTERS
    supports = has_vote & (code == suggested[: len(row), None])
    return spread, supports.sum(axis=1), has_vote.sum(axis=1)


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


def _is_outlier(graph: Graph) -> NDArray[np.bool_]:
    """Whether the nearest neighbour of each content (M,) is below the lower fence: quartile − FENCE quartile ranges."""
    has = graph.position[:, 0] >= 0
    nearest = np.where(has, graph.similarity[:, 0], -1)
    if not has.any():
        return ~has
    low, high = np.quantile(nearest[has], (0.25, 0.75))
    is_alone: NDArray[np.bool_] = nearest < low - FENCE * (high - low)
    return is_alone & has


def _with_copies(judged: Judged, row: NDArray[np.integer], label: Codes, voter: Codes, graph: Graph) -> Judged:
    """Pictures with a copy under another label become a case of their own, with that label as the one to try."""
    kind, suggested = judged.kind.copy(), judged.suggested.copy()
    support, voters = judged.support.copy(), judged.voters.copy()
    copies = _copies(graph, voter)
    for number in np.flatnonzero(np.isin(row, list(copies))):
        others = voter[copies[int(row[number])]]
        differing = others[others != label[number]]
        if len(differing):
            suggested[number], kind[number] = differing[0], CONFLICTING
            support[number], voters[number] = (differing == differing[0]).sum(), len(others)
    for numbers in _conflicting(row, voter):
        codes, count = np.unique(label[numbers], return_counts=True)
        for number in numbers:
            other = codes != label[number]
            chosen = np.argmax(np.where(other, count, 0))
            suggested[number], kind[number] = codes[chosen], CONFLICTING
            support[number], voters[number] = count[chosen], len(numbers) - 1
    return Judged(judged.opinion, kind, suggested, support, voters)


def _copies(graph: Graph, voter: Codes) -> dict[int, list[int]]:
    """By row, the labelled rows whose raw cosine is at least SAME_COSINE, the most alike first; only if any differs."""
    twins = graph.twins
    one, other = twins.pair[twins.cosine >= SAME_COSINE].T
    differs = (voter[one] != voter[other]) & (voter[one] != NONE) & (voter[other] != NONE)
    concerned = np.zeros(len(graph), bool)
    concerned[one[differs]] = concerned[other[differs]] = True
    copies: dict[int, list[int]] = {}
    for number in np.argsort(-twins.cosine, kind="stable"):
        if twins.cosine[number] < SAME_COSINE:
            break
        for a, b in (twins.pair[number], twins.pair[number][::-1]):
            if concerned[a] and voter[b] != NONE:
                copies.setdefault(int(a), []).append(int(b))
    return copies


def _conflicting(row: NDArray[np.integer], voter: Codes) -> list[NDArray[np.int64]]:
    """The numbers of the pictures of each content whose copies have different labels."""
    numbers = np.flatnonzero(voter[row] == NONE)
    numbers = numbers[np.argsort(row[numbers], kind="stable")]
    return np.split(numbers, np.flatnonzero(np.diff(row[numbers])) + 1) if len(numbers) else []


COLUMNS = ("id", "path", "label", "suggested", "score", "kind", "support", "neighbours", "spread")

_WORDS: Mapping[Kind, tuple[str, str]] = {
    LABEL_ERROR: ("picture looks mislabelled", "pictures look mislabelled"),
    AMBIGUOUS: ("fits no class well", "fit no class well"),
    CONFLICTING: ("has a copy under another label", "have copies under another label"),
    OUTLIER: ("is out on its own", "are out on their own"),
}


@dataclass(frozen=True)
class LabelCheck:
    """What was found on the labels of an image set.

    `pictures` has one row per labelled picture that has neighbours, the most doubtful first; columns id, path, label,
    suggested (class to try, None if there is none), score (0 to 1, higher = the label is more to be doubted: an
    order), kind (of `suspects.KINDS`, "" if nothing is wrong, or somebody gave or confirmed the label), support of so
    many neighbours (votes for the strongest other class), spread (how many classes the neighbours amount to), and
    taken_for: the likeliest class, possibly the label. `left_out` counts pictures without a label or not in the
    graph yet.
    """

    pictures: pd.DataFrame
    classes: tuple[str, ...]
    left_out: int

    @cached_property
    def suspects(self) -> pd.DataFrame:
        """The pictures whose label is to be doubted, the most doubtful first: `COLUMNS`."""
        return self.pictures.loc[self.pictures["kind"] != "", list(COLUMNS)].reset_index(drop=True)

    @property
    def suspects_first(self) -> pd.DataFrame:
        """All rows of `pictures`, the suspects before the others."""
        is_fine = self.pictures["kind"] == ""
        return pd.concat([self.pictures[~is_fine], self.pictures[is_fine]], ignore_index=True)

    def count(self, kind: str) -> int:
        """How many pictures are of a kind."""
        return int((self.pictures["kind"] == kind).sum())

    @property
    def headline(self) -> str:
        """What was found in a sentence or two: "12 pictures look mislabelled, 30 fit no class well."""
        said = {kind: counted(self.count(kind), *_WORDS[kind]) for kind in KINDS if self.count(kind)}
        doubts, others = ([said[kind] for kind in kinds if kind in said] for kinds in (KINDS[:2], KINDS[2:]))
        sentences = [", ".join(doubts) or "No label looks wrong", " and ".join(others)]
        return " ".join(f"{sentence}." for sentence in sentences if sentence)

    @cached_property
    def confused(self) -> pd.DataFrame:
        """Pairs of classes that are taken for each other; see `confused_pairs`."""
        return confused_pairs(self.pictures)


def check_labels(
    table: pd.DataFrame, contents: NDArray[np.int64], graph: Graph, labels: CodedLabels, evidence: LabelEvidence
) -> LabelCheck:
    """Check the column `label` of `ImageSet.table()`, with content keys (N,) in its order.

    `labels` and `evidence` are of the graph's contents.
    """
    row = positions_of(contents, graph.content)
    usable = np.flatnonzero((row >= 0) & table["label"].notna().to_numpy())
    number = {name: code for code, name in enumerate(labels.names)}
    codes = table["label"].iloc[usable].map(str).map(number).to_numpy().astype(np.int32)
    judged = judge(row[usable], codes, graph=graph, voter=labels.codes, evidence=evidence)
    return LabelCheck(_as_table(table.iloc[usable], judged, labels.names), labels.names, len(table) - len(usable))


def _as_table(rows: pd.DataFrame, judged: Judged, classes: tuple[str, ...]) -> pd.DataFrame:
    names = np.array([*classes, None], dtype=object)  # the code −1 finds the last
    opinion = judged.opinion
    pictures = rows[["id", "path", "label"]].assign(
        suggested=names[judged.suggested],
        score=opinion.score,
        kind=np.where(rows["label_checked"].notna(), "", judged.kind),
        support=judged.support,
        neighbours=judged.voters,
        spread=opinion.spread,
        taken_for=rows["first_class"].where(rows["first_class"].notna(), rows["label"]),
    )
    return pictures.sort_values(["score", "path"], ascending=[False, True], ignore_index=True)


def confused_in(table: pd.DataFrame) -> pd.DataFrame:
    """The confused pairs of classes of `ImageSet.table()`, by the likeliest class of each labelled picture."""
    known = table.loc[table["label"].notna() & table["first_class"].notna(), ["label", "first_class"]]
    return confused_pairs(known.rename(columns={"first_class": "taken_for"}))


def confused_pairs(pictures: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of classes (columns label and taken_for of `pictures`), the most confused first.

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
