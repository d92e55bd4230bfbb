"""Checks of labels: how likely each is wrong, conflicting copies, outliers, and classes that overlap."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.wording import percent
from url_viz.columns.engine import Lazy, column
from url_viz.columns.ranking import NONE
from url_viz.columns.table import Frame
from url_viz.columns.twin_groups import first_of_each
from url_viz.findings.reasons import Reasons, useless
from url_viz.labels.ambiguity import LabelEvidence, StoredClasses
from url_viz.labels.calibration import LabelAgreement
from url_viz.labels.classes import CodedLabels
from url_viz.labels.label_choice import relabelled
from url_viz.labels.votes import VOTERS, Codes
from url_viz.store.tables.tables import Graph, positions_of

Kind = Literal["", "likely wrong", "between classes", "conflicting copies", "out on its own", "does not show its label"]
LIKELY_WRONG: Kind = "likely wrong"
BETWEEN: Kind = "between classes"
CONFLICTING: Kind = "conflicting copies"
OUTLIER: Kind = "out on its own"
UNSEEN: Kind = "does not show its label"
KINDS: tuple[Kind, ...] = (LIKELY_WRONG, BETWEEN, CONFLICTING, OUTLIER, UNSEEN)

LIKELY = 0.5
"""A label is likely wrong from this probability on, and a picture between classes where no class has this share."""
FENCE = 1.0
"""Quartile ranges below the lower quartile; Tukey's 1.5 is never reached in a whitened space."""

MIXED_PICTURES, MIXED_SHARE = 3, 0.2
"""Two classes overlap if this many pictures, and this fraction of one of them, look like the other."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Judged:
    """The judgement of R pictures, rows as they were given, by witnesses that saw neither the label nor its twins.

    `own` (R,) float32 is the calibrated share of a picture's label, `best` (R,) that of `other` (R,) int32, the
    strongest other class; `score` (R,) float32, 0 to 1, higher = the label is more doubtful (`LabelEvidence.doubt`);
    `wrong` (R,) float32 the probability that the label is wrong. `kind` (R,) is of `Kind`, `suggested` (R,) int32 the
    class to ask about, NONE if there is none; `support` (R,) of `voters` (R,) neighbours are of `other`. For
    conflicting copies both are about the copies and their class.
    """

    own: Floats
    best: Floats
    other: Codes
    score: Floats
    wrong: Floats
    kind: NDArray[np.object_]
    suggested: Codes
    support: NDArray[np.int64]
    voters: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.kind)


def judge_labels(
    row: NDArray[np.integer], label: Codes, *, graph: Graph, voter: Codes, evidence: LabelEvidence
) -> Judged:
    """Judge the labels of R pictures: `row` (R,) of `graph`, `label` (R,) codes.

    `voter` (M,) are the labels of the graph's contents, NONE if copies differ, and `evidence` what speaks for them: kNN
    votes and a leave-one-out ridge classifier. The score orders pictures, and is not a probability.

    Likely wrong: the label is likelier wrong than right (`LabelEvidence.label_wrong`). Between classes: no class has
    half of the shares. Conflicting copies: copies under different labels, of which one at least is wrong. Out on its
    own: the nearest neighbour is so far that its vote says little (FENCE, chosen on development sets).
    """
    other, has_shares = evidence.other_class[row], np.isfinite(evidence.own_share)[row]
    # A label that does not count (its copies differ, or its class is too small) has nothing for or against it.
    shares = (evidence.own_share, evidence.other_share, evidence.doubt, evidence.label_wrong)
    own, best, score, wrong = (np.nan_to_num(share)[row] for share in shares)
    kind = np.full(len(row), "", dtype=object)
    kind[has_shares & (np.maximum(own, best) < LIKELY)] = BETWEEN
    kind[wrong >= LIKELY] = LIKELY_WRONG
    kind[_is_outlier(graph)[row]] = OUTLIER
    suggested = np.where(has_shares, other, NONE).astype(np.int32)
    votes = _votes(graph.position[row], voter, other)
    return _with_copies(Judged(own, best, other, score, wrong, kind, suggested, *votes), row, label, voter, graph)


def _votes(position: NDArray[np.integer], voter: Codes, other: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many of the nearest voters are of the class `other` (R,), and how many voters there are (R,)."""
    code = np.where(position >= 0, voter[position], NONE)
    has_vote = code != NONE
    has_vote &= has_vote.cumsum(axis=1) <= VOTERS
    return (has_vote & (code == other[:, None])).sum(axis=1), has_vote.sum(axis=1)


def _is_outlier(graph: Graph) -> NDArray[np.bool_]:
    """Whether the nearest neighbour of each content (M,) is below the lower fence: quartile − FENCE quartile ranges."""
    has = graph.position[:, 0] >= 0
    nearest = np.where(has, graph.similarity[:, 0], -1)
    if not has.any():
        return ~has
    low, high = np.quantile(nearest[has], (0.25, 0.75))
    return np.asarray(nearest < low - FENCE * (high - low)) & has


def _with_copies(judged: Judged, row: NDArray[np.integer], label: Codes, voter: Codes, graph: Graph) -> Judged:
    """Pictures with a copy under another label become a case of their own, with that label as the one to try."""
    kind, suggested = judged.kind.copy(), judged.suggested.copy()
    support, voters = judged.support.copy(), judged.voters.copy()
    copies = _copies(graph, voter)
    cases = []
    for number in np.flatnonzero(np.isin(row, list(copies))):
        others = voter[copies[int(row[number])]]
        differing = others[others != label[number]]
        if len(differing):
            cases.append((number, differing[0], (differing == differing[0]).sum(), len(others)))
    for numbers in _conflicting(row, voter):
        codes, count = np.unique(label[numbers], return_counts=True)
        for number in numbers:
            chosen = np.argmax(np.where(codes != label[number], count, 0))
            cases.append((number, codes[chosen], count[chosen], len(numbers) - 1))
    for number, other, votes, asked in cases:
        kind[number], suggested[number], support[number], voters[number] = CONFLICTING, other, votes, asked
    wrong = np.where(kind == CONFLICTING, np.maximum(judged.wrong, np.float32(LIKELY)), judged.wrong)
    return replace(judged, kind=kind, suggested=suggested, support=support, voters=voters, wrong=wrong)


def _copies(graph: Graph, voter: Codes) -> dict[int, list[int]]:
    """By row, the labelled rows that are copies of it, the most alike first; only if any differs."""
    twins = graph.twins.copies
    first, second = twins.pair.T
    differs = (voter[first] != voter[second]) & (voter[first] != NONE) & (voter[second] != NONE)
    concerned = np.zeros(len(graph), bool)
    concerned[first[differs]] = concerned[second[differs]] = True
    copies: dict[int, list[int]] = {}
    for number in np.argsort(-twins.cosine, kind="stable"):
        for a, b in (twins.pair[number], twins.pair[number][::-1]):
            if concerned[a] and voter[b] != NONE:
                copies.setdefault(int(a), []).append(int(b))
    return copies


def _conflicting(row: NDArray[np.integer], voter: Codes) -> list[NDArray[np.int64]]:
    """The numbers of the pictures of each content whose copies have different labels."""
    numbers = np.flatnonzero(voter[row] == NONE)
    numbers = numbers[np.argsort(row[numbers], kind="stable")]
    return np.split(numbers, np.flatnonzero(np.diff(row[numbers])) + 1) if len(numbers) else []


COLUMNS = (
    *("id", "path", "label", "suggested", "wrong", "share", "score", "kind", "support", "neighbours", "twin_group"),
)


@dataclass(frozen=True)
class LabelCheck:
    """A check of the labels of an image set.

    `pictures` has one row per labelled picture that has neighbours: conflicting copies, then the most doubtful first;
    columns id, path, label, suggested (class to ask about, None if there is none), share (its share of what the picture
    shows), wrong (the probability that the label is wrong, given the label), score (0 to 1, higher = more doubtful: an
    order), kind (of KINDS, "" for none, or if somebody gave or confirmed the label), support of `neighbours`
    (votes for the strongest other class), taken_for (the likeliest class, possibly the label), unsure (what label and
    other class, whichever has more, leave of the shares; 1 where nothing is known), twin_group, and answer: whether the
    label as given was wrong by somebody's word (1), or right (0), nan where nobody said. score, wrong and share are
    about the label as given. `left_out` counts pictures without a label or not in the graph yet. Where by
    `agreement` the model does not know the classes, wrong and share are nan, and a kind says nothing of the label.
    """

    pictures: pd.DataFrame
    classes: tuple[str, ...]
    left_out: int
    agreement: LabelAgreement

    def of_kind(self, kind: str) -> pd.DataFrame:
        """The pictures of a kind, the most doubtful first: `COLUMNS`."""
        return self.pictures.loc[self.pictures["kind"] == kind, list(COLUMNS)].reset_index(drop=True)

    def between(self, pair: "ClassPair") -> pd.DataFrame:
        """The pictures of two classes that look like the other one, the most doubtful first: `COLUMNS`."""
        label, other = self.pictures["label"], self.pictures["taken_for"]
        there, back = ((label == own) & (other == taken) for own, taken in (pair, pair[::-1]))
        rows = self.pictures[there | back]
        return rows.assign(suggested=rows["taken_for"])[list(COLUMNS)].reset_index(drop=True)

    def count(self, kind: str) -> int:
        """How many pictures are of a kind."""
        return int((self.pictures["kind"] == kind).sum())

    def undropped(self, table: pd.DataFrame) -> int:
        """How many of the pictures are not dropped, by what `table`, `ImageSet.table()`, says is decided."""
        dropped = table["id"][table["decision"] == "drop"]
        return int((~self.pictures["id"].isin(dropped)).sum())

    @cached_property
    def confused(self) -> pd.DataFrame:
        """Pairs of classes that overlap: see `confused_pairs`."""
        return confused_pairs(self.pictures)

    @cached_property
    def mixed(self) -> pd.DataFrame:
        """Those of `confused` that overlap by MIXED_PICTURES and MIXED_SHARE; none where classes are not known."""
        share = self.confused[["a_as_b_share", "b_as_a_share"]].max(axis=1)
        is_mixed = (self.confused["pictures"] >= MIXED_PICTURES) & (share >= MIXED_SHARE)
        return self.confused.loc[is_mixed & self.agreement.is_known]


def check_labels(
    table: pd.DataFrame,
    contents: NDArray[np.int64],
    graph: Graph,
    labels: CodedLabels,
    evidence: LabelEvidence,
    *,
    agreement: LabelAgreement,
    useless: Collection[int] = (),
) -> LabelCheck:
    """Check the column `label` of `ImageSet.table()`, with content keys (N,) in its order.

    `labels` and `evidence` are of the graph's contents; `useless` are the ids of pictures that show hardly anything:
    nobody can tell whether their labels are right.
    """
    row = positions_of(contents, graph.content)
    usable = np.flatnonzero((row >= 0) & table["label"].notna().to_numpy())
    number = {name: code for code, name in enumerate(labels.names)}
    codes = table["label"].iloc[usable].map(str).map(number).to_numpy().astype(np.int32)
    judged = judge_labels(row[usable], codes, graph=graph, voter=labels.codes, evidence=evidence)
    pictures = _as_table(table.iloc[usable], judged, labels.names)
    is_unseen = (pictures["kind"] != CONFLICTING) & pictures["id"].isin(list(useless)) & pictures["answer"].isna()
    kind = pictures["kind"].mask(is_unseen, UNSEEN)
    if not agreement.is_known:
        kind = kind.mask(kind.isin([LIKELY_WRONG, BETWEEN]), "")
        pictures = pictures.assign(wrong=np.float32(np.nan), share=np.float32(np.nan))
    return LabelCheck(pictures.assign(kind=kind), labels.names, len(table) - len(usable), agreement)


def _as_table(rows: pd.DataFrame, judged: Judged, classes: tuple[str, ...]) -> pd.DataFrame:
    names = np.array([*classes, None], dtype=object)  # the code −1 finds the last
    checked, is_judged = rows["label_checked"], (judged.suggested != NONE) & (judged.kind != CONFLICTING)
    pictures = rows[["id", "path", "label"]].assign(
        suggested=names[judged.suggested],
        share=np.where(judged.suggested >= 0, judged.best, np.float32(np.nan)),
        wrong=judged.wrong,
        score=judged.score,
        kind=np.where(checked.notna(), "", judged.kind),
        support=judged.support,
        neighbours=judged.voters,
        taken_for=rows["first_class"].where(rows["first_class"].notna(), rows["label"]),
        twin_group=rows["twin_group"],
        unsure=1 - np.maximum(judged.own, judged.best),
        answer=np.where(checked.notna() & is_judged, relabelled(rows).astype(float), np.nan),
        is_certain=np.where(judged.kind == CONFLICTING, 0, 1),
    )
    order = ["is_certain", "score", "path"]
    return pictures.sort_values(order, ascending=[True, False, True], ignore_index=True).drop(columns="is_certain")


def acceptable(pictures: pd.DataFrame) -> pd.DataFrame:
    """Those of some rows (`COLUMNS`) whose suggestion may be taken: their label is likelier wrong than right.

    Of twins one: copies in conflict would else swap their labels.
    """
    is_likely = pictures["kind"].isin([LIKELY_WRONG, CONFLICTING]) & pictures["suggested"].notna()
    return first_of_each(pictures[is_likely])


def confused_in(table: pd.DataFrame) -> pd.DataFrame:
    """The pairs of classes of `ImageSet.table()`, by the likeliest class of each labelled picture."""
    judged = table.loc[table["label"].notna() & table["first_class"].notna(), ["label", "first_class"]]
    return confused_pairs(judged.rename(columns={"first_class": "taken_for"}))


def confused_pairs(pictures: pd.DataFrame) -> pd.DataFrame:
    """One row per pair of classes (columns label and taken_for of `pictures`), those that overlap most first.

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


ClassPair = tuple[str, str]
"""Two classes that overlap."""


def each_way(confused: pd.DataFrame, pair: ClassPair) -> str:
    """How many of each class look like the other, by `confused_pairs`.

    As in "6 (50 %) of orange look like lime, 1 (8 %) the other way".
    """
    row = confused[(confused["class_a"] == pair[0]) & (confused["class_b"] == pair[1])].iloc[0]
    there, back = (f"{row[name]:,} ({percent(row[f'{name}_share'])})" for name in ("a_as_b", "b_as_a"))
    return f"{there} of {pair[0]} look like {pair[1]}, {back} the other way"


NO_CLASSES = (
    "There are no labels to check: that takes pictures of at least two classes. Put the pictures into class folders "
    "(photos/cat/…, photos/dog/…), or bring a table that has a label column: "
    "url-viz columns add FOLDER FILE --label COLUMN."
)


@column()
def label_check(
    measured: pd.DataFrame,
    base: Frame,
    reasons: Reasons,
    content_labels: CodedLabels | None,
    class_shares: StoredClasses | None,
    label_evidence: LabelEvidence | None,
    label_witnesses: Lazy[Graph | None],
    agreement: LabelAgreement,
) -> LabelCheck | None:
    """The check of the labels; None without labels to check."""
    graph = None if content_labels is None or class_shares is None else label_witnesses()
    if content_labels is None or class_shares is None or graph is None:
        return None
    evidence = label_evidence or class_shares.evidence
    unseen = useless(measured, reasons)["id"].tolist()
    columns = measured, base.contents, graph, content_labels, evidence
    return check_labels(*columns, agreement=agreement, useless=unseen)
