"""Leakage: pictures in two splits, or of which a copy or another view is in another split or in another set."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.base.wording import counted, listed
from url_viz.columns.engine import Lazy, column
from url_viz.columns.ranking import NONE
from url_viz.columns.table import Frame, Imported
from url_viz.columns.twin_groups import COPIES, group_codes
from url_viz.columns.undecided import is_resolved
from url_viz.findings.checks import Check, Listed, Said, has_boxes
from url_viz.imaging.folder_classes import BETWEEN, SPLIT, is_split_column, parted_splits
from url_viz.labels.apart import Apart
from url_viz.labels.votes import Codes
from url_viz.store.columns.source_columns import PICTURE
from url_viz.store.columns.user_files import as_text
from url_viz.store.tables.tables import Graph, Twins, no_twins, positions_of

APART = "kept apart"
"""The kind of a leak that is no twin: of one patient, or whatever is kept apart."""
SAME_FILE = "same file"
"""The kind of a leak that is one picture, which its source names in several splits."""
SCENE, COPY, EXACT = "same scene", "copy", "exact"
"""The kinds of a leak by twins: another view in two splits, a copy, and the same file twice."""
PICTURE_PAIR = ["picture", "split", "twin_picture", "twin_split"]
_COPY_LIKENESS = np.float32(2)
MOST_SPLITS = 50
"""A column of more values identifies pictures rather than splits."""
_TRAINING = re.compile(r"train|learn", re.IGNORECASE)

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """The splits of N pictures by one `column`: the S `names`, the largest first, and `is_in` (N, S) bool.

    A picture that its source names in several splits is in each of these.
    """

    column: str
    names: tuple[str, ...]
    is_in: NDArray[np.bool_]

    @cached_property
    def codes(self) -> Codes:
        """The split of each picture (N,) int32, of several the largest; NONE for none."""
        return np.where(self.is_in.any(axis=1), self.is_in.argmax(axis=1), NONE).astype(np.int32)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many pictures each split has."""
        return tuple(self.is_in.sum(axis=0).tolist())

    @cached_property
    def texts(self) -> NDArray[np.object_]:
        """The split of each picture (N,) in words, "train + val" for several; None for none."""
        sets, which = np.unique(self.is_in @ (1 << np.arange(len(self.names))), return_inverse=True)
        words = [self._text([n for n in range(len(self.names)) if bits >> n & 1]) for bits in sets.tolist()]
        return np.array([*words, None], object)[which]

    def name_of(self, row: int) -> str | None:
        """The split of a picture, as of `texts`."""
        return self._text(np.flatnonzero(self.is_in[row]).tolist())

    def _text(self, codes: Sequence[int]) -> str | None:
        return BETWEEN.join(self.names[code] for code in codes) or None


def find_splits(table: pd.DataFrame, brought: Iterable[str] = ()) -> Splits | None:
    """The splits of the pictures of `ImageSet.table()`; None if there are no two.

    They are those of the column `split` (levels of folders, or a column of the user's), else by the first of the user's
    columns `brought` that is named like one: subset, fold, is_train. Of two splits of one size training is the larger.
    """
    for name in dict.fromkeys([SPLIT, *filter(is_split_column, brought)]):
        if name in table:
            codes, cells = pd.factorize(table[name])
            names_in = [[_split_name(name, value) for value in parted_splits(cell)] for cell in cells]
            names = tuple(dict.fromkeys(chain.from_iterable(names_in)))
            if 1 < len(names) <= MOST_SPLITS:
                return _splits(name, names, names_in, codes)
    return None


def _splits(column: str, names: Sequence[str], names_in: Sequence[Collection[str]], codes: Rows) -> Splits:
    """The splits `names` of pictures (N,) whose cells, by `codes`, are in some of these each."""
    is_in = np.array([[name in cell for name in names] for cell in [*names_in, ()]], bool)[codes]
    counts = is_in.sum(axis=0)
    order = sorted(range(len(names)), key=lambda n: (-counts[n], not _TRAINING.search(names[n]), names[n]))
    return Splits(column, tuple(names[n] for n in order), is_in[:, order])


def _split_name(column: str, value: object) -> str:
    """The name of a split: a number, or yes or no, says something beside its column alone ("fold 3")."""
    text = as_text(float(value)) if isinstance(value, (float, np.floating)) else str(value)
    is_bare = re.fullmatch(r"[-+.\d]*|true|false|yes|no|[yntf]", text, re.IGNORECASE)
    return f"{column} {text}" if is_bare else text


@dataclass(frozen=True)
class Leaked:
    """L pictures with a twin in a larger split: the rows `row` and `twin` (L,), and `cosine` (L,), nan if not known.

    `split` and `twin_split` (L,) are the codes of their splits; `is_copy` (L,) says which twins are copies, and not
    views. Of a picture in two splits the twin is the picture.
    """

    row: Rows
    twin: Rows
    split: Rows
    twin_split: Rows
    cosine: Floats
    is_copy: NDArray[np.bool_]


def leaked(is_in: NDArray[np.bool_], key: Rows, twins: Twins) -> Leaked:
    """The pictures that are in two splits, or have a twin in a larger one, each with a copy, else the nearest view.

    `is_in` (N, S) are splits, the largest first; `key` (N,) the row of each picture in `twins`, negative for none. Of
    every two twins in two splits one is named: without these pictures no split has a twin of another.
    """
    left, right, likeness = _edges(twins)
    is_twice = is_in.sum(axis=1) > 1
    best = np.full((2, twins.rows), -1, np.int64)  # the most alike of the larger splits, and which split
    nearest = np.full(twins.rows, -np.inf, np.float32)
    parts = [_in_two(is_in, np.flatnonzero(is_twice))]
    for code in range(is_in.shape[1]):
        rows = np.flatnonzero(is_in[:, code] & (key >= 0))
        once = rows[~is_twice[rows]]
        once = once[best[0, key[once]] >= 0]
        row = key[once]
        parts.append(_leaked(once, best[0, row], code, best[1, row], nearest[row]))
        first_row = np.full(twins.rows, -1, np.int64)
        first_row[key[rows[::-1]]] = rows[::-1]
        here = first_row[right] >= 0
        new, alike = np.full(twins.rows, -1, np.int64), np.full(twins.rows, -np.inf, np.float32)
        new[left[here]], alike[left[here]] = first_row[right[here]], likeness[here]  # of one row the last, most alike
        is_nearer = alike > nearest
        best[0, is_nearer], best[1, is_nearer], nearest[is_nearer] = new[is_nearer], code, alike[is_nearer]
    return Leaked(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Leaked)))


def _leaked(row: Rows, twin: Rows, split: int, twin_split: Rows, likeness: Floats) -> Leaked:
    is_copy = likeness >= _COPY_LIKENESS
    cosine = np.where(is_copy, likeness - 2 * _COPY_LIKENESS, likeness)
    return Leaked(row, twin, np.full(len(row), split), twin_split, cosine, is_copy)


def _in_two(is_in: NDArray[np.bool_], rows: Rows) -> Leaked:
    """Pictures that are in several splits: in the second largest of these, with themselves in the largest."""
    largest = is_in[rows].argmax(axis=1)
    others = is_in[rows]
    others[np.arange(len(rows)), largest] = False
    every = np.ones(len(rows), bool)
    return Leaked(rows, rows, others.argmax(axis=1), largest, np.full(len(rows), np.inf, np.float32), every)


def _edges(twins: Twins) -> tuple[Rows, Rows, Floats]:
    """Every pair in both directions, and each row with itself, the least alike first: ends, and likeness (E,).

    This is the cosine, and of copies 2 · _COPY_LIKENESS more.
    """
    every = np.arange(twins.rows)
    left = np.concatenate([twins.pair[:, 0], twins.pair[:, 1], every])
    right = np.concatenate([twins.pair[:, 1], twins.pair[:, 0], every])
    of_pair = twins.cosine + 2 * _COPY_LIKENESS * twins.is_copy
    likeness = np.concatenate([of_pair, of_pair, np.full(twins.rows, np.inf)]).astype(np.float32)
    order = np.argsort(likeness, kind="stable")
    return left[order], right[order], likeness[order]


def leaks_between_splits(table: pd.DataFrame, contents: Rows, splits: Splits, key: Rows, twins: Twins) -> pd.DataFrame:
    """Pictures that are in two splits, or have a twin in a larger one, those of the smallest first: `leak_table`.

    `key` (N,) is the row of each picture in `twins`, negative for none. Dropped pictures are in no split. Where twins
    are thinned, all of a group are each other's.
    """
    is_out = (table["decision"] == "drop").to_numpy(dtype=bool)
    given = twins
    if twins.is_thinned:
        key = group_codes(table)
        twins = no_twins(int(key.max(initial=-1)) + 1)
    crossing = leaked(splits.is_in & ~is_out[:, None], key, twins)
    if twins is not given:  # which says nothing of kinds
        copies = group_codes(table, COPIES)
        crossing = replace(crossing, is_copy=copies[crossing.row] == copies[crossing.twin])
    rows = leak_table(crossing, splits.names, (table, contents), (table, contents))
    rows.loc[crossing.row == crossing.twin, "kind"] = SAME_FILE
    return _sorted(rows, -crossing.split)


Side = tuple[pd.DataFrame, Rows]
"""Pictures on one side of a leak: their table (N rows) and content keys (N,)."""


def leaks_between_sets(
    mine: Side, others: Side, twins: Twins, keys: tuple[Rows, Rows], names: tuple[str, str]
) -> pd.DataFrame:
    """Pictures of one set that have a twin in another, the most alike first: `leak_table`.

    `keys` are the rows in `twins` of the pictures of both, `names` those of the sets, which stand as splits.
    """
    count = len(mine[0])
    is_mine = np.arange(count + len(others[0])) < count
    crossing = leaked(np.stack([~is_mine, is_mine], axis=1), np.concatenate(keys), twins)
    crossing = replace(crossing, twin=crossing.twin - count)
    return _sorted(leak_table(crossing, names[::-1], mine, others), 0 * crossing.row)


def leak_table(crossing: Leaked, names: Sequence[str], mine: Side, others: Side) -> pd.DataFrame:
    """One row a leaked picture: id, path, label, split, the same of its twin (twin_id …), cosine, kind.

    `names` are the splits. `kind` is EXACT for equal files, COPY, or SCENE; cosine is raw, 1 for equal files, nan where
    it was not kept.
    """
    (own, contents), (other, other_contents) = mine, others
    is_exact = contents[crossing.row] == other_contents[crossing.twin]
    cosine = np.where(is_exact, 1, np.where(np.isfinite(crossing.cosine), np.minimum(crossing.cosine, 1), np.nan))
    rows, twins = own.iloc[crossing.row], other.iloc[crossing.twin]
    split, twin_split = (np.array([*names, None], object)[codes] for codes in (crossing.split, crossing.twin_split))
    columns = {name: rows[name].to_numpy() for name in ("id", "path", "label")} | {"split": split}
    columns |= {f"twin_{name}": twins[name].to_numpy() for name in ("id", "path", "label")}
    columns |= {"twin_split": twin_split, "cosine": cosine.astype(np.float32)}
    return pd.DataFrame(
        {**columns, "kind": np.select([is_exact, crossing.is_copy], [EXACT, COPY], SCENE).astype(object)}
    )


def _sorted(rows: pd.DataFrame, first: NDArray[np.integer]) -> pd.DataFrame:
    """By `first`, then the most alike first, then by path."""
    order = np.lexsort((np.arange(len(rows)), -rows["cosine"].fillna(0).to_numpy(), first))
    return rows.iloc[order].reset_index(drop=True)


@column()
def splits(table: pd.DataFrame, imported: Imported) -> Splits | None:
    """The splits of the pictures; None if there are no two."""
    return find_splits(table, [column.name for column in imported.listed])


@column()
def leaks(
    table: pd.DataFrame,
    base: Frame,
    splits: Splits | None,
    apart: Apart,
    sources: NDArray[np.int32],
    graph: Lazy[Graph | None],
) -> pd.DataFrame | None:
    """Pictures and twins in two splits, and what is kept apart and lies in two; None without splits.

    A dropped object counts: its picture stays in its split.
    """
    if splits is None:
        return None
    table = table.assign(decision="") if has_boxes(table) else table
    set_graph, contents = graph(), base.contents
    twins = replace(no_twins(0), is_thinned=True) if set_graph is None else set_graph.twins
    key = contents if set_graph is None else positions_of(contents, set_graph.content)
    by_twins = leaks_between_splits(table, contents, splits, key, twins)
    if apart.codes is None:
        return by_twins
    others = leaks_between_splits(table, contents, splits, sources.astype(np.int64), no_twins(len(sources)))
    return pd.concat([by_twins, others[~others["id"].isin(by_twins["id"])].assign(kind=APART)], ignore_index=True)


def leaked_pictures(leaks: pd.DataFrame, *, is_of_objects: bool) -> pd.DataFrame:
    """The pictures of `leaks`, a row for each pair: picture, split, twin_picture, twin_split, kind, and how many rows.

    Pictures of objects are told by the objects' paths. One that has twins itself is not listed as kept apart, too.
    """
    paths = {name: leaks[path].astype(object) for name, path in (("picture", "path"), ("twin_picture", "twin_path"))}
    if is_of_objects:
        paths = {name: path.map(lambda text: text.rpartition("#")[0]) for name, path in paths.items()}
    rows = leaks.assign(**paths)
    rows = rows[(rows["kind"] != APART) | ~rows["picture"].isin(rows.loc[rows["kind"] != APART, "picture"])]
    return rows.groupby(PICTURE_PAIR, sort=False).agg(kind=("kind", "first"), rows=("id", "size")).reset_index()


def open_leaks(leaks: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The leaks by twins whose group is not resolved yet, with their `group`.

    A group is resolved once all of its pictures are decided, even if all are kept.
    """
    group, leaks = group_codes(table), leaks[~leaks["kind"].isin([APART, SAME_FILE])]
    is_open = np.bincount(group, weights=~is_resolved(table), minlength=1) > 0
    leak_group = pd.Series(group, index=table["id"]).loc[leaks["id"]].to_numpy(np.int64)
    left: pd.DataFrame = leaks.assign(group=leak_group)[is_open[leak_group]]
    return left


def _pictures_of_kind(kind: str, leaks: pd.DataFrame | None, table: pd.DataFrame) -> pd.DataFrame | None:
    """The leaks of a kind; of objects a row for each picture."""
    if leaks is None:
        return None
    rows = leaked_pictures(leaks, is_of_objects=True) if has_boxes(table) else leaks
    rows = rows[rows["kind"] == kind]
    return rows.drop_duplicates("picture") if has_boxes(table) else rows


def _leaks_by_twins(leaks: pd.DataFrame | None, table: pd.DataFrame) -> pd.DataFrame | None:
    """The leaks that are open; of objects a row for each picture, whatever is decided."""
    if leaks is None or not has_boxes(table):
        return None if leaks is None else open_leaks(leaks, table)
    rows = leaked_pictures(leaks, is_of_objects=True)
    return rows[~rows["kind"].isin([APART, SAME_FILE])].drop_duplicates("picture")


def _splits_in_words(rows: pd.DataFrame, name: str) -> str:
    return listed(list(map(str, rows[name].unique())))


def _said_of_twice(found: pd.DataFrame | None) -> Said | None:
    if found is None:
        return None
    splits = listed([*dict.fromkeys([*found["twin_split"], *found["split"]])])
    return Said(len(found), counted(len(found), "picture is", "pictures are") + f" in two splits at once, of {splits}")


def _said_of_leaks(table: pd.DataFrame, found: pd.DataFrame | None) -> Said | None:
    if found is None:
        return None
    splits, twins = (_splits_in_words(found, name) for name in ("split", "twin_split"))
    if has_boxes(table):
        words = counted(len(found), f"picture of {splits} shows", f"pictures of {splits} show")
        why = (
            "Testing on what is also in training makes a score too good. Move whole pictures: keep these in one split."
        )
        return Said(len(found), f"{words} objects that pictures in {twins} show, too", why, is_listed=True)
    words = counted(len(found), f"picture of {splits} has", f"pictures of {splits} have")
    return Said(len(found), f"{words} a copy or another view in {twins}")


def _said_of_apart(table: pd.DataFrame, found: pd.DataFrame | None, apart: Apart) -> Said | None:
    """Objects that are kept apart by their pictures: twins join these, and so those that have twins in common."""
    if found is None:
        return None
    twins = _splits_in_words(found, "twin_split")
    if has_boxes(table) and apart.choice == PICTURE:
        words = counted(len(found), "picture is", "pictures are")
        words += f" linked with {twins} by a third that shows objects of both"
        return Said(len(found), words, "All may be of one scene. Keep them in one split.")
    words = counted(len(found), "picture has", "pictures have")
    return Said(len(found), f"{words} others in {twins} of what is kept apart, such as a patient")


def _leaks_bound(leaks: pd.DataFrame | None, table: pd.DataFrame, undropped: pd.DataFrame) -> Listed | None:
    """Pictures in two splits, or with a twin in another; of objects whatever is decided on these."""
    if leaks is None:
        return None
    if has_boxes(table):
        rows = leaked_pictures(leaks[leaks["kind"] != APART], is_of_objects=True).drop_duplicates("picture")
        twin = np.where(rows["kind"] == SAME_FILE, " and", ", with objects of " + rows["twin_picture"])
        rows, total = rows.rename(columns={"picture": "path"}), table[PICTURE].nunique()
    else:
        rows = pd.concat([leaks[leaks["kind"] == SAME_FILE], open_leaks(leaks, table)])
        kind = np.where(rows["kind"] == SCENE, ", with another view ", ", with a copy ").astype(object)
        twin, total = np.where(rows["kind"] == SAME_FILE, " and", kind + rows["twin_path"]), len(undropped)
    parts = zip(rows["split"], twin, rows["twin_split"], strict=True)
    return rows.assign(detail=[f"in {split}{words} in {other}" for split, words, other in parts]), total


IN_TWO_SPLITS = Check(
    "in-two-splits",
    needs="splits",
    finds=partial(_pictures_of_kind, SAME_FILE),
    place=20,
    says=_said_of_twice,
    short="picture{s} in two splits",
    why="Their source names them more than once, so a test on one split repeats training on another. Correct it.",
    listed_by="splits leaks",
)
LEAKS = Check(
    "leaks",
    needs="splits",
    finds=_leaks_by_twins,
    place=30,
    says=_said_of_leaks,
    short="leak{s}",
    why="Testing on pictures that are also in training makes a score too good. Keep them in one split.",
    listed_by="splits leaks",
    title="Leaks: copies and views across splits",
    ask=None,
    bound=_leaks_bound,
)
KEPT_APART = Check(
    "apart-in-two-splits",
    needs="splits",
    finds=partial(_pictures_of_kind, APART),
    place=40,
    says=_said_of_apart,
    short="leak{s} of what is kept apart",
    why="A model that knows the patient, video or camera from training is tested too mildly. Keep each in one split.",
    listed_by="splits leaks",
)
