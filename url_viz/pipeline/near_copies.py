"""Near copies: candidates by perceptual hashes, decided by the pixels of stored thumbnails."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.imaging.copied_pixels import Patches, are_copies, no_patches, patch_of
from url_viz.imaging.quality import MIRRORED, WORDS, Hashes
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import positions_of

COPY_BITS, COPY_LOWEST_BITS = 40, 7
"""The most of 255 bits, and of the 63 lowest, that may differ in a candidate anywhere in the set …"""
NEAR_BITS, NEAR_LOWEST_BITS = 85, 20
"""… and in one that is among the nearest by embedding, as crops are."""
BANDS, BAND_BITS = 4, 16
"""The lowest bits in bands: where at most 7 differ, at most one does in one of the four."""
COMPARED = 1 << 17
"""Pairs that are compared at a time: they fit in the cache."""
MOST_PER_ROW, FEWEST = 8, 200_000
"""Candidates that are looked at, on average for a picture: of more, as drawings on white paper are, the most alike."""
ROWS_IN_MEMORY = 16_384
"""Patches that are in memory at once."""
PAIRS_AT_ONCE = 512
NEVER = 1 << 10
"""More bits than there are: of pairs that are no candidates."""

Rows = NDArray[np.integer]
Flags = NDArray[np.bool_]

_WHOLE, _INNER = slice(0, WORDS // 2), slice(WORDS // 2, WORDS)
_SIDES = ((_WHOLE, _WHOLE), (_WHOLE, _INNER), (_INNER, _WHOLE))
_TURNED = (np.zeros(WORDS, np.uint64), MIRRORED)


@dataclass(frozen=True)
class Pixels:
    """What copies among N pictures are known by: `hashes` (N, WORDS), and patches, read for some rows (M,)."""

    hashes: Hashes
    patches_of: Callable[[Rows], Patches]

    def __len__(self) -> int:
        return len(self.hashes)

    def take(self, rows: Rows) -> "Pixels":
        return Pixels(self.hashes[rows], lambda some: self.patches_of(rows[some]))

    @classmethod
    def from_patches(cls, hashes: Hashes, patches: Patches) -> "Pixels":
        return cls(hashes, patches.__getitem__)

    @classmethod
    def joined(cls, first: "Pixels", second: "Pixels") -> "Pixels":
        """The pictures of both, one after the other."""

        def patches_of(rows: Rows) -> Patches:
            is_first = rows < len(first)
            both = Patches.joined([first.patches_of(rows[is_first]), second.patches_of(rows[~is_first] - len(first))])
            return both[np.argsort(np.argsort(~is_first, kind="stable"), kind="stable")]

        return cls(np.concatenate([first.hashes, second.hashes]), patches_of)


class CopyCandidates:
    """Pairs that may be copies, gathered in parts; of too many those whose hashes differ least."""

    def __init__(self, rows: int) -> None:
        self._most = max(FEWEST, MOST_PER_ROW * rows)
        self._pairs, self._bits = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]

    def add(self, pairs: Rows, bits: Rows) -> None:
        """Add pairs (P, 2), whose hashes differ in `bits` (P,)."""
        self._pairs.append(np.sort(pairs, axis=1).astype(np.int64))
        self._bits.append(bits.astype(np.int64))
        if sum(map(len, self._bits)) > 2 * self._most:
            self._drop()

    def pairs(self) -> NDArray[np.int64]:
        """The pairs (P, 2), each once, in order."""
        self._drop()
        return self._pairs[0]

    def _drop(self) -> None:
        pairs, first = np.unique(np.concatenate(self._pairs), axis=0, return_index=True)
        bits = np.concatenate(self._bits)[first]
        if len(pairs) > self._most:
            is_left = bits <= np.partition(bits, self._most)[self._most] - 1
            pairs, bits = pairs[is_left], bits[is_left]
        self._pairs, self._bits = [pairs], [bits]


def copies_among(pixels: Pixels, pairs: Rows) -> Flags:
    """Which of some pairs (P, 2), in order, are copies by their pixels."""
    is_copy = np.zeros(len(pairs), bool)
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="copies") as pool:
        for part in _parts(pairs):
            rows, place = np.unique(pairs[part], return_inverse=True)
            patches, left, right = pixels.patches_of(rows), *place.reshape(-1, 2).T
            some = [slice(start, start + PAIRS_AT_ONCE) for start in range(0, len(left), PAIRS_AT_ONCE)]
            outcomes = pool.map(lambda each: are_copies(patches[left[each]], patches[right[each]]), some)  # noqa: B023
            is_copy[part] = np.concatenate(list(outcomes))
    return is_copy


def _parts(pairs: Rows) -> Iterator[slice]:
    """Parts of pairs (P, 2) that name at most about ROWS_IN_MEMORY rows each."""
    start, step = 0, ROWS_IN_MEMORY // 2
    while start < len(pairs):
        end = min(start + step, len(pairs))
        while end < len(pairs) and len(np.unique(pairs[start : min(end + step, len(pairs))])) <= ROWS_IN_MEMORY:
            end = min(end + step, len(pairs))
        yield slice(start, end)
        start = end


def bits_apart(hashes: Hashes, left: Rows, right: Rows) -> NDArray[np.int64]:
    """In how many bits pairs of rows (P,) differ; NEVER for too many for a copy among the nearest."""
    bits = np.full(len(left), NEVER, np.int64)
    for start in range(0, len(left), COMPARED):
        part = slice(start, start + COMPARED)
        bits[part] = _fewest_bits(hashes[left[part]], hashes[right[part]], NEAR_BITS, NEAR_LOWEST_BITS)
    return bits


def similar_hashes(hashes: Hashes, *, queries: Rows | None = None) -> Iterator[tuple[Rows, NDArray[np.int64]]]:
    """All pairs of rows of `hashes` (N, WORDS) that may be copies, in parts (P, 2), and bits (P,); some of them twice.

    With `queries`, only the pairs with one of these rows. Exact: of words in which at most 7 bits differ, one of four
    bands differs in none or one, so that each is looked up in the bands of the others, with none or one bit turned.
    """
    is_query = np.full(len(hashes), queries is None)
    is_query[... if queries is None else queries] = True
    hashed = np.flatnonzero(hashes.any(axis=1))
    for turn in _TURNED:
        turned = hashes ^ turn
        for mine, theirs in _SIDES:
            for pairs in _near(turned[:, mine.start], hashes[:, theirs.start], hashed, hashed[is_query[hashed]]):
                first = pairs[(pairs[:, 0] < pairs[:, 1]) | ~is_query[pairs[:, 1]]]
                left, right = first.T
                bits = _within(turned[left, mine] ^ hashes[right, theirs], COPY_BITS, COPY_LOWEST_BITS)
                yield first[bits < NEVER], bits[bits < NEVER]


def similar_to(query: Hashes, hashes: Hashes) -> Rows:
    """The rows of `hashes` (N, WORDS) that may be copies of one (WORDS,), the most alike first."""
    bits = _fewest_bits(query[None], hashes, COPY_BITS, COPY_LOWEST_BITS)
    return np.argsort(bits, kind="stable")[: int((bits < NEVER).sum())]


def _near(mine: Hashes, theirs: Hashes, hashed: Rows, queries: Rows) -> Iterator[Rows]:
    """Pairs of a query and a row of `hashed`, in parts (P, 2), whose words (N,) differ in at most COPY_LOWEST_BITS."""
    if len(queries) * len(hashed) <= COMPARED:  # comparing all is faster than going through the bands
        query, place = np.nonzero(np.bitwise_count(mine[queries, None] ^ theirs[hashed]) <= COPY_LOWEST_BITS)
        yield np.stack([queries[query], hashed[place]], axis=1)
        return
    for band in range(BANDS):
        order = hashed[np.argsort(_band(theirs[hashed], band), kind="stable")]
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
                difference = np.repeat(wanted[some], count) ^ words[place]
                near = np.flatnonzero(np.bitwise_count(difference) <= COPY_LOWEST_BITS)
                for earlier in range(band):  # what is nearly the same in an earlier band was found there
                    near = near[np.bitwise_count(_band(difference[near], earlier)) > 1]
                row = np.searchsorted(before, near, side="right") - 1
                yield np.stack([ordered[some][row], order[place[near]]], axis=1)


def _evenly(count: NDArray[np.int64]) -> Iterator[slice]:
    """Parts of rows (Q,) whose counts (Q,) add up to about COMPARED each."""
    upto = np.cumsum(count)
    cuts = np.searchsorted(upto, np.arange(COMPARED, upto[-1] if len(upto) else 0, COMPARED), side="right")
    ends = np.unique([0, *cuts, len(count)]).tolist()
    return (slice(first, last) for first, last in pairwise(ends))


def _band(words: Hashes, band: int) -> NDArray[np.int64]:
    return ((words >> np.uint64(band * BAND_BITS)) & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)


def _fewest_bits(first: Hashes, second: Hashes, bits: int, lowest: int) -> NDArray[np.int64]:
    """The fewest bits in which the whole of one differs from the whole or inner part of the other, mirrored or not."""
    ways = [_within(first[:, a] ^ turn[a] ^ second[:, b], bits, lowest) for a, b in _SIDES for turn in _TURNED]
    fewest: NDArray[np.int64] = np.min(ways, axis=0)
    fewest[~(first.any(axis=1) & second.any(axis=1))] = NEVER
    return fewest


def _within(difference: Hashes, bits: int, lowest: int) -> NDArray[np.int64]:
    """How many bits are set in words (P, 4); NEVER for more than `bits`, or `lowest` of the first word."""
    count = np.full(len(difference), NEVER, np.int64)
    near = np.flatnonzero(np.bitwise_count(difference[:, 0]) <= lowest)
    every = np.bitwise_count(difference[near]).sum(axis=1)
    count[near] = np.where(every <= bits, every, NEVER)
    return count


THUMBNAILS_AT_ONCE = 1024


def stored_pixels(store: Store, content: NDArray[np.int64]) -> Pixels:
    """Hashes and patches of contents (M,); one that has left the folder has none."""
    files = cache(lambda: one_file_each(store))  # most sets have no candidates, and need not look
    return Pixels(store.hashes(content), lambda rows: _patches(store, files(), content[rows]))


def one_file_each(store: Store) -> pa.Table:
    """id, content, width and height of one file of each content in the folder, sorted by content."""
    files = store.images(["id", "content", "width", "height"])
    files = files.filter(files["content"].is_valid())
    first = np.unique(np.asarray(files["content"].to_numpy(), np.int64), return_index=True)[1]
    return files.take(pa.array(first))


def _patches(store: Store, files: pa.Table, content: NDArray[np.int64]) -> Patches:
    row = positions_of(content, np.asarray(files["content"].to_numpy(), np.int64))
    rows = files.take(pa.array(row[row >= 0]))
    ids, widths, heights = (rows[name].to_pylist() for name in ("id", "width", "height"))
    parts = [no_patches()]
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="patches") as pool:
        for start in range(0, len(ids), THUMBNAILS_AT_ONCE):
            part = slice(start, start + THUMBNAILS_AT_ONCE)
            thumbnails = store.thumbnails(ids[part])
            given = [thumbnails.get(file_id, b"") for file_id in ids[part]]
            parts += pool.map(patch_of, given, widths[part], heights[part])
    black = patch_of(b"", 0, 0)  # the last, for contents without a file
    return Patches.joined([*parts, black])[np.where(row >= 0, np.cumsum(row >= 0) - 1, -1)]
