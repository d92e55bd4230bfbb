"""Approximate search for the nearest among very many rows: faiss finds candidates, full precision ranks them.

An inverted file with product quantization (Jégou et al. 2011): rows lie in lists by the nearest of some centres, as
codes of four bits for each two numbers, and the lists of the centres nearest to a query are searched.
docs/performance.md says how many of the nearest are found, and in what time.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from url_viz.pipeline.nearest import NONE, SPARE, Nearest
from url_viz.pipeline.twins import pair_matrix
from url_viz.rows import l2_normalize
from url_viz.store.tables.tables import Twins

LISTS = 4
"""The number of lists, in multiples of the square root of the number of rows."""
FEWEST_IN_LIST = 40
"""The average number of rows that a centre is learnt from; with fewer rows there are fewer lists."""
FEWEST_CODED = 1000
PROBED = 128
REFINED = 4
"""How many times as many candidates are ranked in float16 as are kept."""
ROWS_AT_ONCE = 16_384
LEAST_LENGTH = 1e-12

Floats = NDArray[np.float32]
Done = Callable[[int], None]


def find_candidates(
    rows: NDArray[np.floating],
    k: int,
    *,
    which: NDArray[np.int64] | None = None,
    probed: int = PROBED,
    report: Done = lambda _: None,
) -> Nearest:
    """At least `k` candidates for each row (N, A) among those of `which` (M,), itself left out, with exact cosines.

    Rows are of about length one, as whitened ones are, in half precision: what ranks the candidates is exact then.
    """
    among = np.arange(len(rows)) if which is None else which
    search = _Index(rows, among, probed=probed)
    length = np.concatenate([np.linalg.norm(rows[part].astype(np.float32), axis=1) for part in _parts(len(rows))])
    length = np.maximum(length, LEAST_LENGTH)
    width = min(k + SPARE, len(among))
    position, similarity = np.full((len(rows), width), NONE, np.int32), np.full((len(rows), width), NONE, np.float32)
    for part in _parts(len(rows)):
        own = np.arange(len(rows))[part]
        candidate, product = search(l2_normalize(rows[part]), min(width + 1, len(among)))
        cosines = np.where((candidate == NONE) | (candidate == own[:, None]), NONE, product / length[candidate])
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :width]
        similarity[part] = np.take_along_axis(cosines, best, 1)
        position[part] = np.where(similarity[part] > NONE, np.take_along_axis(candidate, best, 1), NONE)
        report(int(own[-1]) + 1)
    return Nearest(position, similarity)


class _Index:
    """Finds candidates of unit queries among rows (N, A) at `which` (M,)."""

    def __init__(self, rows: NDArray[np.floating], which: NDArray[np.int64], *, probed: int) -> None:
        faiss: Any = import_module("faiss")  # only very large sets need it; its types differ from release to release
        self._which = np.append(which, NONE)
        count = max(1, min(int(LISTS * len(which) ** 0.5), len(which) // FEWEST_IN_LIST))
        drawn = np.random.default_rng(0).permutation(len(which))[: FEWEST_IN_LIST * count]
        sample = l2_normalize(rows[which[np.sort(drawn)]])
        kind = f"IVF{count},{_codes(sample)},Refine(SQfp16)"
        self._index = faiss.index_factory(rows.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        lists = faiss.SearchParametersIVF(nprobe=min(probed, count))
        self._how = faiss.IndexRefineSearchParameters(k_factor=REFINED, base_index_params=lists)
        self._index.train(sample)
        for part in _parts(len(which)):
            self._index.add(rows[which[part]].astype(np.float32))  # not of length one: so half precision is exact

    def __call__(self, queries: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
        """Row numbers (Q, count) near each query (Q, A), NONE where there are fewer, and their inner products."""
        product, candidate = self._index.search(queries, count, params=self._how)
        return self._which[candidate], product


def _codes(sample: Floats) -> str:
    """What faiss calls the codes of rows like these (S, A): four bits for two numbers, or eight for one.

    The short ones are learnt, from enough rows, and tell none of rows that are all the same.
    """
    width = sample.shape[1]
    is_learnt = len(sample) >= FEWEST_CODED and np.ptp(sample, axis=0).any()
    return f"PQ{width // 2 if width % 2 == 0 else width}x4fs" if is_learnt else "SQ8"


def nearest_candidates(candidates: Nearest, k: int, *, twins: Twins, counts: NDArray[np.bool_]) -> Nearest:
    """The `k` nearest candidates of each row, best first: of those of `counts` (N,), and none of its twins."""
    position = np.full((len(candidates.position), k), NONE, np.int32)
    similarity = np.full((len(candidates.position), k), NONE, np.float32)
    pairs = pair_matrix(twins)
    for part in _parts(len(candidates.position)):
        ids, cosine = candidates.position[part], candidates.similarity[part]
        own = np.arange(len(candidates.position))[part]
        is_out = (ids == NONE) | ~counts[ids] | pairs[own[:, None], ids].toarray()
        first = np.argsort(is_out, axis=1, kind="stable")[:, :k]  # the order of the others stays
        ends = np.take_along_axis(is_out, first, 1)
        similarity[part, : first.shape[1]] = np.where(ends, NONE, np.take_along_axis(cosine, first, 1))
        position[part, : first.shape[1]] = np.where(ends, NONE, np.take_along_axis(ids, first, 1))
    return Nearest(position, similarity)


def _parts(count: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, count, ROWS_AT_ONCE)]
