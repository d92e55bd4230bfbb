"""What a change of a set did: mean ambiguity of each class and accuracy of a linear probe, before and after."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.evidence.order_metrics import Figure, Influenced
from url_viz.analysis.evidence.probe import probe_folds, probe_inputs
from url_viz.analysis.evidence.worth import called_by_arms, class_count, makes_no_difference, points, sampled_rows
from url_viz.analysis.labels.classes import agreed_label, picture_labels
from url_viz.analysis.labels.votes import NONE, Codes
from url_viz.analysis.versions.changes import PATH, Matching, Rows
from url_viz.store.tables.tables import positions_of
from url_viz.wording import counted, percent

SEEDS = 3
LEAST_DIFFERENCE = 0.02
"""A class has become more ambiguous, or clearer, by at least so much: any new fit of the classes moves all a little."""
FEWEST = 10
"""With fewer pictures to evaluate on, or fewer of a class, nothing is said."""


@dataclass(frozen=True)
class ProbeChange:
    """The accuracy of the same linear probe trained on two versions, on the same `pictures`, and the difference.

    These pictures are in both versions, not dropped, with the same label in both: what was relabelled trains, but does
    not tell which labels are right. A probe has seen neither a picture nor its twins, which are dealt to folds by
    `SEEDS` seeds as whole groups. Both read the whitened space of the later version. Intervals (95 %) are over groups
    of twins; `before` and `after` are shares, `difference` is after − before.
    """

    before: Figure
    after: Figure
    difference: Figure
    pictures: int

    @property
    def words(self) -> str:
        """The figures in two sentences."""
        verdict = "no measurable difference: " if makes_no_difference(self.difference) else ""
        return (
            f"The same linear probe gets {percent(self.before.value, digits=1)} right trained on the first version and "
            f"{percent(self.after.value, digits=1)} on the second, {verdict}{points(self.difference)}. Evaluated "
            f"on {counted(self.pictures, 'picture')} of both versions whose label stayed, none of which, nor a near "
            "copy, it was trained on."
        )


def probe_change(
    whitened: NDArray[np.floating], before: Codes, after: Codes, is_test: NDArray[np.bool_], group: NDArray[np.integer]
) -> ProbeChange | None:
    """Compare probes trained on labels `before` and `after` (N,), NONE for not in that version, codes of one list.

    Rows are distinct contents of both versions: `whitened` (N, A), `is_test` (N,) those to evaluate on, `group` (N,)
    source groups. None with fewer than FEWEST groups to evaluate on, or fewer than two classes in a version.
    """
    rows = np.flatnonzero((before != NONE) | (after != NONE))
    if min(class_count(before), class_count(after)) < 2:
        return None
    right, times = np.zeros((2, len(before))), np.zeros(len(before))
    for seed in range(SEEDS):
        drawn = rows[sampled_rows(before[rows], after[rows], np.random.default_rng([seed, len(rows)]))]
        fold = probe_folds(group[drawn], seed=seed)
        called = called_by_arms(probe_inputs(whitened[drawn]), np.array([before[drawn], after[drawn]]), fold)
        right[:, drawn] += called == after[drawn]
        times[drawn] += 1
    test = np.flatnonzero(is_test & (after != NONE) & (times > 0))
    block = group[test]
    if len(np.unique(block)) < FEWEST:
        return None
    shares = [_mean(each[test] / times[test]) for each in right]
    difference = shares[1] - shares[0]
    first, second = (each.by_blocks(block) for each in shares)
    return ProbeChange(first, second, difference.by_blocks(block, least=-1), len(test))


def _mean(values: NDArray[np.float64]) -> Influenced:
    return Influenced(float(values.mean()), (values - values.mean()) / len(values))


def contents_with_one_label(
    before: pd.DataFrame, after: pd.DataFrame, matching: Matching, content: Rows
) -> NDArray[np.bool_]:
    """Which contents (M,) are evaluated on: of the later version's pictures that both have, with one label in both.

    `before` and `after` are rows of both versions, dropped pictures without a label.
    """
    earlier, later = before["label"].to_numpy(object)[matching.before], after["label"].to_numpy(object)[matching.after]
    stayed = (matching.by != PATH) & pd.notna(earlier) & (earlier == later)
    has_one_label = np.zeros(len(content), bool)
    has_one_label[positions_of(after["content"].to_numpy(np.int64)[matching.after[stayed]], content)] = True
    return has_one_label


def content_codes_of(sides: Sequence[pd.DataFrame], content: Rows) -> list[Codes]:
    """The label codes (M,) of contents in each of some tables, of one list of names; NONE if absent or not agreed."""
    codes = picture_labels(pd.concat([side["label"] for side in sides], ignore_index=True).astype(object)).codes
    parts = np.split(codes, np.cumsum([len(side) for side in sides])[:-1])
    codes_of = []
    for side, code in zip(sides, parts, strict=True):
        row = positions_of(side["content"].to_numpy(np.int64), content)
        has = (row >= 0) & (code != NONE)
        codes_of.append(agreed_label(row[has], code[has], len(content)))
    return codes_of


def ambiguity_by_class(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The mean ambiguity of each class before and after, what differs most first, with a 95 % interval over groups.

    Rows have label, ambiguity (nan for none), and `group`, the source group, of one list in both. Columns: label,
    pictures_before, pictures, before, after, difference, low, high, and p, Student's p-value of no difference. A group
    counts with its pictures of both versions: what both have in common varies in both. Classes of fewer than FEWEST
    groups, or without pictures in a version, are left out.
    """
    earlier, later = (dict(list(side.dropna(subset=["ambiguity"]).groupby("label"))) for side in (before, after))
    rows = [_of_class(str(name), earlier[name], later[name]) for name in earlier if name in later]
    columns = ["label", "pictures_before", "pictures", "before", "after", "difference", "low", "high", "p"]
    table = pd.DataFrame([row for row in rows if row is not None], columns=columns)
    return table.sort_values("difference", key=np.abs, ascending=False, kind="stable", ignore_index=True)


def _of_class(name: str, before: pd.DataFrame, after: pd.DataFrame) -> tuple[object, ...] | None:
    group = pd.concat([before["group"], after["group"]]).to_numpy()
    if len(np.unique(group)) < FEWEST:
        return None
    earlier, later = (_mean(side["ambiguity"].to_numpy(np.float64)) for side in (before, after))
    influence = np.concatenate([-earlier.influence, later.influence])
    difference = Influenced(later.value - earlier.value, influence)
    figure, p = difference.by_blocks(group, least=-1), difference.p_by_blocks(group)
    ends = figure.interval.low, figure.interval.high
    return name, len(before), len(after), earlier.value, later.value, figure.value, *ends, p
