"""What changed between two versions, picture by picture, and what that did to ambiguity and accuracy."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.wording import counted, first_of, percent
from url_viz.columns.ranking import NONE
from url_viz.evidence.order_metrics import Figure, Influenced
from url_viz.evidence.probe import probe_folds, probe_inputs
from url_viz.evidence.worth import called_by_arms, class_count, points, sampled_rows
from url_viz.imaging.folder_classes import BETWEEN
from url_viz.labels.classes import agreed_label, coded_labels
from url_viz.labels.votes import Codes
from url_viz.pipeline.overlaps import overlapping
from url_viz.store.columns.source_columns import BOX_COLUMNS, PICTURE
from url_viz.store.tables.tables import Twins, positions_of

CHANGES = {
    "added": "added",
    "removed": "removed",
    "moved": "moved or renamed",
    "reencoded": "encoded anew",
    "relabelled": "relabelled",
    "either": "rightly both of two classes, or other two than before",
    "replaced": "replaced by another at their path",
    "split_changed": "in another split",
    "dropped": "dropped",
    "decided": "with another decision",
    "boxes_changed": "with another box",
}
"""What may have happened to a picture, each a column of `changes`, and the words for it; a picture may have several."""
SAME_BOX = 0.5
"""Intersection over union from which two boxes in one picture mark one object."""
BOX = list(BOX_COLUMNS[:4])
CONTENT, TWIN, AT_PLACE, PATH = range(4)
"""By what two pictures were matched: equal bytes; copies; boxes that overlap in one picture; the path alone."""
Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Matching:
    """P pictures of both versions: their rows `before` and `after` (P,), each at most once, and `by` what (P,)."""

    before: Rows
    after: Rows
    by: NDArray[np.int8]

    def earlier_rows(self, count: int) -> Rows:
        """The earlier version's row for each of the later one's `count`, −1 if it had another picture or none."""
        row = np.full(count, -1, np.int64)
        is_same = self.by != PATH
        row[self.after[is_same]] = self.before[is_same]
        return row


def match(before: pd.DataFrame, after: pd.DataFrame, content: Rows, twins: Twins) -> Matching:
    """Which pictures of two versions are the same: id, path, content, label, split, decision, in any order.

    By equal content first: at one path, then of one file name, then in the order of the tables. Then objects (which
    have BOX and PICTURE) by boxes of one picture that overlap by SAME_BOX, most first; then by `twins`, copies
    of the contents (M,), those at one path first, then the most alike; at last pictures that are neither by their path.
    An exchange of both versions exchanges the result.
    """
    pairs = _Pairs(before, after)
    rows = positions_of(before["id"].to_numpy(), after["id"].to_numpy())
    is_same = before["content"].to_numpy() == np.append(after["content"], -1)[rows]  # no content is negative
    pairs.add(np.flatnonzero(is_same), rows[is_same], CONTENT)
    pairs.add(*_equal(*pairs.rest(), ["content", "name"]), CONTENT)
    pairs.add(*_equal(*pairs.rest(), ["content"]), CONTENT)
    has_boxes = set(BOX) <= {*before.columns} & {*after.columns}
    if has_boxes:
        pairs.add_best(_by_box(*pairs.rest()), AT_PLACE)
    pairs.add_best(_by_twins(*pairs.rest(), content, twins), TWIN)
    if not has_boxes:
        pairs.add(*_equal(*pairs.rest(), ["id"]), PATH)
    return pairs.matching()


Link = tuple[tuple[float, ...], int, int]
"""How good a pair is, smaller = better, and its two rows."""


class _Pairs:
    """The pairs so far, and the rows of both tables that are left."""

    def __init__(self, before: pd.DataFrame, after: pd.DataFrame) -> None:
        self._tables = tuple(
            table.reset_index(drop=True).assign(name=[path.rpartition("/")[2] for path in table["path"]])
            for table in (before, after)
        )
        self._is_left = np.ones(len(before), bool), np.ones(len(after), bool)
        self._pairs: list[tuple[Rows, Rows, int]] = []

    def add(self, before: Rows, after: Rows, by: int) -> None:
        for is_left, rows in zip(self._is_left, (before, after), strict=True):
            is_left[rows] = False
        self._pairs.append((before, after, by))

    def add_best(self, links: Iterable[Link], by: int) -> None:
        """The best pair, then the best of what is left, and so on."""
        rows: list[tuple[int, int]] = []
        for _, left, right in sorted(links):
            if self._is_left[0][left] and self._is_left[1][right]:
                self._is_left[0][left] = self._is_left[1][right] = False
                rows.append((left, right))
        pairs = np.array(rows, np.int64).reshape(-1, 2)
        self.add(pairs[:, 0], pairs[:, 1], by)

    def rest(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        left, right = (table[is_left] for table, is_left in zip(self._tables, self._is_left, strict=True))
        return left, right

    def matching(self) -> Matching:
        before, after = (np.concatenate([part[side] for part in self._pairs]) for side in (0, 1))
        by = np.concatenate([np.full(len(rows), by, np.int8) for rows, _, by in self._pairs])
        order = np.argsort(after)
        return Matching(before[order].astype(np.int64), after[order].astype(np.int64), by[order])


def _equal(before: pd.DataFrame, after: pd.DataFrame, columns: Sequence[str]) -> tuple[Rows, Rows]:
    """Rows with equal values: the first of one with the first of the other, by path, the second with the second …"""
    sides = []
    for table in (before.sort_values("path", kind="stable"), after.sort_values("path", kind="stable")):
        number = table.groupby(list(columns), sort=False).cumcount()
        sides.append(table[list(columns)].assign(number=number, row=table.index.to_numpy(np.int64)))
    both = sides[0].merge(sides[1], on=[*columns, "number"], suffixes=("_before", "_after"))
    return both["row_before"].to_numpy(np.int64), both["row_after"].to_numpy(np.int64)


def _by_box(before: pd.DataFrame, after: pd.DataFrame) -> list[Link]:
    """Objects left in one picture whose boxes overlap, the more the better."""
    picture = pd.factorize(pd.concat([before[PICTURE], after[PICTURE]]))[0]
    mine, theirs = (table[BOX].to_numpy(np.float64) for table in (before, after))
    pictures = picture[: len(before)], picture[len(before) :]
    overlaps = overlapping(mine, theirs, picture=pictures[0], other_picture=pictures[1], least=SAME_BOX)
    links: list[Link] = []
    for mine_row, their_row, share in overlaps:
        pairs = before.index.to_numpy()[mine_row].tolist(), after.index.to_numpy()[their_row].tolist()
        links += [((-by,), *pair) for by, *pair in zip(share.tolist(), *pairs, strict=True)]
    return links


def _by_twins(before: pd.DataFrame, after: pd.DataFrame, content: Rows, twins: Twins) -> list[Link]:
    """Twins among pictures that are left: at one path first, then the most alike, then the first names."""
    every = pd.DataFrame({"one": content[twins.pair].ravel(), "other": content[twins.pair[:, ::-1]].ravel()})
    every["cosine"] = np.repeat(twins.cosine, 2)
    left, right = (table.reset_index(names="row")[["row", "path", "content"]] for table in (before, after))
    links = left.merge(every, left_on="content", right_on="one").merge(
        right, left_on="other", right_on="content", suffixes=("", "_after")
    )
    return [
        ((path != path_after, -cosine, *sorted((path, path_after))), row, row_after)
        for row, path, cosine, row_after, path_after in links[
            ["row", "path", "cosine", "row_after", "path_after"]
        ].itertuples(index=False)
    ]


def changes(before: pd.DataFrame, after: pd.DataFrame, matching: Matching) -> pd.DataFrame:
    """How matched pictures differ, and which have no match, by path; arguments as `match` takes them.

    A row for each picture that changed: id, path, label, split, decision, the same of before (`path_before` …), None
    where it was not there, and CHANGES. The path of a removed picture stands in `path`, too.
    Moved is the same content at another path (of an object: in another picture); reencoded a copy of other bytes;
    replaced another picture at the same path. In another split is what was in one before: for splits that were made
    since see `splits_in_words`.
    """

    def differs(*columns: str) -> Bools:
        """Whether any of these columns differs (P,), where both versions have it; two missing values do not."""
        differs = np.zeros(len(matching.before), bool)
        for name in set(columns) & {*before.columns} & {*after.columns}:
            left, right = before[name].to_numpy()[matching.before], after[name].to_numpy()[matching.after]
            unequal = np.flatnonzero(left != right)
            differs[unequal] |= ~(pd.isna(left[unequal]) & pd.isna(right[unequal]))
        return differs

    is_decided, is_dropped = differs("decision"), after["decision"].eq("drop").to_numpy(bool)[matching.after]
    is_content, place = matching.by == CONTENT, PICTURE if PICTURE in before and PICTURE in after else "id"
    has_moved_box = (matching.by == AT_PLACE) & differs(*BOX)
    is_in = before["split"].notna().to_numpy()[matching.before] & after["split"].notna().to_numpy()[matching.after]
    differences = {
        "moved": is_content & differs(place),
        "reencoded": (matching.by == TWIN) | ((matching.by == AT_PLACE) & ~has_moved_box),
        "relabelled": differs("label"),
        "either": differs("either"),
        "replaced": matching.by == PATH,
        "split_changed": is_in & differs("split"),
        "dropped": is_decided & is_dropped,
        "decided": is_decided & ~is_dropped,
        "boxes_changed": has_moved_box,
    }
    changed = np.flatnonzero(np.any(list(differences.values()), axis=0))
    removed = before.iloc[np.delete(np.arange(len(before)), matching.before)]
    added = after.iloc[np.delete(np.arange(len(after)), matching.after)]
    parts = [
        _sided(after.iloc[matching.after[changed]], before.iloc[matching.before[changed]]).assign(
            **{name: values[changed] for name, values in differences.items()}
        ),
        _sided(added, None).assign(added=True),
        _sided(None, removed).assign(removed=True, path=removed["path"].to_numpy()),
    ]
    table = pd.concat(
        [part.reindex(columns=_COLUMNS) for part in parts if len(part)] or [pd.DataFrame(columns=_COLUMNS)]
    )
    flags = table[list(CHANGES)].eq(True)
    table = table.astype(object).where(table.notna(), None)
    return table.assign(**flags).sort_values(["path", "removed"], kind="stable", ignore_index=True)


SIDE = ("id", "path", "label", "split", "decision")
_COLUMNS = [*SIDE, *(f"{name}_before" for name in SIDE), *CHANGES]


def _sided(after: pd.DataFrame | None, before: pd.DataFrame | None) -> pd.DataFrame:
    """The columns of both sides of the same rows, as objects: ids keep their digits where others have none."""
    sides = ((after, ""), (before, "_before"))
    columns = {f"{name}{end}": side[name].to_numpy(object) for side, end in sides if side is not None for name in SIDE}
    return pd.DataFrame(columns, dtype=object)


def new_leaks(leaks: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame, matching: Matching) -> pd.DataFrame:
    """Those of `SetSplits.leaks` of the later version whose two pictures did not lie in two splits before.

    Dropped pictures are in no split; one that its source named in several was in two by itself.
    """
    row = np.append(matching.earlier_rows(len(after)), -1)
    split = np.array([*before["split"].where(before["decision"] != "drop"), None], object)
    ids = after["id"].to_numpy(np.int64)
    splits, twin_splits = (split[row[positions_of(leaks[name].to_numpy(np.int64), ids)]] for name in ("id", "twin_id"))
    is_twice = np.array([isinstance(text, str) and BETWEEN in text for text in splits], bool)
    is_old = pd.notna(splits) & pd.notna(twin_splits) & ((splits != twin_splits) | is_twice)
    new: pd.DataFrame = leaks[~is_old].reset_index(drop=True)
    return new


def counts_of(rows: pd.DataFrame, column: str = "label") -> dict[str, int]:
    """How many pictures that are not dropped each class (or split) has, the largest first."""
    counts = rows.loc[(rows["decision"] != "drop").to_numpy(bool), column].value_counts()
    return {str(name): int(count) for name, count in counts.items()}


def splits_in_words(before: pd.DataFrame, after: pd.DataFrame, *, moved: int) -> str:
    """What became of the splits as a whole, where pictures of one id were put into one, or none is in one any more.

    Beside how many pictures `moved` from one to another; "" where nothing else was done to the splits.
    """
    row = positions_of(before["id"].to_numpy(np.int64), after["id"].to_numpy(np.int64))
    was, now = before["split"].notna().to_numpy()[row >= 0], after["split"].notna().to_numpy()[row[row >= 0]]
    if was.any() and not after["split"].notna().any():
        return "No picture is in a split any more."
    if not (now & ~was).any():
        return ""
    shares = [f"{percent(share)} {name}" for name, share in after["split"].value_counts(normalize=True).items()]
    pictures = counted(moved, "picture") if moved else "no picture"
    return f"Splits made: {first_of(shares)}; {pictures} moved between existing splits."


SEEDS = 3
LEAST_DIFFERENCE = 0.02
"""By how much a class must have become more ambiguous, or clearer: any new fit of the classes moves all a little."""
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
        verdict = "no measurable difference: " if not self.difference.sign else ""
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
    shares = [Influenced.mean(each[test] / times[test]) for each in right]
    difference = shares[1] - shares[0]
    first, second = (each.by_blocks(block) for each in shares)
    return ProbeChange(first, second, difference.by_blocks(block, least=-1), len(test))


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


def content_codes(sides: Sequence[pd.DataFrame], content: Rows) -> list[Codes]:
    """The label codes (M,) of contents in each of some tables, of one list of names; NONE if absent or not agreed."""
    codes = coded_labels(pd.concat([side["label"] for side in sides], ignore_index=True).astype(object)).codes
    parts = np.split(codes, np.cumsum([len(side) for side in sides])[:-1])
    agreed = []
    for side, code in zip(sides, parts, strict=True):
        row = positions_of(side["content"].to_numpy(np.int64), content)
        has = (row >= 0) & (code != NONE)
        agreed.append(agreed_label(row[has], code[has], len(content)))
    return agreed


def ambiguity_by_class(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The mean ambiguity of each class before and after, what differs most first, with a 95 % interval over groups.

    Rows have label, ambiguity (nan for none), and `group`, the source group, of one list in both. Columns: label,
    pictures_before, pictures, before, after, difference, low, high, and p, Student's p-value of no difference. A group
    counts with its pictures of both versions: what both have in common varies in both. Classes of fewer than FEWEST
    groups, or without pictures in a version, are left out.
    """
    earlier, later = (dict(list(side.dropna(subset=["ambiguity"]).groupby("label"))) for side in (before, after))
    rows = []
    for name, sides in ((name, (earlier[name], later[name])) for name in earlier if name in later):
        group = np.concatenate([side["group"] for side in sides])
        if len(np.unique(group)) >= FEWEST:
            was, now = (Influenced.mean(side["ambiguity"].to_numpy(np.float64)) for side in sides)
            change = Influenced(now.value - was.value, np.concatenate([-was.influence, now.influence]))
            figure, sizes = change.by_blocks(group, least=-1), map(len, sides)
            ends = figure.interval.low, figure.interval.high
            rows.append((str(name), *sizes, was.value, now.value, figure.value, *ends, change.p_by_blocks(group)))
    columns = ["label", "pictures_before", "pictures", "before", "after", "difference", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values("difference", key=np.abs, ascending=False, kind="stable", ignore_index=True)
