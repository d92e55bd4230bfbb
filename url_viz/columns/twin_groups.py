"""Groups of copies and views as a table: how alike they are at worst, and which pictures of each to keep."""

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray

from url_viz.base.rows import l2_normalize
from url_viz.pipeline.twins import pair_matrix
from url_viz.store.columns.source_columns import PICTURE
from url_viz.store.decisions.decision_rows import Decision
from url_viz.store.tables.tables import Twins

COPIES, TWINS = "copy_group", "twin_group"
"""The columns of the table that hold groups: of copies, and of copies and views."""
LARGEST_COMPARED = 512
"""Groups of up to this many distinct contents are compared pair by pair; larger ones by sweeps."""
SWEEPS = 4

EmbeddingsOf = Callable[[NDArray[np.int64]], NDArray[np.floating]]


@dataclass(frozen=True)
class WorstPair:
    """The two members of a group that are least alike, `first` and `second` by their rows, and their cosine."""

    first: int
    second: int
    cosine: float
    is_exact: bool


def group_codes(table: pd.DataFrame, by: str = TWINS) -> NDArray[np.int64]:
    """Each picture's group (N,) of copies and views, or of COPIES, numbered from 0 in this table; alone, its own."""
    codes = pd.factorize(table[by])[0].astype(np.int64)
    has_no_twin = codes < 0
    codes[has_no_twin] = codes.max(initial=-1) + 1 + np.arange(has_no_twin.sum())
    return codes


def with_twins(table: pd.DataFrame, is_chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The chosen rows (N,) of a table and those of their twins."""
    group = table["twin_group"]
    return is_chosen | group.isin(group[is_chosen].dropna().unique()).to_numpy(dtype=bool)


def has_copies(table: pd.DataFrame) -> bool:
    """Whether any two pictures are copies."""
    return bool(table[COPIES].dropna().duplicated().any())


def count_copies(table: pd.DataFrame, is_chosen: NDArray[np.bool_]) -> int:
    """How many rows of a table are copies of chosen ones (N,), and not chosen."""
    group = group_codes(table, COPIES)
    return int((np.isin(group, group[is_chosen]) & ~is_chosen).sum())


def first_of_each(rows: pd.DataFrame) -> pd.DataFrame:
    """The first row of each group of twins, and every picture without twins, in the order of `rows`."""
    group = rows["twin_group"]
    return rows.loc[(group.isna() | ~group.duplicated()).to_numpy(dtype=bool)]


def twin_table(
    table: pd.DataFrame, contents: NDArray[np.int64], embeddings_of: EmbeddingsOf, is_left: NDArray[np.bool_]
) -> pd.DataFrame:
    """One row per group of two or more copies and views, the largest group first.

    `table` is that of an image set, `contents` (N,) its content keys, `embeddings_of` gives the embeddings (M, D) of
    rows (M,), and `is_left` (N,) is of `left_of_copies`. Columns: group (as `twin_group`), size, kind ("exact" if all
    are of one file, "copies", or "views" if not all are copies), classes (how many), first and second (ids of the pair
    that is least alike), cosine (of that pair; 1 for copies), is_exact (False where a group was too large to compare
    every pair: then another may be less alike still), left (how many stay if one of each copy is kept), keep (the id of
    the best of these, or of all if all are dropped) and path (that picture's).
    """
    groups = members_of_groups(table)
    ids, copies = table["id"].to_numpy(), group_codes(table, COPIES)
    keep = np.array([members[is_left[members].argmax()] for members in groups], np.int64)
    worst = [_worst(members, contents, embeddings_of) for members in groups]
    group_rows = pd.DataFrame(
        {
            "group": table["twin_group"].iloc[keep].to_numpy(np.int64),
            "size": [len(members) for members in groups],
            "kind": [_kind(members, contents, copies) for members in groups],
            "classes": [table["label"].iloc[members].nunique() for members in groups],
            "first": ids[np.array([pair.first for pair in worst], np.int64)],
            "second": ids[np.array([pair.second for pair in worst], np.int64)],
            "cosine": [pair.cosine for pair in worst],
            "is_exact": [pair.is_exact for pair in worst],
            "left": [int(is_left[members].sum()) for members in groups],
            "keep": ids[keep],
            "path": table["path"].to_numpy()[keep],
        }
    )
    return group_rows.sort_values(["size", "group"], ascending=[False, True], ignore_index=True)


def _kind(members: NDArray[np.int64], contents: NDArray[np.int64], copies: NDArray[np.int64]) -> str:
    if len(np.unique(contents[members])) == 1:
        return "exact"
    return "copies" if len(np.unique(copies[members])) == 1 else "views"


def one_of_each(table: pd.DataFrame, is_left: NDArray[np.bool_]) -> dict[int, Decision | None]:
    """Decisions by id on the pictures of each group of copies: to keep those that are left (`left_of_copies`), or drop.

    A group of which all are dropped stays as it is.
    """
    group, ids = group_codes(table, COPIES), table["id"].to_numpy()
    is_decided = (np.bincount(group)[group] > 1) & (np.bincount(group, is_left)[group] > 0)
    return {int(ids[row]): "keep" if is_left[row] else "drop" for row in np.flatnonzero(is_decided)}


def within_pictures(table: pd.DataFrame, decided: Mapping[int, Decision | None]) -> dict[int, Decision | None]:
    """Of decisions on copies of objects those that keep and drop boxes of one picture.

    A box that is dropped for one in another picture would leave a true object without a box there.
    """
    rows = pd.DataFrame({"group": group_codes(table, COPIES), "picture": table[PICTURE].to_numpy(), "id": table["id"]})
    rows = rows[rows["id"].isin(list(decided))]
    rows = rows.assign(decision=rows["id"].map(decided))
    is_both = rows.groupby(["group", "picture"])["decision"].transform("nunique") > 1
    return {image_id: decided[image_id] for image_id in rows["id"][is_both].tolist()}


def left_of_copies(
    table: pd.DataFrame, key: NDArray[np.int64], twins: Twins, stars: Callable[[NDArray[np.int64]], Twins]
) -> NDArray[np.bool_]:
    """The pictures (N,) of a table that are left if one of each is kept: every other undropped one is a copy of these.

    `key` (N,) is the row of each picture in the copies `twins`, the same of equal files, negative for none. Where pairs
    are thinned, `stars` gives some that cover the rows of an order. What a user keeps is left, and what a user dropped
    is not. The others are left by the most pixels; among equals by the most pairs that are not covered yet, then as
    `best_first` has them: so no two of these are a pair, nor is one of them and what a user keeps.
    """
    decision, rank = table["decision"].to_numpy(dtype=object), np.argsort(_from_best(table))
    is_left: NDArray[np.bool_] = (decision == "keep") | ((key < 0) & (decision != "drop"))
    order = np.lexsort((rank, ~is_left))
    order = order[(key[order] >= 0) & (decision[order] != "drop")]
    content, first = np.unique(key[order], return_index=True)
    picture = order[first]  # of each content that which is left of its copies
    near = pair_matrix(stars(content[np.argsort(first)]) if twins.is_thinned else twins)
    is_kept, is_open = np.zeros((2, twins.rows), bool)
    pixels, place = np.zeros((2, twins.rows), np.int64)
    is_kept[content], is_open[content] = is_left[picture], True
    pixels[content], place[content] = _pixels(table)[picture], rank[picture]
    chosen = _cover(near, is_open & ~(near @ is_kept), pixels, place)
    is_left[picture[np.searchsorted(content, chosen)]] = True
    return is_left


def _cover(
    near: scipy.sparse.csr_array, is_open: NDArray[np.bool_], first: NDArray[np.int64], last: NDArray[np.int64]
) -> list[int]:
    """Rows of which no two are near each other, so that each open one of M is one of them or near one; greedily.

    Those of a higher `first` (M,) come first, of equals those with more open rows near them, then of a lower `last`.
    """
    count = near.astype(np.int32) @ is_open
    rows = np.flatnonzero(is_open & (count > 1))
    chosen: list[int] = np.flatnonzero(is_open & (count == 1)).tolist()  # nobody else covers them
    heap = list(zip((-first[rows]).tolist(), (-count[rows]).tolist(), last[rows].tolist(), rows.tolist(), strict=True))
    heapq.heapify(heap)
    while heap:
        best, before, place, row = heapq.heappop(heap)
        around = near.indices[near.indptr[row] : near.indptr[row + 1]]
        now = -int(np.count_nonzero(is_open[around]))
        if is_open[row] and now > before:
            heapq.heappush(heap, (best, now, place, row))
        elif is_open[row]:
            chosen.append(row)
            is_open[around] = False
    return chosen


def best_first(table: pd.DataFrame, by: str = TWINS) -> NDArray[np.int64]:
    """Rows (N,) by group, within each the one to keep first: most pixels, then sharpest, clearest, first path."""
    rows = _from_best(table)
    return rows[np.argsort(group_codes(table, by)[rows], kind="stable")]


def _from_best(table: pd.DataFrame) -> NDArray[np.int64]:
    """Rows (N,) by most pixels, then sharpest, then clearest, then first path.

    The clearest has the lowest uncertainty; if there is no head, the lowest entropy.
    """
    value = table["uncertainty"].to_numpy(dtype=float)
    if not np.isfinite(value).any():
        value = table["entropy"].to_numpy(dtype=float)
    return np.lexsort((np.arange(len(table)), value, -_sharpness_steps(table), -_pixels(table)))


VISIBLY_SHARPER = 1.25
"""Times as sharp: copies that were only saved again or resized differ by less."""
LEAST_SHARPNESS = 1e-3


def _sharpness_steps(table: pd.DataFrame) -> NDArray[np.int64]:
    """How sharp each thumbnail (N,) is, in steps that can be seen; 0 where nothing is known."""
    if "sharpness" not in table:
        return np.zeros(len(table), np.int64)
    sharpness = np.nan_to_num(table["sharpness"].to_numpy(np.float64))
    return np.asarray(np.round(np.log(np.clip(sharpness, LEAST_SHARPNESS, None)) / np.log(VISIBLY_SHARPER)), np.int64)


def _pixels(table: pd.DataFrame) -> NDArray[np.int64]:
    return np.asarray(table["width"].to_numpy(np.int64) * table["height"].to_numpy(np.int64))


def worst_pair(unit: NDArray[np.float32]) -> WorstPair:
    """The two least alike of M ≥ 2 normalised embeddings (M, D).

    Exact up to `LARGEST_COMPARED`; beyond, a few sweeps from one to the least alike of it, M × D work each, which find
    a pair at least half as far apart (as an angle) as the worst.
    """
    if len(unit) <= LARGEST_COMPARED:  # rounding can leave a cosine a hair above 1
        cosines = unit @ unit.T
        cosines[np.tril_indices(len(unit))] = np.inf
        first, second = divmod(int(np.argmin(cosines)), len(unit))
        return WorstPair(
            first, second, min(1.0, float(cosines[first, second])), is_exact=True
        )  # rounded, it may be more
    first, second, cosine = 0, 0, np.inf
    for _ in range(SWEEPS):
        cosines = unit @ unit[second]
        farthest = int(np.argmin(cosines))
        if cosines[farthest] >= cosine:
            break
        first, second, cosine = second, farthest, cosines[farthest]
    return WorstPair(min(first, second), max(first, second), min(1.0, float(cosine)), is_exact=False)


def members_of_groups(table: pd.DataFrame, by: str = TWINS) -> list[NDArray[np.int64]]:
    """Rows of each group of two or more, the one to keep first."""
    order = best_first(table, by)
    group = group_codes(table, by)[order]
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]])) if len(group) else np.zeros(0, int)
    sizes = np.diff(starts, append=len(group))
    both = zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True)
    return [order[start : start + size] for start, size in both]


def marks_of(rows: pd.DataFrame) -> list[str | None]:
    """What each picture of a group has over others of it: "largest", "sharpest", both, or nothing."""
    best = {"largest": _is_best(_pixels(rows)), "sharpest": _is_best(_sharpness_steps(rows))}
    return [", ".join(name for name, is_best in best.items() if is_best[row]) or None for row in range(len(rows))]


def _is_best(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    is_best = np.asarray(values == values.max())
    return is_best & ~is_best.all()


def _worst(members: NDArray[np.int64], contents: NDArray[np.int64], embeddings_of: EmbeddingsOf) -> WorstPair:
    by_path = np.sort(members)
    distinct = by_path[np.sort(np.unique(contents[by_path], return_index=True)[1])]
    if len(distinct) == 1:
        return WorstPair(int(by_path[0]), int(by_path[1]), 1.0, is_exact=True)
    pair = worst_pair(l2_normalize(embeddings_of(distinct)))
    return replace(pair, first=int(distinct[pair.first]), second=int(distinct[pair.second]))
