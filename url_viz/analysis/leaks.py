"""Leakage: pictures whose twin lies in another split of the set, or in another image set."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.twin_groups import group_codes
from url_viz.analysis.votes import NONE, Codes
from url_viz.imaging.folder_classes import SPLIT
from url_viz.store.tables import Twins, no_twins
from url_viz.store.user_cells import as_text

APART = "kept apart"
"""The kind of a leak that is no twin: of one patient, or whatever is kept apart."""
MOST_SPLITS = 50
"""A column of more values identifies pictures rather than splits."""
_NAME = re.compile(
    r"(is[-_ ]?)?(split|subset|partition|fold|train(ing)?|val(id|idation)?|dev|test(ing)?|holdout)"
    r"([-_ ]?(set|id|no|nr|number|name))?",
    re.IGNORECASE,
)
"""Names of columns that say in which split a picture is."""
_TRAINING = re.compile(r"train|learn", re.IGNORECASE)

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Splits:
    """The splits of N pictures by one `column`: `names`, the largest first, and `codes` (N,) int32, NONE for none."""

    column: str
    names: tuple[str, ...]
    codes: Codes

    def name_of(self, row: int) -> str | None:
        """The split of a picture; None for none."""
        code = int(self.codes[row])
        return None if code == NONE else self.names[code]


def find_splits(table: pd.DataFrame, brought: Iterable[str] = ()) -> Splits | None:
    """The splits of the pictures of `ImageSet.table()`; None if there are no two.

    They are those of the column `split` (levels of folders, or a column of the user's), else by the first of the user's
    columns `brought` that is named like one: subset, fold, is_train. Of two splits of one size training is the larger.
    """
    for name in dict.fromkeys([SPLIT, *filter(_NAME.fullmatch, brought)]):
        if name in table and 1 < table[name].nunique() <= MOST_SPLITS:
            return _splits(name, table[name])
    return None


def _splits(column: str, values: "pd.Series[Any]") -> Splits:
    codes, distinct = pd.factorize(values)
    counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
    names = [_split_name(column, value) for value in distinct]
    order = sorted(range(len(names)), key=lambda n: (-counts[n], not _TRAINING.search(names[n]), names[n]))
    rank = np.empty(len(names) + 1, np.int32)
    rank[order], rank[-1] = np.arange(len(names)), NONE
    return Splits(column, tuple(names[n] for n in order), rank[codes])


def _split_name(column: str, value: object) -> str:
    """The name of a split: a number, or yes or no, says something beside its column alone ("fold 3")."""
    text = as_text(float(value)) if isinstance(value, (float, np.floating)) else str(value)
    is_bare = re.fullmatch(r"[-+.\d]*|true|false|yes|no|[yntf]", text, re.IGNORECASE)
    return f"{column} {text}" if is_bare else text


@dataclass(frozen=True)
class Leaked:
    """L pictures with a twin in a larger split: the rows `row` and `twin` (L,), and `cosine` (L,), nan if not known."""

    row: Rows
    twin: Rows
    cosine: Floats


def leaked(codes: Codes, key: Rows, twins: Twins) -> Leaked:
    """The pictures that have a twin in a larger split, each with the one that is most alike.

    `codes` (N,) are splits, 0 the largest, NONE for none; `key` (N,) the row of each picture in `twins`. Of every two
    twins in two splits one is named: without these pictures no split has a twin of another.
    """
    left, right, cosine = _edges(twins)
    best, nearest = np.full(twins.rows, -1, np.int64), np.full(twins.rows, -np.inf, np.float32)
    found: list[tuple[Rows, Rows, Floats]] = []
    for code in range(int(codes.max(initial=NONE)) + 1):
        rows = np.flatnonzero(codes == code)
        has_twin = best[key[rows]] >= 0
        of = key[rows[has_twin]]
        found.append((rows[has_twin], best[of], nearest[of]))
        first_row = np.full(twins.rows, -1, np.int64)
        first_row[key[rows[::-1]]] = rows[::-1]
        here = first_row[right] >= 0
        new, alike = np.full(twins.rows, -1, np.int64), np.full(twins.rows, -np.inf, np.float32)
        new[left[here]], alike[left[here]] = first_row[right[here]], cosine[here]  # of one row the last, most alike
        is_nearer = alike > nearest
        best[is_nearer], nearest[is_nearer] = new[is_nearer], alike[is_nearer]
    row, twin, cosines = (np.concatenate(part) for part in zip(*found, strict=True)) if found else (np.zeros(0),) * 3
    return Leaked(row.astype(np.int64), twin.astype(np.int64), cosines.astype(np.float32))


def _edges(twins: Twins) -> tuple[Rows, Rows, Floats]:
    """Every pair in both directions, and each row with itself, the least alike first."""
    every = np.arange(twins.rows)
    left = np.concatenate([twins.pair[:, 0], twins.pair[:, 1], every])
    right = np.concatenate([twins.pair[:, 1], twins.pair[:, 0], every])
    cosine = np.concatenate([twins.cosine, twins.cosine, np.full(twins.rows, np.inf, np.float32)])
    order = np.argsort(cosine, kind="stable")
    return left[order], right[order], cosine[order]


def leaks_between_splits(table: pd.DataFrame, contents: Rows, splits: Splits, key: Rows, twins: Twins) -> pd.DataFrame:
    """Pictures of a split that have a twin in a larger one, those of the smallest split first: `leak_table`.

    `key` (N,) is the row of each picture in `twins`, negative for none. Dropped pictures are in no split. Where twins
    are thinned, all of a group are each other's.
    """
    is_out = (table["decision"] == "drop").to_numpy(dtype=bool)
    if twins.is_thinned:
        key = group_codes(table)
        twins = no_twins(int(key.max(initial=-1)) + 1)
    codes = np.where(is_out | (key < 0), NONE, splits.codes).astype(np.int32)
    found = leaked(codes, np.maximum(key, 0), twins)
    names = np.array([*splits.names, None], object)[codes]
    rows = leak_table(found, (table, contents, names), (table, contents, names))
    smallest_first = -codes[found.row]
    return _sorted(rows, smallest_first)


Side = tuple[pd.DataFrame, Rows, NDArray[np.object_]]
"""Pictures on one side of a leak: their table (N rows), content keys (N,), and where each lies (N,)."""


def leaks_between_sets(mine: Side, others: Side, twins: Twins, keys: tuple[Rows, Rows]) -> pd.DataFrame:
    """Pictures of one set that have a twin in another, the most alike first: `leak_table`.

    `keys` are the rows in `twins` of the pictures of both.
    """
    count = len(mine[0])
    codes = np.concatenate([np.ones(count, np.int32), np.zeros(len(others[0]), np.int32)])
    found = leaked(codes, np.concatenate(keys), twins)
    return _sorted(leak_table(Leaked(found.row, found.twin - count, found.cosine), mine, others), 0 * found.row)


def leak_table(found: Leaked, mine: Side, others: Side) -> pd.DataFrame:
    """One row a leaked picture: id, path, label, split, the same of its twin (twin_id …), cosine, kind.

    `kind` is "exact" for copies of one file, else "near"; cosine is raw, 1 for copies, nan where it was not kept.
    """
    (one, contents, split), (other, other_contents, other_split) = mine, others
    is_copy = contents[found.row] == other_contents[found.twin]
    cosine = np.where(is_copy, 1, np.where(np.isfinite(found.cosine), np.minimum(found.cosine, 1), np.nan))
    rows, twins = one.iloc[found.row], other.iloc[found.twin]
    columns = {name: rows[name].to_numpy() for name in ("id", "path", "label")} | {"split": split[found.row]}
    columns |= {f"twin_{name}": twins[name].to_numpy() for name in ("id", "path", "label")}
    columns |= {"twin_split": other_split[found.twin], "cosine": cosine.astype(np.float32)}
    return pd.DataFrame({**columns, "kind": np.where(is_copy, "exact", "near").astype(object)})


def _sorted(rows: pd.DataFrame, first: NDArray[np.integer]) -> pd.DataFrame:
    """By `first`, then the most alike first, then by path."""
    order = np.lexsort((np.arange(len(rows)), -rows["cosine"].fillna(0).to_numpy(), first))
    return rows.iloc[order].reset_index(drop=True)
