"""Safe retrieval: the most similar pictures, with the ambiguous ones withheld and counted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from url_viz.index.tables import Graph, positions_of


@dataclass(frozen=True)
class Hits:
    """Rows found, nearest first, and the nearer or equally near ones that the gate withheld.

    `rows` (≤ k,) and `withheld` are row numbers of the matrix searched, `similarity` (≤ k,) the cosines of `rows`.
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float32]
    withheld: NDArray[np.int64]


def search(
    query: NDArray[np.floating],
    unit_rows: NDArray[np.floating],
    *,
    k: int,
    is_allowed: NDArray[np.bool_] | None = None,
    exclude: NDArray[np.bool_] | None = None,
) -> Hits:
    """The k nearest allowed rows of `unit_rows` (N, D; of length one) to `query` (D,), exact.

    Rows of `exclude` are not looked at (the query itself). Rows that are not allowed but would have been among the hits
    are `withheld`.
    """
    unit = query.astype(np.float32) / max(float(np.linalg.norm(query.astype(np.float32))), 1e-12)
    similarity = np.asarray(unit_rows @ unit.astype(unit_rows.dtype), np.float32)
    if exclude is not None:
        similarity = np.where(exclude, -np.inf, similarity)
    allowed = np.ones(len(similarity), bool) if is_allowed is None else is_allowed
    rows = _top(np.where(allowed, similarity, -np.inf), k)
    is_full = len(rows) >= k
    floor = similarity[rows].min(initial=np.inf) if is_full else -np.inf
    nearer = np.flatnonzero(~allowed & (similarity >= floor) & np.isfinite(similarity))
    withheld = nearer[np.argsort(-similarity[nearer], kind="stable")]
    return Hits(rows, similarity[rows], withheld)


def _top(score: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    kept = min(k, int(np.isfinite(score).sum()))
    if kept <= 0:
        return np.zeros(0, np.int64)
    place = np.argpartition(-score, kept - 1)[:kept]
    return np.asarray(place[np.argsort(-score[place], kind="stable")], np.int64)


def near_in_graph(
    row: int, contents: NDArray[np.int64], graph: Graph | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Rows near one `row` of `contents` (N,) and their cosines, copies of the same content first.

    None where there is no graph, or the row's content is not in it yet.
    """
    if graph is None:
        return None
    at = positions_of(contents[row : row + 1], graph.content)[0]
    if at < 0:
        return None
    position, similarity = graph.position[at], graph.similarity[at]
    similarity, position = similarity[position >= 0], position[position >= 0]
    listed = np.concatenate([contents[row : row + 1], graph.content[position]])
    rank = positions_of(contents, listed)
    found = np.flatnonzero(rank >= 0)
    found = found[np.argsort(rank[found], kind="stable")]
    found = found[found != row]
    return found, np.concatenate([[1.0], similarity])[rank[found]].astype(np.float32)
