"""Groups of twins as a table: how alike they are at worst, and which one of each group to keep."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.rows import l2_normalize
from url_viz.store.decisions import Decision

LARGEST_COMPARED = 512
"""Groups of up to so many distinct contents are compared pair by pair; larger ones by sweeps."""
SWEEPS = 4

EmbeddingsOf = Callable[[NDArray[np.int64]], NDArray[np.floating]]


@dataclass(frozen=True)
class WorstPair:
    """The two members (`first`, `second`: places in the group) that are least alike, and their cosine."""

    first: int
    second: int
    cosine: float
    is_exact: bool


def group_codes(table: pd.DataFrame) -> NDArray[np.int64]:
    """Each picture's group of twins (N,), numbered from 0 within this table; without twins, one of its own."""
    codes = pd.factorize(table["twin_group"])[0].astype(np.int64)
    is_alone = codes < 0
    codes[is_alone] = codes.max(initial=-1) + 1 + np.arange(is_alone.sum())
    return codes


def with_twins_of(table: pd.DataFrame, is_chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The chosen rows (N,) of a table and those of their twins."""
    group = table["twin_group"]
    is_twin = group.isin(group[is_chosen].dropna().unique())
    return is_chosen | is_twin.to_numpy(dtype=bool)


def first_of_each(rows: pd.DataFrame) -> pd.DataFrame:
    """The first row of each group of twins, and every picture without twins, in the order of `rows`."""
    group = rows["twin_group"]
    found: pd.DataFrame = rows[(group.isna() | ~group.duplicated()).to_numpy(dtype=bool)]
    return found


def twin_table(table: pd.DataFrame, contents: NDArray[np.int64], embeddings_of: EmbeddingsOf) -> pd.DataFrame:
    """One row per group of two or more twins, the largest group first.

    `table` is that of an image set, `contents` (N,) its content keys, and `embeddings_of` gives the embeddings (M, D)
    of rows (M,). Columns: group (as `twin_group`), size, kind ("exact" if all are copies of one file, else "near"),
    first and second (ids of the pair that is least alike), cosine (of that pair; 1 for copies), is_exact (False where a
    group was too large to compare every pair: then another may be less alike still), keep (the id that `best_first`
    puts first) and path (that picture's).
    """
    groups = twin_members(table)
    ids, keep = table["id"].to_numpy(), np.array([members[0] for members in groups], np.int64)
    worst = [_worst(members, contents, embeddings_of) for members in groups]
    first, second = (np.array([pair[place] for pair in worst], np.int64) for place in (0, 1))
    found = pd.DataFrame(
        {
            "group": table["twin_group"].iloc[keep].to_numpy(np.int64),
            "size": [len(members) for members in groups],
            "kind": ["exact" if len(np.unique(contents[members])) == 1 else "near" for members in groups],
            "first": ids[first],
            "second": ids[second],
            "cosine": [pair[2] for pair in worst],
            "is_exact": [pair[3] for pair in worst],
            "keep": ids[keep],
            "path": table["path"].to_numpy()[keep],
        }
    )
    return found.sort_values(["size", "group"], ascending=[False, True], ignore_index=True)


def one_of_each(table: pd.DataFrame) -> dict[int, Decision | None]:
    """Decisions by id that leave one picture of each group of twins, and drop the others.

    What a user keeps stays kept, and is then the one that is left; else it is the first of `best_first` that was not
    dropped before. A group of which all are dropped stays as it is.
    """
    decision, ids = table["decision"].to_numpy(dtype=object), table["id"].to_numpy()
    result: dict[int, Decision | None] = {}
    for members in twin_members(table):
        kept = [row for row in members if decision[row] == "keep"]
        left = kept or [row for row in members if decision[row] != "drop"][:1]
        if left:
            result |= {int(ids[row]): "keep" if row in left else "drop" for row in members.tolist()}
    return result


def best_first(table: pd.DataFrame) -> NDArray[np.int64]:
    """Rows (N,) by twin group, within each the one to keep first: most pixels, then clearest, then first path.

    The clearest has the lowest uncertainty; if there is no head, the lowest entropy.
    """
    value = table["uncertainty"].to_numpy(dtype=float)
    if not np.isfinite(value).any():
        value = table["entropy"].to_numpy(dtype=float)
    pixels = table["width"].to_numpy(dtype=np.int64) * table["height"].to_numpy(dtype=np.int64)
    return np.lexsort((np.arange(len(table)), value, -pixels, group_codes(table)))


def worst_pair(unit: NDArray[np.float32]) -> WorstPair:
    """The two least alike of M ≥ 2 normalised embeddings (M, D).

    Exact up to `LARGEST_COMPARED`; beyond, a few sweeps from one to the least alike of it, M × D work each, which find
    a pair at least half as far apart (as an angle) as the worst.
    """
    if len(unit) <= LARGEST_COMPARED:
        cosines = unit @ unit.T
        cosines[np.tril_indices(len(unit))] = np.inf
        first, second = divmod(int(np.argmin(cosines)), len(unit))
        return WorstPair(first, second, _cosine(cosines[first, second]), is_exact=True)
    first, second, cosine = 0, 0, np.inf
    for _ in range(SWEEPS):
        cosines = unit @ unit[second]
        farthest = int(np.argmin(cosines))
        if cosines[farthest] >= cosine:
            break
        first, second, cosine = second, farthest, cosines[farthest]
    return WorstPair(min(first, second), max(first, second), _cosine(cosine), is_exact=False)


def twin_members(table: pd.DataFrame) -> list[NDArray[np.int64]]:
    """Rows of each group of two or more, the one to keep first."""
    order = best_first(table)
    group = group_codes(table)[order]
    starts = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1]])) if len(group) else np.zeros(0, int)
    sizes = np.diff(starts, append=len(group))
    both = zip(starts[sizes > 1].tolist(), sizes[sizes > 1].tolist(), strict=True)
    return [order[start : start + size] for start, size in both]


def _distinct(members: NDArray[np.int64], contents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Members by path, one of each content."""
    by_path = np.sort(members)
    return by_path[np.sort(np.unique(contents[by_path], return_index=True)[1])]


def _worst(
    members: NDArray[np.int64], contents: NDArray[np.int64], embeddings_of: EmbeddingsOf
) -> tuple[int, int, float, bool]:
    """The rows that are least alike, their cosine, and whether every pair was compared."""
    distinct = _distinct(members, contents)
    if len(distinct) == 1:
        first, second = np.sort(members)[:2].tolist()
        return first, second, 1.0, True
    pair = worst_pair(l2_normalize(embeddings_of(distinct)))
    return int(distinct[pair.first]), int(distinct[pair.second]), pair.cosine, pair.is_exact


def _cosine(value: float) -> float:
    """Rounding can leave a hair more than 1."""
    return min(1.0, float(value))
