"""Near copies: candidates by perceptual hashes, decided by the pixels of stored thumbnails."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from url_viz.imaging.copied_pixels import Patches, are_copies, no_patches, patch_of
from url_viz.imaging.quality import MIRRORED, WORDS, Hashes
from url_viz.store.tables.reader import Store
from url_viz.store.tables.tables import positions_of

COPY_BITS, COPY_LOWEST_BITS = 40, 7
"""Of 255 bits, and of the 63 lowest, so many may differ in a candidate anywhere in the set …"""
NEAR_BITS, NEAR_LOWEST_BITS = 85, 20
"""… and so many if it is among the nearest by embedding, as crops are."""
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
    """What copies among N pictures are known by: `hashes` (N, WORDS), and `patches_of` some rows (M,)."""

    hashes: Hashes
    patches_of: Callable[[Rows], Patches]

    def __len__(self) -> int:
        return len(self.hashes)

    def take(self, rows: Rows) -> "Pixels":
        """Of some of the pictures, in this order."""
        return Pixels(self.hashes[rows], lambda some: self.patches_of(rows[some]))

    @classmethod
    def from_patches(cls, hashes: Hashes, patches: Patches) -> "Pixels":
        """Of pictures whose patches are in memory."""
        return cls(hashes, patches.__getitem__)

    @classmethod
    def joined(cls, first: "Pixels", second: "Pixels") -> "Pixels":
        """Of both, one after the other."""

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
        """Add pairs (P, 2), whose hashes differ in so many `bits` (P,)."""
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
        for part in _of_few_rows(pairs):
            rows, place = np.unique(pairs[part], return_inverse=True)
            patches, left, right = pixels.patches_of(rows), *place.reshape(-1, 2).T
            some = [slice(start, start + PAIRS_AT_ONCE) for start in range(0, len(left), PAIRS_AT_ONCE)]
            outcomes = pool.map(lambda each: are_copies(patches[left[each]], patches[right[each]]), some)  # noqa: B023
            is_copy[part] = np.concatenate(list(outcomes))
    return is_copy


def _of_few_rows(pairs: Rows) -> Iterator[slice]:
    """Parts of pairs (P, 2) that name at most about ROWS_IN_MEMORY rows each."""
    start, step = 0, ROWS_IN_MEMORY // 2
    while start < len(pairs):
        end = min(start + step, len(pairs))
        while end < len(pairs) and len(np.unique(pairs[start : min(end + step, len(pairs))])) <= ROWS_IN_MEMORY:
            end = min(end + step, len(pairs))
        yield slice(start, end)
        start = end


def bits_apart(hashes: Hashes, left: Rows, right: Rows) -> NDArray[np.int64]:
    """In how many bits pairs of rows (P,) differ that are near enough for a copy among the nearest, else NEVER."""
    bits = np.full(len(left), NEVER, np.int64)
    for start in range(0, len(left), COMPARED):
        part = slice(start, start + COMPARED)
        bits[part] = _bits_apart(hashes[left[part]], hashes[right[part]], NEAR_BITS, NEAR_LOWEST_BITS)
    return bits


def alike(hashes: Hashes, *, queries: Rows | None = None) -> Iterator[tuple[Rows, NDArray[np.int64]]]:
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


def alike_to(query: Hashes, hashes: Hashes) -> Rows:
    """The rows of `hashes` (N, WORDS) that may be copies of one (WORDS,), the most alike first."""
    bits = _bits_apart(query[None], hashes, COPY_BITS, COPY_LOWEST_BITS)
    return np.argsort(bits, kind="stable")[: int((bits < NEVER).sum())]


def _near(mine: Hashes, theirs: Hashes, hashed: Rows, queries: Rows) -> Iterator[Rows]:
    """Queries and known rows, in parts (P, 2), whose words (N,) differ in at most COPY_LOWEST_BITS."""
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


def _bits_apart(first: Hashes, second: Hashes, bits: int, lowest: int) -> NDArray[np.int64]:
    """The fewest bits in which the whole of one differs from the whole or inner part of the other, mirrored or not."""
    ways = [_within(first[:, a] ^ turn[a] ^ second[:, b], bits, lowest) for a, b in _SIDES for turn in _TURNED]
    fewest: NDArray[np.int64] = np.min(ways, axis=0)
    fewest[~(first.any(axis=1) & second.any(axis=1))] = NEVER
    return fewest


def _within(apart: Hashes, bits: int, lowest: int) -> NDArray[np.int64]:
    """How many bits are set in words (P, 4); NEVER for more than `bits`, or `lowest` of the first word."""
    count = np.full(len(apart), NEVER, np.int64)
    near = np.flatnonzero(np.bitwise_count(apart[:, 0]) <= lowest)
    every = np.bitwise_count(apart[near]).sum(axis=1)
    count[near] = np.where(every <= bits, every, NEVER)
    return count


THUMBNAILS_AT_ONCE = 1024


def stored_pixels(store: Store, content: NDArray[np.int64]) -> Pixels:
    """Hashes and patches of contents (M,); one that has left the folder has none."""
    files: list[pa.Table] = []

    def patches_of(rows: NDArray[np.integer]) -> Patches:
        if not files:  # most sets have no candidates, and need not look
            files.append(_one_file_of_each(store))
        return _patches(store, files[0], content[rows])

    return Pixels(store.hashes(content), patches_of)


def _one_file_of_each(store: Store) -> pa.Table:
    """id, content, width and height of a file of each content."""
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
    return _at(Patches.joined(parts), np.where(row >= 0, np.cumsum(row >= 0) - 1, -1))


def _at(patches: Patches, row: NDArray[np.integer]) -> Patches:
    """The patches at some rows (M,), black for a negative one."""
    return Patches.joined([patches, patch_of(b"", 0, 0)])[row]
