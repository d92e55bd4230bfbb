"""Groups of pictures that every split keeps together: twins, copies and, with --group folder, all of one folder."""

import numpy as np
from numpy.typing import NDArray

from training.config import Group
from training.sources import Sources
from url_viz.errors import CacheError
from url_viz.pipeline.twins import joined_groups, view_groups
from url_viz.rows import EXACT_ROWS

Integers = NDArray[np.int64]
ROWS_AT_ONCE = 1 << 13


def groups_of(
    sources: Sources, by: Group, *, most_exact: int = EXACT_ROWS, rows_at_once: int = ROWS_AT_ONCE
) -> Integers:
    """The group (P,) of each picture of all sources: the smallest id of a picture in it.

    Pictures with the same id, equal clean embeddings, or that are views of one thing by these, are in one group; with
    `folder` also those of one folder of a source. Of more than `most_exact` pictures no views are looked for, since
    all pairs would take hours. Raises CacheError with `folder` if
    a cache does not say where its pictures lie.
    """
    ids = sources.of_pictures("id")
    group = joined_groups(_codes(_fingerprints(sources, len(ids), rows_at_once)), _codes(ids))
    if len(ids) <= most_exact:
        group = joined_groups(group, view_groups(sources.clean_of(np.arange(len(ids)))))
    return smallest_ids(ids, group if by == "twins" else joined_groups(group, _codes(_folders(sources))))


def smallest_ids(ids: Integers, number: NDArray[np.integer]) -> Integers:
    """The smallest of the `ids` (P,) in each picture's group (P,), of groups by their `number` (P,)."""
    smallest = np.full(int(number.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(smallest, number, ids)
    groups: Integers = smallest[number]
    return groups


def _codes(keys: NDArray[np.integer]) -> Integers:
    """A number from 0 (P,) for each of the keys (P,), the same for equal ones."""
    codes: Integers = np.unique(keys, return_inverse=True)[1]
    return codes


def _fingerprints(sources: Sources, count: int, rows_at_once: int) -> NDArray[np.uint64]:
    """A number (P,) for each clean embedding: equal for equal ones, else different but for a chance of 2⁻⁴⁸."""
    size = sources.embedding_size
    factors = np.random.default_rng(0).integers(1 << 63, size=size, dtype=np.uint64) * 2 + 1
    prints = np.zeros(count, np.uint64)
    for start in range(0, count, rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, count))
        prints[rows] = sources.clean_of(rows).view(np.uint16).astype(np.uint64) @ factors
    return prints


def _folders(sources: Sources) -> Integers:
    """A number (P,) for each folder of each source."""
    for cache in sources.caches:
        if not cache.rows["folder"].any():
            raise CacheError(
                f"The cache {str(cache.paths.folder)!r} does not say in which folders its pictures lie: it is of an "
                f"HDF5 file. Write it from the pictures with training.cache, or leave out --group folder."
            )
    source = np.repeat(np.arange(len(sources.caches)), np.diff(sources.picture_starts))
    return (source << 32) + sources.of_pictures("folder").astype(np.int64)
