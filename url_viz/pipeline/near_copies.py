"""Near copies: pairs of pictures whose perceptual hashes are nearly the same, found exactly among very many."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from url_viz.imaging.perceptual_hash import MIRRORED, WORDS, Hashes

COPY_BITS, COPY_LOWEST_BITS = 40, 7
"""Of 255 bits, and of the 63 lowest, so many may differ in a copy that is saved again, resized, toned or framed …"""
COPY_COSINE = 0.5
"""… and this raw cosine its embedding has at least. docs/findings.md says what copies and other pictures have."""
VIEW_BITS, VIEW_LOWEST_BITS = 85, 20
"""The most bits that may differ in another view: cropped, slightly rotated or taken a moment later …"""
VIEW_COSINE = 0.88
"""… of this raw cosine."""
BANDS, BAND_BITS = 4, 16
"""The lowest bits in bands: where at most 7 differ, at most one does in one of the four."""
COMPARED = 1 << 17
"""Pairs that are compared at a time: they fit in the cache."""

Rows = NDArray[np.integer]
Flags = NDArray[np.bool_]

_WHOLE, _INNER = slice(0, WORDS // 2), slice(WORDS // 2, WORDS)
_SIDES = ((_WHOLE, _WHOLE), (_WHOLE, _INNER), (_INNER, _WHOLE))
_TURNED = (np.zeros(WORDS, np.uint64), MIRRORED)


def are_copies(hashes: Hashes, left: Rows, right: Rows) -> Flags:
    """Which pairs of rows (P,) of `hashes` (N, WORDS) are as alike as a copy and its original."""
    return _alike(hashes, left, right, COPY_BITS, COPY_LOWEST_BITS)


def are_views(hashes: Hashes, left: Rows, right: Rows) -> Flags:
    """Which pairs of rows (P,) of `hashes` (N, WORDS) are as alike as two views of the same."""
    return _alike(hashes, left, right, VIEW_BITS, VIEW_LOWEST_BITS)


def copies(hashes: Hashes, *, of: Rows | None = None) -> Iterator[Rows]:
    """All pairs of rows of `hashes` (N, WORDS) for which `are_copies` holds, in parts (P, 2); some of them twice.

    With `of`, those with one of these rows. Exact: of words in which at most 7 bits differ, one of four bands differs
    in none or one, so that each is looked up in the bands of the others, with none or one of its bits turned.
    """
    is_query = np.full(len(hashes), of is None)
    is_query[... if of is None else of] = True
    known = np.flatnonzero(hashes.any(axis=1))
    for turn in _TURNED:
        turned = hashes ^ turn
        for mine, theirs in _SIDES:
            for pairs in _near(turned[:, mine.start], hashes[:, theirs.start], known, known[is_query[known]]):
                first = pairs[(pairs[:, 0] < pairs[:, 1]) | ~is_query[pairs[:, 1]]]
                left, right = first.T
                yield first[_within(turned[left, mine] ^ hashes[right, theirs], COPY_BITS, COPY_LOWEST_BITS)]


def copies_of(one: Hashes, hashes: Hashes) -> Rows:
    """The rows of `hashes` (N, WORDS) that are as alike to one (WORDS,) as a copy and its original."""
    return np.flatnonzero(_are_alike(one[None], hashes, COPY_BITS, COPY_LOWEST_BITS))


def _near(mine: Hashes, theirs: Hashes, known: Rows, queries: Rows) -> Iterator[Rows]:
    """Queries and known rows, in parts (P, 2), whose words (N,) differ in at most COPY_LOWEST_BITS."""
    if len(queries) * len(known) <= COMPARED:  # comparing all is faster than going through the bands
        query, place = np.nonzero(np.bitwise_count(mine[queries, None] ^ theirs[known]) <= COPY_LOWEST_BITS)
        yield np.stack([queries[query], known[place]], axis=1)
        return
    for band in range(BANDS):
        order = known[np.argsort(_band(theirs[known], band), kind="stable")]
        by_band = np.argsort(_band(mine[queries], band), kind="stable")  # what is near in memory is near in time
        ordered = queries[by_band]
        words, wanted = theirs[order], mine[ordered]
        start = np.searchsorted(_band(words, band), np.arange((1 << BAND_BITS) + 1))
        for turned in (0, *(1 << np.arange(BAND_BITS))):
            key = _band(wanted, band) ^ turned
            for some in _evenly(start[key + 1] - start[key]):
                first, count = start[key[some]], start[key[some] + 1] - start[key[some]]
                before = np.cumsum(count) - count
                place = np.arange(count.sum()) + np.repeat(first - before, count)
                apart = np.repeat(wanted[some], count) ^ words[place]
                near = np.flatnonzero(np.bitwise_count(apart) <= COPY_LOWEST_BITS)
                near = near[_is_first_band(apart[near], band)]
                row = np.searchsorted(before, near, side="right") - 1
                yield np.stack([ordered[some][row], order[place[near]]], axis=1)


def _evenly(count: NDArray[np.int64]) -> Iterator[slice]:
    """Parts of rows (Q,) that together have about COMPARED of what each has `count` of."""
    upto = np.cumsum(count)
    cuts = np.searchsorted(upto, np.arange(COMPARED, upto[-1] if len(upto) else 0, COMPARED), side="right")
    ends = np.unique([0, *cuts, len(count)]).tolist()
    return (slice(first, last) for first, last in pairwise(ends))


def _is_first_band(apart: Hashes, band: int) -> Flags:
    """Whether words that differ in the bits `apart` (P,) are nearly the same in no band before this one."""
    is_first = np.ones(len(apart), bool)
    for other in range(band):
        is_first &= np.bitwise_count(_band(apart, other)) > 1
    return is_first


def _band(words: Hashes, band: int) -> NDArray[np.int64]:
    return ((words >> np.uint64(band * BAND_BITS)) & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)


def _alike(hashes: Hashes, left: Rows, right: Rows, bits: int, lowest: int) -> Flags:
    """Pairs (P,) of which the whole of one and the whole or inner part of the other are alike, mirrored or not."""
    is_alike = np.zeros(len(left), bool)
    for start in range(0, len(left), COMPARED):
        part = slice(start, start + COMPARED)
        is_alike[part] = _are_alike(hashes[left[part]], hashes[right[part]], bits, lowest)
    return is_alike


def _are_alike(one: Hashes, other: Hashes, bits: int, lowest: int) -> Flags:
    ways = [_within(one[:, a] ^ turn[a] ^ other[:, b], bits, lowest) for a, b in _SIDES for turn in _TURNED]
    is_alike: Flags = np.any(ways, axis=0) & one.any(axis=1) & other.any(axis=1)
    return is_alike


def _within(apart: Hashes, bits: int, lowest: int) -> Flags:
    """Which words differ in at most so many bits, and in so many of the first word, by the bits `apart` (P, 4)."""
    is_near: Flags = np.bitwise_count(apart[:, 0]) <= lowest
    is_near[is_near] = np.bitwise_count(apart[is_near]).sum(axis=1) <= bits
    return is_near
